"""What must hold for any octets at all. Each oracle takes what a stranger sent and raises only if we are wrong.

The tests feed them with damaged samples, ``python -m tests.fuzz`` with what coverage-guided search finds.
"""

# ruff: noqa: PT017 - an oracle judges what was found and what was refused alike

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from panoramisk.message import Message

from ari_app import numbering
from ari_app.pbx import ami_messages, ami_session, messages
from ari_app.pbx.errors import MalformedEventError
from ari_app.pbx.ledger import read_cdr, read_cel
from ari_app.pbx.lines import Page
from ari_app.pbx.message_spool import read_messages
from ari_app.recovery.keywords import keyword
from ari_app.recovery.patterns import Pattern, PatternError
from ari_app.recovery.templates import FIELD_LIMITS, Template, TemplateError, clean, first_name
from ari_app.recovery.values import NumberKind, e164
from ari_app.settings.loading import load
from ari_app.settings.problem import SettingsError, Severity
from sms_gateway import sip
from sms_gateway.errors import PduError
from sms_gateway.messages import Receipt
from sms_gateway.reassembly import Joined
from sms_gateway.receipts import ReceiptFacts, parse_receipt
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.arrival import interpret, text_of
from sms_gateway.smpp.events import Accepted, Closed, Queried, Refusal, Unanswered
from sms_gateway.smpp.options import LinkOptions
from sms_gateway.smpp.session import Session, State, Timing

Oracle = Callable[[bytes], None]

_LINK = LinkOptions(host="smsc.example", port=2775, system_id="ringback", password="secret")
_BIND = wire.BindTransceiver(system_id="ringback", password="secret")


# ---------------------------------------------------------------------------------------------------------------- SMPP
def pdu(data: bytes) -> None:
    """A PDU, or an error that names field and place; what was understood is said again in the same meaning."""
    try:
        read = wire.decode(data)
    except PduError as error:
        assert error.field
        return
    with contextlib.suppress(PduError):  # a status may come without a body, which we would not send
        assert wire.decode(wire.encode(read.body, read.sequence)).body == read.body
    if isinstance(read.body, wire.DeliverSm | wire.DataSm):
        _arrived(read.body)


def _arrived(body: wire.DeliverSm | wire.DataSm) -> None:
    found = interpret(body, _LINK)
    if isinstance(found, Receipt):
        assert len(set(found.candidates)) == len(found.candidates)
    else:
        text = text_of(Joined((found,)), "id")
        assert text.unreadable or text.body.strip()
        assert keyword(text.body) is not None


def session(data: bytes) -> None:
    """A bound session with two open requests: each ends in exactly one way, and what we send is SMPP."""
    ours = Session(_BIND, Timing(window=2, inbound_window=2))
    ours.start(0.0)
    ours.receive_data(wire.encode(wire.BindTransceiverResp(system_id="smsc"), 1), 0.0)
    open_requests = {ours.request(wire.SubmitSm(short_message=b"hi"), 0.0) for _ in range(2)}
    sent = ours.data_to_send()
    cut = data[0] % 40 if data else 0
    for chunk in (data[1 : 1 + cut], data[1 + cut :]):
        ours.receive_data(chunk, 1.0)
        sent += ours.data_to_send()
    while (deadline := ours.next_deadline()) is not None:
        ours.handle_timer(deadline)
        sent += ours.data_to_send()
        if deadline > 100.0:
            ours.connection_lost("over")
    ended: list[int] = []
    for event in ours.events():
        if isinstance(event, Accepted | Refusal | Queried | Unanswered):
            ended.append(event.sequence)
        elif isinstance(event, Closed):
            ended += [*event.in_doubt, *event.not_sent]
    assert ours.state is State.CLOSED
    assert sorted(ended) == sorted(open_requests)
    while sent:
        header = wire.read_header(sent)
        wire.decode(sent[: header.length])
        sent = sent[header.length :]


def receipt(data: bytes) -> None:
    """A receipt in whatever words."""
    found = parse_receipt(ReceiptFacts(data.decode("latin-1"), "+13055550123", "+13055550100"))
    assert len(set(found.candidates)) == len(found.candidates)
    assert found.done_at is None or found.done_at.tzinfo is not None


def sip_message(data: bytes) -> None:
    """A SIP MESSAGE: three lines, of sender, recipient and text."""
    sender, _, rest = data.decode("utf-8", "replace").partition("\n")
    recipient, _, body = rest.partition("\n")
    text = sip.inbound_from_sip(sender, recipient, body, "id")
    assert text.unreadable or text.body.strip()
    for number in (text.source, text.destination):
        assert number.isprintable()


# ----------------------------------------------------------------------------------------------------------- Asterisk
def ari(data: bytes) -> None:
    """An ARI event, or a refusal by name."""
    with contextlib.suppress(MalformedEventError):
        messages.parse_event(data)


def ami(data: bytes) -> None:
    """An AMI message as panoramisk cuts it, and the event in it."""
    message = Message.from_line(data.decode("utf-8", "replace").strip())
    if message is None:
        return
    headers = {name.lower(): value for name, value in message.items() if isinstance(value, str)}
    with contextlib.suppress(MalformedEventError):
        event = ami_messages.parse_event(headers)
        if isinstance(event, ami_messages.ChannelEvent):
            _caller(event.channel.caller_number, event.channel.caller_name)


def ami_stream(data: bytes) -> None:
    """A connection to AMI: first how its octets are cut into packets, then they. Whatever the cuts, the same is heard, and
    what never ends is a lost connection."""
    cuts, octets = random.Random(data[:4]), data[4:]
    endless = data[:1] >= b"\xe0"
    if endless:
        at = cuts.randint(0, len(octets))
        octets = octets[:at] + b"\nx" * ami_session.LONGEST_MESSAGE_OCTETS + octets[at:]
    longest = 1 << 16 if endless else 40
    packets, at = [], 0
    while at < len(octets):
        packets.append(octets[at : at + cuts.randint(1, longest)])
        at += len(packets[-1])
    heard, lost = asyncio.run(_heard(packets))
    assert (heard, lost) == asyncio.run(_heard([octets[at : at + (1 << 18)] for at in range(0, len(octets), 1 << 18)]))
    assert lost or not endless
    for headers in heard:
        assert all(name.islower() or not name.isalpha() for name in headers)
        assert all(isinstance(value, str) for value in headers.values())


class _Wire(asyncio.Transport):
    """Takes what is written; nobody reads it."""

    closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


async def _heard(packets: list[bytes]) -> tuple[list[ami_messages.Headers], bool]:
    """What is heard of packets on a connection on which one action waits for its answer; whether it is lost in the end."""
    wire, heard = _Wire(), list[ami_messages.Headers]()
    protocol, manager = ami_session._Protocol(), ami_session._Manager(asyncio.get_running_loop())
    manager.register_event("*", lambda _, message: heard.append(ami_session._plain(message)))
    protocol.connection_made(wire)
    manager.adopt(wire, protocol)
    manager.send_action({"Action": "Status", "ActionID": "1"}, as_list=True)
    for packet in packets:
        if not wire.closed:  # as asyncio does
            protocol.data_received(packet)
    return heard, wire.closed


def cdr(data: bytes) -> None:
    """Asterisk's records."""
    _page(data, read_cdr)


def cel(data: bytes) -> None:
    """Asterisk's events."""
    _page(data, read_cel)


def spool(data: bytes) -> None:
    """Messages that the dialplan wrote down."""
    _page(data, read_messages)


def _page(data: bytes, read: Callable[[Path, int], Page[Any]]) -> None:
    """Every whole line is a row or counted as unreadable, and is never read twice."""
    with _file(data) as path:
        page = read(path, 0)
        whole = data[: data.rfind(b"\n") + 1]
        assert len(page.rows) + page.unreadable == len(whole.splitlines())
        assert page.offset == len(whole)
        assert not read(path, page.offset).rows


# ------------------------------------------------------------------------------------------------------ people's words
def number(data: bytes) -> None:
    """A caller's number: contactable or not, and never anything but digits behind a plus."""
    raw, _, name = data.decode("utf-8", "replace").partition("\n")
    _caller(raw, name)


def _caller(raw: str, name: str) -> None:
    party = numbering.classify(raw, "US")
    assert (party.number is None) == (party.kind in (NumberKind.WITHHELD, NumberKind.MALFORMED))
    if party.number is not None:
        assert e164(party.number) == party.number
        assert numbering.zones(party.number)
        assert numbering.classify(party.number, "US").number == party.number
    numbering.canonical(raw, "US")
    shown = clean(name, 40)
    assert shown.isprintable() or not shown.isascii()
    assert not {"\r", "\n", "\0"} & set(shown)
    first = first_name(name)
    assert first is None or (first.isascii() and first.isprintable())


def words(data: bytes) -> None:
    """What a person writes: always exactly one keyword, and the same for the same words in capitals."""
    text = data.decode("utf-8", "replace")
    assert keyword(text) is keyword(text)
    if text.isascii():
        assert keyword(text.upper()) is keyword(text.lower())


def template(data: bytes) -> None:
    """A template of a text: understood or refused at a place; and what it renders holds nothing that a caller chose to add."""
    source = data.decode("utf-8", "replace")
    try:
        parsed = Template.parse(source)
    except TemplateError as error:
        assert 0 <= error.at <= len(source)
        return
    nasty = dict.fromkeys(FIELD_LIMITS, "{brokerage}[x]\r\n\u202e")
    plain = dict.fromkeys(FIELD_LIMITS, "{brokerage}[x]")
    assert parsed.render(nasty) == parsed.render(plain)


def pattern(data: bytes) -> None:
    """A pattern of dialled numbers."""
    text = data.decode("utf-8", "replace")
    try:
        parsed = Pattern.parse(text)
    except PatternError as error:
        assert 0 <= error.at <= len(text)
        return
    for dialled in ("13055550100", "911", "", "*97"):
        assert parsed.matches(dialled) in (True, False)


def settings(data: bytes) -> None:
    """A settings file: taken, or refused with every problem at its place, and never a traceback."""
    with _file(data) as path:
        try:
            load(path)
        except SettingsError as error:
            lines = data.count(b"\n") + data.count(b"\r") + 2
            lines += sum(data.count(end.encode()) for end in ("\x85", "\u2028", "\u2029"))
            assert any(problem.severity is Severity.ERROR for problem in error.problems)
            for problem in error.problems:
                assert 1 <= problem.mark.line <= lines, str(problem)
                assert problem.mark.column >= 1
                assert problem.what
                assert problem.as_json()


@contextlib.contextmanager
def _file(data: bytes) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(suffix=".yaml")
    try:
        os.write(descriptor, data)
        os.close(descriptor)
        yield Path(name)
    finally:
        Path(name).unlink()


ORACLES: dict[str, Oracle] = {
    oracle.__name__: oracle
    for oracle in (
        pdu,
        session,
        receipt,
        sip_message,
        ari,
        ami,
        ami_stream,
        cdr,
        cel,
        spool,
        number,
        words,
        template,
        pattern,
        settings,
    )
}
