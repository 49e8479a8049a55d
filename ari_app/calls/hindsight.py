"""What became of a call that nobody of us saw, told from Asterisk's channel events (CEL). Pure.

CEL has no ringing, so rings are counted from the first phone that was called: a second early at most, and never in the
caller's favour. What a phone's own voicemail answered looks like an answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ari_app.recovery.policy import NumberEntry
from ari_app.recovery.values import Verdict

TOLERANCE_SECONDS = 0.25
"""Calling a phone takes a moment, and Dial's own clock stops a hair early."""
OURS = "callback-"
"""How the channels of our own callbacks are named; they enter where carriers' calls do."""
_DIAL_STATUS = {
    "BUSY": Verdict.BUSY,
    "CHANUNAVAIL": Verdict.UNREACHABLE,
    "CONGESTION": Verdict.UNREACHABLE,
    "NOANSWER": Verdict.NO_ANSWER,
}


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """One event of one channel. kind: CHAN_START, ANSWER, BRIDGE_ENTER, HANGUP, LINKEDID_END and so on.

    extra: JSON. peer: the others in the bridge, by name. withheld: the caller withholds ``number``. did: the number dialled,
    where the dialplan had to find it out.
    """

    kind: str
    at: datetime
    linkedid: str
    uniqueid: str
    channel: str
    number: str
    dialled: str
    context: str
    application: str = ""
    extra: str = ""
    peer: str = ""
    withheld: bool = False
    did: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """An inbound call that is over, as its channel events tell it.

    number, dialled: as the dialplan has them. called_at: the first phone was called; None: no phone was. rang_until: ringing
    ended. answered_by: the phone at which caller and phone were joined. talk_seconds: how long. picked_up: a phone was lifted,
    joined or not. busy: every phone that was called was busy. unreachable: neither the dialplan's Dial nor we found a phone
    that could be called. dial_status: of that Dial, when it rang the phones instead of us. prompted: we took the caller off
    ringing, which we do only after a miss.
    """

    call_id: str
    number: str
    dialled: str
    started_at: datetime
    ended_at: datetime
    called_at: datetime | None
    rang_until: datetime
    answered_by: str | None
    talk_seconds: float
    picked_up: bool
    busy: bool
    unreachable: bool
    dial_status: str
    prompted: bool

    @property
    def ring_seconds(self) -> float:
        """How long phones rang at most."""
        return 0.0 if self.called_at is None else max(0.0, (self.rang_until - self.called_at).total_seconds())


def account(events: Sequence[ChannelEvent], context: str) -> Account | None:
    """The call that ``events``, all of one linkedid and in order, tell of; None when it did not come in by ``context``."""
    first = events[0]
    if not is_inbound(first, context):
        return None
    caller = [event for event in events if event.uniqueid == first.uniqueid]
    legs = [event for event in events if event.uniqueid != first.uniqueid]
    joined = next((event for event in legs if event.kind == "BRIDGE_ENTER"), None)
    ended_at = events[-1].at
    prompted = any(event.kind == "ANSWER" and event.application == "Stasis" for event in caller)
    if joined is not None and not any(event.kind == "BRIDGE_ENTER" for event in caller):
        joined = None
    parted = ended_at
    if joined is not None:
        exits = [event for event in legs if event.uniqueid == joined.uniqueid and event.kind == "BRIDGE_EXIT"]
        parted = exits[-1].at if exits else ended_at
    called = [event for event in legs if event.kind == "CHAN_START"]
    hangups = [event for event in legs if event.kind == "HANGUP"]
    # A phone may ring on for nobody when the caller has gone and we were not there to stop it.
    ends = [at for at in (_hung_up(caller), hangups[-1].at if hangups else None) if at is not None]
    rang_until = joined.at if joined is not None else min(ends, default=ended_at)
    return Account(
        call_id=first.linkedid,
        # The dialplan removes a number that its owner withholds; only the events after that tell what is left.
        number=caller[-1].number,
        # Some carriers name it in To only; then it is what the dialplan went to with the call.
        dialled=next((event.dialled for event in caller if event.context != context), first.dialled),
        started_at=first.at,
        ended_at=ended_at,
        called_at=called[0].at if called else None,
        rang_until=rang_until,
        answered_by=None if joined is None else phone_of(joined.channel),
        talk_seconds=0.0 if joined is None else (parted - joined.at).total_seconds(),
        picked_up=any(event.kind == "ANSWER" for event in legs),
        busy=bool(hangups) and all(extra(event, "hangupcause") == 17 for event in hangups),
        unreachable=not called and (prompted or any(event.application == "Dial" for event in caller)),
        prompted=prompted,
        dial_status=next((str(extra(e, "dialstatus") or "") for e in reversed(caller) if e.kind == "HANGUP"), ""),
    )


def is_inbound(first: ChannelEvent, context: str) -> bool:
    """Whether the first event of a linkedid is of a call that came in by ``context``."""
    began_it = first.kind == "CHAN_START" and first.uniqueid == first.linkedid
    return began_it and first.context == context and not first.linkedid.startswith(OURS)


def verdict(
    told: Account, entry: NumberEntry | None, *, is_open: bool, ring_seconds: float, dropped_seconds: float
) -> tuple[Verdict, int]:
    """The verdict on a call, and the rings that were over. entry: of the number dialled. ring_seconds: of one ring."""
    rings = int((told.ring_seconds + TOLERANCE_SECONDS) / ring_seconds)
    if told.answered_by is not None:
        return (Verdict.DROPPED if told.talk_seconds < dropped_seconds else Verdict.ANSWERED), rings
    if entry is None:
        return Verdict.UNROUTED, rings
    if not is_open and not entry.ring_after_hours:
        return Verdict.AFTER_HOURS, rings
    if told.dial_status in _DIAL_STATUS:
        return _DIAL_STATUS[told.dial_status], rings
    if told.busy:
        return Verdict.BUSY, rings
    if told.unreachable:
        return Verdict.UNREACHABLE, rings
    return (Verdict.NO_ANSWER if told.prompted or rings >= entry.rings else Verdict.ABANDONED), rings


def phone_of(channel: str) -> str:
    """``PJSIP/101-00000003`` -> ``101``."""
    return channel.partition("/")[2].rpartition("-")[0] or channel


def _hung_up(events: Sequence[ChannelEvent]) -> datetime | None:
    return next((event.at for event in events if event.kind == "HANGUP"), None)


def extra(event: ChannelEvent, name: str) -> object:
    """A field of what the event says besides; None when it does not."""
    try:
        found = json.loads(event.extra or "{}")
    except ValueError:
        return None
    return found.get(name) if isinstance(found, dict) else None
