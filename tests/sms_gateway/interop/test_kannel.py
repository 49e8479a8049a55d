"""Against Kannel's own SMPP test driver, ``drive_smpp`` of the Debian package kannel-extras.

It plays two parts around a bearerbox: the SMSC, for a split bind, and a smsbox, which connects to a fixed port. We are
the bearerbox towards its SMSC, and let its smsbox connect to nobody in particular.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sms_gateway.smpp.options import BindMode
from tests.sms_gateway.interop.programs import alone, program, running
from tests.sms_gateway.scripted import Inbox, gateway, options, text, until_stored
from tests.support.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.timeout(60)]
SMSBOX_PORT = 13001  # compiled into drive_smpp


async def test_texts_go_both_ways_over_split_binds_and_the_driver_ends_satisfied(tmp_path: Path) -> None:
    driver = program("drive_smpp", "kannel-extras", also=["/usr/lib/kannel/test/drive_smpp"])
    log, port, inbox = tmp_path / "drive_smpp.log", free_port(), Inbox()
    async with (
        alone("drive_smpp"),
        await asyncio.start_server(_ignore, "127.0.0.1", SMSBOX_PORT),
        running([driver, "-v", "0", "-p", str(port), "-m", "20"], log, ready="Starting drive_smpp") as kannel,
    ):
        link = options(port, bind=BindMode.SPLIT, system_id="foo", password="bar", system_type="VMA", stop_seconds=1.0)
        async with gateway(link, inbox) as client:
            submissions = [await client.send(text(f"text {n}")) for n in range(20)]
            await until_stored(inbox, 20)
            assert client.status.counters.binds == 2
        async with asyncio.timeout(20.0):
            assert await kannel.wait() == 0
    # Kannel's driver gives no message ids: an accepted text without a name is accepted all the same.
    assert {submission.message_ids for submission in submissions} == {("",)}
    assert [message.body for message in inbox.texts] == [str(n) for n in range(1, 21)]
    said = log.read_text()
    assert "Number of messages sent to ESME: 20" in said
    assert "Number of messages sent to SMSC: 20" in said


async def _ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()
