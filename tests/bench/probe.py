"""The control probe: a process that only wakes up and writes, beside whatever is measured.

``python -m tests.bench.probe --folder F`` prints a port of 0, wakes every 5 ms, and syncs 4 KiB to disk every 50 ms. For a
line on its standard input it answers a line of JSON with the lateness of its timer and the time of its syncs since the line
before, in seconds. What is late here is late because of the machine, not of the software under test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

WAKE_SECONDS, SYNC_SECONDS = 0.005, 0.05


class Lateness:
    """A timer that notes how late it fires."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + WAKE_SECONDS
        self._loop.call_at(self._due, self._fire)

    def _fire(self) -> None:
        now = self._loop.time()
        self.values.append(now - self._due)
        self._due = max(now, self._due) + WAKE_SECONDS
        self._loop.call_at(self._due, self._fire)


class Syncing(threading.Thread):
    """A thread that notes how long a sync takes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.values: list[float] = []
        self._folder = folder

    def run(self) -> None:
        block, pause = b"x" * 4096, threading.Event()
        with tempfile.TemporaryFile(dir=self._folder) as file:
            while not pause.wait(SYNC_SECONDS):
                file.seek(0)
                file.write(block)
                file.flush()
                began = time.perf_counter()
                os.fdatasync(file.fileno())
                self.values.append(time.perf_counter() - began)


async def main() -> None:
    """Until the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--core", type=int)
    syncing = Syncing(parser.parse_args().folder)
    syncing.start()
    lateness = Lateness()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    sys.stdout.write("0\n")
    sys.stdout.flush()
    while await reader.readline():
        late, lateness.values = lateness.values, []
        syncs, syncing.values = syncing.values, []
        sys.stdout.write(json.dumps({"late": late, "sync": syncs}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
