"""A call that nobody takes, or that somebody takes: one verdict each, and the text that follows or does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from tests.e2e.brokerage import (
    ALL_PHONES,
    CLOSED,
    DROPPED_COUNTS,
    MAIN,
    NEVER_OPEN_BUT_RINGS,
    PATIENT,
    RING_SECONDS,
    RINGS,
    Brokerage,
)
from tests.e2e.scenes import quiet, settled, verdict
from tests.support.sipp import Sipp
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_after_three_rings_the_call_is_missed_while_the_caller_waits_and_one_text_follows(
    brokerage: Brokerage, caller: str
) -> None:
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        assert caller.lstrip("+") in (await desk.heard("incoming")).facts["caller"]
        await mobile.heard("progress", code=180)
        missed = await brokerage.event("CallMissed", caller=caller)
        await mobile.settle()
        assert "ended 200" not in mobile.story()
        assert missed.body["verdict"] == "no_answer"
        assert missed.body["rings"] == RINGS
        assert missed.body["ring_seconds"] == pytest.approx(RINGS * RING_SECONDS, abs=0.5)
        assert missed.body["on_line"] is True
        await desk.heard("ended", code=487)
        await mobile.heard("answered")  # the prompt
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text")
    assert sent.body["outcome"] == "done"
    assert (datetime.fromisoformat(sent.at) - datetime.fromisoformat(missed.at)).total_seconds() < 10.0
    [text] = brokerage.smsc.to(caller)
    assert text.source == MAIN
    assert text.body.startswith("Harbor Realty (automated): sorry we missed your ")
    assert "STOP" in text.body
    assert verdict(brokerage, caller) == ["no_answer"]


async def test_how_many_rings_an_abandoned_call_needs_to_count_is_the_number_s_policy(
    brokerage: Brokerage, caller: str
) -> None:
    async with (
        brokerage.desk_phone("101"),
        Sipp(
            "caller_cancels",
            brokerage.sip,
            service=PATIENT,
            ip="127.0.0.2",
            caller=caller,
            pause_seconds=2.5 * RING_SECONDS,
        ) as sipp,
    ):
        assert (await sipp.result()).ok
        closed = await brokerage.event("CallClosed", caller=caller)
    assert closed.body["verdict"] == "abandoned"
    assert closed.body["rings"] in (2, 3)
    await quiet(brokerage, caller)


async def test_after_hours_no_phone_rings_and_the_text_says_that_it_is_closed(
    brokerage: Brokerage, caller: str
) -> None:
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(CLOSED))
        missed = await brokerage.event("CallMissed", caller=caller)
        await mobile.heard("answered")
        mobile.hang_up()
        await settled(brokerage, caller, "text")
        await desk.settle()
        assert "incoming" not in desk.story()
    assert missed.body["verdict"] == "after_hours"
    [text] = brokerage.smsc.to(caller)
    assert "closed now" in text.body


async def test_a_number_may_ring_after_hours(brokerage: Brokerage, caller: str) -> None:
    async with brokerage.desk_phone("101", answer_after=0.2), brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(NEVER_OPEN_BUT_RINGS))
        await mobile.heard("answered")
        answered = await brokerage.event("CallAnswered", caller=caller)
        assert answered.body["by"] == "101"
        mobile.hang_up()
        await brokerage.event("CallClosed", caller=caller)


async def test_a_second_miss_within_the_window_tells_a_person_and_sends_no_second_text(
    brokerage: Brokerage, caller: str
) -> None:
    async with brokerage.mobile(caller) as mobile:
        for count in (1, 2):
            mobile.call(brokerage.dial(MAIN))
            await brokerage.event("CallMissed", caller=caller, count=count)
            await mobile.heard("answered")
            mobile.hang_up()
            await mobile.heard("ended")
            await brokerage.event("CallerLeft", caller=caller, count=count)
        await settled(brokerage, caller, "text")
        lead = brokerage.lead_of(caller)
        assert lead is not None
        await brokerage.mail(caller, "Second missed call")
    assert len(brokerage.smsc.to(caller)) == 1
    assert ("plan", "skipped", "FRQ-03") in brokerage.decisions(lead)
    assert verdict(brokerage, caller) == ["unreachable", "unreachable"]


async def test_a_caller_who_calls_again_and_reaches_a_person_before_the_text_is_not_texted(
    brokerage: Brokerage, caller: str
) -> None:
    async with brokerage.mobile(caller) as mobile, brokerage.mobile(caller) as again:
        mobile.call(brokerage.dial(MAIN))
        await brokerage.event("CallMissed", caller=caller)  # the text waits while the prompt plays
        async with brokerage.desk_phone("102", answer_after=0.0):
            again.call(brokerage.dial(ALL_PHONES))
            await again.heard("answered")
            answered = await brokerage.event("CallAnswered", caller=caller)
            mobile.hang_up()
            again.hang_up()
            await brokerage.event("CallClosed", caller=caller)
            await brokerage.event("CallerLeft", caller=caller)
    assert answered.lead_id is not None
    assert brokerage.smsc.to(caller) == []
    assert brokerage.orders(caller, "text") == []
    assert brokerage.orders(caller, "callback") == []


async def test_a_call_that_is_cut_off_right_after_the_answer_is_dropped_and_not_followed_up_by_default(
    brokerage: Brokerage, caller: str
) -> None:
    async with brokerage.desk_phone("101", answer_after=0.2) as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await mobile.heard("answered")
        desk.hang_up()
        await mobile.heard("ended")
        closed = await brokerage.event("CallClosed", caller=caller)
    assert (closed.body["verdict"], closed.body["answered_by"]) == ("dropped", "101")
    await quiet(brokerage, caller)


async def test_a_dropped_call_is_followed_up_where_the_number_says_so(brokerage: Brokerage, caller: str) -> None:
    async with brokerage.desk_phone("101", answer_after=0.2) as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(DROPPED_COUNTS))
        await mobile.heard("answered")
        desk.hang_up()
        await mobile.heard("ended")
        missed = await brokerage.event("CallMissed", caller=caller)
        await settled(brokerage, caller, "text")
    assert missed.body["verdict"] == "dropped"
    assert len(brokerage.smsc.to(caller)) == 1


async def test_who_gives_up_before_anything_rings_is_no_miss_and_leaves_nothing_ringing(
    brokerage: Brokerage, new_number: Callable[..., str]
) -> None:
    callers = [new_number() for _ in range(5)]
    async with brokerage.desk_phone("101") as desk:
        for caller in callers:
            async with brokerage.mobile(caller) as mobile:
                mobile.call(brokerage.dial(MAIN))
                mobile.hang_up()
                await mobile.heard("ended")
        await until(lambda: not brokerage.channels(), within=10.0, what="all channels to be gone")
        await desk.settle()
        assert desk.story().count("incoming") == len([word for word in desk.story() if word.startswith("ended")])
    for caller in callers:
        # A call that was over before Asterisk had run its dialplan never came to us.
        assert verdict(brokerage, caller) in ([], ["abandoned"])
        await quiet(brokerage, caller)
