"""The values that pass between the application and a gateway: texts out, texts in, receipts.

Knows nothing of SMPP beyond the two octets that qualify an address, and nothing of how a text travels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import datetime
from enum import StrEnum

from sms_gateway.errors import TextInvalid

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164 section 6.2.1: at most 15 digits
_TON_INTERNATIONAL = 1  # SMPP 3.4 section 5.2.5


def is_e164(number: str) -> bool:
    """Whether ``number`` is ``+`` and 7 to 15 digits."""
    return _E164.fullmatch(number) is not None


def redacted(number: str) -> str:
    """A number fit for a log line: its last four characters, and nothing that could break the line."""
    tail = "".join(character for character in number[-4:] if character.isalnum() and character.isascii())
    return f"…{tail}"


@dataclass(frozen=True, slots=True)
class Address:
    """An SMPP address, said exactly as the carrier wants it.

    digits: the number without ``+``, a short code, or at most 11 letters of an alphanumeric sender.
    ton: type of number, SMPP 3.4 section 5.2.5.
    npi: numbering plan indicator, SMPP 3.4 section 5.2.6.
    """

    digits: str
    ton: int = 0
    npi: int = 0

    def number(self) -> str:
        """The address as the application knows it: E.164 with ``+`` if international, else what the carrier sent."""
        digits = self.digits.strip()
        if self.ton == _TON_INTERNATIONAL and digits.isascii() and digits.isdigit():
            return f"+{digits}"
        return digits


@dataclass(frozen=True, slots=True)
class OutboundText:
    """A text to send.

    source: E.164 with ``+``, a short code, an alphanumeric sender, or an exact ``Address``.
    destination: E.164 with ``+``.
    body: what the person shall read; sanitised and split by the gateway.
    reference: the caller's own id, for logs and correlation. It never leaves the machine as it is.
    validity_seconds: how long the carrier shall try; None means the link's default.
    finish_seconds: how long the other segments of a long text may take once the first is accepted; None means as long as
        the text is valid, because half a text is no use to anybody.

    Raises TextInvalid for an empty body, source or a destination that is not E.164.
    """

    source: Address | str
    destination: str
    body: str = dataclass_field(repr=False)
    reference: str
    validity_seconds: float | None = None
    finish_seconds: float | None = None

    def __post_init__(self) -> None:
        if not is_e164(self.destination):
            raise TextInvalid(f"the destination {redacted(self.destination)} is not E.164 (+ and 7 to 15 digits)")
        if not self.body.strip():
            raise TextInvalid("the body is empty")
        if not (self.source.digits if isinstance(self.source, Address) else self.source):
            raise TextInvalid("the source is empty")
        if self.validity_seconds is not None and self.validity_seconds <= 0:
            raise TextInvalid("the validity is not a positive number of seconds")
        if self.finish_seconds is not None and self.finish_seconds <= 0:
            raise TextInvalid("the time to finish is not a positive number of seconds")


@dataclass(frozen=True, slots=True)
class Submission:
    """A text that the next hop has taken.

    message_ids: the carrier's id of each segment as it wrote it, in order; store ``receipts.canonical_id`` of it to
        find it by ``Receipt.candidates``. Empty if the route gives none (SIP); one id may be empty if the carrier
        accepted without naming it.
    segments: how many segments the text became.
    """

    message_ids: tuple[str, ...]
    segments: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Which segments of a long text are here.

    reference: the sender's number for the whole text.
    total: how many segments there are.
    present: 1-based numbers of those received.
    """

    reference: int
    total: int
    present: tuple[int, ...]

    @property
    def complete(self) -> bool:
        """Whether every segment is here."""
        return len(self.present) == self.total


@dataclass(frozen=True, slots=True)
class InboundText:
    """A text that somebody sent to us.

    source, destination: E.164 with ``+`` if the carrier marked the number international, else as it gave it.
    body: what was written; may be empty.
    source_id: identity of this arrival, for a unique key. A redelivery that the gateway recognises has the same one.
    fingerprint: digest of what was received, the same at every redelivery, also after a restart.
    may_repeat: the gateway has not been up for long enough to recognise a redelivery. The application drops the text if
        the latest that it stored of the same pair has the same fingerprint and is no older than a redelivery.
    smsc_time: when the carrier says that it was sent, aware UTC, if it does.
    unreadable: the body is empty, or not text, or was damaged: ask the sender, or a person, never ignore it.
    parts: None for a text of one segment.
    """

    source: str
    destination: str
    body: str = dataclass_field(repr=False)
    source_id: str
    fingerprint: str
    smsc_time: datetime | None = None
    unreadable: bool = False
    parts: Parts | None = None
    may_repeat: bool = False


class DeliveryState(StrEnum):
    """The states of SMPP 3.4 section 5.2.28, in its order."""

    ENROUTE = "enroute"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    DELETED = "deleted"
    UNDELIVERABLE = "undeliverable"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        """Whether no other state will follow. ACCEPTED and UNKNOWN say too little to be an end."""
        return self in {
            DeliveryState.DELIVERED,
            DeliveryState.EXPIRED,
            DeliveryState.DELETED,
            DeliveryState.UNDELIVERABLE,
            DeliveryState.REJECTED,
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """A delivery receipt for one segment.

    message_id: the id as the carrier wrote it; may be empty.
    candidates: the canonical ids that the carrier may have given at submission, likeliest first.
    state: what became of the segment.
    error: the carrier's or network's code, which may hold letters; None if absent.
    source, destination: of the receipt, so the reverse of the text's.
    done_at: when it was delivered or given up, aware UTC, if the carrier tells.
    text: the beginning of the text as the carrier repeats it; may be empty.
    user_reference: the user_message_reference that went out with the text, if the carrier repeats it.
    """

    message_id: str
    candidates: tuple[str, ...]
    state: DeliveryState
    error: str | None
    source: str
    destination: str
    done_at: datetime | None
    text: str = dataclass_field(repr=False, default="")
    user_reference: int | None = None


@dataclass(frozen=True, slots=True)
class MessageState:
    """What the carrier says of a message when asked.

    state: what became of it. done_at: when it was delivered or given up, aware UTC, if known. error: the network's
    code, 0 for none.
    """

    state: DeliveryState
    done_at: datetime | None
    error: int
