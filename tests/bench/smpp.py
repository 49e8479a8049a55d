"""Our SMPP client beside three others on the same SMSC.

Clients take turns, in the order A B C D and then D C B A, over at least five rounds, with a window of 1 and of 10, on
loopback and with a round trip of 10 ms. A control probe runs in every round; a round whose CPU probe drifts by more
than 20 % from the median is void, and shown as such. The disk probe is shown too, though nothing here writes.
A last round loses every twentieth answer, and asks whether a client tells the truth about it.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.bench.machine import ROOT
from tests.bench.processes import Helper, command_line, helper
from tests.sms_gateway.interop.programs import python_environment

PEERS = ("smpplib==2.2.4", "aiosmpplib==0.7.4", "smpp34==1.5.0")
CLIENTS = {
    "ringback": "tests.bench.smpp_clients.ringback",
    "smpp34": "tests.bench.smpp_clients.smpp34_client",
    "smpplib": "tests.bench.smpp_clients.smpplib_client",
    "aiosmpplib": "tests.bench.smpp_clients.aiosmpplib_client",
}
WINDOWS = (1, 10)
ROUND_TRIPS = (0.0, 0.010)
VOID_DRIFT = 0.20
LOST_COUNT, LOST_EVERY, LOST_LIMIT_SECONDS = 200, 20, 10.0


@dataclass
class Probe:
    """What the machine could do at that moment. cpu_ms: a fixed loop. disk_ms: p50 of fdatasync of 4 KiB."""

    cpu_ms: float
    disk_ms: float


@dataclass
class Run:
    """One client in one round of one cell, and what the SMSC saw of it."""

    client: str
    window: int
    rtt_ms: float
    round: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    smsc_share: float
    lost: int
    doubled: int
    void: bool = False


@dataclass
class LostRun:
    """One client while every twentieth answer is lost.

    false: told as accepted though the SMSC never saw it, or as refused though it did. doubled: sent twice.
    unresolved: texts for which the client gave no outcome within the limit.
    """

    client: str
    window: int
    accepted: int
    in_doubt: int
    false: int
    doubled: int
    unresolved: int
    seconds: float


@dataclass
class Result:
    """All of it."""

    runs: list[Run] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    lost: list[LostRun] = field(default_factory=list)


def probe() -> Probe:
    """Measure the machine."""
    began = time.perf_counter()
    total = 0
    for number in range(1_000_000):
        total += number & 7
    cpu_ms = 1e3 * (time.perf_counter() - began)
    block, times = b"x" * 4096, []
    with tempfile.TemporaryFile(dir=ROOT) as file:
        for _ in range(30):
            began = time.perf_counter()
            file.write(block)
            file.flush()
            os.fdatasync(file.fileno())
            times.append(1e3 * (time.perf_counter() - began))
    return Probe(cpu_ms, statistics.median(times))


def cores() -> tuple[int | None, int | None]:
    """A core for the client and one for everything else, where there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def run_client(client: str, peers: Path, patience: float, **orders: object) -> dict[str, Any]:
    """What a client reports. SystemExit if it does not within ``patience`` seconds."""
    python = sys.executable if client == "ringback" else peers
    command = command_line(python, CLIENTS[client], core=cores()[0], **orders)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            command, check=False, timeout=patience, capture_output=True, text=True, cwd=ROOT, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise SystemExit(f"{client} did not end within {patience:g} s") from error
    # How a client ends after its report is its own affair.
    reports = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not reports:
        raise SystemExit(f"{client} failed with {done.returncode}:\n{done.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(reports[-1])
    return report


def measure(peers: Path, rounds: int, seconds: float, progress: Progress) -> Result:
    """Every client in every cell, ``rounds`` times, and the probe before each round."""
    result = Result()
    task = progress.add_task("", total=rounds * len(CLIENTS) * len(WINDOWS) * len(ROUND_TRIPS))
    with helper("tests.bench.smpp_smsc", core=cores()[1]) as smsc:
        for number in range(rounds):
            result.probes.append(probe())
            for rtt in ROUND_TRIPS:
                for window in WINDOWS:
                    names = list(CLIENTS) if number % 2 == 0 else list(reversed(CLIENTS))
                    for client in names:
                        progress.update(
                            task, description=f"round {number + 1}: {client}, window {window}, {rtt * 1e3:g} ms"
                        )
                        run = _one_run(client, peers, smsc, window, rtt, seconds)
                        run.round = number
                        result.runs.append(run)
                        progress.advance(task)
    middle = statistics.median(each.cpu_ms for each in result.probes)
    for run in result.runs:
        run.void = abs(result.probes[run.round].cpu_ms / middle - 1) > VOID_DRIFT
    return result


def _one_run(client: str, peers: Path, smsc: Helper, window: int, rtt: float, seconds: float) -> Run:
    before, began = smsc.ask()["cpu"], time.perf_counter()
    orders = {"window": window, "seconds": seconds}
    if rtt:
        with helper("tests.bench.smpp_relay", core=cores()[1], port=smsc.port, rtt_seconds=rtt) as way:
            report = run_client(client, peers, seconds + 30, port=way.port, **orders)
    else:
        report = run_client(client, peers, seconds + 30, port=smsc.port, **orders)
    elapsed, seen = time.perf_counter() - began, smsc.ask()
    accepted = set(report["outcomes"].get("accepted", []))
    return Run(
        client=client,
        window=window,
        rtt_ms=rtt * 1e3,
        round=0,
        per_second=report["per_second"],
        p50_ms=report["p50_ms"],
        p99_ms=report["p99_ms"],
        cpu_us=report["cpu_us"],
        smsc_share=(seen["cpu"] - before) / min(elapsed, seconds),
        lost=len(accepted - set(seen["seen"])),
        doubled=len(seen["twice"]),
    )


def measure_lost(peers: Path, result: Result, progress: Progress) -> None:
    """Every client while answers are lost, each with an SMSC of its own, so that none inherits another's mess.

    Each is given 0.25 s for an answer where it can be: smpp34's and smpplib's users cannot limit that time, and
    aiosmpplib takes no less than 1 s, and looks for overdue answers only when something else moves.
    """
    task = progress.add_task("", total=len(CLIENTS) * len(WINDOWS))
    for window in WINDOWS:
        for client in CLIENTS:
            progress.update(task, description=f"lost answers: {client}, window {window}")
            with helper("tests.bench.smpp_smsc", core=cores()[1], lose_every=LOST_EVERY) as smsc:
                began = time.perf_counter()
                report = run_client(
                    client,
                    peers,
                    LOST_LIMIT_SECONDS + 30,
                    port=smsc.port,
                    window=window,
                    count=LOST_COUNT,
                    limit=LOST_LIMIT_SECONDS,
                    response_seconds=0.25,
                )
                elapsed, seen = time.perf_counter() - began, smsc.ask()
            outcomes = report["outcomes"]
            accepted, refused = set(outcomes.get("accepted", [])), set(outcomes.get("refused", []))
            told = sum(map(len, outcomes.values()))
            result.lost.append(
                LostRun(
                    client=client,
                    window=window,
                    accepted=len(accepted),
                    in_doubt=len(outcomes.get("in doubt", [])),
                    false=len(accepted - set(seen["seen"])) + len(refused & set(seen["seen"])),
                    doubled=len(seen["twice"]),
                    unresolved=LOST_COUNT - told,
                    seconds=elapsed,
                )
            )
            progress.advance(task)


def interval(values: list[float], seed: int = 7) -> tuple[float, float]:
    """A bootstrap interval of 95 % for the median."""
    chance = random.Random(seed)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(1000))
    return medians[25], medians[974]


def show(result: Result, console: Console) -> None:
    """Tables, and what they say in sentences."""
    good = [run for run in result.runs if not run.void]
    table = Table(title="Texts sent and answered; medians over the rounds that count")
    for name in (
        "round trip",
        "window",
        "client",
        "texts/s",
        "95 %",
        "p50 ms",
        "p99 ms",
        "CPU µs/text",
        "lost",
        "doubled",
    ):
        table.add_column(name, justify="left" if name == "client" else "right")
    sentences = []
    for rtt in ROUND_TRIPS:
        for window in WINDOWS:
            rates = {}
            for client in CLIENTS:
                cell = [r for r in good if (r.client, r.window, r.rtt_ms) == (client, window, rtt * 1e3)]
                if not cell:
                    continue
                rates[client] = statistics.median(run.per_second for run in cell)
                low, high = interval([run.per_second for run in cell])
                figures = [
                    statistics.median(getattr(run, name) for run in cell) for name in ("p50_ms", "p99_ms", "cpu_us")
                ]
                table.add_row(
                    f"{rtt * 1e3:g} ms",
                    str(window),
                    client,
                    f"{rates[client]:,.0f}",
                    f"{low:,.0f} - {high:,.0f}",
                    f"{figures[0]:.2f}",
                    f"{figures[1]:.2f}",
                    f"{figures[2]:.0f}",
                    str(sum(run.lost for run in cell)),
                    str(sum(run.doubled for run in cell)),
                )
            table.add_section()
            if len(rates) == len(CLIENTS):
                ratios = ", ".join(
                    f"{rates['ringback'] / rate:.2f} x {name}" for name, rate in rates.items() if name != "ringback"
                )
                sentences.append(
                    f"Window {window}, {rtt * 1e3:g} ms: ringback sends {rates['ringback']:,.0f} texts/s = {ratios}."
                )
    console.print(table)
    _show_lost(result, console)
    for sentence in sentences:
        console.print(sentence)
    void = sorted({run.round + 1 for run in result.runs if run.void})
    spread = [f"{name} {min(values):.2f} - {max(values):.2f} ms" for name, values in _probes(result).items()]
    console.print(f"Probes: {', '.join(spread)}. Void rounds: {', '.join(map(str, void)) or 'none'}.")
    busy = (
        statistics.median(run.smsc_share for run in good if run.window == max(WINDOWS) and not run.rtt_ms)
        if good
        else 0
    )
    console.print(
        f"The SMSC was busy for {busy:.0%} of a core at window {max(WINDOWS)} on loopback; near 100 %, texts/s are the "
        "SMSC's limit, and CPU per text tells the clients apart."
    )


def _probes(result: Result) -> dict[str, list[float]]:
    return {"CPU": [each.cpu_ms for each in result.probes], "disk": [each.disk_ms for each in result.probes]}


def _show_lost(result: Result, console: Console) -> None:
    title = f"{LOST_COUNT} texts while every {LOST_EVERY}th answer is lost, within {LOST_LIMIT_SECONDS:g} s"
    table = Table(title=title)
    for name in (
        "window",
        "client",
        "accepted",
        "in doubt",
        "told wrongly",
        "doubled",
        "without an outcome",
        "seconds",
    ):
        table.add_column(name, justify="left" if name == "client" else "right")
    for run in result.lost:
        table.add_row(
            str(run.window),
            run.client,
            str(run.accepted),
            str(run.in_doubt),
            str(run.false),
            str(run.doubled),
            str(run.unresolved),
            f"{run.seconds:.1f}",
        )
    console.print(table)


def bench(console: Console, *, quick: bool) -> Result:
    """Measure and tell."""
    with console.status("Installing the peers, once …"):
        peers = python_environment("smpp-peers", *PEERS)
    rounds, seconds = (1, 0.3) if quick else (5, 1.0)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        result = measure(peers, rounds, seconds, progress)
        measure_lost(peers, result, progress)
    show(result, console)
    return result
