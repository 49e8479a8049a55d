"""Events, effects, facts and leads as JSON values and back, exactly. Type names are part of the journal's format.

Dataclasses become objects, tagged with ``"type"`` where several may stand; datetimes ISO 8601 in UTC; enums their value;
tuples lists. What does not fit the declared type is refused with its path: a journal is never read approximately. A field that
was added after the first release (shapes.py) is written only where it is not what its default says.

Every text of every event passes through here several times, so the way of a type is worked out once and kept.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from ari_app.recovery.copying import made_of
from ari_app.recovery.shapes import added_to

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
T = TypeVar("T")
Writer = Callable[[Any], Json]
Reader = Callable[[Json], Any]

FORMAT = 1
"""Version of the encoding, stored with every event."""

_PLAIN = frozenset({type(None), bool, int, float, str})


class DecodeError(ValueError):
    """A stored value does not fit its type. path: where, such as ``lines.0.speaker``."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path or 'value'}: {why}")
        self.path, self.why = path, why


def require_format(version: int) -> None:
    """Raises DecodeError for an entry that another release wrote in a form that this one does not know."""
    if version != FORMAT:
        raise DecodeError("version", f"found {version}, this release reads {FORMAT}")


def encode(value: object) -> Json:
    """``value`` as JSON values. Raises TypeError for what the core never stores."""
    kind: Any = type(value)
    return _writer(kind)(value)


def decode(kind: Any, data: Json) -> Any:
    """The value of type ``kind`` (a dataclass, a union, ``tuple[X, ...]`` …) that ``data`` stands for.

    Fields that ``data`` lacks take their default, so that old entries stay readable. Raises DecodeError.
    """
    return _reader(kind)(data)


# ------------------------------------------------------------------------------------------------------------- writing
@cache
def _writer(kind: type) -> Writer:
    """How values of exactly this type are written."""
    if issubclass(kind, StrEnum):
        return str.__str__
    if issubclass(kind, datetime):
        return _write_datetime
    if issubclass(kind, tuple | list):
        return lambda value: [encode(item) for item in value]
    if issubclass(kind, bool | int | float | str | type(None)):
        return _write_plain
    if is_dataclass(kind):
        return _object_writer(kind)
    raise TypeError(f"cannot store {kind.__name__}")


def _write_plain(value: Json) -> Json:
    return value


@lru_cache(1024)  # a time stands in several entries and rows of its call
def _write_datetime(value: datetime) -> Json:
    if value.tzinfo is None:
        raise TypeError(f"a datetime without a zone is never stored: {value!r}")
    return value.astimezone(UTC).isoformat()


def _members(hint: Any) -> frozenset[Any]:
    """The types that a value of this one may have."""
    if isinstance(hint, NewType):
        return _members(hint.__supertype__)
    if get_origin(hint) in (Union, types.UnionType):
        return frozenset().union(*map(_members, get_args(hint)))
    return frozenset({hint})


def _object_writer(kind: Any) -> Writer:
    hints = get_type_hints(kind)
    names = tuple(field.name for field in fields(kind))
    rich = tuple(name for name in names if not _members(hints[name]) <= _PLAIN)
    added = tuple((field.name, field.default) for field in fields(kind) if field.name in added_to(kind.__name__))
    # All fields at one go; ``__class__`` keeps it a tuple where there are fewer than two.
    read = attrgetter("__class__", "__class__", *names)
    keys = ("type", "type", *names)
    tag = kind.__name__

    def write(value: object) -> Json:
        body: dict[str, Any] = dict(zip(keys, read(value), strict=True))
        body["type"] = tag
        for name, default in added:
            if body[name] == default:
                del body[name]
        for name in rich:
            item = body.get(name)
            if item is not None:
                body[name] = encode(item)
        return body

    return write


# ------------------------------------------------------------------------------------------------------------- reading
@cache
def _reader(kind: Any) -> Reader:
    """How values of this type are read. What it raises has a path from the value on; callers put theirs before it."""
    if isinstance(kind, NewType):
        return _reader(kind.__supertype__)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union_reader(get_args(kind))
    if origin is tuple:
        return _tuple_reader(get_args(kind)[0])
    if isinstance(kind, type) and is_dataclass(kind):
        return _object_reader(kind)
    if kind is datetime:
        return _read_datetime
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum_reader(kind)
    return _plain_reader(kind)


def _plain_reader(kind: type) -> Reader:
    def read(data: Json) -> Any:
        if type(data) is kind:
            return data
        if kind is float and type(data) is int:
            return float(data)
        raise DecodeError("", f"expected {kind.__name__}, found {type(data).__name__}")

    return read


def _read_datetime(data: Json) -> datetime:
    at = _instant(data) if isinstance(data, str) else None
    if at is None:
        raise DecodeError("", f"expected an ISO 8601 time with its zone, found {data!r}")
    return at


@lru_cache(1024)
def _instant(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo is None else at.astimezone(UTC)


def _enum_reader(kind: type[Enum]) -> Reader:
    def read(data: Json) -> Enum:
        try:
            return kind(data)
        except ValueError as error:
            raise DecodeError("", str(error)) from None

    return read


def _tuple_reader(item: Any) -> Reader:
    read_item = _reader(item)

    def read(data: Json) -> tuple[Any, ...]:
        if not isinstance(data, list):
            raise DecodeError("", f"expected a list, found {type(data).__name__}")
        index = 0
        try:
            items = []
            for index, entry in enumerate(data):  # noqa: B007 - the index of the one that does not fit
                items.append(read_item(entry))
        except DecodeError as error:
            raise _below(str(index), error) from None
        return tuple(items)

    return read


def _union_reader(members: tuple[Any, ...]) -> Reader:
    """Reads the member that an object names by its tag, or the only one that is no object."""
    optional = type(None) in members
    objects: list[Any] = [member for member in members if is_dataclass(member)]
    named = {member.__name__: _reader(member) for member in objects}
    others = [member for member in members if member is not type(None)]
    only = _reader(others[0]) if len(others) == 1 else None

    def read(data: Json) -> Any:
        if data is None and optional:
            return None
        if isinstance(data, dict):
            tag = data.get("type")
            reader = named.get(tag) if isinstance(tag, str) else None
            if reader is None:
                raise DecodeError("", f"unknown type {tag!r}")
            return reader(data)
        if only is None:
            raise DecodeError("", f"expected an object with a type, found {type(data).__name__}")
        return only(data)

    return read


def _object_reader(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in fields(kind)}
    plain = {name: _members(hints[name]) & _PLAIN for name in readers}  # a value of these is taken as it is
    make = made_of(kind)
    tag = kind.__name__

    def read(data: Json) -> Any:
        if not isinstance(data, dict):
            raise DecodeError("", f"expected an object, found {type(data).__name__}")
        if data.get("type") != tag:
            raise DecodeError("", f"expected type {tag}, found {data.get('type')!r}")
        values, name = {}, ""
        try:
            for name, item in data.items():
                if name != "type":
                    values[name] = item if type(item) in plain[name] else readers[name](item)
        except KeyError:
            raise DecodeError(name, f"unknown in {tag}") from None
        except DecodeError as error:
            raise _below(name, error) from None
        try:
            return make(values)
        except TypeError as error:
            raise DecodeError("", str(error)) from None

    return read


def _below(name: str, error: DecodeError) -> DecodeError:
    """The error of an inner value, told from the value that holds it under ``name``."""
    return DecodeError(f"{name}.{error.path}" if error.path else name, error.why)
