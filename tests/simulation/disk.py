"""The store of one process on a disk that may be full, in a process that may die before or after any commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ari_app.store.stores import InlineStore, Job
from tests.simulation.universe import Universe

T = TypeVar("T")

_ROOMY = 1_000_000
"""Pages: far more than a day needs."""


class Disk:
    """Implements Store. Jobs are written in the order in which they were asked for, as by the thread in production."""

    def __init__(self, path: Path, universe: Universe, kill: Callable[[str], None], dead: Callable[[], bool]) -> None:
        self._inner = InlineStore(path)
        self._universe = universe
        self._kill = kill
        self._dead = dead
        self._queue = asyncio.Lock()

    async def write(self, job: Job[T]) -> T:
        universe = self._universe
        async with self._queue:
            if universe.chance(0.2):
                await universe.sleep(universe.rng.uniform(0.0, 0.05))
            await self._alive()
            if universe.chance(universe.weather.kill_at_commit):
                self._kill("before a commit")
                await self._alive()
            try:
                return await self._inner.write(job)
            finally:
                if universe.chance(universe.weather.kill_at_commit):
                    self._kill("after a commit")
                    await self._alive()

    async def read(self, job: Job[T]) -> T:
        await self._alive()
        return await self._inner.read(job)

    async def fill(self) -> None:
        """From now on no page can be added: SQLite itself says that the disk is full."""
        await self._limit(1)

    async def empty(self) -> None:
        await self._limit(_ROOMY)

    async def _limit(self, pages: int) -> None:
        """Never less than there are."""
        await self._inner.read(lambda db: db.execute(f"PRAGMA max_page_count = {pages}"))

    def close(self) -> None:
        self._inner.close()

    async def _alive(self) -> None:
        """A dead process neither writes nor reads nor hears: whoever waits here waits until it is thrown away."""
        if self._dead():
            await asyncio.get_running_loop().create_future()
