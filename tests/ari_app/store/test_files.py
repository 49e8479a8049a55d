"""Files of other makings: missing, locked, read-only, damaged, newer, older. Clear errors, and nothing half done."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlite_utils import Migrations

from ari_app.errors import StoreDamagedError, StoreError, StoreUnavailableError, StoreVersionError
from ari_app.store import db, schema
from ari_app.store.db import prepare, reading, require_sound, restoring
from ari_app.store.stores import InlineStore
from tests.support.books import damage_far_from_the_tables
from tests.support.programs import beside, run_program

NOBODY = 65534


def as_nobody(folder: Path, act: Callable[[], object]) -> str:
    """What ``act`` raises for a user without any rights: root may write everything, so a child gives its rights up."""
    if os.geteuid() != 0:
        try:
            act()
        except StoreError as error:
            return f"{type(error).__name__}: {error}"
        return "nothing was raised"
    for parent in (folder, *folder.parents):
        if parent == Path("/tmp"):
            break
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o055)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(NOBODY)
            try:
                act()
                said = "nothing was raised"
            except StoreError as error:
                said = f"{type(error).__name__}: {error}"
            os.write(writer, said.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


def tables(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()


def test_preparing_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "books.db"
    prepare(path)
    before = tables(path)
    prepare(path)
    assert tables(path) == before
    assert {"events", "leads", "outbox", "timers"} <= before
    require_sound(path)


def test_an_empty_file_is_no_books_but_what_a_failing_disk_has_left_of_them(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    path.touch()
    with pytest.raises(StoreVersionError, match="older Ringback: start Ringback once"), reading(path):
        raise AssertionError("it opened")
    with pytest.raises(StoreDamagedError, match=r"the file is empty: .*ringback restore"):
        prepare(path)
    assert path.stat().st_size == 0


def test_the_log_of_books_that_are_gone_does_not_become_that_of_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    keeper = sqlite3.connect(path)
    keeper.execute("INSERT INTO bookmarks VALUES ('old', 'news')")
    keeper.commit()
    path.unlink()
    with pytest.raises(StoreDamagedError, match=r"its log is still there: .*ringback restore"):
        prepare(path)
    keeper.close()
    path.with_name("books.db-wal").unlink(missing_ok=True)
    prepare(path)
    with reading(path) as handle:
        assert handle.table("bookmarks").count == 0


def test_nothing_is_opened_while_a_restore_has_not_ended(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    restoring(path).write_bytes(b"half")
    with pytest.raises(StoreDamagedError, match="run 'ringback restore' again"):
        prepare(path)
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailableError, match="make the folder writable"):
        prepare(tmp_path / "file" / "books.db")


def test_a_missing_file_is_not_made_by_reading_it(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="unable to open"), reading(tmp_path / "books.db"):
        raise AssertionError("it opened")
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_file_is_told_with_its_mend(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    path.chmod(0o444)
    said = as_nobody(tmp_path, lambda: prepare(path))
    assert said.startswith("StoreUnavailableError"), said
    assert "writable for the user that Ringback runs as" in said


def test_a_file_that_may_not_be_opened_is_told_with_its_mend(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    path.chmod(0o000)
    said = as_nobody(tmp_path, lambda: InlineStore(path))
    assert said.startswith("StoreUnavailableError"), said
    assert "readable and writable for the user that Ringback runs as" in said


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    path.write_bytes(b"not a database" * 1000)
    looks: list[Callable[[], object]] = [lambda: prepare(path), lambda: require_sound(path)]
    for look in looks:
        with pytest.raises(StoreDamagedError, match="ringback restore") as caught:
            look()
        assert caught.value.path == str(path)
    assert path.read_bytes() == b"not a database" * 1000


def test_a_damaged_database_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 7 * 4096] = os.urandom(2 * 4096)
    path.write_bytes(content)
    looks: list[Callable[[], object]] = [lambda: prepare(path), lambda: require_sound(path)]
    for look in looks:
        with pytest.raises(StoreDamagedError, match="ringback restore"):
            look()


def test_of_large_books_the_start_reads_what_they_are_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    damage_far_from_the_tables(path)
    with pytest.raises(StoreDamagedError, match="ringback restore"):
        prepare(path)
    monkeypatch.setattr(db, "READ_AT_START", path.stat().st_size - 1)
    prepare(path)
    with pytest.raises(StoreDamagedError, match="ringback restore"):
        require_sound(path)
    with path.open("r+b") as file:
        file.seek(100)  # behind the header, the first page holds the tables' names
        file.write(os.urandom(4096 - 100))
    with pytest.raises(StoreDamagedError, match="ringback restore"):
        prepare(path)


def test_books_of_a_newer_version_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('ringback', '0042_wonders', '2030')"
    )
    connection.execute("CREATE TABLE wonders (n)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    looks: list[Callable[[], object]] = [
        lambda: prepare(path),
        lambda: require_sound(path),
        lambda: reading(path).__enter__(),
    ]
    for look in looks:
        with pytest.raises(StoreVersionError, match=r"newer Ringback \(0042_wonders\): install that one") as caught:
            look()
        assert caught.value.path == str(path)
    assert path.read_bytes() == before


DIES_IN_A_MIGRATION = """
import os, sys
from pathlib import Path
from ari_app.store import db, schema
from ari_app.store.db import prepare

@schema.migrations(name="9999_dies")
def dies(db):
    db.executescript("CREATE TABLE half (n); INSERT INTO half VALUES (1);")
    os._exit(9)

prepare(Path(sys.argv[1]))
"""


def test_a_crash_in_the_middle_of_an_upgrade_leaves_the_books_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    assert run_program(DIES_IN_A_MIGRATION, path).returncode == 9
    assert "half" not in tables(path)
    prepare(path)
    assert run_program(DIES_IN_A_MIGRATION, tmp_path / "new.db").returncode == 9
    assert not (tmp_path / "new.db").exists(), "not even the tables of the migrations before"
    prepare(tmp_path / "new.db")


def test_an_upgrade_that_fails_leaves_the_books_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    more = Migrations("ringback")
    more._migrations = list(schema.migrations._migrations)

    @more(name="9999_fails")
    def fails(db: object) -> None:
        db.execute("CREATE TABLE half (n)")  # type: ignore[attr-defined]
        raise RuntimeError("a defect")

    monkeypatch.setattr("ari_app.store.db.migrations", more)
    with pytest.raises(RuntimeError, match="a defect"):
        prepare(path)
    monkeypatch.undo()
    assert "half" not in tables(path)
    prepare(path)


PREPARES = """
import sys
from pathlib import Path
from ari_app.store.db import prepare
print("ready", flush=True)
sys.stdin.readline()
prepare(Path(sys.argv[1]))
"""


def test_two_programs_may_make_the_same_books_at_once(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    with beside(PREPARES, path) as one, beside(PREPARES, path) as other:
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [one.wait(30), other.wait(30)] == [0, 0]
    require_sound(path)
    with reading(path) as handle:
        assert handle.table("_sqlite_migrations").count == len(schema.migrations._migrations)
