"""How values stand in rows: times and JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import orjson

from ari_app.recovery.codec import Json, encode


@lru_cache(256)  # an event's time stands in a dozen columns
def stamp(at: datetime) -> str:
    """``at`` as text that sorts: UTC, always with microseconds."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(timespec="microseconds")


def instant(text: str) -> datetime:
    """The datetime that ``stamp`` wrote."""
    return datetime.fromisoformat(text)


def dump(value: object) -> str:
    """A value of the core as JSON text."""
    return orjson.dumps(encode(value)).decode()


def parse(text: str) -> Json:
    """JSON text as values."""
    value: Json = orjson.loads(text)
    return value
