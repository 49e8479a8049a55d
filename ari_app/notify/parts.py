"""Segments of long inbound texts, kept until their text is complete: each is acknowledged once it is here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime

import orjson

from ari_app.store import text_parts
from ari_app.store.stores import Store
from sms_gateway.encoding import Alphabet
from sms_gateway.reassembly import Segment
from sms_gateway.segments import Concatenation


class StoredParts:
    """Implements ``PartStore`` for one gateway."""

    def __init__(self, gateway: str, store: Store) -> None:
        self._gateway = gateway
        self._store = store

    async def keep(self, segment: Segment) -> None:
        key, body = _key(segment), _write(segment)
        await self._store.write(lambda db: text_parts.keep(db, self._gateway, key, body))

    async def discard(self, segments: Sequence[Segment]) -> None:
        keys = [_key(segment) for segment in segments]
        await self._store.write(lambda db: text_parts.discard(db, self._gateway, keys))

    async def kept(self) -> Sequence[Segment]:
        bodies = await self._store.read(lambda db: text_parts.kept(db, self._gateway))
        return [_read(body) for body in bodies]


def _key(segment: Segment) -> str:
    """The same for the same segment, brought again."""
    place = segment.place
    where = "" if place is None else f"{place.reference}:{place.total}:{place.index}"
    return f"{segment.source}>{segment.destination}:{where}:{segment.fingerprint}"


def _write(segment: Segment) -> str:
    place = segment.place
    return orjson.dumps(
        {
            "source": segment.source,
            "destination": segment.destination,
            "alphabet": None if segment.alphabet is None else segment.alphabet.value,
            "data": base64.b64encode(segment.data).decode(),
            "fingerprint": segment.fingerprint,
            "place": None if place is None else [place.reference, place.total, place.index],
            "sent_at": None if segment.sent_at is None else segment.sent_at.isoformat(),
        }
    ).decode()


def _read(body: str) -> Segment:
    data = orjson.loads(body)
    return Segment(
        source=data["source"],
        destination=data["destination"],
        alphabet=None if data["alphabet"] is None else Alphabet(data["alphabet"]),
        data=base64.b64decode(data["data"]),
        fingerprint=data["fingerprint"],
        place=None if data["place"] is None else Concatenation(*data["place"]),
        sent_at=None if data["sent_at"] is None else datetime.fromisoformat(data["sent_at"]),
    )
