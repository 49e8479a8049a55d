"""One brokerage for all tests of a process that break something: each leaves it running, or the next one starts it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.e2e.crash.fragile import Fragile, open_fragile
from tests.support.waiting import until


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_fragile() -> AsyncIterator[Fragile]:
    async with open_fragile() as fragile:
        yield fragile


@pytest_asyncio.fixture(loop_scope="session")
async def fragile(shared_fragile: Fragile) -> AsyncIterator[Fragile]:
    """``shared_fragile``, whole."""
    brokerage = shared_fragile.brokerage
    await brokerage.go_on()
    yield shared_fragile
    brokerage.smsc.answer = None
    shared_fragile.smsc.refusing = False
    shared_fragile.ari.thaw()
    await until(lambda: not brokerage.channels(), within=20.0, what="all channels to be gone")
    brokerage.leave()
