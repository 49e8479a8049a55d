"""What became of one conversation. Values only; all times in seconds from its start."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Speaker(StrEnum):
    """Who said it."""

    AGENT = "agent"
    CALLER = "caller"


class EndedBy(StrEnum):
    """Who or what ended it. ``agent``: everything was said. ``caller``: the call was hung up."""

    AGENT = "agent"
    CALLER = "caller"
    TRANSFER = "transfer"
    MEDIA_LOST = "media_lost"
    ERROR = "error"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the agent, or one utterance of the caller (empty text: not understood).

    cut: the agent was interrupted, and the caller heard only its beginning.
    """

    speaker: Speaker
    text: str
    started_seconds: float
    ended_seconds: float
    confidence: float | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A key that acted."""

    digit: str
    at_seconds: float


@dataclass(frozen=True, slots=True)
class TurnTiming:
    """How soon the agent spoke.

    after: ``start``, ``voice``, ``key`` or ``silence``. endpoint_seconds: from the caller's last sound to the certainty
    that they had finished; recognise_seconds: until the text was there; speak_seconds: until the first sound went out.
    Only ``voice`` has the first two.
    """

    after: str
    endpoint_seconds: float
    recognise_seconds: float
    speak_seconds: float

    @property
    def total_seconds(self) -> float:
        """From the caller's last sound, or key, to the agent's first."""
        return self.endpoint_seconds + self.recognise_seconds + self.speak_seconds


@dataclass(frozen=True, slots=True)
class Conversation:
    """faults: what engines did wrong on the way, in words; the conversation went on without them where it could."""

    transcript: tuple[Line, ...]
    ended_by: EndedBy
    keys: tuple[Key, ...]
    timings: tuple[TurnTiming, ...]
    seconds: float
    faults: tuple[str, ...] = ()
    why: str = ""
    """Why it ended, where ``ended_by`` does not say it all."""
