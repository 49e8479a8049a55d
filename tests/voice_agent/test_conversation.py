"""Conversations with real engines, in real time and several at once: nothing here is scripted but the caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.voice_agent.voices import Voice, utterance
from voice_agent.agent import VoiceAgent
from voice_agent.beside import beside
from voice_agent.conversation import Conversation, EndedBy, Speaker
from voice_agent.demonstration import HINTS, KEYS, QUESTION, WHO, Demonstration
from voice_agent.engines import EngineOptions, Engines, open_engines
from voice_agent.media_loop import LoopMedia
from voice_agent.tts_cache import CachedSpeech

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """What is understood is tested here, not how soon: the machine may be busy with other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voice_agent.stt.LONGEST_SILENCE_SECONDS", 50.0)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engines]:
    folder: Path = tmp_path_factory.mktemp("speech")
    async with open_engines(EngineOptions(cache=folder, lanes=2)) as found:
        await found.stt.prepare(HINTS)
        assert isinstance(found.tts, CachedSpeech)
        await found.tts.prepare([WHO, KEYS, QUESTION])
        yield found


async def hold(engines: Engines, *answers: bytes) -> Conversation:
    media = LoopMedia(answers)
    return await VoiceAgent(media, engines.stt, engines.tts, engines.detector()).converse(Demonstration())


def caller_lines(conversation: Conversation) -> list[str]:
    return [line.text for line in conversation.transcript if line.speaker is Speaker.CALLER]


def last_words(conversation: Conversation) -> str:
    return conversation.transcript[-1].text


async def test_callers_are_understood_and_answered(engines: Engines) -> None:
    """Seven conversations at a time on however few cores there are."""
    said = {
        "buying": utterance("I'm buying", Voice("flite", "rms")),
        "selling": utterance("I want to sell", Voice("flite", "kal16")),
        "both": utterance("buying and selling", Voice("flite", "slt")),
        "person": utterance("a person please", Voice("flite", "rms")),
        "stop": utterance("stop calling me", Voice("flite", "awb")),
        "nothing": b"",
        "gibberish": utterance("the garden is full of marvellous zebras", Voice("flite", "slt")),
    }
    held = dict(zip(said, await asyncio.gather(*(hold(engines, answer) for answer in said.values())), strict=True))
    assert last_words(held["buying"]) == "Thank you, you are buying. Goodbye."
    assert last_words(held["selling"]) == "Thank you, you are selling. Goodbye."
    assert "both" in last_words(held["both"])
    assert held["person"].ended_by is EndedBy.TRANSFER
    assert "not be called again" in last_words(held["stop"])
    assert "Sorry, I did not understand that." in [line.text for line in held["gibberish"].transcript]
    assert last_words(held["gibberish"]) == "Never mind. Goodbye."
    assert caller_lines(held["nothing"]) == []
    assert [line.text for line in held["nothing"].transcript].count(QUESTION) == 2
    assert held["nothing"].ended_by is EndedBy.AGENT
    for timing in (timing for conversation in held.values() for timing in conversation.timings):
        parts = f"{timing.endpoint_seconds:.3f} + {timing.recognise_seconds:.3f} + {timing.speak_seconds:.3f}"
        print(f"{timing.after:8}{timing.total_seconds:.3f} = {parts}")  # noqa: T201 - shown by -rP
    assert not any(conversation.faults for conversation in held.values())


async def test_keys_hang_ups_and_interruptions_act_while_the_agent_speaks(engines: Engines) -> None:
    async def caller(act: Callable[[LoopMedia], None], after: float) -> Conversation:
        media = LoopMedia()

        async def acts() -> None:
            await asyncio.sleep(after)  # noqa: TID251 - the caller waits so long
            act(media)

        async with beside(acts()):
            return await VoiceAgent(media, engines.stt, engines.tts, engines.detector()).converse(Demonstration())

    interruption = utterance("stop calling me please", Voice("flite", "rms"), before=0.0)
    stop, person, gone, interrupted = await asyncio.gather(
        caller(lambda media: media.press("9"), 1.0),
        caller(lambda media: media.press("0"), 3.5),
        caller(LoopMedia.hang_up, 2.0),
        caller(lambda media: media.speak(interruption), 3.5),
    )
    assert [line.cut for line in stop.transcript] == [True, False]
    assert "not be called again" in last_words(stop)
    assert person.ended_by is EndedBy.TRANSFER
    assert gone.ended_by is EndedBy.CALLER
    assert 2.0 <= gone.seconds < 6.0
    assert "stop" in caller_lines(interrupted)[0]
    assert any(line.cut for line in interrupted.transcript)
    assert "key" in [timing.after for timing in stop.timings]
