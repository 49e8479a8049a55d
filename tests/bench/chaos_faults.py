"""The faults of the worst day: how each is made, how often in five minutes, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ari_app.data_folder import database_path
from ari_app.pbx.ari import Ari
from tests.bench.chaos_smsc import Mood
from tests.bench.chaos_stage import ChaosStage
from tests.bench.machine import wall

PLAN = {
    "kill -9": 12,
    "SIGTERM": 2,
    "SIGSTOP": 1,
    "clock an hour back": 2,
    "Asterisk kill -9": 3,
    "ARI cut": 3,
    "ARI silent": 2,
    "ARI rival": 1,
    "ARI events twice": 1,
    "ARI events swapped": 1,
    Mood.THROTTLING.value: 3,
    Mood.LATE.value: 3,
    Mood.LOSING.value: 2,
    Mood.DROPPING.value: 4,
    "SMSC unbinds": 2,
    "SMSC restarts": 2,
    "SMSC talks garbage": 3,
    "SMSC octet by octet": 2,
    "receipts and texts twice": 2,
    "database locked": 2,
    "books read-only": 1,
    "disk full": 2,
}
"""How often in five minutes."""
LASTING = {
    "SIGSTOP": 10.0,
    "clock an hour back": 6.0,
    "ARI silent": 12.0,
    "ARI rival": 4.0,
    "ARI events twice": 6.0,
    "ARI events swapped": 6.0,
    "SMSC octet by octet": 5.0,
    "receipts and texts twice": 6.0,
    "database locked": 7.0,
    "disk full": 6.0,
    **{mood.value: 4.0 for mood in Mood},
}
"""Seconds from the beginning of a fault to its end, where the schedule ends it."""
TAKING = {
    "kill -9": 2.0,
    "clock an hour back": 5.0,
    "SIGTERM": 17.0,
    "Asterisk kill -9": 3.0,
    "SMSC restarts": 1.0,
    "books read-only": 5.0,
}
"""About how many seconds a fault takes by itself."""
BLINDING = (
    "kill -9",
    "SIGTERM",
    "SIGSTOP",
    "Asterisk kill -9",
    "ARI cut",
    "ARI silent",
    "ARI rival",
    "books read-only",
)
"""Faults that part Ringback from Asterisk."""
NEEDS_A_DISK = ("books read-only", "disk full")
NEEDS_A_CLOCK = ("clock an hour back",)
HOUR_SECONDS = 3600
CLOCK_SEEN_SECONDS = 1.5
"""By then every reader of the clock has seen that it was set."""
OCTET_SECONDS = 0.02
GARBAGE = (
    bytes.fromhex("ffffffff 00000005 00000000 00000001"),  # a PDU of four gigabytes
    bytes.fromhex("00000004"),  # shorter than its own header
    bytes.fromhex("00000010 00000999 00000000 00000007"),  # a command that there is not
    b"GET / HTTP/1.1\r\nHost: smsc\r\n\r\n",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """began, ended: seconds since the epoch."""

    name: str
    began: float
    ended: float


@dataclass
class Day:
    """The day as it goes on. made: faults that are over. asterisk_up: when Asterisk was started again, each time.
    ended_in: seconds from each SIGTERM to the process's end. wrong: what a fault showed by itself."""

    chaos: ChaosStage
    chance: random.Random
    made: list[Fault] = field(default_factory=list)
    asterisk_up: list[float] = field(default_factory=list)
    ended_in: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    async def fault(self, name: str) -> None:
        """One fault from its beginning to its end."""
        began = wall()
        await self._faults().get(name, self._mood)(name)
        self.made.append(Fault(name, began, wall()))

    def _faults(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        return {
            "kill -9": self._kill,
            "SIGTERM": self._end,
            "SIGSTOP": self._stop,
            "clock an hour back": self._turn_back,
            "Asterisk kill -9": self._kill_asterisk,
            "ARI cut": self._cut,
            "ARI silent": self._silence,
            "ARI rival": self._rival,
            "ARI events twice": self._events_twice,
            "ARI events swapped": self._events_swapped,
            "SMSC unbinds": self._unbind,
            "SMSC restarts": self._restart_smsc,
            "SMSC talks garbage": self._garbage,
            "SMSC octet by octet": self._dribble,
            "receipts and texts twice": self._twice,
            "database locked": self._lock,
            "books read-only": self._read_only,
            "disk full": self._fill,
        }

    async def _kill(self, _: str) -> None:
        await self.chaos.kill()
        await self.chaos.ready()

    async def _end(self, _: str) -> None:
        told = wall()
        try:
            status = await self.chaos.stage.stop_ringback(within=40.0)
            if status != 0:
                self.wrong.append(f"told to end, it ended with status {status}")
        except TimeoutError:
            self.wrong.append("told to end, it did not within 40 s")
            await self.chaos.kill()
        self.ended_in.append(round(wall() - told, 3))
        await self.chaos.ready()

    async def _stop(self, name: str) -> None:
        process = self.chaos.stage.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        await _lasting(name)
        process.send_signal(signal.SIGCONT)

    async def _turn_back(self, name: str) -> None:
        """Under a Ringback that runs. Only this one has a clock that can be set: that costs time, and steadiness."""
        clock = self.chaos.clock
        assert clock is not None
        await self.chaos.kill()
        await self.chaos.ready(clock.environment)
        clock.shift(-HOUR_SECONDS)
        await _lasting(name)
        clock.shift(0)
        await pause(CLOCK_SEEN_SECONDS)
        await self.chaos.kill()
        await self.chaos.ready()

    async def _kill_asterisk(self, _: str) -> None:
        self.chaos.kill_asterisk()
        await pause(1.0)
        await self.chaos.start_asterisk()
        self.asterisk_up.append(wall())

    async def _cut(self, _: str) -> None:
        self.chaos.ari.cut()

    async def _silence(self, name: str) -> None:
        self.chaos.ari.freeze()
        await _lasting(name)
        self.chaos.ari.cut()
        self.chaos.ari.thaw()

    async def _rival(self, name: str) -> None:
        """Another program with our application and password, as after a copied configuration."""
        stage = self.chaos.stage
        pbx = stage.settings.document.pbx
        password = stage.settings.secrets().resolve("ari", pbx.ari.secret)
        url = f"http://127.0.0.1:{stage.ports['http_port']}"
        async with (
            Ari(url, pbx.ari.user, password, application=pbx.app) as rival,
            await rival.http.open_events(rival.application, close_within=0.5),
        ):
            await _lasting(name)

    async def _events_twice(self, name: str) -> None:
        self.chaos.ari.twice = True
        await _lasting(name)
        self.chaos.ari.twice = False

    async def _events_swapped(self, name: str) -> None:
        self.chaos.ari.swapped = True
        await _lasting(name)
        self.chaos.ari.swapped = False

    async def _unbind(self, _: str) -> None:
        await self.chaos.smsc.unbind_all()

    async def _restart_smsc(self, _: str) -> None:
        await self.chaos.smsc.restart()

    async def _garbage(self, _: str) -> None:
        self.chaos.link.inject(self.chance.choice(GARBAGE))

    async def _dribble(self, name: str) -> None:
        self.chaos.link.octet_seconds = OCTET_SECONDS
        await _lasting(name)
        self.chaos.link.octet_seconds = 0.0

    async def _twice(self, name: str) -> None:
        self.chaos.smsc.twice = True
        await _lasting(name)
        self.chaos.smsc.twice = False

    async def _lock(self, name: str) -> None:
        books = sqlite3.connect(database_path(self.chaos.stage.settings), isolation_level=None, timeout=0.1)
        with contextlib.closing(books):
            while True:
                try:
                    books.execute("BEGIN IMMEDIATE")
                    break
                except sqlite3.OperationalError:
                    await pause(0.01)
            await _lasting(name)
            books.execute("ROLLBACK")

    async def _read_only(self, _: str) -> None:
        """Found so at a start: it refuses, and is started again when somebody has mended it."""
        assert self.chaos.disk is not None
        await self.chaos.kill()
        with _read_only(self.chaos.disk):
            await self.chaos.spawn()
            process = self.chaos.stage.process
            assert process is not None
            try:
                async with asyncio.timeout(20.0):
                    if await process.wait() == 0:
                        self.wrong.append("with read-only books it ended as if all were well")
            except TimeoutError:
                self.wrong.append("with read-only books it ran on")
                await self.chaos.kill()
        await self.chaos.ready()

    async def _fill(self, name: str) -> None:
        assert self.chaos.disk is not None
        ballast = self.chaos.disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        await _lasting(name)
        ballast.unlink()

    async def _mood(self, name: str) -> None:
        smsc = self.chaos.smsc
        smsc.mood = Mood(name)
        await _lasting(name)
        smsc.mood = Mood.WELL


def plan_of(
    share: float, chance: random.Random, *, disk: bool = True, clock: bool = True
) -> tuple[list[str], list[str]]:
    """The faults of a day in their order, each at least once; and those that cannot be made here.

    share: of five minutes. disk, clock: whether the books have a disk of their own, and Ringback a clock that can be set.
    """
    left_out = [*(() if disk else NEEDS_A_DISK), *(() if clock else NEEDS_A_CLOCK)]
    plan = [name for name in PLAN if name not in left_out for _ in range(max(1, round(PLAN[name] * share)))]
    chance.shuffle(plan)
    return plan, left_out


def length(name: str) -> float:
    """About how long a fault takes, in seconds."""
    return LASTING.get(name, 0.0) + TAKING.get(name, 0.0)


@contextlib.contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """``folder``, mounted over itself."""
    for options in (("--bind", str(folder), str(folder)), ("-o", "remount,ro,bind", str(folder))):
        subprocess.run(["mount", *options], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def pause(seconds: float) -> None:
    """The schedule is made of time."""
    await asyncio.sleep(seconds)  # noqa: TID251


async def _lasting(name: str) -> None:
    await pause(LASTING[name])
