"""Sections ``texts``, ``gateways``, ``text_routes`` and ``quiet_hours``: how texts leave, and within which limits."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from ari_app.recovery.hours import DAY_MINUTES
from ari_app.recovery.policy import QuietAnswer
from ari_app.settings.brokerage import ZoneName, parse_spans, write_spans
from ari_app.settings.model import Duration, Secret, Section
from ari_app.settings.numbers import DialPattern
from ari_app.settings.pbx import Host, Name, Port
from sms_gateway.messages import is_e164


class TextsSection(Section):
    """Limits of texts."""

    window: Duration = Field(default=86400.0, ge=60)
    """At most one text-back for a caller and an office in this time (FRQ-01)."""
    outcome: Duration = Field(default=10.0, ge=0.1, le=60)
    """How long the plan waits for a text's outcome before the next step."""
    hold: Duration = Field(default=8.0, ge=0, le=30)
    """How long a text waits for a caller who is still on the line, and may press 9. 0: it never waits.

    A longer prompt is overtaken by the text; a 9 after it stops what follows.
    """
    expires: Duration = Field(default=900.0, ge=10)
    """A text that could not be handed over by then is dropped, and a person is told."""
    late: Duration = Field(default=900.0, ge=60)
    """A miss that is older when its text is due, because Ringback was away, gets the step's ``late`` wording (AGE-02)."""
    too_late: Duration = Field(default=4 * 3600.0, ge=60)
    """A miss older than this is not texted at all: a person is told."""
    replies_per_day: int = Field(default=5, ge=1, le=50)
    """Automatic replies to one number in 24 hours."""


LONGEST_NAME = 11
"""Characters of an alphanumeric sender, 3GPP TS 23.040 section 9.1.2.5."""


class BindMode(StrEnum):
    TRANSCEIVER = "transceiver"
    SPLIT = "split"
    """A transmitter and a receiver, for gateways that want two binds."""


class Alphabet(StrEnum):
    """What a data_coding means at this SMSC."""

    GSM = "gsm"
    GSM_PACKED = "gsm-packed"
    """Eight characters in seven octets."""
    LATIN1 = "latin1"
    ASCII = "ascii"


class Segmentation(StrEnum):
    """How a long text is cut."""

    UDH8 = "udh8"
    UDH16 = "udh16"
    SAR = "sar"
    PAYLOAD = "payload"


class ReceiptIds(StrEnum):
    """How the id in a receipt relates to the one given at submission."""

    ANY = "any"
    SAME = "same"
    HEX_THEN_DECIMAL = "hex-then-decimal"
    DECIMAL_THEN_HEX = "decimal-then-hex"


class Redeliver(StrEnum):
    """The answer to an inbound text that could not be stored."""

    SYSTEM_ERROR = "system-error"
    QUEUE_FULL = "queue-full"


class TlsSection(Section):
    """TLS to the SMSC; the certificate is always verified."""

    server_name: Host | None = None
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None


class SmppGateway(Section):
    """An SMSC reached by SMPP 3.4."""

    type: Literal["smpp"]
    host: Host
    port: Port = 2775
    system_id: Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[\x21-\x7e]+$")]
    password: Secret
    long_password: bool = False
    """Allow more than the standard's eight characters."""
    system_type: Annotated[str, Field(max_length=12, pattern=r"^[\x20-\x7e]*$")] = ""
    address_range: Annotated[str, Field(max_length=40, pattern=r"^[\x20-\x7e]*$")] = ""
    """Numbers whose texts this bind is to get, where the SMSC asks for them. SMPP 3.4, section 5.2.7."""
    bind: BindMode = BindMode.TRANSCEIVER
    window: int = Field(default=10, ge=1, le=1000)
    """Submits that may be unanswered at one time."""
    response: Duration = Field(default=10.0, ge=0.5)
    """How long a submit may go unanswered before it is in doubt."""
    enquire: Duration = Field(default=30.0, ge=1)
    """How often an idle link is tried with enquire_link."""
    per_second: float = Field(default=10.0, gt=0)
    """Segments a second that the carrier allows."""
    alphabet: Alphabet = Alphabet.GSM
    """What ``data_coding_default`` means there."""
    data_coding_default: int = Field(default=0, ge=0, le=255)
    """The data_coding of texts in that alphabet."""
    ia5_alphabet: Alphabet = Alphabet.LATIN1
    """What data_coding 1 means in texts that come from there."""
    segmentation: Segmentation = Segmentation.UDH8
    max_segments: int = Field(default=10, ge=1, le=255)
    """Longer texts are refused before they cost anything."""
    source_ton: int | None = Field(default=None, ge=0, le=6)
    """None: by the form of the sender."""
    source_npi: int | None = Field(default=None, ge=0, le=18)
    destination_ton: int = Field(default=1, ge=0, le=6)
    destination_npi: int = Field(default=1, ge=0, le=18)
    keep_plus: bool = False
    registered_delivery: int = Field(default=1, ge=0, le=2)
    """1: final receipts, 2: receipts of failures only, 0: none. SMPP 3.4, section 5.2.17."""
    receipt_ids: ReceiptIds = ReceiptIds.ANY
    receipt_time_zone: ZoneName = "UTC"
    receipts_by_text: bool = False
    """The SMSC does not mark its receipts: what reads like one is one, and no caller's reply."""
    redeliver: Redeliver = Redeliver.SYSTEM_ERROR
    """The answer that makes the SMSC send an inbound text again: ESME_RSYSERR (0x08) or ESME_RMSGQFUL (0x14)."""
    user_reference: bool = False
    """Send a reference that some carriers repeat in receipts."""
    sender: Annotated[str, Field(pattern=r"^\+?[0-9A-Za-z ]{1,15}$")] | None = None
    """A fixed sender; none: the number that the caller dialled, so that the thread stays together."""
    tls: TlsSection | None = None

    def takes_sender(self, sender: str) -> bool:
        """Whether ``sender`` goes out as what it is meant for: a number with ``+``, a short code, a name. Other digits are none
        of these, unless ``source_ton`` says what they are."""
        if is_e164(sender) or re.fullmatch(r"[0-9]{3,8}", sender):
            return True
        if sender.startswith("+") or len(sender) > LONGEST_NAME:
            return False
        return any(char.isalpha() for char in sender) or (sender.isdigit() and self.source_ton is not None)


class SipGateway(Section):
    """SIP MESSAGE through a trunk of the managed PBX. Whether it arrived is never known."""

    type: Literal["sip"]
    trunk: Name
    longest: int = Field(default=800, ge=160, le=8000)
    """Most octets of UTF-8 in one message. RFC 3428, section 8: 1,300 for the whole request over UDP."""


GatewaySection = Annotated[SmppGateway | SipGateway, Field(discriminator="type")]


class TextRouteSection(Section):
    """Texts to numbers like ``to`` leave through the gateway ``via``. No route, no text."""

    to: DialPattern
    via: Name


class LimitsSection(Section):
    """How much goes out on the word of a caller id or a text's sender, which anybody can forge.

    In an hour: texts, automatic replies and callbacks together.
    """

    per_hour: int = Field(default=300, ge=1)
    """To all numbers (ABU-02)."""
    alike_per_hour: int = Field(default=30, ge=1)
    """To numbers that share their first digits (ABU-01)."""
    alike_digits: int = Field(default=7, ge=2, le=14)
    """How many digits, country code included: 7 are +1, area code and exchange."""
    per_number_per_day: int = Field(default=3, ge=1)
    """Texts and callbacks to one number in 24 hours, of all offices together (ABU-03)."""


def _one_span(value: Any) -> Any:
    spans = parse_spans(value)
    if isinstance(value, str) and len(spans) == 1:
        return spans[0]
    if isinstance(value, str):
        raise ValueError(f"found {value!r}; expected one span such as 8:00-21:00")
    return value


def _not_empty(span: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= span[0] < span[1] <= DAY_MINUTES:
        raise ValueError("expected one span such as 8:00-21:00")
    return span


ContactSpan = Annotated[
    tuple[int, int],
    BeforeValidator(_one_span),
    AfterValidator(_not_empty),
    PlainSerializer(lambda span: write_spans((span,)), when_used="json"),
    WithJsonSchema({"type": "string", "examples": ["8:00-21:00"]}),
]


class QuietSection(Section):
    """When a caller may be contacted, on the caller's own clock (47 CFR 64.1200(c)(1): 8 to 21)."""

    contact: ContactSpan = (8 * 60, 21 * 60)
    texts: QuietAnswer = QuietAnswer.HOLD
    """``hold``: the text that answers their call waits for the morning. ``send``: it goes at once (ask counsel)."""
