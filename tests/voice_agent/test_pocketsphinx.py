"""The recogniser that comes with its own model, on speech that came through a telephone line."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.support.waiting import until
from tests.voice_agent.answers import PHRASES, SAID, meant
from tests.voice_agent.voices import ESPEAK, FLITE, Voice, utterance
from voice_agent.audio import seconds_of
from voice_agent.errors import EngineFailedError, EngineMissingError
from voice_agent.heard import Heard
from voice_agent.stt import Recogniser, SpeechLanes
from voice_agent.stt_pocketsphinx import PocketsphinxDecoder, open_pocketsphinx

pytestmark = pytest.mark.asyncio(loop_scope="module")

RMS = Voice("flite", "rms")


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """What is understood is tested here, not how soon: the machine may be busy with other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voice_agent.stt.LONGEST_SILENCE_SECONDS", 50.0)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def speech() -> AsyncIterator[SpeechLanes]:
    async with open_pocketsphinx(lanes=2) as lanes:
        await lanes.prepare(PHRASES)
        yield lanes


async def understood(caller: Recogniser, pcm: bytes) -> Heard:
    """The final text, of audio that comes as fast as it is taken."""
    second = 16000
    for start in range(0, len(pcm), second):
        caller.accept(pcm[start : start + second])
    return await caller.final()


@dataclass(frozen=True)
class Result:
    voice: Voice
    wanted: str
    said: str
    heard: Heard

    @property
    def verdict(self) -> str:
        got = meant(self.heard.text)
        if got == self.wanted:
            return "right"
        return "missed" if got == "other" else "taken for another"


async def listen_to(speech: SpeechLanes, voice: Voice, what: Sequence[tuple[str, str]]) -> list[Result]:
    """One caller who says one thing after another."""
    caller = speech.listen()
    caller.expect(PHRASES)
    return [Result(voice, wanted, said, await understood(caller, utterance(said, voice))) for wanted, said in what]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("voices", "right", "wrong"),
    [pytest.param(FLITE, 0.85, 0.05, id="flite"), pytest.param(ESPEAK, 0.35, 0.08, id="espeak-ng")],
)
async def test_answers_are_understood_as_well_as_measured(
    speech: SpeechLanes, voices: tuple[Voice, ...], right: float, wrong: float
) -> None:
    """``wrong``: taken for another answer, which is worse than not being understood.

    Every answer by every voice when RINGBACK_ALL_VOICES is set (``-rP`` shows the table); otherwise every voice says a
    part, so that each answer is said once by one of flite's and once by one of espeak-ng's.
    """
    share = 1 if os.environ.get("RINGBACK_ALL_VOICES") else len(voices)
    parts = [(voice, SAID[number % share :: share]) for number, voice in enumerate(voices)]
    heard = [
        result
        for results in await asyncio.gather(*(listen_to(speech, voice, part) for voice, part in parts))
        for result in results
    ]
    for result in heard:
        if result.verdict != "right":
            print(f"{result.verdict:18}{result.voice!s:18}{result.said:45}{result.heard.text}")  # noqa: T201 - shown by -rP
    count = Counter(result.verdict for result in heard)
    shares = {verdict: number / len(heard) for verdict, number in count.items()}
    print(shares)  # noqa: T201
    assert shares["right"] >= right
    assert shares.get("taken for another", 0.0) <= wrong


async def test_partial_texts_come_while_the_caller_speaks(speech: SpeechLanes) -> None:
    caller = speech.listen()
    caller.expect(PHRASES)
    pcm = utterance("I'm looking to buy a house", RMS)
    caller.accept(pcm[: len(pcm) // 2])
    await until(lambda: caller.partial() != "")
    caller.accept(pcm[len(pcm) // 2 :])
    await until(lambda: "buy" in caller.partial())
    assert "buy" in (await caller.final()).text


async def test_words_have_times_and_confidence(speech: SpeechLanes) -> None:
    caller = speech.listen()
    pcm = utterance("good morning", RMS)
    heard = await understood(caller, pcm)
    assert [word.text for word in heard.words] == heard.text.split() == ["good", "morning"]
    assert heard.confidence is not None
    for word in heard.words:
        assert 0.2 < word.start < word.end < seconds_of(pcm)
        assert word.confidence is not None
        assert 0.0 < word.confidence <= 1.0


async def test_an_expected_phrase_is_one_word_with_one_time(speech: SpeechLanes) -> None:
    caller = speech.listen()
    caller.expect(PHRASES)
    heard = await understood(caller, utterance("stop calling me", RMS))
    assert [word.text for word in heard.words] == ["stop calling me"]


async def test_silence_is_nothing(speech: SpeechLanes) -> None:
    assert (await understood(speech.listen(), utterance("", RMS, before=1.0))).text == ""


async def test_words_that_nobody_can_pronounce_are_left_out(
    speech: SpeechLanes, caplog: pytest.LogCaptureFixture
) -> None:
    await speech.prepare(["buying", "xqzt street"])
    assert "cannot pronounce xqzt street" in caplog.text
    caller = speech.listen()
    caller.expect(["buying", "xqzt street"])
    assert (await understood(caller, utterance("I'm buying", RMS))).text.endswith("buying")


async def test_the_event_loop_goes_on_while_pocketsphinx_computes(speech: SpeechLanes) -> None:
    """pocketsphinx holds the interpreter lock: in a thread, the loop would turn a few times, and all calls stutter."""
    decoding = asyncio.get_running_loop().create_task(
        understood(speech.listen(), utterance("I was calling about the house on Elm Street", RMS))
    )
    turns = 0
    while not decoding.done():
        await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop is what is counted
        turns += 1
    assert (await decoding).text
    assert turns > 200


async def test_a_worker_that_dies_costs_one_utterance() -> None:
    decoder = PocketsphinxDecoder()
    await decoder.start()
    try:
        await decoder.begin((), "")
        process = decoder._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(EngineFailedError, match="worker process ended"):
            await decoder.feed(utterance("buying", RMS))
        await decoder.begin((), "")
        await decoder.feed(utterance("good morning", RMS))
        assert (await decoder.finish())[0].text == "good morning"
    finally:
        await decoder.close()


async def test_a_worker_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = PocketsphinxDecoder()
    await decoder.start()
    try:
        process = decoder._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        monkeypatch.setattr("voice_agent.stt_pocketsphinx._ANSWER_SECONDS", 0.2)
        with pytest.raises(EngineFailedError, match=r"no answer within 0\.2 s"):
            await decoder.begin((), "")
        monkeypatch.undo()
        await decoder.begin((), "")
        await decoder.drop()
    finally:
        await decoder.close()


async def test_a_worker_that_cannot_be_started_is_an_error_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(EngineFailedError, match="no worker process: No such file"):
        await PocketsphinxDecoder().start()


async def test_an_order_that_nobody_waits_for_any_more_does_not_answer_the_next_one() -> None:
    decoder = PocketsphinxDecoder()
    await decoder.start()
    try:
        await decoder.begin((), "")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await decoder.feed(utterance("good morning", RMS))
        await decoder.begin((), "")
        await decoder.feed(utterance("good morning", RMS))
        assert (await decoder.finish())[0].text == "good morning"
    finally:
        await decoder.close()


async def test_what_a_worker_refuses_is_an_error_and_it_goes_on() -> None:
    decoder = PocketsphinxDecoder()
    await decoder.start()
    try:
        with pytest.raises(EngineFailedError, match="no such order"):
            await decoder._ask(b"?")
        await decoder.begin((), "")
        await decoder.drop()
    finally:
        await decoder.close()


async def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineMissingError, match="install the Python package pocketsphinx"):
        async with open_pocketsphinx():
            raise AssertionError("it started")
