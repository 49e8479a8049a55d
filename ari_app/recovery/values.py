"""The words that events, effects and policy share. All frozen; each means one thing (docs/glossary.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

E164 = NewType("E164", str)
"""A telephone number as ITU-T E.164 has it, with ``+``: +13055550123."""

LeadId = NewType("LeadId", int)
EffectId = NewType("EffectId", str)
"""``{seq}.{n}``: the n-th effect, from 0, of the event ``seq``. The idempotency key at every target."""

_E164 = re.compile(r"\+[1-9]\d{6,14}")


def e164(text: str) -> E164:
    """``text`` as a number. Raises ValueError unless it is a ``+`` and 7 to 15 digits."""
    if _E164.fullmatch(text) is None:
        raise ValueError(f"expected a number such as +13055550123, found {text!r}")
    return E164(text)


class NumberKind(StrEnum):
    """What a caller's number is good for."""

    ORDINARY = "ordinary"
    """A subscriber's number in the brokerage's own country."""
    FOREIGN = "foreign"
    SPECIAL = "special"
    """Toll-free, premium, N11 and other numbers that have no place and may cost (GEO-06)."""
    INTERNAL = "internal"
    """A desk phone, or an agent's own mobile (ELG-01)."""
    WITHHELD = "withheld"
    """No number came with the call (ELG-04)."""
    MALFORMED = "malformed"
    """Something came that is no number (ELG-04)."""


class Verdict(StrEnum):
    """What became of one inbound call: one for each call, never one for each leg."""

    ANSWERED = "answered"
    DROPPED = "dropped"
    """Answered, and over within seconds."""
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    AFTER_HOURS = "after_hours"
    ABANDONED = "abandoned"
    """The caller gave up while phones rang, before the last ring was over."""
    UNROUTED = "unrouted"
    """No number entry matches what was dialled."""
    UNKNOWN = "unknown"
    """No evidence is left that says what became of it."""


class Channel(StrEnum):
    """A way to contact a person; consent is kept for each."""

    TEXT = "text"
    CALL = "call"
    EMAIL = "email"


class ConsentState(StrEnum):
    """What the person has said about a channel."""

    UNSTATED = "unstated"
    OPTED_IN = "opted_in"
    OPTED_OUT = "opted_out"


class Keyword(StrEnum):
    """What a text, or a key, asks of us apart from the conversation."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    NONE = "none"


class Stage(StrEnum):
    """Where a lead's plan stands."""

    LISTENING = "listening"
    """Missed, and the caller is still on the line: a prompt plays, keys may come."""
    TEXTING = "texting"
    """The text-back is under way."""
    CALLING = "calling"
    """The callback is under way."""
    WAITING = "waiting"
    """The plan waits for its next step's time."""
    IDLE = "idle"
    """Nothing more is planned; events are still recorded and answered."""


class Progress(StrEnum):
    """How far one contact (the text-back, the callback) has come."""

    NONE = "none"
    PENDING = "pending"
    """Ordered, not yet settled."""
    DONE = "done"
    """Accepted by the gateway; for a callback, the call is over."""
    DELIVERED = "delivered"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    """It may have gone out, and nobody knows. Never sent again blindly."""
    REFUSED = "refused"
    """The compliance gate said no; the decision names its rule."""
    CANCELLED = "cancelled"


class CallbackEnd(StrEnum):
    """How a callback ended."""

    COMPLETED = "completed"
    """The conversation came to its end."""
    REACHED_PERSON = "reached_person"
    """The caller asked for a person and was connected."""
    WANTED_PERSON = "wanted_person"
    """The caller asked for a person and none answered."""
    OPTED_OUT = "opted_out"
    CALLER_HUNG_UP = "caller_hung_up"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    FAILED = "failed"
    """The network or our side: no conversation came about, or it broke."""


class Intent(StrEnum):
    """What the caller wants of the brokerage, as far as the one question told."""

    BUYING = "buying"
    SELLING = "selling"
    BOTH = "both"
    OTHER = "other"
    UNSTATED = "unstated"


class AlertReason(StrEnum):
    """Why a person of the brokerage is told."""

    MISSED = "missed"
    REPEAT_MISS = "repeat_miss"
    """The caller tried again inside the window in which no second text may go (FRQ-03)."""
    DROPPED = "dropped"
    """Somebody lifted a phone for a moment only: the plan has ended, and the caller has reached nobody (ESC-01)."""
    REPLIED = "replied"
    WANTS_PERSON = "wants_person"
    ESCALATION = "escalation"
    TEXT_FAILED = "text_failed"
    TEXT_IN_DOUBT = "text_in_doubt"
    CALLBACK_LOST = "callback_lost"
    OPTED_OUT = "opted_out"
    """The caller does not want to be contacted automatically; a person decides what else to do."""
    BOOKS_LOST = "books_lost"
    """What was done for the caller stood in books that are lost: a person finds out (DBT-02)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance of a callback. speaker: ``agent`` or ``caller``. at_seconds: since the callback was answered."""

    speaker: str
    text: str
    at_seconds: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person has said about one channel, when, and by what act (``sms:STOP``, ``key:9``, ``agent:101``)."""

    state: ConsentState = ConsentState.UNSTATED
    source: str | None = None
    at: datetime | None = None


def require_aware(at: datetime) -> datetime:
    """``at`` unchanged. Raises ValueError for a datetime without a zone: every time in the core is aware UTC."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise ValueError(f"expected an aware datetime, found {at.isoformat()}")
    return at
