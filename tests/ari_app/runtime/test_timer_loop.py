"""Durable timers in virtual time: due at the start, jumps of the clock, a store that fails, a lead that is broken."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ari_app.errors import StoreDamagedError
from ari_app.recovery.events import TimerFired
from ari_app.recovery.values import e164
from ari_app.runtime.timer_loop import BATCH, POLL_SECONDS
from ari_app.store import timers
from tests.ari_app.runtime.world import Core, World, later, play
from tests.support.books import missed

FIRED = "SELECT at FROM events WHERE type = 'TimerFired' ORDER BY seq"
PENDING = "SELECT kind, due_at FROM timers WHERE status = 'pending' ORDER BY id"


def all_worlds() -> dict[str, World]:
    return {kind: World() for kind in ("text", "callback", "alert", "push", "email")}


def test_a_timer_fires_at_its_time_and_once(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path, text=World(500.0))
        async with core.running():
            await core.books.miss(plan="brief")
            [(kind, due_at)] = await core.query(PENDING)
            assert due_at > later(0).isoformat()
            await core.pass_time(20)
        fired = await core.query(FIRED)
        assert fired == [(due_at,)]
        found = await core.query("SELECT kind, status FROM timers ORDER BY id")
        assert found[0] == (kind, "fired")

    play(main)


def test_the_whole_plan_runs_by_its_timers(tmp_path: Path) -> None:
    async def main() -> None:
        worlds = all_worlds()
        core = Core(tmp_path, **worlds)
        async with core.running():
            await core.books.miss()
            await core.pass_time(3600)
        assert worlds["text"].times == [0.0]
        assert 600.0 in worlds["alert"].times, "the escalation after ten minutes"
        assert await core.query(PENDING) == []
        assert await core.query("SELECT count(*) FROM outbox WHERE status NOT IN ('done')") == [(0,)]

    play(main)


def test_what_fell_due_while_nobody_ran_fires_at_the_start(tmp_path: Path) -> None:
    async def before() -> None:
        await Core(tmp_path).books.miss()

    async def after() -> None:
        core = Core(tmp_path)
        core.clock.shift = timedelta(days=3)
        async with core.running():
            await core.pass_time(0.5)
            assert (later(0.0) + core.clock.shift).isoformat(timespec="microseconds") in [
                row[0] for row in await core.query(FIRED)
            ]

    play(before)
    play(after)


def test_more_timers_than_one_batch_all_fire(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path)
        count = BATCH + 10
        for n in range(count):
            await core.books.miss(f"call-{n}", e164(f"+1305555{n:04}"), plan="brief")
        async with core.running():
            await core.pass_time(60)
        assert await core.query("SELECT count(DISTINCT lead_id) FROM events WHERE type = 'TimerFired'") == [(count,)]

    play(main)


def test_a_clock_that_jumps_forwards_is_noticed_within_a_poll(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path, **all_worlds())
        async with core.running():
            await core.books.miss()
            await core.pass_time(60)
            before = len(await core.query(FIRED))
            core.clock.shift += timedelta(minutes=10)
            await core.pass_time(POLL_SECONDS + 0.1)
            assert len(await core.query(FIRED)) > before

    play(main)


def test_a_clock_that_jumps_back_fires_nothing_twice_and_nothing_too_soon(tmp_path: Path) -> None:
    async def main() -> None:
        worlds = all_worlds()
        core = Core(tmp_path, **worlds)
        async with core.running():
            await core.books.miss()
            await core.pass_time(300)
            fired = len(await core.query(FIRED))
            core.clock.shift -= timedelta(minutes=4)
            await core.pass_time(300 + 240 - 1)
            assert len(await core.query(FIRED)) == fired, "the wall clock says 10:09:59"
            await core.pass_time(POLL_SECONDS + 1)
            assert len(await core.query(FIRED)) > fired
        ids = await core.query("SELECT source_id FROM events WHERE type = 'TimerFired'")
        assert len(ids) == len(set(ids))
        assert len(worlds["text"].acts) == 1

    play(main)


def test_timers_wait_for_a_store_that_fails_and_then_fire(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path)
        await core.books.miss(plan="brief")
        async with core.running():
            await core.pass_time(5)
            core.store.failing = True
            await core.pass_time(60)
            core.store.failing = False
            await core.pass_time(POLL_SECONDS + 1)
            assert await core.query("SELECT count(*) FROM events WHERE type = 'TimerFired'") == [(1,)]

    play(main)


def test_a_store_that_fails_just_when_timers_are_recorded_stops_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path)
        for n in range(3):
            await core.books.miss(f"call-{n}", e164(f"+1305555{n:04}"), plan="brief")
        core.store.read_only = True  # what is due can be seen, and not be fired
        async with core.running():
            await core.pass_time(60)
            assert await core.query(FIRED) == []
            assert 3 < core.store.refused < 90
            core.store.read_only = False
            await core.pass_time(POLL_SECONDS + 1)
        assert await core.query("SELECT count(*) FROM events WHERE type = 'TimerFired'") == [(3,)]

    play(main)


def test_a_lead_that_is_broken_is_told_and_stops_nobody_elses_timers(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path)
        broken = await core.books.miss("call-1", plan="brief")
        await core.books.miss("call-2", e164("+13055550143"), plan="brief")
        await core.change("UPDATE leads SET body = '{}' WHERE id = ?", broken.lead_id)
        async with core.running():
            await core.pass_time(30)
            await core.books.miss("call-3", e164("+13055550144"), plan="brief")
            await core.pass_time(30)
        assert await core.query("SELECT DISTINCT lead_id FROM events WHERE type = 'TimerFired'") == [(2,), (3,)]
        assert len(await core.query(PENDING)) == 1, "it is tried again at the next start"

    with capture_logs() as logs:
        play(main)
    assert len([entry for entry in logs if entry["event"] == "timer_defect"]) == 1


def test_a_damaged_database_ends_the_timers_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> None:
        raise StoreDamagedError("books.db", "malformed")

    async def main() -> None:
        core = Core(tmp_path)
        await core.books.miss(plan="brief")
        monkeypatch.setattr(timers, "fire", damaged)
        async with core.running():
            await core.pass_time(60)

    with pytest.raises(ExceptionGroup) as caught:
        play(main)
    assert caught.group_contains(StoreDamagedError)


def test_a_timer_that_was_taken_back_meanwhile_is_no_event(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path)
        await core.recorder.record(missed(at=core.clock.now(), plan="brief"))
        [(timer_id,)] = await core.query("SELECT id FROM timers WHERE status = 'pending'")
        await core.change("UPDATE timers SET status = 'disarmed'")
        fired = TimerFired(at=later(60), source_id=f"timer:{timer_id}", timer_id=timer_id, kind="x")
        assert await core.recorder.record(fired) is None
        assert await core.query(FIRED) == []

    play(main)
