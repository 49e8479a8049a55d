"""Copies of the books: whole or not there, taken while they are written, found again, and put back in their place."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ari_app.errors import StoreDamagedError, StoreError, StoreUnavailableError, StoreVersionError
from ari_app.store import backup
from ari_app.store.backup import open_books
from ari_app.store.db import connect, prepare, restoring
from ari_app.store.stores import ThreadedStore
from tests.support.books import NOON, Books, missed


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Books with one lead."""

    async def story() -> Path:
        books = Books(tmp_path)
        await books.miss()
        books.close()
        return books.path

    return asyncio.run(story())


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(path.stat().st_size // 4))


def test_a_copy_holds_what_the_books_held_and_belongs_to_us_alone(books: Path, tmp_path: Path) -> None:
    taken, contents = backup.take(books, tmp_path / "copies", NOON)
    assert taken.path.name == "ringback-20261124T170000.000Z.db"
    assert taken.taken_at == NOON
    assert contents.schema == "0005_alerts"
    assert contents.rows["leads"] == 1
    assert query(taken.path, "SELECT * FROM events") == query(books, "SELECT * FROM events")
    assert stat.S_IMODE(taken.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(taken.path.parent.stat().st_mode) == 0o700
    assert [path.name for path in taken.path.parent.iterdir()] == [taken.path.name], "no log, no draft beside it"


def test_a_copy_of_books_under_load_is_of_one_moment_and_stops_no_writing(tmp_path: Path) -> None:
    async def story() -> tuple[backup.Contents, int, int]:
        books = Books(tmp_path)
        async with ThreadedStore(books.path) as store:
            busy = Books(tmp_path, store=store)
            before = 0
            copied = asyncio.Event()

            async def write() -> int:
                n = 0
                while not copied.is_set():
                    await busy.record(missed(f"call-{n}", caller=f"+1305555{n:04d}"))  # type: ignore[arg-type]
                    n += 1
                return n

            async with asyncio.TaskGroup() as group:
                writing = group.create_task(write())
                while before < 20:
                    before = await store.read(lambda db: db.execute("SELECT count(*) FROM events").fetchone()[0])
                _, contents = await asyncio.to_thread(backup.take, books.path, tmp_path / "copies", NOON)
                copied.set()
            after = writing.result()
        books.close()
        return contents, before, after

    contents, before, after = asyncio.run(story())
    assert before <= contents.rows["events"] <= after
    assert contents.rows["leads"] == contents.rows["events"], "each miss with its lead, or neither"
    path = backup.in_folder(tmp_path / "copies")[0].path
    orders = query(path, "SELECT count(DISTINCT lead_id) FROM outbox")
    assert orders == [(contents.rows["leads"],)], "each lead with its orders"


def test_a_copy_that_cannot_be_made_leaves_nothing_behind(books: Path, tmp_path: Path) -> None:
    damage(books)
    with pytest.raises(StoreDamagedError):
        backup.take(books, tmp_path / "copies", NOON)
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_copy_is_read_to_its_last_page(books: Path, tmp_path: Path) -> None:
    taken, _ = backup.take(books, tmp_path / "copies", NOON)
    (page,), (size,) = (
        query(taken.path, "SELECT rootpage FROM sqlite_master WHERE name = 'leads_by_number'")[0],
        query(taken.path, "PRAGMA page_size")[0],
    )
    with taken.path.open("r+b") as file:  # an index that no count of rows would look at
        file.seek((int(str(page)) - 1) * int(str(size)))
        file.write(b"\xff" * 100)
    with pytest.raises(StoreDamagedError, match="the copy is damaged"):
        backup.inspect(taken.path)


def test_a_copy_that_lacks_a_row_is_none(books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = backup.inspect

    def robbed(path: Path) -> backup.Contents:
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("DELETE FROM outbox_log")
        return real(path)

    monkeypatch.setattr(backup, "inspect", robbed)
    with pytest.raises(StoreDamagedError, match="the copy differs from what was copied"):
        backup.take(books, tmp_path / "copies", NOON)
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_full_disk_is_not_filled_further(books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "SPARE_OCTETS", 10**18)
    with pytest.raises(StoreUnavailableError, match="GB are free, a backup needs"):
        backup.take(books, tmp_path / "copies", NOON)
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(books: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match=r"file/copies: Not a directory"):
        backup.take(books, tmp_path / "file" / "copies", NOON)


def test_a_copy_never_replaces_another(books: Path, tmp_path: Path) -> None:
    taken, _ = backup.take(books, tmp_path, NOON)
    before = taken.path.read_bytes()
    with pytest.raises(StoreUnavailableError, match="is there already"):
        backup.take(books, tmp_path, NOON)
    assert taken.path.read_bytes() == before


def test_what_a_killed_process_left_of_its_copying_is_swept_away_after_a_day(books: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    old, young = (folder / f".ringback-{name}.db.part" for name in ("old", "young"))
    for path, age in ((old, timedelta(days=2)), (young, timedelta(hours=1))):
        path.touch()
        os.utime(path, ((NOON - age).timestamp(),) * 2)
    backup.take(books, folder, NOON)
    assert not old.exists()
    assert young.exists()


def take_many(books: Path, folder: Path, *days: int) -> list[Path]:
    return [backup.take(books, folder, NOON + timedelta(days=day))[0].path for day in days]


def test_the_newest_are_kept_and_the_one_before_an_upgrade_besides(books: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    first, second = (
        backup.take(books, folder, NOON - timedelta(days=day), before_upgrade=True)[0].path for day in (9, 8)
    )
    nights = take_many(books, folder, 0, 1, 2, 3)
    (folder / "notes.txt").touch()
    removed = backup.prune(folder, 2)
    assert {one.path for one in removed} == {first, nights[0], nights[1]}
    assert {one.path for one in backup.in_folder(folder)} == {second, nights[2], nights[3]}
    assert (folder / "notes.txt").exists()


def test_the_last_good_one_is_found_behind_damaged_ones(books: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    good, torn, empty = take_many(books, folder, 0, 1, 2)
    damage(torn)
    empty.write_bytes(b"")
    found, trouble = backup.last_good(folder)
    assert found is not None
    assert found.path == good
    assert len(trouble) == 2


def test_the_last_one_of_a_newer_ringback_is_passed_over(books: Path, tmp_path: Path) -> None:
    older, newer = take_many(books, tmp_path / "copies", 0, 1)
    with contextlib.closing(sqlite3.connect(newer)) as db, db:
        db.execute("UPDATE _sqlite_migrations SET name = '9999_later' WHERE name = '0003_receipts'")
    found, trouble = backup.last_good(tmp_path / "copies")
    assert found is not None
    assert found.path == older
    assert isinstance(trouble[0], StoreVersionError)


def test_where_there_are_no_copies_none_is_found(tmp_path: Path) -> None:
    assert backup.last_good(tmp_path / "nowhere") == (None, [])
    assert backup.prune(tmp_path / "nowhere", 1) == []


def test_another_database_is_no_copy_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE songs (name)")
    with pytest.raises(StoreDamagedError, match="no books of Ringback"):
        backup.inspect(path)


def test_a_copy_under_another_name_says_itself_when_it_was_taken(books: Path, tmp_path: Path) -> None:
    taken, contents = backup.take(books, tmp_path, NOON + timedelta(hours=5))
    named = taken.path.rename(tmp_path / "from-the-usb-stick.db")
    assert backup.named(named).taken_at == NOON, "its newest event"
    assert contents.newest_event == NOON.isoformat(timespec="microseconds")
    prepare(tmp_path / "empty.db")
    with pytest.raises(StoreUnavailableError, match="says when it was taken"):
        backup.named(tmp_path / "empty.db")


# ------------------------------------------------------------------------------------------------------------- putting back
def restored(books: Path, at: datetime = NOON) -> Path:
    taken, _ = backup.take(books, books.parent / "backups", at)
    draft = books.with_name("draft")
    backup.copy(taken.path, draft)
    backup.finish(draft, restoring(books))
    return taken.path


def test_books_that_are_put_in_place_take_nothing_of_the_log_of_others(books: Path) -> None:
    restored(books)
    # A process was killed: its log is beside the file, and holds what the file does not.
    keeper = connect(books)
    keeper.execute("UPDATE leads SET stage = 'from the log'")
    log = books.with_name("ringback.db-wal")
    assert log.stat().st_size > 0
    kept = backup.put_in_place(books, "broken")
    keeper.close()
    assert kept is not None
    assert not log.exists()
    assert not restoring(books).exists()
    with contextlib.closing(connect(books)) as db:
        assert db.execute("SELECT stage FROM leads").fetchone()[0] != "from the log"
    with contextlib.closing(connect(kept)) as db:
        assert db.execute("SELECT stage FROM leads").fetchone()[0] == "from the log"


def test_a_restore_that_was_cut_off_is_done_again_and_ends_the_same(books: Path) -> None:
    restored(books)
    books.rename(books.with_name("ringback.db.first"))  # and then the power failed
    with pytest.raises(StoreDamagedError, match="run 'ringback restore' again"):
        prepare(books)
    assert backup.put_in_place(books, "second") is None
    prepare(books)
    assert query(books, "SELECT count(*) FROM leads") == [(1,)]


def test_books_that_are_gone_are_not_made_anew_while_there_are_copies_of_them(books: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    taken, _ = backup.take(books, folder, NOON)
    for path in books.parent.glob(f"{books.name}*"):  # a reader may have left the log behind
        path.unlink()
    with pytest.raises(StoreDamagedError, match=r"1 backup\(s\) of them in .*: run 'ringback restore'"):
        open_books(books, folder, NOON)
    assert not books.exists()
    taken.path.unlink()
    open_books(books, folder, NOON)
    assert query(books, "SELECT count(*) FROM leads") == [(0,)]


@pytest.mark.parametrize("name", ["ringback.db", "ringback-yesterday.db", "ringback-20261399T170000.000Z.db.part"])
def test_other_names_are_left_alone(books: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "copies"
    taken = take_many(books, folder, 0)[0]
    (folder / name).write_bytes(b"mine")
    assert backup.prune(folder, 1) == []
    assert [one.path for one in backup.in_folder(folder)] == [taken]


def test_errors_are_ours_whatever_fails(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        backup.inspect(tmp_path / "nowhere.db")


def test_what_root_copies_and_restores_for_the_service_belongs_to_the_service(books: Path) -> None:
    owner = os.geteuid()
    if owner == 0:
        owner = 65534
        os.chown(books.parent, owner, owner)
        os.chown(books, owner, owner)
    taken = restored(books)
    backup.put_in_place(books, "broken")
    assert {path.stat().st_uid for path in (taken, taken.parent, books)} == {owner}
