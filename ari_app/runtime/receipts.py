"""Applying a delivery receipt: to the text it names, to one in doubt that it proves, or to one whose id is still to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ari_app.recovery.effects import SendText
from ari_app.recovery.events import Event, ReceiptReceived
from ari_app.recovery.values import LeadId
from ari_app.store import outbox, receipts
from ari_app.store.db import Database
from ari_app.store.outbox import Order

T = TypeVar("T")

DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class FinalReceipt:
    """A receipt that says the last word on one segment.

    refs: canonical ids that the segment may have, likeliest first. state: ``delivered`` or how it failed.
    to, sender: of the text that it speaks of; no sender where all texts go out under one. prefix: the text's beginning,
    if the carrier repeats it.
    """

    gateway: str
    refs: tuple[str, ...]
    state: str
    error: str | None
    to: str
    sender: str | None
    prefix: str


def apply(
    db: Database, record: Callable[[Event, LeadId | None], T], receipt: FinalReceipt, at: datetime
) -> list[T] | Order:
    """Apply a receipt inside a transaction: what was recorded, or the order in doubt that it proves to have gone out."""
    tally = receipts.note(db, receipt.gateway, receipt.refs, receipt.state, delivered_as=DELIVERED)
    if tally is None:
        proven = _proven(db, receipt)
        if proven is None and receipt.refs:
            receipts.park(db, receipt.gateway, receipt.refs, receipt.state, receipt.error, at)
        return proven or []
    if not tally.final:
        return []
    state = DELIVERED if tally.delivered else receipt.state
    event = ReceiptReceived(
        at=at,
        source_id=f"receipt:{tally.effect_id}:{state}",
        effect_id=tally.effect_id,
        delivered=tally.delivered,
        state=state,
        error=receipt.error,
    )
    return [record(event, None)]


def apply_parked(
    db: Database, record: Callable[[Event, LeadId | None], T], gateway: str, refs: Sequence[str], at: datetime
) -> list[T]:
    """Apply the receipts that came before these ids were known."""
    recorded: list[T] = []
    for ref, state, error in receipts.parked(db, gateway, refs):
        applied = apply(db, record, FinalReceipt(gateway, (ref,), state, error, "", "", ""), at)
        recorded += applied if isinstance(applied, list) else []
    return recorded


def _proven(db: Database, receipt: FinalReceipt) -> Order | None:
    """A text in doubt that the receipt fits: same people, same words, and no other text that it could mean."""
    fitting = []
    for order in outbox.in_doubt(db):
        effect = order.effect
        if not isinstance(effect, SendText) or effect.gateway != receipt.gateway:
            continue
        if effect.to != receipt.to or receipt.sender not in (None, effect.sender):
            continue
        if receipt.prefix and not effect.body.startswith(receipt.prefix):
            continue
        fitting.append(order)
    return fitting[0] if len(fitting) == 1 else None
