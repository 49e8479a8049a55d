"""The two time formats of SMPP 3.4 section 7.1.1. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

LONGEST_VALIDITY_SECONDS = 63 * 7 * 86_400  # 63 weeks, 3GPP TS 23.040 section 9.2.3.12.1

_ABSOLUTE = re.compile(r"([0-9]{12})([0-9])([0-9]{2})([+-])")
_DAYS_IN_A_MONTH = 30


def relative_time(seconds: float) -> str:
    """The relative form, YYMMDDhhmmss000R, SMPP 3.4 section 7.1.1.2. Months count 30 days."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    months, day = divmod(days, _DAYS_IN_A_MONTH)
    year, month = divmod(months, 12)
    return f"{year:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}000R"


def absolute_time(value: str) -> datetime | None:
    """The absolute form, YYMMDDhhmmsstnnp, SMPP 3.4 section 7.1.1.1, as aware UTC. None for anything else."""
    match = _ABSOLUTE.fullmatch(value)
    if match is None:
        return None
    digits, tenths, quarters, sign = match.groups()
    offset = timedelta(minutes=15 * int(quarters) * (1 if sign == "+" else -1))
    try:
        zone = timezone(offset)
        return datetime.strptime(digits, "%y%m%d%H%M%S").replace(tzinfo=zone).astimezone(UTC) + timedelta(
            milliseconds=100 * int(tenths)
        )
    except (ValueError, OverflowError):
        return None
