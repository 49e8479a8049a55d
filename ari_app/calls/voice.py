"""What a callback needs of whoever speaks: a small port, so that this room knows nothing of speech engines."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.values import Intent, Line


class TalkEnd(StrEnum):
    """How a conversation ended."""

    COMPLETED = "completed"
    WANTS_PERSON = "wants_person"
    OPTED_OUT = "opted_out"
    CALLER_HUNG_UP = "caller_hung_up"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Talk:
    """What came of it. keys: pressed by the caller, in order. why: for FAILED, one sentence."""

    end: TalkEnd
    intent: Intent
    lines: tuple[Line, ...]
    keys: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class WebSocketAudio:
    """Audio over Asterisk's media WebSocket. url: ``ws://…/media/<id>``."""

    url: str


@dataclass(frozen=True, slots=True)
class RtpAudio:
    """Audio as RTP, µ-law. We listen on ``local_port``; Asterisk on ``remote``."""

    local_port: int
    remote_host: str
    remote_port: int


class Speaker(Protocol):
    """One conversation."""

    async def talk(self) -> Talk:
        """Hold it, from the greeting to its end. Never raises for what the far end does."""
        ...

    async def apologise(self) -> tuple[Line, ...]:
        """Say that no person is free now; what was said."""
        ...

    def key(self, digit: str) -> None:
        """The caller pressed a key."""
        ...

    def caller_gone(self) -> None:
        """The caller hung up."""
        ...

    async def close(self) -> None:
        """Let go of the audio."""
        ...


class Voice(Protocol):
    """Whoever can speak."""

    def prepare(self, callback: PlaceCallback) -> Awaitable[None]:
        """Render the first words before the phone is answered: 16 CFR 310.4(b)(4)(iii), two seconds."""
        ...

    async def reserve_port(self) -> int:
        """A UDP port for RTP audio, held until ``begin``."""
        ...

    async def begin(self, callback: PlaceCallback, audio: WebSocketAudio | RtpAudio) -> Speaker:
        """Open the audio. Raises OSError or TimeoutError."""
        ...
