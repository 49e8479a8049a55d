"""What all parts of a simulated world share: one generator of chance, one clock, one group of tasks, one witness."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from tests.simulation.weather import Weather
from tests.simulation.witness import Witness
from tests.support.virtual import VirtualClock


class Universe:
    """calm: set at the end of the day; from then on nothing fails, so that everything must come to its end."""

    def __init__(
        self, rng: random.Random, weather: Weather, clock: VirtualClock, witness: Witness, group: asyncio.TaskGroup
    ) -> None:
        self.rng = rng
        self.weather = weather
        self.clock = clock
        self.witness = witness
        self.calm = False
        self._group = group

    @property
    def seconds(self) -> float:
        """Since the beginning; no jump of the wall clock touches it."""
        return asyncio.get_running_loop().time()

    def chance(self, rate: float) -> bool:
        return not self.calm and rate > 0 and self.rng.random() < rate

    async def sleep(self, seconds: float) -> None:
        await self.clock.pause(seconds)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Something that goes on in the world, whatever becomes of our process."""
        return self._group.create_task(work)

    async def now_and_then(self, every: float, happen: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Let something happen every so often (a mean, in seconds), until it is calm. 0: never."""
        while every > 0:
            await self.sleep(self.rng.expovariate(1 / every))
            if self.calm:
                return
            await happen()
