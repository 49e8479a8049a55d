"""Through a whole Jasmin gateway to an SMSC of somebody else's making, and back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sms_gateway.errors import BindRefused
from sms_gateway.messages import DeliveryState
from sms_gateway.receipts import canonical_id
from tests.sms_gateway.independent import independent_smsc
from tests.sms_gateway.interop.jasmin import jasmin
from tests.sms_gateway.scripted import CALLER, OFFICE, Inbox, gateway, options, text
from tests.support.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]  # the first run installs Jasmin


async def test_a_text_goes_through_jasmin_and_its_receipt_and_a_reply_come_back(tmp_path: Path) -> None:
    inbox = Inbox()
    async with jasmin(tmp_path) as hop, independent_smsc() as smsc:
        await hop.configure(
            ["group -a", "gid brokers", "ok"],
            ["user -a", "username ringback", "password secret", "gid brokers", "uid ringback", "ok"],
            ["smppccm -a", "cid carrier", "host 127.0.0.1", f"port {smsc.port}", "username up", "password up", "ok"],
            ["smppccm -1 carrier"],
            ["mtrouter -a", "type defaultroute", "connector smppc(carrier)", "rate 0", "ok"],
            ["morouter -a", "type defaultroute", "connector smpps(ringback)", "ok"],
        )
        upstream = await smsc.client()
        async with gateway(options(hop.smpp_port, response_seconds=10.0), inbox) as client:
            submission = await client.send(text("Grüße von uns"))
            await until(lambda: smsc.submits, within=20.0, what="the text behind Jasmin")
            assert smsc.submits[0].destination_addr == CALLER[1:]
            receipt = (
                b"id:id-1 sub:001 dlvrd:001 submit date:2611231405 done date:2611231406 stat:DELIVRD err:000 text:-"
            )
            # If Jasmin has not stored the id by then, it looks for it once more ten seconds later.
            async with asyncio.timeout(20.0):
                await upstream.deliver_sm(OFFICE[1:], receipt, source_addr=CALLER[1:], esm_class=4)
                await upstream.deliver_sm(OFFICE[1:], b"STOP", source_addr=CALLER[1:], source_addr_ton=1)
            await until(lambda: inbox.receipts and inbox.texts, within=40.0, what="receipt and reply through Jasmin")
            assert inbox.receipts[0].state is DeliveryState.DELIVERED
            assert canonical_id(submission.message_ids[0]) in inbox.receipts[0].candidates
            assert (inbox.texts[0].source, inbox.texts[0].body) == (CALLER, "STOP")
        async with gateway(options(hop.smpp_port, password="wrong", response_seconds=10.0), Inbox()) as intruder:
            with pytest.raises(BindRefused):
                await intruder.wait_bound(10.0)
