"""The entry of the program: its version at once, anything else by the module that knows the commands."""

import os
import sys

from rocky_local import __version__


def main(argv: list[str] | None = None) -> int:
    """Run one command, that of the process by default, and return its exit code.

    It is 0 for success, 1 failure, 2 partial success or wrong usage, 3 a critical `doctor`, 130 an interrupted copy.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # This stream was closed: the next file that is opened would take its number.
            os.open(os.devnull, os.O_RDWR)
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] in (["--version"], ["-V"]):
        os.write(1, f"rocky {__version__}\n".encode())
        return 0
    from rocky_local.dispatch import dispatch  # noqa: PLC0415

    return dispatch(arguments)
