"""Segments of inbound texts that are not complete yet; and the last text between two numbers, to know it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlite_utils import Database

from ari_app.store.rows import stamp


def keep(db: Database, gateway: str, key: str, body: str) -> None:
    """Keep a segment; the same one may come twice."""
    db.execute(
        "INSERT INTO text_parts (gateway, key, body) VALUES (?, ?, ?) ON CONFLICT (gateway, key) DO NOTHING",
        [gateway, key, body],
    )


def discard(db: Database, gateway: str, keys: Sequence[str]) -> None:
    """Forget segments whose text has been delivered."""
    for key in keys:
        db.execute("DELETE FROM text_parts WHERE gateway = ? AND key = ?", [gateway, key])


def kept(db: Database, gateway: str) -> list[str]:
    """All segments, oldest first."""
    return [row[0] for row in db.execute("SELECT body FROM text_parts WHERE gateway = ? ORDER BY n", [gateway])]


def is_last(db: Database, gateway: str, source: str, destination: str, fingerprint: str, since: datetime) -> bool:
    """Whether the latest text between these two was this one, and came after ``since``."""
    row = db.execute(
        "SELECT fingerprint, at FROM last_texts WHERE gateway = ? AND source = ? AND destination = ?",
        [gateway, source, destination],
    ).fetchone()
    return row is not None and row[0] == fingerprint and row[1] > stamp(since)


def set_last(db: Database, gateway: str, source: str, destination: str, fingerprint: str, at: datetime) -> None:
    db.execute(
        "INSERT INTO last_texts (gateway, source, destination, fingerprint, at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (gateway, source, destination) DO UPDATE SET fingerprint = excluded.fingerprint, at = excluded.at",
        [gateway, source, destination, fingerprint, stamp(at)],
    )
