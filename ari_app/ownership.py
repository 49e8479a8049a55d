"""Whose is what a command makes: root's shell works in the folders of the account that the service runs as."""

from __future__ import annotations

import os
from pathlib import Path


def give(path: Path, like: Path) -> None:
    """What root makes for the service belongs to the service: it could not write it otherwise."""
    if os.geteuid() == 0:
        owner = like.stat()
        # Whoever owns the folder may have put a link there meanwhile: what that leads to is not given away.
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
