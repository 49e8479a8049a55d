"""The wall clock is put forward and back, across changes of daylight saving time, while Ringback runs (libfaketime)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.faketime import FakeTime
from tests.support.stage import Stage, running_stage
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LISTING = "13055550107"
SPRING = datetime(2027, 3, 14, 6, 58, tzinfo=UTC)
"""Two minutes before 2:00 becomes 3:00 in New York."""
AUTUMN = datetime(2027, 11, 7, 5, 30, tzinfo=UTC)
"""Half an hour before 2:00 becomes 1:00."""


async def test_a_clock_that_jumps_across_daylight_saving_fires_each_timer_once_and_texts_nobody_twice(
    tmp_path: Path,
) -> None:
    clock = FakeTime(tmp_path)
    clock.set(SPRING)
    async with running_stage(environment=clock.environment) as stage:
        first = await _missed(stage, "+13055553001")
        assert first.startswith("2027-03-14T06:5")
        clock.set(SPRING.replace(hour=8, minute=5))  # 4:05; the plan's hour is over
        await _escalated(stage, "+13055553001")
        await _missed(stage, "+13055553001", again=True)
        clock.set(SPRING)  # back across the change
        await _missed(stage, "+13055553001", again=True)
        await _missed(stage, "+13055553002")
        clock.set(SPRING.replace(hour=9))
        await _escalated(stage, "+13055553002")

        clock.set(AUTUMN)
        async with stage.desk_phone("101") as desk, stage.mobile("+13055553003") as mobile:
            mobile.call(stage.dial(LISTING))
            await desk.heard("incoming")
            clock.set(AUTUMN.replace(hour=6))  # 1:30 again, in the middle of the first ring
            missed = await stage.event("CallMissed", caller="+13055553003")
            mobile.hang_up()
        assert missed.body["rings"] == 3
        assert missed.body["ring_seconds"] < 3600, "rings are counted by a clock that nobody sets"
        await until(lambda: stage.smsc.to("+13055553003"), what="the text")
        clock.set(AUTUMN)
        await _missed(stage, "+13055553003", again=True)

        fired = Counter(event.body["timer_id"] for event in stage.events("TimerFired"))
        assert set(fired.values()) == {1}
        texts = Counter(text.destination for text in stage.smsc.texts)
        assert texts == {"+13055553001": 1, "+13055553002": 1, "+13055553003": 1}
        ids = Counter(str(mail["Message-ID"]) for mail in stage.mailbox.messages)
        assert set(ids.values()) == {1}


async def _missed(stage: Stage, caller: str, *, again: bool = False) -> str:
    """A call that nobody takes, and its text unless they have had one; when it was missed."""
    count = len([event for event in stage.events("CallMissed") if event.body["caller"] == caller]) + 1
    async with stage.mobile(caller) as mobile:
        mobile.call(stage.dial(LISTING))
        missed = await stage.event("CallMissed", caller=caller, count=count)
        mobile.hang_up()
        await mobile.heard("ended")
    if not again:
        await until(lambda: stage.smsc.to(caller), within=15.0, what="the text")
    return missed.at


async def _escalated(stage: Stage, caller: str) -> None:
    """Nobody has taken the lead within the hour: the floor is told."""
    lead = "SELECT id FROM leads WHERE number = ?"
    alerts = f"SELECT 1 FROM outbox WHERE kind = 'alert' AND status = 'done' AND lead_id = ({lead})"
    await until(lambda: len(stage.query(alerts, [caller])) == 2, within=20.0, what="the floor's alert")
