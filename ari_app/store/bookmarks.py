"""How far something was read: an offset in a file, the end of the last outage."""

from __future__ import annotations

from sqlite_utils import Database


def get(db: Database, name: str) -> str | None:
    row = db.execute("SELECT value FROM bookmarks WHERE name = ?", [name]).fetchone()
    return None if row is None else str(row[0])


def put(db: Database, name: str, value: str) -> None:
    db.execute(
        "INSERT INTO bookmarks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [name, value],
    )
