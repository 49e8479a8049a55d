"""Alphabets of SMS: GSM 03.38 and UCS-2, what needs which, and the cleaning that keeps texts short. Pure.

Owns the tables and the counting of units. Cutting into segments is `segments`, joining them is `reassembly`.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)  # 3GPP TS 23.038 section 6.2.1, by position
_EXTENSION = {  # 3GPP TS 23.038 section 6.2.1.1, after ESC
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}
_ESC = 0x1B
_CR = 0x0D
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_SEPTETS: dict[int, bytes] = {ord(character): bytes([code]) for code, character in enumerate(_BASIC) if code != _ESC}
_SEPTETS.update({ord(character): bytes([_ESC, code]) for code, character in _EXTENSION.items()})


class Alphabet(StrEnum):
    """How the characters of a text travel.

    GSM: one septet per octet, the usual meaning of data_coding 0.
    GSM_PACKED: eight septets in seven octets, which a few gateways mean by data_coding 0.
    LATIN1, ASCII: what other carriers mean by it.
    UCS2: UTF-16BE, data_coding 8.
    """

    GSM = "gsm"
    GSM_PACKED = "gsm-packed"
    LATIN1 = "latin1"
    ASCII = "ascii"
    UCS2 = "ucs2"


def septets(text: str) -> bytes | None:
    """``text`` in the GSM default alphabet, one septet per octet, or None if a character is not in it."""
    try:
        return _gsm(text)
    except UnicodeEncodeError:
        return None


def _gsm(text: str) -> bytes:
    return codecs.charmap_encode(text, "strict", _SEPTETS)[0]


def text_of_septets(data: bytes) -> str:
    """The text of unpacked septets. Total: what means nothing becomes U+FFFD, or as the standard says.

    3GPP TS 23.038 section 6.2.1.1: an unknown extension code shows the character of the default table, and a second
    ESC, reserved for a further table, shows a space.
    """
    out: list[str] = []
    escaped = False
    for code in data:
        if code > 0x7F:
            out.append(REPLACEMENT)
            escaped = False
        elif escaped:
            out.append(" " if code == _ESC else _EXTENSION.get(code) or _BASIC[code])
            escaped = False
        elif code == _ESC:
            escaped = True
        else:
            out.append(_BASIC[code])
    return "".join(out)


def pack(data: bytes, fill_bits: int = 0) -> bytes:
    """Septets to octets, least significant bit first (3GPP TS 23.038 section 6.1.2.1), after ``fill_bits`` of zero.

    Seven spare bits at the end are filled with CR, or the reader would see an ``@`` (section 6.1.2.3.1).
    """
    if (len(data) * 7 + fill_bits) % 8 == 1:
        data += bytes([_CR])
    bits = 0
    for index, code in enumerate(data):
        bits |= code << (index * 7)
    bits <<= fill_bits
    return bits.to_bytes((len(data) * 7 + fill_bits + 7) // 8, "little")


def unpack(data: bytes, fill_bits: int = 0) -> bytes:
    """Octets to septets, the reverse of ``pack``; a CR that only fills the last seven bits is dropped."""
    bits = int.from_bytes(data, "little") >> fill_bits
    count = max(0, len(data) * 8 - fill_bits) // 7
    out = bytes((bits >> (index * 7)) & 0x7F for index in range(count))
    if out and (count * 7 + fill_bits) % 8 == 0 and out[-1] == _CR:
        return out[:-1]
    return out


def encode(text: str, alphabet: Alphabet) -> bytes:
    """``text`` as octets of ``alphabet``, UCS2 total, the others raising UnicodeEncodeError for a missing character."""
    if alphabet is Alphabet.UCS2:
        return text.encode("utf-16-be", "replace")
    if alphabet is Alphabet.LATIN1 or alphabet is Alphabet.ASCII:
        return text.encode("latin-1" if alphabet is Alphabet.LATIN1 else "ascii")
    return _gsm(text) if alphabet is Alphabet.GSM else pack(_gsm(text))


def decode(data: bytes, alphabet: Alphabet) -> str:
    """The text of ``data``. Total: a damaged character becomes U+FFFD."""
    if alphabet is Alphabet.UCS2:
        return data.decode("utf-16-be", "replace")
    if alphabet is Alphabet.LATIN1:
        return data.decode("latin-1")
    if alphabet is Alphabet.ASCII:
        return data.decode("ascii", "replace")
    return text_of_septets(data if alphabet is Alphabet.GSM else unpack(data))


def units(text: str, alphabet: Alphabet) -> int:
    """What ``text`` costs in its alphabet: UTF-16 units for UCS2, septets of GSM 03.38 for all others.

    Carriers convert Latin-1 and ASCII to septets for the air interface, so the limits are those of septets.
    """
    if alphabet is Alphabet.UCS2:
        return len(text) + sum(character > "\uffff" for character in text)
    return len(codecs.charmap_encode(text, "replace", _SEPTETS)[0])


def alphabet_for(text: str, default: Alphabet = Alphabet.GSM) -> Alphabet:
    """``default`` if it and GSM 03.38 hold every character of ``text``, else UCS2."""
    if septets(text) is None:
        return Alphabet.UCS2
    if default is Alphabet.LATIN1 or default is Alphabet.ASCII:
        try:
            encode(text, default)
        except UnicodeEncodeError:
            return Alphabet.UCS2
    return default


def offending(text: str) -> tuple[str, ...]:
    """The characters that force UCS-2, each once, in order of appearance."""
    return tuple(dict.fromkeys(character for character in text if ord(character) not in _SEPTETS))


# ------------------------------------------------------------------------------------------------------------ sanitise

_STRAIGHT = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`", "'"),
        **dict.fromkeys("“”„‟″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "…": "...",
        "\t": " ",
        "\u2028": "\n",
        "\u2029": "\n",
        "\x85": "\n",
        # soft hyphen, zero-width space, word joiner, byte order mark, and the marks and embeddings of direction
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
    }
)
_PLAIN = re.compile("[\n -_a-~]*")  # most texts: ASCII without control characters and backtick
_USELESS_JOINER = re.compile("(^|[\x00-\u036f\u1e00-\u1eff])[\u200c\u200d]+")


def sanitise(text: str) -> str:
    """``text`` with what word processors add taken out, so that a smart quote does not cost a segment.

    Curly quotes, dashes, ellipsis and odd spaces become plain; invisible and control characters go; line ends become
    LF; letters are composed (NFC); a lone surrogate becomes U+FFFD. Letters are never transliterated. Idempotent.
    Joiners stay where they shape emoji or scripts that need them, and go after Latin letters.
    """
    if _PLAIN.fullmatch(text):
        return text
    text = text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_STRAIGHT)
    text = unicodedata.normalize("NFC", "".join(_plain(text)))
    return unicodedata.normalize("NFC", _USELESS_JOINER.sub(r"\1", text))


def _plain(text: str) -> Iterator[str]:
    for character in text:
        category = unicodedata.category(character)
        if category == "Zs":
            yield " "
        elif category != "Cc" or character in "\n\f":
            yield character
