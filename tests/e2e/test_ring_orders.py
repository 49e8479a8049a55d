"""The orders in which a group's phones ring."""

from __future__ import annotations

import pytest

from tests.e2e.brokerage import ALL_PHONES, IN_ORDER, ROUND_ROBIN, Brokerage
from tests.support.phones import Phone

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_all_at_once(brokerage: Brokerage, caller: str) -> None:
    async with (
        brokerage.desk_phone("101") as first,
        brokerage.desk_phone("102") as second,
        brokerage.desk_phone("103") as third,
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(ALL_PHONES))
        rang = [(await phone.heard("incoming")).at for phone in (first, second, third)]
        mobile.hang_up()
        await brokerage.event("CallClosed", caller=caller)
        for phone in (first, second, third):
            await phone.heard("ended", code=487)
    assert max(rang) - min(rang) < 0.7


async def test_one_after_the_other_each_for_its_share(brokerage: Brokerage, caller: str) -> None:
    async with (
        brokerage.desk_phone("101") as first,
        brokerage.desk_phone("102") as second,
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(IN_ORDER))
        begun = await first.heard("incoming")
        over = await first.heard("ended", code=487)
        following = await second.heard("incoming")
        assert following.at > over.at - 0.3
        assert following.at - begun.at > 0.7  # its share is a second
        second.answer()
        await mobile.heard("answered")
        answered = await brokerage.event("CallAnswered", caller=caller)
        mobile.hang_up()
        await brokerage.event("CallClosed", caller=caller)
    assert answered.body["by"] == "102"


async def test_a_busy_phone_loses_its_turn_at_once(brokerage: Brokerage, caller: str) -> None:
    async with (
        brokerage.desk_phone("101", busy=True),
        brokerage.desk_phone("102", answer_after=0.0),
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(IN_ORDER))
        answered = await brokerage.event("CallAnswered", caller=caller)
        await mobile.heard("answered")
        mobile.hang_up()
        await brokerage.event("CallClosed", caller=caller)
    assert answered.body["by"] == "102"


async def test_round_robin_begins_with_another_phone_each_time(brokerage: Brokerage, caller: str) -> None:
    answering: list[str] = []
    async with (
        brokerage.desk_phone("101", answer_after=0.0) as first,
        brokerage.desk_phone("102", answer_after=0.0) as second,
        brokerage.mobile(caller) as mobile,
    ):
        for count in (1, 2, 3):
            mobile.call(brokerage.dial(ROUND_ROBIN))
            await mobile.heard("answered")
            answering.append((await brokerage.event("CallAnswered", caller=caller, count=count)).body["by"])
            mobile.hang_up()
            await mobile.heard("ended")
            await brokerage.event("CallClosed", caller=caller, count=count)
        rang: list[Phone] = [first, second]
        for phone in rang:
            await phone.settle()
        counts = sorted(phone.story().count("incoming") for phone in rang)
    assert answering in (["101", "102", "101"], ["102", "101", "102"])
    assert counts == [1, 2]  # nobody rang out of turn
