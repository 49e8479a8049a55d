"""Copies of the books: taken while they are written, proven sound, named by their time, and put back in their place.

A copy is made through SQLite's online backup of one moment's snapshot: a reader beside the writer, which waits for nobody and
lets nobody wait. What stands under its final name is whole: it was checked before it got that name.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils import Database

from ari_app.errors import StoreDamagedError, StoreError, StoreUnavailableError
from ari_app.ownership import give
from ari_app.store.db import PRIVATE, connect, prepare, refuse_newer, restoring, translating
from ari_app.store.rows import instant
from ari_app.store.schema import migrations

PREFIX = "ringback-"
_NAME = re.compile(r"ringback-(\d{8}T\d{6}\.\d{3}Z)(-before-upgrade)?\.db")
_STAMP = "%Y%m%dT%H%M%S"
PAGES = 4096
"""Pages that are copied in one go, 16 MiB: the copying can be stopped between two of them."""
SPARE_OCTETS = 200_000_000
"""What stays free on the disk: a backup that fills it would stop what it is to protect."""
_OURS = ("events", "leads", "outbox")


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy in a folder. taken_at: aware UTC, to the millisecond. before_upgrade: kept because the tables were to change."""

    path: Path
    taken_at: datetime
    before_upgrade: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy was found to hold. schema: the newest migration. rows: by table. newest_event: None for empty books."""

    schema: str
    rows: dict[str, int]
    newest_event: str | None
    octets: int


# ------------------------------------------------------------------------------------------------------------------- taking
def take(path: Path, folder: Path, at: datetime, *, before_upgrade: bool = False) -> tuple[Backup, Contents]:
    """Copy the books at ``path`` into ``folder`` and prove the copy. Blocks for as long as that takes; the books go on.

    Raises StoreUnavailableError (nothing is left of the attempt), StoreDamagedError, StoreVersionError.
    """
    target = folder / _name(at, before_upgrade=before_upgrade)
    part = folder / f".{target.name}.part"
    with _failing_as(folder):
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            give(folder, path)
        _require_room(path, folder)
        if target.exists():
            raise StoreUnavailableError(f"{target}: is there already: wait a second")
        _sweep(folder, at)
        try:
            contents = copy(path, part)
            give(part, folder)
            os.rename(part, target)
            _sync_folder(folder)
        finally:
            part.unlink(missing_ok=True)
    return Backup(target, _taken_at(target), before_upgrade), contents


def copy(source: Path, target: Path) -> Contents:
    """One moment of ``source`` as the new file ``target``, on the disk and proven to be the same and sound.

    Raises StoreUnavailableError, StoreDamagedError, StoreVersionError, OSError.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):  # of an attempt before; a log would be replayed into what comes
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    with contextlib.closing(connect(source, readonly=True)) as db, translating(source):
        # All that is read from here on, the copying included, is of this moment.
        db.execute("BEGIN")
        refuse_newer(db, source)
        rows = _count(db, source)
        with translating(target), contextlib.closing(sqlite3.connect(target, isolation_level=None)) as out:
            out.execute("PRAGMA synchronous = OFF")  # it is synced as a whole, below
            db.conn.backup(out, pages=PAGES)
            # Out of WAL: a copy is one file, and reading it makes no others.
            out.execute("PRAGMA journal_mode = DELETE")
    _sync(target)
    contents = inspect(target)
    if contents.rows != rows:
        raise StoreDamagedError(str(target), f"the copy differs from what was copied: {rows} became {contents.rows}")
    return contents


def inspect(path: Path) -> Contents:
    """Read a copy to its last page. Raises StoreDamagedError, StoreVersionError, StoreUnavailableError."""
    with contextlib.closing(connect(path, readonly=True)) as db, translating(path):
        found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreDamagedError(str(path), f"the copy is damaged ({found})")
        refuse_newer(db, path)
        rows = _count(db, path)
        newest = db.execute("SELECT at FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        done = [each.name for each in migrations.applied(db)]
    return Contents(done[-1] if done else "none", rows, None if newest is None else str(newest[0]), path.stat().st_size)


def _count(db: Database, path: Path) -> dict[str, int]:
    """Rows by table; a file without our tables is none of ours."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    if not set(_OURS) <= set(names):
        raise StoreDamagedError(str(path), "there are no books of Ringback in it")
    return {name: int(db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in names}  # noqa: S608


def open_books(path: Path, folder: Path, at: datetime) -> None:
    """The books at ``path``, made or brought up to date if need be; before tables change, a copy goes to ``folder``.

    Raises StoreError: nothing was changed. Books that are gone while there are copies of them are not made anew.
    """
    if not path.exists() and not restoring(path).exists() and (kept := in_folder(folder)):
        where = f"there are no books here, and {len(kept)} backup(s) of them in {folder}"
        raise StoreDamagedError(str(path), f"{where}: run 'ringback restore', or move them away to begin anew")
    prepare(path, lambda: take(path, folder, at, before_upgrade=True))


# ------------------------------------------------------------------------------------------------------------------ keeping
def in_folder(folder: Path) -> list[Backup]:
    """The copies of a folder, the newest first. Raises StoreUnavailableError."""
    with _failing_as(folder):
        names = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    found = [Backup(path, _taken_at(path), "-before-upgrade" in path.name) for path in names]
    return sorted(found, key=lambda backup: backup.path.name, reverse=True)


def prune(folder: Path, keep: int) -> list[Backup]:
    """Remove all but the newest ``keep``; the newest of those taken before an upgrade stays besides. What was removed."""
    found = in_folder(folder)
    upgrades = [backup for backup in found if backup.before_upgrade]
    removed = [backup for backup in found[keep:] if backup not in upgrades[:1]]
    with _failing_as(folder):
        for backup in removed:
            backup.path.unlink(missing_ok=True)
    return removed


def last_good(folder: Path) -> tuple[Backup | None, list[StoreError]]:
    """The newest copy that is sound and that this program can read; and what is wrong with the newer ones."""
    trouble: list[StoreError] = []
    for backup in in_folder(folder):
        try:
            inspect(backup.path)
        except StoreError as error:
            trouble.append(error)
        else:
            return backup, trouble
    return None, trouble


# ------------------------------------------------------------------------------------------------------------- putting back
def named(path: Path) -> Backup:
    """A copy that a person names; whatever it is called, it says itself when it was taken.

    Raises StoreUnavailableError for a file that does not.
    """
    if _NAME.fullmatch(path.name):
        return Backup(path, _taken_at(path), "-before-upgrade" in path.name)
    newest = inspect(path).newest_event
    if newest is None:
        raise StoreUnavailableError(f"{path}: neither its name nor an event in it says when it was taken")
    return Backup(path, instant(newest), before_upgrade=False)


def finish(draft: Path, whole: Path) -> None:
    """Give what was worked on its name, once it is on the disk as one file. Raises StoreUnavailableError."""
    with contextlib.closing(connect(draft)) as db, translating(draft):
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode = DELETE")
    with _failing_as(draft.parent):
        give(draft, draft.parent)
        _sync(draft)
        os.rename(draft, whole)
        _sync_folder(whole.parent)


def put_in_place(path: Path, aside: str) -> Path | None:
    """Put ``restoring(path)`` in the place of the books, and those aside under a name that ends in ``aside``: its path.

    Everything that SQLite knows as one file moves together: the log of other books would be replayed into these. Done again
    after a crash in the middle, it ends the same.
    """
    kept = path.with_name(f"{path.name}.{aside}")
    with _failing_as(path.parent):
        for suffix in ("-wal", "-shm", ""):
            old = path.with_name(path.name + suffix)
            if old.exists():
                os.rename(old, kept.with_name(kept.name + suffix))
        os.rename(restoring(path), path)
        _sync_folder(path.parent)
    return kept if kept.exists() else None


# ------------------------------------------------------------------------------------------------------------------- pieces
def _name(at: datetime, *, before_upgrade: bool) -> str:
    utc = at.astimezone(UTC)
    return f"{PREFIX}{utc:{_STAMP}}.{utc.microsecond // 1000:03d}Z{'-before-upgrade' if before_upgrade else ''}.db"


def _taken_at(path: Path) -> datetime:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return datetime.strptime(found[1], f"{_STAMP}.%fZ").replace(tzinfo=UTC)


def _require_room(path: Path, folder: Path) -> None:
    size = sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists())
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_OCTETS:
        needed = (size + SPARE_OCTETS) / 1e9
        raise StoreUnavailableError(f"{folder}: {free / 1e9:.1f} GB are free, a backup needs {needed:.1f}: make room")


def _sweep(folder: Path, at: datetime) -> None:
    """What a killed process has left of its copying."""
    for part in folder.glob(f".{PREFIX}*.part*"):
        if part.stat().st_mtime < at.timestamp() - 86400:
            part.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _failing_as(folder: Path) -> Iterator[None]:
    """What the disk refuses, as ours."""
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        raise StoreUnavailableError(f"{error.filename or folder}: {error.strerror or error}") from error
