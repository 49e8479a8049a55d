"""An inbound call that is only watched, as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from ari_app.calls.events import LegEnd
from ari_app.calls.state import TOLERANCE, CallSetup, LegState
from ari_app.recovery.policy import Forwarded
from ari_app.recovery.values import Verdict

CONFIRMED_SECONDS = 1.0
"""A leg that FollowMe called and that is up this long before the caller hears it was asked first: somebody pressed a key."""


class WatchStage(StrEnum):
    """Where the caller is."""

    NEW = "new"
    DIALPLAN = "dialplan"
    """Nobody is being called: a menu, an announcement, the moment between two steps."""
    RINGING = "ringing"
    """Legs are being called."""
    QUEUED = "queued"
    MAILBOX = "mailbox"
    """A mailbox, or our notice, answered."""
    CONNECTED = "connected"
    """The caller hears somebody, or did: what follows an answer is no miss any more."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRules:
    """How what is seen is judged.

    queue_rings: the ring clock decides in queues as well. talk_seconds: for Forwarded.TALK. text_sha256, audio_sha256: of
    the notice that the dialplan may play. told_later: what goes unseen is told by the PBX's own event log.
    """

    queue_rings: bool = False
    forwarded: Forwarded = Forwarded.TALK
    talk_seconds: float = 90.0
    text_sha256: str = ""
    audio_sha256: str = ""
    told_later: bool = False


@dataclass(frozen=True, slots=True)
class WatchedLeg:
    """One leg. since: when its state began. rang: it ever rang. asked: to press a key before the caller is let through."""

    leg: str
    phone: str | None
    outside: bool
    since: float
    state: LegState = LegState.CALLING
    rang: bool = False
    asked: bool = False
    end: LegEnd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedCall:
    """The state. All times are monotonic seconds.

    seen_at: the call came in. tried_at: the first phone was tried. ring_started: the first phone rang, or the caller began
    to wait in a queue. asking: FollowMe tries phones. quiet_since: no leg is being called any more. joined_at, joined_to: since
    when and to whom the caller talked first. person: that was a person. blind_since: nothing has been seen since then.
    mailbox: the one entered, if any.
    """

    setup: CallSetup
    rules: WatchRules = WatchRules()
    stage: WatchStage = WatchStage.NEW
    seen_at: float = 0.0
    legs: tuple[WatchedLeg, ...] = ()
    tried_at: float | None = None
    ring_started: float | None = None
    quiet_since: float = 0.0
    asking: bool = False
    joined_at: float | None = None
    joined_to: str | None = None
    person: bool = False
    mailbox: str | None = None
    mailbox_at: float = 0.0
    blind_since: float | None = None
    verdict: Verdict | None = None
    missed: bool = False
    """The verdict is a miss that counts."""

    def leg(self, leg_id: str) -> WatchedLeg | None:
        return next((leg for leg in self.legs if leg.leg == leg_id), None)

    @property
    def live_legs(self) -> tuple[WatchedLeg, ...]:
        return tuple(leg for leg in self.legs if leg.state is not LegState.ENDED)

    @property
    def rang(self) -> bool:
        """Whether anybody was rung, or waited for in a queue."""
        return self.ring_started is not None

    def ring_time(self, now: float) -> float:
        """Seconds from the first ring to ``now``, or to when somebody took the call or we went blind; 0 when nothing rang."""
        end = min([now, *(at for at in (self.blind_since, self.joined_at) if at is not None)])
        return 0.0 if self.ring_started is None else max(0.0, end - self.ring_started)

    def rings(self, now: float) -> int:
        """Rings that are over at ``now``."""
        return int(self.ring_time(now) / self.setup.ring_seconds + TOLERANCE)

    @property
    def deadline(self) -> float | None:
        """When the machine wants to hear DeadlinePassed, in monotonic seconds. Never while we are blind."""
        if self.blind_since is not None:
            return None
        match self.stage:
            case WatchStage.CONNECTED:
                doubtful = not self.person and self.rules.forwarded is Forwarded.TALK
                return (self.joined_at or 0.0) + self.rules.talk_seconds if doubtful else None
            case WatchStage.DIALPLAN | WatchStage.RINGING:
                return self._verdict_due()
            case WatchStage.QUEUED:
                return self._ring_end() if self.rules.queue_rings else None
            case WatchStage.NEW | WatchStage.MAILBOX | WatchStage.ENDED:
                return None
            case _:
                assert_never(self.stage)

    def _verdict_due(self) -> float | None:
        """When a caller whom nobody has answered is missed."""
        setup = self.setup
        if self.verdict is not None or setup.entry is None:
            return None
        if self.tried_at is None:
            return None  # a menu, an announcement: it may lead on to somebody, also after hours
        due = [end for end in (self._ring_end(),) if end is not None]
        if not self.live_legs:
            due.append(max(self.quiet_since, self.tried_at) + setup.first_ring_seconds)
        elif self.ring_started is None:
            # The network takes its time before a mobile rings.
            patient = any(leg.outside for leg in self.live_legs)
            wait = setup.entry.rings * setup.ring_seconds if patient else 0.0
            due.append(self.tried_at + max(setup.first_ring_seconds, wait))
        return min(due)

    def _ring_end(self) -> float | None:
        """When the last ring is over."""
        if self.ring_started is None or self.verdict is not None or self.setup.entry is None:
            return None
        return self.ring_started + self.setup.entry.rings * self.setup.ring_seconds

    @property
    def closed(self) -> bool:
        """The office is, and calls are not to ring then."""
        entry = self.setup.entry
        return not self.setup.is_open and entry is not None and not entry.ring_after_hours
