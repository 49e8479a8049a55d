"""One SQLite file, one thread that writes it. WAL, ``synchronous=FULL``: what is acknowledged survives a power cut.
A second thread folds the log into the file, a third reads.

Jobs are plain functions of a database handle. All that wait are written together (group commit); if one fails, they are run
once more, each inside its own savepoint, so that the failure takes nothing of another's with it. A job's caller hears of success
only after COMMIT.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlite_utils import Database as Database  # the handle that jobs are given

from ari_app.errors import StoreDamagedError, StoreError, StoreUnavailableError, StoreVersionError
from ari_app.ownership import give
from ari_app.store.faults import RESTORE, translated
from ari_app.store.schema import BACK, migrations

T = TypeVar("T")
Job = Callable[[Database], T]
"""May be run a second time after its first run was taken back: what it keeps outside of the database, it begins anew."""

BATCH = 64
"""Jobs that share one COMMIT at most."""
CACHE_KB = 16_000
"""Of the file's pages, kept in memory for each handle: what callers of the last hours need, with the indexes above it."""
BUSY_SECONDS = 5.0
"""How long a lock held by another process is waited for."""
FOLD_EVERY = 251
"""Jobs after which the log is folded into the file; some 15 MB of it. A prime: work in a rhythm does not always meet it at
the same step."""
LONGEST_LOG = 8_000
"""Pages of the log, 32 MB, from which on the writing waits until it is folded."""
FOLD_PATIENCE = 0.1
"""Seconds for which the writing may be held up by readers of the log that is to be begun anew."""
READ_AT_START = 200_000_000
"""Octets up to which the books are read to their last page before anything else is done: two seconds of a slow disk."""
PRIVATE = 0o600
"""The books hold what people said: they are for nobody else on the machine. SQLite gives its side files the same mode."""


class Store(Protocol):
    """Where jobs are run, one after the other."""

    async def write(self, job: Job[T]) -> T:
        """Run ``job`` in a transaction and return its result once that is committed.

        Raises what ``job`` raises (nothing of it is then written), StoreUnavailableError or StoreDamagedError.
        """
        ...

    async def read(self, job: Job[T]) -> T:
        """Run ``job``, which only reads, beside the writing. All that it reads is of one moment."""
        ...


# ---------------------------------------------------------------------------------------------------------------- the file
def connect(path: Path, *, readonly: bool = False) -> Database:
    """A handle on the file, for the thread that calls. Raises StoreUnavailableError, StoreDamagedError."""
    uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rwc'}"
    with translating(path), contextlib.ExitStack() as stack:
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        stack.callback(connection.close)
        db = Database(connection)
        # Transactions are ours: sqlite_utils' way to a statement, which watches for its own, would cost as much as SQLite's.
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
        with _snapshot(db):
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
def _snapshot(db: Database) -> Iterator[None]:
    """All reads inside see one state of the books, whatever is written meanwhile."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.conn.in_transaction:  # a failing disk may have ended it
            db.execute("ROLLBACK")


# --------------------------------------------------------------------------------------------------------------- two stores
class InlineStore:
    """A store without threads, on a connection of its own: for short programs and for simulation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = connect(path)

    async def write(self, job: Job[T]) -> T:
        result: T = _unwrap(_commit(self._db, [job], self._path)[0])
        return result

    async def read(self, job: Job[T]) -> T:
        result: T = _unwrap(_read(self._db, job, self._path))
        return result

    def close(self) -> None:
        self._db.close()


class ThreadedStore:
    """A store whose writing and reading happen on two threads of their own. Use ``async with``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = _Folder(path)
        self._writer = _Worker(path, "ringback-writer", readonly=False, after=self._folder.written)
        self._reader = _Worker(path, "ringback-reader", readonly=True)

    async def __aenter__(self) -> ThreadedStore:
        """Raises StoreUnavailableError, StoreDamagedError."""
        await self._writer.start()
        try:
            await self._reader.start()
        except StoreError:
            await self._writer.stop()
            raise
        self._folder.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._folder.stop)
        await self._writer.stop()
        await self._reader.stop()

    async def write(self, job: Job[T]) -> T:
        return await self._writer.run(job)

    async def read(self, job: Job[T]) -> T:
        return await self._reader.run(job)


class _Folder:
    """A thread that folds the log into the file (a checkpoint), so that no commit pays for it: the larger the books are, the
    more scattered are the pages. While the writing does not pause, the log grows; at its longest, the writing has to wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wake = threading.Event()
        self._stopped = False
        self._jobs = 0
        self._thread = threading.Thread(target=self._main, name="ringback-folder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()
        self._thread.join()

    def written(self, jobs: int) -> None:
        """On the writer's thread, after each commit."""
        self._jobs += jobs
        if self._jobs >= FOLD_EVERY:
            self._jobs = 0
            self._wake.set()

    def _main(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stopped:
                return
            # What cannot be folded now is folded another time; a disk that fails is met, and told, by the next who writes.
            with contextlib.suppress(sqlite3.Error, StoreError), contextlib.closing(connect(self._path)) as db:
                _fold(db)


def _fold(db: Database) -> None:
    """Fold the log, and begin a long one anew, unless somebody still reads in it: a copy of the books may do so for minutes."""
    _, pages, folded = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if folded == pages > LONGEST_LOG:
        # It takes the lock of the writing, and only then waits for the readers.
        db.execute(f"PRAGMA busy_timeout = {FOLD_PATIENCE * 1000:.0f}")
        db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()


_Waiting = tuple[Job[Any], "asyncio.Future[Any]"]


class _Worker:
    """A thread with a connection and a queue of jobs."""

    def __init__(self, path: Path, name: str, *, readonly: bool, after: Callable[[int], None] | None = None) -> None:
        """after: told on the thread how many jobs were done together."""
        self._path = path
        self._after = after
        self._readonly = readonly
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Future[None] | None = None
        self._open = False

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_future()
        self._thread.start()
        await self._ready
        self._open = True

    async def stop(self) -> None:
        """What was asked for before is still done."""
        self._open = False
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, job: Job[T]) -> T:
        if not self._open:
            raise StoreUnavailableError(f"{self._path}: the store is closed")
        assert self._loop is not None
        waiting: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((job, waiting))
        return await waiting  # a caller who is cancelled takes back nothing: the job has been handed over

    def _main(self) -> None:
        assert self._loop is not None
        assert self._ready is not None
        try:
            db = connect(self._path, readonly=self._readonly)
        except Exception as error:  # noqa: BLE001 - it is handed to the caller
            self._loop.call_soon_threadsafe(_settle, [(self._ready, _Failed(error))])
            return
        if self._after is not None:
            db.execute("PRAGMA wal_autocheckpoint = 0")
        self._loop.call_soon_threadsafe(_settle, [(self._ready, None)])
        closing = False
        while not closing:
            batch: list[_Waiting] = []
            entry = self._queue.get()
            while entry is not None:
                batch.append(entry)
                if len(batch) >= BATCH:
                    break
                try:
                    entry = self._queue.get_nowait()
                except queue.Empty:
                    break
            closing = entry is None
            if batch:
                self._run(db, batch)
                if self._after is not None:
                    self._after(len(batch))
        db.close()

    def _run(self, db: Database, batch: list[_Waiting]) -> None:
        assert self._loop is not None
        jobs = [job for job, _ in batch]
        path = self._path
        results = [_read(db, job, path) for job in jobs] if self._readonly else _commit(db, jobs, path)
        settled = [(waiting, result) for (_, waiting), result in zip(batch, results, strict=True)]
        try:
            self._loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:
            return  # the loop is closed: whoever waited is gone


# ------------------------------------------------------------------------------------------------------------ transactions
class _Failed:
    """A job's exception, told apart from a result."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _commit(db: Database, jobs: Sequence[Job[Any]], path: Path) -> list[Any]:
    """Run the jobs in one transaction. One that fails takes nothing of another's with it; if it cannot be committed, all have
    failed."""
    try:
        # IMMEDIATE: a deferred transaction that reads first fails as "locked" when it comes to write.
        db.execute("BEGIN IMMEDIATE")
        try:
            results = [job(db) for job in jobs]
        except Exception:
            if len(jobs) == 1 or not db.conn.in_transaction:
                # A full or failing disk has rolled back the whole transaction, other jobs' work with it.
                raise
            # Once more, each in a savepoint, which costs a sixth of a job: few fail.
            db.execute("ROLLBACK")
            db.execute("BEGIN IMMEDIATE")
            results = [_in_savepoint(db, job, path) for job in jobs]
        db.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - it is handed to the callers
        if db.conn.in_transaction:
            db.execute("ROLLBACK")
        return [_failed(error, path)] * len(jobs)
    return results


def _in_savepoint(db: Database, job: Job[Any], path: Path) -> Any:
    db.execute("SAVEPOINT job")
    try:
        result = job(db)
    except Exception as error:
        if not db.conn.in_transaction:
            # A full or failing disk has rolled back the whole transaction, other jobs' work with it.
            raise
        db.execute("ROLLBACK TO job")
        result = _failed(error, path)
    db.execute("RELEASE job")
    return result


def _read(db: Database, job: Job[Any], path: Path) -> Any:
    try:
        with _snapshot(db):
            return job(db)
    except Exception as error:  # noqa: BLE001 - it is handed to the caller
        return _failed(error, path)


def _failed(error: Exception, path: Path) -> _Failed:
    ours = translated(error, path) if isinstance(error, sqlite3.Error) else None
    return _Failed(ours or error)


def _settle(settled: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for waiting, result in settled:
        if waiting.done():
            continue
        if isinstance(result, _Failed):
            waiting.set_exception(result.error)
        else:
            waiting.set_result(result)


def _unwrap(result: Any) -> Any:
    if isinstance(result, _Failed):
        raise result.error
    return result
