"""Orders on their way to the world, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database
from structlog.testing import capture_logs

from ari_app.errors import StoreDamagedError
from ari_app.recovery.events import EffectSettled
from ari_app.recovery.values import Channel, ConsentState, e164
from ari_app.runtime.dispatcher import POLL_SECONDS, retry_wait
from ari_app.runtime.outcome import Done, Failed, InDoubt, Refused, RetryAt
from ari_app.runtime.recorded import Recorded
from ari_app.store import outbox, people
from tests.ari_app.runtime.world import Core, World, later, play
from tests.support import office
from tests.support.books import CALLER
from tests.support.programs import run_program


def test_an_order_is_carried_out_at_once_when_its_event_is_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path, text=(world := World(Done("a1", gateway="sms", message_ids=("a1",)))))
        async with core.running():
            await core.pass_time(7)
            await core.books.miss()
            await core.pass_time(0.001)
            assert world.times == [7.0]
            assert await core.statuses("text") == ["done"]
        assert await core.query("SELECT ref, attempts, lease_until FROM outbox WHERE kind = 'text'") == [
            ("a1", 1, None)
        ]
        assert await core.query("SELECT gateway, ref FROM message_refs") == [("sms", "a1")]

    play(main)


def test_waits_between_tries_double_up_to_five_minutes() -> None:
    waits = [retry_wait(attempts).total_seconds() for attempts in (1, 2, 3, 4, 8, 9, 12, 400)]
    assert waits == [2, 4, 8, 16, 256, 300, 300, 300]


def test_what_did_not_happen_is_tried_again_at_the_time_that_the_adapter_names(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(RetryAt(later(3), "503"), RetryAt(later(40), "503"))
        core = Core(tmp_path, text=World(), push=world)
        async with core.running():
            await core.books.miss(plan="brief")
            await core.pass_time(60)
        assert world.times == [0.0, 3.0, 40.0]
        assert [order.attempts for _, order in world.acts] == [1, 2, 3]
        assert await core.statuses("push") == ["done"]

    play(main)


def test_while_the_mail_server_is_away_for_long_an_alert_outlasts_it_or_is_seen_to_have_failed(tmp_path: Path) -> None:
    async def main() -> None:
        away = [RetryAt(later(n), "no connection") for n in range(5)]
        world = World(*away, Done(), *away, *away)
        core = Core(tmp_path, text=World(), push=World(), alert=world)
        async with core.running():
            await core.books.miss()
            await core.pass_time(120)
            agents = [getattr(order.effect, "agents", None) for _, order in world.acts]
            assert agents == [("ana",)] * 5 + [("bob",)], "given up for one, told to the rest"
            assert await core.store.read(outbox.depths) == {}, "nobody has to look"
            await core.books.miss("call-2", e164("+13055550143"))
            await core.pass_time(120)
        assert len(world.acts) == 16, "once, and no more"
        assert await core.statuses("alert") == ["failed", "done", "failed", "failed"]
        assert (await core.store.read(outbox.depths))[("alert", "failed")] == 2
        told = "SELECT outcome, why FROM decisions WHERE rule = 'ESC-02' ORDER BY seq"
        assert [outcome for outcome, _ in await core.query(told)] == ["allowed", "allowed", "skipped"]

    play(main)


def test_an_order_that_keeps_failing_is_given_up_after_its_lanes_attempts(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(*[RetryAt(later(n), "503") for n in range(9)])
        core = Core(tmp_path, text=World(), push=world)
        async with core.running():
            await core.books.miss(plan="brief")
            await core.pass_time(60)
        assert len(world.acts) == 5
        found = await core.query("SELECT status, last_error FROM outbox WHERE kind = 'push'")
        assert found == [("failed", "given up after 5 attempts: 503")]

    play(main)


@pytest.mark.parametrize(
    ("outcome", "status", "rule"),
    [
        (Failed("no such number"), "failed", None),
        (InDoubt("cut off"), "in_doubt", None),
        (Refused("REV-10", "no"), "refused", "REV-10"),
    ],
)
def test_every_end_is_written_down_and_becomes_an_event(
    tmp_path: Path, outcome: Failed | InDoubt | Refused, status: str, rule: str | None
) -> None:
    async def main() -> None:
        core = Core(tmp_path, text=World(outcome))
        told: list[EffectSettled] = []

        def listen(recorded: Recorded) -> None:
            if isinstance(recorded.event, EffectSettled):
                told.append(recorded.event)

        core.recorder.listen(listen)
        async with core.running():
            await core.books.miss()
            await core.pass_time(1)
        assert await core.statuses("text") == [status]
        settled = [event for event in told if event.kind == "text"]
        assert [(event.outcome, event.why, event.rule) for event in settled] == [(status, outcome.why, rule)]

    play(main)


@pytest.mark.parametrize("expires", ["15m", "4h"])
def test_a_text_of_the_evening_that_the_gateway_cannot_take_does_not_go_in_the_night(
    tmp_path: Path, expires: str
) -> None:
    async def main() -> None:
        evening = timedelta(hours=10, minutes=55)  # 20:55 in Miami
        answers = [RetryAt(later(evening.total_seconds() + seconds), "not bound") for seconds in (60, 240, 600)]
        core = Core(tmp_path, text=(world := World(*answers)), alert=World())
        core.clock.shift = evening
        (tmp_path / "changed").mkdir()
        changed = office.settings(
            tmp_path / "changed", ("quiet_hours:", f"texts: {{expires: {expires}}}\nquiet_hours:")
        )
        core.books.in_force.swap(changed.policy, changed.document.model_dump_json(exclude_unset=True))
        async with core.running():
            await core.books.miss(plan="brief")
            await core.pass_time(3600)
        assert world.times == [0.0, 60.0, 240.0], "and not at five past nine"
        assert await core.statuses("text") == ["failed"]
        query = "SELECT status, json_extract(body, '$.reason') FROM outbox WHERE kind = 'alert'"
        assert await core.query(query) == [("done", "text_failed")]

    play(main)


def test_a_text_that_certainly_did_not_go_gives_its_window_back_and_one_in_doubt_keeps_it(tmp_path: Path) -> None:
    async def windows(folder: Path, outcome: Failed | InDoubt) -> int:
        core = Core(folder, text=World(outcome))
        async with core.running():
            await core.books.miss()
            await core.pass_time(1)
        return len(await core.query("SELECT * FROM text_windows"))

    for name in ("failed", "doubt"):
        (tmp_path / name).mkdir()
    assert play(lambda: windows(tmp_path / "failed", Failed("no"))) == 0
    assert play(lambda: windows(tmp_path / "doubt", InDoubt("?"))) == 1


def test_a_lane_begins_no_more_at_once_than_it_may_and_a_slow_one_holds_up_no_other(tmp_path: Path) -> None:
    async def main() -> None:
        slow, quick = World(*[10.0] * 6), World()
        core = Core(tmp_path, text=slow, push=quick)
        async with core.running():
            for n in range(6):
                await core.books.miss(f"call-{n}", e164(f"+1305555015{n}"), plan="brief")
            await core.pass_time(35)
        assert slow.most_at_once == 2
        assert slow.times == [0.0, 0.0, 10.0, 10.0, 20.0, 20.0]
        assert len(quick.acts) >= 6
        assert quick.times[0] <= 11.0

    play(main)


def test_what_the_target_cannot_use_now_is_not_begun_so_that_a_crash_leaves_no_doubt_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        slow = World(*[10.0] * 3)
        core = Core(tmp_path, text=slow)
        useful = [1]
        core.dispatcher._lanes["text"] = replace(core.dispatcher._lanes["text"], useful=lambda: useful[0])
        async with core.running():
            for n in range(3):
                await core.books.miss(f"call-{n}", e164(f"+1305555015{n}"), plan="brief")
            await core.pass_time(5)
            assert await core.statuses("text") == ["doing", "todo", "todo"]
            useful[0] = 9  # more than the lane allows
            await core.pass_time(6)
            assert await core.statuses("text") == ["done", "doing", "doing"]

    play(main)


def test_orders_of_one_lead_and_target_arrive_in_their_order_whatever_happens(tmp_path: Path) -> None:
    async def main(seed: int) -> None:
        world = World(RetryAt(later(9), "503"), 3.0, RetryAt(later(30), "503"))
        folder = tmp_path / str(seed)
        folder.mkdir()
        core = Core(folder, text=World(), push=world)
        async with core.running():
            await core.books.miss(plan="brief")
            for n in range(4):
                await core.pass_time(1)
                await core.books.miss(f"again-{n}", plan="brief")
            await core.pass_time(120)
        done = await core.query("SELECT id FROM outbox WHERE kind = 'push' AND status = 'done' ORDER BY settled_at, n")
        assert done == await core.query("SELECT id FROM outbox WHERE kind = 'push' ORDER BY n")

    for seed in range(5):
        play(lambda seed=seed: main(seed), seed)  # type: ignore[misc]


def test_an_order_is_not_begun_after_its_time(tmp_path: Path) -> None:
    async def main() -> None:
        world = World()
        core = Core(tmp_path, text=world)
        await core.books.miss()
        core.clock.shift += timedelta(hours=2)
        async with core.running():
            await core.pass_time(1)
        assert world.acts == []
        found = await core.query("SELECT status, last_error FROM outbox WHERE kind = 'text'")
        assert found == [("failed", "its time was over before it could be carried out")]

    play(main)


def test_an_opt_out_is_read_again_at_the_last_moment(tmp_path: Path) -> None:
    async def main() -> None:
        text, callback = World(), World()
        core = Core(tmp_path, text=text, callback=callback)
        missed = await core.books.miss()

        def opt_out(db: Database) -> None:
            for channel in (Channel.TEXT, Channel.CALL):
                people.set_consent(db, CALLER, channel, ConsentState.OPTED_OUT, "sms:stop", later(0), missed.seq)

        await core.store.write(opt_out)
        async with core.running():
            await core.pass_time(30)
        assert text.acts == callback.acts == []
        found = await core.query("SELECT status, last_error FROM outbox WHERE kind = 'text'")
        assert found == [("refused", "the person said no (sms:stop)")]

    play(main)


# ------------------------------------------------------------------------------------------------------- defects and delays
def test_an_adapter_that_breaks_is_told_and_its_order_is_repeated_or_in_doubt_by_its_kind(tmp_path: Path) -> None:
    async def main() -> None:
        text, push = World(ZeroDivisionError("a defect")), World(ZeroDivisionError("a defect"))
        core = Core(tmp_path, text=text, push=push)
        async with core.running():
            await core.books.miss(plan="brief")
            await core.pass_time(30)
        assert await core.statuses("text") == ["in_doubt"]
        assert await core.statuses("push") == ["done"]
        assert push.times == [push.times[0], push.times[0] + 2.0]

    with capture_logs() as logs:
        play(main)
    assert [entry["kind"] for entry in logs if entry["event"] == "adapter_defect"] == ["text", "push"]
    assert {entry["log_level"] for entry in logs if entry["event"] == "adapter_defect"} == {"error"}


def test_an_act_without_end_is_ended_with_its_lease(tmp_path: Path) -> None:
    async def main() -> None:
        push = World(500.0)
        core = Core(tmp_path, text=World(), push=push)
        async with core.running():
            await core.books.miss(plan="brief")
            await core.pass_time(120)
        why = await core.query("SELECT why FROM outbox_log WHERE why IS NOT NULL AND outbox_id LIKE '%'")
        assert ("no end after 60 s",) in why
        assert push.times[1] - push.times[0] == 62.0

    play(main)


def test_work_whose_wake_up_was_lost_is_found_by_looking(tmp_path: Path) -> None:
    async def main() -> None:
        world = World()
        core = Core(tmp_path, text=world)
        core.recorder._listeners.clear()  # nobody rings the bell
        async with core.running():
            await core.pass_time(1)
            await core.books.miss()
            await core.pass_time(POLL_SECONDS + 1)
        assert len(world.acts) == 1
        assert world.times[0] <= 1 + POLL_SECONDS

    play(main)


def test_a_text_held_for_later_goes_at_its_time_without_being_rung_for(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(RetryAt(later(2.5), "throttled"))
        core = Core(tmp_path, text=world)
        async with core.running():
            await core.books.miss()
            await core.pass_time(10)
        assert world.times == [0.0, 2.5]

    play(main)


def test_while_the_store_fails_nothing_is_begun_and_afterwards_all_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        world = World()
        core = Core(tmp_path, text=world)
        await core.books.miss()
        core.store.failing = True
        async with core.running():
            await core.pass_time(20)
            assert world.acts == []
            assert 3 < core.store.refused < 60, "it looks again now and then, not all the time"
            core.store.failing = False
            await core.pass_time(POLL_SECONDS + 1)
        assert len(world.acts) == 1

    play(main)


def test_an_outcome_that_cannot_be_written_is_written_later_and_the_act_not_repeated(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(5.0)
        core = Core(tmp_path, text=world)
        async with core.running():
            await core.books.miss()
            await core.pass_time(1)
            core.store.failing = True
            await core.pass_time(60)
            assert await core.statuses("text") == ["doing"]
            core.store.failing = False
            await core.pass_time(POLL_SECONDS + 1)
        assert await core.statuses("text") == ["done"]
        assert len(world.acts) == 1

    play(main)


def test_a_defect_in_recording_an_outcome_stops_neither_the_lane_nor_the_others(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path, text=World(1.0))
        async with core.running():
            first = await core.books.miss("call-1")
            await core.change("UPDATE leads SET body = '{}' WHERE id = ?", first.lead_id)
            await core.books.miss("call-2", e164("+13055550143"))
            await core.pass_time(2)
            assert await core.statuses("text") == ["doing", "done"]

    with capture_logs() as logs:
        play(main)
    assert "outcome_defect" in [entry["event"] for entry in logs]


def test_a_defect_in_looking_for_work_is_told_and_the_lane_looks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        world = World()
        core = Core(tmp_path, text=world)
        await core.books.miss()
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "claim", lambda *_: 1 // 0)
            async with core.running():
                await core.pass_time(8)
                assert world.acts == []
                patch.undo()
                await core.pass_time(POLL_SECONDS + 1)
        assert len(world.acts) == 1

    with capture_logs() as logs:
        play(main)
    assert 2 < len([entry for entry in logs if entry["event"] == "lane_defect"]) < 10


def test_a_damaged_database_ends_the_lanes_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> None:
        raise StoreDamagedError("books.db", "malformed")

    async def claiming() -> None:
        core = Core(tmp_path, text=World())
        await core.books.miss()
        monkeypatch.setattr(outbox, "claim", damaged)
        async with core.running():
            await core.pass_time(60)

    async def settling() -> None:
        folder = tmp_path / "second"
        folder.mkdir()
        core = Core(folder, text=World())
        await core.books.miss()
        monkeypatch.setattr(outbox, "settle", damaged)
        async with core.running():
            await core.pass_time(60)

    for main in (claiming, settling):
        with pytest.raises(ExceptionGroup) as caught:
            play(main)
        assert caught.group_contains(StoreDamagedError)
        monkeypatch.undo()


# ------------------------------------------------------------------------------------------------------------- start and stop
def test_after_a_crash_what_may_be_repeated_is_and_what_may_not_is_in_doubt(tmp_path: Path) -> None:
    async def crash() -> None:
        core = Core(tmp_path, text=World(500.0), push=World(500.0), alert=World(500.0))
        async with core.running():
            await core.books.miss(plan="brief")
            await core.pass_time(1)
            assert await core.statuses("text") == ["doing"]
            await core.pass_time(30)
            assert await core.statuses("push") == ["doing"], "the loop and all in it is thrown away here"

    async def restart() -> None:
        text, push, alert = World(), World(), World()
        core = Core(tmp_path, text=text, push=push, alert=alert)
        assert await core.dispatcher.recover() == 2
        assert await core.statuses("text") == ["in_doubt"]
        assert await core.statuses("push") == ["todo"]
        async with core.running():
            await core.pass_time(1)
        assert text.acts == []
        assert [order.attempts for _, order in push.acts][:1] == [2]
        assert await core.dispatcher.recover() == 0
        why = await core.query("SELECT why FROM outbox_log WHERE status = 'in_doubt'")
        assert why == [("the process that had begun it is gone",)]

    play(crash)
    play(restart)


def test_an_order_of_a_lane_that_is_gone_is_in_doubt_after_a_crash(tmp_path: Path) -> None:
    async def crash() -> None:
        core = Core(tmp_path, text=World(500.0))
        async with core.running():
            await core.books.miss()
            await core.pass_time(1)

    async def restart() -> None:
        core = Core(tmp_path)
        assert await core.dispatcher.recover() == 1
        assert await core.statuses("text") == ["in_doubt"]

    play(crash)
    play(restart)


def test_draining_ends_what_is_under_way_and_begins_nothing_more(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(5.0, 5.0, 5.0)
        core = Core(tmp_path, text=world)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(core.dispatcher.run())
            for n in range(3):
                await core.books.miss(f"call-{n}", e164(f"+1305555015{n}"))
            await core.pass_time(1)
            core.dispatcher.drain()
            await running
            assert asyncio.get_running_loop().time() == pytest.approx(5.0)
        assert await core.statuses("text") == ["done", "done", "todo"]

    play(main)


def test_the_same_seed_tells_the_same_story() -> None:
    program = """
import tempfile
from pathlib import Path
from tests.ari_app.runtime.world import Core, World, play
from ari_app.recovery.values import e164

def story(seed):
    async def main():
        with tempfile.TemporaryDirectory() as folder:
            core = Core(Path(folder), text=World(1.0, 2.0), push=World(3.0), alert=World(0.5))
            async with core.running():
                for n in range(4):
                    await core.books.miss(f"call-{n}", e164(f"+1305555015{n}"))
                await core.pass_time(900)
            return await core.query("SELECT outbox_id, at, status FROM outbox_log ORDER BY rowid")
    return play(main, seed)

first = story(7)
assert first == story(7)
assert len(first) > 12
assert any(story(seed) != first for seed in range(8, 20)), "the seed makes no difference"
"""
    done = run_program(program)
    assert done.returncode == 0, done.stderr


def test_what_a_dead_process_left_of_a_broken_lead_is_told_and_keeps_nobody_from_starting(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path, text=World())
        broken = await core.books.miss("call-1")
        await core.books.miss("call-2", e164("+13055550143"))
        await core.books.claim("text")
        await core.change("UPDATE leads SET body = '{}' WHERE id = ?", broken.lead_id)
        with capture_logs() as logs:
            assert await core.dispatcher.recover() == 2
        assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["outcome_defect"]
        assert await core.statuses("text") == ["doing", "in_doubt"]

    play(main)


def test_damage_that_is_met_at_the_start_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        core = Core(tmp_path, text=World())
        await core.books.miss()
        await core.books.claim("text")

        async def damaged(*_: object) -> None:
            raise StoreDamagedError("books.db", "malformed")

        monkeypatch.setattr(core.recorder, "settle", damaged)
        with pytest.raises(StoreDamagedError):
            await core.dispatcher.recover()

    play(main)
