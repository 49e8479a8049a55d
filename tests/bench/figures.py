"""Percentiles, and what a series of them says."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` (0 to 1) of ``ordered`` do not exceed: nearest rank, nothing interpolated.

    Raises ValueError for an empty series, or one that is not in ascending order at its ends.
    """
    if not ordered or not 0.0 <= share <= 1.0 or ordered[0] > ordered[-1]:
        raise ValueError(f"share {share} of {len(ordered)} values in ascending order")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Spread:
    """A series in four numbers, in the unit of the series."""

    count: int
    p50: float
    p99: float
    worst: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ValueError for an empty series."""
        ordered = sorted(values)
        return cls(len(ordered), percentile(ordered, 0.5), percentile(ordered, 0.99), ordered[-1] if ordered else 0.0)

    def milliseconds(self) -> str:
        """For people, of a series in seconds."""
        return f"p50 {1e3 * self.p50:.1f} ms, p99 {1e3 * self.p99:.1f} ms, worst {1e3 * self.worst:.1f} ms"


def middle(values: Sequence[float]) -> float:
    """The median of several runs."""
    return statistics.median(values)
