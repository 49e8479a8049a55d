"""Templates of texts and e-mails: ``Hi[ {name}], {brokerage} (automated). ... STOP to opt out.``

``{field}`` is replaced; a part in ``[...]`` is left out when a field in it is not known; ``[[``, ``]]``, ``{{`` and ``}}``
stand for themselves. Values are data: they are cut to their limit, stripped of control characters and never parsed again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

FIELD_LIMITS: Mapping[str, int] = {
    "brokerage": 40,
    "office": 40,
    "phone": 20,
    "name": 20,
    "listing": 40,
    "time": 8,
    "open_time": 17,
    "agent": 40,
}
"""Every field that a template may name, with the most characters that its value may have. Known without exception:
brokerage, office, phone, time. ``open_time`` is known after hours, of an office that opens at all; ``name``, ``listing``
and ``agent`` sometimes."""

ALWAYS_KNOWN = frozenset({"brokerage", "office", "phone", "time"})

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z' -]{0,18}[A-Za-z])?")


class TemplateError(ValueError):
    """A text that is no template. ``at``: offset of the character that is wrong, from 0. ``name``: an unknown field's."""

    def __init__(self, at: int, why: str, name: str | None = None) -> None:
        super().__init__(why)
        self.at, self.why, self.name = at, why, name


@dataclass(frozen=True, slots=True)
class Field:
    """A place that a value fills."""

    name: str


@dataclass(frozen=True, slots=True)
class Bracket:
    """A part that is left out unless every field in it is known."""

    parts: tuple[Part, ...]


Part = str | Field | Bracket


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template; ``source`` is what was written."""

    source: str
    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, source: str) -> Template:
        """Read ``source``. Raises TemplateError."""
        parts, at = _parse(source, 0, inside=False)
        assert at == len(source)
        return cls(source, parts)

    def render(self, values: Mapping[str, str | None]) -> str:
        """The text. Raises KeyError when a field outside ``[...]`` has no value: ``check`` finds those beforehand."""
        return "".join(_render(part, values) for part in self.parts)

    def fields(self, *, required: bool) -> frozenset[str]:
        """Names of the fields outside (``required``) or inside ``[...]``."""
        if required:
            return frozenset(part.name for part in self.parts if isinstance(part, Field))
        return frozenset(
            inner.name
            for part in self.parts
            if isinstance(part, Bracket)
            for inner in part.parts
            if isinstance(inner, Field)
        )


def clean(value: str, limit: int) -> str:
    """``value`` on one line, without control and formatting characters, at most ``limit`` characters."""
    kept = value
    if not (value.isascii() and value.isprintable()):
        kept = "".join(char for char in value if char.isspace() or not unicodedata.category(char).startswith("C"))
    return " ".join(kept.split())[:limit].rstrip()


def first_name(name: str | None) -> str | None:
    """A caller's first name fit to be addressed by, or None: plain letters only, so that a text keeps its alphabet."""
    if name is None:
        return None
    words = clean(name, 80).split()
    if not words or _NAME.fullmatch(words[0]) is None or len(words[0]) < 2:
        return None
    word = words[0]
    return word.capitalize() if word.isupper() or word.islower() else word


def _render(part: Part, values: Mapping[str, str | None]) -> str:
    match part:
        case str():
            return part
        case Field(name):
            value = values.get(name)
            if value is None:
                raise KeyError(name)
            return clean(value, FIELD_LIMITS[name])
        case Bracket(parts):
            if any(isinstance(inner, Field) and values.get(inner.name) is None for inner in parts):
                return ""
            return "".join(_render(inner, values) for inner in parts)
        case _:
            assert_never(part)


def _parse(source: str, at: int, *, inside: bool) -> tuple[tuple[Part, ...], int]:
    """Parts from ``at`` to the end, or to the bracket that closes; and the offset behind it."""
    parts: list[Part] = []
    opened = at - 1
    while at < len(source):
        char = source[at]
        if source[at : at + 2] in ("[[", "]]", "{{", "}}"):
            parts.append(char)
            at += 2
        elif char == "{":
            closed = source.find("}", at)
            name = source[at + 1 : closed] if closed > 0 else ""
            if closed < 0:
                raise TemplateError(at, "the brace is never closed")
            if name not in FIELD_LIMITS:
                raise TemplateError(at, f"found {{{name}}}; expected one of {', '.join(sorted(FIELD_LIMITS))}", name)
            parts.append(Field(name))
            at = closed + 1
        elif char == "[":
            if inside:
                raise TemplateError(at, "a part in [...] cannot hold another")
            inner, at = _parse(source, at + 1, inside=True)
            if not any(isinstance(part, Field) for part in inner):
                raise TemplateError(at - 1, "a part in [...] without a field is never left out: write [[ for a bracket")
            parts.append(Bracket(inner))
        elif char == "]" and inside:
            return _joined(parts), at + 1
        elif char in "]}":
            raise TemplateError(at, f"found a lone {char!r}; write {char * 2} for the character itself")
        else:
            parts.append(char)
            at += 1
    if inside:
        raise TemplateError(opened, "the bracket is never closed")
    return _joined(parts), at


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """``parts`` with neighbouring characters joined."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(last, str):
            joined[-1] = last + part
        else:
            joined.append(part)
    return tuple(joined)
