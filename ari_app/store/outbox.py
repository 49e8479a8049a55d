"""The outbox: orders to the world, from ``todo`` over ``doing`` to their end.

``doing`` is committed before the act, so that after a crash the row says that the act may have happened. Rows of one lead,
kind and purpose keep their order, also when the first has to be tried again; others pass them. Every change of status is
logged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlite_utils import Database

from ari_app.recovery import codec
from ari_app.recovery.effects import KINDS, PlaceCallback, PushLead, SendText, TextPurpose, WorldEffect
from ari_app.recovery.values import E164, EffectId, LeadId
from ari_app.store.rows import dump, instant, parse, stamp

_PRIORITY = {TextPurpose.STOP_CONFIRMATION: 0, TextPurpose.TEXT_BACK: 1}
_ORDINARY = 2
_PRIORITIES = (0, 1, _ORDINARY)
_COLUMNS = "id, lead_id, kind, body, status, created_at, not_before, expires_at, attempts, ref, last_error"


@dataclass(frozen=True, slots=True)
class Order:
    """A row of the outbox. attempts: begun so far, this one included."""

    effect_id: EffectId
    lead_id: LeadId | None
    kind: str
    effect: WorldEffect
    status: str
    created_at: datetime
    not_before: datetime
    expires_at: datetime | None
    attempts: int
    ref: str | None
    last_error: str | None


def add(db: Database, effect_id: EffectId, lead_id: LeadId | None, effect: WorldEffect, at: datetime) -> None:
    """Put an order in."""
    number: E164 | None = None
    expires_at: datetime | None = None
    not_before = at
    priority, purpose = _ORDINARY, ""
    if isinstance(effect, SendText):
        number, expires_at, purpose = effect.to, effect.expires_at, effect.purpose.value
        not_before = effect.not_before or at
        priority = _PRIORITY.get(effect.purpose, _ORDINARY)
    elif isinstance(effect, PlaceCallback):
        number, expires_at = effect.to, effect.expires_at
    elif isinstance(effect, PushLead):
        purpose = effect.target
    db.execute(
        "INSERT INTO outbox (id, lead_id, kind, purpose, number, body, priority, status, created_at, not_before, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'todo', ?, ?, ?)",
        [
            effect_id,
            lead_id,
            KINDS[type(effect)],
            purpose,
            number,
            dump(effect),
            priority,
            stamp(at),
            stamp(not_before),
            None if expires_at is None else stamp(expires_at),
        ],
    )
    _log(db, effect_id, at, "todo", None)


_RIPE = f"""
    SELECT {_COLUMNS} FROM outbox AS o
    WHERE status = 'todo' AND kind = ? AND priority = ? AND not_before <= ?
      AND NOT EXISTS (
        SELECT 1 FROM outbox AS earlier
        WHERE earlier.lead_id = o.lead_id AND earlier.kind = o.kind AND earlier.purpose = o.purpose
          AND earlier.n < o.n AND (earlier.status = 'doing'
            OR (earlier.status = 'todo' AND (earlier.not_before <= ? OR earlier.attempts > 0))))
    ORDER BY not_before, n LIMIT ?"""  # noqa: S608 - the column names are ours


def claim(db: Database, kind: str, at: datetime, lease_until: datetime, limit: int) -> list[Order]:
    """Take up to ``limit`` orders whose time has come; they are ``doing`` from now on, one attempt counted."""
    rows: list[_Row] = []
    now = stamp(at)
    for priority in _PRIORITIES:
        # One walk of the index for each: sorting all that wait would make a backlog the slower the longer it is.
        rows += db.execute(_RIPE, [kind, priority, now, now, limit - len(rows)]).fetchall()
    orders = []
    for row in rows:
        try:
            order = _order(row)
        except codec.DecodeError as error:
            settle(db, EffectId(row[0]), "failed", at, None, f"its body cannot be read: {error}")
        else:
            orders.append(replace(order, status="doing", attempts=order.attempts + 1))
    taken = dump([order.effect_id for order in orders])
    db.execute(
        "UPDATE outbox SET status = 'doing', attempts = attempts + 1, lease_until = ?"
        " WHERE id IN (SELECT value FROM json_each(?))",
        [stamp(lease_until), taken],
    )
    db.execute(
        "INSERT INTO outbox_log (outbox_id, at, status, why) SELECT value, ?, 'doing', NULL FROM json_each(?)",
        [now, taken],
    )
    return orders


_EARLIEST = " UNION ALL ".join(
    f"SELECT min(not_before) AS at FROM outbox WHERE status = 'todo' AND kind = :kind AND priority = {priority}"  # noqa: S608
    for priority in _PRIORITIES
)


def next_todo(db: Database, kind: str) -> datetime | None:
    """When the earliest order of this kind that is not yet begun may begin."""
    row = db.execute(f"SELECT min(at) FROM ({_EARLIEST})", {"kind": kind}).fetchone()  # noqa: S608
    return None if row[0] is None else instant(row[0])


def pull_in(db: Database, at: datetime) -> int:
    """After the clock went back: what was to go at once goes now, and not when the old time has come again; how many."""
    return db.execute(
        "UPDATE outbox SET not_before = ? WHERE status = 'todo' AND not_before > ? AND not_before = created_at",
        [stamp(at), stamp(at)],
    ).rowcount


def put_back(db: Database, effect_id: EffectId, at: datetime, not_before: datetime, why: str) -> None:
    """The act did not happen: once more, not before then. What is not under way stays as it is."""
    changed = db.execute(
        "UPDATE outbox SET status = 'todo', not_before = ?, lease_until = NULL, last_error = ? WHERE id = ? AND status = 'doing'",
        [stamp(not_before), why, effect_id],
    ).rowcount
    if changed:
        _log(db, effect_id, at, "todo", why)


def settle(db: Database, effect_id: EffectId, status: str, at: datetime, ref: str | None, why: str | None) -> bool:
    """End an order, or resolve one that was in doubt. Whether anything changed: what has ended stays as it is."""
    changed = db.execute(
        "UPDATE outbox SET status = ?, settled_at = ?, lease_until = NULL, ref = coalesce(?, ref), last_error = ?"
        " WHERE id = ? AND status IN ('todo', 'doing', 'in_doubt') AND status <> ?",
        [status, stamp(at), ref, why, effect_id, status],
    ).rowcount
    if changed:
        _log(db, effect_id, at, status, why)
    return changed > 0


def end(db: Database, effect_id: EffectId, at: datetime, why: str) -> bool:
    """A person has done with an order that waits, failed or is in doubt. Whether anything changed."""
    changed = db.execute(
        "UPDATE outbox SET status = 'cancelled', settled_at = ?, last_error = ?"
        " WHERE id = ? AND status IN ('todo', 'failed', 'in_doubt')",
        [stamp(at), why, effect_id],
    ).rowcount
    if changed:
        _log(db, effect_id, at, "cancelled", why)
    return changed > 0


def cancel(db: Database, lead_id: LeadId, kinds: Sequence[str], at: datetime, why: str) -> list[EffectId]:
    """Take back the lead's orders of these kinds that have not begun; replies to the person's own words stay."""
    marks = ", ".join("?" for _ in kinds)
    query = (
        f"SELECT id FROM outbox WHERE lead_id = ? AND kind IN ({marks}) AND status = 'todo'"  # noqa: S608
        " AND purpose IN ('', 'text_back')"
    )
    cancelled = [EffectId(row[0]) for row in db.execute(query, [lead_id, *kinds]).fetchall()]
    for effect_id in cancelled:
        settle(db, effect_id, "cancelled", at, None, why)
    return cancelled


_WITH_STATUS = f"SELECT {_COLUMNS} FROM outbox INDEXED BY outbox_{{0}} WHERE status = '{{0}}' ORDER BY n"  # noqa: S608
"""By the index of the few, where the planner would rather read all that ever were in their order."""


def doubt_unbegun(db: Database, kinds: Sequence[str], at: datetime, why: str) -> int:
    """Of restored books: orders of these kinds that had not begun then may have been carried out since. How many there are.

    What is held until later than ``at`` has certainly not been. The others are ``doing`` from now on, which the next start
    takes for what it is: begun, and nobody knows how it ended.
    """
    marks = ", ".join("?" for _ in kinds)
    query = f"SELECT id FROM outbox WHERE status = 'todo' AND not_before <= ? AND kind IN ({marks})"  # noqa: S608
    ids = db.execute(query, [stamp(at), *kinds]).fetchall()
    for (effect_id,) in ids:
        db.execute("UPDATE outbox SET status = 'doing', last_error = ? WHERE id = ?", [why, effect_id])
        _log(db, EffectId(effect_id), at, "doing", why)
    return len(ids)


def texted_since(db: Database, since: datetime) -> list[tuple[E164, str]]:
    """Numbers, each with the office, to which text-backs were ordered since then."""
    query = (
        "SELECT DISTINCT number, json_extract(body, '$.office') FROM outbox"
        " WHERE kind = 'text' AND purpose = 'text_back' AND created_at > ? AND number IS NOT NULL"
    )
    return [(E164(number), str(office)) for number, office in db.execute(query, [stamp(since)]).fetchall()]


def unfinished(db: Database) -> list[Order]:
    """Orders that are ``doing``: at start, what a dead process had begun."""
    return _readable(db.execute(_WITH_STATUS.format("doing")).fetchall())


def in_doubt(db: Database) -> list[Order]:
    """Orders of which nobody knows whether they happened."""
    return _readable(db.execute(_WITH_STATUS.format("in_doubt")).fetchall())


def _readable(rows: Sequence[_Row]) -> list[Order]:
    """Without those that another version wrote and this one cannot read."""
    found = []
    for row in rows:
        with contextlib.suppress(codec.DecodeError):
            found.append(_order(row))
    return found


def order(db: Database, effect_id: EffectId) -> Order | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM outbox WHERE id = ?", [effect_id]).fetchone()  # noqa: S608
    return None if row is None else _order(row)


def of_lead(db: Database, lead_id: LeadId) -> list[Order]:
    """All orders of a lead, in their order."""
    return [_order(row) for row in db.execute(f"SELECT {_COLUMNS} FROM outbox WHERE lead_id = ? ORDER BY n", [lead_id])]  # noqa: S608


_DEPTHS = " UNION ALL ".join(
    f"SELECT kind, '{status}', count(*) FROM outbox WHERE status = '{status}' GROUP BY kind"  # noqa: S608
    for status in ("todo", "doing", "in_doubt")
)
"""One index for each: together they would be a reading of all orders that ever were."""


_UNHEARD = """
    SELECT count(*) FROM outbox AS o INDEXED BY outbox_alerts_failed
    WHERE status = 'failed' AND kind = 'alert' AND NOT EXISTS (
        SELECT 1 FROM outbox AS later
        WHERE later.lead_id = o.lead_id AND later.kind = 'alert' AND later.n > o.n AND later.status = 'done')"""


def depths(db: Database) -> dict[tuple[str, str], int]:
    """How many orders stand in each kind and status that is not an end, or is in doubt; and alerts that failed, where nobody has
    been told of the lead since."""
    found = {(kind, status): count for kind, status, count in db.execute(_DEPTHS)}
    unheard = int(db.execute(_UNHEARD).fetchone()[0])
    return {**found, ("alert", "failed"): unheard} if unheard else found


def _log(db: Database, effect_id: EffectId, at: datetime, status: str, why: str | None) -> None:
    db.execute(
        "INSERT INTO outbox_log (outbox_id, at, status, why) VALUES (?, ?, ?, ?)", [effect_id, stamp(at), status, why]
    )


_Row = tuple[str, int | None, str, str, str, str, str, str | None, int, str | None, str | None]


def _order(row: _Row) -> Order:
    effect_id, lead_id, kind, body, status, created_at, not_before, expires_at, attempts, ref, last_error = row
    effect: WorldEffect = codec.decode(WorldEffect, parse(body))
    return Order(
        effect_id=EffectId(effect_id),
        lead_id=None if lead_id is None else LeadId(lead_id),
        kind=kind,
        effect=effect,
        status=status,
        created_at=instant(created_at),
        not_before=instant(not_before),
        expires_at=None if expires_at is None else instant(expires_at),
        attempts=attempts,
        ref=ref,
        last_error=last_error,
    )
