"""How to reach one carrier and what it expects. Plain data, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from enum import StrEnum

from sms_gateway.encoding import Alphabet
from sms_gateway.receipts import IdBase
from sms_gateway.smpp.status import QUEUE_FULL, SYSTEM_ERROR


class BindMode(StrEnum):
    """TRANSCEIVER: one connection for both directions. SPLIT: a transmitter and a receiver."""

    TRANSCEIVER = "transceiver"
    SPLIT = "split"


class Segmentation(StrEnum):
    """How a long text is announced as such.

    UDH8, UDH16: user data header with an 8-bit or 16-bit reference.
    SAR: optional parameters sar_msg_ref_num, sar_total_segments, sar_segment_seqnum.
    PAYLOAD: one PDU with message_payload; the carrier cuts.
    """

    UDH8 = "udh8"
    UDH16 = "udh16"
    SAR = "sar"
    PAYLOAD = "payload"


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """TLS towards the carrier. The certificate and its name are always verified.

    ca_file: certificates to trust, PEM; None means the system's. A self-signed certificate is its own authority.
    server_name: the name to verify; None means the host.
    certificate_file, key_file: our own certificate, PEM, if the carrier asks for one; the key may stand in the former.
    """

    ca_file: str | None = None
    server_name: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """One SMPP account.

    host, port: of the SMSC. Names and IPv4 and IPv6 addresses alike.
    system_id: account, at most 15 characters. password: at most 8 characters, 63 with ``long_password``.
    system_type: as the carrier says, at most 12 characters; usually empty.
    bind: one connection or two.
    address_range: numbers that the receiver wants, SMPP 3.4 section 5.2.7; usually empty.
    tls: None for plain TCP.

    window: submits unanswered at once, 1 to 1,000.
    response_seconds: how long the carrier may take to answer anything. Then the link is closed.
    enquire_seconds: silence after which we ask whether the carrier is there.
    connect_seconds: limit for TCP and TLS.
    stop_seconds: how long stopping waits for open answers.
    rate_per_second: segments per second that the carrier grants. Lowered while it throttles us.
    listen_seconds: how long after a bind nothing must have come in before texts go out, so that a STOP that the carrier has
        kept for us is heard first; ten times that at most.
    throttle_seconds: first pause of a text that was throttled; doubled each time, up to 8 s.
    reconnect_seconds, reconnect_cap_seconds: first and longest pause before connecting again; doubled each time.

    default_alphabet: what the carrier means by data_coding 0.
    data_coding_default: data_coding of texts in that alphabet.
    ia5_alphabet: what the carrier means by data_coding 1, which should be ASCII; some send septets under it.
    segmentation: how long texts are announced. max_segments: longer texts are refused as TextInvalid, 1 to 255.
    source_ton, source_npi: of the sender; None means by its form: international 1/1 for E.164, alphanumeric 5/0,
        short code 3/0.
    destination_ton, destination_npi: of the destination.
    keep_plus: leave the ``+`` of E.164 numbers, which few carriers want.
    registered_delivery: SMPP 3.4 section 5.2.17: 1 asks for a final receipt, 2 for failures only, 0 for none.
    validity_seconds: how long the carrier tries a text that does not say; None leaves it to the carrier.
    send_user_reference: send a 16-bit digest of the text's reference as user_message_reference; some carriers repeat
        it in receipts.

    receipt_id_base: how ids in receipts relate to those at submission.
    receipt_zone: time zone of the dates in receipts.
    receipts_by_text: take an inbound text of the form of a receipt for one although it is not marked.
    parts_seconds: how long the segments of an inbound text wait for each other where segments are stored.
    parts_hold_seconds: the same where they are not, while the carrier waits for our answer: shorter than its patience.
    redeliver_status: answer to an inbound text that could not be stored, so that it comes again.
    redelivery_seconds: how long an identical inbound text counts as the same one.
    """

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    bind: BindMode = BindMode.TRANSCEIVER
    address_range: str = ""
    long_password: bool = False
    tls: TlsOptions | None = None

    window: int = 10
    response_seconds: float = 10.0
    enquire_seconds: float = 30.0
    connect_seconds: float = 10.0
    stop_seconds: float = 5.0
    rate_per_second: float = 10.0
    listen_seconds: float = 0.0
    throttle_seconds: float = 0.5
    reconnect_seconds: float = 1.0
    reconnect_cap_seconds: float = 60.0

    default_alphabet: Alphabet = Alphabet.GSM
    data_coding_default: int = 0
    ia5_alphabet: Alphabet = Alphabet.LATIN1
    segmentation: Segmentation = Segmentation.UDH8
    max_segments: int = 10
    source_ton: int | None = None
    source_npi: int | None = None
    destination_ton: int = 1
    destination_npi: int = 1
    keep_plus: bool = False
    registered_delivery: int = 1
    validity_seconds: float | None = 14_400.0
    send_user_reference: bool = False

    receipt_id_base: IdBase = IdBase.ANY
    receipt_zone: tzinfo = UTC
    receipts_by_text: bool = False
    parts_seconds: float = 300.0
    parts_hold_seconds: float = 5.0
    redeliver_status: int = SYSTEM_ERROR
    redelivery_seconds: float = 900.0

    def __post_init__(self) -> None:
        longest = 63 if self.long_password else 8  # SMPP 3.4 section 5.2.2
        checks = {
            f"system_id: 15 characters at most, {len(self.system_id)} given": len(self.system_id) <= 15,
            f"password: {longest} characters at most, {len(self.password)} given": len(self.password) <= longest,
            "system_type: 12 characters at most": len(self.system_type) <= 12,
            "address_range: 40 characters at most": len(self.address_range) <= 40,
            "system_id, password, system_type and address_range: ASCII without NUL only": all(
                word.isascii() and "\0" not in word
                for word in (self.system_id, self.password, self.system_type, self.address_range)
            ),
            f"port: 1 to 65535, {self.port} given": 1 <= self.port <= 65535,
            f"window: 1 to 1000, {self.window} given": 1 <= self.window <= 1000,
            f"max_segments: 1 to 255, {self.max_segments} given": 1 <= self.max_segments <= 255,
            f"redeliver_status: 0x08 or 0x14, 0x{self.redeliver_status:02X} given": self.redeliver_status
            in {SYSTEM_ERROR, QUEUE_FULL},
            "default_alphabet: UCS2 is never the default": self.default_alphabet is not Alphabet.UCS2,
        }
        for name in (
            "response_seconds",
            "enquire_seconds",
            "connect_seconds",
            "stop_seconds",
            "rate_per_second",
            "throttle_seconds",
            "reconnect_seconds",
            "reconnect_cap_seconds",
            "parts_seconds",
            "parts_hold_seconds",
            "redelivery_seconds",
        ):
            checks[f"{name}: above 0, {getattr(self, name)} given"] = getattr(self, name) > 0
        for name in (
            "data_coding_default",
            "source_ton",
            "source_npi",
            "destination_ton",
            "destination_npi",
            "registered_delivery",
        ):
            checks[f"{name}: 0 to 255, {getattr(self, name)} given"] = 0 <= (getattr(self, name) or 0) <= 255
        wrong = [sentence for sentence, right in checks.items() if not right]
        if wrong:
            raise ValueError("; ".join(wrong))
