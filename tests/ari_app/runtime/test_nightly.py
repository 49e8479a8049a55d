"""The nightly backup: when it is due, what it leaves, and what it says when it fails."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ari_app.errors import StoreUnavailableError
from ari_app.runtime.nightly import BackupPlan, NightlyBackup, next_time
from ari_app.settings.backups import BackupSection
from ari_app.store import backup
from tests.support.books import NOON, Books
from tests.support.waiting import until

MIAMI = ZoneInfo("America/New_York")
NIGHT = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
"""Half past three in Miami, after NOON."""


class Nights:
    """A clock whose pauses are over at once and take their time; it stands still where a test says."""

    def __init__(self, end: datetime) -> None:
        self.at = NOON
        self.end = end
        self.over = asyncio.Event()

    def now(self) -> datetime:
        return self.at

    async def pause(self, seconds: float) -> None:
        if self.at >= self.end:
            self.over.set()
            await asyncio.Event().wait()
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)  # noqa: TID251 - lets others run


@contextlib.asynccontextmanager
async def running(nightly: NightlyBackup) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(nightly.run())
        yield
        task.cancel()


def plan(folder: Path, hour: time | None = time(3, 30), keep: int = 2) -> BackupPlan:
    return BackupPlan(folder / "backups", keep, hour, MIAMI)


def taken(folder: Path) -> list[datetime]:
    return [one.taken_at for one in backup.in_folder(folder / "backups")]


@pytest.fixture
def books(tmp_path: Path) -> Path:
    books = Books(tmp_path)
    books.close()
    return books.path


async def test_a_copy_is_taken_every_night_and_the_oldest_goes(books: Path, tmp_path: Path) -> None:
    clock = Nights(NOON + timedelta(days=3))
    nightly = NightlyBackup(books, plan(tmp_path), clock)
    assert nightly.detail == "none yet"
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
    found = taken(tmp_path)
    assert [night.date() for night in found] == [(NIGHT + timedelta(days=day)).date() for day in (2, 1)]
    assert all(timedelta(0) <= night - NIGHT.replace(day=night.day) <= timedelta(minutes=1) for night in found)
    assert nightly.ok
    assert nightly.detail == "the newest is of 2026-11-27 03:30"


async def test_one_that_was_missed_is_taken_soon_after_the_start(books: Path, tmp_path: Path) -> None:
    backup.take(books, tmp_path / "backups", NOON - timedelta(days=2))
    clock = Nights(NOON + timedelta(minutes=1))
    async with running(NightlyBackup(books, plan(tmp_path), clock)):
        await asyncio.wait_for(clock.over.wait(), 60)
    assert taken(tmp_path)[0] == NOON


async def test_one_of_last_night_is_not_taken_again(books: Path, tmp_path: Path) -> None:
    last = NIGHT - timedelta(days=1) + timedelta(seconds=10)
    backup.take(books, tmp_path / "backups", last)
    clock = Nights(NOON + timedelta(hours=1))
    nightly = NightlyBackup(books, plan(tmp_path), clock)
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
    assert taken(tmp_path) == [last]
    assert nightly.ok


async def test_never_is_never(books: Path, tmp_path: Path) -> None:
    clock = Nights(NOON + timedelta(days=2))
    nightly = NightlyBackup(books, plan(tmp_path, None), clock)
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
    assert taken(tmp_path) == []
    assert nightly.ok


async def test_a_failure_is_told_and_tried_again_after_an_hour(books: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.write_text("in the way")
    clock = Nights(NIGHT + timedelta(minutes=30))
    nightly = NightlyBackup(books, plan(tmp_path), clock)
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
        assert not nightly.ok
        assert nightly.detail.startswith(f"the last backup failed: {folder}")
        folder.unlink()
        clock.over.clear()
        clock.end = NIGHT + timedelta(hours=2)
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
    assert timedelta(0) <= taken(tmp_path)[0] - NIGHT - timedelta(hours=1) <= timedelta(minutes=1)
    assert nightly.ok


async def test_a_folder_that_cannot_be_looked_into_is_told(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_: Path) -> list[backup.Backup]:
        raise StoreUnavailableError("Permission denied")

    monkeypatch.setattr(backup, "in_folder", locked)
    clock = Nights(NOON)
    nightly = NightlyBackup(books, plan(tmp_path), clock)
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
    assert nightly.detail == "the last backup failed: Permission denied"


async def test_where_it_may_not_stand_back_it_copies_all_the_same(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", forbidden)
    clock = Nights(NIGHT + timedelta(minutes=30))
    nightly = NightlyBackup(books, plan(tmp_path), clock)
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
    assert len(taken(tmp_path)) == 1
    assert nightly.ok


async def test_what_the_system_refuses_in_the_middle_is_a_failure_as_any_other(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(backup, "prune", refused)
    clock = Nights(NIGHT + timedelta(minutes=30))
    nightly = NightlyBackup(books, plan(tmp_path), clock)
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
    assert not nightly.ok
    assert nightly.detail == "the last backup failed: [Errno 1] Operation not permitted"


async def test_a_newest_copy_that_is_old_is_told(books: Path, tmp_path: Path) -> None:
    backup.take(books, tmp_path / "backups", NOON)
    clock = Nights(NOON)
    nightly = NightlyBackup(books, plan(tmp_path), clock)
    async with running(nightly):
        await asyncio.wait_for(clock.over.wait(), 60)
        assert nightly.ok
        clock.at = NOON + timedelta(days=2)
        assert not nightly.ok


async def test_stopping_does_not_wait_for_a_copy(books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()
    real = backup.take

    def slow(*words: object, **more: object) -> object:
        begun.set()
        assert go.wait(60)
        return real(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(backup, "take", slow)
    backup_before = NIGHT - timedelta(days=3)
    real(books, tmp_path / "backups", backup_before)
    async with running(NightlyBackup(books, plan(tmp_path), Nights(NOON))):
        await until(begun.is_set, what="a copy under way")
    assert taken(tmp_path) == [backup_before]
    go.set()
    await until(lambda: len(taken(tmp_path)) == 2, within=20, what="its end, of which nobody hears")


@pytest.mark.parametrize(
    ("after", "hour", "expected"),
    [
        ("2026-11-24T12:00-05:00", time(3, 30), "2026-11-25T03:30-05:00"),
        ("2026-11-24T03:00-05:00", time(3, 30), "2026-11-24T03:30-05:00"),
        ("2026-11-24T03:30-05:00", time(3, 30), "2026-11-25T03:30-05:00"),
        # Clocks go forward at 2:00 on 8 March: there is no half past two.
        ("2026-03-08T01:00-05:00", time(2, 30), "2026-03-08T03:30-04:00"),
        # They go back at 2:00 on 1 November: there are two, and the first counts.
        ("2026-11-01T01:00-04:00", time(1, 30), "2026-11-01T01:30-04:00"),
        ("2026-11-01T01:30-04:00", time(1, 30), "2026-11-02T01:30-05:00"),
    ],
)
def test_the_hour_is_that_of_the_wall(after: str, hour: time, expected: str) -> None:
    found = next_time(datetime.fromisoformat(after).astimezone(UTC), hour, MIAMI)
    assert found == datetime.fromisoformat(expected)
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("at", "hour"), [("03:30", time(3, 30)), ("3:05", time(3, 5)), ("23:59", time(23, 59)), ("never", None)]
)
def test_the_settings_say_when(at: str, hour: time | None) -> None:
    assert BackupSection(at=at).hour == hour


@pytest.mark.parametrize("at", ["24:00", "3", "3:60", "", "nightly", "3:30 "])
def test_what_is_no_time_is_refused(at: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        BackupSection(at=at)
