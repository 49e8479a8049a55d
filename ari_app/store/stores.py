"""Where jobs are run: one thread writes, a second folds the log into the file, a third reads.

Jobs are plain functions of a database handle. All that wait are written together (group commit); if one fails, they are run
once more, each inside its own savepoint, so that the failure takes nothing of another's with it. A job's caller hears of success
only after COMMIT.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ari_app.errors import StoreError, StoreUnavailableError
from ari_app.store.db import Database, connect, snapshot
from ari_app.store.faults import translated

T = TypeVar("T")
Job = Callable[[Database], T]
"""May be run a second time after its first run was taken back: what it keeps outside of the database, it begins anew."""

BATCH = 64
"""Jobs that share one COMMIT at most."""
FOLD_EVERY = 251
"""Jobs after which the log is folded into the file; some 15 MB of it. A prime: work in a rhythm does not always meet it at
the same step."""
LONGEST_LOG = 8_000
"""Pages of the log, 32 MB, from which on the writing waits until it is folded."""
FOLD_PATIENCE = 0.1
"""Seconds for which the writing may be held up by readers of the log that is to be begun anew."""


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
            # Once more, each in a savepoint. From the beginning they would cost every job, and few fail.
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
        with snapshot(db):
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
