"""The worst day: a fixed, seeded schedule of faults under load, and what became of every caller.

Calls come in all the time (most ring until they are refused, some give up, some are answered), people text back and say STOP.
Meanwhile Ringback is killed and stopped, Asterisk is killed, links are cut and fall silent, the SMSC misbehaves, the books are
locked and their disk is full. Ringback is started again at once after a kill, Asterisk after a second, as service managers do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ari_app.data_folder import database_path
from tests.bench.chaos_load import calls, phones
from tests.bench.chaos_smsc import Mood
from tests.bench.chaos_stage import ChaosStage, chaos_stage
from tests.bench.chaos_verdict import Outcome, outcome, over
from tests.bench.figures import Spread
from tests.bench.machine import wall

MINUTES, QUICK_MINUTES = 5.0, 1.0
SETTLE_SECONDS = 10.0
"""Calls go on so long after the last fault."""
AIM_FIRST_EVENT_SECONDS = 2.0

PLAN = {
    "kill -9": 12,
    "SIGSTOP": 1,
    "Asterisk kill -9": 3,
    "ARI cut": 3,
    "ARI silent": 2,
    Mood.THROTTLING.value: 3,
    Mood.LATE.value: 3,
    Mood.LOSING.value: 2,
    Mood.DROPPING.value: 4,
    "receipts twice": 2,
    "database locked": 2,
    "disk full": 2,
}
"""How often in five minutes."""
LASTING = {"SIGSTOP": 10.0, "ARI silent": 12.0, "receipts twice": 8.0, "database locked": 7.0, "disk full": 6.0}
MOOD_SECONDS = 5.0
BLINDING = ("kill -9", "SIGSTOP", "Asterisk kill -9", "ARI cut", "ARI silent")


@dataclass(frozen=True, slots=True)
class Blindness:
    """One fault that broke the link to Asterisk. seconds: until Ringback was connected again. noticed: until it said that the
    link was lost. first_event: after a kill, until it had a call in hand or an event in the journal."""

    fault: str
    at: float
    seconds: float
    noticed: float | None
    first_event: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """faults: how often each was made. left_out: faults that this machine does not allow. in_step: seconds from Asterisk's
    start until Ringback was connected to it, each time."""

    seed: int
    minutes: float
    faults: dict[str, int]
    left_out: list[str]
    outcome: Outcome
    blindness: list[Blindness]
    first_event: Spread | None
    in_step: list[float]


def bench(console: Console, *, quick: bool, minutes: float = MINUTES, seed: int = 1) -> Result:
    """Measure and tell."""
    with Progress(console=console, transient=True) as progress:
        result = asyncio.run(_day(QUICK_MINUTES if quick else minutes, seed, progress))
    _show(result, console)
    return result


@dataclass
class _Day:
    """The day as it goes on. began: of each fault, its name and when. connected: when Ringback said that it was."""

    chaos: ChaosStage
    chance: random.Random
    began: list[tuple[str, float]] = field(default_factory=list)
    asterisk_up: list[float] = field(default_factory=list)

    async def fault(self, name: str) -> None:
        """One fault from its beginning to its end."""
        self.began.append((name, wall()))
        await self._faults().get(name, self._mood)(name)

    def _faults(self) -> dict[str, Callable[[str], Awaitable[None]]]:
        return {
            "kill -9": self._kill,
            "SIGSTOP": self._stop,
            "Asterisk kill -9": self._kill_asterisk,
            "ARI cut": self._cut,
            "ARI silent": self._silence,
            "receipts twice": self._twice,
            "database locked": self._lock,
            "disk full": self._fill,
        }

    async def _kill(self, _: str) -> None:
        await self.chaos.kill()
        await self.chaos.ready()

    async def _stop(self, name: str) -> None:
        process = self.chaos.stage.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        await _lasting(name)
        process.send_signal(signal.SIGCONT)

    async def _kill_asterisk(self, _: str) -> None:
        self.chaos.kill_asterisk()
        await _pause(1.0)
        await self.chaos.start_asterisk()
        self.asterisk_up.append(wall())

    async def _cut(self, _: str) -> None:
        self.chaos.ari.cut()

    async def _silence(self, name: str) -> None:
        self.chaos.ari.freeze()
        await _lasting(name)
        self.chaos.ari.cut()
        self.chaos.ari.thaw()

    async def _twice(self, name: str) -> None:
        self.chaos.smsc.receipts_twice = True
        await _lasting(name)
        self.chaos.smsc.receipts_twice = False

    async def _lock(self, name: str) -> None:
        books = sqlite3.connect(database_path(self.chaos.stage.settings), isolation_level=None, timeout=0.1)
        with contextlib.closing(books):
            while True:
                try:
                    books.execute("BEGIN IMMEDIATE")
                    break
                except sqlite3.OperationalError:
                    await _pause(0.01)
            await _lasting(name)
            books.execute("ROLLBACK")

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
        await _pause(MOOD_SECONDS)
        smsc.mood = Mood.WELL


async def _day(minutes: float, seed: int, progress: Progress) -> Result:
    chance = random.Random(seed)
    async with chaos_stage(seed, small_disk=True) as chaos, phones(chaos.stage):
        day = _Day(chaos, chance)
        plan, left_out = _plan(minutes, chance, disk=chaos.disk is not None)
        await chaos.ready()
        task = progress.add_task("the day begins", total=minutes * 60.0)
        async with calls(chaos.stage, minutes * 60.0) as _:
            began = wall()
            gap = max(0.2, (minutes * 60.0 - SETTLE_SECONDS - sum(map(_length, plan))) / (len(plan) + 1))
            for name in plan:
                await _pause(chance.uniform(0.5, 1.5) * gap)
                progress.update(task, description=name, completed=wall() - began)
                await day.fault(name)
            progress.update(task, description="no more faults")
            await _pause(max(SETTLE_SECONDS, minutes * 60.0 - (wall() - began)))
        progress.update(task, description="all comes to its end")
        await over(chaos)
        found = await outcome(chaos)
        return _judge(seed, minutes, day, left_out, found)


def _plan(minutes: float, chance: random.Random, *, disk: bool) -> tuple[list[str], list[str]]:
    """The faults in their order; and those that cannot be made here."""
    left_out = [] if disk else ["disk full"]
    names = [name for name in PLAN if name not in left_out]
    plan = [name for name in names for _ in range(max(1, round(PLAN[name] * minutes / MINUTES)))]
    chance.shuffle(plan)
    return plan, left_out


def _length(name: str) -> float:
    """About how long a fault takes, in seconds."""
    lengths = {"kill -9": 3.0, "Asterisk kill -9": 3.0, "ARI cut": 0.0}
    return lengths.get(name, LASTING.get(name, MOOD_SECONDS))


async def _lasting(name: str) -> None:
    await _pause(LASTING[name])


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - the schedule is made of time


# ------------------------------------------------------------------------------------------------------------------ judging
_SAID = re.compile(r'"event": "(\w+)".*"timestamp": "([^"]+)"')


def _judge(seed: int, minutes: float, day: _Day, left_out: list[str], found: Outcome) -> Result:
    stage = day.chaos.stage
    said = sayings(stage.log_path)
    connected, lost = said["asterisk_connected"], said["asterisk_lost"]
    events = sorted(
        [*(datetime.fromisoformat(event.at).timestamp() for event in stage.events()), *said["call_arrived"]]
    )
    blindness = []
    for fault, at in day.began:
        if fault not in BLINDING:
            continue
        again = LASTING["SIGSTOP"] if fault == "SIGSTOP" else next((one - at for one in connected if one > at), -1.0)
        noticed = _after(at, lost) if fault in ("ARI cut", "ARI silent", "Asterisk kill -9") else None
        first = _after(at, events) if fault == "kill -9" else None
        blindness.append(Blindness(fault, at, round(again, 3), noticed, first))
    firsts = [one.first_event for one in blindness if one.first_event is not None]
    in_step = [round(next(one - at for one in connected if one > at - 0.5), 3) for at in day.asterisk_up]
    return Result(
        seed=seed,
        minutes=minutes,
        faults=dict(Counter(name for name, _ in day.began)),
        left_out=left_out,
        outcome=found,
        blindness=blindness,
        first_event=Spread.of(firsts) if firsts else None,
        in_step=in_step,
    )


def sayings(log: Path) -> dict[str, list[float]]:
    """When Ringback's log has which event, in seconds since the epoch."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if said := _SAID.search(line):
            found[said[1]].append(datetime.fromisoformat(said[2]).timestamp())
    return found


def _after(at: float, moments: list[float]) -> float | None:
    """How long after ``at`` the next of ``moments`` is, in seconds."""
    return next((round(one - at, 3) for one in moments if one > at), None)


def _show(result: Result, console: Console) -> None:
    found = result.outcome
    table = Table(title=f"The worst day: {result.minutes:g} minutes, seed {result.seed}")
    table.add_column("")
    table.add_column("", justify="right")
    longest = max(result.blindness, key=lambda one: one.seconds, default=None)
    rows = {
        "faults": str(sum(result.faults.values())),
        "calls that reached Asterisk": f"{found.calls:,}",
        "verdicts": ", ".join(f"{count} {verdict}" for verdict, count in found.verdicts.items()),
        "of these judged afterwards, from Asterisk's ledger": str(found.late),
        "texts that reached a person": f"{found.texts:,}",
        "replies and STOPs taken": str(found.replies),
        "lost": str(len(found.lost)),
        "doubled": str(len(found.doubled)),
        "texts in doubt at some time": str(found.doubts),
        "of these known in the end, by a receipt": str(found.resolved),
        "of the rest never sent, and a person told": f"{found.unsent}, {found.told}",
        "texts not sent for a reason in the books": str(found.reasoned),
        "silence of the link noticed after": ", ".join(
            f"{one.noticed:.1f} s" for one in result.blindness if one.fault == "ARI silent" and one.noticed is not None
        ),
        "longest blindness": "-" if longest is None else f"{longest.seconds:.1f} s ({longest.fault})",
        "first event after a kill": "-" if result.first_event is None else result.first_event.milliseconds(),
        "in step after Asterisk's start": ", ".join(f"{one:.1f} s" for one in result.in_step),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    for sentence in (*found.lost, *found.doubled):
        console.print(f"  {sentence}", highlight=False)
    for fault in result.left_out:
        console.print(f"Left out, this machine does not allow it: {fault}.")
    slowest = 0.0 if result.first_event is None else result.first_event.worst
    met = not found.lost and not found.doubled and slowest <= AIM_FIRST_EVENT_SECONDS
    console.print(
        f"The aim, none lost, none doubled, first event at most {AIM_FIRST_EVENT_SECONDS:g} s after a kill, is "
        f"{'reached' if met else 'missed'}."
    )
