"""A core with its loops in virtual time, and a world whose answers a test writes down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlite_utils import Database

from ari_app.errors import StoreUnavailableError
from ari_app.runtime.dispatcher import AfterCrash, Dispatcher, Lane
from ari_app.runtime.outcome import Done, Outcome
from ari_app.runtime.timer_loop import TimerLoop
from ari_app.store.db import prepare
from ari_app.store.outbox import Order
from ari_app.store.stores import InlineStore, Job
from tests.support import virtual
from tests.support.books import Books

T = TypeVar("T")

Answer = Outcome | Exception | float
"""What the world does: an outcome, an exception, or so many seconds without an answer."""


class FlakyStore:
    """A store that can be made to fail, as on a disk that is full for a while."""

    def __init__(self, path: Path) -> None:
        prepare(path)
        self._inner = InlineStore(path)
        self.failing = False
        self.read_only = False
        self.refused = 0

    async def write(self, job: Job[T]) -> T:
        self._refuse(self.failing or self.read_only)
        return await self._inner.write(job)

    async def read(self, job: Job[T]) -> T:
        self._refuse(self.failing)
        return await self._inner.read(job)

    def _refuse(self, failing: bool) -> None:
        if failing:
            self.refused += 1
            raise StoreUnavailableError("database or disk is full: make room on the disk")

    def close(self) -> None:
        self._inner.close()


class World:
    """An adapter that answers as it is told, then Done; it remembers when it was asked for what."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.acts: list[tuple[float, Order]] = []
        self.at_once = 0
        self.most_at_once = 0

    async def act(self, order: Order) -> Outcome:
        self.acts.append((asyncio.get_running_loop().time(), order))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = self.answers.pop(0) if self.answers else Done()
            if isinstance(answer, float):
                await asyncio.sleep(answer)  # noqa: TID251 - virtual
                return Done()
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.at_once -= 1

    @property
    def times(self) -> list[float]:
        """When it was asked, seconds from the start."""
        return [round(at, 3) for at, _ in self.acts]


class Core:
    """Books, lanes and timers."""

    def __init__(self, folder: Path, **worlds: World) -> None:
        self.clock = virtual.VirtualClock()
        self.store = FlakyStore(folder / "var" / "ringback.db")
        self.books = Books(folder, store=self.store, clock=self.clock)
        self.recorder = self.books.recorder
        doubtful = ("text", "callback")
        lanes = [
            Lane(kind, world, AfterCrash.DOUBT if kind in doubtful else AfterCrash.REPEAT, 2, 60.0, attempts=5)
            for kind, world in worlds.items()
        ]
        self.dispatcher = Dispatcher(self.store, self.recorder, self.clock, lanes)
        self.timers = TimerLoop(self.store, self.recorder, self.clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both loops run inside."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.dispatcher.run()), group.create_task(self.timers.run())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # noqa: TID251 - virtual

    async def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows, whether or not the store fails."""
        inner = self.store._inner

        def job(db: Database) -> list[tuple[Any, ...]]:
            return db.execute(sql).fetchall()

        return await inner.read(job)

    async def change(self, sql: str, *values: object) -> None:
        """Meddle with the books."""
        inner = self.store._inner

        def job(db: Database) -> None:
            db.execute(sql, values)

        await inner.write(job)

    async def statuses(self, kind: str) -> list[str]:
        return [row[0] for row in await self.query(f"SELECT status FROM outbox WHERE kind = '{kind}' ORDER BY n")]


def later(seconds: float) -> datetime:
    """So many seconds from the start."""
    return virtual.START + timedelta(seconds=seconds)


def play(main: Callable[[], Coroutine[Any, Any, T]], seed: int | None = None) -> T:
    """Run in virtual time."""
    return virtual.run(main, seed)
