"""The engine's 64-bit fingerprint of SQL: SipHash-1-3 with a zero key over the text and a 0xff byte."""

from __future__ import annotations

from collections.abc import Iterable

_MASK = (1 << 64) - 1
_State = tuple[int, int, int, int]


def sql_hash(statements: Iterable[str]) -> str:
    """Return the fingerprint of some statements as 16 hexadecimal digits.

    Example:
        >>> sql_hash([])
        '30406ea523c53def'
    """
    data = ";\n".join(statements).encode() + b"\xff"
    state = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    whole = len(data) - len(data) % 8
    for start in range(0, whole, 8):
        state = _absorb(state, int.from_bytes(data[start : start + 8], "little"))
    state = _absorb(state, (len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little"))
    v0, v1, v2, v3 = state
    state = (v0, v1, v2 ^ 0xFF, v3)
    for _ in range(3):
        state = _round(state)
    return f"{state[0] ^ state[1] ^ state[2] ^ state[3]:016x}"


def _absorb(state: _State, word: int) -> _State:
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _round((v0, v1, v2, v3 ^ word))
    return v0 ^ word, v1, v2, v3


def _round(state: _State) -> _State:
    v0, v1, v2, v3 = state
    v0 = (v0 + v1) & _MASK
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotate(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotate(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotate(v1, 17) ^ v2
    return v0, v1, _rotate(v2, 32), v3


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK
