"""Reading typed fields out of one JSON object, with the path to what is wrong in every error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

NO_TEXTS: Mapping[str, str] = MappingProxyType({})


class Fields:
    """One JSON object at ``path``. Every reader raises ValueError that names the field and what was expected."""

    __slots__ = ("_data", "_path")

    def __init__(self, data: Any, path: str = "") -> None:
        if type(data) is not dict:
            raise ValueError(f"{path or 'message'}: expected an object, got {_kind(data)}")
        self._data: dict[str, Any] = data
        self._path = path

    def text(self, name: str) -> str:
        value = self._data.get(name)
        return value if type(value) is str else self._wrong(name, "text")

    def text_or(self, name: str, default: str) -> str:
        value = self._data.get(name)
        if value is None:
            return default
        return value if type(value) is str else self._wrong(name, "text")

    def integer(self, name: str) -> int:
        value = self._data.get(name)
        return value if type(value) is int else self._wrong(name, "an integer")

    def integer_or(self, name: str, default: int | None) -> int | None:
        return default if self._data.get(name) is None else self.integer(name)

    def moment(self, name: str) -> datetime:
        """An ISO 8601 time with an offset, as aware UTC."""
        text = self.text(name)
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            parsed = None
        if parsed is None or parsed.tzinfo is None:
            raise ValueError(f"{self._path}{name}: expected a time with an offset, got {text[:40]!r}")
        return parsed.astimezone(UTC)

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._data.get(name)
        if type(value) is not list or not all(type(item) is str for item in value):
            self._wrong(name, "a list of texts")
        return tuple(value)

    def text_map(self, name: str) -> Mapping[str, str]:
        """An object whose values are texts; empty when there is none."""
        value = self._data.get(name)
        if not value:
            return NO_TEXTS
        if type(value) is not dict or not all(type(item) is str for item in value.values()):
            self._wrong(name, "an object of texts")
        return MappingProxyType(value)

    def part(self, name: str, read: Callable[[Fields], T]) -> T:
        """The object under ``name``, read by ``read``."""
        return read(Fields(self._data.get(name), f"{self._path}{name}."))

    def part_or_none(self, name: str, read: Callable[[Fields], T]) -> T | None:
        return None if self._data.get(name) is None else self.part(name, read)

    def _wrong(self, name: str, expected: str) -> NoReturn:
        got = _kind(self._data[name]) if name in self._data else "nothing"
        raise ValueError(f"{self._path}{name}: expected {expected}, got {got}")


def read_list(data: Any, read: Callable[[Fields], T]) -> tuple[T, ...]:
    """Every object of a JSON list. Raises ValueError."""
    if type(data) is not list:
        raise ValueError(f"expected a list, got {_kind(data)}")
    return tuple(read(Fields(item, f"[{index}].")) for index, item in enumerate(data))


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "an integer", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
