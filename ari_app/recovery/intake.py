"""Which lead does an event belong to: one that is known, a new one, or none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ari_app.recovery import gate
from ari_app.recovery.effects import Decision
from ari_app.recovery.events import CallMissed, Event, Facts, TextReceived
from ari_app.recovery.keywords import cancels_something, word_of
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import Keyword, LeadId, NumberKind, e164

LEAD_LASTS = timedelta(days=30)
"""A person who comes back this long after the last event is the same lead; later, a new one."""


@dataclass(frozen=True, slots=True)
class Known:
    """The newest lead of a person at an office. touched_at: its last event."""

    lead: Lead
    touched_at: datetime


def joins(known: Known | None, at: datetime) -> bool:
    """Whether a new contact of the person belongs to the lead that is known."""
    return known is not None and known.lead.closed_by is None and at - known.touched_at <= LEAD_LASTS


def opens(event: Event, facts: Facts) -> bool:
    """Whether an event that joins no lead opens one."""
    match event:
        case CallMissed():
            return gate.no_lead(facts.kind, blocked=facts.blocked) is None
        case TextReceived():
            ordinary = facts.kind in (NumberKind.ORDINARY, NumberKind.FOREIGN) and not facts.blocked
            spoken = word_of(event.body, facts.text) is Keyword.NONE or cancels_something(event.body)
            return ordinary and event.office is not None and spoken
        case _:
            return False


def new_lead(lead_id: LeadId, event: CallMissed | TextReceived, policy: Policy, facts: Facts) -> Lead:
    """The lead that ``event`` opens. Only for an event that ``opens``."""
    assert event.office is not None
    if isinstance(event, CallMissed):
        entry = policy.entry_for(event.dialled)
        return Lead(
            lead_id=lead_id,
            number=event.caller,
            office=event.office,
            dialled=event.dialled,
            entry=event.entry,
            source=event.source,
            listing=event.listing,
            group=None if entry is None else entry.group,
            name=facts.name or event.caller_name,
            email=facts.email,
            opened_at=event.at,
        )
    entry = policy.entry_for(event.recipient)
    return Lead(
        lead_id=lead_id,
        number=e164(event.sender),
        office=event.office,
        dialled=event.recipient,
        entry=None if entry is None else entry.key,
        source=None if entry is None else entry.source,
        listing=None if entry is None else entry.listing,
        group=policy.group_of_text(event.recipient, event.office),
        name=facts.name,
        email=facts.email,
        opened_at=event.at,
    )


def why_no_lead(event: Event, facts: Facts) -> Decision | None:
    """The receipt for a missed caller who is recorded and not followed up."""
    if not isinstance(event, CallMissed):
        return None
    refusal = gate.no_lead(facts.kind, blocked=facts.blocked)
    if refusal is None:
        return None
    return Decision(action="plan", outcome="refused", rule=refusal.rule, why=refusal.why)
