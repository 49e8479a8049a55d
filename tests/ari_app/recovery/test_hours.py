"""Business hours and quiet hours on wall clocks that jump, skip days and cross midnight."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.recovery.hours import Hours, Spans, contact_closes, contact_opens, in_window

MIAMI = ZoneInfo("America/New_York")
DENVER = ZoneInfo("America/Denver")
LA = ZoneInfo("America/Los_Angeles")
HONOLULU = ZoneInfo("Pacific/Honolulu")
NINE_TO_SIX: Spans = ((9 * 60, 18 * 60),)
CLOSED: Spans = ()
SPRING, AUTUMN = date(2027, 3, 14), date(2026, 11, 1)
"""Sundays on which the clocks of the United States change: 2:00 is 3:00, and 2:00 is 1:00 again."""


def local(text: str, zone: ZoneInfo = MIAMI, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def week(weekdays: Spans = NINE_TO_SIX, sat: Spans = CLOSED, sun: Spans = CLOSED, **exceptions: Spans) -> Hours:
    """exceptions: ``d2026_12_25=...``."""
    days = {date(*map(int, name[1:].split("_"))): spans for name, spans in exceptions.items()}
    return Hours(MIAMI, (weekdays, weekdays, weekdays, weekdays, weekdays, sat, sun), days)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-24 08:59:59", False),
        ("2026-11-24 09:00:00", True),
        ("2026-11-24 17:59:59", True),
        ("2026-11-24 18:00:00", False),
        ("2026-11-28 12:00:00", False),
    ],
)
def test_an_office_is_open_from_the_first_minute_to_the_last(at: str, is_open: bool) -> None:
    assert week().is_open(local(at)) is is_open


def test_a_lunch_break_is_two_spans() -> None:
    hours = week(((9 * 60, 12 * 60), (13 * 60, 17 * 60)))
    assert not hours.is_open(local("2026-11-24 12:30"))
    assert hours.next_opening(local("2026-11-24 12:30")) == local("2026-11-24 13:00")


def test_the_next_opening_is_now_when_now_is_the_first_minute() -> None:
    assert week().next_opening(local("2026-11-24 09:00")) == local("2026-11-24 09:00")
    assert week().next_opening(local("2026-11-24 09:00:01")) == local("2026-11-25 09:00")


def test_a_weekend_and_a_holiday_are_skipped() -> None:
    hours = week(d2026_12_25=CLOSED, d2026_12_28=((10 * 60, 14 * 60),))
    assert not hours.is_open(local("2026-12-25 11:00"))
    assert hours.next_opening(local("2026-12-24 18:05")) == local("2026-12-28 10:00")
    assert hours.is_open(local("2026-12-28 10:00"))
    assert not hours.is_open(local("2026-12-28 09:30"))


def test_a_holiday_may_open_a_day_that_is_closed_otherwise() -> None:
    assert week(d2026_11_28=((10 * 60, 11 * 60),)).is_open(local("2026-11-28 10:30"))


def test_hours_past_midnight_are_the_end_of_one_day_and_the_beginning_of_the_next() -> None:
    night = week(((0, 2 * 60), (22 * 60, 24 * 60)))
    assert night.is_open(local("2026-11-24 23:59"))
    assert night.is_open(local("2026-11-25 00:00"))
    assert not night.is_open(local("2026-11-25 02:00"))
    assert night.next_opening(local("2026-11-24 03:00")) == local("2026-11-24 22:00")
    assert night.next_opening(local("2026-11-24 22:30")) == local("2026-11-25 00:00")


def test_an_office_that_never_opens_has_no_next_opening() -> None:
    assert week(CLOSED).next_opening(local("2026-11-24 12:00")) is None


def test_in_spring_the_hour_that_is_skipped_opens_an_hour_later_on_the_clock() -> None:
    early = week(CLOSED, sun=((2 * 60 + 30, 10 * 60),))
    assert early.next_opening(local(f"{SPRING} 00:00")) == local(f"{SPRING} 03:30")
    assert early.is_open(local(f"{SPRING} 03:30"))


def test_in_spring_nine_is_an_hour_sooner() -> None:
    sunday = week(CLOSED, sun=NINE_TO_SIX)
    opening = sunday.next_opening(local(f"{SPRING} 00:00"))
    assert opening == datetime(2027, 3, 14, 13, tzinfo=UTC)
    assert opening - local(f"{SPRING} 00:00") == timedelta(hours=8)


def test_in_autumn_nine_is_an_hour_later_and_the_doubled_hour_is_open_twice() -> None:
    sunday = week(CLOSED, sun=((60, 2 * 60), *NINE_TO_SIX))
    assert sunday.next_opening(local(f"{AUTUMN} 02:00")) == datetime(2026, 11, 1, 14, tzinfo=UTC)
    assert sunday.is_open(local(f"{AUTUMN} 01:30", fold=0))
    assert sunday.is_open(local(f"{AUTUMN} 01:30", fold=1))
    assert not sunday.is_open(local(f"{AUTUMN} 02:30"))


# ------------------------------------------------------------------------------------------------------- quiet hours
@pytest.mark.parametrize(
    ("at", "zones", "opens"),
    [
        ("2026-11-24 20:59", [MIAMI], "2026-11-24 20:59"),
        ("2026-11-24 21:00", [MIAMI], "2026-11-25 08:00"),
        ("2026-11-24 07:59", [MIAMI], "2026-11-24 08:00"),
        ("2026-11-24 09:30", [LA], "2026-11-24 11:00"),
        ("2026-11-24 09:30", [MIAMI, LA], "2026-11-24 11:00"),
        ("2026-11-24 21:30", [MIAMI, LA], "2026-11-25 11:00"),
        ("2026-11-24 21:30", [LA], "2026-11-24 21:30"),
        (f"{SPRING} 00:30", [MIAMI], f"{SPRING} 08:00"),
        (f"{AUTUMN} 00:30", [MIAMI], f"{AUTUMN} 08:00"),
        ("2026-10-31 23:30", [MIAMI, HONOLULU], f"{AUTUMN} 13:00"),
        (f"{AUTUMN} 21:30", [MIAMI, HONOLULU], "2026-11-02 13:00"),
        ("2026-11-24 03:00", [], "2026-11-24 03:00"),
    ],
)
def test_contact_opens_when_all_possible_places_are_awake(at: str, zones: list[ZoneInfo], opens: str) -> None:
    assert contact_opens(local(at), zones, 8 * 60, 21 * 60) == local(opens)


def test_windows_that_never_overlap_never_open() -> None:
    assert contact_opens(local("2026-11-24 12:00"), [MIAMI, HONOLULU], 9 * 60, 12 * 60) is None


@pytest.mark.parametrize(
    ("at", "zones", "closes"),
    [
        ("2026-11-24 08:00", [MIAMI], "2026-11-24 21:00"),
        ("2026-11-24 20:59:59", [MIAMI], "2026-11-24 21:00"),
        ("2026-11-24 20:55", [LA], "2026-11-25 00:00"),
        ("2026-11-24 20:55", [MIAMI, LA], "2026-11-24 21:00"),
        ("2026-11-24 20:55", [LA, MIAMI], "2026-11-24 21:00"),
        (f"{SPRING} 08:30", [MIAMI], f"{SPRING} 21:00"),
        (f"{AUTUMN} 08:30", [MIAMI], f"{AUTUMN} 21:00"),
    ],
)
def test_contact_closes_when_it_is_night_at_the_first_possible_place(
    at: str, zones: list[ZoneInfo], closes: str
) -> None:
    assert contact_closes(local(at), zones, 8 * 60, 21 * 60) == local(closes)


@pytest.mark.parametrize("zones", [[], [MIAMI], [MIAMI, LA]])
def test_a_window_of_the_whole_day_never_closes(zones: list[ZoneInfo]) -> None:
    assert contact_closes(local("2026-11-24 12:00"), zones, 0, 24 * 60) is None
    assert contact_closes(local("2026-11-24 12:00"), [MIAMI], 8 * 60, 24 * 60) == local("2026-11-25 00:00")


moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


@given(moments, st.lists(st.sampled_from([MIAMI, DENVER, LA, HONOLULU]), min_size=1, max_size=3, unique=True))
def test_contact_opens_at_the_first_moment_that_suits_everybody(at: datetime, zones: list[ZoneInfo]) -> None:
    opens = contact_opens(at, zones, 8 * 60, 21 * 60)
    assert opens is not None
    assert all(in_window(opens, zone, 8 * 60, 21 * 60) for zone in zones)
    earlier = at
    while earlier < opens:
        assert not all(in_window(earlier, zone, 8 * 60, 21 * 60) for zone in zones)
        earlier += timedelta(minutes=7)


@given(moments, st.lists(st.sampled_from([MIAMI, DENVER, LA, HONOLULU]), min_size=1, max_size=3, unique=True))
def test_contact_closes_at_the_end_of_the_time_that_suits_everybody(at: datetime, zones: list[ZoneInfo]) -> None:
    opens = contact_opens(at, zones, 8 * 60, 21 * 60)
    assert opens is not None
    closes = contact_closes(opens, zones, 8 * 60, 21 * 60)
    assert closes is not None
    assert opens < closes
    for moment in (opens, opens + (closes - opens) / 2, closes - timedelta(seconds=1)):
        assert all(in_window(moment, zone, 8 * 60, 21 * 60) for zone in zones)
    assert not all(in_window(closes, zone, 8 * 60, 21 * 60) for zone in zones)


@given(moments)
def test_the_next_opening_is_open_and_nothing_before_it_is(at: datetime) -> None:
    hours = week(sat=((10 * 60, 14 * 60),), d2026_12_25=CLOSED)
    opens = hours.next_opening(at)
    assert opens is not None
    assert opens >= at
    assert hours.is_open(opens)
    if not hours.is_open(at):
        assert not hours.is_open(at + (opens - at) / 2)
        assert opens == at or not hours.is_open(opens - timedelta(minutes=1))
