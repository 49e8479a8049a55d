"""A relay that makes the way to the SMSC longer, in a process of its own: prints its port, ends with its input."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from tests.sms_gateway.relay import relay


async def main() -> None:
    """Run until the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rtt-seconds", type=float, required=True)
    parser.add_argument("--core", type=int)
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with relay(arguments.port, rtt_seconds=arguments.rtt_seconds) as port:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await reader.readline()


asyncio.run(main())
