"""From deliver_sm and data_sm to texts and receipts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.encoding import Alphabet, pack
from sms_gateway.messages import DeliveryState, InboundText, Parts, Receipt
from sms_gateway.reassembly import Joined, Segment
from sms_gateway.segments import Concatenation
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.arrival import interpret, text_of
from tests.sms_gateway.test_compose import options


def deliver(**change: Any) -> wire.DeliverSm:
    facts = {
        "source_addr_ton": 1,
        "source_addr": "13055550123",
        "dest_addr_ton": 1,
        "destination_addr": "13055550100",
        "short_message": b"Hello",
        **change,
    }
    return wire.DeliverSm(**facts)


def segment(**change: Any) -> Segment:
    arrived = interpret(deliver(**change), options())
    assert isinstance(arrived, Segment)
    return arrived


def text(**change: Any) -> InboundText:
    return text_of(Joined((segment(**change),)), "id")


def test_a_plain_text() -> None:
    arrived = text()
    assert (arrived.source, arrived.destination, arrived.body) == ("+13055550123", "+13055550100", "Hello")
    assert (arrived.source_id, arrived.unreadable, arrived.parts, arrived.smsc_time) == ("id", False, None, None)


@pytest.mark.parametrize(
    ("data_coding", "octets", "body", "unreadable"),
    [
        (0x00, b"\x00\x1be", "@€", False),
        (0x01, b"caf\xe9", "café", False),
        (0x03, b"caf\xe9", "café", False),
        (0x08, "中😀".encode("utf-16-be"), "中😀", False),
        (0x08, b"\xd8\x3d", "\ufffd", True),
        (0x02, b"STOP", "STOP", False),
        (0x04, b"STOP", "STOP", False),
        (0x04, b"\x00\xff\x10", "", True),
        (0x04, b"\x01\x02", "", True),
        (0x06, b"STOP \xd0", "STOP \ufffd", True),  # Cyrillic, of which ASCII is a part
        (0x0A, b"hi", "hi", False),
        (0x10, b"\x00", "@", False),  # general group, class 0, default alphabet
        (0x14, b"\xff", "", False),
        (0x18, "é".encode("utf-16-be"), "é", False),
        (0x1C, b"hi", "hi", False),
        (0xC0, b"\x00", "@", False),
        (0xD0, b"\x00", "@", False),
        (0xE0, "é".encode("utf-16-be"), "é", False),
        (0xF0, b"\x00", "@", False),
        (0xF4, b"\xff", "", False),
        (0x00, b"", "", True),
        (0x00, b"  ", "  ", True),
    ],
)
def test_every_data_coding_is_read_as_well_as_can_be(
    data_coding: int, octets: bytes, body: str, unreadable: bool
) -> None:
    arrived = text(data_coding=data_coding, short_message=octets)
    assert arrived.body == body
    assert arrived.unreadable is (unreadable or not body)


def test_septets_under_the_name_of_ascii_on_a_link_that_has_them() -> None:
    body = deliver(data_coding=1, short_message=b"Gr~\x1ee")
    arrived = interpret(body, options(ia5_alphabet=Alphabet.GSM))
    assert isinstance(arrived, Segment)
    assert Joined((arrived,)).body == "Grüße"


def test_packed_septets_on_a_link_that_has_them() -> None:
    body = deliver(short_message=pack(b"STOP"))
    arrived = interpret(body, options(default_alphabet=Alphabet.GSM_PACKED))
    assert isinstance(arrived, Segment)
    assert (arrived.alphabet, arrived.data) == (Alphabet.GSM, b"STOP")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"esm_class": 0x40, "short_message": b"\x05\x00\x03\x07\x02\x01Hello"}, Concatenation(7, 2, 1)),
        ({"esm_class": 0x40, "short_message": b"\x06\x08\x04\x01\x07\x02\x01Hello"}, Concatenation(0x107, 2, 1)),
        ({"tlvs": ((0x020C, b"\x01\x07"), (0x020E, b"\x02"), (0x020F, b"\x01"))}, Concatenation(0x107, 2, 1)),
        ({"tlvs": ((0x020C, b"\x01\x07"), (0x020E, b"\x02"))}, None),
        ({"tlvs": ((0x020C, b"\x01\x07"), (0x020E, b"\x02"), (0x020F, b"\x03"))}, None),
        ({"tlvs": ((0x020C, b"\x01\x07"), (0x020E, b"\x02\x00"), (0x020F, b"\x01"))}, None),
        ({"esm_class": 0x40, "short_message": b"Hello"}, None),  # it says that there is a header, and there is none
        ({"short_message": b"", "tlvs": ((0x0424, b"Hello"),)}, None),
    ],
)
def test_segments_are_known_by_any_of_the_three_ways(change: dict[str, Any], place: Concatenation | None) -> None:
    arrived = segment(**change)
    assert arrived.place == place
    assert arrived.data == b"Hello"


def test_a_long_text_tells_which_parts_are_here() -> None:
    first = segment(esm_class=0x40, short_message=b"\x05\x00\x03\x07\x03\x01ST")
    third = segment(esm_class=0x40, short_message=b"\x05\x00\x03\x07\x03\x03OP")
    arrived = text_of(Joined((first, third)), "id")
    assert (arrived.body, arrived.parts) == ("STOP", Parts(7, 3, (1, 3)))


def test_one_of_one_has_no_parts() -> None:
    assert text(esm_class=0x40, short_message=b"\x05\x00\x03\x07\x01\x01hi").parts is None


def test_the_carriers_time_is_kept_where_it_gives_one() -> None:
    assert text(schedule_delivery_time="261123140506000+").smsc_time == datetime(2026, 11, 23, 14, 5, 6, tzinfo=UTC)


def test_a_redelivery_has_the_same_fingerprint_and_another_text_has_not() -> None:
    plain = text().fingerprint
    assert text(tlvs=((0x1403, b"hop 2"),)).fingerprint == plain
    for change in (
        {"short_message": b"Hello!"},
        {"source_addr": "13055550124"},
        {"destination_addr": "13055550101"},
        {"data_coding": 3},
        {"tlvs": ((0x020C, b"\x01\x07"),)},
    ):
        assert text(**change).fingerprint != plain


@pytest.mark.parametrize("esm_class", [0x04, 0x20, 0x44])
def test_a_marked_receipt_is_a_receipt(esm_class: int) -> None:
    header = b"\x05\x00\x03\x07\x01\x01" if esm_class & 0x40 else b""
    arrived = interpret(
        deliver(
            esm_class=esm_class,
            short_message=header + b"id:77 stat:ENROUTE",
            tlvs=((0x001E, b"7A\0"), (0x0427, b"\x02"), (0x0423, b"\x03\x00\x05"), (0x0204, b"\x01\x02")),
        ),
        options(),
    )
    assert isinstance(arrived, Receipt)
    assert (arrived.message_id, arrived.state, arrived.error) == ("7A", DeliveryState.DELIVERED, "3:5")
    assert (arrived.source, arrived.user_reference) == ("+13055550123", 0x102)


@pytest.mark.parametrize("change", [{"esm_class": 4}, {}], ids=["marked", "known by its text"])
@pytest.mark.parametrize("data_coding", [0x00, 0x01, 0x03, 0x04, 0xF0])
@pytest.mark.parametrize("message_id", ["msg_12_ab", "7@smsc.example", "$7", "a[1]~"])
def test_the_words_of_a_receipt_are_ascii_whatever_stands_beside_them(
    message_id: str, data_coding: int, change: dict[str, int]
) -> None:
    octets = f"id:{message_id} sub:001 done_date:2611231406 stat:DELIVRD err:000".encode()
    body = deliver(data_coding=data_coding, short_message=octets, **change)
    arrived = interpret(body, options(receipts_by_text=True))
    assert isinstance(arrived, Receipt)
    assert (arrived.message_id, arrived.candidates[0]) == (message_id, message_id)
    assert (arrived.state, arrived.error) == (DeliveryState.DELIVERED, "000")
    assert arrived.done_at == datetime(2026, 11, 23, 14, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("data_coding", "octets", "message_id", "repeated"),
    [
        (0x00, b"id:a_1 stat:DELIVRD text:Gr~\x1ee \x02", "a_1", "Grüße $"),
        (0x03, b"id:a_1 stat:DELIVRD text:Gr\xfc\xdfe", "a_1", "Grüße"),
        (0x04, b"id:a_1 stat:DELIVRD text:\xff", "a_1", ""),
        (0x08, "id:a_1 stat:DELIVRD text:Grüße".encode("utf-16-be"), "a_1", "Grüße"),
        (0x00, b"id:a\x111\x00 stat:DELIVRD text:\x02", "a_1@", "$"),  # converted, as few carriers do
        (0x00, b"id:a_1 stat:DELIVRD\x00", "a_1", ""),
    ],
)
def test_what_a_receipt_repeats_of_the_text_is_in_the_texts_alphabet(
    data_coding: int, octets: bytes, message_id: str, repeated: str
) -> None:
    arrived = interpret(deliver(esm_class=4, data_coding=data_coding, short_message=octets), options())
    assert isinstance(arrived, Receipt)
    assert (arrived.message_id, arrived.state, arrived.text) == (message_id, DeliveryState.DELIVERED, repeated)


def test_a_receipt_whose_text_is_binary_still_has_its_parameters() -> None:
    arrived = interpret(deliver(esm_class=4, data_coding=4, short_message=b"\x00", tlvs=((0x001E, b"7\0"),)), options())
    assert isinstance(arrived, Receipt)
    assert arrived.candidates == ("7",)


def test_an_unmarked_receipt_is_a_text_unless_the_link_says_otherwise() -> None:
    body = deliver(short_message=b"id:7 stat:DELIVRD")
    assert isinstance(interpret(body, options()), Segment)
    assert isinstance(interpret(body, options(receipts_by_text=True)), Receipt)
    assert isinstance(interpret(deliver(), options(receipts_by_text=True)), Segment)


def test_data_sm_is_read_like_deliver_sm() -> None:
    body = wire.DataSm(source_addr="77", destination_addr="88", tlvs=((0x0424, b"Hello"),))
    arrived = interpret(body, options())
    assert isinstance(arrived, Segment)
    assert (arrived.source, arrived.data) == ("77", b"Hello")


@given(
    st.binary(max_size=254),
    st.integers(0, 255),
    st.integers(0, 255),
    st.lists(
        st.tuples(st.sampled_from([0x020C, 0x020E, 0x020F, 0x0424, 0x001E, 0x0427, 0x0423]), st.binary(max_size=8))
    ),
    st.sampled_from([Alphabet.GSM, Alphabet.GSM_PACKED]),
)
def test_whatever_arrives_is_a_text_or_a_receipt(
    message: bytes, esm_class: int, data_coding: int, tlvs: list[tuple[int, bytes]], alphabet: Alphabet
) -> None:
    body = deliver(short_message=message, esm_class=esm_class, data_coding=data_coding, tlvs=tuple(tlvs))
    arrived = interpret(body, options(receipts_by_text=True, default_alphabet=alphabet))
    if isinstance(arrived, Segment):
        assert text_of(Joined((arrived,)), "id").body is not None
