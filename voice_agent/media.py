"""The audio of one call, whatever carries it: a stream of 20 ms frames in, speech out.

The Protocol, what comes in, and the clock that fills gaps. Whoever opens a call's audio owns it and closes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from voice_agent.audio import FRAME_SECONDS, SILENT_FRAME


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """20 ms of the caller, as ``pcm``."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed one of 0-9, * and #."""

    digit: str


@dataclass(frozen=True, slots=True)
class MediaEnded:
    """There is no audio any more. ``why``: for the log. ``hung_up``: in good order, as when somebody hangs up."""

    why: str
    hung_up: bool = False


Incoming = AudioFrame | KeyPressed | MediaEnded


class Media(Protocol):
    """One call's audio. One task receives, one plays."""

    async def receive(self) -> Incoming:
        """What comes next. There is a frame every 20 ms even while the far end sends nothing: silence.

        After MediaEnded it is MediaEnded again.
        """
        ...

    async def play(self, speech: AsyncIterable[bytes]) -> bool:
        """Plays speech as it is made. True when the last of it was HEARD; False when the call ended before.

        Cancelling it silences what was not heard yet, before the cancellation comes out. What ``speech`` raises comes out
        after what was made has been silenced.
        """
        ...


async def whole(pcm: bytes) -> AsyncIterator[bytes]:
    """Speech that is there already, for ``Media.play``."""
    yield pcm


class Inlet:
    """What has come in and was not received yet, with silence where nothing came in time.

    ``patience_seconds``: how late a frame may be before silence is given in its place; afterwards one silent frame every
    20 ms. A receiver that is more than ``most_frames`` behind loses the oldest: the sender must never be held up.
    """

    def __init__(self, *, patience_seconds: float = 0.06, most_frames: int = 100) -> None:
        self._loop = asyncio.get_running_loop()
        self._patience = patience_seconds
        self._most = most_frames
        self._waiting: deque[AudioFrame | KeyPressed] = deque()
        self._changed = asyncio.Event()
        self._next = self._loop.time()
        """When the next frame is due."""
        self.ended: MediaEnded | None = None
        self.over = asyncio.Event()
        """Set when ``ended`` is."""

    def put(self, item: AudioFrame | KeyPressed) -> None:
        """It came in just now."""
        self._waiting.append(item)
        if len(self._waiting) > self._most:
            self._waiting.remove(next(waiting for waiting in self._waiting if isinstance(waiting, AudioFrame)))
        self._changed.set()

    def end(self, why: str, *, hung_up: bool = False) -> None:
        """No more is to come. The first reason stands."""
        if self.ended is None:
            self.ended = MediaEnded(why, hung_up)
            self._changed.set()
            self.over.set()

    async def get(self) -> Incoming:
        """See ``Media.receive``."""
        while True:
            if self._waiting:
                item = self._waiting.popleft()
                if isinstance(item, AudioFrame):
                    self._next = self._loop.time() + FRAME_SECONDS
                return item
            if self.ended is not None:
                return self.ended
            self._changed.clear()
            try:
                async with asyncio.timeout_at(self._next + self._patience):
                    await self._changed.wait()
            except TimeoutError:
                self._next += FRAME_SECONDS
                return AudioFrame(SILENT_FRAME)
