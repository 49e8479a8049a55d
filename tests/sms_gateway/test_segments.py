"""Cutting texts into segments, and what they cost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sms_gateway.encoding import Alphabet, alphabet_for, decode, encode, sanitise, units
from sms_gateway.segments import (
    Concatenation,
    Measure,
    capacity,
    fill_bits,
    header,
    measure,
    parse_header,
    split,
)
from tests.sms_gateway.test_encoding import any_texts, gsm_texts


@pytest.mark.parametrize(
    ("alphabet", "sizes"),
    [(Alphabet.GSM, (160, 153, 152)), (Alphabet.UCS2, (70, 67, 66)), (Alphabet.LATIN1, (160, 153, 152))],
)
def test_the_capacity_of_a_segment(alphabet: Alphabet, sizes: tuple[int, ...]) -> None:
    assert tuple(capacity(alphabet, octets) for octets in (0, 6, 7)) == sizes


@given(
    st.one_of(any_texts, gsm_texts, st.text(st.sampled_from("a€😀é\u0301👩\u200d💻🇫🇷"), max_size=500)),
    st.sampled_from([6, 7]),
)
@example("a" * 152 + "€" + "b" * 20, 6)
@example("€" * 300, 6)
@example("a" * 66 + "😀" + "b" * 5, 6)
@example("\ud800" * 100, 6)
@example("`" * 161, 6)
@example("§" * 161, 6)
@example("a" + "\u0301" * 300, 6)
@example("a" * 160, 6)
@example("a" * 161, 7)
@example("é" * 71, 7)
def test_the_segments_joined_are_the_text_and_each_fits(raw: str, header_octets: int) -> None:
    text = sanitise(raw)
    alphabet = alphabet_for(text)
    segments = split(text, alphabet, header_octets)
    limit = capacity(alphabet) if len(segments) == 1 else capacity(alphabet, header_octets)
    assert "".join(segments) == text
    assert all(units(segment, alphabet) <= limit for segment in segments)
    # Every segment decodes by itself: no escape and no surrogate pair is cut.
    assert "".join(decode(encode(segment, alphabet), alphabet) for segment in segments) == text
    if alphabet is Alphabet.GSM:
        # No segment had room for the first character of the next.
        assert all(units(before + after[0], alphabet) > limit for before, after in pairwise(segments))


def test_an_escape_pair_goes_into_the_next_segment_whole() -> None:
    assert split("a" * 152 + "€" + "b" * 20, Alphabet.GSM) == ["a" * 152, "€" + "b" * 20]


def test_three_hundred_euro_signs_take_four_segments() -> None:
    assert [len(segment) for segment in split("€" * 300, Alphabet.GSM)] == [76, 76, 76, 72]


def test_a_surrogate_pair_goes_into_the_next_segment_whole() -> None:
    assert split("a" * 66 + "😀" + "b" * 5, Alphabet.UCS2) == ["a" * 66, "😀" + "b" * 5]


@pytest.mark.parametrize(
    "sequence",
    [
        "e\u0301",  # a letter and its accent
        "👍🏽",  # an emoji and its skin
        "👩\u200d💻",  # two emoji and their joiner
        "🇫🇷",  # the two halves of a flag
        "❤\ufe0f",  # a variation selector
        "🏴\U000e0067\U000e007f",  # a tagged flag
        "கி",  # a spacing vowel sign
    ],
)
def test_what_a_person_sees_as_one_is_not_cut(sequence: str) -> None:
    first, second = split("x" * (67 - units(sequence, Alphabet.UCS2) + 1) + sequence + "y" * 10, Alphabet.UCS2)
    assert set(first) == {"x"}
    assert second.startswith(sequence)


def test_two_flags_may_be_cut_between_them() -> None:
    first, second = split("x" * 63 + "🇫🇷🇩🇪" + "y" * 5, Alphabet.UCS2)
    assert (first, second) == ("x" * 63 + "🇫🇷", "🇩🇪" + "y" * 5)


def test_a_sequence_longer_than_a_segment_is_cut_between_characters() -> None:
    segments = split("a" + "\u0301" * 140, Alphabet.UCS2)
    assert [len(segment) for segment in segments] == [67, 67, 7]


def test_measuring_says_what_costs() -> None:
    assert measure("It’s “fine” — really") == Measure('It\'s "fine" - really', Alphabet.GSM, 20, 1, ())
    costly = measure("Olá, é a sua corretora 😀😀" + "x" * 50)
    assert (costly.alphabet, costly.segments, costly.offending) == (Alphabet.UCS2, 2, ("á", "😀"))


@pytest.mark.parametrize("wide", [False, True])
@given(reference=st.integers(0, 0xFFFF), total=st.integers(1, 255), data=st.data())
def test_a_header_comes_back_as_it_went(wide: bool, reference: int, total: int, data: st.DataObject) -> None:
    place = Concatenation(reference if wide else reference & 0xFF, total, data.draw(st.integers(1, total)))
    octets = header(place, wide=wide)
    assert len(octets) == (7 if wide else 6)
    assert parse_header(octets + b"text") == (place, len(octets))


def test_the_octets_of_both_headers() -> None:
    assert header(Concatenation(0x1234, 3, 2)).hex() == "050003340302"
    assert header(Concatenation(0x1234, 3, 2), wide=True).hex() == "060804" + "12340302"


@pytest.mark.parametrize(
    ("octets", "place", "length"),
    [
        ("", None, 0),
        ("05", None, 0),  # a header longer than the data is none
        ("050003aa0203" + "41", None, 6),  # the third of two
        ("050003aa0200" + "41", None, 6),  # the zeroth
        ("050003aa0000" + "41", None, 6),
        ("0a" + "0504158115b3" + "0003aa02" + "41", None, 11),  # an element cut off by the header's end
        ("0b" + "05041581158a" + "0003aa0201", Concatenation(0xAA, 2, 1), 12),  # ports, then concatenation
        ("0400020102" + "41", None, 5),  # a wrong length
        ("050803000102" + "41", None, 6),
        ("0100" + "41", None, 2),  # an identifier without a length
    ],
)
def test_odd_headers_are_skipped_and_the_text_remains(octets: str, place: Concatenation | None, length: int) -> None:
    assert parse_header(bytes.fromhex(octets)) == (place, length)


@given(st.binary(max_size=160))
def test_any_octets_are_some_header_or_none(data: bytes) -> None:
    place, length = parse_header(data)
    assert 0 <= length <= len(data)
    assert place is None or 1 <= place.index <= place.total


@pytest.mark.parametrize(("octets", "bits"), [(0, 0), (6, 1), (7, 0)])
def test_packed_text_begins_at_a_septet_boundary(octets: int, bits: int) -> None:
    assert fill_bits(octets) == bits
    assert (octets * 8 + bits) % 7 == 0
