"""Telling a text that the carrier sends once more from a text that a person wrote once more. Pure.

A carrier repeats what it was not told to be stored, or not in time, or not for certain. A carrier that was told at once,
on a connection that still stands, does not: there, the second "yes" is a person's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_PATIENCE_SECONDS = 2.0  # a carrier that waited longer for our answer may have stopped waiting
_STUTTER_SECONDS = 2.0  # nobody types the same text twice in this time

Pair = tuple[str, str]
"""Source and destination."""


@dataclass(slots=True)
class Sighting:
    """The latest text of a pair.

    source_id: its name. at: when it first came. may_repeat: an earlier process may have stored it.
    stands: whether the connection that brought it still stands, and with it our answer.
    answered_at: when the carrier was told that it is stored; None while it was not.
    """

    fingerprint: str
    source_id: str
    at: float
    may_repeat: bool
    stands: Callable[[], bool]
    answered_at: float | None = None

    def may_come_again(self, now: float) -> bool:
        """Whether the carrier has reason to send it again."""
        if self.answered_at is None or now < self.answered_at + _STUTTER_SECONDS:
            return True
        return self.answered_at >= self.at + _PATIENCE_SECONDS or not self.stands()


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
            sighting = Sighting(fingerprint, name(), now, may_repeat, stands)
        self._seen[pair] = sighting
        return sighting

    def _forget(self, now: float) -> None:
        # Not in order of time: a text that comes again keeps its time and moves to the end.
        self._seen = {pair: sighting for pair, sighting in self._seen.items() if now < sighting.at + self._window}
