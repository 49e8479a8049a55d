"""Which text a delivery receipt speaks of. A receipt may come before the answer to the submit: it is kept until then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ari_app.recovery.values import EffectId
from ari_app.store.rows import stamp


@dataclass(frozen=True, slots=True)
class Tally:
    """How far a text has come, all its segments taken together. final: every segment's fate is known."""

    effect_id: EffectId
    final: bool
    delivered: bool


def expect(db: Database, gateway: str, effect_id: EffectId, refs: Sequence[str], segments: int | None = None) -> None:
    """The segments of a text got these ids; receipts for them are its own from now on. segments: of the whole text."""
    for segment, ref in enumerate(refs, start=1):
        if ref:
            db.execute(
                "INSERT INTO message_refs (gateway, ref, outbox_id, segment, segments) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (gateway, ref) DO UPDATE SET"
                " outbox_id = excluded.outbox_id, segment = excluded.segment, segments = excluded.segments, state = NULL",
                [gateway, ref, effect_id, segment, segments or len(refs)],
            )


def parked(db: Database, gateway: str, refs: Sequence[str], to: str) -> list[tuple[str, str, str | None]]:
    """Receipts (ref, state, error) that came before the ids of a text to this number were known; they are taken out."""
    found = []
    for ref in refs:
        row = db.execute(
            "SELECT receipt, state, error, number FROM parked_receipts WHERE gateway = ? AND ref = ?", [gateway, ref]
        ).fetchone()
        if row is not None and (row[3] is None or _fits(db, row[3], to, exact=row[0] == ref)):
            found.append((ref, row[1], row[2]))
            db.execute("DELETE FROM parked_receipts WHERE gateway = ? AND receipt = ?", [gateway, row[0]])
    return found


def park(db: Database, gateway: str, refs: Sequence[str], to: str, state: str, error: str | None, at: datetime) -> None:
    """Keep a receipt whose text is not known yet, under every reading of its id, the likeliest first.

    to: the number that it names.
    """
    for ref in refs:
        # What one receipt says for certain is not overwritten by what another may mean.
        db.execute(
            "INSERT INTO parked_receipts (gateway, ref, receipt, number, state, error, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (gateway, ref) DO UPDATE SET receipt = excluded.receipt, number = excluded.number,"
            " state = excluded.state, error = excluded.error, at = excluded.at"
            " WHERE excluded.ref = excluded.receipt OR parked_receipts.ref <> parked_receipts.receipt",
            [gateway, ref, refs[0], to, state, error, stamp(at)],
        )


def forget_parked(db: Database, before: datetime) -> None:
    """Drop receipts that nobody has asked for since then."""
    db.execute("DELETE FROM parked_receipts WHERE at < ?", [stamp(before)])


def note(
    db: Database, gateway: str, candidates: Sequence[str], to: str, state: str, *, delivered_as: str
) -> Tally | None:
    """Note a final state for the segment that one of ``candidates``, likeliest first, names; None when none is known.

    to: the number that the receipt names. The same digits read in another way are the id of somebody else's text, sooner or
    later: the number decides.
    """
    for ref in candidates:
        row = db.execute(
            "SELECT outbox.id, outbox.number FROM message_refs JOIN outbox ON outbox.id = message_refs.outbox_id"
            " WHERE message_refs.gateway = ? AND message_refs.ref = ?",
            [gateway, ref],
        ).fetchone()
        if row is None or not _fits(db, to, row[1], exact=ref == candidates[0]):
            continue
        db.execute("UPDATE message_refs SET state = ? WHERE gateway = ? AND ref = ?", [state, gateway, ref])
        states = [
            entry[0] for entry in db.execute("SELECT state FROM message_refs WHERE outbox_id = ?", [row[0]]).fetchall()
        ]
        failed = any(entry not in (None, delivered_as) for entry in states)
        delivered = all(entry == delivered_as for entry in states)
        return Tally(EffectId(row[0]), failed or delivered, delivered)
    return None


def _fits(db: Database, named: str, to: str, *, exact: bool) -> bool:
    """Whether a receipt that names a number can speak of a text to ``to``. exact: the likeliest reading of its id does.

    Some carriers rewrite the numbers in receipts. One that nobody ever texted was rewritten: then the likeliest reading counts.
    """
    if named == to:
        return True
    return exact and (
        db.execute("SELECT 1 FROM outbox WHERE number = ? AND kind = 'text' LIMIT 1", [named]).fetchone() is None
    )
