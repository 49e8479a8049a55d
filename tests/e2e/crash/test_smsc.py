"""The SMSC's end of the line breaks while a text is on its way."""

from __future__ import annotations

import pytest

from tests.e2e.crash.fragile import Fragile
from tests.e2e.scenes import missed_call, settled
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.final, pytest.mark.asyncio(loop_scope="session")]


async def test_a_link_that_breaks_in_the_middle_of_a_submit_leaves_a_doubt_that_the_receipt_ends(
    fragile: Fragile, caller: str
) -> None:
    brokerage, smsc = fragile.brokerage, fragile.brokerage.smsc

    def cut(_: object) -> None:
        fragile.smsc.cut()

    smsc.answer, binds = cut, smsc.binds
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        doubtful = await settled(brokerage, caller, "text")
        await brokerage.mail(caller, "nobody knows whether the text got through")
    smsc.answer = None
    await until(lambda: smsc.binds > binds, within=15.0, what="the next bind")
    assert doubtful.body["outcome"] == "in_doubt"
    assert len(smsc.to(caller)) == 1
    await smsc.receipt(smsc.to(caller)[0])
    await brokerage.event("ReceiptReceived", effect_id=doubtful.body["effect_id"])
    assert [status for _, status in brokerage.orders(caller, "text")] == ["done"]
    assert len(smsc.to(caller)) == 1


async def test_a_receipt_that_outruns_the_answer_is_the_proof_when_the_answer_never_comes(
    fragile: Fragile, caller: str
) -> None:
    brokerage, smsc = fragile.brokerage, fragile.brokerage.smsc
    smsc.answer, binds = (lambda _: None), smsc.binds
    async with missed_call(brokerage, caller) as mobile:
        [text] = await until(lambda: smsc.to(caller), within=15.0, what="the submit_sm")
        await smsc.receipt(text)
        sent = await settled(brokerage, caller, "text")
        await until(lambda: smsc.binds > binds, within=15.0, what="the next bind, when the answer's time is over")
        smsc.answer = None
        mobile.hang_up()
    assert sent.body["outcome"] == "done"
    assert [status for _, status in brokerage.orders(caller, "text")] == ["done"]
    assert len(smsc.to(caller)) == 1


async def test_a_text_that_was_brought_twice_because_its_acknowledgement_was_lost_counts_once(
    fragile: Fragile, caller: str
) -> None:
    brokerage, smsc = fragile.brokerage, fragile.brokerage.smsc
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    await smsc.text(caller, "+13055550100", "I want to sell my house")
    await brokerage.event("TextReceived", sender=caller)
    await fragile.kill()
    await brokerage.start_ringback()
    await smsc.text(caller, "+13055550100", "I want to sell my house")  # as a carrier does that heard no answer
    assert len([one for one in brokerage.events("TextReceived") if one.body["sender"] == caller]) == 1
