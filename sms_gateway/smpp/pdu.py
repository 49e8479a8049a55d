"""The PDUs of SMPP 3.4 that an ESME meets, as typed values, and their octets. Pure.

The attributes of a body, in their order and by their annotation, are its layout on the wire. Decoding raises
`PduError` and nothing else, whatever the octets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, get_type_hints

from sms_gateway.errors import PduError
from sms_gateway.smpp.fields import (
    Cursor,
    Field,
    OctetField,
    ShortMessageField,
    String6,
    String13,
    String16,
    String17,
    String21,
    String41,
    String64,
    String65,
    Tlvs,
    TlvsField,
)
from sms_gateway.smpp.status import INVALID_COMMAND, INVALID_LENGTH

HEADER_OCTETS = 16  # SMPP 3.4 section 3.2
MAX_OCTETS = 64 * 1024  # ours; the standard names no limit
RESPONSE_BIT = 0x80000000  # SMPP 3.4 section 5.1.2
MAX_SEQUENCE = 0x7FFFFFFF  # SMPP 3.4 section 5.1.4
INTERFACE_VERSION = 0x34  # SMPP 3.4 section 5.2.4

ESM_TYPE_MASK = 0x3C  # SMPP 3.4 section 5.2.12: message type, bits 5-2
ESM_RECEIPT = 0x04
ESM_INTERMEDIATE = 0x20
ESM_UDHI = 0x40

TAG_RECEIPTED_MESSAGE_ID = 0x001E  # SMPP 3.4 section 5.3.2
TAG_USER_MESSAGE_REFERENCE = 0x0204
TAG_SAR_REFERENCE = 0x020C
TAG_SAR_TOTAL = 0x020E
TAG_SAR_INDEX = 0x020F
TAG_NETWORK_ERROR = 0x0423
TAG_MESSAGE_PAYLOAD = 0x0424
TAG_MESSAGE_STATE = 0x0427

_HEADER = struct.Struct(">IIII")


class Body:
    """What follows the header of one kind of PDU."""

    __slots__ = ()
    command_id: ClassVar[int]


class Header(NamedTuple):
    """The sixteen octets before every body, SMPP 3.4 section 3.2."""

    length: int
    command_id: int
    status: int
    sequence: int


class Pdu(NamedTuple):
    """One PDU."""

    command_id: int
    status: int
    sequence: int
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind(Body):
    """SMPP 3.4 section 4.1. The standard allows 8 characters of password; carriers issue longer ones."""

    system_id: String16
    password: String64 = field(repr=False)
    system_type: String13 = ""
    interface_version: OctetField = INTERFACE_VERSION
    addr_ton: OctetField = 0
    addr_npi: OctetField = 0
    address_range: String41 = ""


class BindReceiver(Bind):
    """Opens a session that only receives."""

    __slots__ = ()
    command_id = 0x01


class BindTransmitter(Bind):
    """Opens a session that only submits."""

    __slots__ = ()
    command_id = 0x02


class BindTransceiver(Bind):
    """Opens a session that does both."""

    __slots__ = ()
    command_id = 0x09


@dataclass(frozen=True, slots=True, kw_only=True)
class BindResp(Body):
    """Answer to a bind, SMPP 3.4 section 4.1.2."""

    system_id: String16 = ""
    tlvs: TlvsField = ()


class BindReceiverResp(BindResp):
    """Answer to bind_receiver."""

    __slots__ = ()
    command_id = BindReceiver.command_id | RESPONSE_BIT


class BindTransmitterResp(BindResp):
    """Answer to bind_transmitter."""

    __slots__ = ()
    command_id = BindTransmitter.command_id | RESPONSE_BIT


class BindTransceiverResp(BindResp):
    """Answer to bind_transceiver."""

    __slots__ = ()
    command_id = BindTransceiver.command_id | RESPONSE_BIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbind(Body):
    """The SMSC invites us to bind, SMPP 3.4 section 4.1.7."""

    command_id = 0x0B
    system_id: String16 = ""
    password: String64 = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Unbind(Body):
    """Ends the session, SMPP 3.4 section 4.2."""

    command_id = 0x06


@dataclass(frozen=True, slots=True)
class UnbindResp(Body):
    """Answer to unbind."""

    command_id = Unbind.command_id | RESPONSE_BIT


@dataclass(frozen=True, slots=True)
class EnquireLink(Body):
    """Are you there, SMPP 3.4 section 4.11."""

    command_id = 0x15


@dataclass(frozen=True, slots=True)
class EnquireLinkResp(Body):
    """Here I am."""

    command_id = EnquireLink.command_id | RESPONSE_BIT


@dataclass(frozen=True, slots=True)
class GenericNack(Body):
    """The header could not be understood, SMPP 3.4 section 4.3."""

    command_id = RESPONSE_BIT


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortMessagePdu(Body):
    """The layout that submit_sm and deliver_sm share, SMPP 3.4 sections 4.4.1 and 4.6.1."""

    service_type: String6 = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: String21 = ""
    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: String21 = ""
    esm_class: OctetField = 0
    protocol_id: OctetField = 0
    priority_flag: OctetField = 0
    schedule_delivery_time: String17 = ""
    validity_period: String17 = ""
    registered_delivery: OctetField = 0
    replace_if_present_flag: OctetField = 0
    data_coding: OctetField = 0
    sm_default_msg_id: OctetField = 0
    short_message: ShortMessageField = field(default=b"", repr=False)
    tlvs: TlvsField = field(default=(), repr=False)


class SubmitSm(ShortMessagePdu):
    """A text on its way out."""

    __slots__ = ()
    command_id = 0x04


class DeliverSm(ShortMessagePdu):
    """A text or a receipt on its way in."""

    __slots__ = ()
    command_id = 0x05


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSm(Body):
    """The short form of deliver_sm, whose text is the message_payload, SMPP 3.4 section 4.7.1."""

    command_id = 0x103
    service_type: String6 = ""
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: String65 = ""
    dest_addr_ton: OctetField = 0
    dest_addr_npi: OctetField = 0
    destination_addr: String65 = ""
    esm_class: OctetField = 0
    registered_delivery: OctetField = 0
    data_coding: OctetField = 0
    tlvs: TlvsField = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageResp(Body):
    """SMPP 3.4 sections 4.4.2, 4.6.2 and 4.7.2."""

    message_id: String65 = ""
    tlvs: TlvsField = ()


class SubmitSmResp(MessageResp):
    """Answer to submit_sm, with the id by which a receipt will name the text."""

    __slots__ = ()
    command_id = SubmitSm.command_id | RESPONSE_BIT


class DeliverSmResp(MessageResp):
    """Answer to deliver_sm; its message_id is unused and empty."""

    __slots__ = ()
    command_id = DeliverSm.command_id | RESPONSE_BIT


class DataSmResp(MessageResp):
    """Answer to data_sm."""

    __slots__ = ()
    command_id = DataSm.command_id | RESPONSE_BIT


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySm(Body):
    """What became of a message, SMPP 3.4 section 4.8.1. The source is the one given at submission."""

    command_id = 0x03
    message_id: String65
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: String21 = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySmResp(Body):
    """Answer to query_sm, SMPP 3.4 section 4.8.2."""

    command_id = QuerySm.command_id | RESPONSE_BIT
    message_id: String65 = ""
    final_date: String17 = ""
    message_state: OctetField = 0
    error_code: OctetField = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNotification(Body):
    """A handset has become reachable, SMPP 3.4 section 4.12. It has no answer."""

    command_id = 0x102
    source_addr_ton: OctetField = 0
    source_addr_npi: OctetField = 0
    source_addr: String65 = ""
    esme_addr_ton: OctetField = 0
    esme_addr_npi: OctetField = 0
    esme_addr: String65 = ""
    tlvs: TlvsField = ()


def _layout(body: type[Body]) -> tuple[tuple[str, Field], ...]:
    hints = get_type_hints(body, include_extras=True)
    return tuple((name, hint.__metadata__[0]) for name, hint in hints.items() if hasattr(hint, "__metadata__"))


_KINDS: dict[int, tuple[type[Body], tuple[tuple[str, Field], ...]]] = {
    body.command_id: (body, _layout(body))
    for body in (
        BindReceiver,
        BindReceiverResp,
        BindTransmitter,
        BindTransmitterResp,
        BindTransceiver,
        BindTransceiverResp,
        Outbind,
        Unbind,
        UnbindResp,
        EnquireLink,
        EnquireLinkResp,
        GenericNack,
        SubmitSm,
        SubmitSmResp,
        DeliverSm,
        DeliverSmResp,
        DataSm,
        DataSmResp,
        QuerySm,
        QuerySmResp,
        AlertNotification,
    )
}


def encode(body: Body, sequence: int, status: int = 0) -> bytes:
    """The octets of a PDU. Raises PduError for a value that its field cannot hold.

    SMPP 3.4 section 4.4.2: the body of a response is not returned if its command_status is not zero.
    """
    octets = b""
    if not (status and body.command_id & RESPONSE_BIT):
        _, layout = _KINDS[body.command_id]
        octets = b"".join([kind.write(getattr(body, name), name) for name, kind in layout])
    return _HEADER.pack(HEADER_OCTETS + len(octets), body.command_id, status, sequence) + octets


def read_header(data: bytes | bytearray, at: int = 0) -> Header:
    """The header at ``at``. Raises PduError for fewer than 16 octets or a command_length out of bounds."""
    if len(data) - at < HEADER_OCTETS:
        reason = f"{HEADER_OCTETS} octets needed, {len(data) - at} left"
        raise PduError("header", reason, offset=0, status=INVALID_LENGTH)
    header = Header._make(_HEADER.unpack_from(data, at))
    if not HEADER_OCTETS <= header.length <= MAX_OCTETS:
        reason = f"{header.length} is not between {HEADER_OCTETS} and {MAX_OCTETS}"
        raise PduError("command_length", reason, offset=0, status=INVALID_LENGTH)
    return header


def decode(data: bytes) -> Pdu:
    """The PDU that ``data`` is, exactly. Raises PduError. Octets after the last field of a body are ignored.

    A response without a body is read as one with empty fields: carriers leave it out, not only with an error status.
    """
    length, command_id, status, sequence = read_header(data)
    if length != len(data):
        raise PduError("command_length", f"{length} announced, {len(data)} given", offset=0, status=INVALID_LENGTH)
    if command_id not in _KINDS:
        raise PduError("command_id", f"0x{command_id:08X} is unknown", offset=4, status=INVALID_COMMAND)
    kind, layout = _KINDS[command_id]
    if command_id & RESPONSE_BIT and length == HEADER_OCTETS:
        return Pdu(command_id, status, sequence, kind())
    cursor = Cursor(data, HEADER_OCTETS)
    return Pdu(command_id, status, sequence, kind(**{name: each.read(cursor, name) for name, each in layout}))


def tlv(tlvs: Tlvs, tag: int) -> bytes | None:
    """The first value with ``tag``."""
    return next((value for each, value in tlvs if each == tag), None)


def tlv_int(tlvs: Tlvs, tag: int) -> int | None:
    """The first value with ``tag`` as an unsigned integer; None if absent or empty."""
    value = tlv(tlvs, tag)
    return int.from_bytes(value, "big") if value else None


def tlv_string(tlvs: Tlvs, tag: int) -> str | None:
    """The first value with ``tag`` as a C-octet string; None if absent or empty."""
    value = tlv(tlvs, tag) or b""
    return value.split(b"\0", 1)[0].decode("latin-1") or None
