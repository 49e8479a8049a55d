"""Events, effects, facts and leads as JSON values and back, exactly. Type names are part of the journal's format.

Dataclasses become objects, tagged with ``"type"`` where several may stand; datetimes ISO 8601 in UTC; enums their value;
tuples lists. What does not fit the declared type is refused with its path: a journal is never read approximately.
"""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
T = TypeVar("T")

FORMAT = 1
"""Version of the encoding, stored with every event."""


class DecodeError(ValueError):
    """A stored value does not fit its type. path: where, such as ``lines.0.speaker``."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path or 'value'}: {why}")
        self.path, self.why = path, why


def encode(value: object) -> Json:
    """``value`` as JSON values. Raises TypeError for what the core never stores."""
    match value:
        case None | bool() | int() | float() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            raw = value.value
            assert isinstance(raw, str)
            return raw
        case datetime():
            if value.tzinfo is None:
                raise TypeError(f"a datetime without a zone is never stored: {value!r}")
            return value.astimezone(UTC).isoformat()
        case tuple() | list():
            return [encode(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            body: dict[str, Json] = {"type": type(value).__name__}
            body.update({field.name: encode(getattr(value, field.name)) for field in fields(value)})
            return body
        case _:
            raise TypeError(f"cannot store {type(value).__name__}")


def decode(kind: Any, data: Json, path: str = "") -> Any:
    """The value of type ``kind`` (a dataclass, a union, ``tuple[X, ...]`` …) that ``data`` stands for.

    Fields that ``data`` lacks take their default, so that old entries stay readable. Raises DecodeError.
    """
    if isinstance(kind, NewType):
        return decode(kind.__supertype__, data, path)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(kind), data, path)
    if origin is tuple:
        if not isinstance(data, list):
            raise DecodeError(path, f"expected a list, found {type(data).__name__}")
        item = get_args(kind)[0]
        return tuple(decode(item, entry, _join(path, str(index))) for index, entry in enumerate(data))
    if isinstance(kind, type) and is_dataclass(kind):
        return _decode_object(kind, data, path)
    return _decode_plain(kind, data, path)


def _decode_plain(kind: Any, data: Json, path: str) -> object:
    if kind is datetime:
        try:
            at = datetime.fromisoformat(data) if isinstance(data, str) else None
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise DecodeError(path, f"expected an ISO 8601 time with its zone, found {data!r}")
        return at.astimezone(UTC)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(data)
        except ValueError as error:
            raise DecodeError(path, str(error)) from None
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if kind is types.NoneType:
        kind = type(None)
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise DecodeError(path, f"expected {kind.__name__}, found {type(data).__name__}")
    return data


def _decode_union(members: tuple[Any, ...], data: Json, path: str) -> object:
    """The member that ``data`` names by its tag, or the first that takes it."""
    if data is None and type(None) in members:
        return None
    if isinstance(data, dict):
        named = next((member for member in members if getattr(member, "__name__", None) == data.get("type")), None)
        if named is None:
            raise DecodeError(path, f"unknown type {data.get('type')!r}")
        return decode(named, data, path)
    members = tuple(member for member in members if member is not type(None))
    if len(members) != 1:
        raise DecodeError(path, f"expected an object with a type, found {type(data).__name__}")
    return decode(members[0], data, path)


def _decode_object(kind: type, data: Json, path: str) -> object:
    if not isinstance(data, dict):
        raise DecodeError(path, f"expected an object, found {type(data).__name__}")
    if data.get("type") != kind.__name__:
        raise DecodeError(path, f"expected type {kind.__name__}, found {data.get('type')!r}")
    hints = _hints(kind)
    unknown = sorted(data.keys() - hints.keys() - {"type"})
    if unknown:
        raise DecodeError(_join(path, unknown[0]), f"unknown in {kind.__name__}")
    try:
        return kind(**{name: decode(hints[name], data[name], _join(path, name)) for name in hints if name in data})
    except TypeError as error:
        raise DecodeError(path, str(error)) from None


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
