"""From a deliver_sm or data_sm to a receipt, or to a segment of a text. Pure."""

from __future__ import annotations

import hashlib

from sms_gateway.encoding import REPLACEMENT, Alphabet, decode, unpack
from sms_gateway.messages import Address, InboundText, Parts, Receipt
from sms_gateway.reassembly import Joined, Segment
from sms_gateway.receipts import ReceiptFacts, fields_end, is_receipt_text, parse_receipt
from sms_gateway.segments import Concatenation, fill_bits, parse_header
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.options import LinkOptions
from sms_gateway.smpp.times import absolute_time

_BINARY = {0x02, 0x04}  # SMPP 3.4 section 5.2.19
_IA5 = 0x01
_LATIN1 = 0x03
_UCS2 = 0x08
_ONLY_SEPTETS = b"\x00\x02\x11"  # @, $ and _ in GSM 03.38: ids have them, and in ASCII these octets are no text


def interpret(body: wire.DeliverSm | wire.DataSm, options: LinkOptions) -> Receipt | Segment:
    """What has arrived. Total: whatever the carrier sends is one of the two."""
    data, place, header_octets = _user_data(body)
    alphabet = _alphabet(body.data_coding, data, options)
    if alphabet is Alphabet.GSM_PACKED:
        alphabet, data = Alphabet.GSM, unpack(data, fill_bits(header_octets))
    source = Address(body.source_addr, body.source_addr_ton, body.source_addr_npi).number()
    destination = Address(body.destination_addr, body.dest_addr_ton, body.dest_addr_npi).number()
    marked = body.esm_class & wire.ESM_TYPE_MASK in {wire.ESM_RECEIPT, wire.ESM_INTERMEDIATE}
    if marked or options.receipts_by_text:
        text = _receipt_text(data, alphabet)
        if marked or is_receipt_text(text):
            return _receipt(body, text, source, destination, options)
    sent_at = absolute_time(body.schedule_delivery_time) if isinstance(body, wire.DeliverSm) else None
    return Segment(source, destination, alphabet, data, _fingerprint(body), place, sent_at)


def text_of(joined: Joined, source_id: str, *, may_repeat: bool = False) -> InboundText:
    """The text that ``joined`` segments make."""
    first = joined.segments[0]
    body = joined.body
    parts = None
    if first.place is not None and first.place.total > 1:
        present = tuple(segment.place.index for segment in joined.segments if segment.place)
        parts = Parts(first.place.reference, first.place.total, present)
    damaged = REPLACEMENT in body or any(segment.alphabet is None for segment in joined.segments)
    return InboundText(
        source=first.source,
        destination=first.destination,
        body=body,
        source_id=source_id,
        fingerprint=fingerprint_of(joined),
        smsc_time=first.sent_at,
        unreadable=damaged or not body.strip(),
        parts=parts,
        may_repeat=may_repeat,
    )


def fingerprint_of(joined: Joined) -> str:
    """Digest of a text, the same whenever its segments are the same."""
    if len(joined.segments) == 1:
        return joined.segments[0].fingerprint
    return _digest(*(segment.fingerprint.encode() for segment in joined.segments))


def _payload(body: wire.DeliverSm | wire.DataSm) -> bytes:
    """SMPP 3.4 section 5.3.2.32: message_payload stands in for short_message."""
    short = body.short_message if isinstance(body, wire.DeliverSm) else b""
    return short or wire.tlv(body.tlvs, wire.TAG_MESSAGE_PAYLOAD) or b""


def _user_data(body: wire.DeliverSm | wire.DataSm) -> tuple[bytes, Concatenation | None, int]:
    """User data without its header, the place in a long text, and the octets that the header took."""
    data = _payload(body)
    if body.esm_class & wire.ESM_UDHI:
        place, length = parse_header(data)
        return data[length:], place, length
    reference = wire.tlv_int(body.tlvs, wire.TAG_SAR_REFERENCE)
    total = wire.tlv_int(body.tlvs, wire.TAG_SAR_TOTAL)
    index = wire.tlv_int(body.tlvs, wire.TAG_SAR_INDEX)
    if reference is None or total is None or index is None or not 1 <= index <= total <= 255:
        return data, None, 0
    return data, Concatenation(reference, total, index), 0


def _alphabet(data_coding: int, data: bytes, options: LinkOptions) -> Alphabet | None:
    """The alphabet of ``data``; None for binary data. Unknown codings are tried as ASCII, which most of them contain,
    so that a STOP is understood; the rest shows as damaged."""
    known = {0: options.default_alphabet, _IA5: options.ia5_alphabet, _LATIN1: Alphabet.LATIN1, _UCS2: Alphabet.UCS2}
    if data_coding in known:
        return known[data_coding]
    if data_coding in _BINARY:
        return Alphabet.ASCII if data.isascii() and data.decode("ascii").isprintable() else None
    if data_coding >> 4 in {0x1, 0xC, 0xD, 0xE, 0xF}:
        return _by_group(data_coding, options.default_alphabet)
    return Alphabet.ASCII


def _by_group(data_coding: int, default: Alphabet) -> Alphabet | None:
    """The groups of 3GPP TS 23.038 section 4, which SMPP 3.4 section 5.2.19 passes through."""
    group = data_coding >> 4
    if group == 0xE:
        return Alphabet.UCS2
    if group in {0xC, 0xD}:
        return default
    if group == 0xF:
        return None if data_coding & 0x04 else default
    return {0: default, 1: None, 2: Alphabet.UCS2, 3: Alphabet.ASCII}[data_coding >> 2 & 3]


def _receipt_text(data: bytes, alphabet: Alphabet | None) -> str:
    """What a receipt says. Its own words are ASCII (SMPP 3.4 Appendix B), and carriers leave them so whatever data_coding
    stands beside them, or an id with @, $ or _ would be another; what it repeats of the text is in the text's alphabet."""
    if alphabet is Alphabet.UCS2:
        return decode(data, alphabet)
    data = data.rstrip(b"\0")  # some end it like a C string
    plain = decode(data, Alphabet.LATIN1)
    end = fields_end(plain)
    if alphabet is Alphabet.GSM and any(octet in _ONLY_SEPTETS for octet in data[:end]):
        return decode(data, alphabet)  # from a carrier that converts them
    return plain[:end] + (decode(data[end:], alphabet) if alphabet else "")


def _receipt(
    body: wire.DeliverSm | wire.DataSm, text: str, source: str, destination: str, options: LinkOptions
) -> Receipt:
    facts = ReceiptFacts(
        text=text,
        source=source,
        destination=destination,
        message_id=wire.tlv_string(body.tlvs, wire.TAG_RECEIPTED_MESSAGE_ID),
        message_state=wire.tlv_int(body.tlvs, wire.TAG_MESSAGE_STATE),
        network_error=wire.tlv(body.tlvs, wire.TAG_NETWORK_ERROR),
        user_reference=wire.tlv_int(body.tlvs, wire.TAG_USER_MESSAGE_REFERENCE),
    )
    return parse_receipt(facts, zone=options.receipt_zone, base=options.receipt_id_base)


def _fingerprint(body: wire.DeliverSm | wire.DataSm) -> str:
    """Of what the sender caused, so without sequence number and without what a carrier adds on the way."""
    sar = [wire.tlv(body.tlvs, tag) or b"" for tag in (wire.TAG_SAR_REFERENCE, wire.TAG_SAR_TOTAL, wire.TAG_SAR_INDEX)]
    return _digest(
        body.source_addr.encode(),
        body.destination_addr.encode(),
        bytes([body.esm_class, body.data_coding]),
        _payload(body),
        *sar,
    )


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).hexdigest()[:32]
