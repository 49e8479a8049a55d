"""Durable texts: how many a second, from the event in the journal to ``done`` in the database, with a window of 10.

Two ways, in turns: *whole way*, where each text begins with a missed call that has yet to be recorded and decided, and
*waiting*, where the texts lie in the outbox, as after an hour without the carrier. In both, each text is claimed in a commit
before the act, submitted, answered, and settled in a commit with its event and its lead; every commit is synced to disk.

The peer, in the same rounds, is a whole Jasmin gateway (``jasmin_peer``), where its programs are installed.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.bench import books, jasmin_peer
from tests.bench.figures import middle
from tests.bench.machine import ROOT
from tests.bench.processes import Control, command_line, helper

WINDOW, TEXTS, ROUNDS = 10, 10_000, 5
QUICK_TEXTS, QUICK_ROUNDS = 1_000, 1
PEER_TEXTS, QUICK_PEER_TEXTS = 600, 300
AIM_PER_SECOND = 2_000
WAYS = ("whole way", "waiting")
PEER = "jasmin"


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one way. cpu_us: of all its processes, for each text. smsc_share: of one core, by the SMSC."""

    who: str
    way: str
    texts: int
    per_second: float
    cpu_us: float
    smsc_share: float
    lost: int
    doubled: int
    control: Control


@dataclass(frozen=True, slots=True)
class Result:
    runs: list[Run]


def bench(console: Console, *, quick: bool) -> Result:
    """Measure and tell."""
    texts, rounds = (QUICK_TEXTS, QUICK_ROUNDS) if quick else (TEXTS, ROUNDS)
    turns = {"ringback": texts}
    if missing := jasmin_peer.missing():
        console.print(f"Without the peer, Jasmin: {', '.join(missing)} cannot be found.")
    else:
        turns[PEER] = QUICK_PEER_TEXTS if quick else PEER_TEXTS
    runs = []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=rounds * len(WAYS) * len(turns))
        for number in range(rounds):
            for way in WAYS if number % 2 == 0 else WAYS[::-1]:
                for who, count in turns.items():
                    progress.update(task, description=f"round {number + 1}: {who}, {way}, {count:,} texts")
                    runs.append(_run(who, way, count))
                    progress.advance(task)
    result = Result(runs)
    _show(result, console)
    return result


def _run(who: str, way: str, texts: int) -> Run:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=books.disk()) as name:
        folder = Path(name)
        with helper("tests.bench.text_smsc") as smsc, helper("tests.bench.probe", folder=folder) as probe:
            if who == PEER:
                cpu = asyncio.run(jasmin_peer.measure(folder, smsc, texts, WINDOW, waiting=way == "waiting"))
                seen = smsc.ask()
                # From the first text to the last: how long it takes before it begins (half a minute) is not held against it.
                seconds = seen["texts"][-1][1] - seen["texts"][0][1]
            else:
                seconds, cpu = _ours(folder, smsc.port, way, texts)
                seen = smsc.ask()
            control = Control.ask(probe)
            counts = Counter(number for number, _ in seen["texts"])
            return Run(
                who=who,
                way=way,
                texts=texts,
                per_second=texts / seconds,
                cpu_us=1e6 * cpu / texts,
                smsc_share=seen["cpu"] / seconds,
                lost=texts - len(counts),
                doubled=sum(count > 1 for count in counts.values()),
                control=control,
            )


def _ours(folder: Path, port: int, way: str, texts: int) -> tuple[float, float]:
    """Seconds, and CPU seconds. Raises RuntimeError with the end of the log."""
    orders = {"port": port, "window": WINDOW, "texts": texts, "waiting": way == "waiting", "folder": folder}
    log = folder / "log"
    with log.open("wb") as errors:
        done = subprocess.run(
            command_line(sys.executable, "tests.bench.durable_worker", **orders),
            check=False,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": str(ROOT), "RINGBACK_BENCH_SMPP": "bench"},
            cwd=ROOT,
        )
    if done.returncode:
        raise RuntimeError(log.read_text()[-3000:])
    report = json.loads(done.stdout)
    return report["seconds"], report["cpu"]


def _show(result: Result, console: Console) -> None:
    table = Table(title=f"Durable texts, SMPP window {WINDOW}")
    for name in ("who", "way", "rounds", "texts/s: median", "best", "worst", "CPU µs/text", "lost", "doubled"):
        table.add_column(name, justify="left" if name in ("who", "way") else "right")
    for who, way in dict.fromkeys((run.who, run.way) for run in result.runs):
        runs = [run for run in result.runs if (run.who, run.way) == (who, way)]
        rates = [run.per_second for run in runs]
        table.add_row(
            who,
            way,
            str(len(runs)),
            *(f"{figure:,.0f}" for figure in (middle(rates), max(rates), min(rates))),
            f"{middle([run.cpu_us for run in runs]):,.0f}",
            str(sum(run.lost for run in runs)),
            str(sum(run.doubled for run in runs)),
        )
    console.print(table)
    for way in WAYS:
        rate = middle([run.per_second for run in result.runs if (run.who, run.way) == ("ringback", way)])
        aim = "reaches" if rate >= AIM_PER_SECOND else "misses"
        console.print(f"{way.capitalize()}: {rate:,.0f} texts a second, which {aim} the aim of {AIM_PER_SECOND:,}.")
    worst = max((run.control for run in result.runs), key=lambda control: control.late.p99)
    console.print(f"The machine at its worst round. {worst.sentence()}")
