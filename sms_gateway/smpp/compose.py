"""From a text to the submit_sm PDUs that carry it on one link. Pure."""

from __future__ import annotations

import re
import zlib

from sms_gateway.encoding import Alphabet, alphabet_for, encode, pack, sanitise, septets
from sms_gateway.errors import TextInvalid
from sms_gateway.messages import Address, OutboundText, is_e164
from sms_gateway.segments import Concatenation, fill_bits, header, split
from sms_gateway.smpp.fields import Tlvs
from sms_gateway.smpp.options import LinkOptions, Segmentation
from sms_gateway.smpp.pdu import (
    ESM_UDHI,
    TAG_MESSAGE_PAYLOAD,
    TAG_SAR_INDEX,
    TAG_SAR_REFERENCE,
    TAG_SAR_TOTAL,
    TAG_USER_MESSAGE_REFERENCE,
    SubmitSm,
)
from sms_gateway.smpp.times import LONGEST_VALIDITY_SECONDS, relative_time

_DATA_CODING_UCS2 = 8  # SMPP 3.4 section 5.2.19
_SHORT_CODE = re.compile(r"[0-9]{3,8}")


def user_reference(reference: str) -> int:
    """The 16-bit user_message_reference that stands for a text's reference, SMPP 3.4 section 5.3.2.17."""
    return zlib.crc32(reference.encode("utf-8", "surrogatepass")) & 0xFFFF


def source_address(source: Address | str, options: LinkOptions) -> Address:
    """The sender as the carrier wants it: an exact address as it is, a number or name by its form and the options.

    Raises TextInvalid for what can be no sender.
    """
    if isinstance(source, Address):
        if len(source.digits) > 20 or not source.digits.isascii() or "\0" in source.digits:
            raise TextInvalid("the source is not 1 to 20 ASCII characters")  # SMPP 3.4 section 5.2.8
        if not (0 <= source.ton <= 255 and 0 <= source.npi <= 255):
            raise TextInvalid("TON or NPI of the source is not between 0 and 255")
        return source
    if is_e164(source):
        form = Address(source if options.keep_plus else source[1:], ton=1, npi=1)
    elif _SHORT_CODE.fullmatch(source):
        form = Address(source, ton=3, npi=0)
    elif len(source) <= 11 and source.isascii() and source.isprintable():
        form = Address(source, ton=5, npi=0)
    else:
        raise TextInvalid("the source is neither E.164, nor a short code, nor a name of at most 11 ASCII characters")
    ton = form.ton if options.source_ton is None else options.source_ton
    npi = form.npi if options.source_npi is None else options.source_npi
    return Address(form.digits, ton, npi)


def compose(text: OutboundText, options: LinkOptions, reference: int) -> list[SubmitSm]:
    """The submit_sm of every segment of ``text``, in order.

    reference: the number that joins the segments; must not come again soon for the same destination.

    Raises TextInvalid if the text is too long or an address does not fit.
    """
    body = sanitise(text.body)
    if not body.strip():
        raise TextInvalid("nothing is left of the body once invisible characters are taken out")
    alphabet = alphabet_for(body, options.default_alphabet)
    wide = options.segmentation is Segmentation.UDH16
    pieces = split(body, alphabet, header_octets=7 if wide else 6)
    if len(pieces) > options.max_segments:
        raise TextInvalid(f"the text takes {len(pieces)} segments, {options.max_segments} are allowed")
    if options.segmentation is Segmentation.PAYLOAD and len(pieces) > 1:
        return [_submit(text, options, alphabet, ((TAG_MESSAGE_PAYLOAD, encode(body, alphabet)),))]
    out = []
    for index, piece in enumerate(pieces, start=1):
        place = Concatenation(reference, len(pieces), index)
        if len(pieces) == 1:
            out.append(_submit(text, options, alphabet, (), encode(piece, alphabet)))
        elif options.segmentation is Segmentation.SAR:
            out.append(_submit(text, options, alphabet, _sar(place), encode(piece, alphabet)))
        else:
            data = _with_header(header(place, wide=wide), piece, alphabet)
            out.append(_submit(text, options, alphabet, (), data, ESM_UDHI))
    return out


def _with_header(head: bytes, piece: str, alphabet: Alphabet) -> bytes:
    codes = septets(piece) if alphabet is Alphabet.GSM_PACKED else None
    if codes is None:
        return head + encode(piece, alphabet)
    # Packed text begins at a septet boundary after the header, 3GPP TS 23.040 section 9.2.3.24.
    return head + pack(codes, fill_bits(len(head)))


def _sar(place: Concatenation) -> Tlvs:
    # At most 255, so that the carrier may turn it into an 8-bit header, for which the text was cut.
    return (
        (TAG_SAR_REFERENCE, (place.reference & 0xFF).to_bytes(2, "big")),
        (TAG_SAR_TOTAL, bytes([place.total])),
        (TAG_SAR_INDEX, bytes([place.index])),
    )


def _submit(
    text: OutboundText, options: LinkOptions, alphabet: Alphabet, tlvs: Tlvs, data: bytes = b"", esm_class: int = 0
) -> SubmitSm:
    source = source_address(text.source, options)
    if options.send_user_reference:
        tlvs = ((TAG_USER_MESSAGE_REFERENCE, user_reference(text.reference).to_bytes(2, "big")), *tlvs)
    seconds = options.validity_seconds if text.validity_seconds is None else text.validity_seconds
    if seconds is not None and not 1 <= seconds <= LONGEST_VALIDITY_SECONDS:
        raise TextInvalid(f"a validity of {seconds:g} s is not between 1 s and 63 weeks")
    return SubmitSm(
        source_addr_ton=source.ton,
        source_addr_npi=source.npi,
        source_addr=source.digits,
        dest_addr_ton=options.destination_ton,
        dest_addr_npi=options.destination_npi,
        destination_addr=text.destination if options.keep_plus else text.destination[1:],
        esm_class=esm_class,
        validity_period="" if seconds is None else relative_time(seconds),
        registered_delivery=options.registered_delivery,
        data_coding=_DATA_CODING_UCS2 if alphabet is Alphabet.UCS2 else options.data_coding_default,
        short_message=data,
        tlvs=tlvs,
    )
