"""The engine's 64-bit fingerprint of SQL: SipHash-1-3 with a zero key over the text and a 0xff byte."""

import struct
from collections.abc import Iterable

_MASK = (1 << 64) - 1
_FINAL_ROUNDS = (0, 0, 0)


def sql_hash(statements: Iterable[str]) -> str:
    """Return the fingerprint of some statements as 16 hexadecimal digits.

    Example:
        >>> sql_hash([])
        '30406ea523c53def'
    """
    data = ";\n".join(statements).encode() + b"\xff"
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    words = struct.unpack(f"<{len(padded) // 8}Q", padded)
    v0, v1, v2, v3 = 0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573
    for number, word in enumerate(words + _FINAL_ROUNDS):
        v2 ^= 0xFF if number == len(words) else 0
        v3 ^= word
        v0, v2 = (v0 + v1) & _MASK, (v2 + v3) & _MASK
        v1, v3 = (v1 << 13 | v1 >> 51) & _MASK ^ v0, (v3 << 16 | v3 >> 48) & _MASK ^ v2
        v0, v2 = ((v0 << 32 | v0 >> 32) + v3) & _MASK, (v2 + v1) & _MASK
        v1, v3 = (v1 << 17 | v1 >> 47) & _MASK ^ v2, (v3 << 21 | v3 >> 43) & _MASK ^ v0
        v2 = (v2 << 32 | v2 >> 32) & _MASK
        v0 ^= word
    return f"{v0 ^ v1 ^ v2 ^ v3:016x}"
