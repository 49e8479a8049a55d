"""One SQLite file, one thread that writes it. WAL, ``synchronous=FULL``: what is acknowledged survives a power cut.

Jobs are plain functions of a database handle. All that wait are written together (group commit), each inside its own
savepoint, so that one job's failure takes nothing of another's with it. A job's caller hears of success only after COMMIT.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlite_utils import Database as Database  # the handle that jobs are given

from ari_app.errors import StoreDamagedError, StoreError, StoreUnavailableError
from ari_app.store.schema import migrations

T = TypeVar("T")
Job = Callable[[Database], T]

BATCH = 64
"""Jobs that share one COMMIT at most."""
BUSY_SECONDS = 5.0
"""How long a lock held by another process is waited for."""


class Store(Protocol):
    """Where jobs are run, one after the other."""

    async def write(self, job: Job[T]) -> T:
        """Run ``job`` in a transaction and return its result once that is committed.

        Raises what ``job`` raises (nothing of it is then written), or StoreUnavailableError.
        """
        ...

    async def read(self, job: Job[T]) -> T:
        """Run ``job``, which only reads, beside the writing."""
        ...


def connect(path: Path, *, readonly: bool = False) -> Database:
    """A handle on the file, for the thread that calls. Raises StoreUnavailableError, StoreDamagedError."""
    try:
        uri = f"file:{path}?mode={'ro' if readonly else 'rwc'}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        db = Database(connection)
        if readonly:
            db.execute("PRAGMA query_only = ON")
        else:
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
    except sqlite3.DatabaseError as error:
        raise _translated(error, path) from error
    return db


def prepare(path: Path) -> None:
    """Make the file and bring its tables up to date. Raises StoreUnavailableError, StoreDamagedError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(f"{path.parent}: {error.strerror or error}") from error
    db = connect(path)
    try:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreDamagedError(str(path), f"the database is damaged: {found}")
        unknown = [done.name for done in migrations.applied(db) if done.name not in _known_migrations()]
        if unknown:
            raise StoreDamagedError(
                str(path), f"written by a newer Ringback ({unknown[-1]}): upgrade, or restore a backup"
            )
        migrations.apply(db)
    except sqlite3.DatabaseError as error:
        raise _translated(error, path) from error
    finally:
        db.close()


def _known_migrations() -> set[str]:
    empty = Database(memory=True)
    try:
        return {pending.name for pending in migrations.pending(empty)}
    finally:
        empty.close()


class InlineStore:
    """A store without threads, on a connection of its own: for short programs and for simulation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = connect(path)

    async def write(self, job: Job[T]) -> T:
        result: T = _unwrap(_commit(self._db, [job], self._path)[0])
        return result

    async def read(self, job: Job[T]) -> T:
        return job(self._db)

    def close(self) -> None:
        self._db.close()


class ThreadedStore:
    """A store whose writing and reading happen on two threads of their own. Use ``async with``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = _Worker(path, "ringback-writer", readonly=False)
        self._reader = _Worker(path, "ringback-reader", readonly=True)

    async def __aenter__(self) -> ThreadedStore:
        await self._writer.start()
        await self._reader.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.stop()
        await self._reader.stop()

    async def write(self, job: Job[T]) -> T:
        return await self._writer.run(job)

    async def read(self, job: Job[T]) -> T:
        return await self._reader.run(job)


_Waiting = tuple[Job[Any], "asyncio.Future[Any]"]


class _Worker:
    """A thread with a connection and a queue of jobs."""

    def __init__(self, path: Path, name: str, *, readonly: bool) -> None:
        self._path = path
        self._readonly = readonly
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Future[None] | None = None

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_future()
        self._thread.start()
        await self._ready

    async def stop(self) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, job: Job[T]) -> T:
        assert self._loop is not None
        if not self._thread.is_alive():
            raise StoreUnavailableError(f"{self._path}: the store is closed")
        waiting: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((job, waiting))
        # Shielded: a caller who is cancelled does not take back what may already be written.
        return await asyncio.shield(waiting)

    def _main(self) -> None:
        assert self._loop is not None
        assert self._ready is not None
        try:
            db = connect(self._path, readonly=self._readonly)
        except StoreError as error:
            self._loop.call_soon_threadsafe(_settle, [(self._ready, _Failed(error))])
            return
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
        db.close()

    def _run(self, db: Database, batch: list[_Waiting]) -> None:
        assert self._loop is not None
        jobs = [job for job, _ in batch]
        results = [_attempt(db, job) for job in jobs] if self._readonly else _commit(db, jobs, self._path)
        settled = [(waiting, result) for (_, waiting), result in zip(batch, results, strict=True)]
        try:
            self._loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:
            return  # the loop is closed: whoever waited is gone


class _Failed:
    """A job's exception, told apart from a result."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _commit(db: Database, jobs: Sequence[Job[Any]], path: Path) -> list[Any]:
    """Run the jobs in one transaction, each in a savepoint. If it cannot be committed, all have failed."""
    try:
        # IMMEDIATE: a deferred transaction that reads first fails as "locked" when it comes to write.
        db.execute("BEGIN IMMEDIATE")
        results = [_in_savepoint(db, job) for job in jobs]
        db.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        if db.conn.in_transaction:
            db.execute("ROLLBACK")
        failed = _Failed(_translated(error, path))
        return [failed for _ in jobs]
    return results


def _in_savepoint(db: Database, job: Job[Any]) -> Any:
    db.execute("SAVEPOINT job")
    result = _attempt(db, job)
    if isinstance(result, _Failed):
        if not db.conn.in_transaction:
            # A full disk has rolled back the whole transaction, other jobs' work with it.
            raise sqlite3.OperationalError(str(result.error))
        db.execute("ROLLBACK TO job")
    db.execute("RELEASE job")
    return result


def _attempt(db: Database, job: Job[Any]) -> Any:
    try:
        return job(db)
    except sqlite3.OperationalError as error:
        return _Failed(StoreUnavailableError(str(error)))
    except Exception as error:  # noqa: BLE001 - it is handed to the caller
        return _Failed(error)


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


def _translated(error: sqlite3.DatabaseError, path: Path) -> StoreError:
    """SQLite's error as ours: damaged, or unavailable for now."""
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailableError(f"{path}: {error}")
    return StoreDamagedError(str(path), str(error))
