"""Whole conversations, in virtual time: who speaks when, who interrupts whom, and what becomes of it."""

from __future__ import annotations

import asyncio

import pytest

from tests.support import virtual
from tests.voice_agent.scripted import (
    ASKED_SECONDS,
    HOW,
    QUESTION,
    SENTENCE_SECONDS,
    WHO,
    Caller,
    Question,
    ScriptedRecogniser,
    ScriptedVoice,
    hold,
    nobody,
    pause,
    speech,
)
from voice_agent.agent import VoiceAgent
from voice_agent.audio import BYTES_A_SECOND, rms, seconds_of
from voice_agent.conversation import EndedBy, Key, Speaker
from voice_agent.dialogue import HangUp, Listen, Turn
from voice_agent.errors import EngineFailedError
from voice_agent.heard import Heard
from voice_agent.media import AudioFrame, Incoming, MediaEnded
from voice_agent.media_loop import LoopMedia
from voice_agent.options import AgentOptions
from voice_agent.turn_taking import LAST_WORDS_SECONDS
from voice_agent.vad import EnergyDetector

ASKED = [f"agent: {WHO}", f"agent: {HOW}", f"agent: {QUESTION}"]


def says(at: float, seconds: float = 0.8, amplitude: int = 8000) -> Caller:
    """A caller who speaks once, ``at`` seconds after the start."""

    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(at)
        media.speak(speech(seconds, amplitude))

    return caller


def presses(at: float, digit: str) -> Caller:
    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(at)
        media.press(digit)

    return caller


def silent_from(media: LoopMedia, seconds: float) -> bool:
    """Whether the caller hears nothing for half a second from then on."""
    start = round(seconds * BYTES_A_SECOND / 2) * 2
    return rms(media.heard()[start : start + BYTES_A_SECOND // 2]) == 0.0


# ---------------------------------------------------------------------------------------------------------------- answers
def test_a_spoken_answer_is_told_and_thanked_for() -> None:
    held = hold(says(at=6.5), texts=["i'm buying"])
    assert held.told == ['heard "i\'m buying"']
    assert held.said() == [*ASKED, "caller: i'm buying", "agent: Thanks, i'm buying."]
    assert held.conversation.ended_by is EndedBy.AGENT
    caller = held.conversation.transcript[3]
    assert caller.speaker is Speaker.CALLER
    assert caller.started_seconds == pytest.approx(6.5, abs=0.05)
    assert caller.ended_seconds == pytest.approx(7.3, abs=0.05)


def test_the_recogniser_is_told_what_to_expect_and_loses_no_beginning() -> None:
    held = hold(says(at=6.5), texts=["i'm buying"])
    assert held.recogniser.expected == [("buying", "selling"), ()]
    [taken] = held.recogniser.taken
    assert seconds_of(taken) == pytest.approx(0.3 - 0.08 + 0.8 + 0.3, abs=0.15)


def test_the_first_sound_goes_out_at_once_and_sentences_follow_one_another() -> None:
    held = hold()
    first, second, third = held.conversation.transcript[:3]
    assert first.started_seconds < 0.05
    assert second.started_seconds == pytest.approx(first.ended_seconds, abs=0.05)
    assert third.ended_seconds == pytest.approx(ASKED_SECONDS, abs=0.1)


def test_silence_is_told_each_time_and_the_dialogue_decides() -> None:
    held = hold()
    assert held.told == ["silence", "silence"]
    assert held.said() == [*ASKED, f"agent: {QUESTION}", "agent: Goodbye."]
    assert held.conversation.ended_by is EndedBy.AGENT
    assert held.conversation.seconds == pytest.approx(ASKED_SECONDS + 4 + 2 + 4 + 2, abs=0.3)


def test_speech_without_understanding_is_told_as_an_empty_text() -> None:
    held = hold(says(at=6.5), texts=[""])
    assert held.told[0] == "heard ''"
    assert "caller: " in held.said()


def test_a_short_noise_is_no_answer_and_does_not_prolong_the_waiting() -> None:
    held = hold(says(at=7.0, seconds=0.14), texts=[""])
    assert held.told[0] == "silence"
    assert held.conversation.transcript[3].started_seconds == pytest.approx(ASKED_SECONDS + 4, abs=0.2)


def test_after_a_noise_at_the_last_moment_there_is_a_second_left_to_answer() -> None:
    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(9.7)
        media.speak(speech(0.14))
        await pause(1.5)
        media.speak(speech(0.8))

    assert hold(caller, texts=["", "selling"]).told == ["heard 'selling'"]


# ------------------------------------------------------------------------------------------------------------------- keys
@pytest.mark.parametrize("at", [0.5, 3.0, 5.5, 7.0])
def test_a_key_acts_at_once_at_any_moment(at: float) -> None:
    held = hold(presses(at, "9"))
    assert held.told == ["key 9"]
    [key] = held.conversation.keys
    assert key == Key("9", key.at_seconds)
    assert key.at_seconds == pytest.approx(at, abs=0.05)
    assert held.said()[-1] == "agent: Thanks for 9."
    assert held.conversation.transcript[-1].started_seconds == pytest.approx(at, abs=0.05)
    if at < ASKED_SECONDS:
        assert held.said()[-2].endswith(" …")


def test_a_key_for_a_person_ends_in_a_transfer_once_that_is_said() -> None:
    held = hold(presses(1.0, "0"))
    assert held.conversation.ended_by is EndedBy.TRANSFER
    assert held.said() == [f"agent: {WHO} …", "agent: One moment."]
    assert held.conversation.seconds == pytest.approx(3.0, abs=0.1)


def test_a_key_that_means_nothing_interrupts_nothing() -> None:
    held = hold(presses(1.0, "5"))
    assert held.told == ["silence", "silence"]
    assert held.conversation.keys == ()


def test_a_key_acts_even_while_the_agent_says_goodbye() -> None:
    class Last(Question):
        def open(self) -> Turn:
            return Turn(("Goodbye.",), HangUp(), keys="9")

    held = hold(presses(1.0, "9"), dialogue=Last())
    assert held.said() == ["agent: Goodbye. …", "agent: Thanks for 9."]


def test_the_application_may_press_keys_for_media_that_do_not_tell() -> None:
    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(1.0)
        agent.press("1")

    assert hold(caller).told == ["key 1"]


@pytest.mark.parametrize("wrong", ["", "A", "12"])
def test_what_is_no_key_cannot_be_pressed(wrong: str) -> None:
    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        with pytest.raises(ValueError, match="expected one of"):
            agent.press(wrong)

    hold(caller)


# --------------------------------------------------------------------------------------------------------- interruptions
def test_speech_that_means_something_silences_the_agent_and_is_heard_out() -> None:
    held = hold(says(at=2.5, seconds=1.6), texts=["well i am selling"])
    assert held.told == ["heard 'well i am selling'"]
    assert held.said() == [
        f"agent: {WHO}",
        f"agent: {HOW} …",
        "caller: well i am selling",
        "agent: Thanks, well i am selling.",
    ]
    assert silent_from(held.media, 3.1)


def test_a_short_answer_during_the_prompt_counts_when_it_is_over() -> None:
    held = hold(says(at=4.5, seconds=0.3), texts=["selling"])
    assert held.told == ["heard 'selling'"]
    assert held.said()[2] == f"agent: {QUESTION} …"


def test_hello_interrupts_nobody_but_is_written_down() -> None:
    held = hold(says(at=2.5, seconds=0.6), texts=["hello"])
    assert held.said()[:4] == [f"agent: {WHO}", f"agent: {HOW}", "caller: hello", f"agent: {QUESTION}"]
    assert held.told[0] == "silence"


def test_yes_interrupts_where_yes_is_an_answer() -> None:
    class YesNo(Question):
        def open(self) -> Turn:
            return Turn((WHO, HOW), Listen(("yes", "no")), protected=1)

    assert hold(says(at=2.5, seconds=0.6), texts=["yes"], dialogue=YesNo()).told == ["heard 'yes'"]


def test_nothing_said_interrupts_who_is_calling() -> None:
    held = hold(says(at=0.3, seconds=0.8), texts=["what do you want"])
    assert held.said()[0] == "caller: what do you want" or held.said()[1] == "caller: what do you want"
    assert f"agent: {WHO}" in held.said()
    assert held.told[0] == "silence"


def test_an_answer_during_who_is_calling_acts_as_soon_as_that_is_said() -> None:
    held = hold(says(at=0.3, seconds=0.6), texts=["selling"])
    assert held.told == ["heard 'selling'"]
    assert f"agent: {WHO}" in held.said()
    assert held.conversation.transcript[-1].started_seconds == pytest.approx(SENTENCE_SECONDS, abs=0.1)


def test_speech_that_goes_on_beyond_the_prompt_is_the_answer() -> None:
    held = hold(says(at=5.8, seconds=0.8), texts=["selling"], options=AgentOptions(speech_barge_in=False))
    assert held.told == ["heard 'selling'"]
    assert not any(line.cut for line in held.conversation.transcript)


def test_an_answer_that_goes_on_beyond_the_prompt_for_longer_than_we_wait_is_heard_out() -> None:
    recogniser = ScriptedRecogniser(["well let me think selling"], thinks=0.4)
    held = hold(says(at=5.8, seconds=5.0), recogniser=recogniser, options=AgentOptions(speech_barge_in=False))
    assert held.told == ["heard 'well let me think selling'"]


def test_without_barge_in_an_answer_during_the_prompt_waits_until_all_is_said() -> None:
    held = hold(says(at=2.5, seconds=0.8), texts=["selling"], options=AgentOptions(speech_barge_in=False))
    assert held.told == ["heard 'selling'"]
    assert held.said()[-1] == "agent: Thanks, selling."
    assert held.conversation.transcript[-1].started_seconds == pytest.approx(ASKED_SECONDS, abs=0.1)


def test_the_echo_of_our_own_voice_does_not_interrupt() -> None:
    held = hold(says(at=2.0, seconds=4.0, amplitude=400), texts=["press nine to stop buying"])
    assert held.told[0] == "silence"
    assert held.said()[:3] == ASKED


def test_noise_during_the_prompt_interrupts_nothing() -> None:
    assert hold(says(at=2.5, seconds=1.2), texts=[""]).said()[:3] == ASKED


class Last(Question):
    """Only says goodbye."""

    def open(self) -> Turn:
        return Turn(("Goodbye.", "Have a nice day."), HangUp(), keys="9")


def test_what_is_said_during_goodbye_is_written_down_and_left_alone() -> None:
    held = hold(says(at=0.5), texts=["wait"], dialogue=Last())
    assert held.told == []
    assert held.said() == ["agent: Goodbye.", "caller: wait", "agent: Have a nice day."]


# --------------------------------------------------------------------------------------------------- refusals, last words
def speaks(*times: float, seconds: float = 0.8, hangs_up: float | None = None) -> Caller:
    """A caller who speaks at these moments, and may hang up."""

    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        now = 0.0
        for at in times:
            await pause(at - now)
            media.speak(speech(seconds))
            now = at
        if hangs_up is not None:
            await pause(hangs_up - now)
            media.hang_up()

    return caller


def test_a_no_while_nothing_may_interrupt_acts_as_soon_as_who_calls_is_said() -> None:
    held = hold(speaks(0.2), texts=["please stop"])
    assert held.told == ["heard 'please stop'"]
    assert held.said()[:2] == [f"agent: {WHO}", "caller: please stop"]
    assert not any(QUESTION in line for line in held.said())


def test_after_a_no_no_other_words_count() -> None:
    assert hold(speaks(0.1, 1.0, seconds=0.2), texts=["stop", "buying"]).told == ["heard 'stop'"]


def test_a_no_counts_more_than_what_was_said_before_it() -> None:
    assert hold(speaks(0.1, 0.9, seconds=0.2), texts=["buying", "stop"]).told == ["heard 'stop'"]


@pytest.mark.parametrize(
    ("said_at", "hung_up"),
    [(0.2, 1.5), (0.5, 1.35), (3.5, 4.25), (7.0, 7.85), (7.0, 9.0)],
    ids=["protected, waiting", "protected, at once", "spoken over", "at once", "as ever"],
)
def test_a_no_and_a_hang_up_are_a_no(said_at: float, hung_up: float) -> None:
    held = hold(speaks(said_at, hangs_up=hung_up), texts=["stop it"])
    assert held.told == ["heard 'stop it'"]
    assert "caller: stop it" in held.said()
    assert held.conversation.ended_by in (EndedBy.CALLER, EndedBy.AGENT)
    assert held.conversation.seconds < 10.5


def test_an_answer_and_a_hang_up_are_an_answer() -> None:
    held = hold(speaks(7.0, hangs_up=7.85), texts=["selling"])
    assert held.told == ["heard 'selling'"]
    assert held.conversation.ended_by is EndedBy.CALLER


def test_last_words_that_answer_nothing_are_written_down() -> None:
    held = hold(speaks(2.2, hangs_up=3.05), texts=["what"])
    assert held.told == []
    assert held.said()[-1] == "caller: what"
    assert held.conversation.ended_by is EndedBy.CALLER


def test_last_words_that_nobody_understands_are_not_waited_for() -> None:
    held = hold(speaks(7.0, hangs_up=7.85), recogniser=ScriptedRecogniser(["stop"], thinks=60.0))
    assert held.told == []
    assert held.conversation.seconds == pytest.approx(7.85 + LAST_WORDS_SECONDS, abs=0.1)
    assert not held.recogniser.listening


@pytest.mark.parametrize("at", [0.5, 3.4])
def test_a_no_during_goodbye_is_a_no(at: float) -> None:
    held = hold(speaks(at), texts=["stop calling"], dialogue=Last())
    assert held.told == ["heard 'stop calling'"]
    assert held.said()[-1] == "agent: Thanks, stop calling."


def test_a_no_before_a_person_takes_over_is_a_no() -> None:
    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(0.5)
        media.press("0")
        media.speak(speech(0.8))

    assert hold(caller, texts=["no stop"]).told == ["key 0", "heard 'no stop'"]


def test_a_key_counts_while_the_last_words_are_awaited() -> None:
    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(3.4)
        media.speak(speech(0.8))
        await pause(1.0)
        agent.press("5")
        agent.press("9")

    held = hold(caller, recogniser=ScriptedRecogniser(["wait"], thinks=1.0), dialogue=Last())
    assert held.told == ["key 9"]


def test_speech_while_the_text_is_awaited_belongs_to_the_next_turn() -> None:
    class TwoQuestions(Question):
        def heard(self, heard: Heard) -> Turn:
            self.told.append(heard.text)
            return Turn(("And where?",), Listen(("miami",))) if len(self.told) == 1 else Turn(("Bye.",), HangUp())

    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(6.5)
        media.speak(speech(0.6))
        await pause(1.0)  # the turn is over, the recogniser still thinks
        media.speak(speech(0.9))

    recogniser = ScriptedRecogniser(["buying", "in miami"], thinks=0.4)
    held = hold(caller, recogniser=recogniser, dialogue=TwoQuestions())
    assert held.told == ["buying", "in miami"]
    assert "agent: And where? …" in held.said()


# ------------------------------------------------------------------------------------------------------------------- ends
def test_a_hang_up_in_the_middle_is_an_outcome() -> None:
    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(2.5)
        media.hang_up()

    held = hold(caller)
    assert held.conversation.ended_by is EndedBy.CALLER
    assert held.said() == [f"agent: {WHO}", f"agent: {HOW} …"]
    assert held.conversation.seconds == pytest.approx(2.5, abs=0.05)
    assert held.conversation.why == "the caller hung up"


def test_the_application_may_tell_of_a_hang_up() -> None:
    async def caller(media: LoopMedia, agent: VoiceAgent) -> None:
        await pause(2.5)
        agent.caller_gone()

    held = hold(caller)
    assert held.conversation.ended_by is EndedBy.CALLER
    assert silent_from(held.media, 2.55)


def test_audio_that_breaks_off_is_told_apart_from_a_hang_up() -> None:
    class Broken(LoopMedia):
        async def receive(self) -> Incoming:
            incoming = await super().receive()
            gone = asyncio.get_running_loop().time() > 1.0
            return MediaEnded("the socket failed") if gone and isinstance(incoming, AudioFrame) else incoming

    async def main() -> None:
        agent = VoiceAgent(Broken(), ScriptedRecogniser(), ScriptedVoice(), EnergyDetector())
        conversation = await agent.converse(Question())
        assert (conversation.ended_by, conversation.why) == (EndedBy.MEDIA_LOST, "the socket failed")

    virtual.run(main)


def test_nothing_lasts_longer_than_it_may() -> None:
    held = hold(options=AgentOptions(longest_seconds=3.0))
    assert held.conversation.ended_by is EndedBy.TOO_LONG
    assert held.said() == [f"agent: {WHO}", f"agent: {HOW} …"]
    assert held.conversation.seconds == pytest.approx(3.0, abs=0.05)


def test_a_caller_who_never_stops_is_answered_after_the_longest_turn() -> None:
    held = hold(says(at=6.5, seconds=60.0), texts=["and another thing"])
    assert held.told[0] == "heard 'and another thing'"
    assert held.conversation.transcript[3].ended_seconds == pytest.approx(26.5, abs=0.2)


def test_a_voice_that_fails_ends_the_conversation_with_the_reason() -> None:
    held = hold(voice=ScriptedVoice(broken=HOW))
    assert held.conversation.ended_by is EndedBy.ERROR
    assert held.conversation.why == "scripted: lost its voice"
    assert held.said() == [f"agent: {WHO}"]


def test_a_recogniser_that_fails_costs_one_answer_and_is_told() -> None:
    held = hold(says(at=6.5), texts=[EngineFailedError("scripted", "broke")])
    assert held.told[0] == "heard ''"
    assert held.conversation.faults == ("scripted: broke",)


def test_a_recogniser_that_is_overloaded_costs_one_answer_and_is_told_once() -> None:
    held = hold(says(at=6.5), recogniser=ScriptedRecogniser(overloaded=True))
    assert held.told[0] == "heard ''"
    assert held.conversation.faults == ("scripted: too busy",)


@pytest.mark.parametrize("defect", [RuntimeError("a defect"), TimeoutError("a defect")])
def test_a_defect_of_the_dialogue_comes_out_as_it_is(defect: Exception) -> None:
    class Defective(Question):
        def silence(self) -> Turn:
            raise defect

    with pytest.raises(type(defect), match="a defect"):
        hold(dialogue=Defective())


def test_a_cancelled_conversation_falls_silent() -> None:
    async def main() -> None:
        media = LoopMedia()
        agent = VoiceAgent(media, ScriptedRecogniser(), ScriptedVoice(), EnergyDetector())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await agent.converse(Question())
        await pause(1.0)
        assert seconds_of(media.heard()) == pytest.approx(1.0, abs=0.02)

    virtual.run(main)


@pytest.mark.parametrize("defective", [False, True])
def test_a_conversation_that_breaks_off_gives_up_the_utterance_that_is_going_on(defective: bool) -> None:
    """Or its decoder would wait for the rest of it for ever, and so would all callers after."""

    class Defective(Question):
        def key(self, digit: str) -> Turn:
            raise RuntimeError("a defect")

    async def main() -> None:
        media, recogniser = LoopMedia(), ScriptedRecogniser(["buying"])
        agent = VoiceAgent(media, recogniser, ScriptedVoice(), EnergyDetector())
        media.speak(speech(5.0))
        if defective:
            asyncio.get_running_loop().call_later(1.0, media.press, "9")
        with pytest.raises(RuntimeError if defective else TimeoutError):
            async with asyncio.timeout(1.5):
                await agent.converse(Defective())
        assert recogniser.taken
        assert not recogniser.listening

    virtual.run(main)


def test_a_second_conversation_on_the_same_call_knows_nothing_of_the_first() -> None:
    class Apology(Question):
        def open(self) -> Turn:
            return Turn(("Nobody is there.",), HangUp())

    async def main() -> None:
        media = LoopMedia()
        recogniser = ScriptedRecogniser([EngineFailedError("scripted", "broke"), "buying"])
        agent = VoiceAgent(media, recogniser, ScriptedVoice(), EnergyDetector())
        media.press("0")
        first = await agent.converse(Question())
        agent.press("9")  # while nobody listens
        second = await agent.converse(Apology())
        assert first.ended_by is EndedBy.TRANSFER
        assert [key.digit for key in second.keys] == ["9"]
        assert second.faults == ()
        agent.caller_gone()
        third = await agent.converse(Apology())
        assert (third.ended_by, third.transcript) == (EndedBy.CALLER, ())
        assert (await agent.converse(Apology())).ended_by is EndedBy.CALLER

    virtual.run(main)


# ---------------------------------------------------------------------------------------------------------------- timings
def test_timings_tell_where_the_time_went() -> None:
    held = hold(says(at=6.5), recogniser=ScriptedRecogniser(["selling"], thinks=0.123))
    start, voice = held.conversation.timings
    assert start.after == "start"
    assert start.total_seconds == pytest.approx(0.0, abs=0.01)
    assert voice.after == "voice"
    assert voice.endpoint_seconds == pytest.approx(0.2, abs=0.021)
    assert voice.recognise_seconds == pytest.approx(0.123, abs=0.01)
    assert voice.speak_seconds == pytest.approx(0.0, abs=0.01)
    assert voice.total_seconds == pytest.approx(0.323, abs=0.03)


def test_timings_after_keys_and_silence_have_one_part_only() -> None:
    assert [timing.after for timing in hold(presses(1.0, "9")).conversation.timings] == ["start", "key"]
    assert [timing.after for timing in hold(nobody).conversation.timings] == ["start", "silence", "silence"]
