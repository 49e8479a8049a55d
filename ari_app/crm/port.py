"""What every CRM adapter offers, and the lane that serves them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Protocol

from ari_app.clock import Clock
from ari_app.recovery.codec import Json, encode
from ari_app.recovery.effects import LeadRecord, PushLead
from ari_app.recovery.values import EffectId
from ari_app.runtime.outcome import Failed, Outcome, RetryAt
from ari_app.store.outbox import Order


class Crm(Protocol):
    """A place that keeps leads."""

    async def push(self, push_id: EffectId, record: LeadRecord, attempts: int) -> Outcome:
        """Take over the lead as it stands. A second time with the same ``push_id`` must change nothing."""
        ...

    async def close(self) -> None:
        """Let go of what it holds open."""
        ...


NEXT_START = timedelta(minutes=15)
"""How often a push is tried whose CRM is opened at the next start only: for four days, with the attempts of its lane."""


class CrmAdapter:
    """Carries pushes from the outbox to the CRM that each names."""

    def __init__(self, crms: Mapping[str, Crm], clock: Clock, known: Callable[[], Collection[str]]) -> None:
        """crms: those that are open. known: those of the policy in force, which a reload may have added to."""
        self._crms = crms
        self._clock = clock
        self._known = known

    async def act(self, order: Order) -> Outcome:
        effect = order.effect
        assert isinstance(effect, PushLead)
        crm = self._crms.get(effect.target)
        if crm is None and effect.target in self._known():
            why = f"the crm {effect.target!r} is new in the settings: it is opened when Ringback is restarted"
            return RetryAt(self._clock.now() + NEXT_START, why)
        if crm is None:
            return Failed(f"there is no crm {effect.target!r}: it was taken out of the settings")
        return await crm.push(order.effect_id, effect.record, order.attempts)


def payload(record: LeadRecord) -> dict[str, Json]:
    """A lead for machines: docs/crm.md lists the fields. Absent facts are null, never left out."""
    body = encode(record)
    assert isinstance(body, dict)
    del body["type"]
    lines = body["lines"]
    assert isinstance(lines, list)
    for line in lines:
        assert isinstance(line, dict)
        del line["type"]
    return body
