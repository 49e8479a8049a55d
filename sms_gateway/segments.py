"""Cutting a text into segments and naming them: user data headers and measures. Pure.

Never cuts an escape pair or a surrogate pair, nor a combining sequence where one fits into a segment.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from sms_gateway.encoding import Alphabet, alphabet_for, offending, sanitise, units

MAX_SEGMENTS = 255  # the octet that counts them, 3GPP TS 23.040 section 9.2.3.24.1

_IEI_CONCAT_8BIT = 0x00  # 3GPP TS 23.040 section 9.2.3.24.1
_IEI_CONCAT_16BIT = 0x08  # 3GPP TS 23.040 section 9.2.3.24.8
_OCTETS = 140  # user data of one short message, 3GPP TS 23.040 section 9.2.3.16


@dataclass(frozen=True, slots=True)
class Measure:
    """What a text costs.

    text: the sanitised text that was measured.
    alphabet: GSM or UCS2.
    units: septets or UTF-16 units.
    segments: how many short messages it takes.
    offending: the characters that force UCS-2, each once.
    """

    text: str
    alphabet: Alphabet
    units: int
    segments: int
    offending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Concatenation:
    """The place of one segment in a long text.

    reference: the sender's number for the text. total: segments in all. index: this one's, from 1.
    """

    reference: int
    total: int
    index: int


def capacity(alphabet: Alphabet, header_octets: int = 0) -> int:
    """Units that one segment holds beside a user data header of ``header_octets``: 160/153/152 or 70/67/66."""
    room = _OCTETS - header_octets
    return room // 2 if alphabet is Alphabet.UCS2 else room * 8 // 7


def split(text: str, alphabet: Alphabet, header_octets: int = 6) -> list[str]:
    """``text`` in as few segments as its units need; one if it fits without a header."""
    if units(text, alphabet) <= capacity(alphabet):
        return [text]
    limit = capacity(alphabet, header_octets)
    out: list[str] = []
    segment, used = "", 0
    for piece in _pieces(text, alphabet, limit):
        cost = units(piece, alphabet)
        if used + cost > limit:
            out.append(segment)
            segment, used = "", 0
        segment += piece
        used += cost
    return [*out, segment]


def _pieces(text: str, alphabet: Alphabet, limit: int) -> Iterator[str]:
    """What should stay together: characters of GSM, combining sequences of UCS-2 unless one exceeds a segment."""
    if alphabet is not Alphabet.UCS2:
        yield from text
        return
    cluster = ""
    for character in text:
        if cluster and not _joins(cluster, character):
            yield from [cluster] if units(cluster, alphabet) <= limit else cluster
            cluster = ""
        cluster += character
    yield from [cluster] if units(cluster, alphabet) <= limit else cluster


def _joins(cluster: str, character: str) -> bool:
    """Whether ``character`` continues what a person sees as one: a small part of Unicode Annex 29, section 3.1.1."""
    if character == "\u200d" or cluster[-1] == "\u200d" or "\U0001f3fb" <= character <= "\U0001f3ff":
        return True
    if unicodedata.category(character) in {"Mn", "Me", "Mc"} or "\U000e0020" <= character <= "\U000e007f":
        return True
    return len(cluster) == 1 and _is_flag_letter(cluster) and _is_flag_letter(character)


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def measure(text: str, default: Alphabet = Alphabet.GSM) -> Measure:
    """What ``text`` will cost once sanitised, on a link whose default alphabet is ``default``."""
    text = sanitise(text)
    alphabet = alphabet_for(text, default)
    return Measure(
        text=text,
        alphabet=alphabet,
        units=units(text, alphabet),
        segments=len(split(text, alphabet)),
        offending=offending(text),
    )


def header(place: Concatenation, *, wide: bool = False) -> bytes:
    """The user data header of a segment, with an 8-bit reference, or 16-bit if ``wide``."""
    if wide:
        element = bytes([_IEI_CONCAT_16BIT, 4]) + (place.reference & 0xFFFF).to_bytes(2, "big")
    else:
        element = bytes([_IEI_CONCAT_8BIT, 3, place.reference & 0xFF])
    element += bytes([place.total, place.index])
    return bytes([len(element)]) + element


def fill_bits(header_octets: int) -> int:
    """Zero bits between a header and packed septets, which begin at a septet boundary, 3GPP TS 23.040 section 9.2.3.24."""
    return -header_octets * 8 % 7


def parse_header(data: bytes) -> tuple[Concatenation | None, int]:
    """The concatenation element of a user data header, if any, and how many octets the header takes.

    A header that does not fit into ``data`` is none: (None, 0), and all of ``data`` is text. Total.
    """
    if not data or data[0] + 1 > len(data):
        return None, 0
    end = data[0] + 1
    place, at = None, 1
    while at + 2 <= end:
        identifier, length = data[at], data[at + 1]
        value = data[at + 2 : min(at + 2 + length, end)]
        if identifier == _IEI_CONCAT_8BIT and len(value) == length == 3:
            place = Concatenation(value[0], value[1], value[2])
        elif identifier == _IEI_CONCAT_16BIT and len(value) == length == 4:
            place = Concatenation(int.from_bytes(value[:2], "big"), value[2], value[3])
        at += 2 + length
    if place is not None and not 1 <= place.index <= place.total:
        place = None
    return place, end
