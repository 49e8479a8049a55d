"""Asterisk's own account of every call: CDR and CEL rows, as ``cdr_custom.conf`` and ``cel_custom.conf`` write them.

It is written while Ringback is away, so it is what missed calls are caught up from, and what the journal is checked
against. The columns stand in ``docs/pbx.md``.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ari_app.pbx.lines import Page, read_page

_CDR_COLUMNS = (18,)
_CEL_COLUMNS = (12, 14)


@dataclass(frozen=True, slots=True)
class CdrRow:
    """One leg's record. ``answer`` is None when nobody answered; ``disposition`` is ANSWERED, NO ANSWER, BUSY, FAILED or
    CONGESTION. ``userfield`` begins with ``away`` when the dialplan handled the call without us, and then tells how:
    ``away:NOANSWER``. A notice or mailbox counts as ANSWERED: look at ``userfield`` first."""

    linkedid: str
    uniqueid: str
    sequence: int
    start: datetime
    answer: datetime | None
    end: datetime
    seconds: int
    talk_seconds: int
    disposition: str
    source: str
    dialled: str
    context: str
    channel: str
    peer_channel: str
    last_application: str
    last_data: str
    userfield: str
    caller_id: str


@dataclass(frozen=True, slots=True)
class CelRow:
    """One event of one channel: CHAN_START, ANSWER, BRIDGE_ENTER, BRIDGE_EXIT, HANGUP, CHAN_END, LINKEDID_END and so on.

    ``extra`` is JSON: of HANGUP, the cause and who hung up. ``presentation``: whether the caller lets the number be shown, in
    Asterisk's words; ``did``: the number dialled, where the dialplan had to find it out. Both only stand in the ledger of a
    watched PBX, and are empty when the channel was gone already.
    """

    type: str
    at: datetime
    linkedid: str
    uniqueid: str
    channel: str
    number: str
    dialled: str
    context: str
    application: str
    data: str
    peer: str
    extra: str
    presentation: str = ""
    did: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a ledger that is renamed now and then: the file's inode, and the byte."""

    inode: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> Place:
        """From ``str(place)``. Raises ValueError."""
        inode, _, offset = text.partition(":")
        return cls(int(inode), int(offset))

    def __str__(self) -> str:
        return f"{self.inode}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Followed:
    """What was new in a ledger: rows with the place of each, and the place to go on from.

    unreadable: lines that could not be read. more: there is more to read at once. lost: the file in which we were is gone, or
    one that followed it was compressed before we came to it.
    """

    rows: tuple[tuple[Place, CelRow], ...]
    place: Place | None
    unreadable: int
    more: bool
    lost: bool = False


def follow_cel(path: Path, place: Place | None) -> Followed:
    """The events from ``place`` on, in the file that it was in however it is called now; None: from the beginning.

    A renamed ledger is read to its end, and then each that followed it, however often it was renamed meanwhile. Raises OSError.
    """
    inode = _inode(path)
    lost = False
    if place is not None and place.inode != inode:
        old = next((other for other in path.parent.iterdir() if other.is_file() and _inode(other) == place.inode), None)
        if old is not None:
            page = read_page(old, place.offset, _placed(place.inode))
            after, skipped = (None, False) if page.more else _following(path, old)
            goes_on = Place(place.inode, page.offset) if after is None else Place(after, 0)
            more = page.more or after is not None
            return Followed(page.rows, goes_on, page.unreadable, more=more, lost=skipped)
        lost, place = True, None
    if inode is None:
        return Followed((), None, 0, more=False, lost=lost)
    page = read_page(path, 0 if place is None else place.offset, _placed(inode))
    return Followed(page.rows, Place(inode, page.offset), page.unreadable, page.more, lost)


def generations(path: Path) -> list[Path]:
    """The ledger and what it was renamed to, in the order in which they were written. Raises OSError."""
    files = [other for other in path.parent.glob(f"{path.name}*") if other.is_file()] if path.parent.is_dir() else []
    written = {other: other.stat().st_mtime_ns for other in files}
    return sorted(files, key=lambda other: (other == path, written[other]))


def is_compressed(path: Path) -> bool:
    """What ``logrotate`` has made of an old one: it cannot be read any more."""
    return path.suffix in (".gz", ".bz2", ".xz", ".zst")


def _following(path: Path, old: Path) -> tuple[int | None, bool]:
    """The inode of what was written after ``old``, if there is something; and whether something between cannot be read."""
    known = generations(path)
    later = known[known.index(old) + 1 :] if old in known else [path]
    readable = [other for other in later if not is_compressed(other)]
    return (_inode(readable[0]) if readable else None), bool(readable) and readable[0] != later[0]


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _placed(inode: int) -> Callable[[str, int], tuple[Place, CelRow]]:
    return lambda line, offset: (Place(inode, offset), _cel(line, offset))


def read_cdr(path: Path, offset: int = 0) -> Page[CdrRow]:
    """The records from byte ``offset`` on. Raises OSError."""
    return read_page(path, offset, _cdr)


def read_cel(path: Path, offset: int = 0) -> Page[CelRow]:
    """The events from byte ``offset`` on. Raises OSError."""
    return read_page(path, offset, _cel)


def _cdr(line: str, _offset: int) -> CdrRow:
    linkedid, uniqueid, sequence, start, answer, end, seconds, talk, *rest = _columns(line, _CDR_COLUMNS)
    began = _moment(start)
    ended = _moment(end)
    if began is None or ended is None:
        raise ValueError("a record without its times")
    return CdrRow(linkedid, uniqueid, int(sequence), began, _moment(answer), ended, int(seconds), int(talk), *rest)


def _cel(line: str, _offset: int) -> CelRow:
    kind, time, *rest = _columns(line, _CEL_COLUMNS)
    at = _moment(time)
    if at is None:
        raise ValueError("an event without its time")
    return CelRow(kind, at, *rest)


def _columns(line: str, counts: tuple[int, ...]) -> list[str]:
    try:
        columns = next(csv.reader([line]), [])
    except csv.Error as error:  # a field of more than 131,072 characters
        raise ValueError(str(error)) from error
    if len(columns) not in counts:
        raise ValueError(f"expected {' or '.join(map(str, counts))} columns, got {len(columns)}")
    return columns


def _moment(text: str) -> datetime | None:
    """Unix seconds with a fraction; Asterisk writes nothing, or zero, for what did not happen."""
    seconds = float(text or 0)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (OverflowError, OSError) as error:
        raise ValueError(f"no time of this era: {text[:40]}") from error
