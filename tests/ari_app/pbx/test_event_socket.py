"""How long the event socket waits before it tries again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ari_app.pbx.event_socket import ENDPOINT_EVENTS, NOISE, SocketTiming
from ari_app.pbx.messages import KNOWN_TYPES


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_every_delay_is_long_enough_for_asterisk_and_short_enough_for_us(failures: int, chance: float) -> None:
    delay = SocketTiming().delay(failures, chance)
    assert 0.5 <= delay <= 30.0


def test_delays_double_and_half_of_each_is_chance() -> None:
    timing = SocketTiming()
    assert [timing.delay(failures, 0.0) for failures in range(7)] == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
    assert timing.delay(0, 0.5) == 0.75


def test_a_dead_link_is_noticed_within_ten_seconds() -> None:
    timing = SocketTiming()
    assert timing.check_every + timing.answer_within <= 10.0


def test_a_rival_is_left_alone_for_long_enough_to_be_no_fight() -> None:
    timing = SocketTiming()
    assert 30.0 <= timing.rival_time(0) <= 60.0
    assert [timing.rival_time(taken) / timing.rival_time(0) for taken in range(4)] == [1.0, 2.0, 4.0, 8.0]
    assert timing.rival_time(10_000) == 1800.0


def test_nothing_is_refused_that_we_would_understand() -> None:
    assert not KNOWN_TYPES & set(NOISE)
    assert set(ENDPOINT_EVENTS) <= KNOWN_TYPES
