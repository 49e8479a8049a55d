"""A private Asterisk: the package and its libraries unpacked into a folder of ours, and run by their own loader.

Nothing is installed: no root, no chroot, no mounts, no service, no file outside the folder. ``command`` starts the
program through the C library that came with it, so that the host's version of anything does not matter.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ari_app.pbx.apt import AptWorkspace, Progress
from ari_app.pbx.errors import AsteriskMissingError

PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm")
WHERE_SEPARATE = ("asterisk-voicemail",)
"""Part of the package asterisk in newer releases; older ones have it beside."""
_STAMP = "ringback-root.json"


@dataclass(frozen=True, slots=True)
class PrivateRoot:
    """An unpacked Asterisk: ``folder`` holds ``usr/sbin/asterisk`` and every library it loads."""

    folder: Path

    @property
    def complete(self) -> bool:
        """Whether it was unpacked to the end."""
        return (self.folder / _STAMP).is_file()

    @property
    def binary(self) -> Path:
        return self.folder / "usr/sbin/asterisk"

    @property
    def libraries(self) -> tuple[Path, ...]:
        """The folders of its shared libraries; older suites keep some outside ``usr`` or outside the triplet."""
        triplet = f"{platform.machine()}-linux-gnu"
        candidates = (f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib", "lib")
        return tuple(self.folder / name for name in candidates if (self.folder / name).is_dir())

    def command(self) -> tuple[str, ...]:
        """What runs the program: its own dynamic loader, told where its libraries are (ld.so(8)).

        Raises AsteriskMissingError when the folder holds no loader.
        """
        for folder in self.libraries:
            for loader in sorted(folder.glob("ld-linux*.so.*")):
                path = ":".join(str(each) for each in self.libraries)
                return (str(loader), "--inhibit-cache", "--library-path", path, str(self.binary))
        raise AsteriskMissingError(f"{self.folder} holds no dynamic loader: remove the folder, and it is made again")


def build(folder: Path, workspace: Path, *, source: str | None, progress: Progress) -> PrivateRoot:
    """Makes ``folder`` from the packages of ``source`` (a line of sources.list; None: the machine's own sources).

    Unpacks beside it and renames when complete. An interrupted run is taken up where it stopped: downloaded packages are
    kept in ``workspace`` until the end. Two builders of one folder wait for each other.
    Raises AsteriskMissingError with the words of apt or dpkg.
    """
    root = PrivateRoot(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.with_name(f".{folder.name}.lock")):
        if root.complete:
            return root
        progress("fetching the package lists")
        apt = AptWorkspace(workspace, source=source, progress=progress)
        apt.update()
        version = apt.candidate("asterisk")
        if version is None:
            raise AsteriskMissingError(f"there is no package asterisk in {source or 'the apt sources of this machine'}")
        progress(f"downloading Asterisk {version}")
        packages = apt.download(*PACKAGES, *(name for name in WHERE_SEPARATE if apt.candidate(name) is not None))
        draft = folder.with_name(f".{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for count, package in enumerate(packages, 1):
            _unpack(package, draft)
            if count % 40 == 0 or count == len(packages):
                progress(f"  {count} of {len(packages)} packages unpacked")
        _prune(draft)
        _speak_english(draft)
        stamp = {"asterisk": version, "packages": [path.name for path in packages]}
        (draft / _STAMP).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
        draft.chmod(0o755)
        if folder.exists():  # left by hand, or by a version of Ringback that knew no stamp
            shutil.rmtree(folder)
        draft.rename(folder)
        shutil.rmtree(workspace, ignore_errors=True)
        return root


def _unpack(package: Path, folder: Path) -> None:
    try:
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise AsteriskMissingError("dpkg-deb is not here: private roots need Debian or Ubuntu") from error
    except subprocess.CalledProcessError as error:
        package.unlink(missing_ok=True)  # so that the next run fetches it again
        raise AsteriskMissingError(f"{package.name} could not be unpacked: {error.stderr.strip()}") from error


def _prune(folder: Path) -> None:
    """Leaves Asterisk and its libraries: no other programs, least of all setuid ones, and no host configuration."""
    for name in ("bin", "sbin", "etc", "var", "usr/bin", "usr/include"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for parent, kept in (("usr/sbin", "asterisk"), ("usr/share", "asterisk")):
        for path in (folder / parent).iterdir():
            if path.name == kept:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mode & 0o6000:
            path.chmod(path.stat().st_mode & 0o777)


def _speak_english(folder: Path) -> None:
    """Names the voice ``en``, as the package's maintainer script would."""
    sounds = folder / "usr/share/asterisk/sounds"
    if not (sounds / "en").exists():
        (sounds / "en").symlink_to("en_US_f_Allison")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
