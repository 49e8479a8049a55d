"""The process itself: told to end, and standing still."""

from __future__ import annotations

import asyncio
import signal

import pytest

from ari_app.pbx.ari import Ari
from tests.e2e.brokerage import LONG_RINGING, MAIN
from tests.e2e.crash.fragile import Fragile
from tests.e2e.scenes import called_back, missed_call, settled, verdict
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_told_to_end_in_the_middle_of_a_callback_it_finishes_the_conversation_and_exits_with_0(
    fragile: Fragile, caller: str
) -> None:
    brokerage, before = fragile.brokerage, fragile.log_end
    async with called_back(brokerage, caller) as call:
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(brokerage.stop_ringback(signal.SIGTERM, within=40.0))
            await until(lambda: fragile.said("draining", after=before), what="the drain")
            call.mobile.press("2")
            await call.mobile.heard("ended", within=20.0)
        assert ending.result() == 0
    ended = brokerage.events("CallbackEnded", lead=call.lead)
    assert [(event.body["end"], event.body["intent"]) for event in ended] == [("completed", "selling")]
    await brokerage.start_ringback()
    await until(lambda: brokerage.hook.about(caller), within=20.0, what="the push")
    assert len(brokerage.smsc.to(caller)) == 1


async def test_standing_still_for_ten_seconds_it_takes_an_answer_for_an_answer_and_doubts_no_text(
    fragile: Fragile, caller: str, new_number: object
) -> None:
    brokerage, smsc = fragile.brokerage, fragile.brokerage.smsc
    assert callable(new_number)
    texted = new_number()
    smsc.answer = lambda _: None
    async with missed_call(brokerage, texted) as missed, brokerage.desk_phone("101") as desk:
        await until(lambda: smsc.to(texted), within=15.0, what="the submit_sm")
        async with brokerage.mobile(caller) as mobile:
            mobile.call(brokerage.dial(MAIN))
            await desk.heard("incoming")
            with fragile.stopped():
                desk.answer()
                smsc.accept_all()
                await brokerage.talk(10.0)  # three rings are 2.4 s, the SMSC's time to answer is 2 s
            await mobile.heard("answered", within=15.0)
            await brokerage.talk(2.0)
            mobile.hang_up()
            await brokerage.event("CallClosed", caller=caller)
        missed.hang_up()
        sent = await settled(brokerage, texted, "text")
    assert verdict(brokerage, caller) == ["answered"]
    assert smsc.to(caller) == []
    assert sent.body["outcome"] == "done"
    assert len(smsc.to(texted)) == 1


async def test_a_caller_whose_agent_hung_up_while_nobody_ran_has_been_answered(fragile: Fragile, caller: str) -> None:
    brokerage = fragile.brokerage
    async with brokerage.desk_phone("101", answer_after=0.2) as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await mobile.heard("answered")
        await brokerage.event("CallAnswered", caller=caller)
        await brokerage.talk(2.0)
        await fragile.kill()
        desk.hang_up()
        await desk.heard("ended")
        await brokerage.start_ringback()
        await mobile.heard("ended", within=15.0)
        await until(lambda: verdict(brokerage, caller), within=15.0, what="the verdict")
        await desk.settle()
        assert [event.name for event in desk.events].count("incoming") == 1, "nobody rings a second time"
    assert verdict(brokerage, caller) == ["answered"]
    assert brokerage.smsc.to(caller) == []
    report = await fragile.audit()
    assert (report["findings"], report["under_way"]) == ([], 0)


async def test_a_phone_is_never_rung_under_the_id_of_a_leg_that_a_dead_process_left(
    fragile: Fragile, caller: str
) -> None:
    brokerage = fragile.brokerage

    def legs() -> set[str]:
        rows = [row.split("!") for row in brokerage.asterisk.cli("core show channels concise").splitlines()]
        return {row[-1] for row in rows if row[0].startswith("PJSIP/101-")}

    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(LONG_RINGING))
        await desk.heard("incoming")
        before = legs()
        await fragile.kill()
        await brokerage.start_ringback()
        await desk.heard("incoming")
        after = legs()
        mobile.hang_up()
        await mobile.heard("ended")
    assert len(before) == len(after) == 1
    assert before.isdisjoint(after), "Asterisk could lose sight of the new one, and nobody would call it off"


async def test_a_leg_that_came_into_being_too_late_for_the_snapshot_does_not_ring_for_ever(fragile: Fragile) -> None:
    brokerage = fragile.brokerage
    pbx = brokerage.settings.document.pbx
    password = brokerage.settings.secrets().resolve("ari", pbx.ari.secret)
    url = f"http://127.0.0.1:{brokerage.ports['http_port']}"
    await fragile.kill()
    async with (
        brokerage.desk_phone("101") as desk,
        Ari(url, pbx.ari.user, password, application=pbx.app) as dead,
    ):
        await brokerage.start_ringback()
        await dead.channels.originate("PJSIP/101", channel="1764000000.1-leg0", formats=("ulaw",))
        await desk.heard("incoming")
        await desk.heard("ended", within=15.0)
    assert fragile.said("orphan_hung_up")
