"""How many contacts were ordered lately, counted by the minute: a question that has to be cheap however many there are."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlite_utils import Database

ALL = "*"
"""The bucket in which every contact counts."""
MINUTES = 60


def add(db: Database, at: datetime, *buckets: str) -> None:
    """One more contact, in each of these buckets."""
    for bucket in buckets:
        db.execute(
            "INSERT INTO pace (bucket, minute, contacts) VALUES (?, ?, 1)"
            " ON CONFLICT (bucket, minute) DO UPDATE SET contacts = contacts + 1",
            [bucket, _minute(at)],
        )


def hour_before(at: datetime) -> int:
    """The minute after which the last hour's contacts were."""
    return _minute(at) - MINUTES


def forget(db: Database, at: datetime) -> None:
    """Drop what no question asks for any more."""
    db.execute("DELETE FROM pace WHERE minute <= ?", [_minute(at - timedelta(hours=1)) - MINUTES])


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60
