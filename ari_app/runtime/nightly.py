"""The nightly backup: taken by the running server, beside its work, and reported when it fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from ari_app.clock import Clock
from ari_app.errors import StoreError
from ari_app.runtime.beside import beside
from ari_app.store import backup
from ari_app.store.backup import Backup, Contents

log = structlog.get_logger("backup")

LOOK_SECONDS = 30.0
"""Between two looks at the clock, which may jump."""
AGAIN = timedelta(hours=1)
"""After a failure."""
STALE = timedelta(hours=36)
"""A newest backup older than this is told to persons."""


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """folder: where copies go. keep: how many. hour, zone: when; no hour: never by itself."""

    folder: Path
    keep: int
    hour: time | None
    zone: ZoneInfo


class NightlyBackup:
    """``run`` takes a copy every night; one that was missed, because nobody ran, is taken soon after the start."""

    def __init__(self, path: Path, plan: BackupPlan, clock: Clock) -> None:
        self._path = path
        self._plan = plan
        self._clock = clock
        self._newest: datetime | None = None
        self._trouble: str | None = None
        self._began = self._not_before = clock.now()

    @property
    def ok(self) -> bool:
        """Whether the last one is there, and not old."""
        if self._trouble is not None:
            return False
        return self._plan.hour is None or self._newest is None or self._clock.now() - self._newest < STALE

    @property
    def detail(self) -> str:
        """One sentence."""
        if self._trouble is not None:
            return f"the last backup failed: {self._trouble}"
        if self._newest is None:
            return "none yet"
        return f"the newest is of {self._newest.astimezone(self._plan.zone):%Y-%m-%d %H:%M}"

    async def run(self) -> None:
        """Until cancelled."""
        await self._look()
        while True:
            now = self._clock.now()
            due = self._due()
            if due is not None and now >= max(due, self._not_before):
                await self._take(now)
            await self._clock.pause(LOOK_SECONDS)

    def _due(self) -> datetime | None:
        if self._plan.hour is None:
            return None
        return next_time(self._newest or self._began, self._plan.hour, self._plan.zone)

    async def _look(self) -> None:
        try:
            found = await asyncio.to_thread(backup.in_folder, self._plan.folder)
        except StoreError as error:
            self._trouble = str(error)
            return
        self._newest = found[0].taken_at if found else None

    async def _take(self, at: datetime) -> None:
        try:
            taken, contents = await beside(partial(_take, self._path, self._plan, at), "ringback-backup")
        except (StoreError, OSError) as error:
            self._trouble = str(error)
            self._not_before = at + AGAIN
            log.error("backup_failed", error=str(error))
            return
        self._newest, self._trouble = taken.taken_at, None
        log.info("backup_taken", file=taken.path.name, octets=contents.octets, events=contents.rows["events"])


def next_time(after: datetime, hour: time, zone: ZoneInfo) -> datetime:
    """The first moment behind ``after`` at which the clock of ``zone`` shows ``hour``; on a day without it, the next one."""
    day = after.astimezone(zone).date()
    while True:
        moment = datetime.combine(day, hour, zone).astimezone(after.tzinfo)
        if moment > after:
            return moment
        day += timedelta(days=1)


def _take(path: Path, plan: BackupPlan, at: datetime) -> tuple[Backup, Contents]:
    taken = backup.take(path, plan.folder, at)
    backup.prune(plan.folder, plan.keep)
    return taken
