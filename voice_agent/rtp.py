"""RTP packets (RFC 3550 section 5.1) and putting them back in order. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

PCMU = 0
PCMA = 8
"""Payload types (RFC 3551 section 6)."""

_HEADER = struct.Struct(">BBHII")


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet. ``sequence`` counts packets, ``timestamp`` samples, each with an arbitrary start and wrapping round."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Raises ValueError, saying why, when ``data`` is no RTP packet."""
        if len(data) < _HEADER.size:
            raise ValueError(f"expected {_HEADER.size} bytes at least, got {len(data)}")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != 2:
            raise ValueError(f"expected version 2, got {first >> 6}")
        start = _HEADER.size + 4 * (first & 0x0F)
        if first & 0x10:
            if len(data) < start + 4:
                raise ValueError("the header extension is cut off")
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        end = len(data) - (data[-1] if first & 0x20 else 0)
        if start > end or (first & 0x20 and end == len(data)):
            raise ValueError("the header or the padding is longer than the packet")
        return cls(second & 0x7F, sequence, timestamp, ssrc, data[start:end], bool(second & 0x80))

    def build(self) -> bytes:
        """The bytes on the wire."""
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(0x80, second, self.sequence, self.timestamp, self.ssrc) + self.payload


@dataclass(frozen=True, slots=True)
class Ordered:
    """A packet in its place. ``lost``: how many before it never came."""

    packet: RtpPacket
    lost: int = 0


class Reorderer:
    """Packets of one source in the order in which they were sent.

    A packet that came early waits for those before it, until ``depth`` are waiting. One that comes after its turn, or
    twice, is dropped. Another source, or a jump of more than ``jump``, starts anew.
    """

    def __init__(self, *, depth: int = 3, jump: int = 100) -> None:
        self._depth = depth
        self._jump = jump
        self._ssrc: int | None = None
        self._next = 0
        self._early: dict[int, RtpPacket] = {}

    def push(self, packet: RtpPacket) -> list[Ordered]:
        """What can go on now."""
        ahead = (packet.sequence - self._next) & 0xFFFF
        if packet.ssrc != self._ssrc or self._jump < ahead < 0x10000 - self._jump:
            self._ssrc = packet.ssrc
            self._early = {packet.sequence: packet}
            self._next = packet.sequence
        elif ahead <= self._jump:
            self._early[packet.sequence] = packet
        else:
            return []  # its turn is over
        lost = 0
        if len(self._early) > self._depth:
            nearest = min(self._early, key=lambda sequence: (sequence - self._next) & 0xFFFF)
            lost = (nearest - self._next) & 0xFFFF
            self._next = nearest
        ready = []
        while (found := self._early.pop(self._next, None)) is not None:
            ready.append(Ordered(found, lost))
            lost = 0
            self._next = (self._next + 1) & 0xFFFF
        return ready
