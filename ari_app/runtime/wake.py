"""Waking a loop before its time."""

from __future__ import annotations

import asyncio


class Wake:
    """A bell that many may ring and one waits for."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the waiter now, or at its next wait."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until the bell rings, ``seconds`` at most."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._event.wait()
        except TimeoutError:
            pass
        self._event.clear()
