"""The engine's 64-bit fingerprint of SQL: SipHash-1-3 with a zero key over the text and a 0xff byte."""

from __future__ import annotations

from collections.abc import Iterable

_MASK = (1 << 64) - 1


def sql_hash(statements: Iterable[str]) -> str:
    """Return the fingerprint of some statements as 16 hexadecimal digits.

    Example:
        >>> sql_hash([])
        '30406ea523c53def'
    """
    data = ";\n".join(statements).encode() + b"\xff"
    state = [0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573]
    last = data[len(data) & ~7 :].ljust(7, b"\0") + bytes([len(data) & 0xFF])
    for start in range(0, len(data) & ~7, 8):
        _absorb(state, data[start : start + 8])
    _absorb(state, last)
    state[2] ^= 0xFF
    for _ in range(3):
        _mix(state)
    return f"{state[0] ^ state[1] ^ state[2] ^ state[3]:016x}"


def _absorb(state: list[int], eight: bytes) -> None:
    word = int.from_bytes(eight, "little")
    state[3] ^= word
    _mix(state)
    state[0] ^= word


def _mix(state: list[int]) -> None:
    v0, v1, v2, v3 = state
    v0, v2 = (v0 + v1) & _MASK, (v2 + v3) & _MASK
    v1, v3 = _rotate(v1, 13) ^ v0, _rotate(v3, 16) ^ v2
    v0 = (_rotate(v0, 32) + v3) & _MASK
    v2 = (v2 + v1) & _MASK
    state[:] = v0, _rotate(v1, 17) ^ v2, _rotate(v2, 32), _rotate(v3, 21) ^ v0


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK
