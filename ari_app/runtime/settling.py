"""How an order ends in the books, and whether one that has been taken up may still be carried out."""

from __future__ import annotations

from datetime import datetime

from ari_app.recovery.effects import AlertAgent, PlaceCallback, SendEmail, SendText, TextPurpose
from ari_app.recovery.events import EffectSettled
from ari_app.recovery.values import E164, Channel, ConsentState, Progress
from ari_app.runtime.outcome import Done, Failed, InDoubt, Outcome, Refused, RetryAt
from ari_app.runtime.receipts import apply_parked
from ari_app.runtime.recorded import Record, Recorded
from ari_app.store import journal, outbox, people, receipts
from ari_app.store.db import Database
from ari_app.store.outbox import Order

_STATUS: dict[type[Outcome], str] = {Done: "done", Failed: "failed", InDoubt: "in_doubt", Refused: "refused"}


def settle(db: Database, record: Record, order: Order, outcome: Outcome, at: datetime) -> list[Recorded | None]:
    """Write an order's outcome down, inside a transaction, and record the event of it unless it is tried again."""
    if isinstance(outcome, RetryAt):
        if _taken_back(db, order):
            outbox.settle(db, order.effect_id, "cancelled", at, None, "taken back while it was tried")
            people.close_text_window(db, order.effect_id)
        else:
            outbox.put_back(db, order.effect_id, at, outcome.at, outcome.why)
        return []
    status = _STATUS[type(outcome)]
    ref = outcome.ref if isinstance(outcome, Done | InDoubt) else None
    why = None if isinstance(outcome, Done) else outcome.why
    if not outbox.settle(db, order.effect_id, status, at, ref, why):
        return []
    if isinstance(order.effect, SendText) and status in ("failed", "refused"):
        people.close_text_window(db, order.effect_id)
    if isinstance(outcome, Done) and outcome.gateway is not None:
        receipts.expect(db, outcome.gateway, order.effect_id, outcome.message_ids)
    if isinstance(outcome, InDoubt) and outcome.gateway is not None:
        receipts.expect(db, outcome.gateway, order.effect_id, outcome.message_ids, outcome.segments)
    suffix = ":resolved" if order.status == "in_doubt" else ""
    event = EffectSettled(
        at=at,
        source_id=f"effect:{order.effect_id}{suffix}",
        effect_id=order.effect_id,
        kind=order.kind,
        outcome=status,
        ref=ref,
        why=why,
        rule=outcome.rule if isinstance(outcome, Refused) else None,
        alert=order.effect if isinstance(outcome, Failed) and isinstance(order.effect, AlertAgent) else None,
    )
    recorded = [record(event, order.lead_id)]
    if isinstance(outcome, Done) and outcome.gateway is not None and isinstance(order.effect, SendText):
        recorded += apply_parked(db, record, outcome.gateway, outcome.message_ids, order.effect.to, at)
    return recorded


def _taken_back(db: Database, order: Order) -> bool:
    """Whether the plan was stopped while the order was under way: then it is not tried a second time."""
    lead = None if order.lead_id is None else journal.lead(db, order.lead_id)
    if lead is None:
        return False
    if isinstance(order.effect, SendEmail):  # the lead keeps no progress of it
        return lead.reached_by is not None or lead.closed_by is not None
    progress = {lead.text_effect: lead.text, lead.callback_effect: lead.callback}.get(order.effect_id)
    return progress is Progress.CANCELLED


def barred(db: Database, order: Order) -> Refused | None:
    """Why an order may not be carried out any more; replies to the person's own words always may."""
    number, channels = _contacted(db, order)
    if number is None:
        return None
    for channel in channels:
        said = people.consent(db, number, channel)
        if said.state is ConsentState.OPTED_OUT:
            return Refused("REV-10", f"the person said no ({said.source})")
    return None


def _contacted(db: Database, order: Order) -> tuple[E164 | None, tuple[Channel, ...]]:
    """Whom an order contacts on our own account, and the channels in which a no forbids it."""
    match order.effect:
        case SendText(purpose=TextPurpose.TEXT_BACK, to=number):
            return number, (Channel.TEXT,)
        case PlaceCallback(to=number):
            return number, (Channel.CALL,)
        case SendEmail() if order.lead_id is not None:
            lead = journal.lead(db, order.lead_id)
            return None if lead is None else lead.number, (Channel.TEXT, Channel.CALL)
        case _:
            return None, ()
