"""Events of Asterisk that come twice, late, and in another order, change nothing about who was missed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.brokerage import ALL_PHONES, IN_ORDER, MAIN
from tests.e2e.crash.fragile import open_fragile
from tests.e2e.scenes import missed_call, quiet, settled, verdict
from tests.support.event_meddler import EventMeddler
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_every_call_gets_its_one_verdict_from_events_that_come_twice_late_and_in_another_order(
    new_number: Callable[..., str],
) -> None:
    missed, answered, second, left = (new_number() for _ in range(4))
    async with open_fragile(link=EventMeddler) as fragile:
        brokerage, link = fragile.brokerage, fragile.ari
        assert isinstance(link, EventMeddler)
        async with missed_call(brokerage, missed) as mobile:
            mobile.press("9")
            await brokerage.event("KeyPressed", caller=missed, key="9")
            await mobile.heard("ended", within=15.0)
        async with brokerage.desk_phone("101", answer_after=0.5), brokerage.mobile(answered) as mobile:
            mobile.call(brokerage.dial(ALL_PHONES))
            await mobile.heard("media")
            await brokerage.talk(2.0)
            mobile.hang_up()
            await brokerage.event("CallClosed", caller=answered)
        async with (
            brokerage.desk_phone("101"),
            brokerage.desk_phone("102", answer_after=0.2),
            brokerage.mobile(second) as mobile,
        ):
            mobile.call(brokerage.dial(IN_ORDER))
            by = await brokerage.event("CallAnswered", caller=second)
            await brokerage.talk(2.0)
            mobile.hang_up()
            await brokerage.event("CallClosed", caller=second)
        async with brokerage.desk_phone("101") as desk, brokerage.mobile(left) as mobile:
            mobile.call(brokerage.dial(MAIN))
            await desk.heard("incoming")
            await brokerage.talk(1.2)
            mobile.hang_up()
            await brokerage.event("CallMissed", caller=left)
            await settled(brokerage, left, "text")
        await until(lambda: not brokerage.channels(), within=10.0, what="all channels to be gone")
        assert by.body["by"] == "102"
        verdicts = [verdict(brokerage, number) for number in (missed, answered, second, left)]
        assert verdicts == [["unreachable"], ["answered"], ["answered"], ["abandoned"]]
        assert [event.body["key"] for event in brokerage.events("KeyPressed")] == ["9"]
        assert len(brokerage.smsc.to(left)) == 1
        for number in (answered, second):
            await quiet(brokerage, number)
        assert (await fragile.audit())["findings"] == []
        assert link.swapped > 5
        assert link.doubled > 20
