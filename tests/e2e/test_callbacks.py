"""The callback: the assistant phones the missed caller, asks one question, and writes down what it heard."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from ari_app.conversation.qualify import STOPPED
from tests.e2e.brokerage import LISTING, MAIN, OTHER_OFFICE, SECOND_DESK, SETTINGS, Brokerage, open_brokerage
from tests.e2e.hearing import agent_pauses, heard_whole, saying, spoken
from tests.e2e.scenes import called_back, missed_call
from tests.support.tones import loudness, write_tone
from tests.support.waiting import until
from tests.voice_agent.models.piper_voice import make_piper_voice
from tests.voice_agent.models.vosk_model import cached_vosk_model

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

QUESTION = "Are you calling about buying or selling?"


async def test_the_answer_is_heard_and_stands_in_the_journal_the_mail_and_the_crm(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    recorded = tmp_path / "heard.wav"
    async with called_back(brokerage, caller, LISTING, record=recorded) as call:
        assert LISTING in call.incoming.facts["caller"]  # the number that they dialled
        await agent_pauses(recorded)
        call.mobile.play(saying(tmp_path, "I'm looking to buy a house"))
        ended = await brokerage.event("CallbackEnded", lead=call.lead, within=30.0)
        await call.mobile.heard("ended")
        mail = await brokerage.mail(caller, "Missed call")
        pushed = (await until(lambda: brokerage.hook.about(caller), what="the push"))[-1]
        answered = await brokerage.event("CallbackAnswered", lead=call.lead)
    # What was said was heard.
    assert await heard_whole(recorded, await spoken(QUESTION)) > 0.85
    assert await heard_whole(recorded, await spoken("Thank you. An agent will call you about buying.")) > 0.85
    assert (
        await heard_whole(recorded, await spoken("Press 9 or say stop at any time, and we will not call again.")) > 0.85
    )
    # What was heard is written down.
    assert (ended.body["end"], ended.body["intent"]) == ("completed", "buying")
    lines = [(line["speaker"], line["text"]) for line in ended.body["lines"]]
    assert lines[0][0] == "agent"
    assert "automated assistant of Harbor Realty" in lines[0][1]
    assert "12 Ocean Drive" in lines[0][1]
    assert any(speaker == "caller" and "buy" in text for speaker, text in lines)
    assert "buying" in mail.get_content()
    assert pushed["intent"] == "buying"
    assert [(line["speaker"], line["text"]) for line in pushed["lines"]] == lines
    since = (datetime.fromisoformat(answered.at) - datetime.fromisoformat(call.missed.at)).total_seconds()
    assert since < 30.0


async def test_with_a_vosk_model_and_a_piper_voice_it_speaks_and_understands_as_well(
    caller: str, tmp_path: Path
) -> None:
    recorded, voice = tmp_path / "heard.wav", make_piper_voice(tmp_path)
    engines = f'voice: {{{{vosk_model: "{cached_vosk_model()}", piper_voice: "{voice}"}}}}'
    async with (
        open_brokerage(SETTINGS.replace("voice: {{lanes: 1}}", engines)) as brokerage,
        called_back(brokerage, caller, record=recorded) as call,
    ):
        await agent_pauses(recorded)
        call.mobile.play(saying(tmp_path, "I'm selling"))
        ended = await brokerage.event("CallbackEnded", lead=call.lead, within=40.0)
        await call.mobile.heard("ended")
        log = brokerage.log_path.read_text(encoding="utf-8")
    assert await heard_whole(recorded, await spoken(QUESTION, voice)) > 0.85
    assert await heard_whole(recorded, await spoken(QUESTION)) < 0.7, "no other voice said it"
    assert (ended.body["end"], ended.body["intent"]) == ("completed", "selling")
    assert "i'm selling" in [line["text"] for line in ended.body["lines"] if line["speaker"] == "caller"]
    assert '"stt": "vosk"' in log


async def test_the_answer_may_be_a_key(brokerage: Brokerage, caller: str) -> None:
    async with called_back(brokerage, caller) as call:
        call.mobile.press("2")
        ended = await brokerage.event("CallbackEnded", lead=call.lead, within=20.0)
        await call.mobile.heard("ended")
        await until(lambda: brokerage.hook.about(caller), what="the push")
    assert (ended.body["end"], ended.body["intent"], ended.body["keys"]) == ("completed", "selling", "2")
    assert brokerage.hook.about(caller)[-1]["intent"] == "selling"
    assert brokerage.orders(caller, "callback") == [(ended.body["effect_id"], "done")]


async def test_9_ends_it_and_the_caller_is_never_contacted_again(brokerage: Brokerage, caller: str) -> None:
    async with called_back(brokerage, caller) as call:
        call.mobile.press("9")
        said_no = await brokerage.event("CallbackOptedOut", lead=call.lead)
        ended = await brokerage.event("CallbackEnded", lead=call.lead, within=20.0)
        await call.mobile.heard("ended")
        call.mobile.call(brokerage.dial(OTHER_OFFICE))
        again = await brokerage.event("CallMissed", caller=caller, count=2)
        await call.mobile.heard("answered")
        call.mobile.hang_up()
        await brokerage.event("CallerLeft", caller=caller, count=2)
    assert (ended.body["end"], ended.body["keys"]) == ("opted_out", "9")
    assert ("plan", "refused", "REV-01") in brokerage.reasons(said_no)
    assert again.lead_id is not None
    await until(lambda: ("callback", "refused", "REV-10") in brokerage.decisions(again.lead_id or 0))
    assert ("text", "refused", "REV-10") in brokerage.decisions(again.lead_id)
    assert len(brokerage.smsc.to(caller)) == 1
    assert len(brokerage.orders(caller, "callback")) == 1


async def test_a_spoken_no_is_a_no(brokerage: Brokerage, caller: str, tmp_path: Path) -> None:
    recorded = tmp_path / "heard.wav"
    async with called_back(brokerage, caller, record=recorded) as call:
        await agent_pauses(recorded)
        call.mobile.play(saying(tmp_path, "stop calling me"))
        ended = await brokerage.event("CallbackEnded", lead=call.lead, within=30.0)
        await call.mobile.heard("ended")
    assert ended.body["end"] == "opted_out"
    assert brokerage.query("SELECT channel, state FROM consent WHERE number = ? ORDER BY channel", [caller]) == [
        ("call", "opted_out"),
        ("text", "opted_out"),
    ]


async def test_0_rings_the_desk_and_whoever_answers_speaks_with_the_caller(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    low, high = write_tone(tmp_path / "low.wav", 400), write_tone(tmp_path / "high.wav", 1000)
    outside, inside = tmp_path / "outside.wav", tmp_path / "inside.wav"
    async with (
        called_back(brokerage, caller) as call,
        brokerage.desk_phone("101", answer_after=0.3, speak=str(low), record=str(inside)) as desk,
    ):
        call.mobile.press("0")
        incoming = await desk.heard("incoming", within=15.0)
        assert caller.lstrip("+") in incoming.facts["caller"]
        await desk.heard("media")
        call.mobile.play(high, loop=True)
        call.mobile.record(outside)
        handed_over = await brokerage.event("CallbackHandedOver", lead=call.lead)
        await until(lambda: brokerage.hook.about(caller)[-1:] and brokerage.hook.about(caller)[-1]["reached_by"])
        await brokerage.talk(1.5)
        assert not brokerage.events("CallbackEnded", lead=call.lead)  # they talk, and the plan is over already
        desk.hang_up()
        await call.mobile.heard("ended")
        ended = await brokerage.event("CallbackEnded", lead=call.lead)
    assert handed_over.body["by"] == "101"
    assert (ended.body["end"], ended.body["by"]) == ("reached_person", "101")
    assert loudness(inside, 1000) > 1000
    assert loudness(outside, 400) > 1000


async def test_0_when_nobody_is_free_ends_in_an_apology_and_a_person_is_told(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    recorded = tmp_path / "heard.wav"
    async with brokerage.desk_phone("101", busy=True), called_back(brokerage, caller, record=recorded) as call:
        call.mobile.press("0")
        ended = await brokerage.event("CallbackEnded", lead=call.lead, within=25.0)
        await call.mobile.heard("ended")
        await brokerage.mail(caller, "asks for a person")
    assert ended.body["end"] == "wanted_person"
    assert await heard_whole(recorded, await spoken("I am sorry, nobody is free right now.")) > 0.85
    assert any("nobody is free" in line["text"] for line in ended.body["lines"])


async def test_who_hangs_up_while_the_desk_rings_does_not_leave_it_ringing(brokerage: Brokerage, caller: str) -> None:
    async with called_back(brokerage, caller) as call, brokerage.desk_phone("101") as desk:
        call.mobile.press("0")
        await desk.heard("incoming", within=15.0)
        call.mobile.hang_up()
        await desk.heard("ended", code=487)
        ended = await brokerage.event("CallbackEnded", lead=call.lead)
        await brokerage.mail(caller, "asks for a person")
    assert ended.body["end"] == "wanted_person"


async def test_9_counts_also_while_the_desk_rings_and_is_confirmed(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    recorded = tmp_path / "heard.wav"
    async with called_back(brokerage, caller, record=recorded) as call, brokerage.desk_phone("101") as desk:
        call.mobile.press("0")
        await desk.heard("incoming", within=15.0)
        call.mobile.press("9")
        said_no = await brokerage.event("CallbackOptedOut", lead=call.lead)
        await desk.heard("ended", code=487)
        await call.mobile.heard("ended", within=15.0)
        ended = await brokerage.event("CallbackEnded", lead=call.lead)
    assert said_no.body["how"] == "9"
    assert ("plan", "refused", "REV-01") in brokerage.reasons(said_no)
    assert (ended.body["end"], ended.body["keys"]) == ("opted_out", "09")
    assert await heard_whole(recorded, await spoken(STOPPED[0])) > 0.85


async def test_9_and_the_receiver_down_at_once_is_a_no(brokerage: Brokerage, caller: str) -> None:
    async with called_back(brokerage, caller) as call:
        call.mobile.press("9")
        await brokerage.event("CallbackOptedOut", lead=call.lead)
        call.mobile.hang_up()
        ended = await brokerage.event("CallbackEnded", lead=call.lead)
    assert ended.body["end"] == "opted_out"
    assert brokerage.query("SELECT DISTINCT state FROM consent WHERE number = ?", [caller]) == [("opted_out",)]


async def test_nobody_is_called_back_while_an_agent_has_them_on_the_phone(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    async with missed_call(brokerage, caller) as mobile, brokerage.desk_phone("102") as desk:
        await brokerage.event("PromptPlayed", caller=caller)
        await mobile.heard("ended", within=15.0)
        desk.call(brokerage.dial(caller.lstrip("+")))  # sees the missed call, and is quicker than we
        await mobile.heard("incoming")
        mobile.answer()
        await desk.heard("answered")
        effect_id, _ = (await until(lambda: brokerage.orders(caller, "callback"), what="the callback's order"))[0]
        await until(lambda: brokerage.attempts(effect_id) >= 2, within=15.0, what="two attempts at the callback")
        await mobile.settle()
        assert mobile.story().count("incoming") == 1
        desk.hang_up()
        await mobile.heard("ended")
        await mobile.heard("incoming")
        mobile.answer(486)
        await brokerage.event("CallbackEnded", effect_id=effect_id)


async def test_who_hangs_up_in_the_middle_is_a_fact_and_a_person_is_told(brokerage: Brokerage, caller: str) -> None:
    async with called_back(brokerage, caller) as call:
        await brokerage.talk(1.0)
        call.mobile.hang_up()
        ended = await brokerage.event("CallbackEnded", lead=call.lead)
        await brokerage.mail(caller, "Missed call")
    assert (ended.body["end"], ended.body["intent"]) == ("caller_hung_up", "unstated")
    assert 0.5 < ended.body["seconds"] < 6.0
    assert brokerage.orders(caller, "callback") == [(ended.body["effect_id"], "done")]


async def test_who_answers_and_hangs_up_at_once_has_answered(brokerage: Brokerage, caller: str) -> None:
    async with called_back(brokerage, caller) as call:
        call.mobile.hang_up()
        answered = await brokerage.event("CallbackAnswered", lead=call.lead)
        ended = await brokerage.event("CallbackEnded", lead=call.lead)
    assert ended.body["end"] == "caller_hung_up"
    assert ended.seq > answered.seq


async def test_a_busy_caller_is_not_tried_again_and_a_person_is_told(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller) as mobile:
        await mobile.heard("ended", within=15.0)
        await mobile.heard("incoming")
        mobile.answer(486)
        ended = await brokerage.event("CallbackEnded", lead=brokerage.lead_of(caller))
        await brokerage.mail(caller, "Missed call")
    assert ended.body["end"] == "busy"
    assert brokerage.orders(caller, "callback") == [(ended.body["effect_id"], "done")]


async def test_a_caller_who_does_not_answer_hears_it_ring_for_its_time_once(brokerage: Brokerage, caller: str) -> None:
    async with missed_call(brokerage, caller) as mobile:
        await mobile.heard("ended", within=15.0)
        rings = await mobile.heard("incoming")
        over = await mobile.heard("ended", code=487, within=25.0)
        ended = await brokerage.event("CallbackEnded", lead=brokerage.lead_of(caller))
    assert ended.body["end"] == "no_answer"
    assert over.at - rings.at > 14.0  # 16 CFR 310.4(b)(4)(ii): fifteen seconds, or four rings
    assert brokerage.orders(caller, "callback") == [(ended.body["effect_id"], "done")]


async def test_who_speaks_with_another_office_meanwhile_is_not_called_back(brokerage: Brokerage, caller: str) -> None:
    async with (
        brokerage.mobile(caller) as second_line,
        brokerage.desk_phone("102", answer_after=0.0),
        missed_call(brokerage, caller) as first_line,
    ):
        await brokerage.event("PromptPlayed", caller=caller)
        second_line.call(brokerage.dial(SECOND_DESK))
        await second_line.heard("answered")
        told = await brokerage.event("CallAnswered", lead=brokerage.lead_of(caller))
        await first_line.heard("ended", within=15.0)
        await brokerage.event("CallerLeft", caller=caller)
        await first_line.settle()
        assert "incoming" not in first_line.story()
        second_line.hang_up()
        await brokerage.event("CallClosed", caller=caller)
    assert told.body["elsewhere"] is True
    assert {status for _, status in brokerage.orders(caller, "callback")} <= {"cancelled"}


async def test_a_callback_gives_way_to_the_caller_s_own_call_and_is_not_needed_when_they_reach_a_person(
    brokerage: Brokerage, caller: str
) -> None:
    async with brokerage.mobile(caller) as second_line, missed_call(brokerage, caller) as first_line:
        await first_line.heard("ended", within=15.0)
        await first_line.heard("incoming")
        async with brokerage.desk_phone("101", answer_after=0.1):
            second_line.call(brokerage.dial(MAIN))
            await first_line.heard("ended", code=487)
            await second_line.heard("answered")
            answered = await brokerage.event("CallAnswered", caller=caller)
            await until(lambda: [status for _, status in brokerage.orders(caller, "callback")] == ["cancelled"])
            second_line.hang_up()
            await brokerage.event("CallClosed", caller=caller)
    assert brokerage.events("CallbackEnded", lead=answered.lead_id) == []


async def test_the_longest_time_is_the_assistant_s_and_people_talk_as_long_as_they_like(caller: str) -> None:
    async with (
        open_brokerage(SETTINGS.replace("ring: 15s, per_day: 3", "ring: 15s, per_day: 3, longest: 30s")) as brokerage,
        called_back(brokerage, caller) as call,
        brokerage.desk_phone("101", answer_after=0.0) as desk,
    ):
        call.mobile.press("0")
        await desk.heard("answered", within=15.0)
        await brokerage.talk(32.0)
        for phone in (desk, call.mobile):
            await phone.settle()
        assert not any(word.startswith("ended") for word in desk.story())
        call.mobile.hang_up()
        await desk.heard("ended")
        ended = await brokerage.event("CallbackEnded", lead=call.lead)
    assert (ended.body["end"], ended.body["by"]) == ("reached_person", "101")
    assert ended.body["seconds"] > 30.0


async def test_a_conversation_ends_at_its_time_is_kept_and_holds_its_place_until_then(caller: str) -> None:
    """One callback at a time: the second person is called when the first conversation is over."""
    settings = SETTINGS.replace("ring: 15s, per_day: 3", "ring: 15s, per_day: 3, longest: 30s, at_once: 1")
    second = f"{caller[:-1]}{(int(caller[-1]) + 1) % 10}"
    async with open_brokerage(settings) as brokerage, called_back(brokerage, caller) as call:
        async with missed_call(brokerage, second) as mobile:
            await mobile.heard("ended", within=15.0)
            await until(lambda: brokerage.orders(second, "callback"), what="the second callback's order")
            ended = await brokerage.event("CallbackEnded", lead=call.lead, within=45.0)
            await mobile.settle()
            await mobile.heard("incoming", within=15.0)
            mobile.answer(486)
            later = await brokerage.event("CallbackEnded", lead=brokerage.lead_of(second))
        assert brokerage.attempts(later.body["effect_id"]) == 1
    assert ended.body["end"] == "completed"
    assert ended.body["seconds"] < 32.0
    assert len(ended.body["lines"]) > 4
    assert later.body["end"] == "busy"
