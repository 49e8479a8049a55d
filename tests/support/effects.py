"""A lead's record, and orders about it, for tests of those who carry them out."""

from __future__ import annotations

from datetime import datetime

from ari_app.recovery.effects import KINDS, LeadRecord, WorldEffect
from ari_app.recovery.values import EffectId, Intent, LeadId, Line, Progress, Verdict
from ari_app.store.outbox import Order
from tests.support.books import CALLER, NOON

RECORD = LeadRecord(
    lead_id=LeadId(7),
    number=CALLER,
    name=None,
    email=None,
    office="miami",
    dialled="+13055550107",
    source="Yard sign",
    listing="12 Ocean Drive",
    agent="ana",
    verdict=Verdict.NO_ANSWER,
    missed_at=NOON,
    misses=1,
    text=Progress.NONE,
    callback=Progress.NONE,
    callback_end=None,
    intent=Intent.UNSTATED,
    replies=(),
    lines=(),
    opted_out=False,
    acknowledged_by=None,
    reached_by=None,
)
TALK = (Line("agent", "Are you buying or selling?", 0.0), Line("caller", "Selling.", 6.5, 0.91))


def order(
    effect: WorldEffect,
    effect_id: str = "12.3",
    attempts: int = 1,
    expires_at: datetime | None = None,
) -> Order:
    """An order that has been begun."""
    return Order(
        effect_id=EffectId(effect_id),
        lead_id=LeadId(7),
        kind=KINDS[type(effect)],
        effect=effect,
        status="doing",
        created_at=NOON,
        not_before=NOON,
        expires_at=expires_at,
        attempts=attempts,
        ref=None,
        last_error=None,
    )
