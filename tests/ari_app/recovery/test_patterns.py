"""Asterisk's patterns, read and compared. What a running Asterisk says to the same is in test_patterns_on_asterisk.py."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.recovery.patterns import Pattern, PatternError, most_specific, witness


@pytest.mark.parametrize(
    ("pattern", "number", "matches"),
    [
        ("911", "911", True),
        ("911", "9111", False),
        ("911", "91", False),
        ("1-305-555-0100", "13055550100", True),
        ("_1305555010X", "13055550109", True),
        ("_1305555010X", "1305555010", False),
        ("_1305555010x", "13055550100", True),
        ("_Z", "0", False),
        ("_Z", "1", True),
        ("_N", "1", False),
        ("_N", "2", True),
        ("_[2-57]", "5", True),
        ("_[2-57]", "6", False),
        ("_[2-57]", "7", True),
        ("_[*#]", "#", True),
        ("_[24-]", "4", True),
        ("_1.", "1", False),
        ("_1.", "12", True),
        ("_1.", "1#*99", True),
        ("_1!", "1", True),
        ("_1!", "1234", True),
        ("_!", "", True),
        ("_.", "", False),
        ("_NXX-XXXX", "555-0100", True),
        ("_+1X.", "+130", True),
    ],
)
def test_a_number_matches_or_does_not(pattern: str, number: str, matches: bool) -> None:
    if "[24-]" in pattern:
        with pytest.raises(PatternError, match="the set holds '-'"):
            Pattern.parse(pattern)
        return
    assert Pattern.parse(pattern).matches(number) is matches


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("", 0, "an empty pattern matches nothing"),
        ("_", 1, "an empty pattern matches nothing"),
        ("-", 1, "an empty pattern matches nothing"),
        ("1305555010X", 10, "found 'X'; a pattern begins with an underscore: expected '_1305555010X'"),
        ("_1305?", 5, "found '?'; expected a digit, * # + X Z N [set] . or !"),
        ("_13.5", 4, "nothing can follow '.': Asterisk ignores what stands after it"),
        ("_13!!", 4, "nothing can follow '!': Asterisk ignores what stands after it"),
        ("_1[23", 2, "the bracket is never closed"),
        ("_1[]", 2, "the set is empty"),
        ("_1[5-2]", 3, "the range 5-2 runs backwards"),
        ("_1[2a]", 3, "the set holds 'a'; expected digits, *, # or +"),
        ("_1]", 2, "found ']'; expected a digit, * # + X Z N [set] . or !"),
        ("_1 2", 2, "found ' '; expected a digit, * # + X Z N [set] . or !"),
    ],
)
def test_a_text_that_is_no_pattern_names_the_character(text: str, at: int, why: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern.parse(text)
    assert (caught.value.text, caught.value.at, caught.value.why) == (text, at, why)
    assert str(caught.value) == f"{text!r}, character {at + 1}: {why}"


@pytest.mark.parametrize(
    "falling",
    [
        ["123", "_123", "_12[3]", "_12[34]", "_12N", "_12Z", "_12X", "_12.", "_12!"],
        ["_1X2", "_1X[2-9]", "_1X.", "_1!", "_X.", "_.", "_!"],
        ["_12XX", "_12X!", "_12!"],
    ],
)
def test_the_more_specific_is_taken(falling: list[str]) -> None:
    patterns = [Pattern.parse(text) for text in falling]
    for first, second in itertools.combinations(patterns, 2):
        assert first.order <= second.order


def test_none_is_taken_when_none_matches() -> None:
    assert most_specific([Pattern.parse("_2XX"), Pattern.parse("911")], "123") is None


@pytest.mark.parametrize(
    ("patterns", "index", "found"),
    [
        (["_1X"], 0, "10"),
        (["_1X", "_1[0-4]"], 0, "15"),
        (["_1X", "_1[0-4]", "_1[5-9]"], 0, None),
        (["_1X", "_1[0-4]", "_1[5-8]"], 0, "19"),
        (["_1X", "_1X"], 0, "10"),
        (["_1X", "_1X"], 1, None),
        (["_1.", "_1X", "_1XX"], 0, "1*"),
        (["_1!", "_1.", "1"], 0, None),
        (["_1!", "_1."], 0, "1"),
        (["_.", "_X."], 0, "0"),
        (["123"], 0, "123"),
    ],
)
def test_an_entry_that_can_never_be_taken_is_found(patterns: list[str], index: int, found: str | None) -> None:
    parsed = [Pattern.parse(text) for text in patterns]
    number = witness(parsed, index)
    if found is None:
        assert number is None
    else:
        assert number is not None
        assert len(number) == len(found)
        assert most_specific(parsed, number) is parsed[index]


TEXTS = st.lists(
    st.sampled_from(["0", "1", "2", "9", "X", "Z", "N", "[2-5]", "[0189]", "[3]", "*"]), min_size=1, max_size=3
).flatmap(lambda parts: st.sampled_from(["", ".", "!"]).map(lambda tail: "_" + "".join(parts) + tail))


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_a_witness_is_right_and_there_is_one_whenever_a_short_number_is(texts: list[str]) -> None:
    patterns = [Pattern.parse(text) for text in texts]
    numbers = ["".join(digits) for length in range(1, 5) for digits in itertools.product("0125*", repeat=length)]
    for index, pattern in enumerate(patterns):
        number = witness(patterns, index)
        if number is not None:
            assert most_specific(patterns, number) is pattern
        else:
            assert all(most_specific(patterns, other) is not pattern for other in numbers)
