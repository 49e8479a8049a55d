"""SQLite's errors as ours: what was found, and what a person does about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ari_app.errors import StoreDamagedError, StoreUnavailableError

_PRIMARY = 0xFF
"""The low octet of an extended result code (https://sqlite.org/rescode.html)."""

_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "another process holds it locked: end that one (a sqlite3 shell, a copy under way)",
    sqlite3.SQLITE_LOCKED: "another statement holds a table of it locked",
    sqlite3.SQLITE_READONLY: "make file and folder writable for the user that Ringback runs as",
    sqlite3.SQLITE_PERM: "make file and folder readable and writable for the user that Ringback runs as",
    sqlite3.SQLITE_CANTOPEN: "make file and folder readable and writable for the user that Ringback runs as",
    sqlite3.SQLITE_IOERR: "the disk fails: look into the kernel's log",
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_NOMEM: "the machine is out of memory",
    sqlite3.SQLITE_PROTOCOL: "another process holds it locked: end that one",
}
RESTORE = "stop Ringback, and 'ringback restore' puts the last good backup in its place"
_DAMAGED = {
    sqlite3.SQLITE_CORRUPT: RESTORE,
    sqlite3.SQLITE_NOTADB: f"it is no database: {RESTORE}",
}


def translated(error: sqlite3.Error, path: Path) -> StoreUnavailableError | StoreDamagedError | None:
    """What the world did to the file at ``path``; None when the error is a defect of the statement that raised it."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    if (mend := _DAMAGED.get(code & _PRIMARY)) is not None:
        return StoreDamagedError(str(path), f"{error}: {mend}")
    if (mend := _UNAVAILABLE.get(code & _PRIMARY)) is not None:
        return StoreUnavailableError(f"{path}: {error}: {mend}")
    return None
