"""Prompts that callers hear, and the conversation of a callback, with engines that do as the test says."""

from __future__ import annotations

import asyncio
import hashlib
import wave
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ari_app.calls.effects import Prompt
from ari_app.calls.voice import Talk, TalkEnd
from ari_app.conversation import qualify
from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.values import Intent, Line
from ari_app.settings.calling import PromptSection, VoiceSection
from ari_app.speech import CallbackVoice, VoiceSoon, _Saying, engine_options, prompt_texts, render_prompts
from tests.support import virtual
from tests.support.books import CALLER, DIALLED, NOON, Books
from tests.support.ports import free_port
from tests.support.waiting import until
from tests.voice_agent.paper_channel import paper_channel
from tests.voice_agent.scripted import ScriptedRecogniser, ScriptedVoice, pause, speech
from voice_agent.dialogue import HangUp, Turn
from voice_agent.engines import EngineOptions, Engines
from voice_agent.errors import EngineError, EngineFailedError
from voice_agent.heard import Heard
from voice_agent.media import Incoming, MediaEnded
from voice_agent.media_loop import LoopMedia
from voice_agent.vad import EnergyDetector


# ------------------------------------------------------------------------------------------------------------------ engines
def test_paths_of_models_count_from_the_settings(tmp_path: Path) -> None:
    section = VoiceSection.model_validate(
        {"vosk_model": "models/en", "piper_voice": "/opt/voice.onnx", "language": "en", "lanes": 3}
    )
    assert engine_options(section, tmp_path, tmp_path / "cache") == EngineOptions(
        stt="auto",
        vosk_model=tmp_path / "models/en",
        tts="auto",
        piper_voice=Path("/opt/voice.onnx"),
        language="en",
        cache=tmp_path / "cache",
        lanes=3,
    )
    nothing = engine_options(VoiceSection(), tmp_path, tmp_path)
    assert (nothing.vosk_model, nothing.piper_voice) == (None, None)


# ------------------------------------------------------------------------------------------------------------------ prompts
def test_every_prompt_that_calls_can_play_has_its_words(tmp_path: Path) -> None:
    texts = prompt_texts(PromptSection(), "Harbor Realty")
    assert {prompt.value for prompt in Prompt} <= texts.keys()
    assert "missed_call_away" in texts, "what the dialplan plays by itself"
    for name, text in texts.items():
        assert "{" not in text, name
        assert text == " ".join(text.split()), name
    assert "Harbor Realty" in texts[Prompt.NOTICE.value]


def test_the_settings_words_come_first_and_the_brokerages_name_is_cleaned() -> None:
    section = PromptSection.model_validate({"notice": "This is {brokerage}.\nPress 9.", "never": "We will not."})
    texts = prompt_texts(section, "Harbor\x00 Realty\n" + "x" * 200)
    assert texts[Prompt.NOTICE.value].startswith("This is Harbor Realty xxx")
    assert texts[Prompt.NOTICE.value].endswith("x. Press 9.")
    assert len(texts[Prompt.NOTICE.value]) < 110
    assert texts[Prompt.NEVER.value] == "We will not."
    assert texts[Prompt.CALL_NOW.value] != "We will not."


async def test_prompts_become_sounds_with_the_hashes_of_their_words(tmp_path: Path) -> None:
    texts = {"missed_call_away": "Goodbye.", Prompt.NOTICE.value: "We missed you."}
    voiced = await render_prompts(texts, ScriptedVoice(), tmp_path / "sounds")
    assert list(voiced) == [Prompt.NOTICE], "the dialplan's own prompt is a sound, and no prompt of ours"
    assert voiced[Prompt.NOTICE].text_sha256 == hashlib.sha256(b"We missed you.").hexdigest()
    for name in texts:
        with wave.open(str(tmp_path / "sounds" / f"{name}.wav")) as file:
            assert (file.getframerate(), file.getnframes()) == (8000, 16000)


async def test_a_voice_that_breaks_is_told() -> None:
    with pytest.raises(EngineError, match="lost its voice"):
        await render_prompts({"notice": "Hello."}, ScriptedVoice("Hello."), Path("/nowhere"))


# ----------------------------------------------------------------------------------------------------------------- callbacks
CALLBACK = PlaceCallback(
    to=CALLER,
    caller_id=DIALLED,
    missed_at=NOON,
    office="miami",
    name="Kim",
    listing="12 Ocean Drive, the yellow house with the garden",
    phones=("101",),
    expires_at=NOON + timedelta(minutes=5),
    by_request=False,
)
SUBJECT = qualify.Subject("Harbor Realty", "Kim", "12 Ocean Drive, the yellow house with th", "12:00 pm")
"""What CALLBACK is about."""
Caller = Callable[[LoopMedia, "Speaking"], Coroutine[object, object, None]]
QUESTION_AT = 10.0
"""Five sentences of two seconds each: then the question has been put."""


def unheard() -> None:
    """Whoever does not care for a no."""


class Speaking:
    """The speaker under test; ``gone`` and ``key`` are what ARI tells."""

    def __init__(self, voice: CallbackVoice, media: LoopMedia) -> None:
        self.speaker = voice._speaker(CALLBACK, media)


def hold(
    folder: Path,
    caller: Caller,
    *texts: str | EngineError,
    voice: ScriptedVoice | None = None,
    longest: float = 240.0,
    media: type[LoopMedia] = LoopMedia,
    said_no: Callable[[], None] = unheard,
) -> Talk:
    """A whole conversation, in no time."""

    async def held() -> Talk:
        books = Books(folder)
        engines = Engines(ScriptedRecogniser(texts), voice or ScriptedVoice(), EnergyDetector)
        audio = media()
        speaking = Speaking(CallbackVoice(engines, books.recorder), audio)
        async with asyncio.TaskGroup() as group:
            acting = group.create_task(caller(audio, speaking))
            talk = await speaking.speaker.talk(longest, said_no)
            acting.cancel()
        books.close()
        return talk

    return virtual.run(held)


def says(at: float = QUESTION_AT + 0.5) -> Caller:
    async def caller(media: LoopMedia, speaking: Speaking) -> None:
        await pause(at)
        media.speak(speech(0.8))

    return caller


def presses(digit: str, at: float = QUESTION_AT + 0.5) -> Caller:
    async def caller(media: LoopMedia, speaking: Speaking) -> None:
        await pause(at)
        speaking.speaker.key(digit)

    return caller


async def silent(media: LoopMedia, speaking: Speaking) -> None:
    """A caller who does nothing."""


def test_an_answer_is_understood_thanked_for_and_written_down(tmp_path: Path) -> None:
    talk = hold(tmp_path, says(), "i want to sell my house")
    assert (talk.end, talk.intent, talk.why) == (TalkEnd.COMPLETED, Intent.SELLING, None)
    told = [f"{line.speaker}: {line.text}" for line in talk.lines]
    greeting = "agent: Hello Kim, this is the automated assistant of Harbor Realty, returning your call of"
    assert told[0].startswith(f"{greeting} 12:00 pm about 12 Ocean Drive, the yellow house")
    assert told[4] == f"agent: {qualify.QUESTION}"
    assert told[5] == "caller: i want to sell my house"
    assert told[6] == "agent: Thank you. An agent will call you about selling."
    assert [line.at_seconds for line in talk.lines] == sorted(line.at_seconds for line in talk.lines)
    assert all(line.text for line in talk.lines)


@pytest.mark.parametrize(
    ("digit", "end", "intent"),
    [
        ("1", TalkEnd.COMPLETED, Intent.BUYING),
        ("2", TalkEnd.COMPLETED, Intent.SELLING),
        ("0", TalkEnd.WANTS_PERSON, Intent.UNSTATED),
        ("9", TalkEnd.OPTED_OUT, Intent.UNSTATED),
    ],
)
def test_keys_answer_as_words_do(tmp_path: Path, digit: str, end: TalkEnd, intent: Intent) -> None:
    talk = hold(tmp_path, presses(digit))
    assert (talk.end, talk.intent) == (end, intent)


def test_a_key_that_telephones_do_not_have_is_nothing(tmp_path: Path) -> None:
    assert hold(tmp_path, presses("D")) == hold(tmp_path, silent)


@pytest.mark.parametrize(
    ("words", "end"),
    [("stop calling me", TalkEnd.OPTED_OUT), ("i want to talk to a person", TalkEnd.WANTS_PERSON)],
)
def test_words_can_stop_us_or_ask_for_a_person(tmp_path: Path, words: str, end: TalkEnd) -> None:
    assert hold(tmp_path, says(), words).end is end


@pytest.mark.parametrize("caller", [says(), presses("9")])
def test_a_no_is_told_before_it_is_confirmed_and_once(tmp_path: Path, caller: Caller) -> None:
    told: list[float] = []
    talk = hold(tmp_path, caller, "stop calling me", said_no=lambda: told.append(asyncio.get_running_loop().time()))
    confirmed = next(line.at_seconds for line in talk.lines if line.text == qualify.STOPPED[0])
    assert talk.end is TalkEnd.OPTED_OUT
    assert len(told) == 1
    assert told[0] <= confirmed + 0.01


@pytest.mark.parametrize(
    ("words", "said_at", "hung_up"),
    [
        ("don't call me", 0.5, None),
        ("remove me from your list", 0.5, None),
        ("stop calling me", 0.5, 3.0),
        ("stop calling me", QUESTION_AT + 2.0, QUESTION_AT + 2.9),
        ("take me off your list", QUESTION_AT + 9.0, QUESTION_AT + 10.0),
    ],
)
def test_a_no_is_a_no_whenever_it_is_said_and_whether_or_not_they_stay(
    tmp_path: Path, words: str, said_at: float, hung_up: float | None
) -> None:
    async def caller(media: LoopMedia, speaking: Speaking) -> None:
        await pause(said_at)
        media.speak(speech(0.8))
        if hung_up is not None:
            await pause(hung_up - said_at)
            media.hang_up()

    told: list[bool] = []
    talk = hold(tmp_path, caller, words, said_no=lambda: told.append(True))
    assert (talk.end, told) == (TalkEnd.OPTED_OUT, [True])
    assert words in [line.text for line in talk.lines if line.speaker == "caller"]


def test_a_no_during_the_goodbye_is_a_no(tmp_path: Path) -> None:
    async def caller(media: LoopMedia, speaking: Speaking) -> None:
        await pause(QUESTION_AT + 0.5)
        media.speak(speech(0.8))
        await pause(3.0)
        media.speak(speech(0.8))

    told: list[bool] = []
    talk = hold(tmp_path, caller, "i am buying", "don't call me again", said_no=lambda: told.append(True))
    assert (talk.end, talk.intent, told) == (TalkEnd.OPTED_OUT, Intent.BUYING, [True])


def test_a_no_during_the_apology_is_a_no_and_ends_it(tmp_path: Path) -> None:
    told: list[bool] = []

    async def held() -> tuple[Line, ...]:
        books = Books(tmp_path)
        media = LoopMedia()
        engines = Engines(ScriptedRecogniser(["leave me alone"]), ScriptedVoice(), EnergyDetector)
        speaker = CallbackVoice(engines, books.recorder)._speaker(CALLBACK, media)
        media.speak(speech(0.8))
        lines = await speaker.apologise(lambda: told.append(True))
        books.close()
        return lines

    lines = virtual.run(held)
    assert told == [True]
    assert [line.text for line in lines if line.speaker == "agent"] == [qualify.APOLOGY[0]]


def test_a_yes_is_no_no(tmp_path: Path) -> None:
    told: list[bool] = []
    hold(tmp_path, says(), "i want to buy", said_no=lambda: told.append(True))
    assert told == []


def test_who_says_nothing_is_asked_again_and_thanked_all_the_same(tmp_path: Path) -> None:
    talk = hold(tmp_path, silent)
    assert (talk.end, talk.intent) == (TalkEnd.COMPLETED, Intent.UNSTATED)
    assert len([line for line in talk.lines if line.text == qualify.QUESTION]) > 1


def test_a_caller_who_hangs_up_before_an_answer_has_hung_up_and_after_it_is_done(tmp_path: Path) -> None:
    async def leaves(media: LoopMedia, speaking: Speaking) -> None:
        await pause(QUESTION_AT + 0.5)
        speaking.speaker.caller_gone()

    async def answers_and_leaves(media: LoopMedia, speaking: Speaking) -> None:
        await pause(QUESTION_AT + 0.5)
        speaking.speaker.key("1")
        await pause(0.5)
        speaking.speaker.caller_gone()

    async def stops_and_leaves(media: LoopMedia, speaking: Speaking) -> None:
        await pause(1.0)
        speaking.speaker.key("9")
        await pause(0.2)
        speaking.speaker.caller_gone()

    assert hold(tmp_path, leaves).end is TalkEnd.CALLER_HUNG_UP
    talk = hold(tmp_path, answers_and_leaves)
    assert (talk.end, talk.intent) == (TalkEnd.COMPLETED, Intent.BUYING)
    assert hold(tmp_path, stops_and_leaves).end is TalkEnd.OPTED_OUT, "a no counts however the call ended after it"


def test_a_call_that_lasts_too_long_is_ended_by_us(tmp_path: Path) -> None:
    talk = hold(tmp_path, silent, longest=5.0)
    assert talk.end is TalkEnd.COMPLETED
    assert [line.text for line in talk.lines][1:2] == [qualify.greeting(SUBJECT)[1]], "what was said by then is kept"


class BreakingMedia(LoopMedia):
    """Audio that is there for three seconds."""

    async def receive(self) -> Incoming:
        incoming = await super().receive()
        return incoming if asyncio.get_running_loop().time() < 3.0 else MediaEnded("the socket was reset")


def test_audio_that_breaks_off_is_a_failure_of_ours(tmp_path: Path) -> None:
    talk = hold(tmp_path, silent, media=BreakingMedia)
    assert talk.end is TalkEnd.FAILED
    assert talk.why == "the socket was reset"


def test_an_engine_that_fails_once_is_told_and_the_call_goes_on(tmp_path: Path) -> None:
    with capture_logs() as logs:
        talk = hold(tmp_path, says(), EngineFailedError("scripted", "broke"))
    assert talk.end is TalkEnd.COMPLETED
    assert "engine_fault" in [entry["event"] for entry in logs]


def test_a_voice_that_is_lost_at_the_start_fails_the_call(tmp_path: Path) -> None:
    talk = hold(tmp_path, silent, voice=ScriptedVoice(qualify.greeting(SUBJECT)[0]))
    assert talk.end is TalkEnd.FAILED
    assert talk.why


def test_an_apology_and_a_confirmation_are_said_whatever_the_caller_does(tmp_path: Path) -> None:
    def said(sentences: tuple[str, ...]) -> list[str]:
        async def held() -> tuple[Line, ...]:
            books = Books(tmp_path)
            engines = Engines(ScriptedRecogniser(["but"]), ScriptedVoice(), EnergyDetector)
            media = LoopMedia()
            speaker = CallbackVoice(engines, books.recorder)._speaker(CALLBACK, media)
            media.speak(speech(0.8))
            speaker.key("5")
            apology = sentences is qualify.APOLOGY
            lines = await (speaker.apologise(lambda: None) if apology else speaker.confirm_no())
            books.close()
            return lines

        return [line.text for line in virtual.run(held) if line.speaker == "agent"]

    assert said(qualify.APOLOGY) == list(qualify.APOLOGY)
    assert said(qualify.STOPPED) == list(qualify.STOPPED)


async def test_what_may_be_said_is_made_before_the_phone_is_answered(tmp_path: Path) -> None:
    made: list[str] = []

    class Listening(ScriptedVoice):
        async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
            made.append(text)
            async for piece in ScriptedVoice.speak(self, text):
                yield piece

    books = Books(tmp_path)
    voice = CallbackVoice(Engines(ScriptedRecogniser(), Listening(), EnergyDetector), books.recorder)
    await voice.prepare(CALLBACK)
    assert any("Harbor Realty" in text for text in made)
    assert {qualify.QUESTION, qualify.KEYS, *qualify.APOLOGY} <= set(made)
    books.close()


async def test_an_office_that_is_gone_leaves_the_time_of_the_machine(tmp_path: Path) -> None:
    books = Books(tmp_path)
    voice = CallbackVoice(Engines(ScriptedRecogniser(), ScriptedVoice(), EnergyDetector), books.recorder)
    subject = voice._subject(replace(CALLBACK, office="closed down", listing=None, name=None))
    assert (subject.listing, subject.name, subject.brokerage) == (None, None, "Harbor Realty")
    assert subject.called_at
    books.close()


# -------------------------------------------------------------------------------------------------------------------- media
async def test_over_rtp_a_port_is_open_before_asterisk_is_told_of_it(tmp_path: Path) -> None:
    books = Books(tmp_path)
    voice = CallbackVoice(Engines(ScriptedRecogniser(), ScriptedVoice(), EnergyDetector), books.recorder)
    async with voice.over_rtp(CALLBACK, "127.0.0.1") as end:
        assert 0 < end.port < 65536
        speaker = end.connect("127.0.0.1", free_port())
        speaker.caller_gone()
        assert (await speaker.talk(240.0, unheard)).end is TalkEnd.CALLER_HUNG_UP
    books.close()


async def test_over_the_media_socket_the_caller_is_greeted(tmp_path: Path) -> None:
    books = Books(tmp_path)
    voice = CallbackVoice(Engines(ScriptedRecogniser(), ScriptedVoice(), EnergyDetector), books.recorder)
    async with (
        paper_channel() as channel,
        voice.over_websocket(CALLBACK, channel.url) as speaker,
        asyncio.TaskGroup() as group,
    ):
        talking = group.create_task(speaker.talk(240.0, unheard))
        await until(lambda: channel.audio)
        speaker.caller_gone()
    assert talking.result().end is TalkEnd.CALLER_HUNG_UP
    assert talking.result().lines[0].text.startswith("Hello Kim, this is the automated assistant")
    books.close()


def test_after_an_apology_nothing_that_is_said_or_pressed_changes_anything() -> None:
    saying = _Saying(("Goodbye.",))
    over = Turn((), HangUp())
    assert [saying.heard(Heard("wait")), saying.key("1"), saying.silence()] == [over, over, over]


async def test_engines_load_beside_the_rest_and_callbacks_wait_for_them(tmp_path: Path) -> None:
    books = Books(tmp_path)
    voice = VoiceSoon()
    assert not voice.loaded()
    with pytest.raises(AssertionError, match="before the engines were there"):
        await voice.prepare(CALLBACK)
    options = engine_options(VoiceSection(), tmp_path, tmp_path / "speech")
    running = asyncio.get_running_loop().create_task(voice.run(options, books.recorder))
    await until(voice.loaded, within=30.0, what="the engines")
    async with voice.over_rtp(CALLBACK, "127.0.0.1") as end:
        assert end.port > 0
    async with paper_channel() as channel, voice.over_websocket(CALLBACK, channel.url) as speaker:
        speaker.caller_gone()
    await voice.prepare(CALLBACK)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    books.close()


async def test_a_media_socket_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    books = Books(tmp_path)
    voice = CallbackVoice(Engines(ScriptedRecogniser(), ScriptedVoice(), EnergyDetector), books.recorder)
    with pytest.raises(OSError, match="no audio from"):
        async with voice.over_websocket(CALLBACK, f"ws://127.0.0.1:{free_port()}/media/x"):
            raise AssertionError("it opened")
    books.close()
