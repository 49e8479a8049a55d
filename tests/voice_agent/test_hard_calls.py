"""Calls that go badly, with real engines and in real time: each ends in an outcome, and none holds up another."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from tests.voice_agent.models.vosk_model import cached_vosk_model
from tests.voice_agent.voices import Voice, utterance
from voice_agent.agent import VoiceAgent
from voice_agent.audio import SAMPLE, seconds_of
from voice_agent.conversation import Conversation, EndedBy, Speaker
from voice_agent.demonstration import HINTS, QUESTION, Demonstration
from voice_agent.dialogue import Turn
from voice_agent.engines import EngineOptions, Engines, open_engines
from voice_agent.media import AudioFrame, Incoming
from voice_agent.media_loop import LoopMedia
from voice_agent.options import AgentOptions
from voice_agent.stt import SpeechLanes
from voice_agent.stt_pocketsphinx import PocketsphinxDecoder
from voice_agent.tts_cache import CachedSpeech
from voice_agent.turns import TurnOptions

pytestmark = pytest.mark.timeout(240)

RMS = Voice("flite", "rms")


class Brief(Demonstration):
    """Asks at once."""

    def open(self) -> Turn:
        return self._ask()


class Interrupted(LoopMedia):
    """Something happens in the middle of the first answer: with its fortieth frame, 0.8 s after its start."""

    def __init__(self, answers: Iterable[bytes], act: Callable[[LoopMedia], None]) -> None:
        super().__init__(answers)
        self._act = act
        self._loud = 0

    async def receive(self) -> Incoming:
        incoming = await super().receive()
        if isinstance(incoming, AudioFrame) and any(incoming.pcm):
            self._loud += 1
            if self._loud == 40:
                self._act(self)
        return incoming


async def ready(engines: Engines) -> Engines:
    await engines.stt.prepare(HINTS)
    assert isinstance(engines.tts, CachedSpeech)
    await engines.tts.prepare([QUESTION])
    return engines


@pytest.fixture
async def vosk(tmp_path: Path) -> AsyncIterator[Engines]:
    async with open_engines(EngineOptions(vosk_model=cached_vosk_model(), cache=tmp_path)) as engines:
        yield await ready(engines)


@pytest.fixture
async def pocketsphinx(tmp_path: Path) -> AsyncIterator[Engines]:
    """One process for all callers."""
    async with open_engines(EngineOptions(stt="pocketsphinx", cache=tmp_path, lanes=1)) as engines:
        yield await ready(engines)


async def hold(engines: Engines, *answers: bytes, options: AgentOptions | None = None) -> Conversation:
    agent = VoiceAgent(LoopMedia(answers), engines.stt, engines.tts, engines.detector(), options)
    return await agent.converse(Brief())


def caller_lines(conversation: Conversation) -> list[str]:
    return [line.text for line in conversation.transcript if line.speaker is Speaker.CALLER]


def last_words(conversation: Conversation) -> str:
    """The agent's: a caller may go on during the goodbye."""
    return [line.text for line in conversation.transcript if line.speaker is Speaker.AGENT][-1]


def worker_of(engines: Engines) -> int:
    """The process id of the only recogniser."""
    assert isinstance(engines.stt, SpeechLanes)
    [decoder] = engines.stt._decoders
    assert isinstance(decoder, PocketsphinxDecoder)
    assert decoder._process is not None
    return decoder._process.pid


# ------------------------------------------------------------------------------------------------------------- bad callers
async def test_a_line_that_is_nothing_but_noise_is_asked_twice_and_left(pocketsphinx: Engines) -> None:
    noise = np.random.default_rng(1).normal(0, 6000, 8000 * 4).astype(SAMPLE).tobytes()
    options = AgentOptions(turns=TurnOptions(longest_seconds=2.0))
    conversation = await hold(pocketsphinx, noise, noise, options=options)
    assert conversation.ended_by is EndedBy.AGENT
    assert last_words(conversation) == "Never mind. Goodbye."
    assert conversation.faults == ()


async def test_a_caller_who_never_stops_is_taken_at_their_first_words(vosk: Engines) -> None:
    monologue = utterance("I'm looking to sell our home", RMS, after=0.0) * 8
    assert seconds_of(monologue) > 12.0
    conversation = await hold(vosk, monologue, options=AgentOptions(turns=TurnOptions(longest_seconds=5.0)))
    line = next(line for line in conversation.transcript if line.speaker is Speaker.CALLER)
    assert 4.0 < line.ended_seconds - line.started_seconds < 5.5
    assert last_words(conversation) == "Thank you, you are selling. Goodbye."


async def test_a_key_in_the_middle_of_an_answer_counts_and_the_answer_is_only_written_down(vosk: Engines) -> None:
    media = Interrupted([utterance("I'm looking to sell our home", RMS)], lambda media: media.press("1"))
    conversation = await VoiceAgent(media, vosk.stt, vosk.tts, vosk.detector()).converse(Brief())
    assert last_words(conversation) == "Thank you, you are buying. Goodbye."
    assert caller_lines(conversation) == ["i'm looking to sell our home"]


# ------------------------------------------------------------------------------------------------------------- bad engines
async def test_a_recogniser_killed_in_the_middle_of_an_answer_costs_that_answer(pocketsphinx: Engines) -> None:
    answer = utterance("I'm looking to buy a house", RMS)
    killed = worker_of(pocketsphinx)
    media = Interrupted([answer, answer], lambda _: os.kill(killed, signal.SIGKILL))
    agent = VoiceAgent(media, pocketsphinx.stt, pocketsphinx.tts, pocketsphinx.detector())
    conversation = await agent.converse(Brief())
    assert conversation.faults == ("pocketsphinx: the worker process ended",)
    assert caller_lines(conversation)[0] == ""
    assert last_words(conversation) == "Thank you, you are buying. Goodbye."
    assert worker_of(pocketsphinx) != killed


async def test_a_recogniser_that_cannot_come_back_leaves_keys_and_a_goodbye(
    pocketsphinx: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    os.kill(worker_of(pocketsphinx), signal.SIGKILL)
    answer = utterance("I'm buying", RMS)
    conversation = await hold(pocketsphinx, answer, answer)
    assert conversation.ended_by is EndedBy.AGENT
    assert last_words(conversation) == "Never mind. Goodbye."
    assert len(conversation.faults) == 2


async def test_a_voice_that_is_gone_ends_the_call_with_the_reason(
    pocketsphinx: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said before is in the cache; what was not cannot be said."""
    monkeypatch.setenv("PATH", "/nowhere")
    conversation = await hold(pocketsphinx, utterance("I'm buying", RMS))
    assert conversation.ended_by is EndedBy.ERROR
    assert conversation.why == "flite: is not installed; install the system package flite"
    assert caller_lines(conversation) == ["i'm buying"]


# ------------------------------------------------------------------------------------------------------- many at the same time
async def test_twenty_callers_who_answer_at_the_same_moment_are_all_understood(vosk: Engines) -> None:
    said = {"I'm buying": "buying", "I want to sell my house": "selling", "a bit of both": "both buying and selling"}
    wanted = [(utterance(text, RMS), meaning) for text, meaning in said.items()] * 7
    began = os.times()
    held = await asyncio.gather(*(hold(vosk, answer) for answer, _ in wanted[:20]))
    used = os.times()
    assert [last_words(conversation) for conversation in held] == [
        f"Thank you, you are {meaning}. Goodbye." for _, meaning in wanted[:20]
    ]
    assert not any(conversation.faults for conversation in held)
    share = (used.user + used.system - began.user - began.system) / sum(conversation.seconds for conversation in held)
    slowest = max(timing.total_seconds for conversation in held for timing in conversation.timings)
    print(f"{share:.2%} of a core a call, slowest answer {slowest:.3f} s")  # noqa: T201 - shown by -rP


async def test_twenty_callers_of_one_slow_recogniser_each_come_to_an_end(
    pocketsphinx: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many for it: some are not understood, nobody waits for ever, and the recogniser is there for the next caller."""
    monkeypatch.setattr("voice_agent.stt.LONGEST_SILENCE_SECONDS", 2.0)
    answer = utterance("I'm buying", RMS)
    held = await asyncio.gather(*(hold(pocketsphinx, answer) for _ in range(20)))
    assert {conversation.ended_by for conversation in held} == {EndedBy.AGENT}
    assert {last_words(conversation) for conversation in held} <= {
        "Thank you, you are buying. Goodbye.",
        "Never mind. Goodbye.",
    }
    assert any("behind the caller" in fault for conversation in held for fault in conversation.faults)
    monkeypatch.undo()
    assert last_words(await hold(pocketsphinx, answer)) == "Thank you, you are buying. Goodbye."
