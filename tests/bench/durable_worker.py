"""The application's own way of a text, without a PBX: ``python -m tests.bench.durable_worker --port P --window W ...``.

Recorder, ThreadedStore, Dispatcher, TextAdapter and SmppGateway are put together as the application does it. Missed calls
are recorded, ``--at-once`` of them open at a time; one is over when its text is ``done`` in the database. With ``--waiting``
all calls are recorded beforehand, as after an hour without the carrier, and only what follows is measured. Prints a line
of JSON: the seconds for all of them, and the CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import json
import sys
import time
from pathlib import Path

import uvloop

from ari_app.clock import SystemClock
from ari_app.data_folder import database_path
from ari_app.log import configure
from ari_app.notify.gateways import link_options
from ari_app.notify.texts import TextAdapter
from ari_app.recovery.events import EffectSettled
from ari_app.runtime.dispatcher import AfterCrash, Dispatcher, Lane
from ari_app.runtime.recorded import Recorded
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.store.db import prepare
from ari_app.store.stores import ThreadedStore
from sms_gateway.messages import InboundText, Receipt
from sms_gateway.smpp.client import SmppGateway
from tests.bench import books
from tests.bench.meter import cpu_seconds


class Texts:
    """Who waits for the end of which text."""

    def __init__(self) -> None:
        self._settled: dict[int, asyncio.Event] = {}
        self._count = 0
        self._some = asyncio.Event()

    def hear(self, recorded: Recorded) -> None:
        """Told after each commit."""
        if isinstance(recorded.event, EffectSettled) and recorded.lead_id is not None:
            self._settled.setdefault(recorded.lead_id, asyncio.Event()).set()
            self._count += 1
            self._some.set()

    async def end_of(self, lead_id: int) -> None:
        """Until the lead's text is settled."""
        await self._settled.setdefault(lead_id, asyncio.Event()).wait()

    async def all(self, count: int) -> None:
        """Until so many are settled."""
        while self._count < count:
            self._some.clear()
            await self._some.wait()


async def ignore(message: InboundText | Receipt) -> None:
    """Nothing comes in."""


async def main(arguments: argparse.Namespace) -> dict[str, object]:
    """Record, wait, report."""
    settings = books.settings(arguments.folder, port=arguments.port, window=arguments.window)
    section = settings.document.gateways["sms"]
    assert section.type == "smpp"
    clock, path = SystemClock(), database_path(settings)
    prepare(path)
    async with ThreadedStore(path) as store:
        in_force = PolicyInForce(settings.policy, settings.document.model_dump_json(exclude_unset=True))
        recorder = Recorder(store, clock, in_force)
        texts = Texts()
        recorder.listen(texts.hear)
        options = dataclasses.replace(link_options(section, settings), listen_seconds=0.0)
        async with SmppGateway(options, ignore, wall=clock.now, random=lambda: 0.5) as gateway:
            await gateway.wait_bound(10.0)
            adapter = TextAdapter({"sms": gateway}, clock, {})
            dispatcher = Dispatcher(store, recorder, clock, [Lane("text", adapter, AfterCrash.DOUBT, 64, 60.0)])
            numbers = iter(range(arguments.texts))

            async def line(*, wait: bool) -> None:
                for number in numbers:
                    recorded = await recorder.record(books.missed_call(number, clock.now()))
                    assert recorded is not None
                    assert recorded.lead_id is not None
                    if wait:
                        await texts.end_of(recorded.lead_id)

            async def lines(*, wait: bool) -> None:
                async with asyncio.TaskGroup() as calls:
                    for _ in range(arguments.at_once):
                        calls.create_task(line(wait=wait))

            if arguments.waiting:
                await lines(wait=False)
            gc.collect()
            gc.freeze()
            async with asyncio.TaskGroup() as group:
                cpu, began = cpu_seconds(), time.perf_counter()
                dispatching = group.create_task(dispatcher.run())
                if not arguments.waiting:
                    await lines(wait=True)
                await texts.all(arguments.texts)
                seconds, cpu = time.perf_counter() - began, cpu_seconds() - cpu
                dispatching.cancel()
    return {"seconds": seconds, "cpu": cpu}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--window", type=int, default=10)
    parser.add_argument("--texts", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=200)
    parser.add_argument("--waiting", action="store_true")
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    configure("info", as_json=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(main(given))
    sys.stdout.write(json.dumps(report) + "\n")
