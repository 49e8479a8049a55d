"""The worst day: a fixed, seeded schedule of faults under load, and what became of every caller.

Calls come in all the time (most ring until they are refused, some give up, some are answered), people text back and say STOP.
Meanwhile Ringback is killed and stopped, Asterisk is killed, links are cut and fall silent, the SMSC misbehaves, the books are
locked and their disk is full. Ringback is started again at once after a kill, Asterisk after a second, as service managers do.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.bench.chaos_faults import BLINDING, HOUR_SECONDS, Day, Fault, length, pause, plan_of
from tests.bench.chaos_load import calls, phones
from tests.bench.chaos_stage import chaos_stage
from tests.bench.chaos_verdict import Outcome, outcome, over
from tests.bench.figures import Spread
from tests.bench.machine import wall

MINUTES, QUICK_MINUTES = 5.0, 1.0
SETTLE_SECONDS = 10.0
"""Calls go on so long after the last fault."""
LONGEST_DAY = 4.0
"""Calls come for so many times the planned length if they must: on a busy machine starts take longer than planned."""
AIM_FIRST_EVENT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Blindness:
    """One fault that parted Ringback from Asterisk. seconds: until it was connected again, or until the end of the day, when
    it never was. noticed: until it said that the link was lost. first_event: after a kill, until it had a call in hand or an
    event in the journal."""

    fault: str
    at: float
    seconds: float
    ended: bool
    noticed: float | None
    first_event: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the aim is about. lost, doubled: people and calls. in_doubt: texts that were so at some time; resolved: those of
    which is known now what became of them. aim_reached: none lost, none doubled, the audit clean, never blind for good, and
    the first event in time after every kill."""

    calls: int
    verdicts: dict[str, int]
    texts: int
    lost: int
    doubled: int
    in_doubt: int
    resolved: int
    longest_blindness_seconds: float
    first_event_after_kill_seconds: Spread | None
    audit_clean: bool
    aim_reached: bool


@dataclass(frozen=True, slots=True)
class Result:
    """faults: how often each was made. left_out: faults that this machine does not allow. wrong: what faults showed by
    themselves, in sentences. in_step: seconds from Asterisk's start until Ringback was connected to it, each time.
    ended_in: seconds from each SIGTERM to the process's end."""

    summary: Summary
    seed: int
    minutes: float
    faults: dict[str, int]
    left_out: list[str]
    outcome: Outcome
    wrong: list[str]
    blindness: list[Blindness]
    in_step: list[float]
    ended_in: list[float]


def bench(console: Console, *, quick: bool, minutes: float = MINUTES, seed: int = 1) -> Result:
    """Measure and tell."""
    with Progress(console=console, transient=True) as progress:
        result = asyncio.run(_day(QUICK_MINUTES if quick else minutes, seed, progress))
    _show(result, console)
    return result


async def _day(minutes: float, seed: int, progress: Progress) -> Result:
    chance = random.Random(seed)
    async with chaos_stage(seed, all_faults=True) as chaos, phones(chaos.stage):
        day = Day(chaos, chance)
        disk, clock = chaos.disk is not None, chaos.clock is not None
        plan, left_out = plan_of(minutes / MINUTES, chance, disk=disk, clock=clock)
        await chaos.ready()
        task = progress.add_task("the day begins", total=minutes * 60.0)
        began = wall()
        async with calls(chaos.stage, LONGEST_DAY * max(minutes, QUICK_MINUTES) * 60.0) as _:
            gap = max(0.2, (minutes * 60.0 - SETTLE_SECONDS - sum(map(length, plan))) / (len(plan) + 1))
            for name in plan:
                await pause(chance.uniform(0.5, 1.5) * gap)
                progress.update(task, description=name, completed=wall() - began)
                await day.fault(name)
            progress.update(task, description="no more faults")
            await pause(max(SETTLE_SECONDS, minutes * 60.0 - (wall() - began)))
        progress.update(task, description="all comes to its end")
        await over(chaos)
        found = await outcome(chaos)
        return _judge(seed, minutes, day, left_out, found, began)


# ------------------------------------------------------------------------------------------------------------------ judging
_SAID = re.compile(r'"event": "(\w+)".*"timestamp": "([^"]+)"')


def _judge(seed: int, minutes: float, day: Day, left_out: list[str], found: Outcome, began: float) -> Result:
    stage = day.chaos.stage
    said = {name: [true_time(at, began) for at in moments] for name, moments in sayings(stage.log_path).items()}
    journal = [true_time(datetime.fromisoformat(event.at).timestamp(), began) for event in stage.events()]
    blind = blindness(day.made, said, sorted(journal + said.get("call_arrived", [])), wall())
    connected = said.get("asterisk_connected", [])
    return Result(
        summary=summary(found, blind, day.wrong),
        seed=seed,
        minutes=minutes,
        faults=dict(Counter(fault.name for fault in day.made)),
        left_out=left_out,
        outcome=found,
        wrong=day.wrong,
        blindness=blind,
        in_step=[round(next(one - at for one in connected if one > at - 0.5), 3) for at in day.asterisk_up],
        ended_in=day.ended_in,
    )


def summary(found: Outcome, blind: Sequence[Blindness], wrong: Sequence[str]) -> Summary:
    """The day in a few figures."""
    firsts = [one.first_event for one in blind if one.first_event is not None]
    first = Spread.of(firsts) if firsts else None
    in_time = first is None or first.worst <= AIM_FIRST_EVENT_SECONDS
    well = not (found.lost or found.doubled or wrong) and found.audit_clean and all(one.ended for one in blind)
    return Summary(
        calls=found.calls,
        verdicts=found.verdicts,
        texts=found.texts,
        lost=len(found.lost),
        doubled=len(found.doubled),
        in_doubt=found.doubts,
        resolved=found.resolved,
        longest_blindness_seconds=max((one.seconds for one in blind), default=0.0),
        first_event_after_kill_seconds=first,
        audit_clean=found.audit_clean,
        aim_reached=well and in_time,
    )


def blindness(
    made: Sequence[Fault], said: Mapping[str, Sequence[float]], events: Sequence[float], end: float
) -> list[Blindness]:
    """Of each fault that parts Ringback from Asterisk. said: when the log has which event. events: when there was a call in
    hand or an event in the journal. end: of the day. All in seconds since the epoch, in order."""
    connected, lost = said.get("asterisk_connected", ()), said.get("asterisk_lost", ())
    found = []
    for fault in made:
        if fault.name not in BLINDING:
            continue
        began, again = fault.began, _after(fault.began, connected)
        if fault.name == "SIGTERM":  # it takes calls until it has ended
            began += _after(began, said.get("stopped", ())) or 0.0
            again = _after(began, connected)
        elif fault.name == "SIGSTOP":  # it may find its link whole when it goes on, and has not said so before
            again = _after(began, [at for at in events if at > fault.ended])
            cut = None if again is None else next((at for at in lost if began < at <= began + again + 1.0), None)
            again = again if cut is None else _after(began, [at for at in connected if at > cut])
        noticed = _after(began, lost) if fault.name in ("ARI cut", "ARI silent", "Asterisk kill -9") else None
        first = None
        if fault.name == "kill -9":
            first = _after(began, events)
            first = round(end - began, 3) if first is None else first
        seconds = round(end - began, 3) if again is None else again
        found.append(Blindness(fault.name, began, seconds, again is not None, noticed, first))
    return found


def true_time(at: float, began: float) -> float:
    """``at`` by the true clock, in seconds since the epoch: what is long before the day began was said while Ringback's clock
    was put back."""
    return at + HOUR_SECONDS if at < began - HOUR_SECONDS / 2 else at


def sayings(log: Path) -> dict[str, list[float]]:
    """When Ringback's log has which event, in seconds since the epoch."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if said := _SAID.search(line):
            found[said[1]].append(datetime.fromisoformat(said[2]).timestamp())
    return found


def _after(at: float, moments: Sequence[float]) -> float | None:
    """How long after ``at`` the next of ``moments`` is, in seconds."""
    return next((round(one - at, 3) for one in moments if one > at), None)


def _show(result: Result, console: Console) -> None:
    found = result.outcome
    table = Table(title=f"The worst day: {result.minutes:g} minutes, seed {result.seed}")
    table.add_column("")
    table.add_column("", justify="right")
    first = result.summary.first_event_after_kill_seconds
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
        "Asterisk's ledger and the journal agree": "yes" if found.audit_clean else "no",
        "first event after a kill": "-" if first is None else first.milliseconds(),
        "ended after SIGTERM": ", ".join(f"{one:.1f} s" for one in result.ended_in),
        "in step after Asterisk's start": ", ".join(f"{one:.1f} s" for one in result.in_step),
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    for sentence in (*found.lost, *found.doubled, *result.wrong):
        console.print(f"  {sentence}", highlight=False)
    for fault in result.left_out:
        console.print(f"Left out, this machine does not allow it: {fault}.")
    console.print(
        f"The aim, none lost, none doubled, the audit clean, first event at most {AIM_FIRST_EVENT_SECONDS:g} s after a kill, is "
        f"{'reached' if result.summary.aim_reached else 'missed'}."
    )
