"""What people and monitoring see: the commands' answers agree with the journal, and the web edge with both."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import orjson
import pytest
import pytest_asyncio

from tests.e2e.brokerage import SETTINGS, Brokerage, open_brokerage
from tests.e2e.scenes import called_back, missed_call, settled
from tests.support.ports import free_port
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def smsc_link() -> AsyncIterator[TcpProxy]:
    """What leads to the SMSC of ``own_brokerage``; it can be cut."""
    async with TcpProxy("127.0.0.1", free_port()) as link:
        yield link


@pytest_asyncio.fixture(loop_scope="session")
async def own_brokerage(smsc_link: TcpProxy) -> AsyncIterator[Brokerage]:
    """One whose SMSC and Asterisk a test may take away."""
    settings = SETTINGS.replace("{smpp_port}", str(smsc_link.port))
    async with open_brokerage(settings, smsc=smsc_link.target_port) as brokerage:
        yield brokerage


async def test_leads_lead_and_replay_agree_with_the_journal(brokerage: Brokerage, caller: str) -> None:
    async with called_back(brokerage, caller) as call:
        call.mobile.press("1")
        await brokerage.event("CallbackEnded", lead=call.lead, within=20.0)
        await until(lambda: brokerage.hook.about(caller), what="the push")
        await brokerage.event("ReceiptReceived", lead=call.lead)
        await brokerage.mail(caller, "Missed call")
        await until(lambda: not brokerage.open_orders(call.lead), what="all orders to be settled")
    [listed] = await brokerage.ask("leads", "--number", caller)
    shown = await brokerage.ask("lead", str(call.lead))
    told = await brokerage.ask("replay", str(call.lead))
    events = brokerage.events(lead=call.lead)

    assert listed["lead_id"] == shown["lead_id"] == call.lead
    assert (listed["text"], listed["callback"], listed["intent"]) == ("delivered", "done", "buying")
    assert {name: shown[name] for name in listed} == listed
    assert [(order["kind"], order["status"]) for order in shown["orders"]] == [
        ("text", "done"),
        ("callback", "done"),
        ("alert", "done"),
        ("push", "done"),
        ("push", "done"),
    ]
    assert [(one["action"], one["outcome"], one["rule"]) for one in shown["decisions"]] == brokerage.decisions(
        call.lead
    )

    assert told["agrees"] is True
    happened = [line for line in told["story"] if re.match(r"\d\d:\d\d:\d\d < ", line)]
    assert [re.sub(r"\d\d:\d\d:\d\d < (\w+).*", r"\1", line, flags=re.DOTALL) for line in happened] == [
        re.sub(r"(?<!^)(?=[A-Z])", "_", event.type).lower() for event in events
    ]
    assert any("> text text_back to " + caller in line for line in told["story"])


async def test_the_journal_leads_to_every_lead_as_it_stands(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    leads = [lead for (lead,) in brokerage.query("SELECT id FROM leads ORDER BY id DESC LIMIT 4")]
    assert leads
    for lead in leads:
        assert (await brokerage.ask("replay", str(lead)))["agrees"] is True


async def test_metrics_count_what_the_journal_holds(brokerage: Brokerage, caller: str) -> None:
    before = await _metrics(brokerage)
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        await settled(brokerage, caller, "text")
        await brokerage.smsc.text(caller, "+13055550100", "Hello")
        await brokerage.event("TextReceived", sender=caller)
    after = await _metrics(brokerage)
    grown = {name: after[name] - before.get(name, 0.0) for name in after}
    assert grown['ringback_calls_total{verdict="unreachable"}'] == 1
    assert grown['ringback_orders_total{kind="text",outcome="done"}'] == 1
    assert grown["ringback_texts_received_total"] == 1
    assert grown["ringback_missed_to_text_seconds_count"] == 1
    assert after['ringback_component_up{component="asterisk"}'] == 1
    assert not any(caller.lstrip("+") in name for name in after)


async def test_health_is_red_only_for_what_calls_need(own_brokerage: Brokerage, smsc_link: TcpProxy) -> None:
    brokerage = own_brokerage
    status, body = await brokerage.page("/health")
    assert (status, orjson.loads(body)["status"]) == (200, "ok")
    assert (await brokerage.ask("status"))["status"] == "ok"

    smsc_link.refusing = True
    smsc_link.cut()
    await until(lambda: "gateway sms" not in brokerage.well(), within=15.0, what="the gateway to be down")
    status, body = await brokerage.page("/health")
    assert (status, orjson.loads(body)["status"]) == (200, "ok")  # calls are taken all the same

    brokerage.asterisk.stop()
    await until(lambda: "asterisk" not in brokerage.well(), within=15.0, what="Asterisk to be noticed gone")
    status, body = await brokerage.page("/health")
    assert (status, orjson.loads(body)["status"]) == (503, "failing")
    assert (await brokerage.ringback("status"))[0] == 1


async def test_the_doctor_tells_well_from_warned_and_from_failed(own_brokerage: Brokerage, smsc_link: TcpProxy) -> None:
    brokerage = own_brokerage
    async with AsyncExitStack() as phones:
        for extension in ("101", "102"):
            await phones.enter_async_context(brokerage.desk_phone(extension))
        third = await phones.enter_async_context(brokerage.desk_phone("103"))
        status, findings = await _doctor(brokerage)
        well = {what for what, grade in findings.items() if grade == "ok"}
        assert {"database", "asterisk", "ARI rights", "gateway sms", "e-mail", "phone 101 (A)", "phone 103 (C)"} <= well
        assert set(findings) - well <= {"clock"}  # nobody keeps the clock of a machine for tests
        assert status == (1 if "clock" not in well else 0)

        third.unregister()
        await third.heard("unregistered")
        status, findings = await _doctor(brokerage)
        assert (status, findings["phone 103 (C)"], findings["phone 101 (A)"]) == (1, "warning", "ok")

        smsc_link.refusing = True
        smsc_link.cut()
        status, findings = await _doctor(brokerage)
        assert (status, findings["gateway sms"]) == (2, "failure")

        brokerage.asterisk.stop()
        status, findings = await _doctor(brokerage)
        assert (status, findings["asterisk"]) == (2, "failure")


async def _doctor(brokerage: Brokerage) -> tuple[int, dict[str, str]]:
    """Exit status, and the grade of each finding. A finding that is not well says how to mend it."""
    status, said = await brokerage.ringback("doctor", "--json")
    findings = orjson.loads(said)
    assert all(finding["mend"] for finding in findings if finding["grade"] != "ok")
    return status, {finding["what"]: finding["grade"] for finding in findings}


async def _metrics(brokerage: Brokerage) -> dict[str, float]:
    status, text = await brokerage.page("/metrics")
    assert status == 200
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}
