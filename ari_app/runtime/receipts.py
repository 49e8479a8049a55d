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
    if the carrier repeats it. user_reference: our number for the text, if the carrier repeats it.
    """

    gateway: str
    refs: tuple[str, ...]
    state: str
    error: str | None
    to: str
    sender: str | None
    prefix: str
    user_reference: int | None = None


@dataclass(frozen=True, slots=True)
class Disproven:
    """A text in doubt that certainly did not arrive as a whole: a segment that the carrier took failed."""

    order: Order
    why: str


Means = Callable[[FinalReceipt, Order], bool]
"""Whether a receipt can speak of a text of which no id is known, by its words too, and of all of it."""


def apply(
    db: Database, record: Callable[[Event, LeadId | None], T], receipt: FinalReceipt, at: datetime, means: Means
) -> list[T] | Order | Disproven:
    """Apply a receipt inside a transaction: what was recorded, or the order in doubt or under way whose fate it decides.

    An order is returned as it is when the receipt proves that it went out, and as Disproven when it did not arrive.
    """
    tally = receipts.note(db, receipt.gateway, receipt.refs, receipt.to, receipt.state, delivered_as=DELIVERED)
    if tally is None:
        proven = _proven(db, receipt, means)
        if proven is None and receipt.refs:
            receipts.park(db, receipt.gateway, receipt.refs, receipt.to, receipt.state, receipt.error, at)
        return proven or []
    if not tally.final:
        return []
    order = outbox.order(db, tally.effect_id)
    if order is not None and order.status == "in_doubt":
        # Some of its segments are known, and of another nobody knows: their arrival proves nothing, their failure does.
        return [] if tally.delivered else Disproven(order, f"a part of it was not delivered ({receipt.state})")
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
    db: Database, record: Callable[[Event, LeadId | None], T], gateway: str, refs: Sequence[str], to: str, at: datetime
) -> list[T]:
    """Apply the receipts that came before these ids, of a text to this number, were known."""
    recorded: list[T] = []
    for ref, state, error in receipts.parked(db, gateway, refs, to):
        applied = apply(db, record, FinalReceipt(gateway, (ref,), state, error, to, "", ""), at, _nothing)
        recorded += applied if isinstance(applied, list) else []
    return recorded


def _nothing(_: FinalReceipt, __: Order) -> bool:
    return False


def _proven(db: Database, receipt: FinalReceipt, means: Means) -> Order | None:
    """A text in doubt that the receipt fits: same people, same words, and no other text that it could mean.

    One that is under way counts, too: its answer may be lost, or we may die before it comes, and this receipt does not come
    a second time.
    """
    fitting = []
    for order in (*outbox.in_doubt(db), *outbox.unfinished(db)):
        effect = order.effect
        if not isinstance(effect, SendText) or effect.gateway != receipt.gateway:
            continue
        if effect.to != receipt.to or receipt.sender not in (None, effect.sender):
            continue
        if not means(receipt, order):
            continue
        fitting.append(order)
    return fitting[0] if len(fitting) == 1 else None
