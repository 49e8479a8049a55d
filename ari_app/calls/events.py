"""What happens in one inbound call. ``now`` is the loop's monotonic time in seconds, ``at`` the wall clock: rings are counted
by the first, the journal is written with the second."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LegEnd(StrEnum):
    """How a leg to a phone ended without being answered, or after."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    HUNG_UP = "hung_up"
    CANCELLED = "cancelled"
    """By us."""
    LOST = "lost"
    """It is gone, and nobody heard how: Asterisk hangs up on whoever picks up while we are away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    now: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived(Moment):
    """The call is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAsked(Moment):
    """Only now was the phone asked to ring: Asterisk could not be reached before."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRinging(Moment):
    """A phone rings, or sends early media (180 or 183, RFC 3261 section 21.1)."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAnswered(Moment):
    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnded(Moment):
    leg: str
    end: LegEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerGone(Moment):
    """The caller hung up, or the network did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHeard(Moment):
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayingEnded(Moment):
    """A prompt is over. whole: it played to its end."""

    prompt: str
    whole: bool
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded(Moment):
    """A message is over. seconds: 0 when nothing could be recorded."""

    recording: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed(Moment):
    """The time that the machine named has come."""


CallEvent = (
    Arrived
    | LegAsked
    | LegRinging
    | LegAnswered
    | LegEnded
    | CallerGone
    | KeyHeard
    | PlayingEnded
    | RecordingEnded
    | DeadlinePassed
)
