"""Values that pass between the application and a gateway."""

from __future__ import annotations

import pytest

from sms_gateway.errors import TextInvalid
from sms_gateway.messages import Address, DeliveryState, OutboundText, Parts, is_e164, redacted


@pytest.mark.parametrize("number", ["+13055550123", "+4479460018", "+123456789012345"])
def test_e164_is_plus_and_seven_to_fifteen_digits(number: str) -> None:
    assert is_e164(number)


@pytest.mark.parametrize(
    "number",
    [
        "13055550123",
        "+03055550123",
        "+123456",
        "+1234567890123456",
        "+1305555012x",
        "",
        "+1305555０123",
        "+13055550123\n",
    ],
)
def test_anything_else_is_not_e164(number: str) -> None:
    assert not is_e164(number)


@pytest.mark.parametrize(
    ("number", "shown"), [("+13055550123", "…0123"), ("12", "…12"), ("", "…"), ("+1305\r\n01", "…01")]
)
def test_a_redacted_number_keeps_its_last_four_and_cannot_break_a_log_line(number: str, shown: str) -> None:
    assert redacted(number) == shown


@pytest.mark.parametrize(
    ("address", "number"),
    [
        (Address("13055550123", 1, 1), "+13055550123"),
        (Address("3055550123", 2, 1), "3055550123"),
        (Address("+13055550123", 1, 1), "+13055550123"),
        (Address("BROKER", 5, 0), "BROKER"),
        (Address("\u00b2", 1, 1), "\u00b2"),
        (Address(" 13055550123", 1, 1), "+13055550123"),
        (Address("", 1, 1), ""),
    ],
)
def test_only_international_digits_get_a_plus(address: Address, number: str) -> None:
    assert address.number() == number


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"destination": "3055550123"}, "the destination …0123 is not E.164"),
        ({"body": " \n"}, "the body is empty"),
        ({"source": ""}, "the source is empty"),
        ({"source": Address("")}, "the source is empty"),
        ({"validity_seconds": 0.0}, "the validity is not a positive number of seconds"),
        ({"finish_seconds": 0.0}, "the time to finish is not a positive number of seconds"),
    ],
)
def test_a_text_that_can_never_be_sent_is_refused_at_once(change: dict[str, object], complaint: str) -> None:
    facts = {"source": "+13055550100", "destination": "+13055550123", "body": "hi", "reference": "r", **change}
    with pytest.raises(TextInvalid, match=complaint):
        OutboundText(**facts)  # type: ignore[arg-type]


def test_bodies_do_not_show_in_a_representation() -> None:
    text = OutboundText(Address("100", 3, 0), "+13055550123", "very private", "r", 60.0)
    assert "private" not in repr(text)


def test_a_long_text_is_complete_when_every_part_is_present() -> None:
    assert Parts(7, 2, (1, 2)).complete
    assert not Parts(7, 2, (2,)).complete


def test_accepted_enroute_and_unknown_are_not_final() -> None:
    assert {state for state in DeliveryState if not state.final} == {
        DeliveryState.ENROUTE,
        DeliveryState.ACCEPTED,
        DeliveryState.UNKNOWN,
    }
