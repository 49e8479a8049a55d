"""The books on their worst day: the disk fills up, somebody else holds them, they are damaged and come back from a backup."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ari_app.data_folder import database_path
from tests.support.stage import Stage, running_stage
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

BEFORE, AFTER, LATER, NEVER = "+13055550223", "+13055550224", "+13055550225", "+13055550226"
MAIN, LISTING = "13055550101", "13055550107"
DISK_OCTETS = 400_000_000


async def miss(stage: Stage, number: str, dialled: str = LISTING) -> None:
    """A call that no phone is there to take."""
    async with stage.mobile(number) as mobile:
        mobile.call(stage.dial(dialled))
        await mobile.heard("ended", within=40.0)


def damage(path: Path) -> None:
    """A disk that forgets: every second page from the middle on is noise."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        for at in range(size // 2 // 4096 * 4096, size, 8192):
            file.seek(at)
            file.write(os.urandom(4096))


# --------------------------------------------------------------------------------------------------------------- restoring
async def test_after_a_restore_nobody_is_texted_twice_and_nobody_is_forgotten() -> None:
    async with running_stage() as stage:
        await miss(stage, BEFORE)
        await until(lambda: len(stage.smsc.to(BEFORE)) == 1, within=15.0, what="the text before the backup")
        status, said = await stage.ringback("backup", "--json")
        assert status == 0, said
        before = json.loads(said)

        await miss(stage, AFTER)
        await until(lambda: len(stage.smsc.to(AFTER)) == 1, within=15.0, what="the text after the backup")
        await stage.smsc.text(NEVER, "+" + LISTING, "STOP")
        await until(lambda: stage.query("SELECT 1 FROM consent WHERE number = ?", [NEVER]), what="a no on the books")
        lost_seq = stage.query("SELECT max(seq) FROM events")[0][0]
        lost_lead = stage.query("SELECT max(id) FROM leads")[0][0]

        status, said = await stage.ringback("restore")
        assert status == 1, said
        assert "another Ringback runs with" in said

        await stage.stop_ringback()
        path = database_path(stage.settings)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        damage(path)
        broken = path.read_bytes()
        status, said = await stage.ringback("run")
        assert status == 1, said
        assert "ringback restore" in said
        assert path.read_bytes() == broken, "what is damaged is evidence"

        status, said = await stage.ringback("restore", "--json")
        assert status == 0, said
        done = json.loads(said)
        assert done["taken_at"] == before["taken_at"]
        assert done["rows"] == before["rows"]
        assert Path(done["kept_aside"]).read_bytes() == broken  # noqa: ASYNC240 - nothing else runs

        await stage.start_ringback()
        again = await stage.event("CallMissed", caller=AFTER, within=40.0)
        assert again.body["occurred_at"] is not None, "judged from Asterisk's ledger"
        assert again.seq > lost_seq, "no number of what is lost is given again"
        assert again.lead_id is not None
        assert again.lead_id > lost_lead
        assert stage.query("SELECT rule FROM decisions WHERE seq = ?", [again.seq]) == [("DBT-02",)]
        await until(
            lambda: [mail for mail in stage.mailbox.messages if AFTER in str(mail["Subject"])],
            within=15.0,
            what="a person who is told",
        )
        status, said = await stage.ringback("audit", "--since", "1h", "--json")
        assert (status, json.loads(said)["findings"]) == (0, []), said

        # Whoever called in the lost time and calls again is still somebody who may have been texted; a stranger is not.
        await miss(stage, AFTER)
        await stage.event("CallMissed", caller=AFTER, count=2, within=20.0)
        await miss(stage, LATER)
        await until(lambda: len(stage.smsc.to(LATER)) == 1, within=15.0, what="a text to somebody new")
        assert len(stage.smsc.to(AFTER)) == 1, "never a second text"
        assert len(stage.smsc.to(BEFORE)) == 1
        if done["opt_outs_complete"]:
            assert stage.query("SELECT state FROM consent WHERE number = ?", [NEVER])[0] == ("opted_out",)


# ------------------------------------------------------------------------------------------------------------ while it runs
async def test_a_lock_that_somebody_else_holds_delays_and_loses_nothing() -> None:
    async with running_stage() as stage, stage.desk_phone("101") as desk, stage.mobile(BEFORE) as caller:
        books = sqlite3.connect(database_path(stage.settings), isolation_level=None, timeout=10)
        books.execute("BEGIN IMMEDIATE")
        try:
            caller.call(stage.dial(LISTING))
            await desk.heard("incoming")  # the phones ring all the same
            await until(lambda: "FAILING  database" in _status(stage), within=30.0, what="health to turn red")
        finally:
            books.execute("ROLLBACK")
            books.close()
        await stage.event("CallMissed", caller=BEFORE, within=30.0)
        await until(lambda: len(stage.smsc.to(BEFORE)) == 1, within=20.0, what="the text")
        await until(lambda: "ok       database" in _status(stage), within=30.0, what="health to turn green again")


async def test_a_full_disk_stops_nothing_that_rings_and_loses_nothing_that_was_promised() -> None:
    async with stage_on_a_small_disk() as stage:
        await loses_nothing(stage, disk_full(stage))


async def test_books_that_become_read_only_stop_nothing_that_rings_and_lose_nothing_that_was_promised() -> None:
    async with running_stage() as stage:
        await loses_nothing(stage, read_only(stage))


async def loses_nothing(stage: Stage, trouble: contextlib.AbstractContextManager[None]) -> None:
    """A call and a text come while nothing can be written; both are in the books when that is over, and answered once."""
    async with stage.desk_phone("101") as desk, stage.mobile(BEFORE) as caller:
        with trouble:
            answer = await stage.smsc.offer(AFTER, "+" + MAIN, "I want to sell")
            assert answer != 0, "not acknowledged: the SMSC keeps it"
            caller.call(stage.dial(LISTING))
            await desk.heard("incoming")
            await until(lambda: "FAILING  database" in _status(stage), within=30.0, what="health to turn red")
            assert stage.process is not None
            assert stage.process.returncode is None
            assert not stage.events("TextReceived")
            assert not stage.events("CallMissed")
        await stage.event("CallMissed", caller=BEFORE, within=40.0)
        await until(lambda: len(stage.smsc.to(BEFORE)) == 1, within=20.0, what="the text")
        assert await stage.smsc.offer(AFTER, "+" + MAIN, "I want to sell") == 0  # it brings it again
        await stage.event("TextReceived", within=20.0, sender=AFTER)
        await until(lambda: "ok       database" in _status(stage), within=30.0, what="health to turn green again")
        await stage.stop_ringback(signal.SIGTERM)
        assert stage.query("PRAGMA integrity_check") == [("ok",)]


def _status(stage: Stage) -> str:
    """What ``ringback status`` shows; asked from another process, as the operator does."""
    words = ["python", "-m", "ari_app", "status"]
    found = subprocess.run(words, env=stage.environment, capture_output=True, text=True, timeout=50, check=False)
    return found.stdout


@contextlib.asynccontextmanager
async def stage_on_a_small_disk() -> AsyncIterator[Stage]:
    """A stage whose data folder is a disk of its own. Mounting one takes root, as the managed PBX does."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-stage-"))
    folder.chmod(0o711)  # noqa: ASYNC240 - Asterisk's account goes through it; nothing else runs yet
    data = folder / "data"
    data.mkdir()
    mount(data)
    stage = Stage(folder)
    try:
        await stage.start()
        yield stage
    finally:
        await stage.stop()
        await asyncio.to_thread(subprocess.run, ["umount", "-l", str(data)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def mount(folder: Path) -> None:
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_OCTETS},mode=755", "ringback-test", str(folder)]
    subprocess.run(words, check=True, capture_output=True, text=True)


@contextlib.contextmanager
def disk_full(stage: Stage) -> Iterator[None]:
    """Not an octet is left while the block runs."""
    filler = stage.settings.data_folder / "filler"
    reader = sqlite3.connect(f"file:{database_path(stage.settings)}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute(
        "SELECT count(*) FROM events"
    ).fetchone()  # while somebody reads, the log grows, and is not begun anew
    try:
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 65536)
        with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0")
        yield
    finally:
        filler.unlink(missing_ok=True)
        reader.close()


@contextlib.contextmanager
def read_only(stage: Stage) -> Iterator[None]:
    """While the block runs nothing can be written into the books, not even by who has opened them, as on a disk that the kernel
    has made read-only after an error. The block does not begin where the file system cannot do that."""
    path = database_path(stage.settings)
    files = [str(path), str(path.with_name(f"{path.name}-wal"))]
    done = subprocess.run(["chattr", "+i", *files], capture_output=True, text=True, check=False)
    try:
        if done.returncode != 0:
            pytest.skip(f"this machine cannot make a file immutable: {done.stderr.strip()}")
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], capture_output=True, check=done.returncode == 0)
