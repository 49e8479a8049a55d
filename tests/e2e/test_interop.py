"""The whole brokerage on SMSCs and gateways of others: the npm package smpp, Kannel's test driver, a whole Jasmin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.brokerage import MAIN, SETTINGS, open_brokerage
from tests.e2e.scenes import missed_call, settled
from tests.sms_gateway.interop.jasmin import jasmin
from tests.sms_gateway.interop.programs import alone, npm_folder, program, running
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.interop,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),  # the first run installs Jasmin
]

SMSC_SCRIPT = Path(__file__).parent.parent / "sms_gateway" / "interop" / "smsc.js"
SMSBOX_PORT = 13001  # compiled into drive_smpp


async def test_on_the_smsc_of_the_npm_package_smpp(tmp_path: Path, new_number: Callable[..., str]) -> None:
    prefix = new_number("+1305557")[:-1]
    accepted, throttled, refused, unanswered = (f"{prefix}{last}" for last in "4129")  # as the script tells them apart
    log, port = tmp_path / "smsc.log", free_port()
    command: list[str | Path] = [program("node", "nodejs"), SMSC_SCRIPT, str(port)]
    environment = {"NODE_PATH": str(npm_folder("smpp@0.5.1") / "node_modules")}
    async with (
        running(command, log, ready='"listening"', environment=environment),
        open_brokerage(
            SETTINGS.replace("{smpp_port}", str(port)),
            own_smsc=False,
            environment={"RINGBACK_STAGE_SMPP": "secret"},
        ) as brokerage,
    ):
        outcomes = {}
        for caller in (accepted, throttled, refused, unanswered):
            async with missed_call(brokerage, caller) as mobile:
                mobile.hang_up()
                outcomes[caller] = (await settled(brokerage, caller, "text")).body["outcome"]
        for caller in (accepted, throttled):
            receipt = await brokerage.event("ReceiptReceived", lead=brokerage.lead_of(caller))
            assert receipt.body["delivered"] is True
        await brokerage.mail(refused, "the text did not get through")
        await brokerage.mail(unanswered, "nobody knows whether the text got through")
    assert outcomes == {accepted: "done", throttled: "done", refused: "failed", unanswered: "in_doubt"}
    submits = _events(log, "submit")
    counts = {caller: [one["destination"] for one in submits].count(caller[1:]) for caller in outcomes}
    assert counts == {accepted: 1, throttled: 2, refused: 1, unanswered: 1}
    assert submits[0]["source"] == MAIN[1:]
    assert "sorry we missed your" in submits[0]["text"]


async def test_the_carrier_is_asked_what_became_of_a_text_in_doubt(
    tmp_path: Path, new_number: Callable[..., str]
) -> None:
    """One segment was taken, the other never answered, and no receipt comes: query_sm ends the doubt."""
    caller = f"{new_number('+1305558')[:-1]}8"
    log, port = tmp_path / "smsc.log", free_port()
    command: list[str | Path] = [program("node", "nodejs"), SMSC_SCRIPT, str(port)]
    environment = {"NODE_PATH": str(npm_folder("smpp@0.5.1") / "node_modules")}
    two_segments = "Are you buying or selling? " + "We look forward to hearing from you. " * 3
    async with (
        running(command, log, ready='"listening"', environment=environment),
        open_brokerage(
            SETTINGS.replace("{smpp_port}", str(port)).replace("Are you buying or selling? ", two_segments),
            own_smsc=False,
            environment={"RINGBACK_STAGE_SMPP": "secret"},
        ) as brokerage,
    ):
        async with missed_call(brokerage, caller) as mobile:
            mobile.hang_up()
            doubtful = await settled(brokerage, caller, "text")
        order = "SELECT ref, last_error FROM outbox WHERE id = ? AND status = ?"
        effect_id = doubtful.body["effect_id"]
        (known,) = brokerage.query(order, [effect_id, "in_doubt"])
        (ended,) = await until(lambda: brokerage.query(order, [effect_id, "failed"]), within=50.0, what="an answer")
        await brokerage.mail(caller, "the text did not get through")
    assert (doubtful.body["outcome"], doubtful.body["ref"]) == ("in_doubt", known[0])
    assert "a part of it was not delivered (undeliverable)" in ended[1]
    [query] = _events(log, "query")
    assert (query["id"], query["source"]) == (known[0], MAIN[1:])
    assert len(_events(log, "submit")) == 2, "neither segment was sent again"


async def test_on_kannel_s_test_driver_over_split_binds(tmp_path: Path, caller: str) -> None:
    driver = program("drive_smpp", "kannel-extras", also=["/usr/lib/kannel/test/drive_smpp"])
    log, port = tmp_path / "drive_smpp.log", free_port()
    settings = SETTINGS.replace("{smpp_port}", str(port)).replace(
        "system_id: ringback", "system_id: foo\n    system_type: VMA\n    bind: split"
    )
    async with (
        alone("drive_smpp"),
        await asyncio.start_server(_ignore, "127.0.0.1", SMSBOX_PORT),
        running([driver, "-v", "0", "-p", str(port), "-m", "1"], log, ready="Starting drive_smpp") as kannel,
        open_brokerage(settings, own_smsc=False, environment={"RINGBACK_STAGE_SMPP": "bar"}) as brokerage,
    ):
        received = await brokerage.event("TextReceived")
        async with missed_call(brokerage, caller) as mobile:
            mobile.hang_up()
            sent = await settled(brokerage, caller, "text")
        assert await brokerage.stop_ringback() == 0
        async with asyncio.timeout(20.0):
            assert await kannel.wait() == 0
    assert received.body["body"] == "1"
    assert (sent.body["outcome"], sent.body["ref"]) == ("done", None)  # this driver gives no ids
    assert "Number of messages sent to SMSC: 1" in log.read_text()


async def test_through_a_whole_jasmin_and_back(tmp_path: Path, caller: str) -> None:
    upstream = free_port()
    async with (
        jasmin(tmp_path) as hop,
        open_brokerage(
            SETTINGS.replace("{smpp_port}", str(hop.smpp_port)),
            smsc=upstream,
            own_smsc=False,
            ringback=False,
            environment={"RINGBACK_STAGE_SMPP": "secret"},
        ) as brokerage,
    ):
        await hop.configure(
            ["group -a", "gid brokers", "ok"],
            ["user -a", "username ringback", "password secret", "gid brokers", "uid ringback", "ok"],
            ["smppccm -a", "cid carrier", "host 127.0.0.1", f"port {upstream}", "username up", "password up", "ok"],
            ["smppccm -1 carrier"],
            ["mtrouter -a", "type defaultroute", "connector smppc(carrier)", "rate 0", "ok"],
            ["morouter -a", "type defaultroute", "connector smpps(ringback)", "ok"],
        )
        await until(lambda: brokerage.smsc.bound, within=20.0, what="Jasmin to bind at the SMSC")
        await brokerage.start_ringback()
        async with missed_call(brokerage, caller) as mobile:
            mobile.hang_up()
            sent = await settled(brokerage, caller, "text", within=30.0)
            await until(lambda: brokerage.smsc.to(caller), within=20.0, what="the text behind Jasmin")
            receipt = await brokerage.event("ReceiptReceived", effect_id=sent.body["effect_id"], within=40.0)
            await brokerage.smsc.text(caller, MAIN, "STOP")
            said = await brokerage.event("TextReceived", sender=caller, within=40.0)
            await settled(brokerage, caller, "text", count=2, within=30.0)
            await until(lambda: len(brokerage.smsc.to(caller)) == 2, within=20.0, what="the confirmation")
    assert sent.body["outcome"] == "done"
    assert receipt.body["delivered"] is True
    assert said.body["body"] == "STOP"
    assert "sorry we missed your" in brokerage.smsc.to(caller)[0].body


def _events(log: Path, name: str) -> list[dict[str, Any]]:
    """What the npm server printed under ``name``."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


async def _ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()
