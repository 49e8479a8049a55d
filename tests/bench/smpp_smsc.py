"""The SMSC of the bench: smpp34's server in a process of its own, which counts what it gets by its key.

Started with the share of answers to lose; prints its port, and for every line on its standard input a line of JSON:
how often each key came, as counts, and its CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections import Counter

import smpp34

from tests.bench.meter import cpu_seconds
from tests.support.ports import free_port


async def main() -> None:
    """Run until the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lose-every", type=int, default=0)
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    counts: Counter[int] = Counter()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve(server, counts, arguments.lose_every))
        while await reader.readline():
            twice = [key for key, count in counts.items() if count > 1]
            facts = {"seen": sorted(counts), "twice": twice, "texts": counts.total(), "cpu": cpu_seconds()}
            counts.clear()
            sys.stdout.write(json.dumps(facts) + "\n")
            sys.stdout.flush()
        serving.cancel()


async def serve(server: smpp34.Server, counts: Counter[int], lose_every: int) -> None:
    """Accept every text, but leave every ``lose_every``th without an answer."""
    number, unanswered = 0, []
    while True:
        event = await server.next()
        if not isinstance(event, smpp34.SubmitSmEvent):
            continue
        number += 1
        counts[int(event.short_message[:10])] += 1
        if lose_every and number % lose_every == 0:
            unanswered.append(event)  # dropping it would be an answer
        else:
            event.accept(str(number))


asyncio.run(main())
