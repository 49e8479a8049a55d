"""A whole conversation through a real Asterisk: the caller is the far end of a bridge, and what they hear is understood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from tests.support.asterisk import TestPbx
from tests.voice_agent.legs import OURS, Call, call
from tests.voice_agent.voices import Voice, utterance
from voice_agent.agent import VoiceAgent
from voice_agent.audio import dbfs, samples_of, speech_level
from voice_agent.beside import beside
from voice_agent.conversation import Conversation, EndedBy, Speaker
from voice_agent.demonstration import HINTS, Demonstration
from voice_agent.engines import EngineOptions, Engines, open_engines
from voice_agent.media import whole

pytestmark = pytest.mark.e2e

BOTH = pytest.mark.parametrize("medium", ["websocket", "rtp"])


@pytest.fixture
async def engines() -> AsyncIterator[Engines]:
    async with open_engines(EngineOptions(lanes=2)) as found:
        await found.stt.prepare(HINTS)
        yield found


def likeness(sound: bytes, part: bytes) -> float:
    """How much of ``part``, whole and in one piece, is in ``sound``: 1 is all of it, and nothing else at that time."""
    long, short = samples_of(sound).astype(float), samples_of(part).astype(float)
    size = len(long) + len(short)
    match = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size)), size)[: len(long)]
    at = int(match.argmax())
    there = long[at : at + len(short)]
    return float(match[at] / max(1.0, np.linalg.norm(there) * np.linalg.norm(short)))


async def hold(phones: Call, engines: Engines, *answers: bytes) -> Conversation:
    """The caller says one of ``answers`` each time that the agent has been silent for 0.6 s."""
    waiting = list(answers)

    async def caller() -> None:
        while waiting:
            await phones.far.hears_speech()
            await phones.far.quiet(0.6)
            await phones.far.media.play(whole(waiting.pop(0)))

    agent = VoiceAgent(phones.media, engines.stt, engines.tts, engines.detector())
    async with beside(caller()):
        return await agent.converse(Demonstration())


@BOTH
async def test_an_answer_is_understood_through_asterisk_and_the_caller_hears_the_agent(
    asterisk: TestPbx, engines: Engines, medium: str
) -> None:
    async with call(asterisk, medium) as phones:
        conversation = await hold(phones, engines, utterance("I'm buying", Voice("flite", "rms")))
        await phones.far.quiet()
    assert conversation.ended_by is EndedBy.AGENT
    assert "you are buying" in conversation.transcript[-1].text
    [answer] = [line for line in conversation.transcript if line.speaker is Speaker.CALLER]
    assert "buying" in answer.text
    for timing in conversation.timings:
        parts = f"{timing.endpoint_seconds:.3f} + {timing.recognise_seconds:.3f} + {timing.speak_seconds:.3f}"
        print(f"{medium:10}{timing.after:8}{timing.total_seconds:.3f} = {parts}")  # noqa: T201 - shown by -rP

    sound = b"".join(pcm for _, pcm in phones.far.frames)
    assert -23.0 < dbfs(speech_level(sound)) < -18.0
    for line in conversation.transcript:
        if line.speaker is Speaker.AGENT:
            said = b"".join([piece async for piece in engines.tts.speak(line.text)])
            assert likeness(sound, said) > 0.5, (
                line.text
            )  # 1 but for gaps when the machine is busy; another sentence: 0.1


@BOTH
async def test_the_silence_before_our_answer_is_what_we_say_it_is_at_the_callers_ear(
    asterisk: TestPbx, engines: Engines, medium: str
) -> None:
    """From the caller's last sound on their wire to our first on it, both seen at the far end."""
    answer = utterance("stop calling me", Voice("flite", "rms"), after=0.0)
    async with call(asterisk, medium) as phones:
        loop = asyncio.get_running_loop()
        said: list[float] = []

        async def caller() -> None:
            await phones.far.hears_speech()
            await phones.far.quiet(0.6)
            await phones.far.media.play(whole(answer))
            said.append(loop.time())

        agent = VoiceAgent(phones.media, engines.stt, engines.tts, engines.detector())
        async with beside(caller()):
            conversation = await agent.converse(Demonstration())
        await phones.far.quiet()
        heard = next(at for at, pcm in phones.far.frames if at > said[0] and any(pcm))
    print(f"{medium}: {heard - said[0]:.3f} s at the caller's ear")  # noqa: T201
    [told] = [timing.total_seconds for timing in conversation.timings if timing.after == "voice"]
    assert heard - said[0] == pytest.approx(told, abs=1.0)


async def test_a_key_silences_the_agent_at_the_callers_ear(asterisk: TestPbx, engines: Engines) -> None:
    async with call(asterisk, "websocket") as phones:
        loop = asyncio.get_running_loop()
        agent = VoiceAgent(phones.media, engines.stt, engines.tts, engines.detector())
        pressed: list[float] = []

        async def caller() -> None:
            await phones.far.hears_speech()
            await asyncio.sleep(1.0)  # noqa: TID251 - in the middle of the first sentence
            agent.press("0")
            pressed.append(loop.time())

        async with beside(caller()):
            conversation = await agent.converse(Demonstration())
        assert conversation.ended_by is EndedBy.TRANSFER
        gap = [at for at, pcm in phones.far.frames if at > pressed[0] + 0.06 and any(pcm)]
        assert gap[0] - pressed[0] > 0.06
        assert conversation.transcript[0].cut


async def test_a_hang_up_ends_the_conversation(asterisk: TestPbx, engines: Engines) -> None:
    async with call(asterisk, "websocket") as phones:

        async def caller() -> None:
            await phones.far.hears_speech()
            await phones.listener.ari.channels.hangup(OURS)

        agent = VoiceAgent(phones.media, engines.stt, engines.tts, engines.detector())
        async with beside(caller()):
            conversation = await agent.converse(Demonstration())
        assert conversation.ended_by is EndedBy.CALLER
