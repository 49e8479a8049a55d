"""What is seen of one inbound call that somebody else's dialplan handles. ``now`` is monotonic seconds, ``at`` the wall clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ari_app.calls.events import DeadlinePassed, LegAnswered, LegEnded, LegRinging, Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSeen(Moment):
    """A call came in, or was found under way. for_seconds: how long it has been there."""

    for_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PhonesTried(Moment):
    """The dialplan runs Dial, FollowMe or Queue for this call, whether or not a leg comes of it.

    asking: FollowMe, which has whoever answers press a key, in an application that shows nothing of it.
    """

    asking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStarted(Moment):
    """A leg is being called.

    phone: its endpoint; None for a Local channel, which leads on into the dialplan and is nobody's phone.
    outside: it left through a trunk, to a mobile.
    """

    leg: str
    phone: str | None
    outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAsked(Moment):
    """Whoever answered this leg is asked to press a key before the caller is let through."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Moment):
    """The caller and this leg hear each other."""

    leg: str
    phone: str
    outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(Moment):
    """The caller waits in a queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unqueued(Moment):
    """The caller waits no more: an agent answered, the queue gave up, or the caller did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxEntered(Moment):
    """A mailbox has answered."""

    mailbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLeft(Moment):
    """The caller's message is in the mailbox."""

    mailbox: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePlayed(Moment):
    """The dialplan played our notice. key: what the caller pressed, empty for nothing. whole: played to its end."""

    key: str
    whole: bool
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerHungUp(Moment):
    """The call is over. by_caller: the far end hung up; otherwise the PBX did."""

    by_caller: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerVanished(Moment):
    """The call is not there any more, and we were not looking when it went. restarted: because Asterisk did."""

    restarted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SightLost(Moment):
    """From now on nothing is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SightRegained(Moment):
    """What has changed meanwhile has been told; events follow again."""


WatchEvent = (
    CallSeen
    | PhonesTried
    | LegStarted
    | LegRinging
    | LegAnswered
    | LegEnded
    | KeyAsked
    | Joined
    | Queued
    | Unqueued
    | MailboxEntered
    | MessageLeft
    | NoticePlayed
    | CallerHungUp
    | CallerVanished
    | SightLost
    | SightRegained
    | DeadlinePassed
)
