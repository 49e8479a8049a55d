"""The codec: every PDU there and back, every truncation, and a second opinion."""

from __future__ import annotations

import struct

import pytest
import smpp34
from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.errors import PduError
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.fields import Tlvs

TEXT = {
    "service_type": "CMT",
    "source_addr_ton": 1,
    "source_addr_npi": 1,
    "source_addr": "13055550100",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "13055550123",
    "esm_class": 0x40,
    "protocol_id": 0,
    "priority_flag": 1,
    "schedule_delivery_time": "261123140500004+",
    "validity_period": "000000040000000R",
    "registered_delivery": 1,
    "replace_if_present_flag": 0,
    "data_coding": 8,
    "sm_default_msg_id": 0,
    "short_message": b"\x05\x00\x03\x01\x02\x01hello",
    "tlvs": ((0x0204, b"\x00\x2a"), (0x1403, b"")),
}
DATA = {
    name: TEXT[name]
    for name in (
        "service_type",
        "source_addr_ton",
        "source_addr_npi",
        "source_addr",
        "dest_addr_ton",
        "dest_addr_npi",
        "destination_addr",
        "esm_class",
        "registered_delivery",
        "data_coding",
    )
}
BIND = {"system_id": "ringback", "password": "secret", "system_type": "VMA", "address_range": "^1305"}
TLVS: Tlvs = ((0x0210, b"\x34"),)
BODIES: list[wire.Body] = [
    wire.BindReceiver(**BIND),  # type: ignore[arg-type]
    wire.BindTransmitter(**BIND),  # type: ignore[arg-type]
    wire.BindTransceiver(**BIND),  # type: ignore[arg-type]
    wire.BindReceiverResp(system_id="smsc", tlvs=TLVS),
    wire.BindTransmitterResp(system_id="smsc"),
    wire.BindTransceiverResp(system_id="smsc", tlvs=TLVS),
    wire.Outbind(system_id="smsc", password="pw"),
    wire.Unbind(),
    wire.UnbindResp(),
    wire.EnquireLink(),
    wire.EnquireLinkResp(),
    wire.GenericNack(),
    wire.SubmitSm(**TEXT),  # type: ignore[arg-type]
    wire.DeliverSm(**TEXT),  # type: ignore[arg-type]
    wire.DataSm(**DATA, tlvs=((0x0424, b"hello"),)),  # type: ignore[arg-type]
    wire.SubmitSmResp(message_id="0a1b", tlvs=TLVS),
    wire.DeliverSmResp(),
    wire.DataSmResp(message_id="x"),
    wire.QuerySm(message_id="0a1b", source_addr="13055550100", source_addr_ton=1, source_addr_npi=1),
    wire.QuerySmResp(message_id="0a1b", final_date="261123140500004+", message_state=2, error_code=0),
    wire.AlertNotification(source_addr="13055550123", esme_addr="13055550100", tlvs=((0x0422, b"\x00"),)),
]


def name_of(body: wire.Body) -> str:
    return type(body).__name__


@pytest.mark.parametrize("body", BODIES, ids=name_of)
def test_every_pdu_comes_back_as_it_went(body: wire.Body) -> None:
    octets = wire.encode(body, 7)
    assert wire.read_header(octets) == (len(octets), body.command_id, 0, 7)
    assert wire.decode(octets) == wire.Pdu(body.command_id, 0, 7, body)


def test_every_kind_of_pdu_is_tried_above() -> None:
    def leaves(kind: type[wire.Body]) -> set[type[wire.Body]]:
        return {kind} if hasattr(kind, "command_id") else set().union(*map(leaves, kind.__subclasses__()))

    # Dataclasses with slots replace the class that was written; only those of the module count.
    written = {kind for kind in leaves(wire.Body) if getattr(wire, kind.__name__) is kind}
    assert {type(body) for body in BODIES} == written


@pytest.mark.parametrize("body", BODIES, ids=name_of)
def test_every_truncation_names_the_field_and_where_it_begins(body: wire.Body) -> None:
    octets = wire.encode(body, 7)
    for length in range(len(octets)):
        with pytest.raises(PduError) as short:
            wire.decode(octets[:length])
        assert (short.value.field, short.value.offset) == (("header" if length < 16 else "command_length"), 0)
    layout = field_starts(body)
    for length in range(16, len(octets)):
        cut = length.to_bytes(4, "big") + octets[4:length]
        if length in optional_ends(body):
            assert wire.decode(cut).command_id == body.command_id
            continue
        with pytest.raises(PduError) as error:
            wire.decode(cut)
        name, start = next((name, start) for name, start, end in layout if start <= length < end)
        assert error.value.field.removesuffix(f" 0x{tag_at(octets, start):04X}") == name
        assert error.value.offset == start
        assert error.value.status in {0x02, 0xC0}
        octets_left = length - start - (4 if name == "tlvs" and length - start >= 4 else 0)
        assert error.value.reason.endswith((f", {octets_left} left", "no NUL before the PDU ends"))


def field_starts(body: wire.Body) -> list[tuple[str, int, int]]:
    """Name, first octet and end of every field, worked out from the values and the standard's layout."""
    out, at = [], 16

    def add(name: str, size: int) -> None:
        nonlocal at
        out.append((name, at, at + size))
        at += size

    for name in body.__dataclass_fields__:  # type: ignore[attr-defined]
        value = getattr(body, name)
        if name == "tlvs":
            for _, octets in value:
                add("tlvs", 4 + len(octets))
        elif name == "short_message":
            add("sm_length", 1)
            add("short_message", len(value))
        else:
            add(name, 1 if isinstance(value, int) else len(value) + 1)
    return out


def optional_ends(body: wire.Body) -> set[int]:
    """Lengths at which a shorter PDU is whole: between optional parameters, and a response without a body."""
    ends = {start for name, start, _ in field_starts(body) if name == "tlvs"}
    return ends | ({16} if body.command_id & wire.RESPONSE_BIT else set())


def tag_at(octets: bytes, offset: int) -> int:
    return int.from_bytes(octets[offset : offset + 2], "big")


def outcome(octets: bytes) -> wire.Pdu | PduError:
    try:
        return wire.decode(octets)
    except PduError as error:
        return error


@given(st.binary(max_size=200), st.sampled_from([*(body.command_id for body in BODIES), 0x7, 0x8000FFFF]))
def test_any_octets_are_a_pdu_or_a_pdu_error(junk: bytes, command_id: int) -> None:
    octets = struct.pack(">IIII", 16 + len(junk), command_id, 0, 1) + junk
    result = outcome(octets)
    if isinstance(result, PduError):
        assert result.offset is not None
        assert result.offset <= len(octets)
    else:
        assert result.command_id == command_id


@given(st.binary(max_size=40))
def test_any_header_is_a_header_or_a_pdu_error(junk: bytes) -> None:
    result = outcome(junk)
    assert isinstance(result, wire.Pdu) or result.status in {0x02, 0x03, 0xC0}


@pytest.mark.parametrize(
    ("length", "field"),
    [(0, "command_length"), (15, "command_length"), (65_537, "command_length"), (2**32 - 1, "command_length")],
)
def test_a_length_that_no_pdu_has_is_refused_by_the_header_alone(length: int, field: str) -> None:
    with pytest.raises(PduError, match=f"{length} is not between 16 and 65536") as error:
        wire.read_header(struct.pack(">IIII", length, 0x15, 0, 1))
    assert (error.value.field, error.value.status) == (field, 0x02)


def test_an_unknown_command_is_named_with_the_status_to_answer() -> None:
    with pytest.raises(PduError, match="command_id at octet 4: 0x00000021 is unknown") as error:
        wire.decode(struct.pack(">IIII", 16, 0x21, 0, 1))
    assert error.value.status == 0x03


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (wire.SubmitSm(source_addr="1" * 21), "source_addr: 21 characters, 20 allowed"),
        (wire.SubmitSm(source_addr="é"), "source_addr: only ASCII characters other than NUL can be sent"),
        (wire.SubmitSm(source_addr="1\x00"), "source_addr: only ASCII characters other than NUL can be sent"),
        (wire.SubmitSm(esm_class=256), "esm_class: 256 does not fit into one octet"),
        (wire.SubmitSm(esm_class=-1), "esm_class: -1 does not fit into one octet"),
        (wire.SubmitSm(short_message=b"x" * 255), "short_message: 255 octets, 254 allowed"),
        (wire.SubmitSm(tlvs=((0x10000, b""),)), "tlvs 0x10000: tag or length of 0 beyond 16 bits"),
        (wire.SubmitSm(tlvs=((0x0424, b"x" * 65_536),)), "tlvs 0x0424: tag or length of 65536 beyond 16 bits"),
    ],
)
def test_a_value_that_its_field_cannot_hold_is_named(body: wire.Body, message: str) -> None:
    with pytest.raises(PduError, match=message) as error:
        wire.encode(body, 1)
    assert error.value.offset is None


def test_passwords_do_not_show_in_a_representation() -> None:
    assert "secret" not in repr(BODIES[0]) + repr(wire.Outbind(password="secret"))


def test_an_error_response_is_sent_without_a_body_and_read_with_or_without() -> None:
    octets = wire.encode(wire.SubmitSmResp(message_id="x"), 3, 0x58)
    assert len(octets) == 16
    assert wire.decode(octets) == wire.Pdu(0x80000004, 0x58, 3, wire.SubmitSmResp())
    with_body = struct.pack(">IIII", 18, 0x80000004, 0x58, 3) + b"x\0"
    assert wire.decode(with_body).body == wire.SubmitSmResp(message_id="x")


def test_a_string_longer_than_the_standard_allows_is_still_read() -> None:
    octets = struct.pack(">IIII", 117, 0x80000004, 0, 3) + b"f" * 100 + b"\0"
    assert wire.decode(octets).body == wire.SubmitSmResp(message_id="f" * 100)


def test_octets_after_the_last_field_are_ignored() -> None:
    assert wire.decode(struct.pack(">IIII", 19, 0x15, 0, 3) + b"abc").body == wire.EnquireLink()


def test_optional_parameters_as_bytes_numbers_and_strings() -> None:
    tlvs: Tlvs = ((1, b"\x01\x02"), (2, b"abc\0"), (3, b""), (1, b"\xff"))
    assert wire.tlv(tlvs, 1) == b"\x01\x02"
    assert wire.tlv(tlvs, 9) is None
    assert [wire.tlv_int(tlvs, tag) for tag in (1, 3, 9)] == [0x0102, None, None]
    assert [wire.tlv_string(tlvs, tag) for tag in (2, 3, 9)] == ["abc", None, None]


@given(
    st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20),
    st.integers(0, 255),
    st.binary(max_size=254),
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=30)), max_size=3),
    st.integers(1, wire.MAX_SEQUENCE),
)
def test_an_independent_codec_reads_what_we_write_and_writes_what_we_read(
    address: str, octet: int, message: bytes, tlvs: list[tuple[int, bytes]], sequence: int
) -> None:
    ours = wire.SubmitSm(
        source_addr=address,
        destination_addr=address,
        source_addr_ton=octet,
        esm_class=octet,
        data_coding=octet,
        short_message=message,
        tlvs=tuple(tlvs),
    )
    octets = wire.encode(ours, sequence)
    theirs = smpp34.decode(octets)
    assert isinstance(theirs, smpp34.SubmitSm)
    assert (theirs.source_addr, theirs.destination_addr) == (address, address)
    assert (theirs.source_addr_ton, theirs.esm_class, theirs.data_coding) == (octet, octet, octet)
    assert (theirs.short_message, theirs.sequence_number) == (message, sequence)
    assert [(tlv.tag, tlv.value) for tlv in theirs.tlvs] == tlvs
    assert wire.decode(theirs.encode()) == wire.Pdu(4, 0, sequence, ours)
