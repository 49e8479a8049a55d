"""What a damaged database still tells, and what it is believed."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from ari_app.recovery.values import e164
from ari_app.store import lost_time
from ari_app.store.db import connect
from ari_app.store.lost_time import LostTime
from ari_app.store.salvage import Salvage, salvage
from tests.support.books import CALLER, NOON, Books, texted

YESTERDAY = NOON - timedelta(days=1)
OTHER = e164("+13055550177")


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Two callers who were texted and said no, everything in one file."""

    async def story() -> Path:
        books = Books(tmp_path)
        for number, sender in enumerate((CALLER, OTHER)):
            await books.miss(f"call-{number}", sender)
            await books.record(texted("STOP", source=str(number), sender=sender))
        books.close()
        return books.path

    path = asyncio.run(story())
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("VACUUM")
    return path


def spoil(path: Path, *tables: str) -> None:
    """Noise in the first page of each of these tables and indexes."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        marks = ", ".join("?" for _ in tables)
        pages = db.execute(f"SELECT rootpage FROM sqlite_master WHERE name IN ({marks})", tables).fetchall()
    with path.open("r+b") as file:
        for (page,) in pages:
            file.seek((page - 1) * size)
            file.write(b"\xff" * 200)


def test_sound_books_tell_everything(books: Path) -> None:
    found = salvage(books, YESTERDAY)
    assert set(found.said_no) == {CALLER, OTHER}
    assert found.complete
    assert (found.last_seq, found.last_lead) == (4, 2)


def test_only_what_a_backup_cannot_know_is_told(books: Path) -> None:
    assert salvage(books, NOON + timedelta(hours=1)).said_no == ()


@pytest.mark.parametrize("table", ["consent", "consent_log"])
def test_one_of_the_two_lists_of_noes_is_enough(books: Path, table: str) -> None:
    spoil(books, table)
    found = salvage(books, YESTERDAY)
    assert set(found.said_no) == {CALLER, OTHER}
    assert found.complete


def test_without_both_nothing_is_known_and_it_says_so(books: Path) -> None:
    spoil(books, "consent", "consent_log")
    found = salvage(books, YESTERDAY)
    assert (found.said_no, found.complete) == ((), False)
    assert found.last_lead == 2, "damage is seldom everywhere"


def lose_time(path: Path, ago: timedelta, *, noes_known: bool) -> None:
    """The books were restored themselves; the time that they had lost ended so long ago."""
    with contextlib.closing(connect(path)) as db:
        until = NOON - ago
        lost_time.put(db, LostTime(until - timedelta(hours=1), until, unjudged=False, noes_known=noes_known))


def test_books_that_were_restored_without_all_noes_do_not_tell_all(books: Path) -> None:
    lose_time(books, timedelta(days=2), noes_known=False)
    assert salvage(books, YESTERDAY).complete, "the backup was taken after that"
    lose_time(books, timedelta(hours=2), noes_known=True)
    assert salvage(books, YESTERDAY).complete
    lose_time(books, timedelta(hours=1), noes_known=False)
    assert not salvage(books, YESTERDAY).complete
    lose_time(books, timedelta(minutes=30), noes_known=True)
    assert not salvage(books, YESTERDAY).complete, "what is unknown stays unknown"


def test_books_that_cannot_say_whether_they_were_restored_do_not_tell_all(books: Path) -> None:
    spoil(books, "bookmarks")
    found = salvage(books, YESTERDAY)
    assert set(found.said_no) == {CALLER, OTHER}
    assert not found.complete


def test_numbers_that_cannot_be_read_are_unknown(books: Path) -> None:
    spoil(books, "events", "leads")
    found = salvage(books, YESTERDAY)
    assert (found.last_seq, found.last_lead) == (None, None)
    assert found.complete


def test_what_is_no_number_and_no_time_is_left_out(books: Path) -> None:
    with contextlib.closing(sqlite3.connect(books)) as db, db:
        db.execute("UPDATE consent SET number = 'garbage' WHERE number = ?", [OTHER])
        db.execute("UPDATE consent_log SET number = 'garbage' WHERE number = ?", [OTHER])
        db.execute("INSERT INTO text_windows VALUES ('+13055550142', 'miami', '9 o''clock', 'x')")
        db.execute("INSERT INTO text_windows VALUES ('garbage', 'keys', '2027', 'x')")
        db.execute("INSERT INTO text_windows VALUES ('+13055550177', 'keys', '2027-01-01T00:00:00.000000+00:00', 'x')")
    found = salvage(books, YESTERDAY)
    assert found.said_no == (CALLER,)
    assert [(number, office) for number, office, _ in found.barred] == [(OTHER, "keys")]


@pytest.mark.parametrize("content", [None, b"", b"no database, but a diary " * 1000])
def test_what_is_no_database_tells_nothing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "books.db"
    if content is not None:
        path.write_bytes(content)
    found = salvage(path, YESTERDAY)
    assert found == Salvage()
