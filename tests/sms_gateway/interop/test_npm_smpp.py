"""Against the SMPP server of the npm package ``smpp``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sms_gateway.encoding import Alphabet
from sms_gateway.errors import BindRefused, InDoubt, Refused
from sms_gateway.messages import DeliveryState
from sms_gateway.receipts import canonical_id
from tests.sms_gateway.interop.programs import SMPP, npm_folder, program, running
from tests.sms_gateway.scripted import Inbox, gateway, options, text, until_stored
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]
SCRIPT = Path(__file__).with_name("smsc.js")


@dataclass
class NodeSmsc:
    """The server, by its port and what it has printed."""

    port: int
    log: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """What happened under ``name``."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]


@pytest.fixture
async def smsc(tmp_path: Path) -> AsyncIterator[NodeSmsc]:
    folder = npm_folder(SMPP)
    log, port = tmp_path / "smsc.log", free_port()
    command: list[str | Path] = [program("node", "nodejs"), SCRIPT, str(port)]
    environment = {"NODE_PATH": str(folder / "node_modules")}
    async with running(command, log, ready='"listening"', environment=environment):
        yield NodeSmsc(port, log)


async def test_texts_receipts_and_replies_go_both_ways(smsc: NodeSmsc) -> None:
    inbox = Inbox()
    # This package sends septets under data_coding 1.
    async with gateway(options(smsc.port, ia5_alphabet=Alphabet.GSM), inbox) as client:
        submission = await client.send(text("echo Grüße @ 5 €"))
        await until_stored(inbox, 2)
        assert smsc.events("submit")[0]["text"] == "echo Grüße @ 5 €"
        (receipt,) = inbox.receipts
        assert canonical_id(submission.message_ids[0]) in receipt.candidates
        assert receipt.state is DeliveryState.DELIVERED
        assert [message.body for message in inbox.texts] == ["Grüße @ 5 €"]
        await until(lambda: smsc.events("receipt answered") and smsc.events("text answered"))
        assert smsc.events("receipt answered")[0]["status"] == 0
        state = await client.query(submission.message_ids[0], "+13055550100")
        assert state.state is DeliveryState.DELIVERED
    await until(lambda: smsc.events("unbind"))


async def test_a_long_text_is_read_with_its_headers(smsc: NodeSmsc) -> None:
    body = "Hallo 😀 " * 20
    async with gateway(options(smsc.port), Inbox()) as client:
        submission = await client.send(text(body))
        segments = smsc.events("submit")
        assert submission.segments == len(segments) > 1
        assert "".join(segment["text"] for segment in segments) == body
        assert len({segment["udh"][0][4:6] for segment in segments}) == 1
        assert [segment["udh"][0][-2:] for segment in segments] == [f"{n:02x}" for n in range(1, len(segments) + 1)]


async def test_throttled_refused_and_unanswered_texts(smsc: NodeSmsc) -> None:
    async with gateway(options(smsc.port, response_seconds=0.5), Inbox()) as client:
        assert (await client.send(text(destination="+13055550121"))).segments == 1
        assert client.status.counters.throttled == 1
        with pytest.raises(Refused, match="ESME_RINVDSTADR"):
            await client.send(text(destination="+13055550122"))
        with pytest.raises(InDoubt):
            await client.send(text(destination="+13055550129"))
        assert (await client.send(text(destination="+13055550124"))).segments == 1


async def test_a_wrong_password_is_refused_once(smsc: NodeSmsc) -> None:
    async with gateway(options(smsc.port, password="wrong"), Inbox()) as client:
        with pytest.raises(BindRefused, match="ESME_RINVPASWD"):
            await client.wait_bound(5.0)
    assert len(smsc.events("bind")) == 1
