"""Judging afterwards, from the event log of our own dialplan or of a watched one: what ``catch_up`` and ``audit`` ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from ari_app.calls.arrival import arrival
from ari_app.calls.hindsight import OURS, ChannelEvent, account, is_inbound, verdict
from ari_app.calls.state import CallSetup
from ari_app.calls.watch_hindsight import retell
from ari_app.calls.watch_state import WatchRules
from ari_app.pbx.ami_messages import is_withheld
from ari_app.pbx.ledger import CelRow
from ari_app.recovery.events import CallAnswered, CallClosed, CallMissed
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import Verdict
from ari_app.settings.watching import WatchSection

CONTEXT = "from-trunk"
"""Where carriers' calls enter the managed dialplan."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An inbound call that is over.

    number: as it came. at: when the verdict was due. answered_by: a person there reached the caller, if only after the
    verdict. answered_at: when, if that is known. picked_up: a phone was lifted at least. ring_seconds, talk_seconds: how long.
    """

    setup: CallSetup
    number: str
    started_at: datetime
    ended_at: datetime
    at: datetime
    verdict: Verdict
    rings: int
    ring_seconds: float
    answered_by: str | None
    answered_at: datetime | None
    talk_seconds: float
    picked_up: bool


class Hindsight(Protocol):
    """How the calls of one PBX are judged from its event log."""

    def is_inbound(self, first: ChannelEvent) -> bool:
        """Whether the first event of a linkedid is of a call that came in from outside."""

    def judge(self, events: Sequence[ChannelEvent], policy: Policy) -> Judged | None:
        """The call that ``events``, all of one linkedid and in order, tell of; None when it did not come in from outside."""


class InlineHindsight:
    """Implements Hindsight for the managed dialplan."""

    def __init__(self, context: str = CONTEXT) -> None:
        self._context = context

    def is_inbound(self, first: ChannelEvent) -> bool:
        return is_inbound(first, self._context)

    def judge(self, events: Sequence[ChannelEvent], policy: Policy) -> Judged | None:
        told = account(events, self._context)
        if told is None:
            return None
        setup = arrival(policy, told.call_id, number=told.number, dialled=told.dialled, at=told.started_at)
        found, rings = verdict(
            told,
            setup.entry,
            is_open=setup.is_open,
            ring_seconds=policy.ring_seconds,
            dropped_seconds=policy.dropped_seconds,
        )
        return Judged(
            setup=setup,
            number=told.number,
            started_at=told.started_at,
            ended_at=told.ended_at,
            at=told.rang_until,
            verdict=found,
            rings=rings,
            ring_seconds=told.ring_seconds,
            answered_by=told.answered_by,
            answered_at=None if told.answered_by is None else told.rang_until,
            talk_seconds=told.talk_seconds,
            picked_up=told.picked_up,
        )


class WatchHindsight:
    """Implements Hindsight for somebody else's dialplan."""

    def __init__(self, section: WatchSection, rules: WatchRules) -> None:
        self._section = section
        self._rules = rules

    def is_inbound(self, first: ChannelEvent) -> bool:
        began_it = first.kind == "CHAN_START" and first.uniqueid == first.linkedid
        no_phone = first.channel.startswith("Local/") or first.linkedid.startswith(OURS)
        return began_it and not no_phone and self._section.is_inbound(first.context)

    def judge(self, events: Sequence[ChannelEvent], policy: Policy) -> Judged | None:
        first = events[0]
        if not self.is_inbound(first):
            return None
        setup = self._setup(events, policy)
        answered_by = answered_at = None
        told: CallMissed | CallClosed | None = None
        for fact in retell(events, setup, self._rules, lambda endpoint: not self._section.is_desk_phone(endpoint)):
            if isinstance(fact, CallAnswered):
                answered_by, answered_at = fact.by, fact.at
            elif isinstance(fact, CallMissed | CallClosed):
                told = fact
        assert told is not None  # the machine's promise: one verdict for one call
        closed = told if isinstance(told, CallClosed) else None
        return Judged(
            setup=setup,
            number=self._number(events),
            started_at=first.at,
            ended_at=events[-1].at,
            at=told.at,
            verdict=told.verdict,
            rings=told.rings,
            ring_seconds=told.ring_seconds,
            answered_by=answered_by or (None if closed is None else closed.answered_by),
            answered_at=answered_at,
            talk_seconds=0.0 if closed is None else closed.talk_seconds,
            picked_up=any(event.kind == "ANSWER" and event.uniqueid != first.uniqueid for event in events),
        )

    def _number(self, events: Sequence[ChannelEvent]) -> str:
        """The caller's; none when it is withheld, which a channel may only say after its birth."""
        first = events[0]
        hidden = any(event.withheld for event in events if event.uniqueid == first.uniqueid)
        return "" if hidden else first.number

    def _setup(self, events: Sequence[ChannelEvent], policy: Policy) -> CallSetup:
        """Some carriers write the number where only the dialplan finds it: then it is what the call went to next."""
        first = events[0]
        number = self._number(events)

        def setup(dialled: str) -> CallSetup:
            return arrival(policy, first.linkedid, number=number, dialled=dialled, at=first.at)

        found = setup(first.dialled)
        own = [event for event in events if event.uniqueid == first.uniqueid]
        went_to = dict.fromkeys((*(event.did for event in own if event.did), *(event.dialled for event in own)))
        known = next((other for other in map(setup, went_to) if other.entry is not None), found)
        return replace(found, entry=known.entry, dialled=known.dialled, is_open=known.is_open)


def channel_event(row: CelRow) -> ChannelEvent:
    """A row of the ledger as the pure part takes it."""
    return ChannelEvent(
        *(row.type, row.at, row.linkedid, row.uniqueid, row.channel, row.number, row.dialled),
        *(row.context, row.application, row.extra, row.peer),
        withheld=is_withheld(row.presentation),
        did=row.did,
    )
