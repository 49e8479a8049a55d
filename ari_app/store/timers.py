"""Durable timers: a row with an absolute due time, at most one pending of a kind for a lead."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ari_app.recovery.values import LeadId
from ari_app.store.rows import instant, stamp

_COLUMNS = "id, lead_id, kind, due_at"


@dataclass(frozen=True, slots=True)
class Timer:
    timer_id: int
    lead_id: LeadId
    kind: str
    due_at: datetime


def arm(db: Database, lead_id: LeadId, kind: str, due_at: datetime) -> None:
    """Arm a timer in place of the pending one of its kind."""
    disarm(db, lead_id, kind)
    db.execute(
        "INSERT INTO timers (lead_id, kind, due_at, status) VALUES (?, ?, ?, 'pending')",
        [lead_id, kind, stamp(due_at)],
    )


def disarm(db: Database, lead_id: LeadId, kind: str) -> None:
    """Forget the pending timer of this kind, if there is one."""
    db.execute(
        "UPDATE timers SET status = 'disarmed' WHERE lead_id = ? AND kind = ? AND status = 'pending'", [lead_id, kind]
    )


def fire(db: Database, timer_id: int) -> Timer | None:
    """Mark a pending timer as fired; None when it is no longer pending."""
    row = db.execute(
        "UPDATE timers SET status = 'fired' WHERE id = ? AND status = 'pending' RETURNING id, lead_id, kind, due_at",
        [timer_id],
    ).fetchone()
    return None if row is None else _timer(row)


def due(db: Database, at: datetime, limit: int, without: Collection[int] = ()) -> list[Timer]:
    """Pending timers whose time has come, the earliest first. without: timers that are left alone."""
    others = f"id NOT IN ({_marks(without)})"
    query = (
        f"SELECT {_COLUMNS} FROM timers WHERE status = 'pending' AND due_at <= ? AND {others} ORDER BY due_at LIMIT ?"  # noqa: S608
    )
    return [_timer(row) for row in db.execute(query, [stamp(at), *without, limit])]


def next_due(db: Database, without: Collection[int] = ()) -> datetime | None:
    """When the earliest pending timer is due. without: timers that are left alone."""
    query = f"SELECT min(due_at) FROM timers WHERE status = 'pending' AND id NOT IN ({_marks(without)})"  # noqa: S608
    row = db.execute(query, list(without)).fetchone()
    return None if row[0] is None else instant(row[0])


def _marks(values: Collection[int]) -> str:
    return ", ".join("?" for _ in values)


def _timer(row: tuple[int, int, str, str]) -> Timer:
    return Timer(row[0], LeadId(row[1]), row[2], instant(row[3]))


def lead_of(db: Database, timer_id: int) -> LeadId | None:
    """The lead that a timer belongs to."""
    row = db.execute("SELECT lead_id FROM timers WHERE id = ?", [timer_id]).fetchone()
    return None if row is None else LeadId(row[0])
