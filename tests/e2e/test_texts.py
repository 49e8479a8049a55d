"""The text after a miss, what becomes of it, and what people text back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.e2e.brokerage import LISTING, MAIN, OTHER_OFFICE, VOICEMAIL, Brokerage
from tests.e2e.scenes import missed_call, settled
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

FROM_MAIN = "Harbor Realty (automated): sorry we missed your {} call. Are you buying or selling? STOP to opt out."


async def test_it_names_the_brokerage_the_time_the_listing_one_question_and_the_way_out(
    brokerage: Brokerage, caller: str
) -> None:
    async with missed_call(brokerage, caller, LISTING) as mobile:
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    [text] = brokerage.smsc.to(caller)
    assert text.source == LISTING
    assert re.fullmatch(
        r"Harbor Realty \(automated\): sorry we missed your \d\d?:\d\d [ap]m call on 12 Ocean Drive\."
        r" Are you buying or selling\? STOP to opt out\.",
        text.body,
    )
    assert len(text.body) <= 160


async def test_a_receipt_says_that_it_was_delivered(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text")
        receipt = await brokerage.event("ReceiptReceived", effect_id=sent.body["effect_id"])
        await until(lambda: brokerage.hook.about(caller), what="the push")
    assert (receipt.body["delivered"], receipt.body["state"]) == (True, "delivered")
    [text] = brokerage.smsc.to(caller)
    assert sent.body["ref"] == text.message_id
    assert brokerage.lead_of(caller) == receipt.lead_id


async def test_when_it_could_not_be_delivered_a_person_is_told(brokerage: Brokerage, caller: str) -> None:
    brokerage.smsc.undeliverable.add(caller)
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text")
        receipt = await brokerage.event("ReceiptReceived", effect_id=sent.body["effect_id"])
        await brokerage.mail(caller, "the text did not get through")
    assert (receipt.body["delivered"], receipt.body["state"]) == (False, "undeliverable")
    assert receipt.lead_id is not None
    assert ("text", "refused", "ELG-05") in brokerage.decisions(receipt.lead_id)
    assert len(brokerage.smsc.to(caller)) == 1


async def test_two_offices_are_two_conversations(brokerage: Brokerage, caller: str) -> None:
    for count, number in enumerate((MAIN, OTHER_OFFICE), start=1):
        async with brokerage.mobile(caller) as mobile:
            mobile.call(brokerage.dial(number))
            await brokerage.event("CallMissed", caller=caller, count=count)
            await mobile.heard("answered")
            mobile.hang_up()
            await settled(brokerage, caller, "text", count=count)
    assert [text.source for text in brokerage.smsc.to(caller)] == [MAIN, OTHER_OFFICE]
    assert brokerage.lead_of(caller, "miami") != brokerage.lead_of(caller, "coral")


async def test_stop_is_confirmed_once_and_after_it_a_new_miss_sends_nothing_and_says_why(
    brokerage: Brokerage, caller: str
) -> None:
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        await settled(brokerage, caller, "text")
        await brokerage.smsc.text(caller, MAIN, "Stop.")
        said = await brokerage.event("TextReceived", sender=caller)
        await settled(brokerage, caller, "text", count=2)
        await brokerage.smsc.text(caller, MAIN, "STOP")
        repeated = await brokerage.event("TextReceived", sender=caller, count=2)
        mobile.call(brokerage.dial(MAIN))
        again = await brokerage.event("CallMissed", caller=caller, count=2)
        await mobile.heard("ended", within=15.0)
        await brokerage.event("CallerLeft", caller=caller, count=2)
    first, confirmation = brokerage.smsc.to(caller)
    assert first.body != confirmation.body
    assert "will not" in confirmation.body or "no more" in confirmation.body.lower()
    assert confirmation.source == MAIN
    assert ("plan", "refused", "REV-01") in brokerage.reasons(said)
    assert ("stop_confirmation", "skipped", "REV-04") in brokerage.reasons(repeated)
    assert again.lead_id == said.lead_id
    assert len(brokerage.orders(caller, "text")) == 2
    assert brokerage.orders(caller, "callback") == []
    assert brokerage.hook.about(caller)[-1]["opted_out"] is True


async def test_after_a_stop_a_miss_at_another_office_sends_nothing_either(brokerage: Brokerage, caller: str) -> None:
    await brokerage.smsc.text(caller, MAIN, "UNSUBSCRIBE")
    await settled(brokerage, caller, "text")
    async with brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(OTHER_OFFICE))
        missed = await brokerage.event("CallMissed", caller=caller)
        await mobile.heard("ended", within=15.0)
        await brokerage.mail(caller, "Missed call")
    assert missed.lead_id is not None
    assert ("text", "refused", "REV-10") in brokerage.decisions(missed.lead_id)
    assert ("callback", "refused", "REV-10") in brokerage.decisions(missed.lead_id)
    assert len(brokerage.smsc.to(caller)) == 1  # the confirmation
    assert brokerage.orders(caller, "callback") == []


async def test_start_after_stop_lets_texts_go_again(brokerage: Brokerage, caller: str) -> None:
    for count, word in enumerate(("STOP", "START"), start=1):
        await brokerage.smsc.text(caller, MAIN, word)
        await settled(brokerage, caller, "text", count=count)
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text", count=3)
    assert sent.body["outcome"] == "done"
    assert "sorry we missed your" in brokerage.smsc.to(caller)[-1].body
    # START is a word about texts: it does not take back the no to calls.
    assert brokerage.orders(caller, "callback") == []


async def test_help_is_answered_with_who_we_are_and_where_a_person_is(brokerage: Brokerage, caller: str) -> None:
    await brokerage.smsc.text(caller, MAIN, "help")
    await settled(brokerage, caller, "text")
    [answer] = brokerage.smsc.to(caller)
    assert "Harbor Realty" in answer.body
    assert "+13055550199" in answer.body
    assert brokerage.lead_of(caller) is None


async def test_a_reply_is_kept_and_a_person_is_told(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        await settled(brokerage, caller, "text")
        await until(lambda: brokerage.hook.about(caller), what="the first push")
        await brokerage.smsc.text(caller, MAIN, "Selling, my house on 5th")
        said = await brokerage.event("TextReceived", sender=caller)
        mail = await brokerage.mail(caller, "A caller texted back")
        await until(lambda: len(brokerage.hook.about(caller)) > 1, what="the second push")
    assert "Selling, my house on 5th" in mail.get_content()
    assert brokerage.lead_of(caller) == said.lead_id
    assert brokerage.hook.about(caller)[-1]["replies"] == ["Selling, my house on 5th"]
    assert len(brokerage.smsc.to(caller)) == 1  # no machine answers


async def test_who_texts_first_becomes_a_lead_for_a_person(brokerage: Brokerage, caller: str) -> None:
    await brokerage.smsc.text(caller, LISTING, "Is it still for sale?")
    said = await brokerage.event("TextReceived", sender=caller)
    mail = await brokerage.mail(caller, "A caller texted back")
    assert "12 Ocean Drive" in mail.get_content()
    assert brokerage.lead_of(caller) == said.lead_id
    assert brokerage.smsc.to(caller) == []


async def test_who_texts_stop_while_still_on_the_line_is_not_called(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller, VOICEMAIL) as mobile:
        await settled(brokerage, caller, "text")  # goes while they listen: nobody is held for longer than 5 s
        await brokerage.smsc.text(caller, VOICEMAIL, "STOP")
        said = await brokerage.event("TextReceived", sender=caller)
        mobile.hang_up()
        await brokerage.event("CallerLeft", caller=caller)
        await settled(brokerage, caller, "text", count=2)
        await mobile.settle()
        assert "incoming" not in mobile.story()
    assert said.lead_id is not None
    assert brokerage.orders(caller, "callback") == []


async def test_where_a_route_leads_through_the_trunk_the_text_is_a_sip_message_and_so_is_the_reply(
    brokerage: Brokerage, new_number: Callable[..., str]
) -> None:
    caller = new_number("+1786555")
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        message = await mobile.heard("message")
        sent = await settled(brokerage, caller, "text")
        mobile.send_message(brokerage.dial(MAIN), "STOP")
        assert (await mobile.heard("message_status")).facts["code"] in (200, 202)
        said = await brokerage.event("TextReceived", sender=caller)
        confirmation = await mobile.heard("message")
        await settled(brokerage, caller, "text", count=2)
    assert sent.body["outcome"] == "done"
    assert "sorry we missed your" in message.facts["body"]
    assert f"sip:{MAIN}@127.0.0.1" in message.facts["sender"], "Asterisk knows its address itself"
    assert (said.body["recipient"], said.body["body"]) == (MAIN, "STOP")
    assert confirmation.facts["body"] != message.facts["body"]
    assert brokerage.smsc.to(caller) == []
    assert ("plan", "refused", "REV-01") in brokerage.reasons(said)
