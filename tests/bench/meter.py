"""What a client under test did: how many texts, how fast, at what cost. Standard library only: it also runs where the
peers are installed, and we are not."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

SOURCE, DESTINATION = "+13055550100", "+13055550123"
_WARM_UP = 0.15  # of the run, not counted


@dataclass
class Orders:
    """What to do: the port of the SMSC, requests open at once, an end by time or by count, and a limit in seconds after
    which the client reports what it has and goes."""

    port: int
    window: int
    seconds: float
    count: int
    response_seconds: float
    limit: float
    core: int | None

    @classmethod
    def from_command_line(cls) -> Orders:
        """As the bench gives them; also binds the process to its core."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--window", type=int, required=True)
        parser.add_argument("--seconds", type=float, default=1e9)
        parser.add_argument("--count", type=int, default=10**9)
        parser.add_argument("--response-seconds", type=float, default=10.0)
        parser.add_argument("--limit", type=float, default=60.0)
        parser.add_argument("--core", type=int)
        orders = cls(**vars(parser.parse_args()))
        if orders.core is not None:
            os.sched_setaffinity(0, {orders.core})
        return orders


def body_of(key: int) -> str:
    """A text of 100 characters that tells its key."""
    return f"{key:010d}".ljust(100, "x")


@dataclass
class Meter:
    """Counts. An outcome is ``accepted``, ``refused`` or ``in doubt``."""

    orders: Orders
    began: float = 0.0
    outcomes: dict[str, list[int]] = field(default_factory=dict)
    _latencies: list[float] = field(default_factory=list)
    _warm_at: float = 0.0
    _warm_cpu: float = 0.0
    _ended: float = 0.0

    def numbers(self) -> Iterator[int]:
        """The keys to send, until the time or the count is over."""
        signal.signal(signal.SIGALRM, lambda *_: self._give_up())
        signal.setitimer(signal.ITIMER_REAL, self.orders.limit)
        self.began = time.perf_counter()
        self._warm_at = self.began + _WARM_UP * self.orders.seconds
        if self.orders.seconds > 1e6:
            self._warm_at = self.began
            self._warm_cpu = cpu_seconds()
        for key in range(self.orders.count):
            if time.perf_counter() > self.began + self.orders.seconds:
                return
            yield key

    def ended(self, key: int, sent_at: float, outcome: str) -> None:
        """``key``, sent at ``sent_at`` by ``time.perf_counter``, has its outcome now."""
        now = time.perf_counter()
        self.outcomes.setdefault(outcome, []).append(key)
        if now >= self._warm_at:
            if not self._latencies:
                self._warm_cpu, self._warm_at = cpu_seconds(), now
            self._latencies.append(now - sent_at)
            self._ended = now

    def _give_up(self) -> None:
        self.report()
        os._exit(0)

    def report(self) -> None:
        """Print everything as one line of JSON."""
        ordered = sorted(self._latencies)
        count = len(ordered)
        facts = {
            "outcomes": self.outcomes,
            "per_second": (count - 1) / (self._ended - self._warm_at) if count > 1 else 0.0,
            "cpu_us": 1e6 * (cpu_seconds() - self._warm_cpu) / max(1, count),
            "p50_ms": 1e3 * ordered[count // 2] if ordered else 0.0,
            "p99_ms": 1e3 * ordered[min(count - 1, count * 99 // 100)] if ordered else 0.0,
            "max_ms": 1e3 * ordered[-1] if ordered else 0.0,
        }
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()


def cpu_seconds() -> float:
    """User and system time of this process, all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def drive(meter: Meter, send: Callable[[str], Awaitable[str]]) -> None:
    """Keep ``window`` texts open until the end; ``send`` gives each one's outcome."""
    keys = meter.numbers()

    async def work() -> None:
        for key in keys:
            sent_at = time.perf_counter()
            meter.ended(key, sent_at, await send(body_of(key)))

    await asyncio.gather(*(work() for _ in range(meter.orders.window)))
