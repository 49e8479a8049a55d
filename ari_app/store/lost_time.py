"""The time that is missing from restored books, and whether Asterisk's ledger of it has been read since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ari_app.store import bookmarks
from ari_app.store.rows import instant, stamp

_NAME = "lost"
_UNJUDGED = "unjudged"


@dataclass(frozen=True, slots=True)
class LostTime:
    """since: when the backup was taken. until: when nobody can have been contacted any more without our knowing.

    unjudged: the calls of that time have not been judged anew yet, so that any caller may be one of them.
    """

    since: datetime
    until: datetime
    unjudged: bool


def put(db: Database, lost: LostTime) -> None:
    """Keep it; an earlier one that overlaps grows."""
    known = get(db)
    since = lost.since if known is None or known.until < lost.since else min(known.since, lost.since)
    words = [stamp(since), stamp(lost.until), *([_UNJUDGED] if lost.unjudged else [])]
    bookmarks.put(db, _NAME, " ".join(words))


def get(db: Database) -> LostTime | None:
    """None when the books were never restored."""
    found = bookmarks.get(db, _NAME)
    if found is None:
        return None
    since, until, *flags = found.split(" ")
    return LostTime(instant(since), instant(until), _UNJUDGED in flags)


def judged(db: Database) -> None:
    """The ledger has been read to its end: who called in the lost time is known."""
    lost = get(db)
    if lost is not None and lost.unjudged:
        bookmarks.put(db, _NAME, f"{stamp(lost.since)} {stamp(lost.until)}")


def covers(db: Database, happened_at: datetime) -> datetime | None:
    """The end of the lost time, for a call of it or one that may be of a caller of it; None for all others."""
    lost = get(db)
    if lost is None or not (lost.unjudged or lost.since <= happened_at < lost.until):
        return None
    return lost.until
