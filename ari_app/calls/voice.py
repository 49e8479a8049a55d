"""What a callback needs of whoever speaks: a small port, so that this room knows nothing of speech engines."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
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
    """What came of it. why: for FAILED, one sentence."""

    end: TalkEnd
    intent: Intent
    lines: tuple[Line, ...]
    why: str | None = None


class Speaker(Protocol):
    """One conversation, over audio that is open."""

    async def talk(self, longest_seconds: float, said_no: Callable[[], None]) -> Talk:
        """Hold it, from the greeting to its end. said_no: called as soon as the caller wants no more calls, before that is
        confirmed to them. Never raises for what the far end does."""
        ...

    async def apologise(self, said_no: Callable[[], None]) -> tuple[Line, ...]:
        """Say that no person is free now; what was said. said_no: as in ``talk``."""
        ...

    async def confirm_no(self) -> tuple[Line, ...]:
        """Say that we will not call again; what was said."""
        ...

    def key(self, digit: str) -> None:
        """The caller pressed a key."""
        ...

    def caller_gone(self) -> None:
        """The caller hung up."""
        ...


class RtpEnd(Protocol):
    """Our end of an RTP stream that does not know the other one yet."""

    @property
    def port(self) -> int:
        """Where Asterisk has to send."""
        ...

    def connect(self, host: str, port: int) -> Speaker:
        """Asterisk listens there."""
        ...


class Voice(Protocol):
    """Whoever can speak."""

    async def prepare(self, callback: PlaceCallback) -> None:
        """Render the first words before the phone is answered: 16 CFR 310.4(b)(4)(iii) allows two seconds."""
        ...

    def over_websocket(self, callback: PlaceCallback, url: str) -> AbstractAsyncContextManager[Speaker]:
        """Speak over Asterisk's media WebSocket, ``ws://…/media/<id>``. Raises OSError."""
        ...

    def over_rtp(self, callback: PlaceCallback, host: str) -> AbstractAsyncContextManager[RtpEnd]:
        """Speak over RTP with µ-law, on a port of ``host``. Raises OSError."""
        ...
