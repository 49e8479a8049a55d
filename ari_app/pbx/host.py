"""Finding an Asterisk to run: one on this machine, or one unpacked into a cache, never one installed behind your back.

In this order: the one that RINGBACK_ASTERISK names; an installed one; the package of this distribution; the package of
Debian's suite ``forky``, from the mirror in the machine's apt sources. The last two become a private root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ari_app.pbx.apt import AptWorkspace, Progress, debian_mirror, read_sources
from ari_app.pbx.errors import AsteriskMissingError
from ari_app.pbx.private_root import PrivateRoot, build

OLDEST = 18
"""The first major version that has all that the dialplan and ARI need of us."""

SUITE = "forky"
"""Debian 14, whose Asterisk is 22 LTS. A name and not ``testing``, so that it stays 22 when forky is released."""

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
"""Where programs for administrators are, besides PATH, which may not name them."""

SYSTEM_DATA = Path("/var/lib/asterisk")
"""Where an Asterisk that was built without a prefix keeps its documentation."""

_HOST = "host"
"""The cache folder of the distribution's own package."""


class HostKind(StrEnum):
    GIVEN = "given"
    INSTALLED = "installed"
    DISTRIBUTION = "distribution"
    DEBIAN = "debian"


@dataclass(frozen=True, slots=True, order=True)
class AsteriskVersion:
    """``22.10.1``: feature checks compare it with a plain ``AsteriskVersion(22, 8)``."""

    major: int
    minor: int = 0
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> AsteriskVersion:
        """From ``asterisk -V`` or a package version: ``Asterisk 22.10.1+dfsg``, ``1:22.10.1~dfsg-1``.

        Raises ValueError when there is no version in ``text``.
        """
        found = re.search(r"(?:^|[\s:/])(?:certified[/-])?(\d{1,3})\.(\d+)(?:\.(\d+))?", text)
        if found is None:
            raise ValueError(f"expected a version such as Asterisk 22.10.1, got {text[:60]!r}")
        return cls(int(found[1]), int(found[2]), int(found[3] or 0))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True, slots=True)
class AsteriskHost:
    """An Asterisk that can be run: ``command`` starts it, before any option.

    ``modules`` holds its ``.so`` files. ``data`` holds ``documentation`` (without which most modules refuse to load),
    ``rest-api`` and ``sounds``. ``root`` is the private root that it lives in, if it does.
    """

    kind: HostKind
    version: AsteriskVersion
    command: tuple[str, ...]
    modules: Path
    data: Path
    root: Path | None = None

    def has_module(self, name: str) -> bool:
        return (self.modules / f"{name}.so").is_file()


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where private roots are kept: the user's cache, and for root the machine's, which other accounts can read."""
    if chosen := environment.get("XDG_CACHE_HOME"):
        return Path(chosen) / "ringback" / "pbx"
    if os.geteuid() == 0:
        return Path("/var/cache/ringback/pbx")
    return Path(environment.get("HOME", "~")).expanduser() / ".cache" / "ringback" / "pbx"


def find_asterisk(
    *, progress: Progress, suite: str | None = None, environment: Mapping[str, str] = os.environ
) -> AsteriskHost:
    """The Asterisk to run, fetched if need be. ``suite`` asks for Debian's, from that suite, whatever else is here.

    What is here and cannot be used is passed over, with the reason told. Raises AsteriskMissingError that says what was tried.
    """
    if suite is not None and not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", suite):
        raise AsteriskMissingError(f"{suite!r} is no name of a Debian suite")
    passed_over: list[str] = []

    def pass_over(why: str) -> None:
        passed_over.append(why)
        progress(f"passed over: {why}")

    ready = find_ready(suite=suite, environment=environment, pass_over=pass_over)
    if ready is not None:
        return ready
    cache = cache_folder(environment)
    if suite is None:
        host = _distribution(progress, cache, pass_over)
        if host is not None:
            return host
    try:
        return _in_root(HostKind.DEBIAN, _from_debian(suite or SUITE, progress, cache, environment))
    except AsteriskMissingError as error:
        raise AsteriskMissingError("\n".join((str(error), *(f"passed over: {why}" for why in passed_over)))) from error


def find_ready(
    *,
    suite: str | None = None,
    environment: Mapping[str, str] = os.environ,
    pass_over: Progress = lambda why: None,
) -> AsteriskHost | None:
    """Like ``find_asterisk``, but fetches nothing: None when there is none yet.

    ``pass_over`` is told what is here and cannot be used, and why. What RINGBACK_ASTERISK names is never passed over.
    """
    cache = cache_folder(environment)
    roots: tuple[tuple[HostKind, PrivateRoot], ...]
    if suite is not None:
        roots = ((HostKind.DEBIAN, PrivateRoot(cache / suite)),)
    else:
        if given := environment.get("RINGBACK_ASTERISK"):
            return _given(Path(given))
        found = shutil.which("asterisk", path=os.pathsep.join((environment.get("PATH", ""), *SYSTEM_FOLDERS)))
        if found is not None:
            try:
                return _of_binary(HostKind.INSTALLED, Path(found))
            except AsteriskMissingError as error:
                pass_over(str(error))
        roots = (HostKind.DISTRIBUTION, PrivateRoot(cache / _HOST)), (HostKind.DEBIAN, PrivateRoot(cache / SUITE))
    for kind, root in roots:
        if root.complete:
            try:
                return _in_root(kind, root)
            except AsteriskMissingError as error:
                pass_over(str(error))
    return None


def _given(path: Path) -> AsteriskHost:
    if path.is_dir():
        root = PrivateRoot(path)
        if not root.binary.is_file():
            raise AsteriskMissingError(f"RINGBACK_ASTERISK={path} has no usr/sbin/asterisk in it")
        return _in_root(HostKind.GIVEN, root)
    try:
        return _of_binary(HostKind.GIVEN, path)
    except AsteriskMissingError as error:
        raise AsteriskMissingError(f"RINGBACK_ASTERISK={path}: {error}") from error


def _of_binary(kind: HostKind, binary: Path) -> AsteriskHost:
    """The installed Asterisk whose program is ``binary``. Raises AsteriskMissingError that says what it lacks."""
    version = _ask_version((str(binary),))
    if version is None or version.major < OLDEST:
        found = "" if version is None else f", but {version}"
        raise AsteriskMissingError(f"{binary} is no Asterisk {OLDEST} or newer{found}")
    prefix = binary.resolve().parent.parent
    modules = next((path for path in _module_folders(prefix) if (path / "res_ari.so").is_file()), None)
    if modules is None:
        raise AsteriskMissingError(f"{binary} is Asterisk {version} without its modules: no res_ari.so under {prefix}")
    data = next((path for path in (prefix / "share/asterisk", SYSTEM_DATA) if _is_data_folder(path)), None)
    if data is None:
        raise AsteriskMissingError(
            f"{binary} is Asterisk {version} without its documentation and rest-api folders: neither"
            f" {prefix / 'share/asterisk'} nor {SYSTEM_DATA} has them"
        )
    return AsteriskHost(kind, version, (str(binary),), modules, data)


def _module_folders(prefix: Path) -> list[Path]:
    fixed = [prefix / "lib/asterisk/modules", prefix / "lib64/asterisk/modules"]
    return [*sorted((prefix / "lib").glob("*-linux-gnu/asterisk/modules")), *fixed]


def _is_data_folder(path: Path) -> bool:
    return (path / "documentation").is_dir() and (path / "rest-api").is_dir()


def _in_root(kind: HostKind, root: PrivateRoot) -> AsteriskHost:
    command = root.command()
    version = _ask_version(command)
    modules = next((path for path in _module_folders(root.folder / "usr") if path.is_dir()), None)
    if version is None or modules is None:
        raise AsteriskMissingError(f"the Asterisk in {root.folder} does not run here: remove the folder and try again")
    return AsteriskHost(kind, version, command, modules, root.folder / "usr/share/asterisk", root.folder)


def _ask_version(command: tuple[str, ...]) -> AsteriskVersion | None:
    try:
        said = subprocess.run([*command, "-V"], capture_output=True, text=True, check=True, timeout=20).stdout
        return AsteriskVersion.parse(said)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _distribution(progress: Progress, cache: Path, pass_over: Progress) -> AsteriskHost | None:
    """This distribution's own package in a private root, when it has one that is new enough and can be had and run."""
    progress("no Asterisk that can be used is installed: asking this machine's apt sources for one")
    workspace = cache / f".{_HOST}.apt"
    try:
        apt = AptWorkspace(workspace, source=None, progress=progress)
        apt.update()
        version = apt.candidate("asterisk")
        if version is None or AsteriskVersion.parse(version).major < OLDEST:
            progress(f"  this distribution has {'none' if version is None else f'only {version}'}")
        else:
            root = build(cache / _HOST, workspace, source=None, progress=progress)
            return _in_root(HostKind.DISTRIBUTION, root)
    except (AsteriskMissingError, ValueError) as error:  # the latter for a version that is none
        pass_over(f"the package of this distribution: {error}")
    shutil.rmtree(workspace, ignore_errors=True)
    return None


def _from_debian(suite: str, progress: Progress, cache: Path, environment: Mapping[str, str]) -> PrivateRoot:
    mirror = debian_mirror(read_sources(), environment.get("RINGBACK_DEBIAN_MIRROR"))
    options = f"[signed-by={mirror.signed_by}] " if mirror.signed_by else ""
    progress(f"unpacking the Asterisk of Debian {suite} into {cache / suite} (once; 80 MB, 200 MB unpacked)")
    source = f"deb {options}{mirror.uri} {suite} main"
    return build(cache / suite, cache / f".{suite}.apt", source=source, progress=progress)
