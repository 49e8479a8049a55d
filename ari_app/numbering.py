"""Telephone numbers as the network writes them, made E.164; and where in the world they are. On phonenumbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import PhoneNumberType, ValidationResult
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

from ari_app.recovery.values import E164, NumberKind, e164

_WITHHELD = frozenset({"", "anonymous", "restricted", "private", "unknown", "unavailable", "withheld", "asterisk", "s"})
_SPECIAL = frozenset(
    {
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
        PhoneNumberType.PAGER,
    }
)
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")
_NO_SUBSCRIBER = re.compile(r"\+1[0-9]{3}(?:(?:976|950|[2-9]11)[0-9]{4}|5551212)")
"""In any area code of the North American plan: pay-per-call, carrier access, service codes and directory assistance. To
phonenumbers they are fixed lines. 555-0100 to 555-0199, which are fiction, are none of these."""
_WRITTEN = re.compile(r"\+?[0-9(][0-9 ().-]*")
COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""ISO 3166 countries that have a numbering plan."""
_FILLING = "12345678901234567"
CACHED = 16_384
"""Callers whose look-ups are kept in memory; one takes some tens of microseconds."""


@dataclass(frozen=True, slots=True)
class Party:
    """A number that came with a call or a text. number: None unless it can be contacted at all. raw: as it came."""

    raw: str
    number: E164 | None
    kind: NumberKind


@lru_cache(CACHED)
def classify(raw: str | None, region: str) -> Party:
    """Who is calling or writing. region: ISO 3166 country of national numbers."""
    text = (raw or "").strip()
    if text.lower() in _WITHHELD:
        return Party(text, None, NumberKind.WITHHELD)
    if _WRITTEN.fullmatch(text) is None:
        return Party(text, None, NumberKind.MALFORMED)
    parsed, sort = _parse(text, region)
    if parsed is None or sort == PhoneNumberType.UNKNOWN:
        return Party(text, None, NumberKind.MALFORMED)
    try:
        number = e164(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
    except ValueError:  # some national plans have numbers that are longer than E.164 allows
        return Party(text, None, NumberKind.MALFORMED)
    if sort in _SPECIAL or _NO_SUBSCRIBER.fullmatch(number):
        return Party(text, number, NumberKind.SPECIAL)
    country = phonenumbers.region_code_for_number(parsed)
    return Party(text, number, NumberKind.ORDINARY if country == region else NumberKind.FOREIGN)


@lru_cache(CACHED)
def canonical(raw: str, region: str) -> str:
    """``raw`` as E.164 when it is a number, else unchanged: for what was dialled, which may be an extension."""
    parsed = _parse(raw, region)[0] if _WRITTEN.fullmatch(raw.strip()) else None
    if parsed is None or phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return raw  # an extension, or a subscriber's number without its area code
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


@dataclass(frozen=True, slots=True)
class Forms:
    """How numbers of a country look: an example of every length, in digits alone. code: the country's.

    international: as numbers are compared. national: as people there dial them. local: lengths without an area code.
    """

    code: str
    international: tuple[str, ...]
    national: tuple[str, ...]
    local: tuple[int, ...]


@lru_cache
def forms(region: str) -> Forms:
    """The forms of numbers in ``region``, which is one of ``COUNTRIES``."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    example = phonenumbers.example_number(region)
    assert metadata is not None
    assert metadata.general_desc is not None
    assert example is not None
    code, digits = str(example.country_code), phonenumbers.national_significant_number(example)
    lengths = metadata.general_desc.possible_length
    numbers = tuple((digits + _FILLING)[:length] for length in sorted(lengths, key=lambda one: abs(one - len(digits))))
    prefix = phonenumbers.ndd_prefix_for_region(region, True) or ""
    prefixed = tuple(prefix + number for number in numbers) if prefix not in ("", code) else ()
    return Forms(
        code=code,
        international=tuple(code + number for number in numbers),
        national=(*numbers, *prefixed),
        local=metadata.general_desc.possible_length_local_only,
    )


@lru_cache(CACHED)
def zones(number: E164) -> tuple[ZoneInfo, ...]:
    """The time zones that the number may lie in: those of its exchange, or, where that is not known, of its whole area code
    (GEO-01). Never empty for a valid number."""
    found: list[ZoneInfo] = []
    for name in _zone_names(_longest_prefix(number.removeprefix("+"))):
        try:
            found.append(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError):
            continue
    return tuple(found)


def _longest_prefix(digits: str) -> str:
    """The longest beginning of the number of which phonenumbers knows the zone."""
    for length in range(TIMEZONE_LONGEST_PREFIX, 0, -1):
        if digits[:length] in TIMEZONE_DATA:
            return digits[:length]
    return ""


@lru_cache(CACHED)
def _zone_names(prefix: str) -> tuple[str, ...]:
    """All zones of numbers that begin so: an area code across a border has one for some exchanges and one for others."""
    names = [name for known, zones in TIMEZONE_DATA.items() if known.startswith(prefix) for name in zones]
    return tuple(dict.fromkeys(names)) if prefix else ()


def redacted(number: str | None) -> str:
    """A number fit for a log: its last four digits."""
    if not number:
        return "withheld"
    return f"…{number[-4:]}" if len(number) > 4 else number


def _parse(text: str, region: str) -> tuple[phonenumbers.PhoneNumber | None, int]:
    """National or international, with or without ``+``: 13055550123 is +1 305…, as carriers send it.

    With what sort of number it is: UNKNOWN for one that nobody can have.
    """
    for candidate in (text, f"+{text}" if not text.startswith("+") else None):
        if candidate is None:
            continue
        try:
            parsed = _read(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        sort = phonenumbers.number_type(parsed)
        if sort != PhoneNumberType.UNKNOWN:
            return parsed, sort
    try:
        return _read(text, region), PhoneNumberType.UNKNOWN
    except phonenumbers.NumberParseException:
        return None, PhoneNumberType.UNKNOWN


def _read(text: str, region: str | None) -> phonenumbers.PhoneNumber:
    """Raises NumberParseException. A number of the North American plan in E.164 has nothing left to parse."""
    if _NORTH_AMERICAN.fullmatch(text):
        return phonenumbers.PhoneNumber(country_code=1, national_number=int(text[2:]))
    return phonenumbers.parse(text, region)
