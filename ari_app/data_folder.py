"""The data folder: where the books and their copies are, and the lock that keeps a second Ringback out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from ari_app.errors import NotDoneError, StoreInUseError
from ari_app.ownership import give
from ari_app.runtime.nightly import BackupPlan
from ari_app.settings.loading import Settings

BOOKS = "ringback.db"


def database_path(settings: Settings) -> Path:
    """Where the books are."""
    return settings.data_folder / BOOKS


def socket_path(data_folder: Path) -> Path:
    """Where the control socket is."""
    return data_folder / "run" / "control.sock"


def backup_plan(settings: Settings) -> BackupPlan:
    """Where copies of the books go, and when."""
    section = settings.document.backup
    zone = ZoneInfo(settings.document.brokerage.time_zone)
    return BackupPlan(settings.data_folder / section.folder, section.keep, section.hour, zone)


def speech_folder(data_folder: Path) -> Path:
    """Where speech that was made before is kept; it is there afterwards. Raises OSError."""
    folder = data_folder / "speech"
    folder.mkdir(parents=True, exist_ok=True)
    give(folder, data_folder)
    return folder


def refuse_root(data_folder: Path, instead: str) -> None:
    """Before what writes there for long and in many places: sounds, speech, leads, Asterisk's own files. instead: the unit
    that does it as the right account.

    Raises NotDoneError for root, when the folder is another account's: that one could neither change nor read much of it.
    """
    try:
        owner = data_folder.stat().st_uid
    except FileNotFoundError:
        return
    if os.geteuid() != 0 or owner == 0:
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"the account {owner}"
    raise NotDoneError(
        f"{data_folder} belongs to {name}, who could not use what root makes there: 'systemctl enable --now {instead}', "
        f"or run this as {name}"
    )


@contextlib.contextmanager
def exclusive(data_folder: Path) -> Iterator[None]:
    """One Ringback for one data folder. Raises StoreInUseError."""
    folder = data_folder / "run"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "ringback.lock").open("a+") as file:
        give(folder, data_folder)
        give(folder / "ringback.lock", data_folder)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StoreInUseError(f"another Ringback runs with {data_folder} (pid {holder}): stop it first") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
