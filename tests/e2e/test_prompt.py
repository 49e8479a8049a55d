"""The prompt that a missed caller hears: the notice that a machine will text and call, and its two keys."""

from __future__ import annotations

import hashlib
import wave
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.brokerage import MAIN, Brokerage
from tests.e2e.hearing import heard_whole
from tests.e2e.scenes import missed_call, settled

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

NOTICE = "We missed you. Press 9 for no texts, 1 for a call."


async def test_what_the_caller_heard_and_when_is_in_the_journal(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    recorded = tmp_path / "heard.wav"
    async with missed_call(brokerage, caller, record=str(recorded)) as mobile:
        await mobile.heard("ended", within=15.0)  # by itself, after the time for keys
        played = await brokerage.event("PromptPlayed", caller=caller)
        left = await brokerage.event("CallerLeft", caller=caller)
    sound = brokerage.sounds / "missed_call_notice.wav"
    with wave.open(str(sound), "rb") as file:
        samples, seconds = file.readframes(file.getnframes()), file.getnframes() / file.getframerate()
    assert played.body["whole"] is True
    assert played.body["prompt"] == "missed_call_notice"
    assert played.body["text_sha256"] == hashlib.sha256(NOTICE.encode()).hexdigest()
    assert played.body["audio_sha256"] == hashlib.sha256(samples).hexdigest()
    started, ended = (datetime.fromisoformat(played.body[name]) for name in ("started_at", "ended_at"))
    assert (ended - started).total_seconds() == pytest.approx(seconds, abs=0.7)
    assert datetime.fromisoformat(left.at) > ended
    assert await heard_whole(recorded, sound) > 0.85


async def test_who_hangs_up_in_the_middle_of_the_prompt_is_texted_and_not_called(
    brokerage: Brokerage, caller: str
) -> None:
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        played = await brokerage.event("PromptPlayed", caller=caller)
        sent = await settled(brokerage, caller, "text")
    assert played.body["whole"] is False
    assert sent.body["outcome"] == "done"
    assert played.lead_id is not None
    assert ("callback", "refused", "CNS-02") in brokerage.decisions(played.lead_id)
    assert brokerage.orders(caller, "callback") == []


async def test_who_presses_1_is_called_at_once_and_not_texted_when_they_take_the_call(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    recorded = tmp_path / "heard.wav"
    async with missed_call(brokerage, caller, record=str(recorded), answer_after=0.2) as mobile:
        mobile.press("1")
        pressed = await brokerage.event("KeyPressed", caller=caller, key="1")
        await mobile.heard("ended", within=12.0)
        assert await heard_whole(recorded, brokerage.sounds / "thanks_callback.wav") > 0.85
        mobile.change(record=None)
        called = await mobile.heard("incoming")
        assert MAIN in called.facts["caller"]
        await mobile.heard("media")
        mobile.press("1")
        ended = await brokerage.event("CallbackEnded", lead=pressed.lead_id, within=20.0)
        await brokerage.event("EffectSettled", kind="alert", lead=pressed.lead_id)
    assert (ended.body["end"], ended.body["intent"]) == ("completed", "buying")
    assert brokerage.smsc.to(caller) == []
    assert pressed.lead_id is not None
    assert ("callback", "allowed", "CNS-02") in brokerage.decisions(pressed.lead_id)
    assert ("text", "skipped", "CNS-04") in brokerage.decisions(pressed.lead_id)


async def test_who_presses_1_and_does_not_take_the_call_is_texted_after_all(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller) as mobile:
        mobile.press("1")
        await mobile.heard("ended", within=12.0)
        await mobile.heard("incoming")
        mobile.answer(486)
        sent = await settled(brokerage, caller, "text")
    assert sent.body["outcome"] == "done"
    assert len(brokerage.smsc.to(caller)) == 1


async def test_who_presses_9_is_never_contacted_and_a_person_is_told(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    recorded = tmp_path / "heard.wav"
    async with missed_call(brokerage, caller, record=str(recorded)) as mobile:
        mobile.press("9")
        pressed = await brokerage.event("KeyPressed", caller=caller, key="9")
        await mobile.heard("ended", within=12.0)
        await brokerage.event("CallerLeft", caller=caller)
        assert await heard_whole(recorded, brokerage.sounds / "thanks_no_contact.wav") > 0.85
        await brokerage.mail(caller, "wants no texts")

        mobile.change(record=None)
        mobile.call(brokerage.dial(MAIN))
        again = await brokerage.event("CallMissed", caller=caller, count=2)
        await mobile.heard("ended", within=15.0)
        await brokerage.event("CallerLeft", caller=caller, count=2)
    assert pressed.lead_id is not None
    assert ("plan", "refused", "REV-01") in brokerage.reasons(pressed)
    assert ("text", "refused", "REV-10") in brokerage.decisions(pressed.lead_id)
    assert again.lead_id == pressed.lead_id
    assert brokerage.smsc.to(caller) == []
    assert brokerage.orders(caller, "text") == brokerage.orders(caller, "callback") == []
    [first] = [event for event in brokerage.events("PromptPlayed") if event.body["caller"] == caller]
    assert first.body["whole"] is False  # the second call heard no notice, which would not have been true


async def test_who_is_missed_again_on_the_same_day_hears_no_promise_that_nobody_keeps(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    recorded = tmp_path / "heard.wav"
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        await mobile.heard("ended")
        await settled(brokerage, caller, "text")
        mobile.change(record=str(recorded))
        mobile.call(brokerage.dial(MAIN))
        again = await brokerage.event("CallMissed", caller=caller, count=2)
        await mobile.heard("ended", within=15.0)
        await brokerage.event("CallerLeft", caller=caller, count=2)
    assert ("plan", "skipped", "FRQ-03") in brokerage.reasons(again)
    assert await heard_whole(recorded, brokerage.sounds / "missed_call_plain.wav") > 0.85
    assert len([event for event in brokerage.events("PromptPlayed") if event.body["caller"] == caller]) == 1


async def test_other_keys_change_nothing(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller) as mobile:
        mobile.press("5#")
        await mobile.heard("ended", within=15.0)
        played = await brokerage.event("PromptPlayed", caller=caller)
        await settled(brokerage, caller, "text")
    assert played.body["whole"] is True
    assert [event for event in brokerage.events("KeyPressed") if event.body["caller"] == caller] == []
