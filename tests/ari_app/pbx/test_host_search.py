"""The order in which an Asterisk is looked for, and what is passed over. Programs that only answer ``-V``, and an apt of ours."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ari_app.pbx import host
from ari_app.pbx.errors import AsteriskMissingError
from ari_app.pbx.host import AsteriskVersion, HostKind, find_asterisk, find_ready

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="private roots are for Debian and Ubuntu")

APT_GET = """\
#!/bin/sh
# The distribution's sources are those of the machine; Debian's come with a list of their own.
origin=distribution
grep -q sourcelist "$APT_CONFIG" && origin=debian
echo "$origin $*" >>{folder}/asked
[ -e {folder}/$origin/unreachable ] && {{ echo "E: no route to $origin"; exit 100; }}
case "$*" in *install*)
  [ -e {folder}/$origin/broken ] && {{ echo "E: unmet dependencies in $origin"; exit 100; }}
  cp {folder}/$origin/*.deb "$(sed -n 's/^Dir::Cache::archives "\\(.*\\)";/\\1/p' "$APT_CONFIG")"
esac
exit 0
"""
APT_CACHE = """\
#!/bin/sh
origin=distribution
grep -q sourcelist "$APT_CONFIG" && origin=debian
[ "$2" = asterisk ] && [ -e {folder}/$origin/version ] && echo "  Candidate: $(cat {folder}/$origin/version)"
exit 0
"""
LOADER = '#!/bin/sh\nshift 3\nexec "$@"\n'  # --inhibit-cache --library-path PATHS PROGRAM


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


class Machine:
    """What is installed, and what its package sources have. said: what the search told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        for origin in ("distribution", "debian"):
            (folder / origin).mkdir()
        program(folder / "bin" / "apt-get", APT_GET.format(folder=folder))
        program(folder / "bin" / "apt-cache", APT_CACHE.format(folder=folder))
        self.environment = {
            "PATH": str(folder / "installed" / "sbin"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "RINGBACK_DEBIAN_MIRROR": "http://mirror.example/debian",
        }

    def install(self, version: str, *, modules: bool = True, data: bool = True) -> Path:
        """An Asterisk of somebody else's."""
        prefix = self.folder / "installed"
        program(prefix / "sbin" / "asterisk", f"#!/bin/sh\necho 'Asterisk {version}'\n")
        if modules:
            program(prefix / "lib/asterisk/modules/res_ari.so", "")
        if data:
            for part in ("documentation", "rest-api"):
                (prefix / "share/asterisk" / part).mkdir(parents=True)
        return prefix / "sbin" / "asterisk"

    def offer(self, origin: str, version: str, *, runs: bool = True) -> None:
        """A package in the sources of ``origin``."""
        (self.folder / origin / "version").write_text(f"1:{version}~dfsg-1\n")
        root = self.folder / f"{origin}-package"
        program(
            root / "usr/sbin/asterisk", f"#!/bin/sh\necho 'Asterisk {version}'\n" if runs else "#!/bin/sh\nexit 1\n"
        )
        triplet = f"{platform.machine()}-linux-gnu"
        program(root / f"usr/lib/{triplet}/ld-linux-test.so.2", LOADER)
        program(root / f"usr/lib/{triplet}/asterisk/modules/res_ari.so", "")
        program(root / "usr/share/asterisk/sounds/en_US_f_Allison/beep.gsm", "")
        control = f"Package: asterisk\nVersion: 1:{version}\nArchitecture: all\nMaintainer: us\nDescription: x\n"
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN" / "control").write_text(control)
        command = ["dpkg-deb", "--build", str(root), str(self.folder / origin / "asterisk.deb")]
        subprocess.run(command, check=True, capture_output=True)

    def spoil(self, origin: str, how: str) -> None:
        """``unreachable``: its lists cannot be had. ``broken``: its packages cannot."""
        (self.folder / origin / how).touch()

    def find(self) -> tuple[HostKind, AsteriskVersion]:
        found = find_asterisk(progress=self.said.append, environment=self.environment)
        assert find_ready(environment=self.environment) == found, "and the next search fetches nothing"
        return found.kind, found.version

    def asked(self) -> list[str]:
        """Whom apt was sent to, in order."""
        log = self.folder / "asked"
        return list(dict.fromkeys(line.split()[0] for line in log.read_text().splitlines())) if log.exists() else []

    @property
    def passed_over(self) -> list[str]:
        return [line.removeprefix("passed over: ") for line in self.said if line.startswith("passed over")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(host, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(host, "SYSTEM_DATA", tmp_path / "nowhere")
    return found


def test_an_installed_asterisk_is_taken_and_no_package_source_is_asked(machine: Machine) -> None:
    machine.install("20.6.0")
    machine.offer("distribution", "22.1.0")
    assert machine.find() == (HostKind.INSTALLED, AsteriskVersion(20, 6))
    assert machine.asked() == []


def test_then_comes_the_distribution_and_debian_is_not_asked(machine: Machine) -> None:
    machine.offer("distribution", "20.1.0")
    machine.offer("debian", "22.10.1")
    assert machine.find() == (HostKind.DISTRIBUTION, AsteriskVersion(20, 1))
    assert machine.asked() == ["distribution"]
    assert machine.passed_over == []


@pytest.mark.parametrize("version", [None, "16.28.0"])
def test_then_comes_debian_where_the_distribution_has_none_that_is_new_enough(
    machine: Machine, version: str | None
) -> None:
    if version is not None:
        machine.offer("distribution", version)
    machine.offer("debian", "22.10.1")
    assert machine.find() == (HostKind.DEBIAN, AsteriskVersion(22, 10, 1))
    assert machine.asked() == ["distribution", "debian"]
    assert f"  this distribution has {f'only 1:{version}~dfsg-1' if version else 'none'}" in machine.said


@pytest.mark.parametrize(
    ("install", "reason"),
    [
        (lambda machine: machine.install("16.28.0"), "is no Asterisk 18 or newer, but 16.28.0"),
        (lambda machine: machine.install("GIT-abc"), "is no Asterisk 18 or newer"),
        (
            lambda machine: machine.install("20.6.0", modules=False),
            "Asterisk 20.6.0 without its modules: no res_ari.so",
        ),
        (lambda machine: machine.install("20.6.0", data=False), "without its documentation and rest-api folders"),
    ],
)
def test_an_installed_one_that_cannot_be_used_is_passed_over_with_the_reason(
    machine: Machine, install: Callable[[Machine], Path], reason: str
) -> None:
    binary = install(machine)
    machine.offer("distribution", "20.1.0")
    assert machine.find() == (HostKind.DISTRIBUTION, AsteriskVersion(20, 1))
    [why] = machine.passed_over
    assert why.startswith(f"{binary} is ")
    assert reason in why


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda machine: machine.spoil("distribution", "unreachable"), "E: no route to distribution"),
        (lambda machine: machine.spoil("distribution", "broken"), "E: unmet dependencies in distribution"),
        (lambda machine: machine.offer("distribution", "20.1.0", runs=False), "does not run here"),
    ],
)
def test_a_package_of_the_distribution_that_cannot_be_had_or_run_is_passed_over_with_the_reason(
    machine: Machine, spoil: Callable[[Machine], None], reason: str
) -> None:
    spoil(machine)
    if not (machine.folder / "distribution" / "version").exists():
        machine.offer("distribution", "20.1.0")
    machine.offer("debian", "22.10.1")
    assert machine.find() == (HostKind.DEBIAN, AsteriskVersion(22, 10, 1))
    assert reason in machine.passed_over[0]
    assert not (machine.folder / "cache/ringback/pbx/.host.apt").exists(), "nothing is left of the attempt"


def test_where_nothing_can_be_had_the_error_names_all_that_was_passed_over(machine: Machine) -> None:
    machine.install("16.28.0")
    machine.spoil("distribution", "unreachable")
    machine.spoil("debian", "unreachable")
    with pytest.raises(AsteriskMissingError) as caught:
        machine.find()
    for word in ("no route to debian", "no Asterisk 18 or newer, but 16.28.0", "no route to distribution"):
        assert word in str(caught.value)


@pytest.mark.parametrize("lacking", ["modules", "data"])
def test_one_that_is_named_is_not_passed_over_however_much_it_lacks(machine: Machine, lacking: str) -> None:
    binary = machine.install("20.6.0", **{lacking: False})
    machine.environment["RINGBACK_ASTERISK"] = str(binary)
    machine.offer("distribution", "20.1.0")
    with pytest.raises(AsteriskMissingError, match=rf"RINGBACK_ASTERISK={binary}: .* without its"):
        machine.find()
    assert machine.asked() == []
