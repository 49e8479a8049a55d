"""From a text to submit_sm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.encoding import Alphabet, sanitise, unpack
from sms_gateway.errors import TextInvalid
from sms_gateway.messages import Address, OutboundText
from sms_gateway.reassembly import Reassembler, Segment
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.arrival import interpret
from sms_gateway.smpp.compose import compose, source_address, user_reference
from sms_gateway.smpp.options import LinkOptions, Segmentation
from tests.sms_gateway.test_encoding import any_texts, gsm_texts


def options(**change: Any) -> LinkOptions:
    return LinkOptions(host="smsc.example", port=2775, system_id="a", password="b", **change)


def text(
    body: str = "Hello", source: Address | str = "+13055550100", validity_seconds: float | None = None
) -> OutboundText:
    return OutboundText(source, "+13055550123", body, "ref", validity_seconds)


def test_a_short_text_is_one_submit_sm() -> None:
    assert compose(text(), options(), 7) == [
        wire.SubmitSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="13055550100",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="13055550123",
            validity_period="000000040000000R",
            registered_delivery=1,
            short_message=b"Hello",
        )
    ]


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("+13055550100", Address("13055550100", 1, 1)),
        ("12345", Address("12345", 3, 0)),
        ("BROKER", Address("BROKER", 5, 0)),
        ("Sea & Sun", Address("Sea & Sun", 5, 0)),
        (Address("77", 6, 9), Address("77", 6, 9)),
    ],
)
def test_ton_and_npi_follow_the_form_of_the_sender(source: Address | str, address: Address) -> None:
    assert source_address(source, options()) == address


def test_ton_npi_and_plus_as_the_carrier_wants_them() -> None:
    (submit,) = compose(
        text(), options(source_ton=0, source_npi=9, destination_ton=2, destination_npi=8, keep_plus=True), 7
    )
    assert (submit.source_addr_ton, submit.source_addr_npi, submit.source_addr) == (0, 9, "+13055550100")
    assert (submit.dest_addr_ton, submit.dest_addr_npi, submit.destination_addr) == (2, 8, "+13055550123")


@pytest.mark.parametrize(
    "source",
    [
        "twelve chars",
        "Größe",
        "BRO\nKER",
        Address("1" * 21),
        Address("é"),
        Address("1\x00"),
        Address("1", 256, 0),
        Address("1", 0, -1),
    ],
)
def test_what_can_be_no_sender_is_refused(source: Address | str) -> None:
    with pytest.raises(TextInvalid):
        compose(text(source=source), options(), 7)


def test_the_texts_own_validity_wins_and_none_leaves_it_to_the_carrier() -> None:
    assert compose(text(validity_seconds=60), options(), 7)[0].validity_period == "000000000100000R"
    assert compose(text(), options(validity_seconds=None), 7)[0].validity_period == ""


@pytest.mark.parametrize("seconds", [0.5, 63 * 7 * 86_400 + 1])
def test_a_validity_that_no_carrier_keeps_is_refused(seconds: float) -> None:
    with pytest.raises(TextInvalid, match="validity"):
        compose(text(validity_seconds=seconds), options(), 7)


def test_the_length_is_bounded() -> None:
    with pytest.raises(TextInvalid, match="takes 3 segments, 2 are allowed"):
        compose(text("x" * 400), options(max_segments=2), 7)


def test_a_body_of_invisible_characters_is_refused() -> None:
    with pytest.raises(TextInvalid, match="nothing is left"):
        compose(text("\u200b\u200b"), options(), 7)


def test_the_user_reference_is_a_digest_that_goes_with_every_segment() -> None:
    submits = compose(text("x" * 200), options(send_user_reference=True), 7)
    expected = (0x0204, user_reference("ref").to_bytes(2, "big"))
    assert [submit.tlvs for submit in submits] == [(expected,), (expected,)]


@pytest.mark.parametrize(
    ("segmentation", "esm_class", "heads", "tlvs"),
    [
        (Segmentation.UDH8, 0x40, ["050003340201", "050003340202"], ()),
        (Segmentation.UDH16, 0x40, ["06080412340201", "06080412340202"], ()),
        (Segmentation.SAR, 0, ["", ""], (0x020C, 0x020E, 0x020F)),
    ],
)
def test_long_texts_are_announced_in_one_way_only(
    segmentation: Segmentation, esm_class: int, heads: list[str], tlvs: tuple[int, ...]
) -> None:
    submits = compose(text("x" * 200), options(segmentation=segmentation), 0x1234)
    assert [submit.esm_class for submit in submits] == [esm_class] * 2
    assert [submit.short_message[: len(head) // 2].hex() for submit, head in zip(submits, heads, strict=True)] == heads
    assert all(tuple(tag for tag, _ in submit.tlvs) == tlvs for submit in submits)


def test_a_payload_is_one_pdu_and_only_where_the_text_is_long() -> None:
    (long,) = compose(text("x" * 200), options(segmentation=Segmentation.PAYLOAD), 7)
    assert (long.short_message, long.tlvs) == (b"", ((0x0424, b"x" * 200),))
    (short,) = compose(text("x"), options(segmentation=Segmentation.PAYLOAD), 7)
    assert (short.short_message, short.tlvs) == (b"x", ())


def test_packed_septets_follow_the_header_at_a_septet_boundary() -> None:
    first, second = compose(text("a" * 161), options(default_alphabet=Alphabet.GSM_PACKED), 7)
    assert len(first.short_message) == 140
    assert unpack(first.short_message[6:], 1) == b"a" * 153
    assert unpack(second.short_message[6:], 1) == b"a" * 8


def test_data_coding_tells_ucs2_from_the_carriers_default() -> None:
    assert compose(text("ü"), options(data_coding_default=1), 7)[0].data_coding == 1
    assert compose(text("中"), options(data_coding_default=1), 7)[0].data_coding == 8


@given(
    st.one_of(gsm_texts, any_texts, st.text(st.sampled_from("a€😀é"), max_size=700)),
    st.sampled_from(Segmentation),
    st.sampled_from([Alphabet.GSM, Alphabet.GSM_PACKED, Alphabet.LATIN1, Alphabet.ASCII]),
    st.integers(0, 0xFFFF),
)
def test_what_we_send_is_what_the_other_side_would_read(
    body: str, segmentation: Segmentation, alphabet: Alphabet, reference: int
) -> None:
    link = options(segmentation=segmentation, default_alphabet=alphabet, max_segments=255)
    if not sanitise(body).strip():
        return
    reassembler, read = Reassembler(10.0), []
    for submit in compose(text(body), link, reference):
        assert len(submit.short_message) <= (
            140 if alphabet not in {Alphabet.GSM, Alphabet.LATIN1, Alphabet.ASCII} else 160
        )
        octets = wire.encode(submit, 1)
        received = wire.decode(octets).body
        assert isinstance(received, wire.SubmitSm)
        values = {name: getattr(received, name) for name in wire.SubmitSm.__dataclass_fields__}
        segment = interpret(wire.DeliverSm(**values), link)
        assert isinstance(segment, Segment)
        read += [joined.body for joined in reassembler.add(segment, 0.0)]
    # Packed text may lose a CR at its very end, which cleaning has taken out already.
    assert read == [sanitise(body)]
