"""What a gateway tells about itself. Plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class LinkState(StrEnum):
    """A bind's state.

    IDLE: not started. CONNECTING: TCP, TLS and bind under way. BOUND: in use. DRAINING: finishing before it closes.
    WAITING: pausing before the next attempt. REFUSED: the carrier does not let us in; a person must act, then
    ``rebind``. STOPPED: we were asked to stop.
    """

    IDLE = "idle"
    CONNECTING = "connecting"
    BOUND = "bound"
    DRAINING = "draining"
    WAITING = "waiting"
    REFUSED = "refused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class BindStatus:
    """One bind.

    role: transceiver, transmitter or receiver. bound_since: aware UTC, None unless bound. attempts: failed ones in a
    row. last_error: why it is not, or was last not, bound.
    """

    role: str
    state: LinkState
    bound_since: datetime | None
    attempts: int
    last_error: str | None


@dataclass(slots=True)
class Counters:
    """Since the gateway was made. Segments on the way out, PDUs on the way in."""

    submitted: int = 0
    accepted: int = 0
    throttled: int = 0
    in_doubt: int = 0
    texts: int = 0
    receipts: int = 0
    redelivery_asked: int = 0
    binds: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    """By command_status."""


@dataclass(frozen=True, slots=True)
class SmppStatus:
    """All of a gateway.

    binds: one, or transmitter and receiver. outstanding: on the wire, unanswered. queued: waiting for their turn.
    rate_per_second: allowed at present. counters: a copy.
    """

    binds: tuple[BindStatus, ...]
    outstanding: int
    queued: int
    rate_per_second: float
    counters: Counters

    @property
    def state(self) -> LinkState:
        """Of the bind that is worst off."""
        return max((bind.state for bind in self.binds), key=_WORST_LAST.index)


_WORST_LAST = (
    LinkState.BOUND,
    LinkState.DRAINING,
    LinkState.CONNECTING,
    LinkState.WAITING,
    LinkState.IDLE,
    LinkState.STOPPED,
    LinkState.REFUSED,
)
