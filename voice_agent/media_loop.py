"""The audio of a call without a telephone, inside this process and in real time: for WAV files and for tests.

A ``LoopMedia`` is both ends at once: the agent's Media, and the caller's mouth and ear.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterable, Iterable

from voice_agent.audio import BYTES_A_SECOND, FRAME_SECONDS, SILENT_FRAME, FrameSplitter, seconds_of
from voice_agent.media import AudioFrame, Incoming, KeyPressed, MediaEnded


class LoopMedia:
    """Implements Media; see below for the caller's side.

    answers: what the caller says, one each time that the agent has said something and fallen silent for ``after_seconds``.
    """

    def __init__(self, answers: Iterable[bytes] = (), *, after_seconds: float = 0.6) -> None:
        self._loop = asyncio.get_running_loop()
        self._started = self._due = self._loop.time()
        self._answers = deque(answers)
        self._after_seconds = after_seconds
        self._answering: asyncio.TimerHandle | None = None
        self._caller: deque[bytes] = deque()
        self._keys: deque[KeyPressed] = deque()
        self._hung_up = asyncio.Event()
        self._tracks = {"caller": bytearray(), "agent": bytearray()}

    # -------------------------------------------------------------------------------------------------------------- Media
    async def receive(self) -> Incoming:
        if self._keys:
            return self._keys.popleft()
        self._due += FRAME_SECONDS
        await self._until(self._due)
        if self._hung_up.is_set():
            return MediaEnded("the caller hung up", hung_up=True)
        frame = self._caller.popleft() if self._caller else SILENT_FRAME
        self._record("caller", frame, self._due - FRAME_SECONDS)
        return AudioFrame(frame)

    async def play(self, speech: AsyncIterable[bytes]) -> bool:
        if self._answering is not None:
            self._answering.cancel()
        try:
            async for pcm in speech:
                begun = self._loop.time()
                try:
                    await self._until(begun + seconds_of(pcm))
                finally:
                    heard = round((self._loop.time() - begun) * BYTES_A_SECOND / 2) * 2
                    self._record("agent", pcm[:heard], begun)
        finally:
            self._answering = self._loop.call_later(self._after_seconds, self._answer)
        return not self._hung_up.is_set()

    # --------------------------------------------------------------------------------------------------------- the caller
    def speak(self, pcm: bytes) -> None:
        """The caller says this, after what they are saying."""
        splitter = FrameSplitter()
        self._caller += [*splitter.push(pcm), *splitter.finish()]

    def press(self, digit: str) -> None:
        """The caller presses a key."""
        self._keys.append(KeyPressed(digit))

    def hang_up(self) -> None:
        """The caller hangs up: silence both ways from now on."""
        self._hung_up.set()

    def heard(self) -> bytes:
        """What the caller has heard so far, silence included."""
        return bytes(self._tracks["agent"])

    def both(self) -> tuple[bytes, bytes]:
        """The caller and the agent so far, equally long: the two tracks of a recording."""
        longest = max(map(len, self._tracks.values()))
        return bytes(self._tracks["caller"].ljust(longest, b"\0")), bytes(self._tracks["agent"].ljust(longest, b"\0"))

    # --------------------------------------------------------------------------------------------------------------------
    def _answer(self) -> None:
        if self._answers:
            self.speak(self._answers.popleft())

    def _record(self, track: str, pcm: bytes, at: float) -> None:
        """Lays ``pcm`` down where it belongs in time, or after what is there."""
        recorded = self._tracks[track]
        start = round((at - self._started) * BYTES_A_SECOND / 2) * 2
        recorded += bytes(max(0, start - len(recorded)))
        recorded += pcm

    async def _until(self, when: float) -> None:
        """Until the loop's time is ``when``, or the caller hangs up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(when):
                await self._hung_up.wait()
