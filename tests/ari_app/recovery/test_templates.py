"""Texts are filled in as data, and say what is wrong with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.recovery.templates import ALWAYS_KNOWN, FIELD_LIMITS, Template, TemplateError, clean, first_name

MISSED = "{brokerage} (automated): sorry[ {name}] we missed your {time} call[ on {listing}]. Buying? STOP to opt out."
KNOWN = {"brokerage": "Harbor Realty", "time": "2:05 pm"}


@pytest.mark.parametrize(
    ("name", "listing", "expected"),
    [
        (None, None, "Harbor Realty (automated): sorry we missed your 2:05 pm call. Buying? STOP to opt out."),
        ("Ana", None, "Harbor Realty (automated): sorry Ana we missed your 2:05 pm call. Buying? STOP to opt out."),
        (
            "Ana",
            "12 Ocean Drive",
            "Harbor Realty (automated): sorry Ana we missed your 2:05 pm call on 12 Ocean Drive. Buying? STOP to opt out.",
        ),
    ],
)
def test_a_part_in_brackets_is_left_out_unless_all_of_it_is_known(
    name: str | None, listing: str | None, expected: str
) -> None:
    assert Template.parse(MISSED).render({**KNOWN, "name": name, "listing": listing}) == expected


def test_a_part_with_two_fields_needs_both() -> None:
    template = Template.parse("[{name} on {listing}, ]hello")
    assert template.render({"name": "Ana", "listing": None}) == "hello"
    assert template.render({"name": "Ana", "listing": "12 Ocean Drive"}) == "Ana on 12 Ocean Drive, hello"


def test_doubled_signs_stand_for_themselves() -> None:
    assert Template.parse("[[a]] {{b}} {brokerage}").render(KNOWN) == "[a] {b} Harbor Realty"


def test_a_field_that_is_not_known_is_an_error_outside_brackets() -> None:
    with pytest.raises(KeyError, match="listing"):
        Template.parse("about {listing}").render(KNOWN)


def test_fields_are_told_apart_by_whether_they_must_be_known() -> None:
    template = Template.parse(MISSED)
    assert template.fields(required=True) == {"brokerage", "time"}
    assert template.fields(required=False) == {"name", "listing"}
    assert set(FIELD_LIMITS) > ALWAYS_KNOWN


@pytest.mark.parametrize(
    ("source", "at", "why"),
    [
        ("Hi {nam}", 3, "found {nam}; expected one of agent, brokerage, listing, name, office, open_time, phone, time"),
        ("Hi {name", 3, "the brace is never closed"),
        ("Hi [{name}", 3, "the bracket is never closed"),
        ("[a [{name}]]", 3, "a part in [...] cannot hold another"),
        ("Hi [there]", 9, "a part in [...] without a field is never left out: write [[ for a bracket"),
        ("Hi ] there", 3, "found a lone ']'; write ]] for the character itself"),
        ("Hi } there", 3, "found a lone '}'; write }} for the character itself"),
    ],
)
def test_a_text_that_is_no_template_names_the_character(source: str, at: int, why: str) -> None:
    with pytest.raises(TemplateError) as caught:
        Template.parse(source)
    assert (caught.value.at, caught.value.why) == (at, why)


def test_values_are_data_and_never_read_as_template() -> None:
    assert Template.parse("[{name}: ]hi").render({"name": "{brokerage}[x]"}) == "{brokerage}[x]: hi"


def test_values_are_cut_to_their_limit_and_kept_on_one_line() -> None:
    text = Template.parse("{listing}.").render({"listing": "1\r\n2\x00\u200b " + "x" * 100})
    assert text == "1 2 " + "x" * 36 + "."


@given(st.text(max_size=300), st.integers(0, 60))
def test_cleaned_text_is_one_short_line_without_control_characters(value: str, limit: int) -> None:
    cleaned = clean(value, limit)
    assert len(cleaned) <= limit
    assert cleaned == cleaned.strip()
    assert cleaned.isprintable()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ANA AGENT", "Ana"),
        ("ana", "Ana"),
        ("McKay Smith", "McKay"),
        ("O'Neil", "O'Neil"),
        ("  Jo-Ann  X", "Jo-Ann"),
        (None, None),
        ("", None),
        ("   ", None),
        ("A", None),
        ("WIRELESS CALLER 1", "Wireless"),
        ("305-555-0123", None),
        ("José", None),
        ("{name}", None),
        ("STOP2", None),
        ("x" * 30, None),
    ],
)
def test_a_first_name_is_plain_letters_or_nothing(name: str | None, expected: str | None) -> None:
    assert first_name(name) == expected


@given(st.text(alphabet=st.sampled_from("ab {}[]name"), max_size=30))
def test_no_source_makes_the_parser_fail_otherwise(source: str) -> None:
    try:
        rendered = Template.parse(source).render(dict.fromkeys(FIELD_LIMITS, "v"))
    except TemplateError as error:
        rendered = source[error.at : error.at + 1]  # a place in the source, or its end
    assert len(rendered) <= len(source)
