"""How fast we may go: a token bucket that yields to throttling, and growing pauses. Pure."""

from __future__ import annotations

_BURST_SECONDS = 0.02  # what the carrier sees as one moment, and a loop's timer can still meet
_CALM_SECONDS = 1.0
_RECOVERY_PER_SECOND = 1.1
_RECOVERED_SECONDS = 600.0  # by then every rate is back; in two hours the power would be larger than a float
_SLOWEST = 0.1
_TELLING = 10  # texts a second below which what we really sent says little about what the carrier allows
_ROUNDING = 1e-6


class TokenBucket:
    """At most ``rate`` texts a second; less after the carrier has throttled us, and slowly more again.

    A burst of throttled answers counts once: they are all answers to the same speed.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._granted = rate
        self._rate = rate
        self._tokens = 1.0
        self._filled_at = now
        self._lowered_at = now - _CALM_SECONDS
        self._second = now
        self._spent = 0
        self._spent_before = 0

    @property
    def rate(self) -> float:
        """Texts a second when one was last asked for."""
        return self._rate

    def rate_at(self, now: float) -> float:
        """Texts a second at ``now``: it comes back also while nothing is sent."""
        if self._rate >= self._granted or now <= self._lowered_at + _CALM_SECONDS:
            return self._rate
        calm = min(now - self._filled_at, _RECOVERED_SECONDS)
        return min(self._granted, float(self._rate * _RECOVERY_PER_SECOND**calm))

    def take(self, now: float) -> float:
        """0.0 if a text may go now, which is then counted; else the seconds to wait."""
        self._rate = self.rate_at(now)
        elapsed = now - self._filled_at
        self._filled_at = now
        self._tokens = min(max(1.0, self._rate * _BURST_SECONDS), self._tokens + elapsed * self._rate)
        if self._tokens < 1.0 - _ROUNDING:
            return (1.0 - self._tokens) / self._rate
        self._tokens -= 1.0
        self._count(now)
        self._spent += 1
        return 0.0

    def throttled(self, now: float) -> None:
        """The carrier said that we are too fast: half the rate, or half of what we really did if that is less."""
        if now < self._lowered_at + _CALM_SECONDS:
            return
        self._count(now)
        real = max(self._spent, self._spent_before, _TELLING)
        self._rate = max(_SLOWEST, min(self._rate, real) / 2)
        self._tokens, self._filled_at = 0.0, now
        self._lowered_at = now

    def _count(self, now: float) -> None:
        if now >= self._second + 1.0:
            self._spent_before = self._spent if now < self._second + 2.0 else 0
            self._spent = 0
            self._second = now


def pause(attempt: int, first: float, cap: float, jitter: float) -> float:
    """Seconds to wait before attempt ``attempt`` + 1: ``first`` doubled each time, at most ``cap``, less up to half.

    jitter: a random number from 0 to 1, so that many clients do not come back at once.
    """
    return float(min(cap, first * 2.0 ** min(attempt, 32)) * (1.0 - jitter / 2))
