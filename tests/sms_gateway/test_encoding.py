"""Alphabets: what travels as GSM 03.38, what as UCS-2, and what cleaning does."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sms_gateway.encoding import (
    REPLACEMENT,
    Alphabet,
    alphabet_for,
    decode,
    encode,
    offending,
    pack,
    sanitise,
    septets,
    text_of_septets,
    units,
    unpack,
)

GSM_TEXT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)
gsm_texts = st.text(st.sampled_from(GSM_TEXT))
any_texts = st.text(st.characters())
"""Lone surrogates among them."""


@pytest.mark.parametrize(
    ("character", "octets"),
    [
        ("@", "00"),
        ("$", "02"),
        ("Ç", "09"),
        ("_", "11"),
        ("¤", "24"),
        ("¡", "40"),
        ("§", "5f"),
        ("¿", "60"),
        ("\f", "1b0a"),
        ("^", "1b14"),
        ("{", "1b28"),
        ("}", "1b29"),
        ("\\", "1b2f"),
        ("[", "1b3c"),
        ("~", "1b3d"),
        ("]", "1b3e"),
        ("|", "1b40"),
        ("€", "1b65"),
    ],
)
def test_check_points_of_the_gsm_tables(character: str, octets: str) -> None:
    assert septets(character) == bytes.fromhex(octets)
    assert text_of_septets(bytes.fromhex(octets)) == character


@pytest.mark.parametrize("character", ["`", "ç", "Á", "“", "😀", "\ud800", "\x1b"])
def test_what_gsm_does_not_have_needs_ucs2(character: str) -> None:
    assert septets(character) is None
    assert alphabet_for(character) is Alphabet.UCS2
    assert offending(f"a{character}b{character}") == (character,)


@given(gsm_texts)
def test_gsm_text_comes_back_as_it_went(text: str) -> None:
    data = septets(text)
    assert data is not None
    assert text_of_septets(data) == text
    assert units(text, Alphabet.GSM) == len(data)
    assert decode(encode(text, Alphabet.GSM), Alphabet.GSM) == text


@given(st.binary())
def test_decoding_is_total_in_every_alphabet(data: bytes) -> None:
    for alphabet in Alphabet:
        assert isinstance(decode(data, alphabet), str)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("1b1b", " "),  # 3GPP TS 23.038 section 6.2.1.1: ESC ESC is a space
        ("1b41", "A"),  # an unknown extension shows the character of the default table
        ("41421b", "AB"),  # an escape cut off at the end
        ("4180ff42", f"A{REPLACEMENT}{REPLACEMENT}B"),
        ("1b8041", f"{REPLACEMENT}A"),
    ],
)
def test_odd_septets_are_read_as_the_standard_says(octets: str, text: str) -> None:
    assert text_of_septets(bytes.fromhex(octets)) == text


@given(st.lists(st.integers(0, 0x7F)), st.integers(0, 6))
def test_packed_septets_come_back_but_for_a_cr_that_looks_like_filling(codes: list[int], fill: int) -> None:
    data = bytes(codes)
    back = unpack(pack(data, fill), fill)
    on_boundary = (len(data) * 7 + fill) % 8 == 0
    assert back == (data[:-1] if data[-1:] == b"\r" and on_boundary else data)


def test_packing_is_that_of_the_standard() -> None:
    # 3GPP TS 23.038 section 6.1.2.1: "hellohello" is a well-known vector.
    assert pack(b"hellohello").hex() == "e8329bfd4697d9ec37"
    # Seven characters leave seven spare bits, which hold CR (section 6.1.2.3.1).
    assert pack(b"AAAAAAA") == pack(b"AAAAAAA\r")
    assert decode(pack(b"AAAAAAA"), Alphabet.GSM_PACKED) == "AAAAAAA"
    assert encode("AAAAAAA", Alphabet.GSM_PACKED) == pack(b"AAAAAAA")
    assert unpack(b"", 3) == b""


@pytest.mark.parametrize(
    ("alphabet", "text", "octets"),
    [
        (Alphabet.LATIN1, "é§", "e9a7"),
        (Alphabet.ASCII, "ab", "6162"),
        (Alphabet.UCS2, "a😀", "0061d83dde00"),
    ],
)
def test_other_alphabets_are_what_they_say(alphabet: Alphabet, text: str, octets: str) -> None:
    assert encode(text, alphabet) == bytes.fromhex(octets)
    assert decode(bytes.fromhex(octets), alphabet) == text


@pytest.mark.parametrize("alphabet", [Alphabet.GSM, Alphabet.GSM_PACKED, Alphabet.LATIN1, Alphabet.ASCII])
def test_encoding_a_missing_character_is_an_error_and_never_another_character(alphabet: Alphabet) -> None:
    with pytest.raises(UnicodeEncodeError):
        encode("中", alphabet)


@pytest.mark.parametrize(
    ("text", "default", "chosen"),
    [
        ("plain", Alphabet.GSM, Alphabet.GSM),
        ("plain", Alphabet.ASCII, Alphabet.ASCII),
        ("é", Alphabet.LATIN1, Alphabet.LATIN1),
        ("é", Alphabet.ASCII, Alphabet.UCS2),
        ("€", Alphabet.LATIN1, Alphabet.UCS2),  # in GSM but not in Latin-1
        ("ç", Alphabet.LATIN1, Alphabet.UCS2),  # in Latin-1 but not in GSM, into which the carrier would convert
        ("€", Alphabet.GSM_PACKED, Alphabet.GSM_PACKED),
    ],
)
def test_the_default_alphabet_is_used_where_it_and_gsm_hold_the_text(
    text: str, default: Alphabet, chosen: Alphabet
) -> None:
    assert alphabet_for(text, default) is chosen


def test_units_count_escapes_and_surrogate_pairs_twice() -> None:
    assert units("a€", Alphabet.GSM) == 3
    assert units("a€", Alphabet.LATIN1) == 3
    assert units("a😀", Alphabet.UCS2) == 3


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("“It’s” – ok…", '"It\'s" - ok...'),
        ("a\u00a0b\u2003c", "a b c"),
        ("a\u200bb\ufeffc\u00add", "abcd"),
        ("line\r\nline\rline\u2028x\x85y", "line\nline\nline\nx\ny"),
        ("tab\there\x00\x07", "tab here"),
        ("`", "'"),
        ("e\u0301", "é"),
        ("lone \ud800!", f"lone {REPLACEMENT}!"),
        ("\ud83d\ude00", "😀"),
        ("👩\u200d💻", "👩\u200d💻"),  # a joiner that shapes an emoji stays
        ("a\u200db", "ab"),
        ("\u200da", "a"),
        ("ça coûte § 5", "ça coûte § 5"),
        ("plain ASCII\n~", "plain ASCII\n~"),
    ],
)
def test_cleaning_takes_out_what_costs_and_says_nothing(raw: str, clean: str) -> None:
    assert sanitise(raw) == clean


@given(any_texts)
@example("a\u200d\u0301\u200d")
@example("e\u200b\u0301\u200d")
@example("\ud800\udc00\r\n")
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = sanitise(text)
    assert sanitise(once) == once
    assert all(character in "\n\f" or unicodedata.category(character) not in {"Cc", "Cs"} for character in once)
    assert decode(encode(once, Alphabet.UCS2), Alphabet.UCS2) == once
