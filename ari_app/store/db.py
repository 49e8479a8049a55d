"""The file that the books are: SQLite, its handles, and its tables made and brought up to date. WAL, ``synchronous=FULL``: what
is acknowledged survives a power cut.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlite_utils import Database as Database  # the handle that jobs are given

from ari_app.errors import StoreDamagedError, StoreError, StoreUnavailableError, StoreVersionError
from ari_app.ownership import give
from ari_app.store.faults import RESTORE, translated
from ari_app.store.schema import BACK, migrations

CACHE_KB = 16_000
"""Of the file's pages, kept in memory for each handle: what callers of the last hours need, with the indexes above it."""
BUSY_SECONDS = 5.0
"""How long a lock held by another process is waited for."""
READ_AT_START = 200_000_000
"""Octets up to which the books are read to their last page before anything else is done: two seconds of a slow disk."""
PRIVATE = 0o600
"""The books hold what people said: they are for nobody else on the machine. SQLite gives its side files the same mode."""


# ---------------------------------------------------------------------------------------------------------------- the file
def connect(path: Path, *, readonly: bool = False) -> Database:
    """A handle on the file, for the thread that calls. Raises StoreUnavailableError, StoreDamagedError."""
    uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rwc'}"
    with translating(path), contextlib.ExitStack() as stack:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        stack.callback(connection.close)
        db = Database(connection)
        # Transactions are ours: what sqlite_utils does before and after each statement, to keep its own, is for nothing here.
        db.execute = connection.execute  # type: ignore[method-assign, assignment]
        db.execute("PRAGMA query_only = ON" if readonly else "PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        db.execute("PRAGMA temp_store = MEMORY")  # what a savepoint may have to take back is no file each time
        db.execute("SELECT count(*) FROM sqlite_master")  # a file that is none of ours is found here
        stack.pop_all()
    return db


def prepare(path: Path, before_upgrade: Callable[[], object] | None = None) -> None:
    """Make the file and bring its tables up to date. before_upgrade: keeps the books as they are, before tables change.
    Large books are then still to be read (``read_at_start``, ``require_sound``).

    Raises StoreUnavailableError, StoreDamagedError, StoreVersionError; the file is then as it was.
    """
    _refuse_half_restored(path)
    if not path.exists():
        if path.with_name(f"{path.name}-wal").exists():
            # SQLite would take it for the log of the new books, and write what it holds into them.
            raise StoreDamagedError(str(path), f"the file is gone and its log is still there: {RESTORE}")
        _make(path)
    if path.stat().st_size == 0:
        # Ours are never empty, not even for a moment; as a database it would be sound, and hold nothing.
        raise StoreDamagedError(str(path), f"the file is empty: {RESTORE}")
    # Read-only first: one who may write folds the log into the file when he leaves, and a damaged file is evidence.
    with contextlib.closing(connect(path, readonly=True)) as db, translating(path):
        if read_at_start(path):
            _refuse_unsound(db, path)
        refuse_newer(db, path)
        upgrade = bool(migrations.pending(db))
    if upgrade and before_upgrade is not None:
        before_upgrade()
    with contextlib.closing(connect(path)) as db, translating(path):
        # IMMEDIATE: of two programs that find tables missing, one makes them and the other finds them made.
        db.execute("BEGIN IMMEDIATE")
        refuse_newer(db, path)
        migrations.apply(db)
        db.execute("COMMIT")


def go_back(path: Path, to: str) -> list[str]:
    """Make the tables what they were for the release whose newest migration is ``to``; the books keep what they hold. The
    migrations that were taken back, the newest first.

    Raises StoreUnavailableError, StoreDamagedError, StoreVersionError; the file is then as it was.
    """
    _refuse_half_restored(path)
    with contextlib.closing(connect(path)) as db, translating(path):
        db.execute("BEGIN IMMEDIATE")
        refuse_newer(db, path)
        done = [each.name for each in migrations.applied(db)]
        if to not in done:
            raise StoreVersionError(str(path), f"not changed by {to}", f"these are: {', '.join(done)}")
        newer = list(reversed(done[done.index(to) + 1 :]))
        for name in newer:
            if name not in BACK:
                raise StoreVersionError(str(path), f"changed by {name} for good", "go back with 'ringback restore'")
            for statement in BACK[name]:
                db.execute(statement)
            db.table(migrations.migrations_table).delete_where(
                "migration_set = ? AND name = ?", [migrations.name, name]
            )
        db.execute("COMMIT")
    return newer


def changes(path: Path) -> list[str]:
    """The migrations that the tables have had, the oldest first. Raises StoreUnavailableError, StoreDamagedError."""
    with contextlib.closing(connect(path, readonly=True)) as db, translating(path):
        return [each.name for each in migrations.applied(db)]


def read_at_start(path: Path) -> bool:
    """Whether ``prepare`` reads these books whole; of larger ones it reads what they are made of, the tables' names."""
    return path.stat().st_size <= READ_AT_START


def _make(path: Path) -> None:
    """New books, whole from the moment that they have their name."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        draft.touch(PRIVATE)
        give(draft, path.parent)
        try:
            with contextlib.closing(connect(draft)) as db, translating(path):
                db.execute("BEGIN IMMEDIATE")
                migrations.apply(db)
                db.execute("COMMIT")
            with contextlib.suppress(FileExistsError):  # another program has made them meanwhile
                path.hardlink_to(draft)
        finally:
            draft.unlink(missing_ok=True)
    except StoreError:
        raise
    except OSError as error:
        raise StoreUnavailableError(f"{path}: {error.strerror or error}: make the folder writable for us") from error


def restoring(path: Path) -> Path:
    """The books that are about to take the place of those at ``path``: nothing may open them while it is there."""
    return path.with_name(f"{path.name}.restoring")


def _refuse_half_restored(path: Path) -> None:
    if restoring(path).exists():
        why = "a restore has begun and did not end: run 'ringback restore' again"
        raise StoreDamagedError(str(path), why)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Database]:
    """The books as they are at this moment, read-only: for short programs beside the one that writes.

    Raises StoreUnavailableError, StoreDamagedError, StoreVersionError.
    """
    with contextlib.closing(connect(path, readonly=True)) as db, translating(path):
        refuse_newer(db, path)
        if migrations.pending(db):
            raise StoreVersionError(str(path), "written by an older Ringback", "start Ringback once, which upgrades it")
        with snapshot(db):
            yield db


def require_sound(path: Path) -> None:
    """Read the whole file. Raises StoreDamagedError, StoreVersionError, StoreUnavailableError."""
    with contextlib.closing(connect(path, readonly=True)) as db, translating(path):
        _refuse_unsound(db, path)
        refuse_newer(db, path)


def _refuse_unsound(db: Database, path: Path) -> None:
    found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreDamagedError(str(path), f"the database is damaged ({found}): {RESTORE}")


def refuse_newer(db: Database, path: Path) -> None:
    unknown = [done.name for done in migrations.applied(db) if done.name not in _known_migrations()]
    if unknown:
        found = f"written by a newer Ringback ({unknown[-1]})"
        mend = "install that one, whose 'ringback downgrade' leads back here, or 'ringback restore' a backup of before"
        raise StoreVersionError(str(path), found, mend)


def _known_migrations() -> set[str]:
    with contextlib.closing(Database(memory=True)) as empty:
        return {pending.name for pending in migrations.pending(empty)}


@contextlib.contextmanager
def translating(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        ours = translated(error, path)
        if ours is None:
            raise
        raise ours from error


@contextlib.contextmanager
def snapshot(db: Database) -> Iterator[None]:
    """All reads inside see one state of the books, whatever is written meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.conn.in_transaction:  # a failing disk may have ended it
            db.execute("ROLLBACK")
