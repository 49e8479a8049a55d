"""Rehearsing a missed call: what would happen, when and why, through the real recorder on books that are thrown away."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from ari_app import numbering
from ari_app.recovery.effects import KINDS, PlaceCallback
from ari_app.recovery.events import CallbackEnded, CallerLeft, CallMissed, Event, PromptPlayed, TimerFired
from ari_app.recovery.policy import AfterMiss, NumberEntry, Policy
from ari_app.recovery.values import E164, CallbackEnd, Intent, Verdict
from ari_app.runtime.facts import kind_of
from ari_app.runtime.outcome import Done
from ari_app.runtime.recorder import PolicyInForce, Recorded, Recorder
from ari_app.store import outbox, timers
from ari_app.store.db import InlineStore, connect, prepare

PROMPT_SECONDS = 11.0
"""About as long as the notice takes."""
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
    """What a call that nobody answers would lead to. entry: None when the number is not in the settings."""

    entry: NumberEntry | None
    is_open: bool
    steps: tuple[Recorded, ...]


async def rehearse(policy: Policy, caller: str, dialled: str, at: datetime, books: Path | None) -> Rehearsal:
    """The story of a call at ``at`` from ``caller`` to ``dialled``: it is missed, the caller hears the notice and hangs up,
    the text is accepted, the callback is not taken, nobody does anything.

    books: the real ones, if there are any; what they know of the caller is copied. They are only read.
    """
    number = numbering.canonical(dialled, policy.region)
    entry = policy.entry_for(number)
    if entry is None:
        return Rehearsal(None, True, ())
    is_open = policy.offices[entry.office].hours.is_open(at)
    party = numbering.classify(caller, policy.region)
    with tempfile.TemporaryDirectory(prefix="ringback-rehearsal-") as folder:
        path = Path(folder) / "books.db"
        prepare(path)
        if books is not None and party.number is not None:
            _copy_person(books, path, party.number)
        store = InlineStore(path)
        try:
            steps = await _Stage(policy, store, at).play(party, number, entry, is_open)
        finally:
            store.close()
    return Rehearsal(entry, is_open, tuple(steps))


class _Stage:
    def __init__(self, policy: Policy, store: InlineStore, at: datetime) -> None:
        self._policy = policy
        self._store = store
        self._clock = _StageClock(at)
        self._recorder = Recorder(store, self._clock, PolicyInForce(policy, "{}"))
        self._steps: list[Recorded] = []

    async def play(self, party: numbering.Party, dialled: str, entry: NumberEntry, is_open: bool) -> list[Recorded]:
        policy, clock = self._policy, self._clock
        rings = entry.rings if is_open or entry.ring_after_hours else 0
        clock.at += timedelta(seconds=rings * policy.ring_seconds)
        on_line = entry.after_miss is not AfterMiss.HANGUP
        missed = CallMissed(
            at=clock.at,
            source_id=f"call:{CALL_ID}",
            call_id=CALL_ID,
            caller=party.number,
            kind=kind_of(party, policy),
            dialled=dialled,
            office=entry.office,
            entry=entry.key,
            verdict=Verdict.NO_ANSWER if rings else Verdict.AFTER_HOURS,
            rings=rings,
            ring_seconds=rings * policy.ring_seconds,
            on_line=on_line,
            plan=entry.plan if is_open else entry.after_hours_plan,
            source=entry.source,
            listing=entry.listing,
            caller_name=None,
        )
        await self._happen(missed)
        if on_line:
            await self._hear_notice(missed)
        end = clock.at + LONGEST
        while (due := await self._store.read(timers.next_due)) is not None and due <= end:
            await self._pass_time(due)
        return self._steps

    async def _hear_notice(self, missed: CallMissed) -> None:
        started = self._clock.at
        await self._pass_time(started + timedelta(seconds=PROMPT_SECONDS))
        self._clock.at = started + timedelta(seconds=PROMPT_SECONDS)
        common = {name: getattr(missed, name) for name in ("call_id", "caller", "kind", "dialled", "office", "entry")}
        await self._happen(
            PromptPlayed(
                at=self._clock.at,
                source_id=f"prompt:{CALL_ID}",
                **common,
                prompt="notice",
                text_sha256="",
                audio_sha256="",
                started_at=started,
                ended_at=self._clock.at,
                whole=True,
            )
        )
        await self._happen(CallerLeft(at=self._clock.at, source_id=f"left:{CALL_ID}", **common))

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
        self._steps.append(recorded)
        await self._world_answers()

    async def _world_answers(self) -> None:
        """Texts are accepted at once; callbacks ring and are not taken; mail and pushes arrive."""
        at = self._clock.at
        for kind in KINDS.values():
            for order in await self._store.write(partial(outbox.claim, kind=kind, at=at, lease_until=at, limit=100)):
                recorded = await self._recorder.settle(order, Done(ref=None))
                if recorded is not None and kind in ("text", "callback"):
                    self._steps.append(recorded)
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
