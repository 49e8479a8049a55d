"""Receipts as carriers really write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.messages import DeliveryState, Receipt
from sms_gateway.receipts import IdBase, ReceiptFacts, candidate_ids, canonical_id, is_receipt_text, parse_receipt

PLAIN = (
    "id:0123456789 sub:001 dlvrd:001 submit date:2611231405 done date:2611231406 stat:DELIVRD err:000 text:Hello, sorry"
)


def parse(text: str, **facts: object) -> Receipt:
    return parse_receipt(ReceiptFacts(text, "+13055550123", "+13055550100", **facts))  # type: ignore[arg-type]


def test_the_form_of_the_standard() -> None:
    assert parse(PLAIN) == Receipt(
        message_id="0123456789",
        candidates=("123456789", "75bcd15", "4886718345"),
        state=DeliveryState.DELIVERED,
        error="000",
        source="+13055550123",
        destination="+13055550100",
        done_at=datetime(2026, 11, 23, 14, 6, tzinfo=UTC),
        text="Hello, sorry",
    )


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2611231406", datetime(2026, 11, 23, 14, 6, tzinfo=UTC)),
        ("261123140501", datetime(2026, 11, 23, 14, 5, 1, tzinfo=UTC)),
        ("20261123140501", datetime(2026, 11, 23, 14, 5, 1, tzinfo=UTC)),
        ("2613231406", None),  # a thirteenth month
        ("0", None),
        ("26112314O6", None),
        ("", None),
        ("٢٦١١٢٣١٤٠٦", None),
    ],
)
def test_dates_of_every_length(written: str, at: datetime | None) -> None:
    assert parse(f"id:1 done date:{written} stat:DELIVRD").done_at == at


def test_dates_are_in_the_carriers_zone() -> None:
    miami = timezone(timedelta(hours=-5))
    receipt = parse_receipt(ReceiptFacts("id:1 done date:2611231406 stat:DELIVRD", "a", "b"), zone=miami)
    assert receipt.done_at == datetime(2026, 11, 23, 19, 6, tzinfo=UTC)


def test_a_date_before_the_first_year_is_none() -> None:
    east = timezone(timedelta(hours=14))
    facts = ReceiptFacts("id:1 done date:00010101000000 stat:DELIVRD", "a", "b")
    assert parse_receipt(facts, zone=east).done_at is None


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("ENROUTE", DeliveryState.ENROUTE),
        ("DELIVRD", DeliveryState.DELIVERED),
        ("delivrd", DeliveryState.DELIVERED),
        ("DELIVERED", DeliveryState.DELIVERED),
        ("EXPIRED", DeliveryState.EXPIRED),
        ("DELETED", DeliveryState.DELETED),
        ("UNDELIV", DeliveryState.UNDELIVERABLE),
        ("UNDELIVERABLE", DeliveryState.UNDELIVERABLE),
        ("ACCEPTD", DeliveryState.ACCEPTED),
        ("ACCEPTED", DeliveryState.ACCEPTED),
        ("UNKNOWN", DeliveryState.UNKNOWN),
        ("REJECTD", DeliveryState.REJECTED),
        ("REJECTED", DeliveryState.REJECTED),
        ("BANANAS", DeliveryState.UNKNOWN),
        ("DEL", DeliveryState.UNKNOWN),
        ("", DeliveryState.UNKNOWN),
    ],
)
def test_states_by_word(word: str, state: DeliveryState) -> None:
    assert parse(f"id:1 stat:{word} err:1").state is state


@pytest.mark.parametrize(("number", "state"), list(enumerate(DeliveryState, start=1)))
def test_the_state_parameter_wins_over_the_word(number: int, state: DeliveryState) -> None:
    assert parse("id:1 stat:BANANAS", message_state=number).state is state


def test_a_state_parameter_that_means_nothing_leaves_the_word() -> None:
    assert parse("id:1 stat:DELIVRD", message_state=99).state is DeliveryState.DELIVERED


def test_the_id_parameter_wins_over_the_text() -> None:
    receipt = parse("id:1 stat:DELIVRD", message_id="AB-1")
    assert (receipt.message_id, receipt.candidates) == ("AB-1", ("ab-1",))


@pytest.mark.parametrize(
    ("text", "octets", "error"),
    [
        ("id:1 stat:UNDELIV err:0A1", None, "0A1"),
        ("id:1 stat:UNDELIV err: text:x", None, None),
        ("id:1 stat:UNDELIV", None, None),
        ("id:1 stat:UNDELIV err:069", b"\x03\x00\x45", "3:69"),
        ("id:1 stat:UNDELIV err:069", b"\x03", "069"),
    ],
)
def test_error_codes_may_hold_letters_or_be_missing_or_a_parameter(
    text: str, octets: bytes | None, error: str | None
) -> None:
    assert parse(text, network_error=octets).error == error


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("id:1 stat:DELIVRD err:000 text:see you at 10:30, id:7", "see you at 10:30, id:7"),
        ("id:1 stat:DELIVRD err:000 Text: Hello", "Hello"),
        ("id:1 stat:DELIVRD err:000 text:", ""),
        ("id:1 stat:DELIVRD err:000", ""),
    ],
)
def test_the_text_may_hold_colons_or_be_missing(written: str, text: str) -> None:
    receipt = parse(written)
    assert (receipt.message_id, receipt.text) == ("1", text)


def test_keys_in_any_case_and_with_underscores() -> None:
    receipt = parse("ID:A1 SUB:001 DLVRD:001 SUBMIT_DATE:2611231405 DONE_DATE:2611231406 STAT:DELIVRD ERR:0 TEXT:Hi")
    assert (receipt.message_id, receipt.state, receipt.text) == ("A1", DeliveryState.DELIVERED, "Hi")
    assert receipt.done_at is not None


def test_the_first_of_two_equal_keys_wins() -> None:
    assert parse("id:1 id:2 stat:DELIVRD").message_id == "1"


def test_an_empty_value_does_not_swallow_the_next_key() -> None:
    receipt = parse("id: stat:DELIVRD err:5")
    assert (receipt.message_id, receipt.candidates, receipt.state) == ("", (), DeliveryState.DELIVERED)


@pytest.mark.parametrize(("raw", "canonical"), [("00AB", "ab"), (" 12 ", "12"), ("000", "0"), ("", ""), ("x-Y", "x-y")])
def test_letter_case_and_leading_zeros_do_not_matter(raw: str, canonical: str) -> None:
    assert canonical_id(raw) == canonical


@pytest.mark.parametrize(
    ("raw", "base", "candidates"),
    [
        ("0016", IdBase.ANY, ("16", "10", "22")),
        ("0016", IdBase.SAME, ("16",)),
        ("0016", IdBase.HEX_THEN_DECIMAL, ("10",)),
        ("0016", IdBase.DECIMAL_THEN_HEX, ("22",)),
        ("1F", IdBase.ANY, ("1f", "31")),
        ("1F", IdBase.HEX_THEN_DECIMAL, ("1f",)),  # cannot be decimal, so it can only be the same
        ("x1", IdBase.DECIMAL_THEN_HEX, ("x1",)),
        ("7", IdBase.ANY, ("7",)),
        ("", IdBase.ANY, ()),
        ("²", IdBase.ANY, ("²",)),
        ("9" * 65, IdBase.ANY, ("9" * 65,)),
    ],
)
def test_candidates_for_the_id_given_at_submission(raw: str, base: IdBase, candidates: tuple[str, ...]) -> None:
    assert candidate_ids(raw, base) == candidates


@given(st.integers(0, 2**64 - 1), st.integers(0, 20), st.booleans())
def test_a_hexadecimal_id_at_submission_is_found_by_a_decimal_one_in_the_receipt(
    number: int, padding: int, upper: bool
) -> None:
    given_out = f"{number:X}" if upper else f"{number:x}"
    in_receipt = str(number).zfill(padding)
    for base in (IdBase.ANY, IdBase.HEX_THEN_DECIMAL):
        assert canonical_id(given_out) in candidate_ids(in_receipt, base)
    for base in (IdBase.ANY, IdBase.DECIMAL_THEN_HEX):
        assert canonical_id(str(number)) in candidate_ids(given_out, base)


@pytest.mark.parametrize(
    ("text", "receipt"), [(PLAIN, True), ("id:1 stat:DELIVRD", True), ("my id:1", False), ("", False)]
)
def test_receipts_are_known_by_their_form(text: str, receipt: bool) -> None:
    assert is_receipt_text(text) is receipt


@given(st.text(), st.text(), st.integers(), st.binary(max_size=4))
def test_no_receipt_is_unreadable(text: str, message_id: str, state: int, network_error: bytes) -> None:
    receipt = parse(text, message_id=message_id, message_state=state, network_error=network_error, user_reference=7)
    assert receipt.user_reference == 7


@given(
    st.text(st.sampled_from("0123456789abcdefABCDEF-"), min_size=1),
    st.sampled_from(["DELIVRD", "UNDELIV", "EXPIRED"]),
    st.text(st.sampled_from("0123456789ABCXYZ"), min_size=1, max_size=3),
    st.text(st.characters(codec="ascii", min_codepoint=33), max_size=20),
)
def test_what_is_written_by_the_standard_is_read_back(message_id: str, word: str, error: str, text: str) -> None:
    receipt = parse(
        f"id:{message_id} sub:001 dlvrd:001 submit date:2611231405 done date:2611231406 stat:{word} err:{error} text:{text}"
    )
    assert (receipt.message_id, receipt.error, receipt.text) == (message_id, error, text)
    assert receipt.state is not DeliveryState.UNKNOWN
