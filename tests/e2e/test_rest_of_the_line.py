"""What follows the text and the callback: the alert, the CRM, and another person when nobody takes the lead."""

from __future__ import annotations

from datetime import datetime

import orjson
import pytest

from tests.e2e.brokerage import ESCALATING, LISTING, TEXTED_LATER, Brokerage
from tests.e2e.scenes import missed_call, settled
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_the_agent_is_told_by_mail_over_tls_and_with_a_log_in(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller, LISTING) as mobile:
        mobile.hang_up()
        mail = await brokerage.mail(caller, "Missed call")
        alert = await brokerage.event("EffectSettled", kind="alert", lead=brokerage.lead_of(caller))
    assert mail["To"] == "ana@harbor.example"
    assert "Harbor Realty" in str(mail["From"])
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == alert.body["ref"]
    said = mail.get_content()
    assert caller in said
    assert "12 Ocean Drive" in said
    assert brokerage.mailbox.secured[brokerage.mailbox.messages.index(mail)]


async def test_the_crms_get_the_lead_signed_and_as_a_line_of_json(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller, LISTING) as mobile:
        mobile.hang_up()
        await until(lambda: brokerage.hook.about(caller), what="the webhook's push")
        await until(lambda: _lines(brokerage, caller), what="the line")
    [signed], [line] = brokerage.hook.about(caller), _lines(brokerage, caller)
    assert signed == line["lead"]
    assert signed["number"] == caller
    assert (signed["verdict"], signed["listing"], signed["source"]) == ("unreachable", "12 Ocean Drive", "Yard sign")
    assert signed["lead_id"] == brokerage.lead_of(caller)
    assert brokerage.hook.refused == []  # every signature was verified by the standardwebhooks package
    orders = dict(brokerage.query("SELECT id, status FROM outbox WHERE lead_id = ?", [signed["lead_id"]]))
    assert orders[line["id"]] == "done"


async def test_a_crm_that_is_down_for_a_moment_gets_the_same_push_again(brokerage: Brokerage, caller: str) -> None:
    tries: list[int] = []

    def status() -> int:
        tries.append(1)
        return 503 if len(tries) == 1 else 204

    brokerage.hook.status = status
    try:
        async with missed_call(brokerage, caller) as mobile:
            mobile.hang_up()
            await until(lambda: brokerage.hook.about(caller), within=15.0, what="the second try")
    finally:
        brokerage.hook.status = lambda: 204
    assert len(tries) == 2
    assert len(brokerage.hook.about(caller)) == 1
    assert len(set(brokerage.hook.ids)) == len(brokerage.hook.ids)


async def test_another_person_is_told_when_nobody_takes_the_lead_in_time(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller, ESCALATING) as mobile:
        mobile.hang_up()
        missed = await brokerage.event("CallMissed", caller=caller)
        first = await brokerage.mail(caller, "Missed call")
        second = await brokerage.mail(caller, "Nobody has taken this lead yet")
        fired = await brokerage.event("TimerFired", lead=missed.lead_id)
    assert (first["To"], second["To"]) == ("ana@harbor.example", "cleo@harbor.example")
    waited = (datetime.fromisoformat(fired.at) - datetime.fromisoformat(missed.at)).total_seconds()
    assert 6.0 <= waited < 11.0
    assert len(brokerage.hook.about(caller)) == 2


async def test_nobody_else_is_told_when_the_agent_takes_the_lead(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller, ESCALATING) as mobile:
        mobile.hang_up()
        await brokerage.mail(caller, "Missed call")
        lead = brokerage.lead_of(caller)
        assert lead is not None
        status, said = await brokerage.ringback("ack", str(lead), "--by", "ana")
        assert status == 0, said
        await brokerage.event("TimerFired", lead=lead)
    assert ("alert", "skipped", "PLAN") in brokerage.decisions(lead)
    assert brokerage.mails(caller) == [str(brokerage.mailbox_about(caller)[0]["Subject"])]
    assert brokerage.hook.about(caller)[-1]["acknowledged_by"] == "ana"


async def test_an_opt_out_that_a_person_notes_stops_what_is_planned(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller, TEXTED_LATER) as mobile:
        lead = brokerage.lead_of(caller)
        assert lead is not None
        status, said = await brokerage.ringback("optout", caller, "--by", "ana", "--note", "said so on the phone")
        assert status == 0, said
        mobile.hang_up()
        await brokerage.event("CallerLeft", caller=caller)
        noted = await brokerage.event("OptOutRecorded", number=caller)
        await until(lambda: brokerage.hook.about(caller), what="the push")
    assert noted.lead_id in (None, lead)
    assert brokerage.hook.about(caller)[-1]["opted_out"] is True
    assert [status for _, status in brokerage.orders(caller, "text")] in ([], ["cancelled"])
    assert brokerage.smsc.to(caller) == []


async def test_agents_take_turns(brokerage: Brokerage, new_number: object) -> None:
    assert callable(new_number)
    told = []
    for _ in range(2):
        caller = new_number()
        async with missed_call(brokerage, caller, "+13055550101") as mobile:  # agents: ana and bob
            mobile.hang_up()
            await settled(brokerage, caller, "text")
            told.append((await brokerage.mail(caller, "Missed call"))["To"])
    assert sorted(told) == ["ana@harbor.example", "bob@harbor.example"]


def _lines(brokerage: Brokerage, number: str) -> list[dict[str, object]]:
    path = brokerage.folder / "leads.jsonl"
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    return [line for line in lines if line["lead"]["number"] == number]
