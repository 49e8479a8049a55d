"""Waiting for something to become true, with a bound. Tests never sleep to wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(probe: Callable[[], T], *, within: float = 5.0, what: str = "") -> T:
    """The first truthy answer of ``probe``, asked for at most ``within`` seconds, at first every 5 ms.

    What is long awaited, or costly to ask for, is asked more rarely: others want the processor. Raises AssertionError that
    says ``what`` was awaited and the last answer.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        asked = loop.time()
        answer = probe()
        if answer:
            return answer
        now = loop.time()
        if now > began + within:
            raise AssertionError(f"not within {within} s: {what or probe}; last answer: {answer!r}")
        await asyncio.sleep(_pause(now - began, now - asked))  # noqa: TID251 - the one place that polls


def _pause(waited: float, cost: float) -> float:
    return min(0.1, max(0.005, min(0.03, waited / 20), 3 * cost))


def until_sync(probe: Callable[[], T], *, within: float = 5.0, what: str = "") -> T:
    """``until`` for code without an event loop."""
    began = time.monotonic()  # noqa: TID251 - a test's bound
    while True:
        asked = time.monotonic()  # noqa: TID251
        answer = probe()
        if answer:
            return answer
        now = time.monotonic()  # noqa: TID251
        if now > began + within:
            raise AssertionError(f"not within {within} s: {what or probe}; last answer: {answer!r}")
        time.sleep(_pause(now - began, now - asked))
