"""One event, one transaction: the event, the lead it changes, the timers and orders that follow, all or nothing.

adapter ── event ──► record ── BEGIN IMMEDIATE ── journal, step, snapshot, timers, outbox ── COMMIT ──► wake
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import structlog

from ari_app.clock import Clock, backoff
from ari_app.errors import StoreError, StoreUnavailableError
from ari_app.recovery import intake, machine
from ari_app.recovery.effects import (
    ArmTimer,
    BarTexts,
    CancelPending,
    Decision,
    DisarmTimer,
    Effect,
    EndOrder,
    PlaceCallback,
    SendText,
    SetConsent,
    TakeTurn,
    TextPurpose,
    WorldEffect,
)
from ari_app.recovery.events import (
    CallMissed,
    EffectSettled,
    Event,
    Facts,
    InboundCall,
    OptOutRecorded,
    TextReceived,
    TimerFired,
)
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import E164, EffectId, LeadId, NumberKind
from ari_app.runtime import belonging, settling
from ari_app.runtime.facts import look_up, standing
from ari_app.runtime.outcome import Outcome
from ari_app.runtime.recorded import Listener, Recorded, Transaction
from ari_app.store import journal, outbox, pace, people, timers
from ari_app.store.db import Database
from ari_app.store.outbox import Order
from ari_app.store.stores import Store

log = structlog.get_logger("recorder")


class PolicyInForce:
    """The policy that new events are decided by. Swapped as a whole, never changed."""

    def __init__(self, policy: Policy, settings: str) -> None:
        self._current = (policy, settings)

    @property
    def policy(self) -> Policy:
        return self._current[0]

    @property
    def current(self) -> tuple[Policy, str]:
        """The policy with its settings: one look, so that a swap meanwhile cannot mix two of them."""
        return self._current

    def swap(self, policy: Policy, settings: str) -> None:
        """From the next event on, this policy. settings: the JSON text that it can be rebuilt from."""
        self._current = (policy, settings)


class Recorder:
    """Records events and tells those who wait for what follows."""

    def __init__(self, store: Store, clock: Clock, in_force: PolicyInForce) -> None:
        self._store = store
        self._clock = clock
        self._in_force = in_force
        self._listeners: list[Listener] = []
        self._kept: frozenset[str] = frozenset()
        self.healthy = True

    @property
    def policy(self) -> Policy:
        return self._in_force.policy

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` after each commit, on the loop; it must not block."""
        self._listeners.append(listener)

    async def record(self, event: Event, lead_id: LeadId | None = None) -> Recorded | None:
        """Record ``event``; None when it is in the journal already. lead_id: for a person's command on a lead.

        Raises StoreUnavailableError: nothing was written, and whoever brought the event must not acknowledge it.
        """
        found = await self.transact(lambda db, record: [record(event, lead_id)])
        return found[0] if found else None

    async def insist(self, event: Event) -> Recorded | None:
        """Record ``event``, trying until the store takes it: for events that nobody would bring a second time.

        None as well for one that cannot be recorded at all, which is logged: the trouble of one lead, whose entry another
        release wrote, say, must not end the calls of the others.
        """
        waits = backoff(0.2, 5.0)
        while True:
            try:
                return await self.record(event)
            except StoreUnavailableError as error:
                log.error("event_waits_for_store", type=type(event).__name__, error=str(error))
                await self._clock.pause(next(waits))
            except StoreError:
                raise
            except Exception:
                log.exception("event_defect", type=type(event).__name__, source_id=event.source_id)
                return None

    async def settle(self, order: Order, outcome: Outcome) -> Recorded | None:
        """Write down an order's outcome, and the event of it unless it is tried again."""
        at = self._clock.now()
        found = await self.transact(lambda db, record: settling.settle(db, record, order, outcome, at))
        return found[0] if found else None

    async def transact(self, job: Transaction) -> list[Recorded]:
        """Run ``job(db, record)`` in one transaction; what it recorded is told to the listeners after the commit.

        Raises StoreUnavailableError: nothing of it was written.
        """
        versions: set[str] = set()

        def whole(db: Database) -> list[Recorded | None]:
            elsewhere: list[Recorded | None] = []

            def record(event: Event, lead_id: LeadId | None) -> Recorded | None:
                recorded = self._record(db, event, lead_id, versions)
                if recorded is not None:
                    others = [
                        *_refused_by_key(db, recorded),
                        *belonging.elsewhere(db, event, recorded.lead_id, self._clock.now()),
                    ]
                    elsewhere.extend(self._record(db, *other, versions) for other in others)
                return recorded

            return [*job(db, record), *elsewhere]

        try:
            done = await self._store.write(whole)
        except StoreError:
            self.healthy = False
            raise
        self.healthy = True
        self._kept |= versions
        recorded = [one for one in done if one is not None]
        for one in recorded:
            self._tell(one)
        return recorded

    def _tell(self, recorded: Recorded) -> None:
        for listener in self._listeners:
            try:
                listener(recorded)
            except Exception:
                # It is committed: whoever brought the event must not hear that it was not.
                log.exception("listener_defect", seq=recorded.seq, type=type(recorded.event).__name__)

    # ------------------------------------------------------------------------- inside the transaction, on the writer
    def _record(self, db: Database, event: Event, lead_id: LeadId | None, versions: set[str]) -> Recorded | None:
        """versions: gets the policy's, which the books are known to hold once this is committed."""
        if journal.is_known(db, event.source_id):
            return None
        if isinstance(event, TimerFired) and timers.fire(db, event.timer_id) is None:
            return None
        policy, settings = self._in_force.current
        if policy.version not in self._kept:
            journal.keep_policy(db, policy.version, settings, event.at)
            versions.add(policy.version)
        lead, lead_id, facts = self._lead_and_facts(db, event, lead_id, policy)
        seq = journal.append(db, event, facts, policy.version, lead_id)
        step = machine.step(lead, event, facts, policy, seq)
        decisions = step.decisions
        if lead is None:
            refusal = intake.why_no_lead(event, facts)
            decisions = (*decisions, *([] if refusal is None else [refusal]))
        decisions = (*decisions, *self._apply(db, seq, lead_id, event.at, step.effects))
        for to in _approached(step.effects):
            pace.add(db, event.at, pace.ALL, policy.limits.alike(to))
        step = replace(step, decisions=decisions)
        if step.lead is not None:
            journal.save(db, step.lead, event.at)
        journal.explain(db, seq, lead_id, decisions)
        return Recorded(seq, event, lead_id, step)

    def _lead_and_facts(
        self, db: Database, event: Event, lead_id: LeadId | None, policy: Policy
    ) -> tuple[Lead | None, LeadId | None, Facts]:
        """The lead that the event belongs to, opened if it opens one; and what is known of the person."""
        if lead_id is None:
            lead_id = belonging.lead_by_reference(db, event)
        lead = None if lead_id is None else journal.lead(db, lead_id)
        number, kind, office = belonging.person(event, policy)
        if lead is not None:
            number, office = lead.number, lead.office
            if not isinstance(event, InboundCall):
                kind = NumberKind.ORDINARY if number is None else standing(policy, number).kind
        elif number is not None and isinstance(event, InboundCall | TextReceived | OptOutRecorded):
            known = journal.newest_lead(db, number, office)
            if known is not None and intake.joins(known, event.at):
                lead = known.lead
                lead_id = lead.lead_id
        group = belonging.group_of(lead, event, policy)
        missed = (event.occurred_at or event.at, self._clock.now()) if isinstance(event, CallMissed) else None
        facts = look_up(db, policy, event.at, number=number, kind=kind, office=office, group=group, missed=missed)
        if lead is None and isinstance(event, CallMissed | TextReceived) and intake.opens(event, facts):
            assert office is not None
            lead_id = journal.add_lead(db, office, number, event.at)
            lead = intake.new_lead(lead_id, event, policy, facts)
        return lead, lead_id, facts

    def _apply(
        self, db: Database, seq: int, lead_id: LeadId | None, at: datetime, effects: tuple[Effect, ...]
    ) -> Iterator[Decision]:
        """Perform the record effects, put the others into the outbox. Yields what a unique key has refused."""
        worldly = 0
        for effect in effects:
            match effect:
                case ArmTimer(kind=kind, due_at=due_at):
                    assert lead_id is not None
                    timers.arm(db, lead_id, kind, due_at)
                case DisarmTimer(kind=kind):
                    assert lead_id is not None
                    timers.disarm(db, lead_id, kind)
                case SetConsent(number=number, channel=channel, state=state, source=source):
                    people.set_consent(db, number, channel, state, source, at, seq)
                case CancelPending(kinds=kinds, why=why):
                    if lead_id is not None:
                        for cancelled in outbox.cancel(db, lead_id, kinds, at, why):
                            people.close_text_window(db, cancelled)
                case TakeTurn(group=group, agent=agent):
                    people.take_turn(db, group, agent)
                case EndOrder(effect_id=effect_id, why=why, frees_window=frees_window):
                    if outbox.end(db, effect_id, at, why) and frees_window:
                        people.close_text_window(db, effect_id)
                case BarTexts(number=number, office=office, until=until):
                    people.bar_texts(db, number, office, until, f"event {seq}")
                case _:
                    yield from self._order(db, EffectId(f"{seq}.{worldly}"), lead_id, at, effect)
                    worldly += 1

    @staticmethod
    def _order(
        db: Database, effect_id: EffectId, lead_id: LeadId | None, at: datetime, effect: WorldEffect
    ) -> Iterator[Decision]:
        outbox.add(db, effect_id, lead_id, effect, at)
        if not isinstance(effect, SendText) or effect.purpose is not TextPurpose.TEXT_BACK:
            return
        assert effect.window_until is not None
        if not people.open_text_window(db, effect.to, effect.office, effect.window_until, effect_id, at):
            # The core decides by the same window, so this cannot happen; the key makes sure that it does not matter.
            why = "another text-back to this caller and office stands in the books"
            outbox.settle(db, effect_id, "refused", at, None, why)
            log.error("text_refused_by_key", outbox_id=effect_id)
            yield Decision(action="text", outcome="refused", rule="FRQ-01", why=why)


def _refused_by_key(db: Database, recorded: Recorded) -> Iterator[tuple[Event, LeadId | None]]:
    """How a text ended that was refused as it was ordered: its lead would wait for it for ever."""
    if not any(one.action == "text" and one.outcome == "refused" for one in recorded.step.decisions):
        return
    worldly = [effect for effect in recorded.step.effects if isinstance(effect, WorldEffect)]
    for n, effect in enumerate(worldly):
        order = outbox.order(db, EffectId(f"{recorded.seq}.{n}")) if isinstance(effect, SendText) else None
        if order is not None and order.status == "refused":
            yield (
                EffectSettled(
                    at=recorded.event.at,
                    source_id=f"effect:{order.effect_id}",
                    effect_id=order.effect_id,
                    kind=order.kind,
                    outcome=order.status,
                    ref=None,
                    why=order.last_error,
                    rule=None,  # the decision stands with the order
                ),
                recorded.lead_id,
            )


def _approached(effects: tuple[Effect, ...]) -> Iterator[E164]:
    """Whom we contact on the word of a caller id, or of a text's sender: both can be forged."""
    for effect in effects:
        if isinstance(effect, PlaceCallback | SendText):
            yield effect.to
