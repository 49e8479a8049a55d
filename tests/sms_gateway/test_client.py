"""The gateway against an SMSC of somebody else's making, over real sockets."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import smpp34
import uvloop

from sms_gateway.encoding import Alphabet, decode
from sms_gateway.errors import InDoubt, NotSent, Refused
from sms_gateway.gateway import Route, Routes
from sms_gateway.messages import DeliveryState, InboundText, Receipt, Submission
from sms_gateway.receipts import canonical_id
from sms_gateway.smpp.client import SmppGateway
from sms_gateway.smpp.health import LinkState
from sms_gateway.smpp.options import BindMode, Segmentation, TlsOptions
from tests.sms_gateway.certificates import Certificate, make_certificate
from tests.sms_gateway.independent import independent_smsc
from tests.sms_gateway.relay import relay
from tests.sms_gateway.scripted import CALLER, OFFICE, Inbox, attempt, gateway, options, text, until_stored
from tests.support.ports import free_port
from tests.support.waiting import until


async def test_a_text_arrives_as_it_was_written() -> None:
    async with independent_smsc() as smsc, gateway(options(smsc.port), Inbox()) as client:
        assert await client.send(text("Grüße, 5 € @ [here]")) == Submission(("id-1",), 1)
        (submit,) = smsc.submits
        assert (submit.source_addr, submit.source_addr_ton, submit.source_addr_npi) == (OFFICE[1:], 1, 1)
        assert (submit.destination_addr, submit.dest_addr_ton, submit.dest_addr_npi) == (CALLER[1:], 1, 1)
        assert (submit.data_coding, submit.registered_delivery, submit.esm_class) == (0, 1, 0)
        assert decode(submit.short_message, Alphabet.GSM) == "Grüße, 5 € @ [here]"
        assert client.health.up
        assert client.status.counters.accepted == 1


@pytest.mark.parametrize("segmentation", list(Segmentation))
async def test_a_long_text_arrives_whole_in_every_segmentation(segmentation: Segmentation) -> None:
    body = "Hallo 😀 " * 30
    async with independent_smsc() as smsc, gateway(options(smsc.port, segmentation=segmentation), Inbox()) as client:
        submission = await client.send(text(body))
        assert submission.message_ids == tuple(f"id-{n}" for n in range(1, len(smsc.submits) + 1))
        header = {Segmentation.UDH8: 6, Segmentation.UDH16: 7}.get(segmentation, 0)
        octets = b"".join(payload_of(submit)[header:] for submit in smsc.submits)
        assert octets.decode("utf-16-be") == body


def payload_of(submit: smpp34.SubmitSmEvent) -> bytes:
    return next((tlv.value for tlv in submit.tlvs if tlv.tag == 0x0424), submit.short_message)


async def test_a_route_leads_to_the_gateway() -> None:
    async with independent_smsc() as smsc, gateway(options(smsc.port), Inbox()) as client:
        routes = Routes([Route("+1", client.name)], {client.name: client})
        assert (await routes.choose(CALLER).send(text())).segments == 1


async def test_split_binds_are_two_clients_to_the_carrier() -> None:
    async with independent_smsc() as smsc, gateway(options(smsc.port, bind=BindMode.SPLIT), Inbox()) as client:
        await client.wait_bound(5.0)
        await until(lambda: len(smsc.clients) == 2)
        assert (await client.send(text())).segments == 1
        assert sum(esme.can_receive for esme in smsc.clients.values()) == 1


async def test_receipts_and_texts_come_in_and_are_acknowledged_once_stored() -> None:
    inbox = Inbox()
    async with independent_smsc() as smsc, gateway(options(smsc.port), inbox) as client, asyncio.TaskGroup() as group:
        submission = await client.send(text())
        esme = await smsc.client()
        inbox.gate.clear()
        receipt = (
            b"id:ID-1 sub:001 dlvrd:001 submit date:2611231405 done date:2611231406 stat:DELIVRD err:000 text:Sorry"
        )

        async def deliver() -> smpp34.DeliverSmResp:
            return await esme.deliver_sm(OFFICE[1:], receipt, source_addr=CALLER[1:], source_addr_ton=1, esm_class=4)

        delivering = group.create_task(deliver())
        await until(lambda: client.status.counters.receipts == 1)
        assert not delivering.done()
        inbox.gate.set()
        assert (await delivering).is_success
        assert inbox.receipts[0].state is DeliveryState.DELIVERED
        assert canonical_id(submission.message_ids[0]) in inbox.receipts[0].candidates
        stop = await esme.deliver_sm(OFFICE[1:], b"STOP", source_addr=CALLER[1:], source_addr_ton=1)
        assert stop.is_success
        assert (inbox.texts[0].source, inbox.texts[0].body) == (CALLER, "STOP")


class Obedient(Inbox):
    """Whoever writes is sent nothing more."""

    client: SmppGateway

    async def store(self, message: InboundText | Receipt) -> None:
        await super().store(message)
        self.client.withdraw(message.source)


async def test_what_the_carrier_has_kept_for_us_is_heard_before_a_text_leaves() -> None:
    inbox = Obedient()
    async with independent_smsc() as smsc, asyncio.TaskGroup() as group:
        inbox.client = gateway(options(smsc.port, listen_seconds=0.3), inbox)
        async with inbox.client as client:
            sending = group.create_task(attempt(client.send(text(), within_seconds=10.0)))
            esme = await smsc.client()
            await esme.deliver_sm(OFFICE[1:], b"STOP", source_addr=CALLER[1:], source_addr_ton=1)
            outcome = await sending
            assert isinstance(outcome, NotSent)
            assert "withdrawn" in str(outcome)
            assert (await client.send(text())).segments == 1, "a later text is another matter"
        assert len(smsc.submits) == 1


async def test_a_carrier_that_never_ends_to_talk_holds_texts_up_for_a_while_only() -> None:
    inbox = Inbox()
    async with (
        independent_smsc() as smsc,
        gateway(options(smsc.port, listen_seconds=0.1), inbox) as client,
        asyncio.TaskGroup() as group,
    ):
        sending = group.create_task(client.send(text(), within_seconds=10.0))
        esme = await smsc.client()
        for turn in itertools.count():
            await esme.deliver_sm(OFFICE[1:], f"and {turn}".encode(), source_addr=CALLER[1:], source_addr_ton=1)
            if sending.done():
                break
        assert sending.result().segments == 1
        assert len(inbox.texts) > 1


async def test_a_text_that_waits_for_its_turn_is_withdrawn_and_one_on_the_wire_is_not() -> None:
    async with (
        independent_smsc(lambda _: None) as smsc,
        gateway(options(smsc.port, window=1), Inbox()) as client,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(attempt(client.send(text(reference="r1"))))
        await until(lambda: smsc.submits)
        second = group.create_task(attempt(client.send(text(reference="r2"))))
        other = group.create_task(attempt(client.send(text(reference="r3", destination="+13055550124"))))
        third = group.create_task(attempt(client.send(text(reference="r4"))))
        await until(lambda: client.status.queued == 3)
        client.withdraw(CALLER, "r4")
        assert isinstance(await third, NotSent)
        assert not second.done(), "one text was meant"
        client.withdraw(CALLER)
        assert isinstance(await second, NotSent)
        assert not first.done()
        assert not other.done()
        smsc.accept_unanswered()
        await until(lambda: len(smsc.submits) == 2)
        smsc.accept_unanswered()
        assert isinstance(await first, Submission)
        assert isinstance(await other, Submission)


async def test_a_stop_that_could_not_be_stored_is_refused_to_the_carrier() -> None:
    inbox = Inbox(failures=1)
    async with independent_smsc() as smsc, gateway(options(smsc.port), inbox):
        esme = await smsc.client()
        first = await esme.deliver_sm(OFFICE[1:], b"STOP", source_addr=CALLER[1:])
        assert first.command_status == 0x08
        assert (await esme.deliver_sm(OFFICE[1:], b"STOP", source_addr=CALLER[1:])).is_success


async def test_throttled_texts_arrive_all_the_same() -> None:
    turns: Iterator[str | int] = iter([0x58, 0x14, "id-1"])
    async with independent_smsc(lambda _: next(turns)) as smsc, gateway(options(smsc.port), Inbox()) as client:
        assert (await client.send(text())).message_ids == ("id-1",)
        assert len(smsc.submits) == 3


async def test_a_refused_text_is_told_by_name() -> None:
    async with (
        independent_smsc(lambda _: 0x0B) as smsc,
        gateway(options(smsc.port), Inbox()) as client,
    ):
        with pytest.raises(Refused, match="ESME_RINVDSTADR") as error:
            await client.send(text())
        assert error.value.permanent


async def test_no_answer_is_in_doubt_and_the_next_text_goes_over_a_new_connection() -> None:
    answers = iter([None])
    async with (
        independent_smsc(lambda _: next(answers, "id-2")) as smsc,
        gateway(options(smsc.port, response_seconds=0.2), Inbox()) as client,
    ):
        with pytest.raises(InDoubt):
            await client.send(text())
        assert (await client.send(text())).message_ids == ("id-2",)
        assert client.status.counters.binds == 2


async def test_a_restart_of_the_carrier_loses_and_doubles_nothing() -> None:
    port = free_port()
    async with gateway(options(port), Inbox()) as client:
        async with asyncio.TaskGroup() as group, independent_smsc(lambda _: None, port=port) as before:
            await client.wait_bound(5.0)
            sending = [group.create_task(attempt(client.send(text(f"before {n}")))) for n in range(3)]
            await until(lambda: len(before.submits) == 3)
        assert [type(outcome) for outcome in await asyncio.gather(*sending)] == [InDoubt] * 3
        async with independent_smsc(port=port) as after:
            assert await client.send(text("after")) == Submission(("id-1",), 1)
            assert [submit.short_message for submit in after.submits] == [b"after"]


async def test_a_thousand_texts_at_once_arrive_once_each() -> None:
    async with independent_smsc() as smsc, gateway(options(smsc.port, rate_per_second=1e6), Inbox()) as client:
        outcomes = await asyncio.gather(*(client.send(text(f"{n}")) for n in range(1000)))
        assert len({outcome.message_ids for outcome in outcomes}) == 1000
        assert {submit.short_message for submit in smsc.submits} == {b"%d" % n for n in range(1000)}
        assert len(smsc.submits) == 1000


async def test_stopping_is_an_unbind_that_the_carrier_sees() -> None:
    async with independent_smsc() as smsc:
        async with gateway(options(smsc.port, stop_seconds=5.0), Inbox()) as client:
            await smsc.client()
        assert client.status.state is LinkState.STOPPED
        await until(lambda: not smsc.clients)


async def test_an_error_in_the_callers_block_is_not_wrapped() -> None:
    async with independent_smsc() as smsc:

        async def fail() -> None:
            async with gateway(options(smsc.port), Inbox()) as client:
                await client.wait_bound(5.0)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()


async def test_logs_hold_no_password_no_body_and_no_whole_number(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    inbox = Inbox(failures=1)
    async with independent_smsc() as smsc, gateway(options(smsc.port, password="hunter2"), inbox) as client:
        await client.send(text("a private matter"))
        esme = await smsc.client()
        await esme.deliver_sm(OFFICE[1:], b"another matter", source_addr=CALLER[1:], source_addr_ton=1)
        await esme.deliver_sm(OFFICE[1:], b"another matter", source_addr=CALLER[1:], source_addr_ton=1)
        await until_stored(inbox, 1)
    assert "text=r1 to=…0123 accepted" in caplog.text
    assert "a message from …0123 was not stored" in caplog.text
    for secret in ("hunter2", "matter", CALLER[1:], OFFICE[1:]):
        assert secret not in caplog.text


# ----------------------------------------------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    folder: Path = tmp_path_factory.mktemp("certificates")
    return {name: make_certificate(folder, name) for name in ("smsc.example", "client.example")}


async def test_tls_is_verified_by_name_and_authority(certificates: dict[str, Certificate]) -> None:
    smsc_certificate = certificates["smsc.example"]
    tls = TlsOptions(ca_file=f"{smsc_certificate.path}.crt", server_name="smsc.example")
    async with (
        independent_smsc() as smsc,
        relay(smsc.port, context=smsc_certificate.server_context()) as port,
        gateway(options(port, tls=tls), Inbox()) as client,
    ):
        assert (await client.send(text())).segments == 1


@pytest.mark.parametrize(
    ("authority", "name", "complaint"),
    [
        ("smsc.example", None, "IP address mismatch"),
        ("smsc.example", "other.example", "Hostname mismatch"),
        ("client.example", "smsc.example", "certificate verify failed"),
        (None, "smsc.example", "certificate verify failed"),
    ],
)
async def test_a_carrier_that_is_not_who_it_says_is_not_bound(
    certificates: dict[str, Certificate], authority: str | None, name: str | None, complaint: str
) -> None:
    tls = TlsOptions(ca_file=f"{certificates[authority].path}.crt" if authority else None, server_name=name)
    context = certificates["smsc.example"].server_context()
    async with independent_smsc() as smsc, relay(smsc.port, context=context) as port:
        async with gateway(options(port, tls=tls), Inbox()) as client:
            with pytest.raises(NotSent, match=complaint):
                await client.wait_bound(5.0, persist=False)
        assert not smsc.clients


async def test_our_own_certificate_is_shown_where_the_carrier_asks(certificates: dict[str, Certificate]) -> None:
    ours, theirs = certificates["client.example"], certificates["smsc.example"]
    context = theirs.server_context(ask_client=Path(f"{ours.path}.crt"))
    tls = TlsOptions(
        ca_file=f"{theirs.path}.crt",
        server_name="smsc.example",
        certificate_file=str(ours.path),
        key_file=str(ours.path),
    )
    async with (
        independent_smsc() as smsc,
        relay(smsc.port, context=context) as port,
        gateway(options(port, tls=tls), Inbox()) as client,
    ):
        assert (await client.send(text())).segments == 1


async def test_a_plain_client_is_not_bound_where_the_carrier_speaks_tls(certificates: dict[str, Certificate]) -> None:
    context = certificates["smsc.example"].server_context()
    async with (
        independent_smsc() as smsc,
        relay(smsc.port, context=context) as port,
        gateway(options(port), Inbox()) as client,
    ):
        with pytest.raises(NotSent):
            await client.wait_bound(5.0, persist=False)


def test_it_runs_on_uvloop_as_well(certificates: dict[str, Certificate]) -> None:
    certificate = certificates["smsc.example"]
    tls = TlsOptions(ca_file=f"{certificate.path}.crt", server_name="smsc.example")

    async def send_plainly_and_over_tls() -> list[int]:
        async with (
            independent_smsc() as smsc,
            relay(smsc.port, context=certificate.server_context()) as port,
            gateway(options(smsc.port), Inbox()) as plain,
            gateway(options(port, tls=tls), Inbox()) as secure,
        ):
            return [(await client.send(text("x" * 200))).segments for client in (plain, secure)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(send_plainly_and_over_tls()) == [2, 2]


def test_certificate_files_that_are_not_there_are_told_at_once() -> None:
    async def make() -> None:
        gateway(options(1, tls=TlsOptions(ca_file="/nowhere/ca.pem")), Inbox())

    with pytest.raises(FileNotFoundError):
        asyncio.run(make())
