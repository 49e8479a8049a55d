"""Numbers as the network writes them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.numbering import Party, canonical, classify, redacted, zones
from ari_app.recovery.values import NumberKind, e164

MIAMI = "+13055550142"


@pytest.mark.parametrize(
    "written",
    [
        "+13055550142",
        "13055550142",
        "3055550142",
        "(305) 555-0142",
        "305.555.0142",
        "305-555-0142",
        " +1 305 555 0142 ",
    ],
)
def test_every_way_of_writing_a_number_is_the_same_number(written: str) -> None:
    party = classify(written, "US")
    assert (party.number, party.kind) == (MIAMI, NumberKind.ORDINARY)
    assert party.raw == written.strip()
    assert canonical(written, "US") == MIAMI


@pytest.mark.parametrize(
    "written",
    [None, "", " ", "anonymous", "Anonymous", "RESTRICTED", "private", "unknown", "unavailable", "asterisk", "s"],
)
def test_a_caller_who_withholds_the_number_is_told_from_one_who_has_none(written: str | None) -> None:
    assert classify(written, "US") == Party((written or "").strip(), None, NumberKind.WITHHELD)


@pytest.mark.parametrize(
    "written",
    [
        *("12", "911", "101", "555-0142", "+1305555014", "+130555501422", "+999123456789"),
        *("abc", "+1305abc0142", "sip:3055550142@x", "305555014²", "३०५५५५०१४२", "++13055550142", "1" * 500, "(", "-"),
        *("3055550142;drop", "3055550142\n", "\x00", "305 555 0142 ext 5"),
    ],
)
def test_what_is_no_number_is_malformed_and_never_guessed(written: str) -> None:
    party = classify(written, "US")
    if written == "3055550142\n":
        assert party.kind is NumberKind.ORDINARY, "white space around a number is no part of it"
        return
    assert (party.number, party.kind) == (None, NumberKind.MALFORMED)


@pytest.mark.parametrize(
    ("written", "region", "number", "kind"),
    [
        ("+442079460958", "US", "+442079460958", NumberKind.FOREIGN),
        ("020 7946 0958", "GB", "+442079460958", NumberKind.ORDINARY),
        ("447400123456", "GB", "+447400123456", NumberKind.ORDINARY),
        ("+16135550142", "US", "+16135550142", NumberKind.FOREIGN),
        ("+18005550142", "US", "+18005550142", NumberKind.SPECIAL),
        ("18885550142", "US", "+18885550142", NumberKind.SPECIAL),
        ("+19005550142", "US", "+19005550142", NumberKind.SPECIAL),
        ("+80012345678", "US", "+80012345678", NumberKind.SPECIAL),
    ],
)
def test_numbers_are_of_the_brokerages_country_foreign_or_special(
    written: str, region: str, number: str, kind: NumberKind
) -> None:
    party = classify(written, region)
    assert (party.number, party.kind) == (number, kind)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *[(f"+1{code}2345678", NumberKind.FOREIGN) for code in ("809", "829", "849", "876")],
        ("+16582345678", NumberKind.FOREIGN),
        ("+18682212345", NumberKind.FOREIGN),
        *[
            (f"+1{code}2345678", NumberKind.SPECIAL)
            for code in ("800", "833", "844", "855", "866", "877", "888", "900")
        ],
        *[
            (f"+1{code}2345678", NumberKind.SPECIAL)
            for code in ("500", "521", "522", "533", "544", "566", "577", "588")
        ],
        ("+13059761234", NumberKind.SPECIAL),
        ("+12129761234", NumberKind.SPECIAL),
        ("+13059501234", NumberKind.SPECIAL),
        ("+13059111234", NumberKind.SPECIAL),
        ("+13055551212", NumberKind.SPECIAL),
        ("+12125551212", NumberKind.SPECIAL),
        ("+17002345678", NumberKind.MALFORMED),
        ("+13055550100", NumberKind.ORDINARY),
        ("+13055550199", NumberKind.ORDINARY),
        ("+13055551213", NumberKind.ORDINARY),
        ("+13052976123", NumberKind.ORDINARY),
        ("+13052345976", NumberKind.ORDINARY),
    ],
)
def test_in_north_america_what_costs_or_has_no_place_is_told_from_subscribers(number: str, kind: NumberKind) -> None:
    """GEO-06 and GEO-07. Nobody has a number in 700 that phonenumbers knows: recorded, and no more."""
    assert classify(number, "US").kind is kind


def test_personal_numbers_of_other_countries_are_special_too() -> None:
    assert classify("+447012345678", "GB").kind is NumberKind.SPECIAL


@given(
    st.one_of(st.text(max_size=30), st.from_regex(r"\+?[0-9(][0-9 ().-]{0,25}", fullmatch=True)),
    st.sampled_from(["US", "GB", "NU"]),
)
def test_nothing_that_comes_from_the_network_breaks_the_look_up(written: str, region: str) -> None:
    party = classify(written, region)
    assert (party.number is None) == (party.kind in (NumberKind.WITHHELD, NumberKind.MALFORMED))
    if party.number is not None:
        assert e164(party.number) == party.number
        assert classify(party.number, region) == Party(party.number, party.number, party.kind)
        assert zones(party.number)
    assert isinstance(canonical(written, region), str)


def test_a_national_plan_that_goes_beyond_e164_gives_no_number() -> None:
    assert classify("+4933710628487299", "DE").kind is NumberKind.MALFORMED, "sixteen digits"


def test_what_lies_in_no_country_lies_in_no_zone() -> None:
    assert zones(e164("+9991234567")) == ()


@pytest.mark.parametrize("dialled", ["101", "*97", "s", "", "harbor", "12", "911", "5550107"])
def test_what_was_dialled_stays_as_it_is_when_it_is_no_number(dialled: str) -> None:
    assert canonical(dialled, "US") == dialled


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+13055550142", ["America/New_York"]),
        ("+13125550142", ["America/Chicago"]),
        ("+18085550142", ["Pacific/Honolulu"]),
        ("+442079460958", ["Europe/London"]),
    ],
)
def test_a_number_lies_in_the_zones_of_its_area_code(number: str, expected: list[str]) -> None:
    assert zones(e164(number)) == tuple(ZoneInfo(name) for name in expected)


def test_in_an_area_code_across_a_zones_border_an_exchange_that_is_not_known_lies_in_both() -> None:
    eastern, central = ZoneInfo("America/New_York"), ZoneInfo("America/Chicago")
    assert set(zones(e164("+18505550142"))) == {eastern, central}, "850 is the Florida panhandle"
    assert zones(e164("+18504320142")) == (central,), "850-432 is Pensacola"
    assert set(zones(e164("+12705550142"))) == {eastern, central}, "270 is western Kentucky"
    assert len(zones(e164("+18005550142"))) > 3, "a toll-free number may be anywhere"


def test_zones_that_this_machine_does_not_know_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    number = e164("+13055550149")
    zones.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr("ari_app.numbering._zone_names", lambda _: ("Etc/Unknown", "No/Such/Zone", "America/New_York"))
        assert zones(number) == (ZoneInfo("America/New_York"),)
    zones.cache_clear()
    assert zones(number) == (ZoneInfo("America/New_York"),)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+13055550142", "…0142"), ("12345", "…2345"), ("101", "101"), (None, "withheld"), ("", "withheld")],
)
def test_a_number_in_a_log_is_its_last_four_digits(number: str | None, shown: str) -> None:
    assert redacted(number) == shown
