"""The file, the two threads, and what a commit promises."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from ari_app.errors import StoreDamagedError, StoreUnavailableError
from ari_app.store import bookmarks, db, stores
from ari_app.store.db import connect, prepare, reading
from ari_app.store.stores import InlineStore, Job, ThreadedStore
from tests.support.programs import beside, run_program
from tests.support.waiting import until

WITHIN = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "books.db"
    prepare(path)
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[ThreadedStore]:
    async with ThreadedStore(path) as store:
        yield store


def put(name: str, value: str = "1") -> Job[None]:
    return lambda handle: bookmarks.put(handle, name, value)


def get(name: str) -> Job[str | None]:
    return lambda handle: bookmarks.get(handle, name)


class Gate:
    """A job that keeps the writer busy until it is let go, so that others gather behind it."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, handle: Database) -> None:
        del handle
        self.entered.set()
        assert self.open.wait(WITHIN)


async def asked(store: ThreadedStore, count: int) -> None:
    """So many jobs wait for the writer."""
    await until(lambda: store._writer._queue.qsize() >= count, within=WITHIN)


async def queued(store: ThreadedStore, *jobs: Job[object]) -> list[object]:
    """The outcomes of jobs that were all waiting when the writer came to them: results or exceptions."""
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(store.write(gate))
        assert await asyncio.to_thread(gate.entered.wait, WITHIN)
        others = [group.create_task(_outcome(store, job)) for job in jobs]
        await asked(store, len(jobs))
        gate.open.set()
        await first
    return [task.result() for task in others]


async def _outcome(store: ThreadedStore, job: Job[object]) -> object:
    try:
        return await store.write(job)
    except Exception as error:  # noqa: BLE001 - the test looks at it
        return error


# ------------------------------------------------------------------------------------------------------------ group commit
async def test_jobs_that_wait_are_committed_together(store: ThreadedStore, path: Path) -> None:
    seen: list[int] = []

    def look(handle: Database) -> None:
        inside = handle.execute("SELECT count(*) FROM bookmarks").fetchone()[0]
        outside = sqlite3.connect(path)
        seen.extend([inside, outside.execute("SELECT count(*) FROM bookmarks").fetchone()[0]])
        outside.close()

    await queued(store, put("a"), put("b"), look)
    assert seen == [2, 0], "the third job sees the two before it, and nobody else does yet"
    assert await store.read(lambda handle: handle.table("bookmarks").count) == 2


async def test_a_job_that_fails_takes_nothing_of_the_others_with_it(store: ThreadedStore) -> None:
    def half_done(handle: Database) -> None:
        bookmarks.put(handle, "torn", "1")
        raise ValueError("the second half is missing")

    outcomes = await queued(store, put("before"), half_done, put("after"))
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
    names = await store.read(lambda handle: [row["name"] for row in handle.table("bookmarks").rows])
    assert names == ["after", "before"]


async def test_beside_a_job_that_fails_each_is_run_once_more_and_counts_once(store: ThreadedStore) -> None:
    runs: list[str] = []

    def count(handle: Database) -> int:
        runs.append("count")
        bookmarks.put(handle, "count", str(int(bookmarks.get(handle, "count") or 0) + 1))
        return int(bookmarks.get(handle, "count") or 0)

    def fail(_: Database) -> None:
        runs.append("fail")
        raise ValueError("no")

    outcomes = await queued(store, count, fail, count)
    assert [outcomes[0], type(outcomes[1]), outcomes[2]] == [1, ValueError, 2]
    assert runs == ["count", "fail", "count", "fail", "count"]
    assert await store.read(get("count")) == "2"


async def test_more_jobs_than_one_batch_are_all_done(store: ThreadedStore) -> None:
    outcomes = await queued(store, *[put(f"n{n:03}") for n in range(stores.BATCH + 20)])
    assert outcomes == [None] * (stores.BATCH + 20)
    assert await store.read(lambda handle: handle.table("bookmarks").count) == stores.BATCH + 20


async def test_a_transaction_that_cannot_be_committed_fails_for_all_and_leaves_nothing(store: ThreadedStore) -> None:
    def dangling(handle: Database) -> None:
        handle.execute("PRAGMA defer_foreign_keys = ON")
        handle.execute("INSERT INTO timers (lead_id, kind, due_at, status) VALUES (99, 'x', '', 'pending')")

    outcomes = await queued(store, put("a"), dangling, put("b"))
    assert [type(outcome) for outcome in outcomes] == [sqlite3.IntegrityError] * 3
    assert await store.read(lambda handle: handle.table("bookmarks").count) == 0
    await store.write(put("after"))


async def test_a_defect_in_a_jobs_sql_is_told_as_the_defect_it_is(store: ThreadedStore) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await store.write(lambda handle: handle.execute("SELECT 1 FROM nowhere"))
    with pytest.raises(sqlite3.IntegrityError):
        await store.write(lambda handle: handle.execute("INSERT INTO bookmarks (name) VALUES ('a')"))
    await store.write(put("still", "works"))
    assert await store.read(get("still")) == "works"


async def test_a_caller_who_is_cancelled_does_not_take_back_the_write(store: ThreadedStore) -> None:
    gate = Gate()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(store.write(gate))
        assert await asyncio.to_thread(gate.entered.wait, WITHIN)
        given_up = group.create_task(store.write(put("kept")))
        await asked(store, 1)
        given_up.cancel()
        gate.open.set()
        await first
    await store.write(put("later"))
    assert given_up.cancelled()
    assert await store.read(get("kept")) == "1"


async def test_everything_read_by_one_job_is_of_one_moment(store: ThreadedStore) -> None:
    between, written = threading.Event(), threading.Event()

    def twice(handle: Database) -> tuple[int, int]:
        first = handle.table("bookmarks").count
        between.set()
        assert written.wait(WITHIN)
        return first, handle.table("bookmarks").count

    async with asyncio.TaskGroup() as group:
        looking = group.create_task(store.read(twice))
        assert await asyncio.to_thread(between.wait, WITHIN)
        await store.write(put("meanwhile"))
        written.set()
    assert looking.result() == (0, 0)
    assert await store.read(lambda handle: handle.table("bookmarks").count) == 1


def test_a_defect_in_a_short_programs_sql_is_told_as_the_defect_it_is(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"), reading(path) as handle:
        handle.execute("SELECT 1 FROM nowhere")


async def test_the_reader_cannot_write(store: ThreadedStore) -> None:
    with pytest.raises(StoreUnavailableError, match="readonly"):
        await store.read(put("a"))


async def test_a_read_that_fails_is_told_and_the_next_one_is_served(store: ThreadedStore) -> None:
    with pytest.raises(ZeroDivisionError):
        await store.read(lambda handle: 1 // 0)
    assert await store.read(lambda handle: 1) == 1


async def test_what_was_asked_for_before_the_end_is_done_and_what_comes_after_is_refused(path: Path) -> None:
    async with ThreadedStore(path) as store, asyncio.TaskGroup() as group:
        gate = Gate()
        group.create_task(store.write(gate))
        assert await asyncio.to_thread(gate.entered.wait, WITHIN)
        last = group.create_task(store.write(put("last")))
        await asked(store, 1)
        stopping = group.create_task(store.__aexit__())
        await until(lambda: not store._writer._open)
        with pytest.raises(StoreUnavailableError, match="the store is closed"):
            await store.write(put("too late"))
        gate.open.set()
        await stopping
        await last
    with reading(path) as handle:
        assert [row["name"] for row in handle.table("bookmarks").rows] == ["last"]


def test_a_loop_that_is_gone_does_not_hurt_the_writer(path: Path) -> None:
    gate = Gate()

    async def leave() -> ThreadedStore:
        store = ThreadedStore(path)
        await store.__aenter__()
        asyncio.get_running_loop().create_task(store.write(gate))
        assert await asyncio.to_thread(gate.entered.wait, WITHIN)
        return store

    store = asyncio.run(leave())
    gate.open.set()
    for worker in (store._writer, store._reader):
        worker._queue.put(None)
        worker._thread.join(WITHIN)
        assert not worker._thread.is_alive()


# -------------------------------------------------------------------------------------------------------------- the promise
async def test_every_commit_is_synced_to_the_disk(store: ThreadedStore) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys")
    found = await store.write(lambda handle: [handle.execute(f"PRAGMA {one}").fetchone()[0] for one in pragmas])
    assert found == ["wal", 2, 1]


async def test_the_log_is_folded_into_the_file_beside_the_writing_and_begun_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "FOLD_EVERY", 20)
    async with ThreadedStore(path) as store:
        for n in range(200):
            await store.write(put(f"{n}", "x" * 3000))
        with contextlib.closing(connect(path)) as other:
            for n in range(200, 1000, 20):
                await until(lambda: folded(path, other), within=WITHIN, what="all of the log to be in the file")
                before = log_of(path).stat().st_size
                await store.write(put(f"{n}"))
                if log_of(path).stat().st_size == before:
                    break  # written over what was folded
                for more in range(n + 1, n + 20):
                    await store.write(put(f"{more}"))
            else:
                raise AssertionError("the log only grows")


async def test_a_writing_that_never_pauses_does_not_grow_the_log_for_ever(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "FOLD_EVERY", 50)
    monkeypatch.setattr(stores, "LONGEST_LOG", 200)
    async with ThreadedStore(path) as store:
        for _ in range(20):
            await asyncio.gather(*(store.write(put(f"{n}", "x" * 3000)) for n in range(200)))
        assert log_of(path).stat().st_size < 20 * 200 * 4096 / 2


async def test_a_log_that_cannot_be_folded_now_is_folded_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "FOLD_EVERY", 10)
    refused = threading.Event()

    def locked(*_: object, **__: object) -> Database:
        refused.set()
        raise StoreUnavailableError("locked")

    async with ThreadedStore(path) as store:
        with monkeypatch.context() as worst:
            worst.setattr(stores, "connect", locked)
            for n in range(10):
                await store.write(put(f"{n}"))
            assert await asyncio.to_thread(refused.wait, WITHIN)
        for n in range(10):
            await store.write(put(f"{n}"))
        with contextlib.closing(connect(path)) as other:
            await until(lambda: folded(path, other), within=WITHIN, what="the log to be in the file")


async def test_somebody_who_reads_for_long_holds_up_no_writing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "FOLD_EVERY", 20)
    monkeypatch.setattr(stores, "LONGEST_LOG", 10)
    async with ThreadedStore(path) as store:
        # Our writing waits for 5 s at most; the folding would wait for an hour, with the writer's lock in its hand.
        monkeypatch.setattr(db, "BUSY_SECONDS", 3600.0)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
            for round_number in range(4):
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM bookmarks").fetchone()
                for n in range(20):
                    await store.write(put(f"{round_number} {n}", "x" * 3000))
                reader.execute("COMMIT")
        assert await store.read(lambda handle: handle.table("bookmarks").count) == 80


async def test_a_log_in_which_somebody_reads_is_begun_anew_when_they_have_left(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "LONGEST_LOG", 0)
    monkeypatch.setattr(db, "BUSY_SECONDS", 3600.0)
    with contextlib.closing(connect(path)) as writer, contextlib.closing(connect(path)) as folder:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        put("a", "x" * 100_000)(writer)
        long = log_of(path).stat().st_size
        for held, grown in ((True, True), (False, False)):
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
                reader.execute("BEGIN")
                assert reader.execute("SELECT count(*) FROM bookmarks").fetchone() == (1,), (
                    "it reads the newest of the log"
                )
                if not held:
                    reader.execute("COMMIT")
                stores._fold(folder)
                put("a", "y" * 50_000)(writer)
            assert (log_of(path).stat().st_size > long) is grown, (held, long)
            long = log_of(path).stat().st_size


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def folded(path: Path, handle: Database) -> bool:
    """Whether the file alone, without the log, holds everything. In the midst of folding it is no whole database."""
    count = "SELECT count(*) FROM bookmarks"
    with (
        contextlib.suppress(sqlite3.DatabaseError),
        contextlib.closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as alone,
    ):
        return bool(alone.execute(count).fetchone() == handle.execute(count).fetchone())
    return False


def test_the_books_are_for_their_owner_alone(path: Path) -> None:
    handle = connect(path)
    try:
        handle.execute("INSERT INTO bookmarks VALUES ('a', 'b')")
        for file in path.parent.glob("books.db*"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    finally:
        handle.close()


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory&b#c %41" / "books.db"
    prepare(path)
    assert path.stat().st_size > 0
    with reading(path) as handle:
        assert handle.table("bookmarks").count == 0


# ------------------------------------------------------------------------------------------------------ other processes
HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
held.execute("INSERT INTO bookmarks VALUES ('holder', '1')")
print("locked", flush=True)
sys.stdin.readline()
held.execute("COMMIT")
"""

COUNTER = """
import asyncio, sys
from pathlib import Path
from ari_app.store import bookmarks
from ari_app.store.stores import InlineStore

def add_one(db):
    bookmarks.put(db, "count", str(int(bookmarks.get(db, "count") or 0) + 1))

async def count():
    store = InlineStore(Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(40):
        await store.write(add_one)
    store.close()

asyncio.run(count())
"""


async def test_a_write_waits_for_another_process_that_holds_the_file(store: ThreadedStore, path: Path) -> None:
    with beside(HOLDER, path) as holder:
        assert holder.stdin is not None
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(store.write(put("ours")))
            assert await store.read(get("holder")) is None, "reading goes on meanwhile"
            holder.stdin.write("go\n")
            holder.stdin.flush()
        assert writing.done()
    assert await store.read(get("ours")) == "1"
    assert await store.read(get("holder")) == "1"


async def test_a_file_that_stays_locked_is_told_with_its_mend(
    store: ThreadedStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.write(lambda handle: handle.execute("PRAGMA busy_timeout = 50"))
    with beside(HOLDER, path):
        with pytest.raises(StoreUnavailableError, match=r"locked: another process holds it locked: end that one"):
            await store.write(put("ours"))
        assert await store.read(get("ours")) is None
        monkeypatch.setattr(db, "BUSY_SECONDS", 0.05)
        with pytest.raises(StoreUnavailableError, match="locked"):
            prepare(path)
    await store.write(put("ours"))
    assert await store.read(get("ours")) == "1"
    assert await store.read(get("holder")) is None, "it was killed before its commit"


def test_read_and_write_in_one_transaction_lose_nothing_between_two_processes(path: Path) -> None:
    with beside(COUNTER, path) as one, beside(COUNTER, path) as other:
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [one.wait(WITHIN), other.wait(WITHIN)] == [0, 0]
    with reading(path) as handle:
        assert bookmarks.get(handle, "count") == "80"


# ------------------------------------------------------------------------------------------------------------- full disks
@pytest.fixture
def nearly_full(path: Path) -> Iterator[InlineStore]:
    """A store whose file may grow by a few pages only, as on a disk that is nearly full."""
    store = InlineStore(path)
    handle = store._db
    pages = handle.execute("PRAGMA page_count").fetchone()[0]
    handle.execute(f"PRAGMA max_page_count = {pages + 4}")
    yield store
    store.close()


async def test_a_full_disk_is_told_and_leaves_nothing_half_done(nearly_full: InlineStore, path: Path) -> None:
    await nearly_full.write(put("fits"))

    def too_much(handle: Database) -> None:
        for n in range(100):
            bookmarks.put(handle, f"page {n}", "x" * 4000)

    with pytest.raises(StoreUnavailableError, match=r"full: make room on the disk"):
        await nearly_full.write(too_much)
    assert await nearly_full.read(lambda handle: [row["name"] for row in handle.table("bookmarks").rows]) == ["fits"]
    nearly_full._db.execute("PRAGMA max_page_count = 100000")
    await nearly_full.write(too_much)
    assert await nearly_full.read(lambda handle: handle.table("bookmarks").count) == 101
    with reading(path) as handle:
        assert handle.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


async def test_on_a_full_disk_every_job_of_the_batch_hears_that_it_was_not_written(
    store: ThreadedStore, path: Path
) -> None:
    def fill(handle: Database) -> None:
        pages = handle.execute("PRAGMA page_count").fetchone()[0]
        handle.execute(f"PRAGMA max_page_count = {pages}")

    await store.write(fill)

    def too_much(handle: Database) -> None:
        for n in range(100):
            bookmarks.put(handle, f"page {n}", "x" * 4000)

    outcomes = await queued(store, put("small"), too_much, put("small too"))
    assert isinstance(outcomes[1], StoreUnavailableError)
    kept = await store.read(lambda handle: {row["name"] for row in handle.table("bookmarks").rows})
    told = {
        name
        for name, outcome in zip(("small", "", "small too"), outcomes, strict=True)
        if not isinstance(outcome, Exception)
    }
    assert kept == told, "acknowledged and kept are the same"


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from ari_app.errors import StoreUnavailableError
from ari_app.store import bookmarks
from ari_app.store.db import prepare
from ari_app.store.stores import InlineStore

async def fill(path):
    prepare(path)
    store = InlineStore(path)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, unlimited[1]))
    n = 0
    while True:
        try:
            await store.write(lambda db: bookmarks.put(db, f"n{n}", "x" * 3000))
        except StoreUnavailableError as error:
            print("refused", n, error, flush=True)
            break
        print("kept", n, flush=True)
        n += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    await store.write(lambda db: bookmarks.put(db, "after", "1"))
    store.close()

asyncio.run(fill(Path(sys.argv[1])))
"""


def test_writes_that_the_kernel_refuses_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    done = run_program(LIMITED, path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    kept = [line.split()[1] for line in lines if line.startswith("kept")]
    assert len(kept) > 5
    assert lines[-1].startswith("refused")
    with reading(path) as handle:
        names = {row["name"] for row in handle.table("bookmarks").rows}
        assert handle.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert names == {f"n{n}" for n in kept} | {"after"}


# --------------------------------------------------------------------------------------------------------- damaged files
def spoil(path: Path) -> None:
    """All but the first page is overwritten, as a failing disk does."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


async def test_damage_that_shows_while_we_run_is_told_as_damage(path: Path) -> None:
    async with ThreadedStore(path) as store:
        spoil(path)
        with pytest.raises(
            StoreDamagedError,
            match=r"malformed: stop Ringback, and .ringback restore. puts",
        ):
            await store.read(lambda handle: handle.execute("SELECT * FROM leads").fetchall())


async def test_a_store_on_a_file_that_is_no_database_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    path.write_bytes(b"These are minutes of a meeting, and no database at all.\n" * 100)
    with pytest.raises(StoreDamagedError, match="it is no database"):
        async with ThreadedStore(path):
            raise AssertionError("it opened")


async def test_a_store_whose_reader_cannot_open_stops_its_writer_too(path: Path) -> None:
    store = ThreadedStore(path)
    store._reader._path = path.with_name("elsewhere.db")  # a reader makes no file
    with pytest.raises(StoreUnavailableError, match="unable to open"):
        await store.__aenter__()
    assert not store._writer._thread.is_alive()
