"""The account that Asterisk runs as: never root if it can be helped."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ari_app.pbx.apt import Progress

NAME = "asterisk"


@dataclass(frozen=True, slots=True)
class Account:
    """``switch`` is put before a command to run it as this account; empty when that is who we are already."""

    name: str
    uid: int
    gid: int
    switch: tuple[str, ...] = ()


def choose_account(reachable: Iterable[Path], progress: Progress) -> Account:
    """Who is to run Asterisk: we ourselves, or, when we are root, the system account ``asterisk``.

    The account is made when it is missing, as the distribution's package would. Root remains when that fails, or when
    the account could not get to one of the folders ``reachable``; ``progress`` then says why.
    """
    own = Account(_name(os.geteuid()), os.geteuid(), os.getegid())
    if own.uid != 0:
        return own
    try:
        entry = _ensure_entry()
    except (KeyError, OSError, subprocess.CalledProcessError) as error:
        progress(f"Asterisk will run as root: there is no account {NAME}, and none could be made ({error})")
        return own
    for path in reachable:
        barrier = _barrier(path, entry)
        if barrier is not None:
            progress(f"Asterisk will run as root: the account {NAME} may not enter {barrier}")
            return own
    if shutil.which("setpriv") is None:
        progress("Asterisk will run as root: setpriv (util-linux) is not here")
        return own
    switch = (
        *("setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"),
        *("--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"),
    )
    return Account(NAME, entry.pw_uid, entry.pw_gid, switch)


def _ensure_entry() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        group = ["--gid", NAME] if _has_group() else ["--user-group"]
        command = ["useradd", "--system", *group, "--home-dir", "/nonexistent", "--no-create-home"]
        command += ["--shell", "/usr/sbin/nologin", NAME]
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(NAME)


def _has_group() -> bool:
    try:
        grp.getgrnam(NAME)
    except KeyError:
        return False
    return True


def _barrier(path: Path, entry: pwd.struct_passwd) -> Path | None:
    """The first folder on the way to ``path`` that the account may not pass."""
    for folder in (*reversed(path.resolve().parents), path):
        try:
            status = folder.stat()
        except FileNotFoundError:
            return None
        if status.st_uid == entry.pw_uid:
            needed = stat.S_IXUSR
        elif status.st_gid == entry.pw_gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return folder
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
