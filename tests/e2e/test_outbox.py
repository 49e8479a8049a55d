"""A person decides about a text of which nobody knows whether it went out, on the running server."""

from __future__ import annotations

import getpass
import json

import pytest

from tests.e2e.brokerage import Brokerage
from tests.e2e.scenes import missed_call, settled
from tests.support.stage import JournalEvent
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def doubtful(brokerage: Brokerage, caller: str) -> JournalEvent:
    """A text whose submission is never answered; the link is up again."""
    brokerage.smsc.answer, binds = (lambda _: None), brokerage.smsc.binds
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text")
    brokerage.smsc.answer = None
    await until(lambda: brokerage.smsc.binds > binds, within=15.0, what="the next bind")
    assert sent.body["outcome"] == "in_doubt"
    return sent


async def test_a_text_in_doubt_is_sent_again_when_a_person_says_so(brokerage: Brokerage, caller: str) -> None:
    sent = await doubtful(brokerage, caller)
    order = sent.body["effect_id"]
    status, said = await brokerage.ringback("outbox", "list", "--json")
    assert (order, "in_doubt") in [(row["id"], row["status"]) for row in json.loads(said)]

    status, said = await brokerage.ringback("outbox", "resend", order)
    assert (status, said) == (0, f"order_resent {order} by {getpass.getuser()}\n")
    await until(lambda: len(brokerage.smsc.to(caller)) == 2, within=15.0, what="the text once more")
    again = [one for one, _ in brokerage.orders(caller, "text") if one != order]
    await brokerage.event("ReceiptReceived", effect_id=again[0], within=15.0)
    status, said = await brokerage.ringback("replay", str(sent.lead_id), "--json")
    assert status == 0
    assert json.loads(said)["agrees"]

    status, said = await brokerage.ringback("outbox", "resend", order)
    assert status == 1
    assert "is cancelled" in said
    assert len(brokerage.smsc.to(caller)) == 2


async def test_a_text_in_doubt_that_is_dropped_is_not_sent_and_bars_the_next(brokerage: Brokerage, caller: str) -> None:
    sent = await doubtful(brokerage, caller)
    status, said = await brokerage.ringback("outbox", "drop", sent.body["effect_id"], "--by", "bob", "--note", "called")
    assert (status, said) == (0, f"order_dropped text {sent.body['effect_id']} in_doubt by bob “called”\n")
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        await brokerage.event("CallMissed", caller=caller, count=2, within=15.0)
    assert sent.lead_id is not None
    assert ("plan", "skipped", "FRQ-03") in brokerage.decisions(sent.lead_id)
    assert len(brokerage.smsc.to(caller)) == 1
