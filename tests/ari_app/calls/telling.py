"""One inbound call, told event by event to the pure machine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from ari_app.calls.draft import PromptDigests
from ari_app.calls.effects import (
    CallEffect,
    CancelLeg,
    Connect,
    FallThrough,
    HangUp,
    Play,
    Prompt,
    Record,
    RingBack,
    RingLeg,
    StopPlaying,
    Tell,
)
from ari_app.calls.events import (
    Arrived,
    CallerGone,
    CallEvent,
    DeadlinePassed,
    KeyHeard,
    LegAnswered,
    LegAsked,
    LegEnd,
    LegEnded,
    LegRinging,
    PlayingEnded,
    RecordingEnded,
)
from ari_app.calls.machine import CallStep, step
from ari_app.calls.state import Call, CallSetup
from ari_app.recovery.events import CallClosed, CallMissed, Event
from ari_app.recovery.policy import AfterMiss, NumberEntry
from ari_app.recovery.transcript import snake
from ari_app.recovery.values import NumberKind
from tests.ari_app.recovery.books import CALLER, MAIN, START, policy

DIGESTS = {Prompt.NOTICE: PromptDigests("a" * 64, "b" * 64)}
PHONES = ("101", "102")


def entry(**changes: Any) -> NumberEntry:
    """The main line's entry, with changes."""
    found = policy().entry_for(MAIN)
    assert found is not None
    return replace(found, **changes)


def setup(
    after_miss: AfterMiss = AfterMiss.PROMPT, of_entry: dict[str, Any] | None = None, **changes: Any
) -> CallSetup:
    """A call to the main line; ``changes`` of the set-up, ``of_entry`` of the number's entry."""
    given: dict[str, Any] = {
        "call_id": "1764000000.1",
        "caller": CALLER,
        "kind": NumberKind.ORDINARY,
        "caller_name": "ANA CALLER",
        "dialled": MAIN,
        "entry": entry(after_miss=after_miss, **(of_entry or {})),
        "is_open": True,
        "phones": PHONES,
        "overflow": ("103",) if after_miss is AfterMiss.OVERFLOW else (),
    }
    return CallSetup(**{**given, **changes})


@dataclass
class Telling:
    """The call as it stands, and everything that was ordered."""

    call: Call
    now: float = 100.0
    told: list[CallEffect] = field(default_factory=list)

    @classmethod
    def of(cls, after_miss: AfterMiss = AfterMiss.PROMPT, **changes: Any) -> Telling:
        return cls(Call(setup=setup(after_miss, **changes)))

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def take(self, event: CallEvent) -> tuple[CallEffect, ...]:
        """The effects of ``event``."""
        found: CallStep = step(self.call, event, DIGESTS)
        self.call = found.call
        self.told += found.effects
        return found.effects

    def later(self, seconds: float) -> Telling:
        self.now += seconds
        return self

    # ------------------------------------------------------------------------------------------------------------ events
    def arrived(self) -> tuple[CallEffect, ...]:
        return self.take(Arrived(now=self.now, at=self.at))

    def asked(self, leg: int | str = 0) -> tuple[CallEffect, ...]:
        return self.take(LegAsked(now=self.now, at=self.at, leg=self.name(leg)))

    def ringing(self, leg: int | str = 0) -> tuple[CallEffect, ...]:
        return self.take(LegRinging(now=self.now, at=self.at, leg=self.name(leg)))

    def answered(self, leg: int | str = 0) -> tuple[CallEffect, ...]:
        return self.take(LegAnswered(now=self.now, at=self.at, leg=self.name(leg)))

    def ended(self, leg: int | str = 0, end: LegEnd = LegEnd.HUNG_UP) -> tuple[CallEffect, ...]:
        return self.take(LegEnded(now=self.now, at=self.at, leg=self.name(leg), end=end))

    def gone(self) -> tuple[CallEffect, ...]:
        return self.take(CallerGone(now=self.now, at=self.at))

    def key(self, key: str) -> tuple[CallEffect, ...]:
        return self.take(KeyHeard(now=self.now, at=self.at, key=key))

    def played(self, prompt: Prompt | None = None, *, whole: bool = True) -> tuple[CallEffect, ...]:
        """The prompt that plays is over, or ``prompt`` is."""
        name = prompt or self.call.playing or Prompt.SORRY
        return self.take(PlayingEnded(now=self.now, at=self.at, prompt=name, whole=whole, started_at=self.at))

    def recorded(self, seconds: float = 12.0) -> tuple[CallEffect, ...]:
        return self.take(RecordingEnded(now=self.now, at=self.at, recording="a.wav", seconds=seconds))

    def deadline(self) -> tuple[CallEffect, ...]:
        """The time that the machine named has come; if it named none, some time has passed."""
        due = self.call.deadline
        self.now = self.now + 60 if due is None else max(self.now, due)
        return self.take(DeadlinePassed(now=self.now, at=self.at))

    def name(self, leg: int | str) -> str:
        return leg if isinstance(leg, str) else f"{self.call.setup.call_id}-leg{leg}"

    # ------------------------------------------------------------------------------------------------------------ findings
    def facts(self) -> list[Event]:
        """What the journal was told."""
        return [effect.event for effect in self.told if isinstance(effect, Tell)]

    def verdicts(self) -> list[CallMissed | CallClosed]:
        return [event for event in self.facts() if isinstance(event, CallMissed | CallClosed)]


def short(effect: CallEffect) -> str:
    """An effect in a few words."""
    match effect:
        case RingLeg(phone=phone):
            return f"ring {phone}"
        case CancelLeg(leg=leg, elsewhere=elsewhere):
            return f"cancel {leg.rpartition('-')[2]}{' elsewhere' if elsewhere else ''}"
        case Connect(leg=leg):
            return f"connect {leg.rpartition('-')[2]}"
        case Play(prompt=prompt):
            return f"play {prompt}"
        case HangUp(cause=cause):
            return f"hang up {cause}"
        case Record():
            return "record"
        case RingBack():
            return "ring back"
        case StopPlaying():
            return "stop playing"
        case FallThrough():
            return "fall through"
        case Tell(event=event):
            verdict = f" {event.verdict}" if isinstance(event, CallMissed | CallClosed) else ""
            return f"tell {snake(type(event).__name__)}{verdict}"
        case _:
            assert_never(effect)


def words(effects: tuple[CallEffect, ...]) -> str:
    return " · ".join(short(effect) for effect in effects)
