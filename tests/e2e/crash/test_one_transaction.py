"""Ringback killed around a transaction: before the commit, after it, in the middle of the act, with a timer pending."""

from __future__ import annotations

import asyncio

import pytest
import smpp34

from tests.e2e.brokerage import ESCALATING, MAIN, Brokerage
from tests.e2e.crash.fragile import Fragile
from tests.e2e.scenes import FINAL, missed_call, settled, verdict
from tests.support.stage import Smsc
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.final, pytest.mark.asyncio(loop_scope="session")]


async def _acknowledged(smsc: Smsc, sender: str) -> bool:
    """Whether Ringback takes a text over; smpp34 gives up when the link breaks, or when it has waited."""
    try:
        async with asyncio.timeout(3.0):
            await smsc.text(sender, MAIN, "STOP")
    except (TimeoutError, smpp34.SmppError):
        return False
    return True


HOLD_ORDERS = """
    CREATE TRIGGER held BEFORE UPDATE ON outbox WHEN NEW.status = 'doing'
    BEGIN SELECT RAISE(ABORT, 'held by the test'); END"""


async def test_killed_before_the_commit_a_stop_is_not_acknowledged_and_counts_when_the_smsc_brings_it_again(
    fragile: Fragile, caller: str
) -> None:
    brokerage, smsc = fragile.brokerage, fragile.brokerage.smsc
    with fragile.writing() as books:
        books.execute("BEGIN IMMEDIATE")  # nothing is committed from now on
        before = fragile.smsc.brought
        async with asyncio.TaskGroup() as group:
            bringing = group.create_task(_acknowledged(smsc, caller))
            await until(lambda: fragile.smsc.brought > before, within=15.0, what="the text on its way to Ringback")
            await fragile.kill()
        books.execute("ROLLBACK")
    assert not bringing.result()
    assert all(event.body["sender"] != caller for event in brokerage.events("TextReceived"))
    await brokerage.start_ringback()
    await smsc.text(caller, MAIN, "STOP")
    await brokerage.event("TextReceived", sender=caller)
    assert len([one for one in brokerage.events("TextReceived") if one.body["sender"] == caller]) == 1
    consent = brokerage.query("SELECT state FROM consent WHERE number = ? AND channel = 'text'", [caller])
    assert consent == [("opted_out",)]


async def test_killed_after_the_commit_and_before_the_dispatch_the_text_goes_once_at_the_next_start(
    fragile: Fragile, caller: str
) -> None:
    brokerage = fragile.brokerage
    with fragile.writing() as books:
        books.execute(HOLD_ORDERS)
        async with missed_call(brokerage, caller) as mobile:
            mobile.hang_up()
            await mobile.heard("ended")
        await fragile.kill()
        books.execute("DROP TRIGGER held")
    assert [status for _, status in brokerage.orders(caller, "text")] == ["todo"]
    assert brokerage.smsc.to(caller) == []
    await brokerage.start_ringback()
    sent = await settled(brokerage, caller, "text")
    assert sent.body["outcome"] == "done"
    assert len(brokerage.smsc.to(caller)) == 1
    assert verdict(brokerage, caller) == ["no_answer"] or verdict(brokerage, caller) == ["unreachable"]


async def test_killed_with_a_text_on_the_wire_it_is_in_doubt_and_a_person_is_told_and_it_is_not_sent_again(
    fragile: Fragile, caller: str
) -> None:
    brokerage = fragile.brokerage
    brokerage.smsc.answer = lambda _: None
    async with missed_call(brokerage, caller) as mobile:
        await until(lambda: brokerage.smsc.to(caller), within=15.0, what="the submit_sm")
        await fragile.kill()
        mobile.hang_up()
        await mobile.heard("ended")
    [(text, status)] = brokerage.orders(caller, "text")
    assert status == "doing"
    brokerage.smsc.answer = None
    await brokerage.start_ringback()
    doubtful = await settled(brokerage, caller, "text")
    await brokerage.mail(caller, "nobody knows whether the text got through")
    assert (doubtful.body["effect_id"], doubtful.body["outcome"]) == (text, "in_doubt")
    assert len(brokerage.smsc.to(caller)) == 1
    # Then its receipt comes: it had arrived.
    await brokerage.smsc.receipt(brokerage.smsc.to(caller)[0])
    await brokerage.event("ReceiptReceived", effect_id=text)
    assert brokerage.orders(caller, "text") == [(text, "done")]
    assert len(brokerage.smsc.to(caller)) == 1


async def test_a_timer_that_falls_due_while_nobody_runs_fires_once_at_the_next_start(
    fragile: Fragile, caller: str
) -> None:
    brokerage = fragile.brokerage
    async with missed_call(brokerage, caller, ESCALATING) as mobile:
        missed = await brokerage.event("CallMissed", caller=caller)
        await fragile.kill()
        mobile.hang_up()
        await mobile.heard("ended")
    assert missed.lead_id is not None
    pending = "SELECT status FROM timers WHERE lead_id = ? AND status <> 'disarmed'"
    assert brokerage.query(pending, [missed.lead_id]) == [("pending",)]
    due = "SELECT 1 FROM timers WHERE lead_id = ? AND julianday(due_at) < julianday('now')"
    await until(lambda: brokerage.query(due, [missed.lead_id]), within=10.0, what="the timer to be due")
    await brokerage.start_ringback()
    await brokerage.event("TimerFired", lead=missed.lead_id)
    await fragile.kill()
    await brokerage.start_ringback()
    fired = [event.body["timer_id"] for event in brokerage.events("TimerFired", lead=missed.lead_id)]
    assert len(fired) == len(set(fired))
    assert len(brokerage.query("SELECT 1 FROM outbox WHERE kind = 'alert' AND lead_id = ?", [missed.lead_id])) == 2
    assert ("pending",) not in brokerage.query(pending, [missed.lead_id])


async def test_a_no_that_waited_for_the_books_is_not_overtaken_by_what_the_event_log_says_of_the_call(
    fragile: Fragile, caller: str
) -> None:
    brokerage, smsc = fragile.brokerage, fragile.brokerage.smsc
    with fragile.writing() as books:
        books.execute("BEGIN IMMEDIATE")
        async with brokerage.mobile(caller) as mobile:
            mobile.call(brokerage.dial(MAIN))
            await mobile.heard("media", within=15.0)
            mobile.press("9")
            await mobile.heard("ended", within=15.0)
        await brokerage.talk(9.0)  # by now the event log says that the call is over, and would be believed
        books.execute("ROLLBACK")
    await brokerage.event("KeyPressed", caller=caller, key="9", within=20.0)
    await until(lambda: verdict(brokerage, caller), within=10.0, what="the verdict")
    await until(lambda: not brokerage.orders(caller, "text") or settled_all(brokerage, caller), within=15.0)
    assert smsc.to(caller) == []


def settled_all(brokerage: Brokerage, number: str) -> bool:
    """Whether no text to them waits any more."""
    return all(status in FINAL for _, status, *_ in brokerage.orders(number, "text"))
