"""What a person of the brokerage asks, decided into an event or refused with a reason. Commands are not stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from ari_app.recovery.events import Event, LeadAcknowledged, LeadClosed, OptOutRecorded
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import E164, LeadId


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Take the lead. by: an agent's key."""

    lead_id: LeadId
    by: str


@dataclass(frozen=True, slots=True)
class Close:
    """End the lead's plan."""

    lead_id: LeadId
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class RecordOptOut:
    """Note that someone asked not to be contacted, by whatever means (REV-06)."""

    number: E164
    by: str
    note: str


Command = Acknowledge | Close | RecordOptOut


@dataclass(frozen=True, slots=True)
class Declined:
    """Why a command does nothing."""

    why: str


def decide(lead: Lead | None, command: Command, policy: Policy, at: datetime, request_id: str) -> Event | Declined:
    """The event that the command becomes. request_id: unique for each request of a person."""
    source_id = f"command:{request_id}"
    if command.by not in policy.agents:
        return Declined(f"there is no agent {command.by!r}; known: {', '.join(policy.agents) or 'none'}")
    if isinstance(command, RecordOptOut):
        return OptOutRecorded(at=at, source_id=source_id, number=command.number, by=command.by, note=command.note)
    if lead is None:
        return Declined(f"there is no lead {command.lead_id}")
    if lead.closed_by is not None:
        return Declined(f"lead {lead.lead_id} was closed by {lead.closed_by}")
    match command:
        case Acknowledge(by=by):
            if lead.acknowledged_by is not None:
                return Declined(f"lead {lead.lead_id} was taken by {lead.acknowledged_by}")
            return LeadAcknowledged(at=at, source_id=source_id, by=by)
        case Close(by=by, note=note):
            return LeadClosed(at=at, source_id=source_id, by=by, note=note)
        case _:
            assert_never(command)
