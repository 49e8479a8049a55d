"""Whether a pattern meets the numbers that it is meant for: they are compared in international form, however they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ari_app import numbering
from ari_app.recovery.patterns import Pattern
from ari_app.recovery.values import NumberKind
from ari_app.settings.numbers import read_pattern

SHORTEST, LONGEST = 7, 15
"""Digits of a number in E.164, as far as anything is sent to one."""


@dataclass(frozen=True, slots=True)
class Miss:
    """What a pattern does not match. number: one that it fits as written, None when no number looks so. read_as: how that one
    is compared. never: nothing else matches it either. expected: what to write instead, when that is known."""

    number: str | None
    read_as: str | None
    never: bool
    expected: str | None


def of_dialled(text: str, region: str) -> Miss | None:
    """Why the pattern ``text`` misses numbers that callers dial; None when it meets them. What is no number of ``region``, an
    extension or a short DID, is compared as it came."""
    pattern = read_pattern(text)
    forms = numbering.forms(region)
    own = (number for number in _filled(pattern, forms.international) if number.startswith(forms.code))
    if any(_meets(pattern, number, region) for number in own):
        return None
    candidates = [number for number in _filled(pattern, forms.national) if _is_ours(number, region)]
    if not pattern.tail:
        candidates += _filled(pattern, [(forms.national[0] + "0" * len(pattern.sets))[: len(pattern.sets)]])
    for number in candidates:
        if not _meets(pattern, number, region):
            sure = pattern.literal or _is_ours(number, region)
            return _miss(text, number, region, never=sure and not pattern.tail)
    return None


def of_persons(text: str, region: str) -> Miss | None:
    """Why the pattern ``text`` misses the numbers of persons, which are compared in international form only; None when it meets
    some of ``region``, or may be meant for another country."""
    pattern = read_pattern(text)
    forms = numbering.forms(region)
    if any(number.startswith(forms.code) for number in _filled(pattern, forms.international)):
        return None
    for number in _filled(pattern, forms.national):
        if _is_ours(number, region):
            return _miss(text, number, region, never=not pattern.tail)
    length = len(pattern.sets)
    none = length > LONGEST or (not pattern.tail and (length < SHORTEST or length in forms.local))
    if pattern.literal:
        none |= numbering.classify("+" + "".join(map(min, pattern.sets)), region).number is None
    return Miss(None, None, never=True, expected=None) if none else None


def _filled(pattern: Pattern, templates: Iterable[str]) -> Iterator[str]:
    """For each of ``templates`` whose length fits, the number of ``pattern`` that is most like it."""
    for template in templates:
        rest = len(template) - len(pattern.sets)
        if rest == 0 or (rest > 0 and pattern.tail):
            allowed = [*pattern.sets, *map(frozenset, template[len(pattern.sets) :])]
            number = "".join(
                char if char in chars else min(chars) for char, chars in zip(template, allowed, strict=True)
            )
            if pattern.matches(number):
                yield number


def _meets(pattern: Pattern, number: str, region: str) -> bool:
    """Whether ``pattern`` matches ``number`` once it has been read."""
    return pattern.matches(numbering.canonical(number, region).removeprefix("+"))


def _is_ours(number: str, region: str) -> bool:
    """Whether it is a number of ``region`` as written, and not another country's that only lacks its +."""
    party = numbering.classify(number, region)
    code = f"+{numbering.forms(region).code}"
    return party.kind in (NumberKind.ORDINARY, NumberKind.SPECIAL) and (party.number or "").startswith(code)


def _miss(text: str, number: str, region: str, *, never: bool) -> Miss:
    read_as = numbering.canonical(number, region).removeprefix("+")
    return Miss(number, read_as, never, _international(text, number, read_as, region))


def _international(text: str, number: str, read_as: str, region: str) -> str | None:
    """``text`` with the country code before it, in place of the digits of ``number`` that only the country dials."""
    if not _is_ours(number, region):
        return None  # what was meant is not known
    code = numbering.forms(region).code
    dropped = len(number) - (len(read_as) - len(code))
    mark = "_" if text.startswith("_") else ""
    body = text.removeprefix("_").removeprefix("+")
    if dropped < 0 or body[:dropped] != number[:dropped] or read_as != code + number[dropped:]:
        return None
    return f"{mark}{code}{body[dropped:]}"
