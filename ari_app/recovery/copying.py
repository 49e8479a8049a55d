"""Frozen values made and changed quickly: those of dataclasses without slots, whose fields are set all at once.

A step of a lead makes several copies of its forty fields, and its row is read each time: the generated constructor sets field by
field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import replace as replace  # the type checker knows the fields of that one
else:

    def replace(value: Any, /, **changes: Any) -> Any:
        """A copy of ``value`` with these fields changed. Only for dataclasses without slots and ``__post_init__``.

        Raises TypeError for a field that there is none of.
        """
        kind = type(value)
        held = value.__dict__
        if not changes.keys() <= held.keys():
            unknown = next(name for name in changes if name not in held)
            raise TypeError(f"{kind.__name__} has no field {unknown!r}")
        copy = object.__new__(kind)
        copy.__dict__.update(held, **changes)
        return copy


def made_of(kind: Any) -> Callable[[dict[str, Any]], Any]:
    """What makes a value of a dataclass of its fields by their names, which are all its own; those that lack are as their
    defaults say. It raises TypeError where one lacks that has no default."""
    defaults = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    count = len(fields(kind))
    if "__slots__" in vars(kind) or hasattr(kind, "__post_init__"):
        return lambda values: kind(**values)

    def make(values: dict[str, Any]) -> Any:
        whole = defaults | values
        if len(whole) < count:
            return kind(**values)  # tells what lacks
        made = object.__new__(kind)
        made.__dict__.update(whole)
        return made

    return make
