"""Folders that we make and give to Asterisk's account. As root we are not led astray by what that account has put there.

Whoever owns a folder may replace what is in it by a link, also while we look. So each step is taken from the folder that is open
already, and the links that it finds are not followed: nothing outside can be given away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ari_app.pbx.errors import AsteriskFailedError


@contextlib.contextmanager
def opened(base: Path, folder: Path) -> Iterator[int]:
    """``folder`` (``base``, or one below it), made if it is missing: a descriptor, for ``dir_fd``.

    Root follows no link below ``base``; the way there, and ``base`` itself, Asterisk's account cannot change, and an
    administrator may have put it on another disk. Who is not root has nothing to give away. Raises AsteriskFailedError, OSError.
    """
    kind = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    root = os.geteuid() == 0
    base.mkdir(parents=True, exist_ok=True)
    way = base
    descriptor = os.open(way, kind)
    try:
        for name in folder.relative_to(base).parts:
            way /= name
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=descriptor)
            try:
                step = os.open(name, kind | (os.O_NOFOLLOW if root else 0), dir_fd=descriptor)
            except NotADirectoryError as error:
                raise AsteriskFailedError(_refusal(way)) from error
            os.close(descriptor)
            descriptor = step
        yield descriptor
    finally:
        os.close(descriptor)


def _refusal(path: Path) -> str:
    """What a person reads: where it is, and the mend."""
    if not path.is_symlink():
        return f"{path} is no folder: move it away, and it is made"
    return f"{path} is a link, which root does not follow here: Asterisk's account could have made it. Put a folder in its place"


def give(folder: int, uid: int, gid: int) -> None:
    """The open ``folder``, and the folders and files below it, belong to that account and group.

    Links stay whose they are, and so does a file of several names: one of them may be elsewhere.
    """
    for _, _, files, inside in os.fwalk(".", dir_fd=folder):
        os.chown(inside, uid, gid)
        for name in files:
            with contextlib.suppress(FileNotFoundError):  # who may write there may also take it away meanwhile
                found = os.stat(name, dir_fd=inside, follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
                    os.chown(name, uid, gid, dir_fd=inside, follow_symlinks=False)


def open_plain(path: Path) -> BinaryIO:
    """A file that another account may have put there, to read. Raises OSError, also for a pipe, which would keep us for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "expected a file, not a pipe or a directory", str(path))
