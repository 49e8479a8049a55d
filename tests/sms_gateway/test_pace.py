"""How fast we go, how we yield, and how we come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.smpp.pace import TokenBucket, pause


def sent_within(bucket: TokenBucket, start: float, seconds: float) -> int:
    """How many texts go in ``seconds`` if one tries as hard as it is allowed to."""
    now, count = start, 0
    while now < start + seconds:
        wait = bucket.take(now)
        count += wait == 0.0
        now += wait
    return count


@pytest.mark.parametrize("rate", [0.5, 3.75, 30.0, 1000.0])
def test_the_rate_is_kept_within_two_percent_over_a_minute(rate: float) -> None:
    assert sent_within(TokenBucket(rate, 0.0), 0.0, 60.0) == pytest.approx(rate * 60, rel=0.02, abs=1)


def test_an_idle_minute_saves_nothing_up() -> None:
    bucket = TokenBucket(10.0, 0.0)
    assert sent_within(bucket, 60.0, 1.0) <= 11


def test_throttling_halves_what_was_really_sent() -> None:
    bucket = TokenBucket(1_000_000.0, 0.0)
    for n in range(40):
        assert bucket.take(n / 50) == 0.0
    bucket.throttled(0.8)
    assert bucket.rate == 20.0
    assert bucket.take(0.8) == pytest.approx(0.05)


def test_a_few_texts_say_little_about_what_the_carrier_allows() -> None:
    bucket = TokenBucket(1_000_000.0, 0.0)
    bucket.take(0.0)
    bucket.throttled(0.1)
    assert bucket.rate == 5.0


def test_a_burst_of_throttled_answers_counts_once() -> None:
    bucket = TokenBucket(16.0, 0.0)
    sent_within(bucket, 0.0, 3.0)
    for _ in range(10):
        bucket.throttled(3.0)
    assert bucket.rate == 8.0


def test_throttling_again_and_again_never_stops_us() -> None:
    bucket = TokenBucket(16.0, 0.0)
    for second in range(100):
        bucket.throttled(second * 10.0)
    assert bucket.rate == pytest.approx(0.1)


def test_the_rate_comes_back_slowly_and_never_above_the_granted() -> None:
    bucket = TokenBucket(16.0, 0.0)
    sent_within(bucket, 0.0, 3.0)
    bucket.throttled(3.0)
    bucket.take(3.5)
    assert bucket.rate == 8.0
    sent_within(bucket, 3.5, 3.5)
    assert 8.0 < bucket.rate < 16.0
    sent_within(bucket, 7.0, 10.0)
    assert bucket.rate == 16.0


@pytest.mark.parametrize("hours", [0.2, 3.0, 24.0 * 365])
def test_a_rate_that_was_lowered_is_back_after_any_time_without_texts(hours: float) -> None:
    bucket = TokenBucket(16.0, 0.0)
    for second in range(100):
        bucket.throttled(second * 10.0)
    assert bucket.rate_at(990.0) == pytest.approx(0.1)
    later = 990.0 + hours * 3600.0
    assert bucket.rate_at(later) == 16.0
    assert bucket.take(later) == 0.0
    assert bucket.rate == 16.0


def test_what_was_sent_long_ago_does_not_count() -> None:
    bucket = TokenBucket(1_000.0, 0.0)
    sent_within(bucket, 0.0, 1.0)
    bucket.take(60.0)
    bucket.throttled(60.1)
    assert bucket.rate == 5.0


@given(st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_pauses_double_up_to_the_cap_less_up_to_half(attempt: int, jitter: float) -> None:
    full = min(60.0, 2.0 ** min(attempt, 10))
    assert full / 2 <= pause(attempt, 1.0, 60.0, jitter) <= full
