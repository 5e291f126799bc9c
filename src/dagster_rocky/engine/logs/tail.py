"""Following a growing file line by line with bounded memory."""

import os
from collections.abc import Iterator

CHUNK_BYTES = 256 * 1024
MAX_LINE_BYTES = 64 * 1024
"""A longer line is cut here; what is shown says how long it was."""


class FileTail:
    """Reads what another process appends to a file, in whole lines, at most a chunk at a time.

    Args:
        fd: An open file descriptor; its own offset is neither used nor moved.
        max_line_bytes: Where a line is cut.
    """

    def __init__(self, fd: int, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._fd = fd
        self._offset = 0
        self._partial = b""
        self._dropped = 0
        self._max = max_line_bytes

    @property
    def bytes_read(self) -> int:
        """How much of the file was read, in bytes."""
        return self._offset

    def read_lines(self) -> list[str]:
        """The next complete lines, decoded; an empty list when there is nothing new.

        Bytes that are not UTF-8 are replaced. At most `CHUNK_BYTES` are read, so call again until it is empty.
        """
        chunk = os.pread(self._fd, CHUNK_BYTES, self._offset)
        if not chunk:
            return []
        self._offset += len(chunk)
        pieces = chunk.split(b"\n")
        pieces[0] = self._partial + pieces[0]
        self._partial = pieces.pop()
        lines = []
        for piece in pieces:
            lines.append(self._finish(piece))
        if len(self._partial) > self._max:
            self._dropped += len(self._partial) - self._max
            self._partial = self._partial[: self._max]
        return lines

    def drain(self) -> Iterator[list[str]]:
        """Batches of lines until the end of the file as it is now."""
        offset = -1
        while offset != self._offset:
            offset = self._offset
            lines = self.read_lines()
            if lines:
                yield lines

    def last_line(self) -> str | None:
        """The text after the last newline, when the writer is gone and there is any."""
        if not self._partial and not self._dropped:
            return None
        return self._finish(self._take_partial())

    def _take_partial(self) -> bytes:
        partial, self._partial = self._partial, b""
        return partial

    def _finish(self, raw: bytes) -> str:
        dropped, self._dropped = self._dropped, 0
        if len(raw) > self._max:
            dropped += len(raw) - self._max
            raw = raw[: self._max]
        text = raw.rstrip(b"\r").decode("utf-8", errors="replace")
        return f"{text}… [cut: {dropped:,} more bytes]" if dropped else text
