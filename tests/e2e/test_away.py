"""Ringback stopped or killed: the phones ring all the same, and calls that it had in hand go on."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from ari_app.pbx.ledger import read_cdr
from tests.e2e.brokerage import IN_ORDER, MAIN, SECOND_DESK, Brokerage, open_brokerage
from tests.e2e.hearing import heard_whole
from tests.e2e.scenes import called_back, settled, verdict
from tests.support.tones import loudness, write_tone
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def own_brokerage() -> AsyncIterator[Brokerage]:
    """One whose Ringback a test may stop and kill."""
    async with open_brokerage() as brokerage:
        yield brokerage


async def test_while_it_is_stopped_the_number_s_own_phones_ring_and_answer(
    own_brokerage: Brokerage, caller: str
) -> None:
    brokerage = own_brokerage
    assert await brokerage.stop_ringback() == 0
    async with (
        brokerage.desk_phone("101") as desk,
        brokerage.desk_phone("102") as other,
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(MAIN))
        assert caller in (await desk.heard("incoming")).facts["caller"]
        desk.answer()
        await mobile.heard("answered")
        mobile.hang_up()
        await desk.heard("ended")
        await other.settle()
        assert "incoming" not in other.story()


async def test_while_it_is_stopped_a_caller_whom_nobody_answers_hears_so_and_the_ledger_knows(
    own_brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    brokerage, recorded = own_brokerage, tmp_path / "heard.wav"
    assert await brokerage.stop_ringback() == 0
    ledger = brokerage.folder / "data" / "pbx" / "log" / "cdr-custom" / "cdr.csv"
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller, record=str(recorded)) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("incoming")
        await desk.heard("ended", code=487)
        await mobile.heard("answered")
        await brokerage.talk(9.0)  # the notice; then the mailbox begins
        mobile.hang_up()
        await until(lambda: ledger.exists() and caller in ledger.read_text(), what="the call in the ledger")
    assert await heard_whole(recorded, brokerage.sounds / "missed_call_away.wav") > 0.85
    # The first row is of the phones' ringing, the second of the notice.
    assert {row.userfield for row in read_cdr(ledger).rows if row.source == caller} == {"away", "away:NOANSWER"}


async def test_a_call_that_rings_when_it_is_killed_rings_on_and_is_answered_when_it_is_back(
    own_brokerage: Brokerage, caller: str
) -> None:
    brokerage = own_brokerage
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("incoming")
        await mobile.heard("progress", code=180)
        await brokerage.stop_ringback(signal.SIGKILL)
        await brokerage.talk(1.0)
        for phone in (desk, mobile):
            await phone.settle()
            assert not any(word.startswith("ended") for word in phone.story())
        await brokerage.start_ringback()
        await desk.heard("incoming", within=15.0)  # the leg of before is taken back, a new one rings
        desk.answer()
        await mobile.heard("answered")
        await brokerage.talk(2.0)
        mobile.hang_up()
        await brokerage.event("CallClosed", caller=caller)
    assert verdict(brokerage, caller) == ["answered"]
    assert brokerage.smsc.to(caller) == []


async def test_a_call_that_rings_when_it_is_killed_is_missed_when_it_is_back_and_nobody_answers(
    own_brokerage: Brokerage, caller: str
) -> None:
    brokerage = own_brokerage
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(IN_ORDER))
        await desk.heard("incoming")
        await brokerage.stop_ringback(signal.SIGKILL)
        await brokerage.start_ringback()
        missed = await brokerage.event("CallMissed", caller=caller, within=15.0)
        await mobile.heard("answered")
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    assert missed.body["verdict"] == "no_answer"
    assert verdict(brokerage, caller) == ["no_answer"]
    assert len(brokerage.smsc.to(caller)) == 1


async def test_who_calls_while_it_ends_is_the_dialplans_and_nobody_waits_for_them_to_hang_up(
    own_brokerage: Brokerage, caller: str, new_number: Callable[[], str]
) -> None:
    brokerage, later = own_brokerage, new_number()
    async with (
        brokerage.desk_phone("101", answer_after=0.0),
        brokerage.desk_phone("102", answer_after=0.0) as other,
        brokerage.mobile(caller) as first,
        brokerage.mobile(later) as second,
    ):
        first.call(brokerage.dial(MAIN))
        await brokerage.event("CallAnswered", caller=caller)
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(brokerage.stop_ringback(within=40.0))
            await until(lambda: '"draining"' in brokerage.log_path.read_text(), what="the drain")
            second.call(brokerage.dial(SECOND_DESK))
            await second.heard("answered")
            rows = [row.split("!") for row in brokerage.asterisk.cli("core show channels concise").splitlines()]
            assert ["ring-groups", "Dial"] in [[row[1], row[5]] for row in rows if len(row) > 5]
            await brokerage.talk(2.0)
            first.hang_up()
        assert ending.result() == 0
        await other.settle()
        assert not any(word.startswith("ended") for word in other.story())
        await brokerage.talk(2.0)
        second.hang_up()
        await other.heard("ended")
        await brokerage.start_ringback()
        closed = await brokerage.event("CallClosed", caller=later, within=20.0)
    assert (closed.body["verdict"], closed.body["answered_by"]) == ("answered", "102")
    assert verdict(brokerage, caller) == ["answered"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_people_who_talk_when_it_ends_talk_on_and_nobody_else_is_rung(
    own_brokerage: Brokerage, caller: str, tmp_path: Path, how: signal.Signals
) -> None:
    brokerage = own_brokerage
    low, recorded = write_tone(tmp_path / "low.wav", 400), tmp_path / "heard.wav"
    async with (
        brokerage.desk_phone("101", answer_after=0.0, speak=str(low)) as desk,
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(MAIN))
        await mobile.heard("answered")
        await brokerage.event("CallAnswered", caller=caller)
        await brokerage.stop_ringback(how)
        await brokerage.start_ringback()
        mobile.record(recorded)
        await brokerage.talk(2.0)
        for phone in (desk, mobile):
            await phone.settle()
            assert not any(word.startswith("ended") for word in phone.story())
        assert desk.story().count("incoming") == 1
        mobile.hang_up()
        await desk.heard("ended")  # nobody is left alone on a line
        closed = await brokerage.event("CallClosed", caller=caller)
        await until(lambda: not brokerage.bridges(), what="the bridge to be gone")
    assert (closed.body["verdict"], closed.body["answered_by"]) == ("answered", "101")
    assert loudness(recorded, 400) > 1000
    assert brokerage.smsc.to(caller) == []


async def test_a_caller_and_the_person_who_took_the_callback_talk_on_when_it_is_killed(
    own_brokerage: Brokerage, caller: str
) -> None:
    brokerage = own_brokerage
    async with called_back(brokerage, caller) as call, brokerage.desk_phone("101", answer_after=0.0) as desk:
        call.mobile.press("0")
        await desk.heard("answered", within=15.0)
        await until(lambda: "callback_handed_over" in brokerage.log_path.read_text(), what="the two to be connected")
        await brokerage.stop_ringback(signal.SIGKILL)
        await brokerage.start_ringback()
        await brokerage.talk(1.0)
        for phone in (desk, call.mobile):
            await phone.settle()
        assert not any(word.startswith("ended") for word in desk.story())
        desk.hang_up()
        await call.mobile.heard("ended")
        ended = await brokerage.event("CallbackEnded", lead=call.lead)
    assert (ended.body["end"], ended.body["by"]) == ("reached_person", "101")


async def test_a_call_that_rings_when_it_is_stopped_and_not_yet_missed_is_left_to_the_dialplan(
    own_brokerage: Brokerage, caller: str
) -> None:
    brokerage = own_brokerage
    brokerage.change(("rings: 3", "rings: 20"))
    assert (await brokerage.ringback("reload"))[0] == 0
    async with brokerage.desk_phone("101") as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("incoming")
        # It waits for the call as long as it may, then lets go of it.
        assert await brokerage.stop_ringback() == 0
        await desk.heard("incoming")
        desk.answer()
        await mobile.heard("answered")
        mobile.hang_up()
        await desk.heard("ended")
