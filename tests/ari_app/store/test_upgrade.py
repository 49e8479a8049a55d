"""Books of earlier releases, and back. ``schema_0001.sql`` is a dump of books that the first release wrote.

A migration that has been released is never changed, so neither is its dump.
"""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from ari_app.errors import StoreVersionError
from ari_app.recovery.values import e164
from ari_app.settings.compiling import compile_policy
from ari_app.settings.document import Document
from ari_app.store import backup, journal, outbox, reports, schema
from ari_app.store.backup import open_books
from ari_app.store.db import InlineStore, go_back, prepare, reading
from ari_app.store.replay import rebuild
from tests.support.books import NOON, Books, StandingClock

FIRST = Path(__file__).parent / "schema_0001.sql"


def of_the_first_release(path: Path) -> Path:
    """Books as the first release left them."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST.read_text(encoding="utf-8"))
        db.execute("PRAGMA journal_mode = WAL")
    return path


def tables(path: Path) -> dict[str, str]:
    """What each table and index is made by, spaces aside."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in rows}


def only(*names: str) -> Migrations:
    """The migrations of a release."""
    release = Migrations("ringback")
    release._migrations = [each for each in schema.migrations._migrations if each.name in names]
    return release


def with_a_later_one() -> Migrations:
    """The migrations of the next release."""
    release = Migrations("ringback")
    release._migrations = list(schema.migrations._migrations)

    @release(name="9999_next")
    def _next(db: Database) -> None:
        db.execute("ALTER TABLE people ADD COLUMN language TEXT")

    return release


def test_the_first_release_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ari_app.store.db.migrations", only("0001_books"))
    prepare(tmp_path / "new.db")
    assert tables(tmp_path / "new.db") == tables(of_the_first_release(tmp_path / "first.db"))


def test_books_of_the_first_release_become_books_of_this_one(tmp_path: Path) -> None:
    path = of_the_first_release(tmp_path / "old.db")
    prepare(path)
    prepare(tmp_path / "new.db")
    assert tables(path) == tables(tmp_path / "new.db")
    with reading(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        leads = reports.leads(db, limit=10)
        assert [(row.lead.number, row.lead.text.value, row.lead.opted_out) for row in leads] == [
            ("+13055550144", "in_doubt", True),
            ("+13055550143", "failed", False),
            ("+13055550142", "done", False),
        ]
        assert [order.effect_id for order in outbox.in_doubt(db)] == [f"{journal.last_seq(db) - 2}.0"]
        settings = journal.policy_settings(db, next(journal.entries(db)).policy)
        assert settings is not None
        policy = compile_policy(Document.model_validate_json(settings))
        for row in leads:
            assert rebuild(db, row.lead.lead_id, lambda _: policy).agrees


async def test_life_goes_on_in_books_of_the_first_release(tmp_path: Path) -> None:
    old = Books(tmp_path)
    old.close()
    old.path.unlink()
    path = of_the_first_release(old.path)
    prepare(path)
    books = Books(tmp_path, store=InlineStore(path), clock=StandingClock(NOON + timedelta(hours=1)))
    recorded = await books.miss("call-4")
    assert recorded.lead_id == 1, "the caller is known"
    assert [decision.rule for decision in recorded.step.decisions] == ["FRQ-03"], "and has been texted"
    assert isinstance(books.store, InlineStore)
    books.store.close()


def test_before_tables_change_the_books_are_copied_and_the_way_back_is_that_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = of_the_first_release(tmp_path / "books.db"), tmp_path / "backups"
    prepare(path)
    open_books(path, folder, NOON)
    assert backup.in_folder(folder) == [], "nothing has changed, and nothing is copied"
    before = backup.take(path, tmp_path / "control", NOON)[1].rows

    with monkeypatch.context() as next_release:
        for module in ("db", "backup"):
            next_release.setattr(f"ari_app.store.{module}.migrations", with_a_later_one())
        open_books(path, folder, NOON)
    assert [one.path.name for one in backup.in_folder(folder)] == ["ringback-20261124T170000.000Z-before-upgrade.db"]

    with pytest.raises(StoreVersionError, match=r"newer Ringback \(9999_next\): .*ringback restore"):
        open_books(path, folder, NOON)
    found, trouble = backup.last_good(folder)
    assert found is not None
    assert trouble == []
    assert backup.inspect(found.path).rows == before


def test_an_upgrade_without_its_copy_does_not_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = of_the_first_release(tmp_path / "books.db")
    prepare(path)
    (tmp_path / "backups").write_text("in the way")
    before = path.read_bytes()
    for module in ("db", "backup"):
        monkeypatch.setattr(f"ari_app.store.{module}.migrations", with_a_later_one())
    with pytest.raises(OSError, match="backups"):
        open_books(path, tmp_path / "backups", NOON)
    assert path.read_bytes() == before


# -------------------------------------------------------------------------------------------------------------- the way back
def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, except which migrations there were."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in names if name != "_sqlite_migrations"
        }


async def test_books_of_this_release_become_those_of_the_first_one_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StandingClock(NOON + timedelta(hours=1))

    async def another_miss(call: str, number: str) -> None:
        """As the release does that runs now."""
        books = Books(tmp_path, clock=clock)
        await books.miss(call, e164(number))
        books.close()

    old = Books(tmp_path)
    old.close()
    old.path.unlink()
    path = of_the_first_release(old.path)
    await another_miss("call-4", "+13055550145")
    upgraded, before = tables(path), contents(path)

    assert go_back(path, "0001_books") == [each.name for each in schema.migrations._migrations[:0:-1]]
    assert contents(path) == before
    assert tables(path) == tables(of_the_first_release(tmp_path / "first.db"))
    with monkeypatch.context() as first_release:
        first_release.setattr("ari_app.store.db.migrations", only("0001_books"))
        await another_miss("call-5", "+13055550146")
    assert tables(path) == tables(tmp_path / "first.db")
    before = contents(path)

    await another_miss("call-6", "+13055550147")
    assert tables(path) == upgraded
    after = contents(path)
    assert after["events"][: len(before["events"])] == before["events"]
    with reading(path) as db:
        assert [row.lead.number for row in reports.leads(db, limit=3)] == [f"+1305555014{n}" for n in (7, 6, 5)]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kept", range(1, len(schema.migrations._migrations)))
def test_each_change_of_the_tables_has_its_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    names = [each.name for each in schema.migrations._migrations]
    path = tmp_path / "books.db"
    prepare(path)
    assert go_back(path, names[kept - 1]) == names[: kept - 1 : -1]
    monkeypatch.setattr("ari_app.store.db.migrations", only(*names[:kept]))
    prepare(tmp_path / "then.db")
    assert tables(path) == tables(tmp_path / "then.db")
    assert go_back(path, names[kept - 1]) == [], "it is there already"


def test_a_way_back_that_does_not_exist_is_refused_and_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    with pytest.raises(StoreVersionError, match=r"not changed by 0042_wonders: these are: 0001_books"):
        go_back(path, "0042_wonders")
    monkeypatch.setattr("ari_app.store.db.migrations", with_a_later_one())
    prepare(path)
    before = tables(path)
    with pytest.raises(StoreVersionError, match=r"changed by 9999_next for good: go back with 'ringback restore'"):
        go_back(path, "0001_books")
    assert tables(path) == before
    monkeypatch.setitem(schema.BACK, "9999_next", ("DROP TABLE nothing",))
    with pytest.raises(sqlite3.OperationalError):
        go_back(path, "0001_books")
    monkeypatch.setitem(schema.BACK, "9999_next", ("ALTER TABLE people DROP COLUMN language",))
    monkeypatch.setitem(schema.BACK, "0002_answers", ("DROP TABLE nothing",))
    with pytest.raises(sqlite3.OperationalError):
        go_back(path, "0001_books")
    assert tables(path) == before, "not even the first step of two"
    prepare(path)
