"""The time that is missing from restored books, and whether Asterisk's ledger of it has been read since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlite_utils import Database

from ari_app.store import bookmarks
from ari_app.store.rows import instant, stamp

_NAME = "lost"
_UNJUDGED = "unjudged"
_NOES_LOST = "noes_lost"


@dataclass(frozen=True, slots=True)
class LostTime:
    """since: when the backup was taken. until: when nobody can have been contacted any more without our knowing.

    unjudged: the calls of that time have not been judged anew yet, so that any caller may be one of them.
    noes_known: every no that was said in that time is in the books all the same.
    """

    since: datetime
    until: datetime
    unjudged: bool
    noes_known: bool = True


def put(db: Database, lost: LostTime) -> None:
    """Keep it; an earlier one that overlaps grows."""
    known = get(db)
    if known is not None and known.until >= lost.since:
        since, noes_known = min(known.since, lost.since), known.noes_known and lost.noes_known
        lost = replace(lost, since=since, noes_known=noes_known)
    _write(db, lost)


def _write(db: Database, lost: LostTime) -> None:
    flags = [*([_UNJUDGED] if lost.unjudged else []), *([] if lost.noes_known else [_NOES_LOST])]
    bookmarks.put(db, _NAME, " ".join([stamp(lost.since), stamp(lost.until), *flags]))


def get(db: Database) -> LostTime | None:
    """None when the books were never restored."""
    found = bookmarks.get(db, _NAME)
    if found is None:
        return None
    since, until, *flags = found.split(" ")
    return LostTime(instant(since), instant(until), _UNJUDGED in flags, _NOES_LOST not in flags)


def judged(db: Database) -> None:
    """The ledger has been read to its end: who called in the lost time is known."""
    lost = get(db)
    if lost is not None and lost.unjudged:
        _write(db, replace(lost, unjudged=False))


def covers(db: Database, happened_at: datetime) -> LostTime | None:
    """The lost time, for a call of it or one that may be of a caller of it; None for all others."""
    lost = get(db)
    if lost is None or not (lost.unjudged or lost.since <= happened_at < lost.until):
        return None
    return lost
