"""What an SMPP session reports. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from sms_gateway.smpp.pdu import DataSm, DeliverSm, QuerySmResp


class CloseReason(Enum):
    """Why a session ended.

    STOPPED: we were asked to. PEER_UNBOUND: the carrier unbound. BIND_REFUSED: it did not let us in.
    UNANSWERED: a request was not answered. SILENT: neither bind nor enquire_link were answered.
    PROTOCOL: what came was not SMPP. LOST: the connection broke.
    """

    STOPPED = "stopped"
    PEER_UNBOUND = "peer unbound"
    BIND_REFUSED = "bind refused"
    UNANSWERED = "unanswered"
    SILENT = "silent"
    PROTOCOL = "protocol"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Bound:
    """The session can be used. system_id: the carrier's name for itself, may be empty."""

    system_id: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier took the submit ``sequence``. message_id: as it wrote it; empty if it gave none."""

    sequence: int
    message_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The carrier did not take the request ``sequence``. status: command_status; throttling among them."""

    sequence: int
    status: int


@dataclass(frozen=True, slots=True)
class Queried:
    """The answer to the query ``sequence``."""

    sequence: int
    answer: QuerySmResp


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request ``sequence`` got no answer in time: it is in doubt."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A text or receipt came; answer ``sequence`` once it is stored, or could not be."""

    sequence: int
    body: DeliverSm | DataSm = field(repr=False)


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that the standard does not foresee, and that changed nothing. detail: for the log."""

    detail: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over; close the connection once what there is to send is sent.

    status: command_status if the bind was refused. in_doubt, not_sent: sequence numbers of the requests without an
    answer, by whether their octets had been handed out.
    """

    reason: CloseReason
    detail: str
    status: int
    in_doubt: tuple[int, ...]
    not_sent: tuple[int, ...]


Event = Bound | Accepted | Refusal | Queried | Unanswered | Arrived | Oddity | Closed
