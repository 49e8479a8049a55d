"""The embedded default: a file of JSON lines, appended and flushed to the disk before the push counts as done."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import orjson
import structlog

from ari_app.clock import Clock
from ari_app.crm.port import payload
from ari_app.recovery.effects import LeadRecord
from ari_app.recovery.values import EffectId
from ari_app.runtime.dispatcher import retry_wait
from ari_app.runtime.outcome import Done, Outcome, RetryAt

log = structlog.get_logger("crm")

TAIL_OCTETS = 1_000_000
"""How far back a repeated push looks for its own line."""
MODE = 0o640
"""Of a new file: it holds what callers said. An existing one keeps its mode."""


class JsonLines:
    """One file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = asyncio.Lock()

    async def push(self, push_id: EffectId, record: LeadRecord, attempts: int) -> Outcome:
        """Append one line: ``{"id": ..., "at": ..., "lead": {...}}``."""
        at = self._clock.now()
        line = _Line(push_id, at.isoformat(), orjson.dumps(payload(record)))
        async with self._lock:
            try:
                await asyncio.to_thread(_append, self._path, line, attempts > 1)
            except OSError as error:
                return RetryAt(at + retry_wait(attempts), f"{self._path.name}: {error.strerror or error}")
        return Done(ref=str(push_id))

    async def close(self) -> None:
        """Nothing is held open."""


class _Line:
    """One push as it stands in the file. A repetition differs in its time only."""

    def __init__(self, push_id: EffectId, at: str, lead: bytes) -> None:
        self._begin = b'{"id":"%s",' % push_id.encode()
        self._end = b',"lead":%s}' % lead
        self.octets = self._begin + b'"at":"%s"' % at.encode() + self._end + b"\n"

    def stands_in(self, tail: bytes) -> bool:
        return any(line.startswith(self._begin) and line.endswith(self._end) for line in tail.splitlines())


def _append(path: Path, line: _Line, repeated: bool) -> None:
    """On a thread. All of the line is in the file and on the disk, or nothing of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, MODE)
    try:
        size = _mend(file)
        if not (repeated and line.stands_in(os.pread(file, TAIL_OCTETS, max(0, size - TAIL_OCTETS)))):
            try:
                _write(file, line.octets)
            except OSError:
                os.ftruncate(file, size)
                raise
        os.fsync(file)
    finally:
        os.close(file)
    if is_new:
        _sync_folder(path.parent)


def _mend(file: int) -> int:
    """The file's size, when what a crash has torn off at its end is removed: it was never acknowledged, and comes again."""
    size = os.fstat(file).st_size
    if size == 0 or os.pread(file, 1, size - 1) == b"\n":
        return size
    tail = os.pread(file, TAIL_OCTETS, max(0, size - TAIL_OCTETS))
    last = tail.rpartition(b"\n")[2]
    if len(last) == TAIL_OCTETS or _is_whole(last):
        _write(file, b"\n")
        return size + 1
    os.ftruncate(file, size - len(last))
    log.warning("torn_line_removed", octets=len(last))
    return size - len(last)


def _is_whole(line: bytes) -> bool:
    """Whether nothing but the line feed is missing."""
    with contextlib.suppress(orjson.JSONDecodeError):
        orjson.loads(line)
        return True
    return False


def _write(file: int, octets: bytes) -> None:
    """write(2) may take a part only."""
    while octets:
        octets = octets[os.write(file, octets) :]


def _sync_folder(folder: Path) -> None:
    """A new file is safe when its name is, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
