"""What a damaged database still tells: who said no, who was texted, and how far its numbers had come.

Each question is asked for itself, because damage is seldom everywhere. An answer that broke off counts as none: only what
bars a contact is taken from it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlite_utils import Database

from ari_app.errors import StoreError
from ari_app.recovery.values import E164, e164
from ari_app.store import lost_time
from ari_app.store.db import connect
from ari_app.store.rows import instant, stamp


@dataclass(frozen=True, slots=True)
class Salvage:
    """What could be read. said_no: since the backup. barred: callers and offices with the end of their text window.

    complete: every no since then is among them. last_seq, last_lead: None when unknown.
    """

    said_no: tuple[E164, ...] = ()
    barred: tuple[tuple[E164, str, datetime], ...] = ()
    complete: bool = False
    last_seq: int | None = None
    last_lead: int | None = None


def salvage(path: Path, since: datetime) -> Salvage:
    """Read what can be read of the books at ``path``, as far as they differ from a backup of ``since``."""
    if not path.exists():
        return Salvage()
    try:
        with contextlib.closing(connect(path, readonly=True)) as db:
            refused, complete = _refused(db, since)
            return Salvage(
                said_no=refused,
                barred=_barred(db, since),
                complete=complete and _knew_them(db, since),
                last_seq=_number(db, "SELECT max(seq) FROM events"),
                last_lead=_number(db, "SELECT max(id) FROM leads"),
            )
    except (StoreError, sqlite3.Error, OSError):
        return Salvage()


def _refused(db: Database, since: datetime) -> tuple[tuple[E164, ...], bool]:
    """Table and log tell the same: one of them whole is enough to know all."""
    now, whole = _rows(db, "SELECT number, state, at FROM consent WHERE at > ?", since)
    log, log_whole = _rows(db, "SELECT number, state, at FROM consent_log WHERE at > ?", since)
    found = [_e164(number) for number, state, _ in (*now, *log) if state == "opted_out"]
    return tuple(dict.fromkeys(number for number in found if number is not None)), whole or log_whole


def _knew_them(db: Database, since: datetime) -> bool:
    """Whether these books were not restored themselves, since then, without all the noes of the time that they had lost."""
    with contextlib.suppress(sqlite3.Error, ValueError):
        lost = lost_time.get(db)
        return lost is None or lost.noes_known or lost.until <= since
    return False


def _barred(db: Database, since: datetime) -> tuple[tuple[E164, str, datetime], ...]:
    rows, _ = _rows(db, "SELECT number, office, until FROM text_windows WHERE until > ?", since)
    found = []
    for number, office, until in rows:
        with contextlib.suppress(ValueError, TypeError):
            found.append((e164(number), str(office), instant(until)))
    return tuple(found)


def _rows(db: Database, query: str, since: datetime) -> tuple[list[tuple[str, str, str]], bool]:
    """The rows up to where the damage begins, and whether there was none."""
    found: list[tuple[str, str, str]] = []
    try:
        for row in db.execute(query, [stamp(since)]):
            found.append(row)  # noqa: PERF402 - what was read before the damage stays
    except sqlite3.Error:
        return found, False
    return found, True


def _number(db: Database, query: str) -> int | None:
    with contextlib.suppress(sqlite3.Error):
        found = db.execute(query).fetchone()[0]
        return found if isinstance(found, int) else None
    return None


def _e164(text: object) -> E164 | None:
    try:
        return e164(text) if isinstance(text, str) else None
    except ValueError:
        return None
