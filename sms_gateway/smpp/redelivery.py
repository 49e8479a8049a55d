"""Telling a text that the carrier sends once more from a text that a person wrote once more. Pure.

A carrier repeats what it was not told to be stored, or not in time, or not for certain. A carrier that was told at once,
on a connection that still stands, does not: there, the second "yes" is a person's.

Segments of long texts are brought, and brought again, each for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

_PATIENCE_SECONDS = 2.0  # a carrier that waited longer for our answer may have stopped waiting
_STUTTER_SECONDS = 2.0  # nobody types the same text twice in this time

Pair = tuple[str, str]
"""Source and destination."""


@dataclass(slots=True, kw_only=True)
class Arrival:
    """What the carrier has brought, and whether it knows that we have it.

    at: when it first came. stands: whether the connection that brought it still stands, and with it our answer.
    answered_at: when the carrier was told that it is stored; None while it was not.
    """

    at: float
    stands: Callable[[], bool]
    answered_at: float | None = None

    def may_come_again(self, now: float) -> bool:
        """Whether the carrier has reason to send it again."""
        if self.answered_at is None or now < self.answered_at + _STUTTER_SECONDS:
            return True
        return self.answered_at >= self.at + _PATIENCE_SECONDS or not self.stands()


@dataclass(slots=True, kw_only=True)
class Sighting(Arrival):
    """The latest text of a pair. source_id: its name. may_repeat: an earlier process may have stored it."""

    fingerprint: str
    source_id: str
    may_repeat: bool


class Redeliveries:
    """Remembers the latest text of every pair for ``window`` seconds, from ``now`` on."""

    def __init__(self, window: float, now: float) -> None:
        self._window = window
        self._began = now
        self._seen: dict[Pair, Sighting] = {}

    def see(
        self, pair: Pair, fingerprint: str, now: float, *, name: Callable[[], str], stands: Callable[[], bool]
    ) -> Sighting:
        """The sighting that a text which has arrived belongs to: the former one if it comes again, else a new one.

        name: makes the source id of a new one.
        """
        self._forget(now)
        former = self._seen.pop(pair, None)
        if former is not None and former.fingerprint == fingerprint and former.may_come_again(now):
            sighting = former
            sighting.stands = stands
            sighting.answered_at = None
        else:
            may_repeat = former is None and now < self._began + self._window
            sighting = Sighting(fingerprint=fingerprint, source_id=name(), at=now, may_repeat=may_repeat, stands=stands)
        self._seen[pair] = sighting
        return sighting

    def _forget(self, now: float) -> None:
        # Not in order of time: a text that comes again keeps its time and moves to the end.
        self._seen = {pair: sighting for pair, sighting in self._seen.items() if now < sighting.at + self._window}


@dataclass(slots=True, kw_only=True)
class _Taken(Arrival):
    """A segment that is stored. whole: and so is all of its text."""

    whole: bool


class Segments:
    """Remembers the segments that were acknowledged in the last ``window`` seconds, by fingerprint.

    All of them, not those of the latest text only: their number in the sender's count is part of the fingerprint, so that a
    person's second writing of the same words is another.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._taken: dict[str, _Taken] = {}

    def took(
        self, fingerprint: str, came_at: float, now: float, stands: Callable[[], bool], *, whole: bool = False
    ) -> None:
        """It is stored, and the carrier was told. stands: as of a `Sighting`. whole: its text is complete."""
        self._forget(now)
        self._taken.pop(fingerprint, None)  # so that they stay in order of time, or nearly
        self._taken[fingerprint] = _Taken(at=came_at, stands=stands, answered_at=now, whole=whole)

    def completed(self, fingerprints: Iterable[str]) -> None:
        """They make a whole text."""
        for fingerprint in fingerprints:
            if fingerprint in self._taken:
                self._taken[fingerprint].whole = True

    def comes_again(self, fingerprint: str, now: float) -> bool:
        """Whether a segment that has arrived is one of a whole text, brought once more.

        Of a text that is incomplete none is: together with what is missing they may still make the whole.
        """
        self._forget(now)
        taken = self._taken.get(fingerprint)
        return taken is not None and taken.whole and taken.may_come_again(now)

    def standing(self, fingerprints: Iterable[str]) -> Callable[[], bool]:
        """Tells whether all answers to these stand; those to segments that are forgotten do not."""
        taken = [self._taken.get(fingerprint) for fingerprint in fingerprints]
        return lambda: all(each is not None and each.stands() for each in taken)

    def _forget(self, now: float) -> None:
        while self._taken:
            oldest = next(iter(self._taken))
            if now < self._taken[oldest].at + self._window:
                return
            del self._taken[oldest]
