"""An inbound call as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from ari_app.calls.effects import Prompt
from ari_app.calls.events import LegEnd
from ari_app.recovery.policy import NumberEntry, Strategy
from ari_app.recovery.values import E164, NumberKind, Verdict

TOLERANCE = 1e-3
LONGEST_PROMPT_SECONDS = 60.0
"""A prompt whose end is never reported is given up then."""


class CallStage(StrEnum):
    NEW = "new"
    RINGING = "ringing"
    OVERFLOW = "overflow"
    """Missed; another group rings on."""
    PROMPTING = "prompting"
    """Missed; a prompt plays, or keys are awaited after it."""
    RECORDING = "recording"
    CONNECTED = "connected"
    ENDED = "ended"


class LegState(StrEnum):
    CALLING = "calling"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Leg:
    """One attempt to reach one phone. since: when its state began, monotonic seconds. rang: it ever rang."""

    leg: str
    phone: str
    since: float
    state: LegState = LegState.CALLING
    rang: bool = False
    end: LegEnd | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSetup:
    """What is known when the call arrives.

    call_id: the linkedid. entry: None when the number is not in the settings. phones: in the order in which they are to
    ring. each_seconds: a phone's share, unless all ring. contactable: the notice would be true for
    this caller. may_call: so would be what key 1 is answered with. keys_after_seconds: how long keys are heard after the
    notice. life: in the ids of its legs, so that no two processes give the same one: see ``Channels.originate``.
    """

    call_id: str
    caller: E164 | None
    kind: NumberKind
    caller_name: str | None
    dialled: str
    entry: NumberEntry | None
    is_open: bool
    strategy: Strategy = Strategy.ALL
    phones: tuple[str, ...] = ()
    each_seconds: float = 6.0
    overflow: tuple[str, ...] = ()
    contactable: bool = True
    may_call: bool = True
    ring_seconds: float = 6.0
    first_ring_seconds: float = 5.0
    dropped_seconds: float = 3.0
    keys_after_seconds: float = 3.0
    message_seconds: float = 120.0
    life: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The state. All times are monotonic seconds.

    legs: every attempt, in order. ring_started: the first phone began to ring. ring_ended: a phone was answered.
    stage_since: when the stage began. verdict: once it is told. recovering: the miss counts, and the caller may be
    contacted. playing: the prompt that plays.
    """

    setup: CallSetup
    stage: CallStage = CallStage.NEW
    stage_since: float = 0.0
    legs: tuple[Leg, ...] = ()
    ring_started: float | None = None
    ring_ended: float | None = None
    verdict: Verdict | None = None
    playing: Prompt | None = None
    connected_to: str | None = None
    recovering: bool = False

    def ring_seconds(self, now: float) -> float:
        """How long phones have rung at ``now``; a conversation is no ringing."""
        if self.ring_started is None:
            return 0.0
        return (now if self.ring_ended is None else self.ring_ended) - self.ring_started

    def rings(self, now: float) -> int:
        """Rings that are over at ``now``."""
        # A deadline may fire a hair before its time.
        return int(self.ring_seconds(now) / self.setup.ring_seconds + TOLERANCE)

    def leg(self, leg_id: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.leg == leg_id), None)

    @property
    def live_legs(self) -> tuple[Leg, ...]:
        return tuple(leg for leg in self.legs if leg.state is not LegState.ENDED)

    @property
    def deadline(self) -> float | None:
        """When the machine wants to hear DeadlinePassed, in monotonic seconds."""
        setup, since = self.setup, self.stage_since
        rings = 0 if setup.entry is None else setup.entry.rings
        match self.stage:
            case CallStage.RINGING:
                own = [self.turn_ends(leg) for leg in self.live_legs]
                if self.ring_started is None:
                    return max(own)  # each phone has its own time to begin
                end = self.ring_started + rings * setup.ring_seconds
                return end if setup.strategy is Strategy.ALL else min([end, *own])
            case CallStage.OVERFLOW:
                return since + rings * setup.ring_seconds
            case CallStage.PROMPTING:
                return since + (setup.keys_after_seconds if self.playing is None else LONGEST_PROMPT_SECONDS)
            case CallStage.RECORDING:
                return since + setup.message_seconds + LONGEST_PROMPT_SECONDS
            case CallStage.NEW | CallStage.CONNECTED | CallStage.ENDED:
                return None
            case _:
                assert_never(self.stage)

    def turn_ends(self, leg: Leg) -> float:
        """When a phone that has not rung is given up, and the next is rung instead of one that has, unless all ring at once."""
        return leg.since + (self.setup.each_seconds if leg.rang else self.setup.first_ring_seconds)
