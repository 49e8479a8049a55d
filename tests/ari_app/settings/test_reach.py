"""Which patterns meet the numbers that they are meant for."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ari_app import numbering
from ari_app.recovery.values import NumberKind
from ari_app.settings.numbers import read_pattern
from ari_app.settings.reach import Miss, of_dialled, of_persons


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("3055550107", "US", "13055550107"),
        ("305-555-0107", "US", "1305-555-0107"),
        ("_305XXXXXXX", "US", "_1305XXXXXXX"),
        ("_NXXNXXXXXX", "US", "_1NXXNXXXXXX"),
        ("_[23]0[1-5]NXXXXXX", "US", "_1[23]0[1-5]NXXXXXX"),
        ("02079460958", "GB", "442079460958"),
        ("2079460958", "GB", "442079460958"),
        ("_020XXXXXXXX", "GB", "_4420XXXXXXXX"),
    ],
)
def test_a_pattern_in_national_form_meets_nobody_and_is_told_its_international_form(
    text: str, region: str, expected: str
) -> None:
    for miss in (of_dialled(text, region), of_persons(text, region)):
        assert miss is not None
        assert (miss.never, miss.expected) == (True, expected)
    assert of_dialled(expected, region) is None
    assert of_persons(expected, region) is None


@pytest.mark.parametrize(
    "text",
    [
        *("13055550107", "+13055550107", "_1305555010X", "_1NXXNXXXXXX", "_1305.", "_1!", "_X.", "_.", "_!"),
        *("_44XXXXXXXXXX", "_44.", "442079460958"),
    ],
)
def test_international_form_of_any_country_is_no_mistake(text: str) -> None:
    assert of_dialled(text, "US") is None
    assert of_persons(text, "US") is None


@pytest.mark.parametrize("text", ["101", "_1XX", "_[24]XXX", "5550107", "_555XXXX", "*97", "911"])
def test_extensions_and_short_numbers_that_a_carrier_delivers_may_be_dialled_but_are_nobodys_number(text: str) -> None:
    assert of_dialled(text, "US") is None
    assert of_persons(text, "US") == Miss(None, None, never=True, expected=None)


@pytest.mark.parametrize(("text", "expected"), [("_305.", "_1305."), ("_NXX!", "_1NXX!")])
def test_an_open_pattern_that_misses_national_numbers_may_be_meant_for_others(text: str, expected: str) -> None:
    for miss in (of_dialled(text, "US"), of_persons(text, "US")):
        assert miss is not None
        assert (miss.never, miss.expected) == (False, expected)


def test_where_it_is_not_known_what_was_meant_nothing_is_proposed() -> None:
    typo = of_dialled("1305555010", "US")
    assert typo == Miss("1305555010", "11305555010", never=True, expected=None)
    assert of_dialled("_49XXXXXXXX", "US") == Miss("4915550123", "14915550123", never=False, expected=None)
    mixed = of_dialled("_[03]2XXXXXXXXX", "GB")
    assert mixed is not None
    assert mixed.expected is None, "the digit that only the country dials is one of a set"


@example("3180000000", "US")  # a Dutch freephone number, as long as one of ours
@given(st.from_regex(r"[0-9]{1,15}", fullmatch=True), st.sampled_from(["US", "GB", "DE", "MX"]))
def test_a_number_is_never_refused_that_would_match_nor_let_pass_that_cannot(text: str, region: str) -> None:
    matches = read_pattern(text).matches(numbering.canonical(text, region).removeprefix("+"))
    miss = of_dialled(text, region)
    assert (miss is None) == matches
    as_person = numbering.classify(f"+{text}", region)
    if as_person.kind in (NumberKind.ORDINARY, NumberKind.SPECIAL):
        assert of_persons(text, region) is None
