"""Questions that people ask of the books. Read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ari_app.recovery import codec
from ari_app.recovery.lead import Lead
from ari_app.recovery.values import E164, LeadId
from ari_app.store.rows import instant, parse


@dataclass(frozen=True, slots=True)
class LeadRow:
    """One line of a list of leads. touched_at: its last event."""

    lead: Lead
    touched_at: datetime


def leads(db: Database, *, limit: int, number: E164 | None = None, open_only: bool = False) -> list[LeadRow]:
    """The newest leads first."""
    conditions, values = ["1"], list[object]()
    if number is not None:
        conditions.append("number = ?")
        values.append(number)
    if open_only:
        conditions.append("stage <> 'idle'")
    where = " AND ".join(conditions)
    # Few are open: without its index the planner would read all that ever were to find them.
    index = "INDEXED BY leads_open" if open_only and number is None else ""
    query = f"SELECT body, touched_at FROM leads {index} WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608 - fixed words
    rows = db.execute(query, [*values, limit]).fetchall()
    return [LeadRow(codec.decode(Lead, parse(body)), instant(touched)) for body, touched in rows]


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order of a lead, for people."""

    effect_id: str
    kind: str
    purpose: str
    status: str
    attempts: int
    created_at: datetime
    settled_at: datetime | None
    ref: str | None
    last_error: str | None


def orders(db: Database, lead_id: LeadId) -> list[OrderRow]:
    """What was ordered for a lead, in order."""
    query = (
        "SELECT id, kind, purpose, status, attempts, created_at, settled_at, ref, last_error"
        " FROM outbox WHERE lead_id = ? ORDER BY n"
    )
    return [
        OrderRow(
            id_, kind, purpose, status, attempts, instant(made), None if done is None else instant(done), ref, error
        )
        for id_, kind, purpose, status, attempts, made, done, ref, error in db.execute(query, [lead_id]).fetchall()
    ]


@dataclass(frozen=True, slots=True)
class StandingRow:
    """An order with the lead and the number that it is for."""

    order: OrderRow
    lead_id: int | None
    number: str | None


def standing(db: Database, statuses: Sequence[str], limit: int) -> list[StandingRow]:
    """Orders in these states, the newest first."""
    marks = ", ".join("?" for _ in statuses)
    columns = "id, kind, purpose, status, attempts, created_at, settled_at, ref, last_error, lead_id, number"
    query = f"SELECT {columns} FROM outbox WHERE status IN ({marks}) ORDER BY n DESC LIMIT ?"  # noqa: S608
    return [
        StandingRow(
            OrderRow(
                id_, kind, purpose, status, attempts, instant(made), None if done is None else instant(done), ref, error
            ),
            lead_id,
            number,
        )
        for id_, kind, purpose, status, attempts, made, done, ref, error, lead_id, number in db.execute(
            query, [*statuses, limit]
        ).fetchall()
    ]
