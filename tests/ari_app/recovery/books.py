"""The books of one caller, kept in memory: what the recorder looks up and writes down around the pure machine.

It looks things up as ``ari_app.runtime`` does and performs every effect on plain dictionaries, so that thousands of
stories can be told in a second. ``check`` holds what must be true after every event.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ari_app.recovery import codec, commands, intake, machine
from ari_app.recovery.effects import (
    KINDS,
    AlertAgent,
    ArmTimer,
    BarTexts,
    CancelPending,
    DisarmTimer,
    Effect,
    EndOrder,
    PlaceCallback,
    PushLead,
    SendEmail,
    SendText,
    SetConsent,
    TakeTurn,
    TextPurpose,
    WorldEffect,
)
from ari_app.recovery.events import (
    BooksRestored,
    CallAnswered,
    CallbackAnswered,
    CallbackEnded,
    CallbackHandedOver,
    CallbackOptedOut,
    CallClosed,
    CallerLeft,
    CallMissed,
    EffectSettled,
    Event,
    Facts,
    InboundCall,
    KeyPressed,
    OptOutRecorded,
    OrderDropped,
    OrderResent,
    PromptPlayed,
    ReceiptReceived,
    TextReceived,
    TimerFired,
    VoicemailLeft,
)
from ari_app.recovery.hours import contact_closes, contact_opens
from ari_app.recovery.intake import Known
from ari_app.recovery.lead import Lead
from ari_app.recovery.machine import Step
from ari_app.recovery.policy import Policy
from ari_app.recovery.rotation import next_in_turn
from ari_app.recovery.values import (
    E164,
    AlertReason,
    CallbackEnd,
    Channel,
    Consent,
    ConsentState,
    EffectId,
    Intent,
    LeadId,
    Line,
    NumberKind,
    Stage,
    Verdict,
    e164,
)
from tests.support import office

CALLER = e164("+13055550123")
MAIN, LISTED, KEYS = "+13055550100", "+13055550107", "+13055550109"
ZONE = ZoneInfo("America/New_York")
DAY = timedelta(hours=24)
START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
"""A Tuesday, 10:00 in Miami."""


@cache
def policy(*changes: tuple[str, str]) -> Policy:
    """The tests' brokerage; ``changes`` are (old, new) pieces of its YAML."""
    with tempfile.TemporaryDirectory() as folder:
        return office.policy(Path(folder), *changes)


@dataclass(slots=True)
class Order:
    """One effect for the world, in the outbox. status: ``todo`` until it is settled or cancelled."""

    effect: WorldEffect
    lead_id: LeadId | None
    at: datetime
    status: str = "todo"


@dataclass(slots=True)
class Told:
    """One event with everything that it led to."""

    seq: int
    event: Event
    facts: Facts
    lead_id: LeadId | None
    step: Step
    policy: Policy


@dataclass(slots=True)
class Books:
    """The state of the world as far as one caller's story needs it."""

    policy: Policy = field(default_factory=policy)
    at: datetime = START
    kind: NumberKind = NumberKind.ORDINARY
    name: str | None = None
    books_lost_until: datetime | None = None
    noes_lost: bool = False
    email: str | None = None
    gateway: str | None = "sms"
    number: E164 = CALLER

    told: list[Told] = field(default_factory=list)
    leads: dict[LeadId, Lead] = field(default_factory=dict)
    touched: dict[LeadId, datetime] = field(default_factory=dict)
    calls: dict[str, LeadId | None] = field(default_factory=dict)
    orders: dict[EffectId, Order] = field(default_factory=dict)
    timers: dict[tuple[LeadId, str], datetime] = field(default_factory=dict)
    consent: dict[Channel, Consent] = field(default_factory=dict)
    windows: dict[str, tuple[datetime, EffectId]] = field(default_factory=dict)
    turns: dict[str, str] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    count: int = 0
    only: LeadId | None = None
    """The lead that every event goes to, whatever it names."""

    # ----------------------------------------------------------------------------------------------------- what happens
    def call(self, kind: type[InboundCall], *, dialled: str = MAIN, call_id: str | None = None, **more: Any) -> Step:
        """Record an event of an inbound call; of the last call, unless ``call_id`` says otherwise."""
        entry = self.policy.entry_for(dialled)
        assert entry is not None
        if kind in (CallMissed, CallClosed) and call_id is None:
            call_id = f"c{len(self.calls) + 1}"
        defaults: dict[type[InboundCall], dict[str, Any]] = {
            CallMissed: {
                "verdict": Verdict.NO_ANSWER,
                "rings": 3,
                "ring_seconds": 18.0,
                "on_line": False,
                "plan": entry.plan,
                "source": entry.source,
                "listing": entry.listing,
                "caller_name": None,
            },
            CallClosed: {
                "verdict": Verdict.ANSWERED,
                "rings": 1,
                "ring_seconds": 6.0,
                "talk_seconds": 60.0,
                "answered_by": "101",
            },
            CallAnswered: {"by": "101"},
            PromptPlayed: {
                "prompt": "missed_call_notice",
                "text_sha256": "0" * 64,
                "audio_sha256": "1" * 64,
                "started_at": self.at,
                "ended_at": self.at,
                "whole": True,
            },
            KeyPressed: {"key": "1"},
            VoicemailLeft: {"recording": "a.wav", "seconds": 12.0},
            CallerLeft: {},
        }
        withheld = self.kind in (NumberKind.WITHHELD, NumberKind.MALFORMED)
        common: dict[str, Any] = {
            "at": self.at,
            "source_id": self._source(),
            "call_id": call_id or f"c{len(self.calls)}",
            "caller": None if withheld else self.number,
            "kind": self.kind,
            "dialled": dialled,
            "office": entry.office,
            "entry": entry.key,
        }
        event: Any = kind(**{**common, **defaults[kind], **more})
        return self.record(event)

    def text(self, body: str, to: str = MAIN) -> Step:
        entry = self.policy.entry_for(to)
        return self.record(
            TextReceived(
                at=self.at,
                source_id=self._source(),
                sender=self.number,
                recipient=to,
                body=body,
                office=None if entry is None else entry.office,
            )
        )

    def settle(
        self, effect_id: EffectId, outcome: str = "done", rule: str | None = None, why: str | None = None
    ) -> Step:
        """The world's answer to an order; what is cancelled or settled already has no other."""
        order = self.orders.get(effect_id)
        if order is not None:
            order.status = outcome
            if isinstance(order.effect, SendText) and outcome in ("failed", "refused"):
                self._close_window(effect_id)
        return self.record(
            EffectSettled(
                at=self.at,
                source_id=self._source(),
                effect_id=effect_id,
                kind="text" if order is None else KINDS[type(order.effect)],
                outcome=outcome,
                ref=None,
                why=why,
                rule=rule,
                alert=_failed_alert(order, outcome),
            )
        )

    def receipt(self, effect_id: EffectId, *, delivered: bool) -> Step:
        self._begun(effect_id)
        state = "DELIVRD" if delivered else "UNDELIV"
        return self.record(
            ReceiptReceived(
                at=self.at,
                source_id=self._source(),
                effect_id=effect_id,
                delivered=delivered,
                state=state,
                error=None,
            )
        )

    def callback_answered(self, effect_id: EffectId) -> Step:
        self._begun(effect_id)
        return self.record(CallbackAnswered(at=self.at, source_id=self._source(), effect_id=effect_id))

    def callback_opted_out(self, effect_id: EffectId, how: str = "9") -> Step:
        self._begun(effect_id)
        return self.record(CallbackOptedOut(at=self.at, source_id=self._source(), effect_id=effect_id, how=how))

    def callback_handed_over(self, effect_id: EffectId, by: str = "101") -> Step:
        self._begun(effect_id)
        return self.record(CallbackHandedOver(at=self.at, source_id=self._source(), effect_id=effect_id, by=by))

    def callback_ended(
        self,
        effect_id: EffectId,
        end: CallbackEnd = CallbackEnd.COMPLETED,
        *,
        lines: tuple[Line, ...] = (Line("caller", "buying", 3.0),),
        keys: str = "",
        by: str | None = None,
    ) -> Step:
        self._begun(effect_id)
        return self.record(
            CallbackEnded(
                at=self.at,
                source_id=self._source(),
                effect_id=effect_id,
                end=end,
                intent=Intent.BUYING,
                lines=lines,
                keys=keys,
                seconds=20.0,
                by=by,
                why=None,
            )
        )

    def resend(self, effect_id: EffectId, by: str = "ana") -> Step:
        """A person sends an order again, whatever has become of it."""
        order = self.orders.get(effect_id)
        effect = AlertAgent(reason=AlertReason.MISSED, agents=(by,), record=self.lead().record())
        return self.record(
            OrderResent(
                at=self.at,
                source_id=self._source(),
                effect_id=effect_id,
                effect=effect if order is None else order.effect,
                by=by,
            )
        )

    def drop(self, effect_id: EffectId, by: str = "ana") -> Step:
        """A person drops an order as it stands."""
        order = self.orders.get(effect_id)
        return self.record(
            OrderDropped(
                at=self.at,
                source_id=self._source(),
                effect_id=effect_id,
                kind="text" if order is None else KINDS[type(order.effect)],
                status="done" if order is None else order.status,
                by=by,
                note="",
            )
        )

    def restored(self, lead_id: LeadId | None = None) -> Step:
        """The books are those of an hour ago."""
        return self.record(
            BooksRestored(at=self.at, source_id=self._source(), taken_at=self.at - timedelta(hours=1)),
            lead_id or self.only,
        )

    def doubt_unbegun(self) -> None:
        """What had not begun when the backup was taken may have been carried out since."""
        for order in self.orders.values():
            if order.status == "todo" and isinstance(order.effect, SendText | PlaceCallback):
                order.status = "doing"

    def fire(self, lead_id: LeadId, kind: str) -> Step:
        """The pending timer of this kind is due; the clock is put forward to it."""
        self.at = max(self.at, self.timers.pop((lead_id, kind)))
        fired = TimerFired(at=self.at, source_id=self._source(), timer_id=len(self.told), kind=kind)
        return self.record(fired, lead_id)

    def ask(self, command: commands.Command) -> Step | commands.Declined:
        """A person's command, decided and recorded."""
        standing: commands.Standing | None = None
        lead: Lead | None = None
        match command:
            case commands.RecordOptOut():
                pass
            case commands.Resend(effect_id=effect_id) | commands.Drop(effect_id=effect_id):
                order = self.orders.get(effect_id)
                lead = None if order is None or order.lead_id is None else self.leads[order.lead_id]
                standing = None if order is None else commands.Standing(effect_id, order.status, order.effect)
            case commands.Acknowledge(lead_id=lead_id) | commands.Close(lead_id=lead_id):
                lead = self.leads.get(lead_id)
        decided = commands.decide(lead, command, self.policy, self.at, f"r{self.count}", standing)
        if isinstance(decided, commands.Declined):
            return decided
        self._source()
        return self.record(decided, None if lead is None else lead.lead_id)

    def _begun(self, effect_id: EffectId) -> None:
        """The world speaks of an order, so it has been carried out, or is being."""
        order = self.orders.get(effect_id)
        if order is not None and order.status == "todo":
            order.status = "doing"

    def _expire(self) -> None:
        """Orders whose time is over are not begun any more."""
        for order in self.orders.values():
            expires_at = getattr(order.effect, "expires_at", None)
            if order.status == "todo" and expires_at is not None and self.at >= expires_at:
                order.status = "expired"

    def _source(self) -> str:
        self.count += 1
        return f"s{self.count}"

    # -------------------------------------------------------------------------------------------------------- recording
    def record(self, event: Event, lead_id: LeadId | None = None) -> Step:
        """Step the lead that ``event`` belongs to, and write everything down."""
        self._expire()
        lead_id = lead_id or self.only
        lead = self.leads.get(lead_id) if lead_id is not None else self._lead_of(event)
        office_key = lead.office if lead is not None else getattr(event, "office", None)
        group = lead.group if lead is not None and lead.group is not None else self._group(event)
        facts = self.facts(office_key, group)
        if lead is None and isinstance(event, CallMissed | TextReceived) and intake.opens(event, facts):
            lead = intake.new_lead(LeadId(len(self.leads) + 1), event, self.policy, facts)
        seq = len(self.told) + 1
        if isinstance(event, CallMissed | CallClosed):
            self.calls[event.call_id] = None if lead is None else lead.lead_id
        step = machine.step(lead, event, facts, self.policy, seq)
        lead_id = None if lead is None else lead.lead_id
        self._perform(step.effects, seq, lead_id)
        if step.lead is not None and lead_id is not None:
            self.leads[lead_id] = step.lead
            self.touched[lead_id] = self.at
        self.told.append(Told(seq, event, facts, lead_id, step, self.policy))
        return step

    def facts(self, office_key: str | None, group: str | None) -> Facts:
        team = self.policy.groups[group].agents if group is not None and group in self.policy.groups else ()
        quiet = self.policy.quiet
        opens = contact_opens(self.at, (ZONE,), quiet.first_minute, quiet.end_minute)
        assert opens is not None, "one zone has a time for contact"
        closes = contact_closes(opens, (ZONE,), quiet.first_minute, quiet.end_minute)
        window = self.windows.get(office_key or "")
        recent = [order for order in self.orders.values() if order.at >= self.at - DAY and order.status != "cancelled"]
        texts = [order.effect for order in recent if isinstance(order.effect, SendText)]
        return Facts(
            kind=self.kind,
            text=self.consent.get(Channel.TEXT, Consent()),
            call=self.consent.get(Channel.CALL, Consent()),
            text_window_until=None if window is None else window[0],
            text_window_holder=None if window is None else window[1],
            callbacks=sum(isinstance(order.effect, PlaceCallback) for order in recent),
            replies=sum(text.purpose is not TextPurpose.TEXT_BACK for text in texts),
            contact_opens=None if opens == self.at else opens,
            contact_closes=closes,
            agent=None if group is None else next_in_turn(team, self.turns.get(group)),
            name=self.name,
            email=self.email,
            gateway=self.gateway,
            may_call_back=True,
            books_lost_until=self.books_lost_until,
            noes_lost=self.noes_lost and self.books_lost_until is not None,
        )

    def _lead_of(self, event: Event) -> Lead | None:
        match event:
            case EffectSettled(effect_id=effect_id) | ReceiptReceived(effect_id=effect_id):
                return self._lead_of_order(effect_id)
            case (
                CallbackAnswered(effect_id=effect_id)
                | CallbackOptedOut(effect_id=effect_id)
                | CallbackHandedOver(effect_id=effect_id)
                | CallbackEnded(effect_id=effect_id)
            ):
                return self._lead_of_order(effect_id)
            case OrderResent(effect_id=effect_id) | OrderDropped(effect_id=effect_id):
                return self._lead_of_order(effect_id)
            case InboundCall(call_id=call_id) if not isinstance(event, CallMissed | CallClosed):
                known = self.calls.get(call_id)
                return self.leads[known] if known is not None else self.newest(event.office)
            case InboundCall() | TextReceived():
                return self.newest(event.office)
            case OptOutRecorded():
                return self.newest(None)
            case _:
                return None

    def _lead_of_order(self, effect_id: EffectId) -> Lead | None:
        order = self.orders.get(effect_id)
        return None if order is None or order.lead_id is None else self.leads[order.lead_id]

    def newest(self, office_key: str | None) -> Lead | None:
        """The caller's newest lead at an office (at any, if None), as long as a new contact would join it."""
        found = [lead for lead in self.leads.values() if office_key in (None, lead.office)]
        if not found:
            return None
        known = Known(found[-1], self.touched[found[-1].lead_id])
        return known.lead if intake.joins(known, self.at) else None

    def _group(self, event: Event) -> str | None:
        if isinstance(event, TextReceived):
            return self.policy.group_of_text(event.recipient, event.office)
        entry = self.policy.entry_for(event.dialled) if isinstance(event, InboundCall) else None
        return None if entry is None else entry.group

    def _perform(self, effects: tuple[Effect, ...], seq: int, lead_id: LeadId | None) -> None:
        worldly = 0
        for effect in effects:
            match effect:
                case ArmTimer(kind=kind, due_at=due_at):
                    assert lead_id is not None, "a timer without a lead"
                    self.timers[(lead_id, kind)] = due_at
                case DisarmTimer(kind=kind):
                    assert lead_id is not None, "a timer without a lead"
                    self.timers.pop((lead_id, kind), None)
                case SetConsent(channel=channel, state=state, source=source):
                    self.consent[channel] = Consent(state, source, self.at)
                case CancelPending(kinds=kinds):
                    self._cancel(kinds, lead_id)
                case TakeTurn(group=group, agent=agent):
                    self.turns[group] = agent
                case EndOrder(effect_id=effect_id, frees_window=frees_window):
                    if effect_id in self.orders:
                        self.orders[effect_id].status = "cancelled"
                    if frees_window:
                        self._close_window(effect_id)
                case BarTexts(office=office_key, until=until):
                    self.bar(office_key, until)
                case _:
                    self._order(effect, EffectId(f"{seq}.{worldly}"), lead_id)
                    worldly += 1

    def _order(self, effect: WorldEffect, effect_id: EffectId, lead_id: LeadId | None) -> None:
        self.orders[effect_id] = Order(effect, lead_id, self.at)
        if isinstance(effect, SendText) and effect.purpose is TextPurpose.TEXT_BACK:
            standing = self.windows.get(effect.office)
            assert standing is None or standing[0] <= self.at, "two text-backs inside one window"
            assert effect.window_until is not None
            self.windows[effect.office] = (effect.window_until, effect_id)

    def _cancel(self, kinds: tuple[str, ...], lead_id: LeadId | None) -> None:
        of_kind = {"text": SendText, "callback": PlaceCallback, "email": SendEmail}
        for effect_id, order in self.orders.items():
            if order.lead_id != lead_id or order.status != "todo":
                continue
            if any(isinstance(order.effect, of_kind[kind]) for kind in kinds):
                order.status = "cancelled"
                self._close_window(effect_id)

    def bar(self, office_key: str, until: datetime) -> None:
        """No text-back before then; a window that lasts longer stays."""
        if office_key not in self.windows or self.windows[office_key][0] < until:
            self.windows[office_key] = (until, EffectId("barred"))

    def _close_window(self, effect_id: EffectId) -> None:
        for key, (_, holder) in list(self.windows.items()):
            if holder == effect_id:
                del self.windows[key]

    # ------------------------------------------------------------------------------------------------------- what holds
    def check(self) -> None:
        """What must be true whatever has happened. Looks at the event that came last."""
        if not self.told:
            return
        last = self.told[-1]
        self._timers_follow_stages()
        self._refusals_are_obeyed(last)
        self._one_text_for_a_miss(last.lead_id)
        self._reached_callers_are_left_alone(last)
        self._every_miss_ends_in_something(last.lead_id)
        self._stored_forms_are_exact(last)

    def _timers_follow_stages(self) -> None:
        for lead_id, lead in self.leads.items():
            armed = [kind for owner, kind in self.timers if owner == lead_id]
            assert armed == ([] if lead.timer is None else [lead.timer])
            assert (lead.stage is Stage.IDLE) == (lead.timer is None), (
                "a plan that waits has a time at which it goes on"
            )
            assert lead.stage is not Stage.IDLE or lead.cursor == len(lead.plan)

    def _refusals_are_obeyed(self, last: Told) -> None:
        no_text = self._said_no(Channel.TEXT)
        no_call = self._said_no(Channel.CALL)
        for effect in last.step.effects:
            match effect:
                case SendText(purpose=TextPurpose.TEXT_BACK):
                    assert not no_text, "a text after a no"
                case PlaceCallback():
                    assert not no_call, "a callback after a no"
                case SendEmail():
                    assert not no_text, "an e-mail after a no"
                    assert not no_call, "an e-mail after a no"
                case _:
                    pass
        if no_text and last.lead_id is not None and any(isinstance(effect, SetConsent) for effect in last.step.effects):
            for order in self.orders.values():
                contact = isinstance(order.effect, PlaceCallback | SendEmail) or (
                    isinstance(order.effect, SendText) and order.effect.purpose is TextPurpose.TEXT_BACK
                )
                assert not (contact and order.status == "todo" and order.lead_id == last.lead_id), "left in the outbox"

    def _said_no(self, channel: Channel) -> bool:
        return self.consent.get(channel, Consent()).state is ConsentState.OPTED_OUT

    def _one_text_for_a_miss(self, lead_id: LeadId | None) -> None:
        mine = [told for told in self.told if told.lead_id == lead_id]
        texts = [told for told in mine if any(_is_text_back(effect) for effect in told.step.effects)]
        # A person may take the risk of a second one.
        assert len(texts) <= sum(isinstance(told.event, CallMissed | OrderResent) for told in mine)

    def _reached_callers_are_left_alone(self, last: Told) -> None:
        """From the moment a person answered until the next miss, the machine contacts nobody by itself."""
        since: list[Told] = []
        for told in reversed([told for told in self.told if told.lead_id == last.lead_id]):
            if isinstance(told.event, CallMissed):
                return
            since.append(told)
            if isinstance(told.event, CallAnswered):
                break
        else:
            return
        for told in since:
            if isinstance(told.event, OrderResent):
                continue  # a person does
            for effect in told.step.effects:
                assert not _is_text_back(effect), "a text to somebody who reached a person"
                assert not isinstance(effect, SendEmail), "an e-mail to somebody who reached a person"
                if isinstance(effect, PlaceCallback):
                    assert isinstance(told.event, KeyPressed), "a callback that nobody asked for"

    def _every_miss_ends_in_something(self, lead_id: LeadId | None) -> None:
        lead = None if lead_id is None else self.leads[lead_id]
        if lead is None or lead.stage is not Stage.IDLE or lead.misses == 0:
            return
        for told in reversed([told for told in self.told if told.lead_id == lead_id]):
            effects = told.step.effects
            if any(_is_text_back(effect) or isinstance(effect, AlertAgent | CancelPending) for effect in effects):
                return
            if any(decision.outcome in ("refused", "held", "skipped") for decision in told.step.decisions):
                return
            assert not isinstance(told.event, CallMissed), "a miss without text, reason or person"

    def _stored_forms_are_exact(self, last: Told) -> None:
        assert codec.decode(Event, codec.encode(last.event)) == last.event
        assert codec.decode(Facts, codec.encode(last.facts)) == last.facts
        for effect in last.step.effects:
            assert codec.decode(Effect, codec.encode(effect)) == effect
        if last.step.lead is not None:
            assert codec.decode(Lead, codec.encode(last.step.lead)) == last.step.lead

    def replayed(self, lead_id: LeadId) -> Lead | None:
        """The lead as the journal alone has it."""
        lead: Lead | None = None
        for told in self.told:
            if told.lead_id != lead_id:
                continue
            if lead is None:
                assert isinstance(told.event, CallMissed | TextReceived)
                lead = intake.new_lead(lead_id, told.event, told.policy, told.facts)
            lead = machine.step(lead, told.event, told.facts, told.policy, told.seq).lead
        return lead

    def pushes(self) -> list[PushLead]:
        return [order.effect for order in self.orders.values() if isinstance(order.effect, PushLead)]

    def lead(self, lead_id: int = 1) -> Lead:
        return self.leads[LeadId(lead_id)]

    def change(self, lead_id: int = 1, **fields: Any) -> None:
        """Put a lead into a state that would take a long story to reach."""
        self.leads[LeadId(lead_id)] = replace(self.leads[LeadId(lead_id)], **fields)


def _failed_alert(order: Order | None, outcome: str) -> AlertAgent | None:
    failed = order is not None and outcome == "failed" and isinstance(order.effect, AlertAgent)
    return order.effect if failed else None  # type: ignore[union-attr, return-value]


def _is_text_back(effect: Effect) -> bool:
    return isinstance(effect, SendText) and effect.purpose is TextPurpose.TEXT_BACK
