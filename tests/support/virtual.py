"""An event loop whose time is a number that the loop owns: nothing waits, timers come in their order at once.

With a seed, what is ready runs in an order drawn from it, so that one number reproduces a whole bad day.
"""

from __future__ import annotations

import asyncio
import collections
import random
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2026, 11, 24, 15, 0, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in Miami."""


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: the program waits for something that can never come."""


class _Jump(selectors.SelectSelector):
    """A selector that never waits: it moves the loop's time forward instead."""

    def __init__(self) -> None:
        super().__init__()
        self.advance: Callable[[float], None] = lambda seconds: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise DeadlockError("nothing is ready, and no timer is set")
        self.advance(max(0.0, timeout))
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0, not at the epoch: a float of that size is coarser than the loop's own resolution."""

    def __init__(self, seed: int | None = None) -> None:
        self._virtual = 0.0
        self._random = None if seed is None else random.Random(seed)
        jump = _Jump()
        super().__init__(jump)
        jump.advance = self.advance
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._virtual

    def run_in_executor(self, *_: Any) -> Any:  # type: ignore[override]
        raise RuntimeError("a thread would leave virtual time")

    def advance(self, seconds: float) -> None:
        """Time goes on while nothing runs, as for a process that is kept from running."""
        self._virtual += seconds

    def _run_once(self) -> None:
        ready: collections.deque[Any] = self._ready  # type: ignore[attr-defined]
        if self._random is not None and len(ready) > 1:
            order = list(ready)
            self._random.shuffle(order)
            ready.clear()
            ready.extend(order)
        super()._run_once()  # type: ignore[misc]


class VirtualClock:
    """Wall time that follows the running loop's virtual time; ``shift`` makes it jump."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self.shift = timedelta()

    def now(self) -> datetime:
        return self._start + self.shift + timedelta(seconds=asyncio.get_running_loop().time())

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))  # noqa: TID251 - virtual


def run(main: Callable[[], Coroutine[Any, Any, T]], seed: int | None = None) -> T:
    """Run ``main()`` in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        return runner.run(main())
