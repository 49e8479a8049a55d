"""SMSCs that refuse, throttle or say nothing: a text goes once or a person is told, and never twice."""

from __future__ import annotations

from collections import Counter

import pytest
import smpp34

from tests.e2e.brokerage import Brokerage
from tests.e2e.scenes import missed_call, settled
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

INVALID_DESTINATION = 0x0B
QUEUE_FULL = 0x14
THROTTLED = 0x58


async def test_a_text_that_the_smsc_refuses_for_good_is_given_up_and_a_person_is_told(
    brokerage: Brokerage, caller: str
) -> None:
    brokerage.smsc.answer = lambda _: INVALID_DESTINATION
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text")
        await brokerage.mail(caller, "the text did not get through")
    assert sent.body["outcome"] == "failed"
    assert "ESME_RINVDSTADR" in sent.body["why"]
    assert len(brokerage.smsc.to(caller)) == 1


@pytest.mark.parametrize("status", [THROTTLED, QUEUE_FULL])
async def test_a_text_that_the_smsc_puts_off_is_offered_again_and_goes_once(
    brokerage: Brokerage, caller: str, status: int
) -> None:
    offered: Counter[str] = Counter()

    def answer(event: smpp34.SubmitSmEvent) -> str | int:
        offered[event.destination_addr] += 1
        return status if offered[event.destination_addr] <= 2 else f"accepted-{status}"

    brokerage.smsc.answer = answer
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text", within=30.0)
    assert (sent.body["outcome"], sent.body["ref"]) == ("done", f"accepted-{status}")
    assert len(brokerage.smsc.to(caller)) == 3
    assert len(brokerage.orders(caller, "text")) == 1


async def test_a_text_that_is_never_answered_is_in_doubt_and_a_person_is_told_and_it_is_not_sent_again(
    brokerage: Brokerage, caller: str
) -> None:
    brokerage.smsc.answer, binds = (lambda _: None), brokerage.smsc.binds
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text")
        mail = await brokerage.mail(caller, "nobody knows whether the text got through")
        # The link is made anew, which is when a hasty sender would repeat itself.
        await until(lambda: brokerage.smsc.binds > binds, within=15.0, what="the next bind")
        brokerage.smsc.answer = None
    assert sent.body["outcome"] == "in_doubt"
    assert "in doubt" in mail.get_content()
    assert len(brokerage.smsc.to(caller)) == 1
    assert [status for _, status in brokerage.orders(caller, "text")] == ["in_doubt"]
    assert sent.lead_id is not None
    assert ("text", "held", "DBT-01") in brokerage.decisions(sent.lead_id)


async def test_a_late_receipt_ends_the_doubt(brokerage: Brokerage, caller: str) -> None:
    brokerage.smsc.answer, binds = (lambda _: None), brokerage.smsc.binds
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        doubtful = await settled(brokerage, caller, "text")
        brokerage.smsc.answer = None
        await until(lambda: brokerage.smsc.binds > binds, within=15.0, what="the next bind")
        assert doubtful.body["outcome"] == "in_doubt"
        [text] = brokerage.smsc.to(caller)
        await brokerage.smsc.receipt(text)
        receipt = await brokerage.event("ReceiptReceived", effect_id=doubtful.body["effect_id"])
    assert receipt.body["delivered"] is True
    assert [status for _, status in brokerage.orders(caller, "text")] == ["done"]
    assert len(brokerage.smsc.to(caller)) == 1
