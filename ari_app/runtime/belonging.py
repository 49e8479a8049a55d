"""Whose an event is: the lead that it belongs to, the person, the group whose turn is asked; and the caller's other leads that it
concerns as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from ari_app import numbering
from ari_app.recovery.events import (
    CallAnswered,
    CallbackAnswered,
    CallbackEnded,
    CallbackHandedOver,
    CallbackOptedOut,
    CallClosed,
    CallMissed,
    EffectSettled,
    Event,
    InboundCall,
    OptOutRecorded,
    OrderDropped,
    OrderResent,
    ReceiptReceived,
    TextReceived,
    TimerFired,
)
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import E164, LeadId, NumberKind, Progress, Verdict
from ari_app.runtime.facts import kind_of
from ari_app.store import journal, outbox, timers
from ari_app.store.db import Database


def elsewhere(db: Database, event: Event, lead_id: LeadId | None, now: datetime) -> Iterator[tuple[Event, LeadId]]:
    """The same event for the caller's other leads: whoever has reached one office is not texted by another, nor by a person who
    sends again what failed; and the plans that a phone ended which was lifted for a moment only are persons' tasks."""
    if not isinstance(event, CallAnswered | CallClosed | CallbackHandedOver):
        return
    if isinstance(event, CallClosed) and event.verdict is not Verdict.DROPPED:
        return
    caller = _called_back(db, lead_id) if isinstance(event, CallbackHandedOver) else event.caller
    if caller is None:
        return
    for lead in journal.leads_of(db, caller):
        if lead.lead_id != lead_id and _concerns(event, lead, now):
            source_id = f"{event.source_id}:lead:{lead.lead_id}"
            yield replace(event, source_id=source_id, elsewhere=True), lead.lead_id


def _called_back(db: Database, lead_id: LeadId | None) -> E164 | None:
    lead = None if lead_id is None else journal.lead(db, lead_id)
    return None if lead is None else lead.number


def _concerns(event: CallAnswered | CallClosed | CallbackHandedOver, lead: Lead, now: datetime) -> bool:
    if isinstance(event, CallClosed):
        return lead.lifted_call == event.call_id
    # A miss that is still to come was before the clock was put back.
    if (
        isinstance(event, CallAnswered)
        and lead.missed_at is not None
        and (event.occurred_at or event.at) < lead.missed_at <= now
    ):
        return False  # a talk of before the miss, of which we learn now
    may_be_resent = not {Progress.FAILED, Progress.IN_DOUBT}.isdisjoint({lead.text, lead.callback})
    return lead.in_hand or (may_be_resent and lead.reached_by is None)


def lead_by_reference(db: Database, event: Event) -> LeadId | None:
    """The lead of events that name an order, a timer or a call that we know."""
    match event:
        case EffectSettled(effect_id=effect_id) | ReceiptReceived(effect_id=effect_id):
            found = outbox.order(db, effect_id)
            return None if found is None else found.lead_id
        case OrderResent(effect_id=effect_id) | OrderDropped(effect_id=effect_id):
            found = outbox.order(db, effect_id)
            return None if found is None else found.lead_id
        case (
            CallbackAnswered(effect_id=effect_id)
            | CallbackOptedOut(effect_id=effect_id)
            | CallbackHandedOver(effect_id=effect_id)
            | CallbackEnded(effect_id=effect_id)
        ):
            found = outbox.order(db, effect_id)
            return None if found is None else found.lead_id
        case TimerFired(timer_id=timer_id):
            return timers.lead_of(db, timer_id)
        case CallMissed() | CallClosed():
            return None
        case InboundCall(call_id=call_id):
            return journal.lead_of(db, f"call:{call_id}")
        case _:
            return None


def person(event: Event, policy: Policy) -> tuple[E164 | None, NumberKind, str | None]:
    """Number, kind and office that the event itself names."""
    match event:
        case InboundCall(caller=caller, kind=kind, office=office):
            return caller, kind, office
        case TextReceived(sender=sender, office=office):
            party = numbering.classify(sender, policy.region)
            return party.number, kind_of(party, policy), office
        case OptOutRecorded(number=number):
            return number, NumberKind.ORDINARY, None
        case _:
            return None, NumberKind.ORDINARY, None


def group_of(lead: Lead | None, event: Event, policy: Policy) -> str | None:
    """Whose turn is asked: the lead's group, or that of the number that was dialled or written to."""
    if lead is not None and lead.group is not None:
        return lead.group
    if isinstance(event, TextReceived):
        return policy.group_of_text(event.recipient, event.office)
    entry = policy.entry_for(event.dialled) if isinstance(event, InboundCall) else None
    return None if entry is None else entry.group
