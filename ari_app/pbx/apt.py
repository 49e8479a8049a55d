"""Debian packages without installing them: a private apt workspace that downloads a package and all it depends on.

Owns the reading of the machine's apt sources and a workspace folder. Nothing outside that folder is written, no
maintainer script runs, and no rights are needed: the host's package database, services and ports stay as they are.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ari_app.pbx.errors import AsteriskMissingError

Progress = Callable[[str], None]
"""Takes one line for a person to read."""

APT_FOLDER = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True, slots=True)
class AptSource:
    """One mirror in the machine's apt sources."""

    uri: str
    suites: tuple[str, ...]
    signed_by: str | None = None


_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)")


def parse_one_line(text: str) -> list[AptSource]:
    """The ``deb`` lines of a ``sources.list`` (sources.list(5), one-line style); ``deb-src`` and comments are passed over."""
    sources = []
    for line in text.splitlines():
        found = _ONE_LINE.match(line.partition("#")[0].strip())
        if found is None:
            continue
        options = dict(item.partition("=")[::2] for item in (found["options"] or "").split())
        sources.append(AptSource(found["uri"], (found["suite"],), options.get("signed-by")))
    return sources


def parse_deb822(text: str) -> list[AptSource]:
    """The enabled ``deb`` stanzas of a ``.sources`` file (sources.list(5), deb822 style)."""
    sources = []
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                if name:
                    fields[name] += "\n" + line.strip()
                continue
            name, separator, value = line.partition(":")
            name = name.strip().lower() if separator else ""
            if name:
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0") or "deb" not in fields.get("types", "").split():
            continue
        key = fields.get("signed-by", "")
        signed_by = key if key.startswith("/") and "\n" not in key else None
        suites = tuple(fields.get("suites", "").split())
        sources += [AptSource(uri, suites, signed_by) for uri in fields.get("uris", "").split()]
    return sources


def read_sources(folder: Path = APT_FOLDER) -> list[AptSource]:
    """All the sources that apt itself would read from ``folder``, in its order."""
    sources = []
    main = folder / "sources.list"
    if main.is_file():
        sources += parse_one_line(main.read_text(encoding="utf-8", errors="replace"))
    parts = folder / "sources.list.d"
    for path in sorted(parts.iterdir()) if parts.is_dir() else ():
        text = path.read_text(encoding="utf-8", errors="replace") if path.suffix in (".list", ".sources") else ""
        sources += parse_deb822(text) if path.suffix == ".sources" else parse_one_line(text)
    return sources


def debian_mirror(sources: Iterable[AptSource], override: str | None) -> AptSource:
    """Where Debian itself (not its security archive, nor another distribution) can be had.

    ``override`` is the operator's RINGBACK_DEBIAN_MIRROR. Raises AsteriskMissingError when no source is a Debian mirror.
    """
    keyring = str(KEYRING) if KEYRING.exists() else None
    if override:
        return AptSource(override, (), keyring)
    for source in sources:
        path = source.uri.rstrip("/")
        if source.uri.startswith(("http://", "https://")) and path.endswith("/debian"):
            return AptSource(source.uri, source.suites, source.signed_by or keyring)
    raise AsteriskMissingError(
        "no Debian mirror stands in this machine's apt sources: set RINGBACK_DEBIAN_MIRROR to one, and install "
        "debian-archive-keyring so that its signature can be checked; or install Asterisk 18 or newer yourself"
    )


class AptWorkspace:
    """A folder with an apt of its own: its lists, its archives, an empty package database."""

    def __init__(self, folder: Path, *, source: str | None, progress: Progress) -> None:
        """``source`` is a line of sources.list; without one the machine's own sources are used."""
        self._folder = folder
        self._progress = progress
        self.archives = folder / "archives"
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        lines = [
            f'Dir::State::lists "{folder}/lists";',
            f'Dir::State::status "{folder}/status";',
            f'Dir::State::extended_states "{folder}/extended_states";',
            f'Dir::Cache::archives "{self.archives}";',
            'Dir::Cache::pkgcache "";',
            'Dir::Cache::srcpkgcache "";',
            f'Dir::Log "{folder}";',
            'APT::Sandbox::User "root";',  # the account _apt may have no way into this folder
            'APT::Install-Recommends "false";',
            'Acquire::Languages "none";',
        ]
        if source is not None:
            (folder / "sources.list").write_text(source + "\n", encoding="utf-8")
            (folder / "none").mkdir(exist_ok=True)
            lines += [
                f'Dir::Etc::sourcelist "{folder}/sources.list";',
                f'Dir::Etc::sourceparts "{folder}/none";',
                f'Dir::Etc::preferences "{folder}/none/preferences";',
                f'Dir::Etc::preferencesparts "{folder}/none";',
            ]
        self._configuration = folder / "apt.conf"
        self._configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def update(self) -> None:
        """Fetches the package lists. Raises AsteriskMissingError with apt's words."""
        self._run(["apt-get", "update", "-q"], "the package lists could not be fetched")

    def candidate(self, package: str) -> str | None:
        """The version that would be installed, if there is one."""
        text = self._run(["apt-cache", "policy", package], f"apt knows nothing of {package}")
        found = re.search(r"^\s*Candidate:\s*(\S+)", text, re.MULTILINE)
        return None if found is None or found[1] == "(none)" else found[1]

    def download(self, *packages: str) -> list[Path]:
        """The ``.deb`` files of ``packages`` and of all they depend on. What is there already is not fetched again."""
        command = ["apt-get", "-q", "-y", "--no-install-recommends", "--download-only", "install", *packages]
        self._run(command, f"{' and '.join(packages)} could not be downloaded", count="Get:")
        return sorted(self.archives.glob("*.deb"))

    def _run(self, command: list[str], failure: str, count: str = "") -> str:
        environment = {**os.environ, "APT_CONFIG": str(self._configuration), "DEBIAN_FRONTEND": "noninteractive"}
        environment["LC_ALL"] = "C"
        said: list[str] = []
        seen = 0
        try:
            with subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
            ) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    said.append(line.rstrip())
                    if count and line.startswith(count):
                        seen += 1
                        if seen % 20 == 0:
                            self._progress(f"  {seen} packages downloaded")
        except FileNotFoundError as error:
            raise AsteriskMissingError(f"{failure}: this machine has no {command[0]} (not Debian or Ubuntu)") from error
        if process.returncode != 0:
            raise AsteriskMissingError("\n".join((f"{failure}:", *(f"  {line}" for line in said[-8:]))))
        return "\n".join(said)
