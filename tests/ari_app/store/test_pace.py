"""Contacts counted by the minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ari_app.store import pace
from ari_app.store.db import prepare
from ari_app.store.stores import InlineStore
from tests.support.books import known

AT = datetime(2026, 11, 24, 15, 0, 30, tzinfo=UTC)


async def test_contacts_of_the_last_hour_count_in_their_own_bucket_and_then_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "ringback.db"
    prepare(path)
    store = InlineStore(path)
    for minutes in (0, 0, 30, 59):
        at = AT + timedelta(minutes=minutes)
        await store.write(lambda db, at=at: pace.add(db, at, pace.ALL, "+1305555"))  # type: ignore[misc]
    await store.write(lambda db: pace.add(db, AT, pace.ALL, "+1212555"))

    async def counts(bucket: str, minutes: int) -> tuple[int, int]:
        at = AT + timedelta(minutes=minutes)
        found = await store.read(lambda db: known(db, alike=bucket, at=at))
        return found.alike, found.contacts

    assert [(await counts("+1305555", minutes))[0] for minutes in (0, 30, 59, 60, 90, 119)] == [4, 4, 4, 2, 1, 0]
    assert [await counts("+1212555", 59), await counts("+1999", 59)] == [(1, 5), (0, 5)]
    await store.write(lambda db: pace.forget(db, AT + timedelta(hours=2, minutes=10)))
    left = await store.read(lambda db: db.execute("SELECT count(*) FROM pace").fetchone()[0])
    assert left == 4
