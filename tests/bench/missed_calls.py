"""Missed calls under load: SIPp is the carrier and the desk phone, Asterisk, the application and the SMSC are real.

Calls come in at a fixed rate from ever new numbers and ring for three true rings (18 s); nobody answers. Measured, by one
clock of one machine:

* third ring -> committed: from three rings after the first RINGING that the application heard, to the return of the commit
  that holds the call's event, its lead, its text and its push;
* committed -> wire: from there to the arrival of the text's submit_sm at the SMSC;
* the phone's third ring -> wire: from three rings after the phone sent its 180, by SIPp's own log, to that arrival: seen from
  outside, with Asterisk's share in it.

The same calls then go to a naive script (``naive_peer``), which keeps nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ari_app.pbx.host import find_asterisk
from tests.bench.books import caller
from tests.bench.figures import Spread
from tests.bench.machine import ROOT, cpu_seconds_of, wall
from tests.bench.processes import Control, Helper, helper
from tests.support.ports import free_port
from tests.support.sipp import sipp_register
from tests.support.stage import CARRIER_IP, Stage
from tests.support.waiting import until

RATE, CALLS, QUICK_CALLS = 20.0, 1200, 60
RING_SECONDS, RINGS = 6.0, 3
DIALLED, PHONE = "13055550106", "101"
SUBJECTS = {"ringback": "tests.bench.tapped_run", "naive": "tests.bench.naive_peer"}
SCENARIOS = Path(__file__).parent / "scenarios"
AIM_SECONDS, AIM_RINGING = 0.050, 300

SETTINGS = """\
version: 1
data: data
brokerage: {{name: Harbor Realty, phone: "+13055550199", country: US, time_zone: America/New_York}}
offices: {{miami: {{name: Miami, hours: always}}}}
hours: {{always: {{week: {{mon-sun: 0:00-24:00}}}}}}
agents: {{ana: {{name: Ana, email: ana@harbor.example, phone: "101"}}}}
groups: {{front: {{phones: ["101"], agents: [ana]}}}}
numbers: {{"13055550106": {{office: miami, group: front, rings: 3, after_miss: hangup, plan: texting, source: Sign}}}}
plans: {{texting: [{{text: missed}}, push]}}
templates:
  texts: {{missed: "{{brokerage}} (automated): sorry we missed your {{time}} call. Buying or selling? STOP to opt out."}}
cadence: {{ring_seconds: {ring_seconds}}}
callback: {{to: [_1NXXNXXXXXX], trunk: carrier}}
limits: {{alike_per_hour: 1000000, per_hour: 1000000, per_number_per_day: 1000000}}
quiet_hours: {{contact: 0:00-24:00, texts: send}}
gateways:
  sms: {{type: smpp, host: 127.0.0.1, port: {smpp_port}, system_id: ringback, password: {{env: RINGBACK_STAGE_SMPP}},
        per_second: 1000}}
text_routes: [{{to: _1NXXNXXXXXX, via: sms}}]
crm: {{file: {{type: jsonl, file: leads.jsonl}}}}
web: {{port: {web_port}}}
log: {{format: json}}
pbx:
  http: {{port: {http_port}}}
  ami: {{port: {ami_port}}}
  sip: {{port: {sip_port}}}
  rtp: {{first: 33000, last: 41999}}
phones: {{"101": {{name: A}}}}
trunks: {{carrier: {{host: 127.0.0.2, port: {carrier_port}, match: [127.0.0.2], qualify: false}}}}
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one subject's calls. Spreads in seconds; CPU in milliseconds a call.

    lost: calls that SIPp made and that ended without an event (a text, for the naive peer). doubled: numbers with two texts.
    untexted: numbers without a text. failed: calls that SIPp saw end otherwise than refused after three rings.
    ringing: phones that rang at the same time, at most.
    """

    subject: str
    calls: int
    lost: int
    untexted: int
    doubled: int
    failed: int
    ringing: int
    committed: Spread | None
    dispatched: Spread
    outside: Spread
    app_ms: float
    asterisk_ms: float
    control: Control


@dataclass(frozen=True, slots=True)
class Result:
    """asterisk: its version."""

    asterisk: str
    rate: float
    outcomes: list[Outcome]


def bench(console: Console, *, quick: bool) -> Result:
    """Measure and tell."""
    host = find_asterisk(progress=lambda line: console.print(f"  {line}"))
    with Progress(console=console, transient=True) as progress:
        outcomes = asyncio.run(_all(QUICK_CALLS if quick else CALLS, console, progress))
    result = Result(str(host.version), RATE, outcomes)
    _show(result, console)
    return result


async def _all(calls: int, console: Console, progress: Progress) -> list[Outcome]:
    """Both subjects, one after the other, each on a PBX of its own."""
    return [await _one(subject, calls, RATE, console, progress) for subject in SUBJECTS]


async def _one(subject: str, calls: int, rate: float, console: Console, progress: Progress) -> Outcome:
    task = progress.add_task(f"{subject}: starting", total=calls)
    async with _stage() as stage:
        with (
            helper("tests.bench.text_smsc", port=stage.ports["smpp_port"], receipts=True) as smsc,
            helper("tests.bench.probe", folder=stage.folder) as probe,
        ):
            report = stage.folder / "heard.json"
            async with _running(subject, stage, report) as process, _phone(stage) as phone:
                await until(lambda: smsc.ask("count")["bound"], within=20.0, what=f"{subject} to bind")
                if subject == "ringback":
                    await _healthy(stage)
                pids = (process.pid, _asterisk_pid(stage))
                before = [cpu_seconds_of(pid) for pid in pids]
                probe.ask()
                progress.update(task, description=f"{subject}: {calls} calls, {rate:g} a second")
                errors, failed = await _call(
                    stage, calls, rate, smsc, lambda done: progress.update(task, completed=done)
                )
                control = Control.ask(probe)
                rang = phone.rang()
                used = [cpu_seconds_of(pid) - was for pid, was in zip(pids, before, strict=True)]
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(30):
                    await process.wait()
            texts = smsc.ask()["texts"]
            if failed:
                console.print(f"SIPp's callers: {errors}", highlight=False)
            return _judge(subject, calls, failed, json.loads(report.read_text()), texts, rang, used, control)


def _judge(
    subject: str,
    calls: int,
    failed: int,
    heard: list[dict[str, Any]],
    texts: list[tuple[str, float]],
    rang: dict[str, float],
    used: list[float],
    control: Control,
) -> Outcome:
    """Join the clocks on the caller's number."""
    made = {caller(number).removeprefix("+") for number in range(calls)}
    arrived: dict[str, float] = {}
    for number, at in texts:
        arrived.setdefault(number, at)
    events = {str(one["caller"]).removeprefix("+"): one for one in heard}
    third = {number: float(one["third_ring"]) for number, one in events.items()}
    commits = {number: float(one["committed"]) for number, one in events.items() if "committed" in one}
    ours = [number for number in made if number in arrived and number in events]
    begun = commits or third
    return Outcome(
        subject=subject,
        calls=calls,
        lost=len(made - events.keys()),
        untexted=len(made - arrived.keys()),
        doubled=sum(count > 1 for count in Counter(number for number, _ in texts).values()),
        failed=failed,
        ringing=_at_once([(rang[number], begun[number]) for number in ours if number in rang]),
        committed=Spread.of([commits[number] - third[number] for number in ours]) if commits else None,
        dispatched=Spread.of([arrived[number] - begun[number] for number in ours]),
        outside=Spread.of([arrived[number] - rang[number] - RINGS * RING_SECONDS for number in ours if number in rang]),
        app_ms=1e3 * used[0] / calls,
        asterisk_ms=1e3 * used[1] / calls,
        control=control,
    )


def _at_once(spans: list[tuple[float, float]]) -> int:
    """The most spans that cover one moment."""
    moments = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return most


def _show(result: Result, console: Console) -> None:
    table = Table(
        title=f"Missed calls on Asterisk {result.asterisk}: {result.rate:g} a second; times in ms as p50 / p99 / worst"
    )
    for name in ("", *(outcome.subject for outcome in result.outcomes)):
        table.add_column(name, justify="right" if name else "left")

    def row(name: str, *cells: str) -> None:
        table.add_row(name, *cells)

    outcomes = result.outcomes
    row("calls", *(f"{outcome.calls:,}" for outcome in outcomes))
    row("ringing at once, at most", *(str(outcome.ringing) for outcome in outcomes))
    row("third ring -> event committed", *("-" if o.committed is None else _cell(o.committed) for o in outcomes))
    row("event committed (naive: third ring) -> submit_sm", *(_cell(outcome.dispatched) for outcome in outcomes))
    row("the phone's third ring -> submit_sm", *(_cell(outcome.outside) for outcome in outcomes))
    row("calls lost", *(str(outcome.lost) for outcome in outcomes))
    row("callers without a text", *(str(outcome.untexted) for outcome in outcomes))
    row("callers texted twice", *(str(outcome.doubled) for outcome in outcomes))
    row("calls that SIPp saw fail", *(str(outcome.failed) for outcome in outcomes))
    row("CPU of the application, ms a call", *(f"{outcome.app_ms:.1f}" for outcome in outcomes))
    row("CPU of Asterisk, ms a call", *(f"{outcome.asterisk_ms:.1f}" for outcome in outcomes))
    row("control: timer late", *(_cell(outcome.control.late) for outcome in outcomes))
    row("control: fdatasync", *(_cell(outcome.control.sync) for outcome in outcomes))
    console.print(table)
    for outcome in outcomes:
        for sentence in _sentences(outcome):
            console.print(sentence)


def _cell(spread: Spread) -> str:
    return f"{1e3 * spread.p50:.1f} / {1e3 * spread.p99:.1f} / {1e3 * spread.worst:.1f}"


def _sentences(outcome: Outcome) -> list[str]:
    """What a reader has to know, against the aim."""
    sentences = []
    if outcome.committed is not None:
        slowest = max(outcome.committed.p99, outcome.dispatched.p99)
        clean = not (outcome.lost or outcome.untexted or outcome.doubled)
        met = clean and slowest <= AIM_SECONDS
        sentences.append(
            f"The aim, none lost, none doubled and a p99 of at most {1e3 * AIM_SECONDS:g} ms each, is "
            f"{'reached' if met else 'missed'}: {outcome.lost} lost, {outcome.doubled} doubled, p99 "
            f"{1e3 * outcome.committed.p99:.1f} ms to the commit and {1e3 * outcome.dispatched.p99:.1f} ms to the wire."
        )
    if outcome.ringing < AIM_RINGING:
        sentences.append(f"Only {outcome.ringing} phones rang at once, not {AIM_RINGING}: too short a run to judge by.")
    return sentences


# --------------------------------------------------------------------------------------------------------------- the stage
@contextlib.asynccontextmanager
async def _stage() -> AsyncIterator[Stage]:
    """A PBX and settings; everything else is started by the bench."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-bench-"))
    folder.chmod(0o711)  # noqa: ASYNC240 - Asterisk's account goes through it
    stage = Stage(folder, SETTINGS, ring_seconds=RING_SECONDS)
    try:
        await stage.start_pbx()
        yield stage
    finally:
        if stage.pbx is not None:
            stage.pbx.process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _asterisk_pid(stage: Stage) -> int:
    status = stage.asterisk.status()
    assert status is not None
    return status.pid


@contextlib.asynccontextmanager
async def _running(subject: str, stage: Stage, report: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """The subject, ready. Raises RuntimeError with the end of its log."""
    with stage.log_path.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", SUBJECTS[subject], "--config", str(stage.path), "--report", str(report)),
            env={**stage.environment, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
        )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            if await process.stdout.readline() != b"ready\n":
                raise RuntimeError(f"{subject} did not start:\n{stage.log_path.read_text()[-3000:]}")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _healthy(stage: Stage) -> None:
    """Until the application says that calls reach it."""
    url = f"http://127.0.0.1:{stage.ports['web_port']}/health"
    async with aiohttp.ClientSession() as http, asyncio.timeout(20):
        while True:
            async with http.get(url) as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.1)  # noqa: TID251 - until() cannot await its probe


# --------------------------------------------------------------------------------------------------------------------- SIPp
_RANG = re.compile(r"phone From:.*?<sip:\+?(\d+)@.*?([0-9]{10}\.[0-9]{6})", re.DOTALL)


class SippRun:
    """One SIPp of the bench, in a folder of its own."""

    def __init__(self, scenario: str, remote: str, *words: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sipp-bench-"))
        self.numbers = self._folder / "numbers.csv"
        self._log, self._errors = self._folder / "log.txt", self._folder / "errors.txt"
        self._command = [
            *("sipp", remote, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-nostdin", *words),
            *("-trace_logs", "-log_file", str(self._log), "-trace_err", "-error_file", str(self._errors)),
        ]
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> SippRun:
        quiet = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(
            *self._command, stdin=quiet, stdout=quiet, stderr=quiet, cwd=self._folder
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def rang(self) -> dict[str, float]:
        """When the phone rang for which caller, in seconds since the epoch."""
        text = self._log.read_text(errors="replace")
        return {number: float(at) for number, at in _RANG.findall(text)}

    def errors(self) -> str:
        """The end of what went wrong."""
        return self._errors.read_text(errors="replace")[-1500:] if self._errors.exists() else "no errors were written"

    def forget(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def _phone(stage: Stage) -> AsyncIterator[SippRun]:
    """The desk phone, registered."""
    port = free_port(socket.SOCK_DGRAM)
    secret = stage.settings.secrets().resolve(f"phone-{PHONE}", None)
    await sipp_register(stage.sip, PHONE, secret, port=port, lifetime=3600)
    phone = SippRun("phone", stage.sip, "-i", "127.0.0.1", "-p", str(port), "-l", "2000")
    try:
        async with phone:
            yield phone
    finally:
        phone.forget()


async def _call(stage: Stage, calls: int, rate: float, smsc: Helper, tell: Any) -> tuple[str, int]:
    """Make all calls and wait for their texts, at most 10 s behind the last; SIPp's errors, and how many calls failed."""
    words = ("-i", CARRIER_IP, "-mi", CARRIER_IP, "-s", DIALLED, "-m", str(calls), "-r", f"{rate:g}", "-l", "2000")
    callers = SippRun("caller", stage.sip, *words, "-inf", "numbers.csv", "-trace_stat", "-stf", "stat.csv", "-fd", "1")
    lines = [caller(number).removeprefix("+") for number in range(calls)]
    callers.numbers.write_text("SEQUENTIAL\n" + "".join(f"{line}\n" for line in lines))
    async with callers:
        assert callers.process is not None
        deadline = wall() + calls / rate + RINGS * RING_SECONDS + 30.0
        while callers.process.returncode is None and wall() < deadline:
            tell(smsc.ask("count")["count"])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await callers.process.wait()
        with contextlib.suppress(AssertionError):
            await until(lambda: smsc.ask("count")["count"] >= calls, within=10.0)
        tell(smsc.ask("count")["count"])
    stat = (callers.numbers.parent / "stat.csv").read_text().splitlines()
    last = dict(zip(stat[0].split(";"), stat[-1].split(";"), strict=False))
    errors = callers.errors()
    callers.forget()
    return errors, calls - int(last["SuccessfulCall(C)"])
