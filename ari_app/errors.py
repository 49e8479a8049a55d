"""Errors of the application.

RingbackError
├── StoreError
│   ├── StoreUnavailableError (OSError)   disk full, locked, read-only: nothing was written; try again
│   ├── StoreDamagedError (ValueError)    the file is no sound database: restore a backup
│   ├── StoreVersionError (ValueError)    the file is sound, and of another version than this program: upgrade
│   └── StoreInUseError (RuntimeError)    another Ringback has it: stop that one
└── NotDoneError (RuntimeError)           a person's command was refused; the sentence says why
"""

from __future__ import annotations


class RingbackError(Exception):
    """Root of the tree."""


class StoreError(RingbackError):
    """The database did not do what was asked; nothing of it was written."""


class StoreUnavailableError(StoreError, OSError):
    """The database cannot be written now. The same call may succeed later."""


class StoreDamagedError(StoreError, ValueError):
    """The file is not a sound database of ours. path: which file."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why = path, why


class StoreVersionError(StoreError, ValueError):
    """The tables are not those of this program. path: which file. found: the migration that tells."""

    def __init__(self, path: str, found: str, mend: str) -> None:
        super().__init__(f"{path}: {found}: {mend}")
        self.path, self.found = path, found


class StoreInUseError(StoreError, RuntimeError):
    """Another process holds the database."""


class NotDoneError(RingbackError, RuntimeError):
    """A person's command was refused."""
