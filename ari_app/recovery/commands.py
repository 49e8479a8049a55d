"""What a person of the brokerage asks, decided into an event or refused with a reason. Commands are not stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from ari_app.recovery.effects import KINDS, PlaceCallback, SendEmail, SendText, TextPurpose, WorldEffect
from ari_app.recovery.events import Event, LeadAcknowledged, LeadClosed, OptOutRecorded, OrderDropped, OrderResent
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import E164, EffectId, LeadId


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


@dataclass(frozen=True, slots=True)
class Resend:
    """Carry an order out once more, at the person's own risk. by: whoever decides, an agent or not."""

    effect_id: EffectId
    by: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Do nothing more about an order."""

    effect_id: EffectId
    by: str
    note: str


LeadCommand = Acknowledge | Close
OrderCommand = Resend | Drop
Command = LeadCommand | RecordOptOut | OrderCommand


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as it stands in the outbox. status: ``todo``, ``doing``, or how it ended."""

    effect_id: EffectId
    status: str
    effect: WorldEffect


@dataclass(frozen=True, slots=True)
class Declined:
    """Why a command does nothing."""

    why: str


def decide(
    lead: Lead | None,
    command: Command,
    policy: Policy,
    at: datetime,
    request_id: str,
    order: Standing | None = None,
) -> Event | Declined:
    """The event that the command becomes. request_id: unique for each request. order: the one that the command names."""
    source_id = f"command:{request_id}"
    if isinstance(command, Resend | Drop):
        return _about_order(lead, command, order, at, source_id)
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


def _about_order(
    lead: Lead | None, command: OrderCommand, order: Standing | None, at: datetime, source_id: str
) -> Event | Declined:
    if order is None:
        return Declined(f"there is no order {command.effect_id}")
    effect, status = order.effect, order.status
    if isinstance(command, Drop):
        if status not in ("todo", "failed", "in_doubt"):
            return Declined(f"order {order.effect_id} is {status}: there is nothing to drop")
        return OrderDropped(
            at=at,
            source_id=source_id,
            effect_id=order.effect_id,
            kind=KINDS[type(effect)],
            status=status,
            by=command.by,
            note=command.note,
        )
    if status not in ("failed", "in_doubt"):
        return Declined(f"order {order.effect_id} is {status}: only what failed or is in doubt can be sent again")
    if isinstance(effect, PlaceCallback):
        return Declined("the moment for a callback is over: call them yourself, and drop the order")
    if isinstance(effect, SendText) and effect.purpose is not TextPurpose.TEXT_BACK:
        return Declined("an answer to the person's own text is worth nothing this late: drop the order")
    if isinstance(effect, SendText | SendEmail) and lead is not None:
        if lead.closed_by is not None:
            # What happens next with the caller belongs to another lead, and could not stop this.
            return Declined(f"lead {lead.lead_id} was closed by {lead.closed_by}: drop this one")
        if lead.reached_by is not None:
            return Declined(f"the caller has reached a person since ({lead.reached_by}): drop this one")
    if isinstance(effect, SendText) and (lead is None or lead.text_effect != order.effect_id):
        return Declined("another text has been ordered for this caller since: drop this one")
    return OrderResent(at=at, source_id=source_id, effect_id=order.effect_id, effect=effect, by=command.by)
