"""What the tests of this folder do with phones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from ari_app.recovery.events import CallClosed, CallMissed
from tests.e2e.watch.foreign import ForeignPbx
from tests.e2e.watch.watching import RING_SECONDS, Watching
from tests.support.phones import Phone
from tests.support.waiting import until


@contextlib.asynccontextmanager
async def desks(pbx: ForeignPbx, *numbers: str, **settings: object) -> AsyncIterator[list[Phone]]:
    """Desk phones that ring for ever, unless ``settings`` say otherwise."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(pbx.desk_phone(number, **settings)) for number in numbers]


async def one_verdict(seen: Watching) -> CallMissed | CallClosed:
    """The only verdict, once everything is over."""
    await seen.verdict()
    await seen.over()
    found = seen.verdicts()
    assert len(found) == 1, seen.story()
    return found[0]


def rings(seen: Watching) -> float:
    """Rings that the only call under way has heard, with fractions."""
    return max(seen.ring_times(), default=0.0) / RING_SECONDS


async def talk(seconds: float) -> None:
    """Let some time of the call go by: there is nothing else to wait for in a conversation."""
    begun = asyncio.get_running_loop().time()
    await until(lambda: asyncio.get_running_loop().time() - begun >= seconds, within=seconds + 5)
