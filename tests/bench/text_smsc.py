"""The SMSC of the benches that count callers: smpp34's server in a process of its own.

Prints its port. For a line on its standard input it answers a line of JSON: for each submit_sm its destination and when it
came, in seconds since the epoch; its CPU time; and how many clients are bound.
With ``--receipts`` it sends a delivery receipt for each text, as a carrier does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys

import smpp34

from tests.bench.machine import wall
from tests.bench.meter import cpu_seconds
from tests.support.ports import free_port


class TextSmsc:
    """Accepts every text at once."""

    def __init__(self, port: int, *, receipts: bool) -> None:
        self._server = smpp34.Server("127.0.0.1", port, system_id="bench")
        self._receipts: asyncio.Queue[tuple[str, smpp34.SubmitSmEvent]] | None = asyncio.Queue() if receipts else None
        self._clients: list[smpp34.Esme] = []
        self._count = 0
        self.texts: list[tuple[str, float]] = []

    @property
    def bound(self) -> int:
        return len(self._clients)

    async def run(self) -> None:
        """Until cancelled."""
        await self._server.start()
        async with asyncio.TaskGroup() as group:
            if self._receipts is not None:
                for _ in range(8):
                    group.create_task(self._receipt_all(self._receipts))
            while True:
                self._take(await self._server.next())

    def _take(self, event: object) -> None:
        if isinstance(event, smpp34.Esme):
            self._clients.append(event)
        elif isinstance(event, smpp34.Unbound):
            self._clients = [client for client in self._clients if client.session_id != event.session_id]
        elif isinstance(event, smpp34.SubmitSmEvent):
            self.texts.append((event.destination_addr, wall()))
            self._count += 1
            message_id = f"{0xA0000 + self._count:x}"
            event.accept(message_id)
            if self._receipts is not None:
                self._receipts.put_nowait((message_id, event))

    async def _receipt_all(self, queue: asyncio.Queue[tuple[str, smpp34.SubmitSmEvent]]) -> None:
        while True:
            message_id, text = await queue.get()
            body = f"id:{message_id} sub:001 dlvrd:001 submit date:2611241500 done date:2611241500 stat:DELIVRD err:000 text:"
            with contextlib.suppress(Exception):
                await self._clients[-1].deliver_sm(
                    text.source_addr,
                    body.encode("ascii"),
                    source_addr=text.destination_addr,
                    source_addr_ton=1,
                    source_addr_npi=1,
                    dest_addr_ton=1,
                    dest_addr_npi=1,
                    esm_class=0x04,  # SMPP 3.4 section 5.2.12: a delivery receipt
                )


async def main() -> None:
    """Run until the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--receipts", action="store_true")
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    port = arguments.port or free_port()
    smsc = TextSmsc(port, receipts=arguments.receipts)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(smsc.run())
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        while line := await reader.readline():
            facts: dict[str, object] = {"cpu": cpu_seconds(), "bound": smsc.bound, "count": len(smsc.texts)}
            if line.strip() == b"report":
                facts["texts"], smsc.texts = smsc.texts, []
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()
        serving.cancel()


if __name__ == "__main__":
    asyncio.run(main())
