"""The tree of errors is the one that its docstring draws."""

from __future__ import annotations

import re

import pytest

from ari_app import errors

DRAWN = re.compile(r"^([│ ]*)[├└]── (\w+)(?: \((\w+)\))?", re.MULTILINE)


def drawn() -> dict[str, tuple[str, str | None]]:
    """Name -> (parent, builtin), as the docstring draws them."""
    assert errors.__doc__ is not None
    found: dict[str, tuple[str, str | None]] = {}
    parents = ["RingbackError"]
    for indent, name, builtin in DRAWN.findall(errors.__doc__):
        depth = len(indent) // 4
        del parents[depth + 1 :]
        found[name] = (parents[depth], builtin or None)
        parents.append(name)
    return found


def test_every_error_is_drawn_and_every_drawing_is_an_error() -> None:
    defined = {name for name, value in vars(errors).items() if isinstance(value, type) and name != "RingbackError"}
    assert set(drawn()) == defined


@pytest.mark.parametrize("name", sorted(drawn()))
def test_an_error_stands_where_it_is_drawn_and_is_what_a_caller_would_catch(name: str) -> None:
    parent, builtin = drawn()[name]
    kind = getattr(errors, name)
    assert issubclass(kind, getattr(errors, parent))
    if builtin is not None:
        assert issubclass(kind, __builtins__[builtin])  # type: ignore[index]


def test_errors_about_a_file_carry_it() -> None:
    damaged = errors.StoreDamagedError("/var/books.db", "malformed")
    assert (str(damaged), damaged.path, damaged.why) == ("/var/books.db: malformed", "/var/books.db", "malformed")
    newer = errors.StoreVersionError("/var/books.db", "written by a newer Ringback", "upgrade")
    assert str(newer) == "/var/books.db: written by a newer Ringback: upgrade"
    assert newer.path == "/var/books.db"
