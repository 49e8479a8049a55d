"""The kinds of field that PDUs are made of, read and written with exact errors. Pure.

Writing obeys the sizes of the standard. Reading takes any string that ends before the PDU does: what a carrier sends
too long is still readable, and a text is not lost for it.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from sms_gateway.errors import PduError
from sms_gateway.smpp.status import INVALID_LENGTH, INVALID_TLV_STREAM

Tlvs = tuple[tuple[int, bytes], ...]
"""Optional parameters in wire order: tag and raw value."""


class Cursor:
    """Where reading a PDU has come to."""

    __slots__ = ("at", "pdu")

    def __init__(self, pdu: bytes, at: int) -> None:
        self.pdu = pdu
        self.at = at

    def take(self, name: str, count: int) -> bytes:
        """The next ``count`` octets, as field ``name``. Raises PduError if there are fewer."""
        start, end = self.at, self.at + count
        if end > len(self.pdu):
            reason = f"{count} octets needed, {len(self.pdu) - start} left"
            raise PduError(name, reason, offset=start, status=INVALID_LENGTH)
        self.at = end
        return self.pdu[start:end]


class Field(Protocol):
    """One kind of field. ``name`` is the field's, for errors; both methods raise PduError."""

    def read(self, cursor: Cursor, name: str) -> Any:
        """The value at the cursor, which moves on."""
        ...

    def write(self, value: Any, name: str) -> bytes:
        """The octets of ``value``."""
        ...


class Octet:
    """A one-octet integer."""

    def read(self, cursor: Cursor, name: str) -> int:
        return cursor.take(name, 1)[0]

    def write(self, value: int, name: str) -> bytes:
        if not 0 <= value <= 0xFF:
            raise PduError(name, f"{value} does not fit into one octet")
        return value.to_bytes(1, "big")


class String:
    """A C-octet string of at most ``size`` octets with its NUL, SMPP 3.4 section 3.1.

    Read as Latin-1, so that no octet is refused; written as ASCII.
    """

    def __init__(self, size: int) -> None:
        self._size = size

    def read(self, cursor: Cursor, name: str) -> str:
        end = cursor.pdu.find(b"\0", cursor.at)
        if end < 0:
            raise PduError(name, "no NUL before the PDU ends", offset=cursor.at, status=INVALID_LENGTH)
        start, cursor.at = cursor.at, end + 1
        return cursor.pdu[start:end].decode("latin-1")

    def write(self, value: str, name: str) -> bytes:
        if not value.isascii() or "\0" in value:
            raise PduError(name, "only ASCII characters other than NUL can be sent")
        if len(value) >= self._size:
            raise PduError(name, f"{len(value)} characters, {self._size - 1} allowed")
        return value.encode("ascii") + b"\0"


class ShortMessage:
    """sm_length and short_message, SMPP 3.4 section 5.2.21."""

    def read(self, cursor: Cursor, name: str) -> bytes:
        return cursor.take(name, cursor.take("sm_length", 1)[0])

    def write(self, value: bytes, name: str) -> bytes:
        if len(value) > 254:
            raise PduError(name, f"{len(value)} octets, 254 allowed")
        return len(value).to_bytes(1, "big") + value


class OptionalParameters:
    """Tag, length, value, until the PDU ends, SMPP 3.4 section 3.2.4.1."""

    def read(self, cursor: Cursor, name: str) -> Tlvs:
        out: list[tuple[int, bytes]] = []
        while (left := len(cursor.pdu) - cursor.at) > 0:
            start = cursor.at
            if left < 4:
                raise PduError(name, f"4 octets needed, {left} left", offset=start, status=INVALID_TLV_STREAM)
            tag = int.from_bytes(cursor.pdu[start : start + 2], "big")
            length = int.from_bytes(cursor.pdu[start + 2 : start + 4], "big")
            if length > left - 4:
                reason = f"{length} octets needed, {left - 4} left"
                raise PduError(f"{name} 0x{tag:04X}", reason, offset=start, status=INVALID_TLV_STREAM)
            cursor.at = start + 4 + length
            out.append((tag, cursor.pdu[start + 4 : cursor.at]))
        return tuple(out)

    def write(self, value: Tlvs, name: str) -> bytes:
        out = b""
        for tag, octets in value:
            if not 0 <= tag <= 0xFFFF or len(octets) > 0xFFFF:
                raise PduError(f"{name} 0x{tag:04X}", f"tag or length of {len(octets)} beyond 16 bits")
            out += tag.to_bytes(2, "big") + len(octets).to_bytes(2, "big") + octets
        return out


# As annotations of a PDU's attributes: the type to Python, the field to the wire.
OctetField = Annotated[int, Octet()]
ShortMessageField = Annotated[bytes, ShortMessage()]
TlvsField = Annotated[Tlvs, OptionalParameters()]
String6 = Annotated[str, String(6)]
String13 = Annotated[str, String(13)]
String16 = Annotated[str, String(16)]
String17 = Annotated[str, String(17)]
String21 = Annotated[str, String(21)]
String41 = Annotated[str, String(41)]
String64 = Annotated[str, String(64)]
String65 = Annotated[str, String(65)]
