"""One watched call, told event by event to the pure machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ari_app.calls.events import DeadlinePassed, LegAnswered, LegEnd, LegEnded, LegRinging
from ari_app.calls.watch_events import (
    CallerHungUp,
    CallerVanished,
    CallSeen,
    Joined,
    KeyAsked,
    LegStarted,
    MailboxEntered,
    MessageLeft,
    NoticePlayed,
    PhonesTried,
    Queued,
    SightLost,
    SightRegained,
    Unqueued,
    WatchEvent,
)
from ari_app.calls.watch_machine import step
from ari_app.calls.watch_state import WatchedCall, WatchRules
from ari_app.recovery.events import CallClosed, CallMissed, Event, KeyPressed, PromptPlayed
from ari_app.recovery.transcript import snake
from tests.ari_app.calls.telling import setup
from tests.ari_app.recovery.books import START

MOBILE = "+13055550177"


@dataclass
class Watched:
    """The call as it stands, and everything that was told."""

    call: WatchedCall
    now: float = 100.0
    told: list[Event] = field(default_factory=list)

    @classmethod
    def of(cls, rules: WatchRules | None = None, **changes: Any) -> Watched:
        """A call that nobody has seen yet; ``changes`` of its set-up."""
        rules = rules or WatchRules(text_sha256="a" * 64, audio_sha256="b" * 64)
        return cls(WatchedCall(setup=setup(**changes), rules=rules))

    @classmethod
    def seen(cls, rules: WatchRules | None = None, **changes: Any) -> Watched:
        """A call that has just come in."""
        call = cls.of(rules, **changes)
        call.arrives()
        return call

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.now)

    def take(self, event: WatchEvent) -> tuple[Event, ...]:
        """What the journal is told of ``event``."""
        found = step(self.call, event)
        self.call = found.call
        self.told += found.facts
        return found.facts

    def later(self, seconds: float) -> Watched:
        self.now += seconds
        return self

    def verdicts(self) -> list[CallMissed | CallClosed]:
        return [fact for fact in self.told if isinstance(fact, CallMissed | CallClosed)]

    # -------------------------------------------------------------------------------------------------------------- events
    def arrives(self, for_seconds: float = 0.0) -> tuple[Event, ...]:
        return self.take(CallSeen(now=self.now, at=self.at, for_seconds=for_seconds))

    def tried(self, *, asking: bool = False) -> tuple[Event, ...]:
        return self.take(PhonesTried(now=self.now, at=self.at, asking=asking))

    def asked(self, leg: str) -> tuple[Event, ...]:
        return self.take(KeyAsked(now=self.now, at=self.at, leg=leg))

    def starts(self, leg: str, phone: str | None = "101", *, outside: bool = False) -> tuple[Event, ...]:
        return self.take(LegStarted(now=self.now, at=self.at, leg=leg, phone=phone, outside=outside))

    def rings(self, leg: str) -> tuple[Event, ...]:
        return self.take(LegRinging(now=self.now, at=self.at, leg=leg))

    def up(self, leg: str) -> tuple[Event, ...]:
        return self.take(LegAnswered(now=self.now, at=self.at, leg=leg))

    def ends(self, leg: str, end: LegEnd = LegEnd.NO_ANSWER) -> tuple[Event, ...]:
        return self.take(LegEnded(now=self.now, at=self.at, leg=leg, end=end))

    def joins(self, leg: str, phone: str = "101", *, outside: bool = False) -> tuple[Event, ...]:
        return self.take(Joined(now=self.now, at=self.at, leg=leg, phone=phone, outside=outside))

    def queues(self) -> tuple[Event, ...]:
        return self.take(Queued(now=self.now, at=self.at))

    def leaves_queue(self) -> tuple[Event, ...]:
        return self.take(Unqueued(now=self.now, at=self.at))

    def mailbox(self) -> tuple[Event, ...]:
        return self.take(MailboxEntered(now=self.now, at=self.at, mailbox="101@default"))

    def message(self) -> tuple[Event, ...]:
        return self.take(MessageLeft(now=self.now, at=self.at, mailbox="101@default"))

    def notice(self, key: str = "", *, whole: bool = True) -> tuple[Event, ...]:
        started = self.at - timedelta(seconds=9)
        return self.take(NoticePlayed(now=self.now, at=self.at, key=key, whole=whole, started_at=started))

    def hangs_up(self) -> tuple[Event, ...]:
        return self.take(CallerHungUp(now=self.now, at=self.at, by_caller=True))

    def is_hung_up(self) -> tuple[Event, ...]:
        return self.take(CallerHungUp(now=self.now, at=self.at, by_caller=False))

    def vanishes(self, *, restarted: bool = False) -> tuple[Event, ...]:
        return self.take(CallerVanished(now=self.now, at=self.at, restarted=restarted))

    def blind(self) -> tuple[Event, ...]:
        return self.take(SightLost(now=self.now, at=self.at))

    def sees_again(self) -> tuple[Event, ...]:
        return self.take(SightRegained(now=self.now, at=self.at))

    def deadline(self) -> tuple[Event, ...]:
        """The time that the machine named has come; now, when it named none."""
        self.now = max(self.now, self.call.deadline or self.now)
        return self.take(DeadlinePassed(now=self.now, at=self.at))


def facts(told: tuple[Event, ...]) -> str:
    """What was told, in a few words."""
    return " · ".join(_words(fact) for fact in told)


def _words(fact: Event) -> str:
    match fact:
        case CallMissed(verdict=verdict, on_line=on_line):
            return f"missed {verdict.value}{' on line' if on_line else ''}"
        case CallClosed(verdict=verdict):
            return f"closed {verdict.value}"
        case KeyPressed(key=key):
            return f"key {key}"
        case PromptPlayed(whole=whole):
            return f"notice {'whole' if whole else 'in part'}"
        case _:
            return snake(type(fact).__name__)
