"""What a caller gets who is still on the line when the call counts as missed: other phones, a mailbox, or the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.e2e.brokerage import HANGUP, OVERFLOW, RING_SECONDS, RINGS, VOICEMAIL, Brokerage
from tests.e2e.scenes import settled
from tests.support.tones import loudness, write_tone
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]
TALK_SECONDS = 2.0
"""Longer than the brokerage's cadence.dropped."""


async def test_the_overflow_group_rings_on_and_whoever_answers_ends_the_recovery(
    brokerage: Brokerage, caller: str
) -> None:
    async with (
        brokerage.desk_phone("101") as desk,
        brokerage.desk_phone("103", answer_after=0.5) as floor,
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(OVERFLOW))
        missed = await brokerage.event("CallMissed", caller=caller)
        await desk.heard("ended", code=487)
        await floor.heard("answered")
        await mobile.heard("answered")
        answered = await brokerage.event("CallAnswered", caller=caller)
        assert (answered.body["by"], answered.lead_id) == ("103", missed.lead_id)
        began = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() > began + TALK_SECONDS, what="the end of a short talk")
        mobile.hang_up()
        await brokerage.event("CallerLeft", caller=caller)
    assert missed.body["verdict"] == "no_answer"
    assert brokerage.orders(caller, "text") == []
    assert brokerage.orders(caller, "callback") == []
    assert brokerage.hook.about(caller)[-1]["reached_by"] == "103"


async def test_when_the_overflow_group_does_not_answer_either_the_prompt_is_played(
    brokerage: Brokerage, caller: str
) -> None:
    async with (
        brokerage.desk_phone("103") as floor,
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(OVERFLOW))  # 101 is not registered
        missed = await brokerage.event("CallMissed", caller=caller)
        await floor.heard("incoming")
        answered = await mobile.heard("answered", within=RINGS * RING_SECONDS + 8.0)  # the prompt
        rang_on = answered.at - floor.events[-1].at
        assert rang_on < RINGS * RING_SECONDS + 5.0
        await floor.heard("ended", code=487)
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    assert missed.body["verdict"] == "unreachable"


async def test_a_caller_may_leave_a_message_which_is_kept_as_a_recording(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    voice = write_tone(tmp_path / "voice.wav", 440)
    async with brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(VOICEMAIL))
        await brokerage.event("CallMissed", caller=caller)
        await brokerage.event("PromptPlayed", caller=caller, within=12.0)
        await mobile.heard("media")
        mobile.play(voice, loop=True)
        folder = brokerage.folder / "data" / "pbx" / "spool" / "recording"
        await brokerage.recording(folder, seconds=3.5)
        mobile.hang_up()
        left = await brokerage.event("VoicemailLeft", caller=caller)
        await settled(brokerage, caller, "text")
    assert left.body["seconds"] >= 2
    recording = folder / f"{left.body['recording']}.wav"
    assert loudness(recording, 440) > 1000


async def test_where_the_number_says_so_the_caller_hears_ringing_and_then_no_answer(
    brokerage: Brokerage, caller: str
) -> None:
    async with brokerage.desk_phone("101"), brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(HANGUP))
        missed = await brokerage.event("CallMissed", caller=caller)
        ended = await mobile.heard("ended")
        await settled(brokerage, caller, "text")
        assert "answered" not in mobile.story()
    assert ended.facts["code"] == 480  # Temporarily Unavailable: no answer, as far as the network is told
    assert missed.body["on_line"] is False
    assert missed.lead_id is not None
    assert ("callback", "refused", "CNS-02") in brokerage.decisions(missed.lead_id)
