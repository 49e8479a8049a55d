"""What is to be done in a call, at once: a call cannot outlive Asterisk, so nothing of this goes through tables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ari_app.recovery.events import Event


class Prompt(StrEnum):
    """What callers hear, by name; the texts are in asterisk/prompts and the settings."""

    NOTICE = "missed_call_notice"
    """Says that we text and call back, and names the keys. The notice that consent rests on."""
    SORRY = "missed_call_plain"
    """For callers whom we may not contact, or not again today: promises nothing."""
    CALL_NOW = "thanks_callback"
    NEVER = "thanks_no_contact"
    MESSAGE = "leave_message"


class HangUpAs(StrEnum):
    """What the network is told (Q.850)."""

    NORMAL = "normal"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class RingLeg:
    """Ring a desk phone. leg: the id that the leg gets."""

    leg: str
    phone: str


@dataclass(frozen=True, slots=True)
class CancelLeg:
    """Stop ringing it, or hang it up. elsewhere: somebody else answered."""

    leg: str
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class RingBack:
    """Let the caller hear ringing, without answering."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Answer the caller, and let both speak."""

    leg: str


@dataclass(frozen=True, slots=True)
class Play:
    """Answer the caller if need be, and play a prompt."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class StopPlaying:
    pass


@dataclass(frozen=True, slots=True)
class Record:
    """Record the caller's message, after a beep."""

    longest_seconds: float


@dataclass(frozen=True, slots=True)
class HangUp:
    cause: HangUpAs


@dataclass(frozen=True, slots=True)
class FallThrough:
    """Give the call back to the dialplan, which rings the phones by itself."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Put a fact into the journal."""

    event: Event


CallEffect = RingLeg | CancelLeg | RingBack | Connect | Play | StopPlaying | Record | HangUp | FallThrough | Tell
