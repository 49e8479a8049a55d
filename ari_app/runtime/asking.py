"""Carrying out what a person asks: decided where it is recorded, so that of two who ask at once the second hears of the first."""

from __future__ import annotations

from ari_app.clock import Clock
from ari_app.recovery.commands import (
    Acknowledge,
    Close,
    Command,
    Declined,
    Drop,
    RecordOptOut,
    Resend,
    Standing,
    decide,
)
from ari_app.recovery.values import LeadId
from ari_app.runtime.recorded import Record, Recorded
from ari_app.runtime.recorder import Recorder
from ari_app.store import journal, outbox
from ari_app.store.db import Database


async def ask(recorder: Recorder, clock: Clock, command: Command, request_id: str) -> Recorded | Declined:
    """Decide and record a command. request_id: unique for each request. Raises StoreError: nothing was written."""
    policy, at = recorder.policy, clock.now()
    declined: list[Declined] = []

    def job(db: Database, record: Record) -> list[Recorded | None]:
        declined.clear()
        lead_id, standing = _about(db, command)
        lead = None if lead_id is None else journal.lead(db, lead_id)
        event = decide(lead, command, policy, at, request_id, standing)
        if isinstance(event, Declined):
            declined.append(event)
            return []
        return [record(event, lead_id)]

    recorded = await recorder.transact(job)
    return declined[0] if declined else recorded[0]


def refusal(recorded: Recorded) -> str | None:
    """Why what a person asked for was recorded and not done: a rule of contact stands against it."""
    refused = [one for one in recorded.step.decisions if one.outcome == "refused"]
    return f"{refused[0].why} ({refused[0].rule})" if refused else None


def _about(db: Database, command: Command) -> tuple[LeadId | None, Standing | None]:
    """The lead and the order that a command names."""
    match command:
        case Acknowledge(lead_id=lead_id) | Close(lead_id=lead_id):
            return lead_id, None
        case RecordOptOut():
            return None, None
        case Resend(effect_id=effect_id) | Drop(effect_id=effect_id):
            order = outbox.order(db, effect_id)
            if order is None:
                return None, None
            return order.lead_id, Standing(order.effect_id, order.status, order.effect)
