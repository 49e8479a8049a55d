"""The load of the chaos: SIPp calls from ever new numbers, who wait, give up or are answered, and texts in reply."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.bench.books import caller
from tests.bench.missed_calls import SippRun
from tests.support.ports import free_port
from tests.support.sipp import Sipp, sipp_register
from tests.support.stage import CARRIER_IP, Stage, WireText

RINGING, ANSWERING = "13055550106", "13055550107"
"""The numbers whose phone nobody takes, and whose phone is taken after a moment."""
TALK_SECONDS, PATIENCE_SECONDS = 2.0, 1.5
LONGEST_CALL_SECONDS = 20.0

SETTINGS = """\
version: 1
data: data
brokerage: {{name: Harbor Realty, phone: "+13055550199", country: US, time_zone: America/New_York}}
offices: {{miami: {{name: Miami, hours: always}}}}
hours: {{always: {{week: {{mon-sun: 0:00-24:00}}}}}}
agents: {{ana: {{name: Ana, email: ana@harbor.example, phone: "101"}}}}
groups: {{front: {{phones: ["101"], agents: [ana]}}, second: {{phones: ["102"], agents: [ana]}}}}
number_defaults: {{office: miami, group: front, rings: 3, abandoned_rings: 1, after_miss: hangup, plan: texting}}
numbers:
  "13055550106": {{source: Sign}}
  "13055550107": {{group: second}}
plans: {{texting: [{{text: missed}}, push]}}
templates:
  texts: {{missed: "{{brokerage}} (automated): sorry we missed your {{time}} call. Buying or selling? STOP to opt out."}}
cadence: {{ring_seconds: {ring_seconds}, first_ring: 4s, dropped: 1s}}
callback: {{to: [_1NXXNXXXXXX], trunk: carrier}}
limits: {{alike_per_hour: 1000000, per_hour: 1000000, per_number_per_day: 1000000}}
quiet_hours: {{contact: 0:00-24:00, texts: send}}
texts: {{hold: 5s}}
gateways:
  sms: {{type: smpp, host: 127.0.0.1, port: {smpp_port}, system_id: ringback, password: {{env: RINGBACK_STAGE_SMPP}},
        per_second: 1000, response: 3s, enquire: 5s}}
text_routes: [{{to: _1NXXNXXXXXX, via: sms}}]
email: {{host: 127.0.0.1, port: {smtp_port}, security: none, sender: ringback@harbor.example}}
crm: {{file: {{type: jsonl, file: leads.jsonl}}}}
web: {{port: {web_port}}}
log: {{format: json}}
pbx:
  http: {{port: {http_port}}}
  ami: {{port: {ami_port}}}
  sip: {{port: {sip_port}}}
  rtp: {{first: 33000, last: 41999}}
phones: {{"101": {{name: A}}, "102": {{name: B}}}}
trunks: {{carrier: {{host: 127.0.0.2, port: {carrier_port}, match: [127.0.0.2], qualify: false}}}}
"""


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of callers. first: where their numbers begin. rate: calls a second."""

    scenario: str
    dialled: str
    first: int
    rate: float
    seconds: float


STREAMS = (
    Stream("storm_waits", RINGING, 0, 2.0, TALK_SECONDS),
    Stream("storm_gives_up", RINGING, 100_000, 0.5, PATIENCE_SECONDS),
    Stream("storm_waits", ANSWERING, 200_000, 0.5, TALK_SECONDS),
)


@dataclass
class Replies:
    """What people text back. said: who has said what. Bring them with ``MoodySmsc.bring``."""

    seed: int
    said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def to(self, text: WireText) -> str | None:
        """The answer of the person who has got this text; None for most, and for every text but the first."""
        if text.destination in self.said or "sorry we missed" not in text.body:
            return None
        drawn = self._chance.random()
        if drawn > 0.25:
            return None
        answer = "STOP" if drawn < 0.1 else f"I want to sell, number {len(self.said)}"
        self.said[text.destination] = answer
        return answer


@contextlib.asynccontextmanager
async def phones(stage: Stage) -> AsyncIterator[None]:
    """Both desk phones, registered: 101 rings for ever, 102 is taken after half a second."""
    ports = {number: free_port(socket.SOCK_DGRAM) for number in ("101", "102")}
    for number, port in ports.items():
        secret = stage.settings.secrets().resolve(f"phone-{number}", None)
        await sipp_register(stage.sip, number, secret, port=port, lifetime=3600)
    async with (
        Sipp("phone_rings", stage.sip, port=ports["101"], calls=None),
        Sipp("phone_answers", stage.sip, port=ports["102"], calls=None, pause_seconds=0.5),
    ):
        yield


@contextlib.asynccontextmanager
async def calls(stage: Stage, seconds: float, *, share: float = 1.0) -> AsyncIterator[list[SippRun]]:
    """Calls come while the block runs, for ``seconds`` at most. share: of the usual rate."""
    async with contextlib.AsyncExitStack() as stack:
        runs = []
        for stream in STREAMS:
            rate = stream.rate * share
            count = max(1, round(rate * seconds))
            words: tuple[str, ...] = (
                "-i",
                CARRIER_IP,
                "-mi",
                CARRIER_IP,
                "-s",
                stream.dialled,
                "-m",
                str(count),
                "-l",
                "500",
            )
            words += ("-r", f"{round(rate * 1000)}", "-rp", "1000000", "-d", f"{stream.seconds * 1000:.0f}")
            words += ("-recv_timeout", f"{LONGEST_CALL_SECONDS * 1000:.0f}", "-inf", "numbers.csv")
            run = SippRun(stream.scenario, stage.sip, *words)
            stack.callback(run.forget)
            lines = [caller(stream.first + number).removeprefix("+") for number in range(count)]
            run.numbers.write_text("SEQUENTIAL\n" + "".join(f"{line}\n" for line in lines))
            runs.append(await stack.enter_async_context(run))
        yield runs
        await _finish(runs)


async def _finish(runs: list[SippRun]) -> None:
    """No new calls; those under way come to their end (SIPp's SIGUSR1). Whoever was cut off would talk for ever."""
    waiting = [run.process for run in runs if run.process is not None and run.process.returncode is None]
    for process in waiting:
        process.send_signal(signal.SIGUSR1)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_CALL_SECONDS + 10.0):
            for process in waiting:
                await process.wait()
