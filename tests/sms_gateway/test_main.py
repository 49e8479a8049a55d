"""The command that tries a carrier's account."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sms_gateway.__main__ import main
from sms_gateway.smpp import pdu as wire
from tests.sms_gateway.scripted import CALLER, OFFICE, ScriptedSmsc, mo
from tests.support.ports import free_port


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TEST_PASSWORD", "secret")


def arguments(port: int, *extra: str, body: str = "Hello", password: tuple[str, str] | None = None) -> list[str]:
    fixed = ["--host", "127.0.0.1", "--port", str(port), "--system-id", "ringback", "--from", OFFICE, "--to", CALLER]
    return [*fixed, *(password or ("--password-env", "RINGBACK_TEST_PASSWORD")), *extra, body]


@dataclass
class Command:
    """Runs the command beside the test's loop."""

    capture: pytest.CaptureFixture[str]

    async def __call__(
        self, port: int, *extra: str, body: str = "Hello", password: tuple[str, str] | None = None
    ) -> tuple[int, str]:
        """Exit status and everything printed."""
        code = await asyncio.to_thread(main, arguments(port, *extra, body=body, password=password))
        return code, "".join(self.capture.readouterr())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


async def serve(smsc: ScriptedSmsc, *, status: int = 0, state: str | None = None) -> None:
    """Accept a bind and every submit with ``status``, then send a receipt of ``state``, and a reply."""
    peer = await smsc.bound_peer()
    number = 0
    while True:
        received = await peer.receive()
        if isinstance(received.body, wire.SubmitSm):
            number += 1
            peer.send(wire.SubmitSmResp(message_id=f"0{number}"), received.sequence, status)
            if state is not None:
                peer.send(mo(f"id:{number} stat:{state} err:1".encode(), esm_class=4), 100 + number)
        elif isinstance(received.body, wire.DeliverSmResp) and received.sequence == 101:
            peer.send(mo(b"Who is this?"), 200)
        elif isinstance(received.body, wire.Unbind):
            peer.send(wire.UnbindResp(), received.sequence)
            return


async def test_an_accepted_text_is_told_in_sentences_and_ends_with_zero(run: Command) -> None:
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:
        group.create_task(serve(smsc))
        code, printed = await run(smsc.port, body="x" * 200)
    assert code == 0, printed
    assert "Accepted: 2 segment(s), 200 units of GSM." in printed
    assert "Segment 2: id 02." in printed


async def test_a_delivered_text_ends_with_zero_and_shows_receipts_and_replies(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:
        group.create_task(serve(smsc, state="DELIVRD"))
        code, printed = await run(
            smsc.port, "--wait-receipt", "5", body="x" * 200, password=("--password-file", str(file))
        )
    assert code == 0, printed
    assert "Receipt for 2: delivered, error 1." in printed
    assert printed.rstrip().endswith("Delivered.")


async def test_a_text_that_is_not_delivered_ends_with_one_and_speaks_json_if_asked(run: Command) -> None:
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:
        group.create_task(serve(smsc, state="UNDELIV"))
        code, printed = await run(smsc.port, "--wait-receipt", "5", "--json")
    assert code == 1, printed
    events = [json.loads(line)["event"] for line in printed.splitlines()]
    assert events[:3] == ["bound", "accepted", "segment"]
    assert "undelivered" in events


async def test_a_receipt_that_does_not_come_ends_with_one(run: Command) -> None:
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:
        group.create_task(serve(smsc))
        code, printed = await run(smsc.port, "--wait-receipt", "0.1")
    assert code == 1, printed
    assert "No final receipt for 1 segment(s) within 0.1 s." in printed


async def test_a_refused_text_ends_with_one_and_says_what_to_mend(run: Command) -> None:
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:
        group.create_task(serve(smsc, status=0x0A))
        code, printed = await run(smsc.port)
    assert code == 1, printed
    assert "ESME_RINVSRCADR (0x0A). To mend it: the sender is not allowed or wrongly typed" in printed


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["--from", "twelve chars"], "neither E.164, nor a short code"),
        (["--to", "305"], "is not E.164"),
        (
            ["--password-env", "RINGBACK_NOT_SET"],
            "the environment variable RINGBACK_NOT_SET is not set: export it first",
        ),
        (["--tls", "--ca-file", "/nowhere"], "No such file"),
        (["--system-id", "x" * 16], "system_id: 15 characters at most"),
    ],
)
async def test_wrong_usage_ends_with_two_and_says_what_is_wrong(run: Command, extra: list[str], sentence: str) -> None:
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:
        serving = group.create_task(serve(smsc))
        code, printed = await run(smsc.port, *extra)
        serving.cancel()
    assert code == 2, printed
    assert sentence in printed


async def test_a_password_file_that_is_not_there_ends_with_two(run: Command) -> None:
    code, printed = await run(1, password=("--password-file", "/nowhere/password"))
    assert code == 2
    assert "the password file cannot be read" in printed


async def test_no_carrier_ends_with_two_and_says_what_to_check(run: Command) -> None:
    code, printed = await run(free_port())
    assert code == 2
    assert "To mend it: check host, port, firewall and TLS." in printed


async def test_a_wrong_password_ends_with_two_and_says_so(run: Command) -> None:
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:

        async def refuse() -> None:
            peer = await smsc.peer()
            sequence, _ = await peer.expect(wire.BindTransceiver)
            peer.send(wire.BindTransceiverResp(), sequence, 0x0E)

        group.create_task(refuse())
        code, printed = await run(smsc.port)
    assert code == 2
    assert "ESME_RINVPASWD (0x0E): the password is wrong." in printed


async def test_it_is_a_program() -> None:
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:
        group.create_task(serve(smsc))
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "sms_gateway", *arguments(smsc.port))
        assert await process.wait() == 0
