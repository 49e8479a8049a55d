"""Calls that came while Ringback was away: judged from Asterisk's ledger when it returns, each once."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.sipp import Sipp
from tests.support.stage import CARRIER_IP, running_stage
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

MISSED, GAVE_UP, REACHED, UNHEARD = "+13055550123", "+13055550124", "+13055550125", "+13055550126"
LISTING = "13055550107"


async def test_calls_that_came_while_ringback_was_dead_are_answered_when_it_returns() -> None:
    async with running_stage() as stage:
        await stage.stop_ringback(signal.SIGKILL)
        async with stage.desk_phone("101") as desk, stage.mobile(MISSED) as missed, stage.mobile(REACHED) as reached:
            missed.call(stage.dial(LISTING))
            await desk.heard("incoming")  # the plain Dial
            await missed.heard("ended", within=30.0)
            reached.call(stage.dial(LISTING))
            await desk.heard("incoming")
            await reached.heard("ended", within=30.0)
            reached.call(stage.dial(LISTING))
            await desk.heard("incoming")
            desk.answer()
            await reached.heard("answered")
            reached.hang_up()
            await reached.heard("ended")
        async with stage.mobile(UNHEARD) as unheard:  # no phone is registered any more
            unheard.call(stage.dial(LISTING))
            await unheard.heard("ended", within=30.0)
        status, _ = await stage.ringback("audit", "--since", "1h")
        assert status == 1  # nobody knows of them yet

        await stage.start_ringback()
        await until(
            lambda: len([e for e in stage.events() if "verdict" in e.body]) == 4, within=40.0, what="four verdicts"
        )
        await until(lambda: len(stage.smsc.texts) == 2, within=10.0, what="two texts")
        verdicts = {
            (event.body["caller"], event.body["verdict"], event.body["occurred_at"] is not None)
            for event in stage.events()
            if "verdict" in event.body
        }
        assert verdicts == {
            (MISSED, "no_answer", True),
            (REACHED, "no_answer", True),
            (REACHED, "dropped", True),
            (UNHEARD, "unreachable", True),
        }
        assert sorted(text.destination for text in stage.smsc.texts) == [MISSED, UNHEARD]
        assert not stage.events("CallbackAnswered")  # nobody knows that the notice was heard

        status, output = await stage.ringback("audit", "--since", "1h", "--json")
        report = json.loads(output)
        assert (status, report["calls"], report["late"], report["findings"]) == (0, 4, 4, [])

        # Killed and started again: nothing is done twice.
        await stage.stop_ringback(signal.SIGKILL)
        await stage.start_ringback()
        await stage.event("EffectSettled", kind="push", count=2, within=20.0)
        assert len(stage.smsc.texts) == 2


async def test_a_caller_who_hung_up_while_ringback_was_killed_is_not_lost() -> None:
    async with running_stage() as stage, stage.desk_phone("101") as desk, stage.mobile(GAVE_UP) as caller:
        caller.call(stage.dial(LISTING))
        await desk.heard("incoming")
        await stage.stop_ringback(signal.SIGKILL)
        caller.hang_up()
        await caller.heard("ended")
        await stage.start_ringback()
        event = await stage.event("CallClosed", within=40.0, caller=GAVE_UP)  # it rang for a moment: nothing follows
        assert event.body["verdict"] == "abandoned"
        assert event.body["occurred_at"] is not None
        status, _ = await stage.ringback("audit", "--since", "1h")
        assert status == 0


async def test_a_call_to_the_contact_that_we_registered_is_of_the_number_in_to_with_and_without_ringback() -> None:
    async with running_stage(ring_seconds=2.0) as stage, stage.desk_phone("101") as desk:

        async def call(number: str) -> None:
            async with Sipp(
                "caller_named_in_to",
                stage.sip,
                ip=CARRIER_IP,
                pause_seconds=3.0,
                caller=number,
                request=f"sip:trunk-carrier@{stage.sip}",
                to=f"<sip:{LISTING}@carrier.example>",
            ) as sipp:
                await desk.heard("incoming")
                result = await sipp.result()
                assert result.ok, result.errors
                await desk.heard("ended")

        await call(MISSED)
        present = await stage.event("CallMissed", caller=MISSED)
        await stage.event("EffectSettled", kind="text", within=10.0)
        await stage.stop_ringback(signal.SIGKILL)
        await call(GAVE_UP)
        await stage.start_ringback()
        away = await stage.event("CallMissed", caller=GAVE_UP, within=40.0)
        for missed in (present, away):
            assert (missed.body["dialled"], missed.body["verdict"]) == (f"+{LISTING}", "abandoned")
        await until(lambda: len(stage.smsc.texts) == 2, within=10.0, what="two texts")
        assert {text.source for text in stage.smsc.texts} == {f"+{LISTING}"}
