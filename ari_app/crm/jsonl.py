"""The embedded default: a file of JSON lines, appended and flushed to the disk before the push counts as done."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import orjson

from ari_app.clock import Clock
from ari_app.crm.port import payload
from ari_app.recovery.effects import LeadRecord
from ari_app.recovery.values import EffectId
from ari_app.runtime.dispatcher import retry_wait
from ari_app.runtime.outcome import Done, Outcome, RetryAt

TAIL_OCTETS = 1_000_000
"""How far back a repeated push looks for its own line."""


class JsonLines:
    """One file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = asyncio.Lock()

    async def push(self, push_id: EffectId, record: LeadRecord, attempts: int) -> Outcome:
        """Append one line: ``{"id": ..., "at": ..., "lead": {...}}``."""
        at = self._clock.now()
        line = orjson.dumps({"id": push_id, "at": at.isoformat(), "lead": payload(record)}) + b"\n"
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, push_id, line, attempts > 1)
            except OSError as error:
                return RetryAt(at + retry_wait(attempts), f"{self._path.name}: {error.strerror or error}")
        return Done(ref=str(push_id))

    async def close(self) -> None:
        """Nothing is held open."""

    def _append(self, push_id: EffectId, line: bytes, repeated: bool) -> None:
        """On a thread. A line that a crash has torn is ended first, so that the new one stands alone."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - (TAIL_OCTETS if repeated else 1)))
            tail = file.read()
            if repeated and any(line.startswith(b'{"id":"%s",' % push_id.encode()) for line in tail.splitlines()):
                return
            if tail and not tail.endswith(b"\n"):
                file.write(b"\n")
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
