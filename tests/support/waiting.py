"""Waiting for something to become true, with a bound. Tests never sleep to wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(probe: Callable[[], T], *, within: float = 5.0, what: str = "") -> T:
    """The first truthy answer of ``probe``, asked every 5 ms for at most ``within`` seconds.

    Raises AssertionError that says ``what`` was awaited and the last answer.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        answer = probe()
        if answer:
            return answer
        if loop.time() > deadline:
            raise AssertionError(f"not within {within} s: {what or probe}; last answer: {answer!r}")
        await asyncio.sleep(0.005)  # noqa: TID251 - the one place that polls


def until_sync(probe: Callable[[], T], *, within: float = 5.0, what: str = "") -> T:
    """``until`` for code without an event loop; asks every 20 ms."""
    deadline = time.monotonic() + within  # noqa: TID251 - a test's bound
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:  # noqa: TID251
            raise AssertionError(f"not within {within} s: {what or probe}; last answer: {answer!r}")
        time.sleep(0.02)
