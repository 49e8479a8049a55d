"""What became of a call on a watched PBX that nobody of us saw, told from Asterisk's channel events (CEL). Pure.

The events are told to the machine that judges calls while they happen, by the clock of then: its verdict is the one that it
would have given. What CEL does not hold is filled in so:

1. There is no ringing: a phone rings from when it was called, unless it ended by itself as one does that was never reached.
2. Which application runs stands beside every event, so that it counts from the first event beside which it stands; events
   of its own (``apps`` in cel.conf) only make that exact.
3. A caller who hangs up in a queue leaves it first, and does nothing between: then the queue did not give up. A queue that
   is left at once was not joined.
4. A phone that picks up a call has a linked id of its own until then: the caller's peer in the bridge tells of it.
5. Nothing tells of messages left in a mailbox, nor of our notice and the keys pressed in it: no callback comes of these calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from ari_app.calls.events import DeadlinePassed, LegAnswered, LegEnd, LegEnded, LegRinging
from ari_app.calls.hindsight import ChannelEvent, extra, phone_of
from ari_app.calls.state import CallSetup
from ari_app.calls.watch_events import (
    CallerHungUp,
    CallerVanished,
    CallSeen,
    Joined,
    KeyAsked,
    LegStarted,
    MailboxEntered,
    PhonesTried,
    Queued,
    Unqueued,
    WatchEvent,
)
from ari_app.calls.watch_machine import step
from ari_app.calls.watch_state import WatchedCall, WatchRules, WatchStage
from ari_app.calls.watch_words import ASKING, CAUSES, FOLLOWME, MAILBOX, NOBODY, QUEUE, TRYING, heard_by
from ari_app.recovery.events import Event

REACHED_SECONDS = 1.0
"""A phone that was rung ends no sooner with a cause that a phone gives as well when it was never reached."""
JOINED_SECONDS = 0.1
"""Asterisk takes less to find that nobody works in a queue."""
NEVER_REACHED = {3, 20, 27, 34, 38, 102}
"""Q.850: no route, not registered, out of order, no circuit, network out of order, no answer to our request."""


def retell(
    events: Sequence[ChannelEvent], setup: CallSetup, rules: WatchRules, is_outside: Callable[[str], bool]
) -> tuple[Event, ...]:
    """What the journal would have been told. events: all of one call, in order, its caller's first; not empty.

    is_outside: whether an endpoint is a trunk and no desk phone. The last fact's ``at`` is never after the last event.
    """
    return _Retelling(events, WatchedCall(setup=setup, rules=rules), is_outside).facts()


@dataclass(slots=True)
class _Channel:
    """name: as Asterisk calls it. bridge: where it is. application: what it runs, in lower case."""

    name: str
    bridge: str | None = None
    application: str = ""

    @property
    def technology(self) -> str:
        return self.name.partition("/")[0]

    @property
    def partner(self) -> str:
        """The name of the other half, of a Local channel."""
        return self.name[:-1] + ("2" if self.name.endswith("1") else "1")


class _Retelling:
    def __init__(self, events: Sequence[ChannelEvent], call: WatchedCall, is_outside: Callable[[str], bool]) -> None:
        self._events = events
        self._first = events[0]
        # There is nothing else that would tell it later.
        self._call = replace(call, rules=replace(call.rules, told_later=False))
        self._is_outside = is_outside
        self._channels: dict[str, _Channel] = {}
        self._joined: set[str] = set()
        self._facts: list[Event] = []
        self._gave_up = _gave_up(events)

    def facts(self) -> tuple[Event, ...]:
        self._tell(CallSeen, self._first.at)
        for event in self._events:
            self._pass_time(event.at)
            self._take(event)
        if self._call.stage is not WatchStage.ENDED:
            # Cut off with Asterisk itself: it ended as it was last seen.
            self._tell(CallerVanished, self._events[-1].at, restarted=True)
        return tuple(self._facts)

    def _pass_time(self, until: datetime) -> None:
        told = None
        while (due := self._call.deadline) is not None and due != told:
            at = self._first.at + timedelta(seconds=due)
            if at > until:
                return
            self._tell(DeadlinePassed, at)
            told = due

    def _tell(self, make: Callable[..., WatchEvent], at: datetime, **arguments: object) -> None:
        result = step(self._call, make(now=(at - self._first.at).total_seconds(), at=at, **arguments))
        self._call = result.call
        self._facts += result.facts

    # ------------------------------------------------------------------------------------------------------------- events
    def _take(self, event: ChannelEvent) -> None:
        known = event.uniqueid in self._channels
        channel = self._channels.setdefault(event.uniqueid, _Channel(event.channel))
        channel.name = event.channel
        if event.kind == "CHAN_START" and not known:
            self._started(event, channel)
        self._runs(event, channel)
        match event.kind:
            case "ANSWER":
                if self._is_leg(event.uniqueid):
                    self._tell(LegAnswered, event.at, leg=event.uniqueid)
            case "BRIDGE_ENTER":
                channel.bridge = str(extra(event, "bridge_id") or "") or None
                self._meet(event.peer, channel.bridge)
                self._who_hears_whom(event.at)
            case "BRIDGE_EXIT":
                channel.bridge = None
            case "HANGUP":
                self._hung_up(event)
            case _:
                pass

    def _meet(self, peers: str, bridge: str | None) -> None:
        """Whoever is in the bridge already, and has told nothing of it under this call's linked id."""
        known = {channel.name for channel in self._channels.values()}
        for name in filter(None, peers.split(",")):
            if name not in known:
                self._channels[name] = _Channel(name, bridge)

    def _started(self, event: ChannelEvent, channel: _Channel) -> None:
        """A leg, unless it is the caller, or what a Local channel leads on into."""
        if event.uniqueid == self._first.uniqueid or (channel.technology == "Local" and channel.name.endswith(";2")):
            return
        if channel.technology in NOBODY:
            self._tell(LegStarted, event.at, leg=event.uniqueid, phone=None)
            return
        phone = phone_of(channel.name)
        self._tell(LegStarted, event.at, leg=event.uniqueid, phone=phone, outside=self._is_outside(phone))
        if self._rang(event):
            self._tell(LegRinging, event.at, leg=event.uniqueid)

    def _rang(self, started: ChannelEvent) -> bool:
        """Whether the phone that was called then was reached, by how it ended."""
        later = [event for event in self._events if event.uniqueid == started.uniqueid]
        if any(event.kind == "ANSWER" for event in later):
            return True
        end = next((event for event in later if event.kind == "HANGUP"), None)
        # A leg that the PBX called off bears the cause of any other of the call.
        if end is None or extra(end, "hangupsource") != end.channel:
            return True
        return _cause(end) not in NEVER_REACHED and (end.at - started.at).total_seconds() >= REACHED_SECONDS

    def _runs(self, event: ChannelEvent, channel: _Channel) -> None:
        """Which application runs on the channel now, and what that means when it is another than before."""
        word = "" if event.kind in ("APP_END", "HANGUP") else event.application.lower()
        before = channel.application
        if word == before:
            return
        channel.application = word
        if before == QUEUE and not self._hangs_up_next(event):
            self._tell(Unqueued, event.at)
        if word in TRYING:
            self._tell(PhonesTried, event.at, asking=word == FOLLOWME)
        if word == QUEUE and self._stays(event):
            self._tell(Queued, event.at)
        elif word == ASKING and self._is_leg(event.uniqueid):
            self._tell(KeyAsked, event.at, leg=event.uniqueid)
        elif word in MAILBOX:
            self._tell(MailboxEntered, event.at, mailbox="")

    def _hangs_up_next(self, event: ChannelEvent) -> bool:
        """Whether this is the caller on the way out."""
        after = self._next(event)
        return self._gave_up and (event.kind == "HANGUP" or (after is not None and after.kind == "HANGUP"))

    def _stays(self, event: ChannelEvent) -> bool:
        after = self._next(event)
        return after is None or (after.at - event.at).total_seconds() >= JOINED_SECONDS

    def _next(self, event: ChannelEvent) -> ChannelEvent | None:
        """The same channel's event after this one."""
        own = [other for other in self._events if other.uniqueid == event.uniqueid]
        return next((after for before, after in pairwise(own) if before is event), None)

    def _hung_up(self, event: ChannelEvent) -> None:
        if event.uniqueid == self._first.uniqueid:
            self._tell(CallerHungUp, event.at, by_caller=self._gave_up)
        elif self._is_leg(event.uniqueid):
            self._tell(LegEnded, event.at, leg=event.uniqueid, end=CAUSES.get(_cause(event), LegEnd.NO_ANSWER))

    def _is_leg(self, uniqueid: str) -> bool:
        return self._call.leg(uniqueid) is not None

    # ---------------------------------------------------------------------------------------------------- who hears whom
    def _who_hears_whom(self, at: datetime) -> None:
        bridges = {
            uniqueid: channel.bridge for uniqueid, channel in self._channels.items() if channel.bridge is not None
        }
        rooms: dict[str, list[str]] = {}
        for uniqueid, bridge in bridges.items():
            rooms.setdefault(bridge, []).append(uniqueid)
        names = {channel.name: uniqueid for uniqueid, channel in self._channels.items()}
        locals_ = {uniqueid: channel for uniqueid, channel in self._channels.items() if channel.technology == "Local"}
        partners = {one: names[channel.partner] for one, channel in locals_.items() if channel.partner in names}
        for uniqueid in list(heard_by(self._first.uniqueid, bridges, rooms, partners)):
            channel = self._channels[uniqueid]
            if uniqueid in self._joined or channel.technology in NOBODY:
                continue
            self._joined.add(uniqueid)
            phone = phone_of(channel.name)
            self._tell(Joined, at, leg=uniqueid, phone=phone, outside=self._is_outside(phone))


def _gave_up(events: Sequence[ChannelEvent]) -> bool:
    """Whether the caller hung up, and not the PBX."""
    end = next((event for event in events if event.uniqueid == events[0].uniqueid and event.kind == "HANGUP"), None)
    return end is not None and extra(end, "hangupsource") == end.channel


def _cause(event: ChannelEvent) -> int:
    found = extra(event, "hangupcause")
    return found if isinstance(found, int) else 0
