"""The peer of durable texts: a whole Jasmin gateway, which takes texts over SMPP, keeps them in RabbitMQ and submits them.

What it does for a text is less, and is kept less well: there is no lead, no plan and no consent, its queues are in RabbitMQ's
memory, and nothing is synced. It is what a brokerage would run in our place.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

from ari_app.clock import SystemClock
from sms_gateway.messages import InboundText, OutboundText, Receipt
from sms_gateway.smpp.client import SmppGateway
from sms_gateway.smpp.options import LinkOptions
from tests.bench import books
from tests.bench.machine import cpu_seconds_of
from tests.bench.processes import Helper
from tests.sms_gateway.interop.jasmin import Jasmin, jasmin
from tests.support.waiting import until

NEEDED = ("redis-server", "epmd", "/usr/lib/rabbitmq/bin/rabbitmq-server")
IN_FLIGHT = 50
"""Texts that the feeding client has open at once: it is not what is measured."""
WITHIN = 600.0


def missing() -> list[str]:
    """The programs that it needs and that are not here."""
    return [name for name in NEEDED if shutil.which(name) is None]


async def measure(folder: Path, smsc: Helper, texts: int, window: int, *, waiting: bool) -> float:
    """Texts through Jasmin to ``smsc``, which tells when they came: the CPU seconds of Jasmin, RabbitMQ and Redis.

    waiting: all of them lie in its queue when its link to the carrier starts.
    """
    carrier = ("cid carrier", "host 127.0.0.1", f"port {smsc.port}", "username bench", "password bench")
    start = ["smppccm -1 carrier"]
    async with jasmin(folder) as hop:
        await hop.configure(
            ["group -a", "gid brokers", "ok"],
            ["user -a", "username ringback", "password secret", "gid brokers", "uid ringback", "ok"],
            ["smppccm -a", *carrier, "submit_throughput 0", "ok"],
            ["mtrouter -a", "type defaultroute", "connector smppc(carrier)", "rate 0", "ok"],
        )
        if waiting:
            await _feed(hop, texts, IN_FLIGHT)
        else:
            await hop.configure(start)
            await _until(smsc, "bound", 1)
        cpu = _cpu()
        await (hop.configure(start) if waiting else _feed(hop, texts, window))
        await _until(smsc, "count", texts)
        return _cpu() - cpu


async def _feed(hop: Jasmin, texts: int, window: int) -> None:
    """All texts into Jasmin, by our own client."""
    options = LinkOptions(
        host="127.0.0.1",
        port=hop.smpp_port,
        system_id="ringback",
        password="secret",
        window=window,
        rate_per_second=1_000_000,
        response_seconds=60.0,
    )
    numbers = iter(range(texts))
    async with SmppGateway(options, _ignore, wall=SystemClock().now, random=lambda: 0.5) as client:
        await client.wait_bound(10.0)

        async def line() -> None:
            for number in numbers:
                body = (
                    "Harbor Realty (automated): sorry we missed your call. Are you buying or selling? STOP to opt out."
                )
                await client.send(
                    OutboundText(books.TEXTING, books.caller(number), body, str(number)), within_seconds=60.0
                )

        async with asyncio.TaskGroup() as lines:
            for _ in range(window):
                lines.create_task(line())


async def _ignore(message: InboundText | Receipt) -> None:
    """Nothing comes in."""


async def _until(smsc: Helper, what: str, least: int) -> None:
    """Until the SMSC has so many."""
    await until(lambda: smsc.ask("counts")[what] >= least, within=WITHIN, what=f"{least} {what} at the SMSC")


def _cpu() -> float:
    """CPU seconds so far of the programs that were started with a session of their own: Jasmin, RabbitMQ, Redis."""
    processes = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                processes[int(entry.name)] = (int(fields[1]), int(fields[3]))
    ours = {pid for pid, (parent, session) in processes.items() if parent == os.getpid() and session == pid}
    total = 0.0
    for pid, (_, session) in processes.items():
        if session in ours:
            with contextlib.suppress(OSError):
                total += cpu_seconds_of(pid)
    return total
