"""Speech to text, off the event loop: lanes that decode one utterance at a time each.

An engine brings a ``Decoder`` (a thread or a process of its own); this file knows no engine. Audio never waits for a
decoder: it is queued, and whoever is too far behind gives the utterance up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Protocol

from voice_agent.audio import BYTES_A_SECOND
from voice_agent.beside import beside
from voice_agent.errors import EngineError, EngineOverloadedError
from voice_agent.heard import Heard

log = logging.getLogger("voice_agent.stt")

MOST_BEHIND_SECONDS = 6.0
"""So much audio may wait for a decoder."""
LONGEST_SILENCE_SECONDS = 10.0
"""So long may a caller who has finished wait for the text; hardly one does."""


class Recogniser(Protocol):
    """One caller's recogniser, utterance by utterance. Nothing here blocks."""

    def expect(self, phrases: Iterable[str]) -> None:
        """What the next utterances are likely to be; hints, not limits."""
        ...

    def accept(self, pcm: bytes) -> None:
        """More of the utterance, which begins with the first call. Raises EngineOverloadedError."""
        ...

    def partial(self) -> str:
        """What has been understood so far; may change, and lags behind by a frame or two."""
        ...

    async def final(self) -> Heard:
        """The utterance is over: what was it? Raises EngineError; the next utterance may succeed."""
        ...

    def abandon(self) -> None:
        """The utterance is of no interest any more."""
        ...


class SpeechToText(Protocol):
    """A recogniser for any number of callers. Safe to use from one event loop."""

    name: str

    def listen(self) -> Recogniser:
        """A recogniser for one caller."""
        ...

    async def prepare(self, phrases: Iterable[str]) -> None:
        """Makes ready for these hints, so that the first utterance does not wait. Raises EngineError."""
        ...


class Decoder(Protocol):
    """One engine's decoder. Called by one task, one call at a time; every method may raise EngineError."""

    async def start(self) -> None:
        """Loads what it needs."""
        ...

    async def prepare(self, phrases: tuple[str, ...]) -> None:
        """Makes ready for utterances that expect these."""
        ...

    async def begin(self, phrases: tuple[str, ...], memory: str) -> None:
        """Starts an utterance. ``memory`` is what ``finish`` told of this caller's last one, or nothing."""
        ...

    async def feed(self, pcm: bytes) -> str:
        """The partial text after this audio."""
        ...

    async def finish(self) -> tuple[Heard, str]:
        """The final text, and what is to be remembered of the caller."""
        ...

    async def drop(self) -> None:
        """Ends an utterance without a result."""
        ...

    async def close(self) -> None:
        """Ends what ``start`` began, at any moment; also before ``start``."""
        ...


class _Utterance:
    """One utterance on its way to a decoder."""

    def __init__(self, phrases: tuple[str, ...], memory: str) -> None:
        self.phrases = phrases
        self.memory = memory
        self.partial = ""
        self.result: asyncio.Future[tuple[Heard, str]] = asyncio.get_running_loop().create_future()
        self._waiting = bytearray()
        self._over = False
        self._changed = asyncio.Event()

    @property
    def behind_seconds(self) -> float:
        return len(self._waiting) / BYTES_A_SECOND

    def push(self, pcm: bytes) -> None:
        self._waiting += pcm
        self._changed.set()

    def end(self) -> None:
        self._over = True
        self._changed.set()

    def abandon(self) -> None:
        self.result.cancel()
        self._changed.set()

    async def batch(self) -> bytes | None:
        """All the audio that waits, as soon as there is any. None: there is no more to come."""
        while True:
            if self.result.done():
                return None
            if self._waiting:
                pcm = bytes(self._waiting)
                self._waiting.clear()
                return pcm
            if self._over:
                return None
            self._changed.clear()
            await self._changed.wait()


class _LaneRecogniser:
    """Implements Recogniser on top of the lanes' queue."""

    def __init__(self, engine: str, submit: Callable[[_Utterance], None]) -> None:
        self._engine = engine
        self._submit = submit
        self._phrases: tuple[str, ...] = ()
        self._memory = ""
        self._utterance: _Utterance | None = None

    def expect(self, phrases: Iterable[str]) -> None:
        self._phrases = tuple(phrases)

    def accept(self, pcm: bytes) -> None:
        if self._utterance is None:
            self._utterance = _Utterance(self._phrases, self._memory)
            self._submit(self._utterance)
        behind = self._utterance.behind_seconds
        if behind > MOST_BEHIND_SECONDS:
            self.abandon()
            raise EngineOverloadedError(self._engine, behind)
        self._utterance.push(pcm)

    def partial(self) -> str:
        return "" if self._utterance is None else self._utterance.partial

    async def final(self) -> Heard:
        utterance, self._utterance = self._utterance, None
        if utterance is None:
            return Heard("")
        utterance.end()
        try:
            async with asyncio.timeout(LONGEST_SILENCE_SECONDS):
                heard, self._memory = await utterance.result
        except TimeoutError as error:
            raise EngineOverloadedError(self._engine, LONGEST_SILENCE_SECONDS) from error
        return heard

    def abandon(self) -> None:
        if self._utterance is not None:
            self._utterance.abandon()
            self._utterance = None


class SpeechLanes:
    """Implements SpeechToText with several decoders of one engine. Made by ``speech_lanes``."""

    def __init__(self, name: str, decoders: list[Decoder]) -> None:
        self.name = name
        self._decoders = decoders
        self._waiting: asyncio.Queue[_Utterance] = asyncio.Queue()
        self._free: list[asyncio.Lock] = [asyncio.Lock() for _ in decoders]

    def listen(self) -> Recogniser:
        return _LaneRecogniser(self.name, self._waiting.put_nowait)

    async def prepare(self, phrases: Iterable[str]) -> None:
        hints = tuple(phrases)
        for decoder, free in zip(self._decoders, self._free, strict=True):
            async with free:
                await decoder.prepare(hints)

    async def run_lane(self, index: int) -> None:
        """Serves utterances for ever."""
        decoder, free = self._decoders[index], self._free[index]
        while True:
            utterance = await self._waiting.get()
            async with free:
                try:
                    await self._decode(decoder, utterance)
                except EngineError as error:
                    log.warning("%s", error)
                    if not utterance.result.done():
                        utterance.result.set_exception(error)
                        utterance.result.exception()  # nobody may be waiting for it; that is no defect
                except BaseException:
                    utterance.result.cancel()
                    raise

    @staticmethod
    async def _decode(decoder: Decoder, utterance: _Utterance) -> None:
        if utterance.result.done():
            return
        await decoder.begin(utterance.phrases, utterance.memory)
        while (pcm := await utterance.batch()) is not None:
            utterance.partial = await decoder.feed(pcm)
        if utterance.result.done():
            await decoder.drop()
            return
        outcome = await decoder.finish()
        if not utterance.result.done():
            utterance.result.set_result(outcome)


@contextlib.asynccontextmanager
async def speech_lanes(name: str, decoders: list[Decoder]) -> AsyncIterator[SpeechLanes]:
    """Starts the decoders, serves utterances while the block runs, and closes them. Raises EngineError at the start."""
    lanes = SpeechLanes(name, decoders)
    try:
        for decoder in decoders:
            await decoder.start()
        async with beside(*(lanes.run_lane(index) for index in range(len(decoders)))):
            yield lanes
    finally:
        for decoder in decoders:
            await decoder.close()
