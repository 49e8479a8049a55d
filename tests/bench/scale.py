"""What grows with the books, and what must not: the same work among 1,000 leads and among 1,000,000.

One lead is led through the application from the missed call to its end; SQL copies all its rows under other numbers. The
oldest hundredth of the copies waits for a timer, and one in a thousand has an order that may not begin yet. Then both books
get the same work in turns, one sample here and one there, so that the machine's moods fall on both alike.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ari_app.clock import SystemClock
from ari_app.recovery.values import E164
from ari_app.runtime.outcome import Done
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.settings.loading import Settings
from ari_app.store import outbox, reports, timers
from ari_app.store.db import Database, connect, prepare
from ari_app.store.outbox import Order
from ari_app.store.stores import InlineStore, Store, ThreadedStore
from tests.bench import books
from tests.bench.figures import Spread
from tests.bench.processes import Control, helper

SMALL, LARGE, SAMPLES = 1_000, 1_000_000, 900
QUICK_LARGE, QUICK_SAMPLES = 20_000, 100
AIM_RATIO = 1.2
LATER = datetime(2100, 1, 1, tzinfo=UTC)
NEW_CALLERS = 2_000_000
"""Numbers from here on are in no book."""


@dataclass(frozen=True, slots=True)
class Question:
    """One piece of work in both books, in seconds."""

    name: str
    small: Spread
    large: Spread

    @property
    def ratio(self) -> float:
        """How much longer the slowest hundredth takes in the large book."""
        return self.large.p99 / self.small.p99

    @property
    def middle_ratio(self) -> float:
        """The same of the median, on which the machine's other work tells less."""
        return self.large.p50 / self.small.p50


@dataclass(frozen=True, slots=True)
class Result:
    """small, large: leads. bytes: of the large book's file. seconds: that it took to write."""

    small: int
    large: int
    bytes: int
    seconds: float
    questions: list[Question]
    control: Control


def bench(console: Console, *, quick: bool) -> Result:
    """Measure and tell."""
    os.environ.setdefault("RINGBACK_BENCH_SMPP", "bench")
    folder = Path(tempfile.mkdtemp(prefix="bench-scale-", dir=books.disk()))
    try:
        with (
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            Progress(console=console, transient=True) as bar,
        ):
            counts = (SMALL, QUICK_LARGE if quick else LARGE)
            result = runner.run(_measure(folder, counts, QUICK_SAMPLES if quick else SAMPLES, bar))
    finally:
        shutil.rmtree(folder)
    _show(result, console)
    return result


async def _measure(folder: Path, counts: tuple[int, int], samples: int, progress: Progress) -> Result:
    settings = books.settings(folder)
    paths = [folder / f"{count}.db" for count in counts]
    began = time.perf_counter()
    for path, count in zip(paths, counts, strict=True):
        task = progress.add_task(f"writing {count:,} leads", total=None)
        await _write_book(path, count, settings)
        progress.remove_task(task)
    seconds = time.perf_counter() - began
    task = progress.add_task(f"{samples:,} samples in each", total=samples)
    times: dict[str, tuple[list[float], list[float]]] = {}
    with helper("tests.bench.probe", folder=folder) as probe:
        async with ThreadedStore(paths[0]) as small, ThreadedStore(paths[1]) as large:
            desks = [Desk(small, counts[0], settings), Desk(large, counts[1], settings)]
            for number in range(samples):
                for at, desk in enumerate(desks):
                    for name, taken in (await desk.work(number)).items():
                        times.setdefault(name, ([], []))[at].append(taken)
                progress.advance(task)
        control = Control.ask(probe)
    questions = [Question(name, Spread.of(a), Spread.of(b)) for name, (a, b) in times.items()]
    return Result(*counts, bytes=paths[1].stat().st_size, seconds=seconds, questions=questions, control=control)


class Desk:
    """The usual work on one book, timed."""

    def __init__(self, store: Store, leads: int, settings: Settings) -> None:
        self._store = store
        self._clock = SystemClock()
        self._recorder = Recorder(store, self._clock, _in_force(settings))
        self._known = random.Random(7).sample(range(leads), SAMPLES)
        """Callers of the book, each once: a second miss is another thing than a first."""

    async def work(self, number: int) -> dict[str, float]:
        """One sample of each, in seconds."""
        times: dict[str, float] = {}
        known = self._known[number]

        async def take(name: str, work: Callable[[], Awaitable[object]]) -> object:
            began = time.perf_counter()
            answer = await work()
            times[name] = time.perf_counter() - began
            return answer

        await take("missed call of a new caller, recorded", lambda: self._miss(NEW_CALLERS + number))
        await take("missed call of a known caller, recorded", lambda: self._miss(known))
        orders = await take("texts that wait, claimed", self._claim)
        assert isinstance(orders, list)
        for order in orders:
            await take("text, settled", lambda order=order: self._settle(order))  # type: ignore[misc]
        await take("timers that are due", self._due)
        await take("the outbox's next order", lambda: self._store.read(lambda db: outbox.next_todo(db, "text")))
        await take("depths of the outbox", lambda: self._store.read(outbox.depths))
        await take("ringback leads", lambda: self._store.read(lambda db: reports.leads(db, limit=30)))
        await take(
            "ringback leads --open", lambda: self._store.read(lambda db: reports.leads(db, limit=30, open_only=True))
        )
        await take("ringback leads --number", lambda: self._leads_of(books.caller(known)))
        return times

    async def _miss(self, number: int) -> None:
        recorded = await self._recorder.record(books.missed_call(number, self._clock.now(), books.STANDARD))
        assert recorded is not None

    async def _claim(self) -> list[Order]:
        now = self._clock.now()
        return await self._store.write(lambda db: outbox.claim(db, "text", now, now + timedelta(seconds=60), 64))

    async def _settle(self, order: Order) -> None:
        ids = (f"m{order.effect_id}",)
        await self._recorder.settle(order, Done(ref=ids[0], gateway="sms", message_ids=ids))

    async def _due(self) -> None:
        now = self._clock.now()
        await self._store.read(lambda db: (timers.due(db, now, 64), timers.next_due(db)))

    async def _leads_of(self, number: E164) -> None:
        found = await self._store.read(lambda db: reports.leads(db, limit=30, number=number))
        assert found


# ---------------------------------------------------------------------------------------------------------------- the books
def _in_force(settings: Settings) -> PolicyInForce:
    return PolicyInForce(settings.policy, settings.document.model_dump_json(exclude_unset=True))


async def _write_book(path: Path, count: int, settings: Settings) -> None:
    """A book of so many leads, whose lives are all that of the first."""
    prepare(path)
    await _first_lead(path, settings)
    db = connect(path)
    for pragma in ("synchronous = OFF", "foreign_keys = OFF", "cache_size = -400000"):
        db.execute(f"PRAGMA {pragma}")
    _copy(db, count)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


async def _first_lead(path: Path, settings: Settings) -> None:
    store, clock = InlineStore(path), SystemClock()
    recorder = Recorder(store, clock, _in_force(settings))
    at = clock.now() - timedelta(days=2)
    await recorder.record(books.missed_call(0, at))
    for order in await store.write(lambda db: outbox.claim(db, "text", at, at + timedelta(seconds=60), 64)):
        await recorder.settle(order, Done(ref="m", gateway="sms", message_ids=("m",)))
    store.close()


def _copy(db: Database, count: int) -> None:
    """Copy every row of lead 1 under the numbers of callers 1 to ``count - 1``."""
    first = books.caller(0)
    # As books.caller has it, for the callers below a million.
    number = f"'{first[:6]}' || printf('%06d', k.n)"
    events = int(db.execute("SELECT max(seq) FROM events").fetchone()[0])
    orders = int(db.execute("SELECT max(n) FROM outbox").fetchone()[0])
    copied = f"replace(replace(body, '{first}', {number}), '\"lead_id\":1,', '\"lead_id\":' || (1 + k.n) || ',')"
    order = f"(substr({{0}}, 1, instr({{0}}, '.') - 1) + k.n * {events}) || substr({{0}}, instr({{0}}, '.'))"
    later = LATER.isoformat(timespec="microseconds")
    waits = f"k.n < {count} / 100"
    columns = {
        "leads": f"1 + k.n, {number}, office, iif({waits}, 'waiting', stage), opened_at, touched_at, {copied}",
        "events": f"seq + k.n * {events}, 1 + k.n, source_id || ':' || k.n, type, version, at, policy, {copied}, facts",
        "decisions": f"seq + k.n * {events}, n_, 1 + k.n, action, outcome, rule, why",
        "timers": f"NULL, 1 + k.n, kind, iif({waits}, '{later}', due_at), iif({waits}, 'pending', status)",
        "outbox": (
            f"n_ + k.n * {orders}, {order.format('id')}, 1 + k.n, kind, purpose, {number}, {copied}, priority,"
            f" iif(k.n % 1000 = 0, 'todo', status), created_at, iif(k.n % 1000 = 0, '{later}', not_before), expires_at,"
            " attempts, lease_until, settled_at, ref, last_error"
        ),
        "outbox_log": f"{order.format('outbox_id')}, at, status, why",
        "text_windows": f"{number}, office, until, {order.format('outbox_id')}",
        "message_refs": f"gateway, ref || k.n, {order.format('outbox_id')}, segment, segments, state",
    }
    for table, values in columns.items():
        names = ", ".join(f"{name} AS {name}_" if name == "n" else name for name in db.table(table).columns_dict)
        db.execute(f"CREATE TEMP TABLE template AS SELECT {names} FROM {table}")
        db.execute(
            f"INSERT INTO {table} SELECT {values} FROM (WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL"
            f" SELECT n + 1 FROM c WHERE n < {count - 1}) SELECT n FROM c) AS k, template"
        )
        db.execute("DROP TABLE template")


def _show(result: Result, console: Console) -> None:
    table = Table(title=f"The same work among {result.small:,} and {result.large:,} leads; milliseconds")
    for name in ("work", "p50 few", "p50 many", "ratio", "p99 few", "p99 many", "ratio"):
        table.add_column(name, justify="left" if name == "work" else "right")
    for question in result.questions:
        small, large = question.small, question.large
        middles = (f"{1e3 * small.p50:.2f}", f"{1e3 * large.p50:.2f}", f"{question.middle_ratio:.2f}")
        slow = (f"{1e3 * small.p99:.2f}", f"{1e3 * large.p99:.2f}", f"{question.ratio:.2f}")
        table.add_row(question.name, *middles, *slow)
    console.print(table)
    over = [question for question in result.questions if question.ratio > AIM_RATIO]
    console.print(f"The large book has {result.bytes / 1e9:.1f} GB; both took {result.seconds:.0f} s to write.")
    if over:
        names = "; ".join(f"{question.name} ({question.ratio:.2f})" for question in over)
        console.print(f"Above the aim of {AIM_RATIO:g} times: {names}.")
    else:
        console.print(f"Everything is within the aim: a p99 of at most {AIM_RATIO:g} times.")
    console.print(result.control.sentence())
