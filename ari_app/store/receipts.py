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


def parked(db: Database, gateway: str, refs: Sequence[str]) -> list[tuple[str, str, str | None]]:
    """Receipts (ref, state, error) that came before their texts' ids were known; they are taken out."""
    found = []
    for ref in refs:
        row = db.execute(
            "SELECT receipt, state, error FROM parked_receipts WHERE gateway = ? AND ref = ?", [gateway, ref]
        ).fetchone()
        if row is not None:
            found.append((ref, row[1], row[2]))
            db.execute("DELETE FROM parked_receipts WHERE gateway = ? AND receipt = ?", [gateway, row[0]])
    return found


def park(db: Database, gateway: str, refs: Sequence[str], state: str, error: str | None, at: datetime) -> None:
    """Keep a receipt whose text is not known yet, under every reading of its id, the likeliest first."""
    for ref in refs:
        # What one receipt says for certain is not overwritten by what another may mean.
        db.execute(
            "INSERT INTO parked_receipts (gateway, ref, receipt, state, error, at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (gateway, ref) DO UPDATE SET"
            " receipt = excluded.receipt, state = excluded.state, error = excluded.error, at = excluded.at"
            " WHERE excluded.ref = excluded.receipt OR parked_receipts.ref <> parked_receipts.receipt",
            [gateway, ref, refs[0], state, error, stamp(at)],
        )


def forget_parked(db: Database, before: datetime) -> None:
    """Drop receipts that nobody has asked for since then."""
    db.execute("DELETE FROM parked_receipts WHERE at < ?", [stamp(before)])


def note(db: Database, gateway: str, candidates: Sequence[str], state: str, *, delivered_as: str) -> Tally | None:
    """Note a final state for the segment that one of ``candidates`` names; None when none of them is known."""
    for ref in candidates:
        row = db.execute(
            "UPDATE message_refs SET state = ? WHERE gateway = ? AND ref = ? RETURNING outbox_id", [state, gateway, ref]
        ).fetchone()
        if row is not None:
            states = [
                entry[0]
                for entry in db.execute("SELECT state FROM message_refs WHERE outbox_id = ?", [row[0]]).fetchall()
            ]
            failed = any(entry not in (None, delivered_as) for entry in states)
            delivered = all(entry == delivered_as for entry in states)
            return Tally(EffectId(row[0]), failed or delivered, delivered)
    return None
