"""A caller whose text still waits reaches a person while Ringback is away: the text must not go out after that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.brokerage import MAIN, Brokerage, open_brokerage
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

SYSTEM_ERROR = 0x08
"""ESME_RSYSERR: not taken, and may be later."""


@pytest_asyncio.fixture(loop_scope="session")
async def own_brokerage() -> AsyncIterator[Brokerage]:
    """One whose Ringback a test may stop."""
    async with open_brokerage() as brokerage:
        yield brokerage


async def test_who_was_spoken_to_while_we_were_away_is_not_texted_when_we_are_back(
    own_brokerage: Brokerage, caller: str
) -> None:
    brokerage = own_brokerage
    brokerage.smsc.answer = lambda _: SYSTEM_ERROR
    async with brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await brokerage.event("CallMissed", caller=caller)
        await mobile.heard("answered")
        mobile.hang_up()
        await until(lambda: brokerage.smsc.to(caller), within=15.0, what="a text that is put off")
    assert await brokerage.stop_ringback() == 0
    offered = len(brokerage.smsc.to(caller))
    brokerage.smsc.answer = None
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("incoming")
        desk.answer()
        await mobile.heard("answered")
        mobile.hang_up()
        await desk.heard("ended")
    await until(lambda: not brokerage.channels(), within=10.0, what="all channels to be gone")
    await brokerage.talk(4.0)  # a call counts as over when it has been for a while
    await brokerage.start_ringback()
    await brokerage.event("CallAnswered", caller=caller, within=15.0)
    await until(
        lambda: [status for _, status in brokerage.orders(caller, "text")] not in (["todo"], ["doing"]),
        within=30.0,
        what="an end",
    )
    assert [status for _, status in brokerage.orders(caller, "text")] == ["cancelled"]
    assert len(brokerage.smsc.to(caller)) == offered
