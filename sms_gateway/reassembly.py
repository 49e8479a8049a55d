"""Joining the segments of inbound texts, whatever way they were cut. Pure.

Owns which segments wait for which. Knows nothing of acknowledgements or of where segments are kept (`smpp.inbox`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sms_gateway.encoding import Alphabet, decode
from sms_gateway.segments import Concatenation


class Key(NamedTuple):
    """What the segments of one text have in common."""

    source: str
    destination: str
    reference: int
    total: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One received segment, or a whole short text if ``place`` is None.

    alphabet: of ``data``, with packed septets already unpacked; None if the data are not text.
    data: user data without its header.
    fingerprint: digest of the segment as received.
    sent_at: when the carrier says that it was sent, aware UTC, if it does.
    """

    source: str
    destination: str
    alphabet: Alphabet | None
    data: bytes
    fingerprint: str
    place: Concatenation | None = None
    sent_at: datetime | None = None

    @property
    def key(self) -> Key | None:
        """What it shares with its siblings; None for a text that stands alone."""
        if self.place is None or self.place.total == 1:
            return None
        return Key(self.source, self.destination, self.place.reference, self.place.total)


@dataclass(frozen=True, slots=True)
class Joined:
    """Segments that are delivered together, in order; all of the text, or what came in time."""

    segments: tuple[Segment, ...]

    @property
    def complete(self) -> bool:
        """Whether no segment is missing."""
        place = self.segments[0].place
        return place is None or len(self.segments) == place.total

    @property
    def body(self) -> str:
        """The text. Characters that the sender cut in two between segments are whole again."""
        text = (segment for segment in self.segments if segment.alphabet is not None)
        runs = groupby(text, key=lambda segment: segment.alphabet or Alphabet.GSM)
        return "".join(decode(b"".join(segment.data for segment in run), alphabet) for alphabet, run in runs)


class Reassembler:
    """Segments of texts that are not complete yet, each text waiting ``patience`` seconds from its first segment.

    limit: how many incomplete texts are held; beyond it, the oldest is given out incomplete.
    """

    def __init__(self, patience: float, limit: int = 1000) -> None:
        self._patience = patience
        self._limit = limit
        self._waiting: dict[Key, dict[int, Segment]] = {}
        self._due: dict[Key, float] = {}

    def add(self, segment: Segment, now: float) -> list[Joined]:
        """What can be delivered now: usually nothing, the whole text, or an older one that has to make room."""
        key, place = segment.key, segment.place
        if key is None or place is None:
            return [Joined((segment,))]
        out: list[Joined] = []
        held = self._waiting.get(key)
        if held is not None and held.get(place.index, segment).fingerprint != segment.fingerprint:
            # The sender's counter has come round while a text with the same number is still incomplete.
            out.append(self._take(key))
            held = None
        if held is None:
            if len(self._waiting) >= self._limit:
                out.append(self._take(next(iter(self._waiting))))
            held = self._waiting[key] = {}
            self._due[key] = now + self._patience
        held[place.index] = segment
        if len(held) == key.total:
            out.append(self._take(key))
        return out

    def expire(self, now: float) -> list[Joined]:
        """The texts whose patience has run out, incomplete as they are."""
        return [self._take(key) for key in [key for key, due in self._due.items() if due <= now]]

    def next_deadline(self) -> float | None:
        """When ``expire`` will have something to give; None if nothing waits."""
        return next(iter(self._due.values()), None)

    def _take(self, key: Key) -> Joined:
        del self._due[key]
        held: Iterable[tuple[int, Segment]] = sorted(self._waiting.pop(key).items())
        return Joined(tuple(segment for _, segment in held))
