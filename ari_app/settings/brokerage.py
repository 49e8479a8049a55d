"""Sections ``brokerage``, ``offices``, ``hours``, ``agents`` and ``groups``: who answers, and when."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints, WithJsonSchema

from ari_app.numbering import COUNTRIES
from ari_app.recovery.hours import DAY_MINUTES, Hours, Spans
from ari_app.recovery.policy import Strategy
from ari_app.recovery.values import E164, e164
from ari_app.settings.model import Duration, Section
from ari_app.settings.pbx import Extension, Name

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"^([01]?\d|2[0-4]):([0-5]\d)$")


def _zone_exists(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"found {name!r}; expected an IANA time zone such as America/New_York") from None
    return name


def _country_exists(name: str) -> str:
    if name not in COUNTRIES:
        hint = "; did you mean 'GB'?" if name == "UK" else ""
        raise ValueError(f"found {name!r}; expected an ISO 3166 country such as US{hint}")
    return name


def _number(value: str) -> str:
    try:
        return e164(value)
    except ValueError as error:
        raise ValueError(str(error)) from None


Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), AfterValidator(_country_exists)]
ZoneName = Annotated[str, AfterValidator(_zone_exists)]
PhoneNumber = Annotated[
    str, AfterValidator(_number), WithJsonSchema({"type": "string", "pattern": r"^\+[1-9]\d{6,14}$"})
]
EmailAddress = Annotated[
    str, StringConstraints(pattern=r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+\.[^@\s<>,;\"]+$", max_length=254)
]
Words = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]


def parse_clock(text: str) -> int:
    """Minutes after midnight of ``9:00`` or ``24:00``. Raises ValueError."""
    found = _TIME.match(text.strip())
    minutes = int(found[1]) * 60 + int(found[2]) if found else DAY_MINUTES + 1
    if minutes > DAY_MINUTES:
        raise ValueError(f"found {text!r}; expected a time of day such as 9:00 or 17:30")
    return minutes


def parse_spans(value: Any) -> Any:
    """Spans of a day from ``closed``, ``9:00-18:00`` or a list of such. Raises ValueError."""
    if isinstance(value, str):
        if value.strip().lower() == "closed":
            return ()
        value = [value]
    if not isinstance(value, list):
        return value
    spans: list[tuple[int, int]] = []
    for text in value:
        first, dash, end = text.partition("-") if isinstance(text, str) else ("", "", "")
        if not dash:
            raise ValueError(f"found {text!r}; expected hours such as 9:00-18:00, or closed")
        span = (parse_clock(first), parse_clock(end))
        if span[0] >= span[1]:
            raise ValueError(f"found {text!r}; expected the end after the beginning (after midnight is the next day)")
        if spans and span[0] < spans[-1][1]:
            raise ValueError(f"{text!r} begins before the hours in front of it end")
        spans.append(span)
    return tuple(spans)


def write_spans(spans: Spans) -> str | list[str]:
    """``9:00-18:00``, a list of such, or ``closed``."""
    shown = [f"{first // 60}:{first % 60:02d}-{end // 60}:{end % 60:02d}" for first, end in spans]
    return "closed" if not shown else shown[0] if len(shown) == 1 else shown


DaySpans = Annotated[
    tuple[tuple[int, int], ...],
    BeforeValidator(parse_spans),
    PlainSerializer(write_spans, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


def _days_of(key: str) -> list[int]:
    """Weekdays, Monday 0, that ``mon``, ``mon-fri`` or ``mon, wed`` names. Raises ValueError."""
    days: list[int] = []
    for part in key.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError(f"found {key!r}; expected days such as mon, mon-fri or sat,sun, or holidays")
        start = _DAYS.index(first)
        stop = _DAYS.index(last) if dash else start
        if stop < start:
            raise ValueError(f"found {key!r}; expected days in the order of the week, Monday first")
        days += range(start, stop + 1)
    return days


class Schedule(Section):
    """Business hours of a week; days that are not named are closed."""

    week: dict[str, DaySpans] = Field(default_factory=dict)
    holidays: dict[date, DaySpans] = Field(default_factory=dict)

    def compile(self, zone: str) -> Hours:
        """The hours in ``zone``. Raises ValueError for a day that is named twice or not a day."""
        week: list[Spans] = [()] * 7
        named: set[int] = set()
        for key, spans in self.week.items():
            for day in _days_of(key):
                if day in named:
                    raise ValueError(f"{_DAYS[day]} is named twice")
                named.add(day)
                week[day] = spans
        mon, tue, wed, thu, fri, sat, sun = week
        return Hours(ZoneInfo(zone), (mon, tue, wed, thu, fri, sat, sun), dict(self.holidays))


class Brokerage(Section):
    """Who we are: the registered name goes into every text and call."""

    name: Annotated[Words, StringConstraints(max_length=40)]
    phone: PhoneNumber
    """A number where a person can be reached; named in the answer to HELP."""
    country: Country = "US"
    time_zone: ZoneName
    postal_address: Words | None = None
    """At the foot of e-mails (CAN-SPAM)."""


class OfficeSection(Section):
    """An office; consent and the 24-hour window count per office, the opt-out for all."""

    name: Annotated[Words, StringConstraints(max_length=40)]
    hours: Name
    time_zone: ZoneName | None = None


class AgentSection(Section):
    """A person of the brokerage."""

    name: Words
    email: EmailAddress | None = None
    phone: Extension | None = None
    mobile: PhoneNumber | None = None
    """Calls from it are our own, and are never texted."""

    def mobile_number(self) -> E164 | None:
        return None if self.mobile is None else e164(self.mobile)


class GroupSection(Section):
    """Desk phones that ring together, and the agents who take the leads, in turn."""

    phones: tuple[Extension, ...] = Field(min_length=1)
    agents: tuple[Name, ...] = ()
    strategy: Strategy = Strategy.ALL
    each: Duration = Field(default=6.0, ge=1)
    """How long one phone rings before the next, unless the strategy is ``all``."""
