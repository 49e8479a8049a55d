"""Everything that can happen during a conversation, in the order in which it happened. All times are the loop's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from voice_agent.dialogue import ALL_KEYS, is_key
from voice_agent.errors import EngineError
from voice_agent.heard import Heard
from voice_agent.media import AudioFrame, KeyPressed, Media, MediaEnded


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms of the caller."""

    pcm: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key of the caller."""

    digit: str
    at: float


@dataclass(frozen=True, slots=True)
class Said:
    """Everything of the turn was heard; or its voice failed, and that is the ``fault``."""

    fault: EngineError | None = None


@dataclass(frozen=True, slots=True)
class Understood:
    """An utterance: when it began, when its last sound was, when it was certain to be over, when there was text.

    ``voiced``: seconds of it that were speech.
    """

    heard: Heard
    voiced: float
    began: float
    spoken_until: float
    over: float
    at: float


Event = Frame | Pressed | Said | Understood | MediaEnded


class Inbox:
    """One call's. Nothing that puts something in ever waits."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._end: MediaEnded | None = None

    def put(self, event: Event) -> None:
        """Happened now, after all that is here."""
        if isinstance(event, MediaEnded):
            self._end = self._end or event
        self._events.put_nowait(event)

    def press(self, digit: str) -> None:
        """Raises ValueError when ``digit`` is no key."""
        if not is_key(digit):
            raise ValueError(f"expected one of {ALL_KEYS}, got {digit!r}")
        self.put(Pressed(digit, self._loop.time()))

    async def next(self) -> Event:
        """What happened next; the end of the call again and again."""
        if self._end is not None and self._events.empty():
            return self._end
        return await self._events.get()

    async def receive(self, media: Media) -> None:
        """Takes what comes from the call until it ends."""
        while True:
            match await media.receive():
                case AudioFrame(pcm):
                    self.put(Frame(pcm, self._loop.time()))
                case KeyPressed(digit):
                    self.put(Pressed(digit, self._loop.time()))
                case MediaEnded() as end:
                    self.put(end)
                    return

    def rest(self) -> list[Event]:
        """What nobody took."""
        return [self._events.get_nowait() for _ in range(self._events.qsize())]

    def clear(self) -> None:
        """Forgets what nobody took, but for the end of the call."""
        self.rest()
