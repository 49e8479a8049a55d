"""Damage as networks, disks and strangers do it: cut, repeat, flip, splice, insert."""

from __future__ import annotations

import random

_JUNK = (
    b"\0",
    b"\r\n",
    b"\n",
    b'"',
    b"\xff\xff\xff\xff",
    b"\xed\xa0\x80",
    "\u202e".encode(),
    b"{",
    b"[",
    b": ",
    b"&a",
    b"*a",
)


def damaged(samples: list[bytes], seed: int) -> bytes:
    """One of the samples with up to four wounds."""
    rng = random.Random(seed)
    data = bytearray(rng.choice(samples))
    for _ in range(rng.randint(0, 4)):
        at = rng.randint(0, len(data))
        length = rng.choice((1, 2, 4, 16, 64))
        match rng.randrange(6):
            case 0:
                del data[at : at + length]
            case 1:
                data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))
            case 2 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 3:
                data[at:at] = rng.choice(_JUNK)
            case 4:
                data[at : at + length] = rng.randbytes(length)
            case _:
                other = rng.choice(samples)
                data[at:] = other[rng.randint(0, len(other)) :]
    return bytes(data)
