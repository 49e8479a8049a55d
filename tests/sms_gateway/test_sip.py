"""Texts by SIP MESSAGE."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.errors import InDoubt, NotSent, Refused, TextInvalid
from sms_gateway.gateway import Gateway
from sms_gateway.messages import Address, OutboundText, Submission
from sms_gateway.sip import SipOptions, SipTextGateway, inbound_from_sip, number_of
from tests.sms_gateway.scripted import CALLER, OFFICE, attempt, text

OPTIONS = SipOptions("pjsip:carrier/sip:{number}@sip.carrier.example", "sip:{number}@pbx.example", max_body_octets=40)


@dataclass
class Stack:
    """A SIP stack that takes messages, or does what it is told instead."""

    available: bool = True
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    sent: list[tuple[str, str, str]] = field(default_factory=list)

    async def send_message(self, to_uri: str, from_uri: str, body: str) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.sent.append((to_uri, from_uri, body))


async def test_a_text_is_one_message_without_an_id() -> None:
    stack = Stack()
    gateway: Gateway = SipTextGateway(OPTIONS, stack)
    assert await gateway.send(text("Grüße\r\nvon uns\r\n")) == Submission((), 1)
    assert stack.sent == [
        (f"pjsip:carrier/sip:{CALLER}@sip.carrier.example", f"sip:{OFFICE}@pbx.example", "Grüße\nvon uns")
    ]


async def test_a_sender_cannot_break_out_of_its_uri() -> None:
    stack = Stack()
    await SipTextGateway(OPTIONS, stack).send(OutboundText(Address("a@b>\r\nX: y"), CALLER, "hi", "r"))
    assert stack.sent[0][1] == "sip:a%40b%3E%0D%0AX%3A%20y@pbx.example"


@pytest.mark.parametrize(
    ("body", "complaint"), [("ü" * 21, "takes 42 octets, 40 are allowed"), ("\x00\x01", "nothing is left")]
)
async def test_a_text_that_does_not_fit_is_refused_before_it_leaves(body: str, complaint: str) -> None:
    stack = Stack()
    with pytest.raises(TextInvalid, match=complaint):
        await SipTextGateway(OPTIONS, stack).send(text(body))
    assert stack.sent == []


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (ConnectionRefusedError("port 8088"), NotSent),
        (NotSent("no endpoint"), NotSent),
        (ConnectionResetError("gone"), InDoubt),
        (TimeoutError(), InDoubt),
        (Refused(404, "Not Found", permanent=True), Refused),
    ],
)
async def test_failures_are_told_by_whether_something_may_have_left(
    failure: Exception, raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        await SipTextGateway(OPTIONS, Stack(failure=failure)).send(text())


async def test_a_stack_that_does_not_confirm_in_time_is_in_doubt() -> None:
    with pytest.raises(InDoubt, match="time-out") as error:
        await SipTextGateway(OPTIONS, Stack(gate=asyncio.Event())).send(text(), within_seconds=0.01)
    assert error.value.in_doubt == (1,)


async def test_the_gateway_runs_until_it_is_stopped() -> None:
    stack = Stack()
    gateway = SipTextGateway(OPTIONS, stack, name="trunk")
    async with asyncio.TaskGroup() as group:
        group.create_task(gateway.run())
        assert gateway.health.up
        stack.available = False
        assert not gateway.health.up
        stack.available = True
        await gateway.stop()
    assert not gateway.health.up
    assert isinstance(await attempt(gateway.send(text())), NotSent)


@pytest.mark.parametrize("template", ["sip:carrier", "sip:{number}@{number}", "sip:{number}@a\r\nb"])
def test_templates_must_hold_the_number_once(template: str) -> None:
    with pytest.raises(ValueError, match="must hold"):
        SipOptions(template, "sip:{number}@pbx")


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:+13055550123@carrier.example", "+13055550123"),
        ("sips:+13055550123@carrier.example;user=phone", "+13055550123"),
        ('"Jane: <sip:1@evil>" <sip:+13055550123@carrier.example;user=phone>', "+13055550123"),
        ("Jane <sip:+13055550123@[2001:db8::1]:5061>", "+13055550123"),
        ("tel:+1-305-555-0123", "+13055550123"),
        ("tel:(305)555.0123;phone-context=+1", "3055550123"),
        ("pjsip:carrier/sip:+13055550123@carrier.example", "+13055550123"),
        ("pjsip:sip:13055550100@pbx", "13055550100"),
        ("sip:%2B13055550123@carrier.example", "+13055550123"),
        ("pjsip:6001", "6001"),
        ("pjsip:+13055550100@127.0.0.1", "+13055550100"),
        ("pjsip:+13055550100@[2001:db8::1]:5061", "+13055550100"),
        ("sip:jane.doe@example.com", "jane.doe"),
        ("SIP:JANE@example.com", "JANE"),
        ("sip:a%0d%0ab@example.com", "ab"),
        ("", ""),
    ],
)
def test_numbers_are_found_in_every_form_of_uri(uri: str, number: str) -> None:
    assert number_of(uri) == number


@given(st.text())
def test_any_uri_has_some_user_that_can_be_printed(uri: str) -> None:
    assert number_of(uri).isprintable()


def test_an_inbound_message_is_a_text() -> None:
    received = inbound_from_sip(f"<sip:{CALLER}@c>", f"pjsip:sip:{OFFICE}@pbx", "STOP\r\n", "sip:1")
    assert (received.source, received.destination, received.body) == (CALLER, OFFICE, "STOP")
    assert (received.source_id, received.unreadable) == ("sip:1", False)
    again = inbound_from_sip(f"sip:{CALLER}@c", f"sip:{OFFICE}@pbx", "STOP", "sip:2")
    assert again.fingerprint == received.fingerprint


@pytest.mark.parametrize("body", ["", "\r\n", "\x00"])
def test_an_empty_message_is_unreadable_because_asterisk_empties_what_is_too_long(body: str) -> None:
    assert inbound_from_sip("sip:1@a", "sip:2@b", body, "x").unreadable
