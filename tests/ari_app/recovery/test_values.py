"""Numbers and times are what they say, or are refused."""

from __future__ import annotations

from datetime import datetime

import pytest

from ari_app.recovery.events import LeadAcknowledged
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import E164, Verdict, e164
from tests.ari_app.recovery.books import START, policy


@pytest.mark.parametrize("text", ["+13055550123", "+4930123456", "+1234567", "+123456789012345"])
def test_a_number_is_a_plus_and_seven_to_fifteen_digits(text: str) -> None:
    assert e164(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "13055550123", "+03055550123", "+123456", "+1234567890123456", "+1 305 555 0123", "+1305555012x", "+٣" * 8],
)
def test_anything_else_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number such as") as caught:
        e164(text)
    assert repr(text) in str(caught.value)


def test_an_event_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an aware datetime, found 2026-11-24T10:00:00"):
        LeadAcknowledged(at=datetime(2026, 11, 24, 10), source_id="command:1", by="ana")  # noqa: DTZ001
    assert LeadAcknowledged(at=START, source_id="command:1", by="ana").at is START


@pytest.fixture
def office() -> Policy:
    return policy()


@pytest.mark.parametrize(
    ("dialled", "entry"),
    [
        ("+13055550107", "13055550107"),
        ("13055550107", "13055550107"),
        ("+13055550100", "_1305555010X"),
        ("+13055550200", None),
        ("", None),
    ],
)
def test_a_dialled_number_finds_its_most_specific_entry(office: Policy, dialled: str, entry: str | None) -> None:
    found = office.entry_for(dialled)
    assert (None if found is None else found.key) == entry


def test_texts_and_callbacks_go_only_where_a_pattern_leads(office: Policy) -> None:
    assert office.text_route(E164("+13055550123")) == "sms"
    assert office.text_route(E164("+442079460000")) is None
    assert office.may_call_back(E164("+13055550123"))
    assert not office.may_call_back(E164("+442079460000"))


def test_blocked_numbers_and_our_own_mobiles_are_known(office: Policy) -> None:
    assert office.is_blocked(E164("+13055550666"))
    assert not office.is_blocked(E164("+13055550123"))
    assert office.is_ours(E164("+13055550181"))
    assert not office.is_ours(E164("+13055550123"))


def test_an_office_that_left_the_settings_is_answered_for_by_the_first(office: Policy) -> None:
    assert office.office("keys").name == "Key West"
    assert office.office("closed down").name == "Miami"


def test_a_miss_counts_by_the_verdicts_of_its_entry(office: Policy) -> None:
    assert office.entries[0].counts == {
        Verdict.NO_ANSWER,
        Verdict.BUSY,
        Verdict.UNREACHABLE,
        Verdict.AFTER_HOURS,
        Verdict.ABANDONED,
    }
