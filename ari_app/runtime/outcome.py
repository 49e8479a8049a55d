"""What an adapter answers to an order. Retry is a value; an exception is a defect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ari_app.store.outbox import Order


@dataclass(frozen=True, slots=True)
class Done:
    """The world accepted it. ref: what the target calls it.

    gateway, message_ids: for a text, by whom it went and the canonical id of each segment, so that receipts find it.
    """

    ref: str | None = None
    gateway: str | None = None
    message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryAt:
    """It certainly did not happen, and may later."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It certainly did not happen, and will not."""

    why: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Nobody knows whether it happened. It is not repeated.

    gateway, message_ids, segments: for a text of which the carrier took some segments: by whom, the canonical ids of those,
    and how many there are in all. What becomes of them can tell that the text as a whole did not arrive.
    """

    why: str
    ref: str | None = None
    gateway: str | None = None
    message_ids: tuple[str, ...] = ()
    segments: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """The compliance gate said no at the last moment. rule: which."""

    rule: str
    why: str


Outcome = Done | RetryAt | Failed | InDoubt | Refused


class Adapter(Protocol):
    """Something that carries out one kind of order. The order's ``effect_id`` is the idempotency key at the target."""

    async def act(self, order: Order) -> Outcome:
        """Carry it out, once."""
        ...
