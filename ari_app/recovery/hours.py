"""Business hours (when agents answer) and quiet hours (when we may not contact): two things, one kind of arithmetic.

Zones come in as tzinfo objects, so that nothing here reads the time-zone database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAY_MINUTES = 24 * 60
Spans = tuple[tuple[int, int], ...]
"""Parts of a day as (first minute, minute after the last), counted from midnight on the wall clock, in order."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When an office answers. week: Monday first. exceptions: days that differ, such as holidays (empty = closed)."""

    zone: tzinfo
    week: tuple[Spans, Spans, Spans, Spans, Spans, Spans, Spans]
    exceptions: Mapping[date, Spans] = field(default_factory=dict)

    def spans(self, day: date) -> Spans:
        """The opening spans of one local day."""
        return self.exceptions.get(day, self.week[day.weekday()])

    def is_open(self, at: datetime) -> bool:
        """Whether the office answers at ``at``."""
        local = at.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return any(first <= minute < end for first, end in self.spans(local.date()))

    def next_opening(self, at: datetime, days: int = 60) -> datetime | None:
        """The next start of a span at or after ``at``, in UTC; None when there is none within ``days``."""
        today = at.astimezone(self.zone).date()
        for offset in range(days + 1):
            day = today + timedelta(days=offset)
            for first, _ in self.spans(day):
                opening = _instant(day, first, self.zone)
                if opening >= at:
                    return opening
        return None


def in_window(at: datetime, zone: tzinfo, first_minute: int, end_minute: int) -> bool:
    """Whether the wall clock of ``zone`` stands inside the contact window."""
    local = at.astimezone(zone)
    return first_minute <= local.hour * 60 + local.minute < end_minute


def contact_opens(at: datetime, zones: Sequence[tzinfo], first_minute: int, end_minute: int) -> datetime | None:
    """``at`` itself when every zone is inside its window, else the first later instant when all are.

    None when the windows of ``zones`` never overlap. A number may lie in several zones (GEO-03): only the overlap counts.
    """
    if all(in_window(at, zone, first_minute, end_minute) for zone in zones):
        return at
    candidates: list[datetime] = []
    for zone in zones:
        today = at.astimezone(zone).date()
        candidates += [_instant(today + timedelta(days=days), first_minute, zone) for days in range(3)]
    for candidate in sorted(candidates):
        if candidate > at and all(in_window(candidate, zone, first_minute, end_minute) for zone in zones):
            return candidate
    return None


def contact_closes(at: datetime, zones: Sequence[tzinfo], first_minute: int, end_minute: int) -> datetime | None:
    """When the first of ``zones`` leaves its window, all of them being inside at ``at``; None when none ever does."""
    ends = [(_instant(at.astimezone(zone).date(), end_minute, zone), zone) for zone in zones]
    # A window that lasts until midnight and begins there does not end.
    return min((end for end, zone in ends if not in_window(end, zone, first_minute, end_minute)), default=None)


def _instant(day: date, minute: int, zone: tzinfo) -> datetime:
    """The UTC instant of a local wall-clock time. A time that a clock change skips means the same offset as before it."""
    wall = datetime.combine(day, time(minute // 60 % 24, minute % 60), tzinfo=zone)
    return (wall + timedelta(days=minute // DAY_MINUTES)).astimezone(UTC)
