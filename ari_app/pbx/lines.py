"""Reading a file that Asterisk appends to, from where we were: whole lines only, and anew when the file was rotated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ari_app.pbx.handing_over import open_plain

T = TypeVar("T")

_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """What was new: ``rows`` in order, the ``offset`` to go on from, and how many lines could not be read.

    ``more`` says that there is more to read at once.
    """

    rows: tuple[T, ...]
    offset: int
    unreadable: int
    more: bool


def read_page(path: Path, offset: int, parse: Callable[[str, int], T]) -> Page[T]:
    """The lines from byte ``offset`` on, as ``parse(line, offset of the line)`` reads them (ValueError: unreadable).

    A last line without its end is left for the next time. A file shorter than ``offset`` has been rotated and is read
    from its beginning. No file yet is an empty page. Raises OSError.
    """
    try:
        with open_plain(path) as file:
            size = file.seek(0, 2)
            start = offset if offset <= size else 0
            file.seek(start)
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return Page((), 0, 0, more=False)
    whole = data[: data.rfind(b"\n") + 1]
    rows = []
    unreadable = 0
    at = start
    for line in whole.splitlines(keepends=True):
        try:
            rows.append(parse(line.decode("utf-8", "replace").rstrip("\r\n"), at))
        except ValueError:
            unreadable += 1
        at += len(line)
    return Page(tuple(rows), at, unreadable, more=at < size and bool(whole))
