"""The board on which all channels of a foreign PBX are followed: AMI's events in, what they mean for each inbound call out.

Pure. It knows which channel belongs to which call, which halves of Local channels belong together, who is in which bridge,
and so whether the caller hears somebody: two channels hear each other when bridges and Local channels lead from one to the
other. A call is known by its first channel's unique id; the linked id of its channels may change when calls are merged.

Everything may be told twice: after a reconnection the snapshot and the events that came meanwhile overlap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import assert_never

from ari_app.calls.events import LegAnswered, LegEnd, LegEnded, LegRinging
from ari_app.calls.watch_events import (
    CallerHungUp,
    CallerVanished,
    CallSeen,
    Joined,
    KeyAsked,
    LegStarted,
    MailboxEntered,
    MessageLeft,
    NoticePlayed,
    PhonesTried,
    Queued,
    SightLost,
    SightRegained,
    Unqueued,
    WatchEvent,
)
from ari_app.calls.watch_words import ASKING, CAUSES, FOLLOWME, MAILBOX, NOBODY, QUEUE, TRYING, heard_by
from ari_app.pbx.ami_messages import (
    AmiChannel,
    AmiEvent,
    BridgeEntered,
    BridgeLeft,
    ChannelRow,
    DialBegan,
    DialEnded,
    DialProgressed,
    Executed,
    HangupRequested,
    HungUp,
    LocalJoined,
    MessageWaiting,
    NewChannel,
    NewState,
    QueueJoined,
    QueueLeft,
    UserEvent,
)

NOTICE = "RingbackNotice"
"""The UserEvent with which the dialplan tells that it played our notice (asterisk/attach/extensions_custom.conf)."""
REMEMBERED = 4096
"""Channels that are over and whose stragglers are still known as such: events of several threads overtake each other."""
_NUMBER = re.compile(r"\+?[0-9]{5,20}")
_ENDS = {
    "BUSY": LegEnd.BUSY,
    "NOANSWER": LegEnd.NO_ANSWER,
    "CANCEL": LegEnd.CANCELLED,
    "CONGESTION": LegEnd.UNREACHABLE,
    "CHANUNAVAIL": LegEnd.UNREACHABLE,
}

Make = Callable[..., WatchEvent]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What happened in one call. make: the event, still without its time. arrival: the channel of a call that is new, and
    dialled the number that it came with."""

    call_id: str
    make: Make
    arguments: dict[str, object] = field(default_factory=dict)
    arrival: AmiChannel | None = None
    dialled: str = ""

    def event(self, now: float, at: datetime) -> WatchEvent:
        return self.make(now=now, at=at, **self.arguments)


@dataclass(slots=True)
class _Channel:
    """A channel that lives. call: the call that it belongs to, if any. target: what was dialled to get it."""

    seen: AmiChannel
    call: str | None = None
    started: bool = False
    bridge: str | None = None
    partner: str | None = None
    target: str = ""
    queued: bool = False


@dataclass(slots=True)
class _Call:
    """Known by the unique id of the caller's channel. gone: the end has been told. joined: who has heard the caller."""

    gone: bool = False
    joined: set[str] = field(default_factory=set)


class WatchBoard:
    """``take`` an event, get what it means. is_inbound: whether a new channel is a call from outside. is_outside: whether an
    endpoint is a trunk, not a desk phone."""

    def __init__(self, is_inbound: Callable[[AmiChannel], bool], is_outside: Callable[[str], bool]) -> None:
        self._is_inbound = is_inbound
        self._is_outside = is_outside
        self._channels: dict[str, _Channel] = {}
        self._ended: dict[str, None] = {}
        self._calls: dict[str, _Call] = {}

    @property
    def calls(self) -> tuple[str, ...]:
        """The calls whose caller is there."""
        return tuple(call_id for call_id, call in self._calls.items() if not call.gone)

    def forget(self, call_id: str) -> None:
        """Nothing more is expected of this call."""
        self._calls.pop(call_id, None)
        self._channels.pop(call_id, None)

    def take(self, event: AmiEvent) -> list[Sighting]:
        """What ``event`` means for the calls under way, in order."""
        return list(self._meaning(event))

    def _meaning(self, event: AmiEvent) -> Iterator[Sighting]:
        match event:
            case NewChannel(channel=channel):
                yield from self._new(channel)
            case NewState(channel=channel):
                yield from self._state(self._know(channel))
            case HangupRequested(channel=channel):
                yield from self._caller_gone(channel, by_caller=True)
            case HungUp(channel=channel, cause=cause):
                yield from self._hung_up(channel, cause)
            case Executed(channel=channel, application=application, data=data):
                yield from self._executed(self._know(channel), application, data)
            case DialBegan(caller=caller, peer=peer, target=target):
                self._know(peer).target = target
                yield from self._leg(caller, peer)
            case DialProgressed(peer=peer, status=status):
                if status in ("RINGING", "PROGRESS"):
                    yield from self._told(self._know(peer), LegRinging, leg=peer.uniqueid)
            case DialEnded(caller=caller, peer=peer, status=status):
                yield from self._dial_ended(caller, peer, status)
            case LocalJoined(one=one, two=two):
                yield from self._pair(one, two)
            case BridgeEntered(channel=channel, bridge=bridge):
                known = self._know(channel)
                known.bridge = bridge
                yield from self._who_hears_whom()
            case BridgeLeft(channel=channel, bridge=bridge):
                known = self._know(channel)
                if known.bridge == bridge:
                    known.bridge = None
            case QueueJoined(channel=channel):
                yield from self._queue(self._know(channel), waits=True)
            case QueueLeft(channel=channel):
                yield from self._queue(self._know(channel), waits=False)
            case MessageWaiting(uniqueid=uniqueid, mailbox=mailbox, new=new):
                channel_of = self._channels.get(uniqueid)
                if new > 0 and channel_of is not None:
                    yield from self._told(channel_of, MessageLeft, mailbox=mailbox)
            case UserEvent(channel=channel, name=name, headers=headers):
                if name == NOTICE:
                    yield from self._notice(self._know(channel), headers.get)
            case ChannelRow():
                pass  # comes in a snapshot: see resync
            case _:
                assert_never(event)

    # ------------------------------------------------------------------------------------------------------------ channels
    def _know(self, channel: AmiChannel) -> _Channel:
        """The channel on the board, as it is now; one that nobody announced is put there."""
        known = self._channels.get(channel.uniqueid)
        if known is None:
            known = _Channel(channel)
            if channel.uniqueid in self._ended:
                return known  # a straggler: told of, and not put back
            self._channels[channel.uniqueid] = known
            known.call = self._call_of(channel)
        else:
            known.seen = channel
        return known

    def _call_of(self, channel: AmiChannel) -> str | None:
        for key in (channel.uniqueid, channel.linkedid):
            if key in self._calls:
                return key
        # The linked id of a call's channels changes when an older call is merged with it.
        first = self._channels.get(channel.linkedid)
        return None if first is None else first.call

    def _new(self, channel: AmiChannel) -> Iterator[Sighting]:
        fresh = not any(channel.uniqueid in known for known in (self._channels, self._calls, self._ended))
        if fresh and self._is_inbound(channel):
            self._calls[channel.uniqueid] = _Call()
            self._know(channel)
            yield Sighting(channel.uniqueid, CallSeen, arrival=channel, dialled=channel.exten)
        else:
            self._know(channel)

    def _state(self, channel: _Channel) -> Iterator[Sighting]:
        seen = channel.seen
        if seen.state == "Up":
            yield from self._told(channel, LegAnswered, leg=seen.uniqueid)
        elif seen.state == "Ringing":
            yield from self._told(channel, LegRinging, leg=seen.uniqueid)

    def _told(self, channel: _Channel, make: Make, **arguments: object) -> Iterator[Sighting]:
        """``make`` for the call of ``channel``; a leg is announced before anything is told of it."""
        call_id = channel.call
        if call_id is None or call_id not in self._calls:
            return
        if make in (LegRinging, LegAnswered, LegEnded):
            if channel.seen.uniqueid == call_id or _runs_dialplan(channel.seen):
                return
            if not channel.started:
                yield self._started(call_id, channel)
        yield Sighting(call_id, make, arguments)

    def _started(self, call_id: str, channel: _Channel) -> Sighting:
        channel.started = True
        seen = channel.seen
        if seen.technology in NOBODY:
            return Sighting(call_id, LegStarted, {"leg": seen.uniqueid, "phone": None})
        return Sighting(call_id, LegStarted, self._phone(channel))

    def _phone(self, channel: _Channel) -> dict[str, object]:
        """A leg to a phone: a desk phone by its endpoint, one outside the house by the number dialled, if it is known."""
        endpoint = channel.seen.endpoint
        outside = self._is_outside(endpoint)
        number = _NUMBER.search(channel.target) if outside else None
        return {"leg": channel.seen.uniqueid, "phone": number[0] if number else endpoint, "outside": outside}

    def _leg(self, caller: AmiChannel | None, peer: AmiChannel) -> Iterator[Sighting]:
        """A leg belongs to the call of whoever dials it, whatever its own linked id says (a picked-up call's differs)."""
        leg = self._know(peer)
        if caller is not None:
            dialling = self._know(caller)
            if dialling.call is not None and peer.uniqueid not in self._calls:
                leg.call = dialling.call
        if leg.call is not None and leg.call in self._calls and not leg.started and leg.call != peer.uniqueid:
            yield self._started(leg.call, leg)

    def _dial_ended(self, caller: AmiChannel | None, peer: AmiChannel, status: str) -> Iterator[Sighting]:
        yield from self._leg(caller, peer)
        leg = self._know(peer)
        if status == "ANSWER":
            yield from self._told(leg, LegAnswered, leg=peer.uniqueid)
            yield from self._who_hears_whom()
        else:
            yield from self._told(leg, LegEnded, leg=peer.uniqueid, end=_ENDS.get(status, LegEnd.NO_ANSWER))

    def _hung_up(self, channel: AmiChannel, cause: int) -> Iterator[Sighting]:
        yield from self._caller_gone(channel, by_caller=False)
        known = self._channels.get(channel.uniqueid)
        self._bury(channel.uniqueid)
        if known is not None:
            if known.started:
                end = CAUSES.get(cause, LegEnd.NO_ANSWER)
                yield from self._told(known, LegEnded, leg=channel.uniqueid, end=end)
            if channel.uniqueid not in self._calls:
                del self._channels[channel.uniqueid]
            else:
                known.bridge = None  # kept for what its mailbox still has to tell

    def _bury(self, uniqueid: str) -> None:
        self._ended[uniqueid] = None
        if len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _caller_gone(self, channel: AmiChannel, *, by_caller: bool) -> Iterator[Sighting]:
        call = self._calls.get(channel.uniqueid)
        if call is not None and not call.gone:
            call.gone = True
            yield Sighting(channel.uniqueid, CallerHungUp, {"by_caller": by_caller})

    # ------------------------------------------------------------------------------------------------------- applications
    def _queue(self, channel: _Channel, *, waits: bool) -> Iterator[Sighting]:
        channel.queued = waits
        yield from self._told(channel, Queued if waits else Unqueued)

    def _executed(self, channel: _Channel, application: str, data: str) -> Iterator[Sighting]:
        word = application.lower()
        if word in TRYING:
            asking = {"asking": True} if word == FOLLOWME else {}
            yield from self._told(channel, PhonesTried, **asking)
        elif word == ASKING:
            if channel.started:
                yield from self._told(channel, KeyAsked, leg=channel.seen.uniqueid)
        elif word in MAILBOX:
            yield from self._told(channel, MailboxEntered, mailbox=_mailbox(data))

    def _notice(self, channel: _Channel, header: Callable[[str, str], str]) -> Iterator[Sighting]:
        try:
            started = datetime.fromtimestamp(float(header("started", "")), UTC)
        except (ValueError, OverflowError, OSError):
            return
        key, whole = header("key", "").strip(), header("whole", "") == "yes"
        yield from self._told(channel, NoticePlayed, key=key[:1], whole=whole, started_at=started)

    # ---------------------------------------------------------------------------------------------------- who hears whom
    def _pair(self, one: str, two: str) -> Iterator[Sighting]:
        first, second = self._channels.get(one), self._channels.get(two)
        if first is not None and second is not None:
            first.partner, second.partner = two, one
            yield from self._who_hears_whom()

    def _who_hears_whom(self) -> Iterator[Sighting]:
        bridges = {
            uniqueid: channel.bridge for uniqueid, channel in self._channels.items() if channel.bridge is not None
        }
        partners = {
            uniqueid: channel.partner for uniqueid, channel in self._channels.items() if channel.partner is not None
        }
        rooms: dict[str, list[str]] = {}
        for uniqueid, bridge in bridges.items():
            rooms.setdefault(bridge, []).append(uniqueid)
        for call_id, call in self._calls.items():
            if call.gone:
                continue
            for uniqueid in heard_by(call_id, bridges, rooms, partners):
                if uniqueid not in call.joined and self._is_phone(uniqueid):
                    call.joined.add(uniqueid)
                    yield Sighting(call_id, Joined, self._phone(self._channels[uniqueid]))

    def _is_phone(self, uniqueid: str) -> bool:
        """Not half a Local channel, and no other caller."""
        return self._channels[uniqueid].seen.technology not in NOBODY and uniqueid not in self._calls

    # ----------------------------------------------------------------------------------------------------------- blindness
    def blind(self) -> list[Sighting]:
        """From now on nothing is seen."""
        return [Sighting(call_id, SightLost) for call_id in self.calls]

    def resync(
        self, rows: Iterable[ChannelRow], *, restarted: bool, adopt: Callable[[ChannelRow], bool]
    ) -> list[Sighting]:
        """Bring the board in line with all the channels that there are. adopt: whether an unknown one is an inbound call.

        restarted: Asterisk is another one than before, and nothing of then is left.
        """
        there = {row.channel.uniqueid: row for row in rows if row.channel.uniqueid not in self._ended}
        found: list[Sighting] = []
        if restarted:
            for call_id in self.calls:
                self._calls[call_id].gone = True
                found.append(Sighting(call_id, CallerVanished, {"restarted": True}))
            for uniqueid in self._channels:
                self._bury(uniqueid)
            self._channels.clear()
        for uniqueid in [known for known in self._channels if known not in there]:
            found += self._missing(uniqueid)
        halves: dict[str, str] = {}
        # Asterisk lists them in no order: first those that others hang on, for a leg may be as old as its caller.
        for row in sorted(there.values(), key=lambda row: (row.channel.uniqueid != row.channel.linkedid, -row.seconds)):
            found += self._present(row, adopt)
            if row.channel.is_local:
                halves[row.channel.name] = row.channel.uniqueid
        for name, uniqueid in halves.items():
            two = halves.get(f"{name[:-1]}2") if name.endswith(";1") else None
            if two is not None:
                self._channels[uniqueid].partner, self._channels[two].partner = two, uniqueid
        found += self._who_hears_whom()
        found += [Sighting(call_id, SightRegained) for call_id in self.calls]
        return found

    def _missing(self, uniqueid: str) -> Iterator[Sighting]:
        """A channel that ended unseen."""
        channel = self._channels[uniqueid]
        call = self._calls.get(uniqueid)
        self._bury(uniqueid)
        if call is not None:
            if not call.gone:
                call.gone = True
                yield Sighting(uniqueid, CallerVanished, {"restarted": False})
            channel.bridge = None
            return
        if channel.started:
            yield from self._told(channel, LegEnded, leg=uniqueid, end=LegEnd.NO_ANSWER)
        del self._channels[uniqueid]

    def _present(self, row: ChannelRow, adopt: Callable[[ChannelRow], bool]) -> Iterator[Sighting]:
        channel = row.channel
        if channel.uniqueid not in self._channels and channel.uniqueid == channel.linkedid and adopt(row):
            self._calls[channel.uniqueid] = _Call()
            since: dict[str, object] = {"for_seconds": float(row.seconds)}
            yield Sighting(channel.uniqueid, CallSeen, since, arrival=channel, dialled=row.dialled)
        known = self._know(channel)
        known.bridge = row.bridge or None
        yield from self._state(known)
        yield from self._executed(known, row.application, row.data)
        waits = row.application.lower() == QUEUE
        if waits != known.queued:
            yield from self._queue(known, waits=waits)


def _runs_dialplan(channel: AmiChannel) -> bool:
    """A channel that is no leg: the second half of a Local channel, or a phone that calls by itself."""
    return channel.state == "Ring" or (channel.is_local and channel.name.endswith(";2"))


def _mailbox(data: str) -> str:
    """``101@default`` of ``101@default&102@default,us``."""
    return data.partition(",")[0].partition("&")[0][:80]
