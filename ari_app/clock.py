"""The one reader of the clock. Everything else is told what time it is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time, and waiting."""

    def now(self) -> datetime:
        """The time, aware UTC."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let ``seconds`` of the running loop's time go by."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the owner of the clock

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))  # noqa: TID251 - the owner of the clock


def backoff(first: float, cap: float) -> Iterator[float]:
    """Seconds to wait before each try: ``first``, then doubling, never above ``cap``. Without end."""
    wait = first
    while True:
        yield wait
        wait = min(cap, wait * 2)
