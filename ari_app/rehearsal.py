"""Rehearsing a missed call: what would happen, when and why, through the real recorder on books that are thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from ari_app.calls.arrival import arrival
from ari_app.calls.effects import CallEffect, Play, Prompt, Record, RingLeg, Tell
from ari_app.calls.events import (
    Arrived,
    CallEvent,
    DeadlinePassed,
    LegRinging,
    PlayingEnded,
    RecordingEnded,
)
from ari_app.calls.machine import step
from ari_app.calls.promises import promises
from ari_app.calls.state import Call, CallSetup, CallStage
from ari_app.recovery.effects import KINDS, PlaceCallback
from ari_app.recovery.events import CallbackEnded, Event, TimerFired
from ari_app.recovery.policy import NumberEntry, Policy, Strategy
from ari_app.recovery.values import E164, CallbackEnd, Intent
from ari_app.runtime.outcome import Done
from ari_app.runtime.recorded import Recorded
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.settings.calling import PromptSection
from ari_app.store import outbox, timers
from ari_app.store.db import connect, prepare
from ari_app.store.stores import InlineStore

PROMPT_SECONDS = {Prompt.NOTICE: 11.0, Prompt.SORRY: 5.0, Prompt.MESSAGE: 4.0}
"""About as long as the prompts take."""
MESSAGE_SECONDS = 10.0
"""How long the caller speaks to voicemail."""
LONGEST = timedelta(days=2)
CALL_ID = "rehearsal"


class _StageClock:
    """A clock that stands where the rehearsal has come to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    async def pause(self, seconds: float) -> None:
        raise AssertionError("nothing waits in a rehearsal")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a call that nobody answers would lead to. entry: None when the number is not in the settings. hears: the prompts,
    in order."""

    entry: NumberEntry | None
    is_open: bool
    steps: tuple[Recorded, ...]
    hears: tuple[Prompt, ...] = ()


async def rehearse(
    policy: Policy, prompt: PromptSection, caller: str, dialled: str, at: datetime, books: Path | None
) -> Rehearsal:
    """The story of a call at ``at`` from ``caller`` to ``dialled``: all phones ring and none is answered, the caller stays to
    the end and leaves a message where there is voicemail, the text is accepted, the callback is not taken, nobody does anything.

    books: the real ones, if there are any; what they know of the caller is copied. They are only read.
    """
    setup = arrival(policy, CALL_ID, number=caller, dialled=dialled, at=at)
    if setup.entry is None:
        return Rehearsal(None, True, ())
    with tempfile.TemporaryDirectory(prefix="ringback-rehearsal-") as folder:
        path = Path(folder) / "books.db"
        prepare(path)
        if books is not None and setup.caller is not None:
            _copy_person(books, path, setup.caller)
        store = InlineStore(path)
        try:
            promised = await store.read(lambda db: promises(db, policy, setup, at))
            stage = _Stage(policy, store, at)
            ringing = _ringing(setup, setup.entry, policy, prompt)
            contactable = promised.notice(policy, own_words=prompt.notice is not None)
            await stage.play(replace(ringing, contactable=contactable, may_call=promised.call))
        finally:
            store.close()
    return Rehearsal(setup.entry, setup.is_open, tuple(stage.steps), tuple(stage.hears))


def _ringing(setup: CallSetup, entry: NumberEntry, policy: Policy, prompt: PromptSection) -> CallSetup:
    """Who is to ring, and for how long the caller is listened to."""
    group = policy.groups[entry.group]
    return replace(
        setup,
        strategy=Strategy.ALL if len(group.phones) == 1 else group.strategy,
        phones=group.phones,
        each_seconds=group.each_seconds,
        overflow=() if entry.overflow is None else policy.groups[entry.overflow].phones,
        keys_after_seconds=prompt.keys_after,
        message_seconds=prompt.voicemail_longest,
    )


class _Line:
    """The line of a call that nobody answers: phones ring as soon as they are asked, prompts are heard to their end, and the
    caller speaks after the beep."""

    def __init__(self) -> None:
        self.hears: list[Prompt] = []
        self._coming: list[tuple[float, Callable[..., CallEvent]]] = []

    def follow(self, effect: CallEffect, now: CallEvent) -> None:
        """Do what the machine asks for."""
        match effect:
            case RingLeg(leg=leg):
                self._expect(now.now, LegRinging, leg=leg)
            case Play(prompt=prompt):
                self.hears.append(prompt)
                end = now.now + PROMPT_SECONDS[prompt]
                self._expect(end, PlayingEnded, prompt=prompt.value, whole=True, started_at=now.at)
            case Record(longest_seconds=longest):
                seconds = min(MESSAGE_SECONDS, longest)
                self._expect(now.now + seconds, RecordingEnded, recording=CALL_ID, seconds=seconds)
            case _:
                pass  # nobody is there whom the rest would concern

    def coming(self, call: Call) -> tuple[float, Callable[..., CallEvent]]:
        """What happens next, and when, in seconds since the call began."""
        deadline = [] if call.deadline is None else [(call.deadline, DeadlinePassed)]
        first = min([*self._coming, *deadline], key=lambda one: one[0])
        if first in self._coming:
            self._coming.remove(first)
        return first

    def _expect(self, at: float, event: Callable[..., CallEvent], **what: object) -> None:
        self._coming.append((at, partial(event, **what)))


class _Stage:
    def __init__(self, policy: Policy, store: InlineStore, at: datetime) -> None:
        self._policy = policy
        self._store = store
        self._clock = _StageClock(at)
        self._recorder = Recorder(store, self._clock, PolicyInForce(policy, "{}"))
        self.steps: list[Recorded] = []
        self.hears: list[Prompt] = []

    async def play(self, setup: CallSetup) -> None:
        await self._hold(Call(setup=setup))
        end = self._clock.at + LONGEST
        while (due := await self._store.read(timers.next_due)) is not None and due <= end:
            await self._pass_time(due)

    async def _hold(self, call: Call) -> None:
        """The call, to its end."""
        began = self._clock.at
        line = _Line()
        event: CallEvent = Arrived(now=0.0, at=began)
        while True:
            result = step(call, event, {})
            call = result.call
            for effect in result.effects:
                if isinstance(effect, Tell):
                    await self._happen(effect.event)
                line.follow(effect, event)
            if call.stage is CallStage.ENDED:
                self.hears = line.hears
                return
            due, make = line.coming(call)
            await self._pass_time(began + timedelta(seconds=due))
            self._clock.at = max(self._clock.at, began + timedelta(seconds=due))
            event = make(now=(self._clock.at - began).total_seconds(), at=self._clock.at)

    async def _pass_time(self, until: datetime) -> None:
        """Fire what is due by then, each at its time."""
        while ripe := await self._store.read(lambda db: timers.due(db, until, 1)):
            timer = ripe[0]
            self._clock.at = max(self._clock.at, timer.due_at)
            await self._happen(
                TimerFired(
                    at=self._clock.at, source_id=f"timer:{timer.timer_id}", timer_id=timer.timer_id, kind=timer.kind
                )
            )

    async def _happen(self, event: Event) -> None:
        recorded = await self._recorder.record(event)
        if recorded is None:
            return
        self.steps.append(recorded)
        await self._world_answers()

    async def _world_answers(self) -> None:
        """Texts are accepted at once; callbacks ring and are not taken; mail and pushes arrive."""
        at = self._clock.at
        for kind in KINDS.values():
            for order in await self._store.write(partial(outbox.claim, kind=kind, at=at, lease_until=at, limit=100)):
                recorded = await self._recorder.settle(order, Done(ref=None))
                if recorded is not None and kind in ("text", "callback"):
                    self.steps.append(recorded)
                if isinstance(order.effect, PlaceCallback):
                    self._clock.at += timedelta(seconds=30)
                    await self._happen(
                        CallbackEnded(
                            at=self._clock.at,
                            source_id=f"callback:{order.effect_id}:ended",
                            effect_id=order.effect_id,
                            end=CallbackEnd.NO_ANSWER,
                            intent=Intent.UNSTATED,
                            lines=(),
                            keys="",
                            seconds=0.0,
                            by=None,
                            why=None,
                        )
                    )
                    return
                await self._world_answers()
                return


def _copy_person(books: Path, into: Path, number: E164) -> None:
    """What the real books know of a person: consent, text window, name, how often they were called."""
    source, target = connect(books, readonly=True), connect(into)
    try:
        target.execute("PRAGMA foreign_keys = OFF")
        for table in ("consent", "text_windows", "people"):
            rows = [dict(row) for row in source.query(f"SELECT * FROM {table} WHERE number = ?", [number])]  # noqa: S608
            target.table(table).insert_all(rows)
        columns = "id, lead_id, kind, purpose, number, body, priority, status, created_at, not_before, expires_at"
        rows = [
            dict(row)
            for row in source.query(
                f"SELECT {columns} FROM outbox WHERE number = ? AND status NOT IN ('todo', 'doing')",  # noqa: S608
                [number],
            )
        ]
        target.table("outbox").insert_all({**row, "id": f"past-{row['id']}", "lead_id": None} for row in rows)
    finally:
        source.close()
        target.close()
