"""What goes wrong in one simulated day, how often, and how long the day is. Everything is drawn from the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime

_STARTS = (
    datetime(2026, 11, 24, 15, 0, tzinfo=UTC),  # a Tuesday, 10:00 in Miami
    datetime(2026, 11, 25, 1, 30, tzinfo=UTC),  # half an hour before Miami's quiet hours
    datetime(2026, 11, 1, 3, 0, tzinfo=UTC),  # the night in which clocks go back
    datetime(2027, 3, 14, 4, 0, tzinfo=UTC),  # the night in which they go forward
)
_LENGTHS = (1200.0, 7200.0, 100_000.0)


@dataclass(frozen=True, slots=True)
class Weather:
    """Rates are probabilities for each occasion, or (``every``) the mean seconds between two; 0 is never.

    seconds: how long callers call. fifo: tasks run in the order in which they became ready, as in production.
    """

    start: datetime
    seconds: float
    fifo: bool
    family: int
    callers: int
    poll_seconds: float
    kill_every: float
    kill_at_commit: float
    kill_when_taken: float
    full_every: float
    carrier_down_every: float
    submit_faults: float
    receipt_faults: float
    repeats: float
    target_faults: float
    pbx_down_every: float
    jump_every: float
    reload_every: float
    agent_every: float
    clerk_every: float


def forecast(rng: random.Random) -> Weather:
    """The weather of a seed: about one day in ten is calm, one in ten is all storms."""
    violence = rng.choice((0.0, 0.3, 0.3, 0.6, 0.6, 0.6, 1.0, 1.0, 1.0, 2.0))
    seconds = rng.choice(_LENGTHS)

    def rate(most: float) -> float:
        """Some faults stay away altogether, so that others are seen alone."""
        return 0.0 if rng.random() < 0.3 else min(0.9, most * violence)

    def every(times: float) -> float:
        expected = 0.0 if rng.random() < 0.3 else times * violence
        return seconds / expected if expected else 0.0

    return Weather(
        start=rng.choice(_STARTS),
        seconds=seconds,
        fifo=rng.random() < 0.5,
        family=rng.randrange(2),
        callers=rng.choice((1, 2, 3, 4)),
        poll_seconds=rng.choice((1800.0, 7200.0, 14400.0)),
        kill_every=every(2.0),
        kill_at_commit=rate(0.01),
        kill_when_taken=rate(0.1),
        full_every=every(1.5),
        carrier_down_every=every(3.0),
        submit_faults=rate(0.3),
        receipt_faults=rate(0.3),
        repeats=rate(0.2),
        target_faults=rate(0.2),
        pbx_down_every=every(1.0),
        jump_every=every(1.0),
        reload_every=every(1.5),
        agent_every=every(4.0),
        clerk_every=every(4.0),
    )
