"""The lanes on which utterances are decoded, with a decoder that does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.waiting import until
from voice_agent.audio import silence
from voice_agent.errors import EngineFailedError, EngineOverloadedError, VoiceAgentError
from voice_agent.heard import Heard
from voice_agent.stt import MOST_BEHIND_SECONDS, SpeechLanes, speech_lanes

PIECE = silence(0.1)


class SlowDecoder:
    """Says how much it was fed. ``open``: it decodes only while this is set. ``fails``: the order that it fails at."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.fails = ""
        self.orders: list[str] = []
        self.running = False
        self._fed = 0

    async def start(self) -> None:
        await self._do("start")
        self.running = True

    async def prepare(self, phrases: tuple[str, ...]) -> None:
        await self._do(f"prepare {' '.join(phrases)}")

    async def begin(self, phrases: tuple[str, ...], memory: str) -> None:
        await self._do(f"begin {' '.join(phrases)} {memory}".strip())
        self._fed = 0

    async def feed(self, pcm: bytes) -> str:
        await self._do("feed")
        self._fed += len(pcm) // len(PIECE)
        return f"{self._fed} pieces"

    async def finish(self) -> tuple[Heard, str]:
        await self._do("finish")
        return Heard(f"{self._fed} pieces"), f"after-{self._fed}"

    async def drop(self) -> None:
        await self._do("drop")

    async def close(self) -> None:
        self.running = False

    async def _do(self, order: str) -> None:
        self.orders.append(order)
        await self.open.wait()
        if self.fails and order.startswith(self.fails):
            raise EngineFailedError("slow", f"failed at {order}")


@contextlib.asynccontextmanager
async def lanes(count: int = 1) -> AsyncIterator[tuple[SpeechLanes, list[SlowDecoder]]]:
    decoders = [SlowDecoder() for _ in range(count)]
    async with speech_lanes("slow", list(decoders)) as speech:
        yield speech, decoders


async def test_an_utterance_is_fed_and_its_text_comes_back() -> None:
    async with lanes() as (speech, [decoder]):
        caller = speech.listen()
        caller.expect(["yes", "no"])
        for _ in range(3):
            caller.accept(PIECE)
        await until(lambda: caller.partial() == "3 pieces")
        assert await caller.final() == Heard("3 pieces")
        assert caller.partial() == ""
        assert decoder.orders == ["start", "begin yes no", "feed", "finish"]
    assert not decoder.running


async def test_what_a_decoder_remembers_of_a_caller_is_given_back_to_it() -> None:
    async with lanes() as (speech, [decoder]):
        caller, other = speech.listen(), speech.listen()
        for who in (caller, other, caller):
            who.accept(PIECE)
            await who.final()
        assert [order for order in decoder.orders if order.startswith("begin")] == ["begin", "begin", "begin  after-1"]


async def test_nothing_said_is_nothing_heard() -> None:
    async with lanes() as (speech, [decoder]):
        assert await speech.listen().final() == Heard("")
        assert decoder.orders == ["start"]


async def test_audio_that_comes_while_the_decoder_works_is_taken_in_one_piece() -> None:
    async with lanes() as (speech, [decoder]):
        caller = speech.listen()
        decoder.open.clear()
        for _ in range(20):
            caller.accept(PIECE)
        final = caller.final()
        decoder.open.set()
        assert await final == Heard("20 pieces")
        assert decoder.orders.count("feed") == 1


async def test_two_lanes_decode_two_callers_at_a_time_and_the_third_waits() -> None:
    async with lanes(2) as (speech, decoders):
        for decoder in decoders:
            decoder.open.clear()
        callers = [speech.listen() for _ in range(3)]
        for caller in callers:
            caller.accept(PIECE)
        await until(lambda: all("begin" in decoder.orders for decoder in decoders))
        decoders[1].open.set()
        assert await callers[1].final() == Heard("1 pieces")
        assert await callers[2].final() == Heard("1 pieces")
        decoders[0].open.set()
        assert await callers[0].final() == Heard("1 pieces")


async def test_a_decoder_that_is_far_behind_costs_the_utterance_and_no_memory() -> None:
    async with lanes() as (speech, [decoder]):
        caller = speech.listen()
        decoder.open.clear()
        caller.accept(PIECE)
        await until(lambda: "begin" in decoder.orders)
        for _ in range(round(MOST_BEHIND_SECONDS * 10)):
            caller.accept(PIECE)
        with pytest.raises(EngineOverloadedError, match="behind the caller") as caught:
            caller.accept(PIECE)
        assert caught.value.behind_seconds == pytest.approx(MOST_BEHIND_SECONDS, abs=0.2)
        assert isinstance(caught.value, TimeoutError)
        assert isinstance(caught.value, VoiceAgentError)
        decoder.open.set()
        await until(lambda: decoder.orders[-1] == "drop")
        caller.accept(PIECE)
        assert await caller.final() == Heard("1 pieces")


async def test_a_text_that_does_not_come_in_time_is_given_up_and_the_lane_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voice_agent.stt.LONGEST_SILENCE_SECONDS", 0.05)
    async with lanes() as (speech, [decoder]):
        caller = speech.listen()
        decoder.open.clear()
        caller.accept(PIECE)
        with pytest.raises(EngineOverloadedError, match="behind the caller"):
            await caller.final()
        decoder.open.set()
        caller.accept(PIECE)
        assert await caller.final() == Heard("1 pieces")


@pytest.mark.parametrize("order", ["begin", "feed", "finish"])
async def test_a_failure_is_told_to_whoever_waits_and_the_next_utterance_succeeds(order: str) -> None:
    async with lanes() as (speech, [decoder]):
        caller = speech.listen()
        decoder.fails = order
        caller.accept(PIECE)
        with pytest.raises(EngineFailedError, match=f"failed at {order}"):
            await caller.final()
        decoder.fails = ""
        caller.accept(PIECE)
        assert await caller.final() == Heard("1 pieces")


async def test_an_abandoned_utterance_is_dropped_and_the_lane_is_free_again() -> None:
    async with lanes() as (speech, [decoder]):
        caller = speech.listen()
        caller.accept(PIECE)
        await until(lambda: caller.partial() != "")
        caller.abandon()
        caller.abandon()
        caller.accept(PIECE)
        assert await caller.final() == Heard("1 pieces")
        assert decoder.orders == ["start", "begin", "feed", "drop", "begin", "feed", "finish"]


async def test_an_utterance_that_is_abandoned_before_its_turn_is_never_begun() -> None:
    async with lanes() as (speech, [decoder]):
        first, second = speech.listen(), speech.listen()
        decoder.open.clear()
        first.accept(PIECE)
        second.accept(PIECE)
        second.abandon()
        decoder.open.set()
        assert await first.final() == Heard("1 pieces")
        await until(lambda: decoder.orders[-1] == "finish")
        assert decoder.orders.count("begin") == 1


async def test_a_final_that_nobody_waits_for_any_more_is_dropped() -> None:
    async with lanes() as (speech, [decoder]):
        caller = speech.listen()
        decoder.open.clear()
        caller.accept(PIECE)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await caller.final()
        decoder.open.set()
        await until(lambda: decoder.orders[-1] == "drop")


async def test_preparing_reaches_every_decoder_between_its_utterances() -> None:
    async with lanes(2) as (speech, decoders):
        await speech.prepare(["yes", "no"])
        assert [decoder.orders for decoder in decoders] == [["start", "prepare yes no"]] * 2


async def test_a_decoder_that_cannot_start_closes_the_others() -> None:
    good, bad = SlowDecoder(), SlowDecoder()
    bad.fails = "start"
    with pytest.raises(EngineFailedError, match="failed at start"):
        async with speech_lanes("slow", [good, bad]):
            raise AssertionError("it started")
    assert not good.running


async def test_what_goes_wrong_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(LookupError, match="of the test"):
        async with lanes() as _:
            raise LookupError("of the test")


async def test_whoever_waits_when_the_lanes_close_is_not_left_waiting() -> None:
    async with lanes() as (speech, [decoder]):
        caller = speech.listen()
        decoder.open.clear()
        caller.accept(PIECE)
        waiting = asyncio.get_running_loop().create_task(caller.final())
        await until(lambda: "begin" in decoder.orders)
    with pytest.raises(asyncio.CancelledError):
        await waiting
