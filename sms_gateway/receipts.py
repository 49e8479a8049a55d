"""Delivery receipts: the informal text of SMPP 3.4 Appendix B, its optional parameters, and carriers' habits. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from sms_gateway.messages import DeliveryState, Receipt

_BY_NUMBER = dict(enumerate(DeliveryState, start=1))  # SMPP 3.4 section 5.2.28, in the same order
_BY_WORD = {
    "ENROUTE": DeliveryState.ENROUTE,
    "DELIVRD": DeliveryState.DELIVERED,
    "EXPIRED": DeliveryState.EXPIRED,
    "DELETED": DeliveryState.DELETED,
    "UNDELIV": DeliveryState.UNDELIVERABLE,
    "ACCEPTD": DeliveryState.ACCEPTED,
    "UNKNOWN": DeliveryState.UNKNOWN,
    "REJECTD": DeliveryState.REJECTED,
}  # SMPP 3.4 Appendix B, table B-2

_KEYS = r"id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err"
_FIELD = re.compile(rf"\b({_KEYS}):[ ]?(?!(?:{_KEYS}|text):)([^\s]*)", re.IGNORECASE)
_TEXT = re.compile(r"\btext:", re.IGNORECASE)
_LONGEST_ID = 64  # SMPP 3.4 section 5.2.23
_HEX = re.compile(r"[0-9a-f]+")


class IdBase(StrEnum):
    """How the id in a receipt relates to the one given at submission.

    ANY: unknown; every reading is a candidate.
    SAME: the same string, but for letter case and leading zeros.
    HEX_THEN_DECIMAL: hexadecimal at submission, decimal in the receipt.
    DECIMAL_THEN_HEX: decimal at submission, hexadecimal in the receipt.
    """

    ANY = "any"
    SAME = "same"
    HEX_THEN_DECIMAL = "hex-then-decimal"
    DECIMAL_THEN_HEX = "decimal-then-hex"


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """What a deliver_sm says about a delivery, as received.

    text: the short message. source, destination: its addresses, as numbers.
    message_id, message_state, network_error, user_reference: receipted_message_id, message_state,
        network_error_code and user_message_reference, None where absent.
    """

    text: str
    source: str
    destination: str
    message_id: str | None = None
    message_state: int | None = None
    network_error: bytes | None = None
    user_reference: int | None = None


def canonical_id(message_id: str) -> str:
    """A message id such that letter case, spaces around it and zeros before it make no difference."""
    plain = message_id.strip().lower()
    return plain.lstrip("0") or plain[:1]


def candidate_ids(message_id: str, base: IdBase = IdBase.ANY) -> tuple[str, ...]:
    """The canonical ids that may have been given at submission for the id of a receipt, likeliest first."""
    same = canonical_id(message_id)
    if not same:
        return ()
    if len(same) > _LONGEST_ID:
        return (same,)
    readings = [same] if base in {IdBase.ANY, IdBase.SAME} else []
    if base in {IdBase.ANY, IdBase.HEX_THEN_DECIMAL} and same.isascii() and same.isdigit():
        readings.append(f"{int(same):x}")
    if base in {IdBase.ANY, IdBase.DECIMAL_THEN_HEX} and _HEX.fullmatch(same):
        readings.append(str(int(same, 16)))
    return tuple(dict.fromkeys(readings)) or (same,)


def is_receipt_text(text: str) -> bool:
    """Whether a text has the form of a receipt, for carriers that forget to mark theirs."""
    names = {name for name, _ in _fields(text)}
    return {"id", "stat"} <= names


def fields_end(text: str) -> int:
    """Where the fields of a receipt end, and what it repeats of the text begins."""
    body = _TEXT.search(text)
    return body.end() if body else len(text)


def parse_receipt(facts: ReceiptFacts, *, zone: tzinfo = UTC, base: IdBase = IdBase.ANY) -> Receipt:
    """The receipt that ``facts`` make. Total: what cannot be read is empty, None or UNKNOWN.

    Optional parameters win over the text. zone: of the dates in the text, usually the carrier's own.
    """
    fields = dict(reversed(_fields(facts.text)))  # the first of two wins
    message_id = facts.message_id or fields.get("id", "")
    word = fields.get("stat", "").upper()
    state = _BY_NUMBER.get(facts.message_state or 0) or _BY_WORD.get(word) or _by_prefix(word)
    return Receipt(
        message_id=message_id,
        candidates=candidate_ids(message_id, base),
        state=state,
        error=_network_error(facts.network_error) or fields.get("err") or None,
        source=facts.source,
        destination=facts.destination,
        done_at=_date(fields.get("donedate", ""), zone),
        text=facts.text[fields_end(facts.text) :].lstrip(" "),
        user_reference=facts.user_reference,
    )


def _fields(text: str) -> list[tuple[str, str]]:
    body = _TEXT.search(text)
    found = _FIELD.findall(text[: body.start()] if body else text)
    return [(name.lower().replace(" ", "").replace("_", ""), value) for name, value in found]


def _by_prefix(word: str) -> DeliveryState:
    """States that carriers spell out, as DELIVERED or REJECTED."""
    if len(word) > 5:
        for known, state in _BY_WORD.items():
            if word.startswith(known[:5]):
                return state
    return DeliveryState.UNKNOWN


def _network_error(value: bytes | None) -> str | None:
    """network_error_code: network type and a 16-bit code, SMPP 3.4 section 5.3.2.31."""
    if value is None or len(value) != 3:
        return None
    return f"{value[0]}:{int.from_bytes(value[1:], 'big')}"


def _date(value: str, zone: tzinfo) -> datetime | None:
    """YYMMDDhhmm, YYMMDDhhmmss or YYYYMMDDhhmmss."""
    form = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}.get(len(value))
    if form is None or not (value.isascii() and value.isdigit()):
        return None
    try:
        return datetime.strptime(value, form).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
