"""Unpacking an Asterisk, from a Debian archive of our own making."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from ari_app.pbx.errors import AsteriskMissingError
from ari_app.pbx.private_root import PrivateRoot, build

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="private roots are for Debian and Ubuntu")

CONTROL = "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: us\nDepends: {depends}\nDescription: x\n"


def _package(archive: Path, name: str, version: str, depends: str, files: dict[str, int]) -> None:
    folder = archive / name
    (folder / "DEBIAN").mkdir(parents=True)
    control = CONTROL.format(name=name, version=version, depends=depends).replace("Depends: \n", "")
    (folder / "DEBIAN" / "control").write_text(control)
    for path, mode in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
        file.chmod(mode)
    subprocess.run(["dpkg-deb", "--build", str(folder), str(archive / f"{name}.deb")], check=True, capture_output=True)
    data = (archive / f"{name}.deb").read_bytes()
    entry = control + f"Filename: {name}.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    with gzip.open(archive / "Packages.gz", "ab") as index:
        index.write(entry.encode())


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A line of sources.list."""
    archive = tmp_path / "archive"
    archive.mkdir()
    _package(
        archive,
        "asterisk",
        "1:22.10.1-1",
        "libringing1",
        {
            "usr/sbin/asterisk": 0o755,
            "usr/sbin/useradd": 0o755,
            "usr/bin/su": 0o4755,
            "etc/shadow": 0o600,
            "usr/share/asterisk/documentation/core-en_US.xml": 0o644,
            "usr/share/doc/asterisk/copyright": 0o644,
        },
    )
    _package(archive, "libringing1", "1.0", "", {"usr/lib/helper": 0o4755, "usr/lib/libringing.so.1": 0o644})
    sounds = {"usr/share/asterisk/sounds/en_US_f_Allison/beep.gsm": 0o644}
    _package(archive, "asterisk-core-sounds-en-gsm", "1.6.1", "", sounds)
    return f"deb [trusted=yes] copy:{archive} ./"


def _build(tmp_path: Path, source: str, said: list[str]) -> PrivateRoot:
    return build(tmp_path / "cache" / "root", tmp_path / "cache" / ".apt", source=source, progress=said.append)


def test_a_root_holds_asterisk_and_its_libraries_and_nothing_that_could_be_abused(tmp_path: Path, source: str) -> None:
    said: list[str] = []
    root = _build(tmp_path, source, said)
    assert root.complete
    files = {str(path.relative_to(root.folder)) for path in root.folder.rglob("*") if path.is_file()}
    assert files == {
        "ringback-root.json",
        "usr/sbin/asterisk",
        "usr/lib/helper",
        "usr/lib/libringing.so.1",
        "usr/share/asterisk/documentation/core-en_US.xml",
        "usr/share/asterisk/sounds/en_US_f_Allison/beep.gsm",
    }
    assert (root.folder / "usr/share/asterisk/sounds/en/beep.gsm").read_text().endswith("beep.gsm")
    assert (root.folder / "usr/lib/helper").stat().st_mode & 0o6000 == 0
    assert said[:2] == ["fetching the package lists", "downloading Asterisk 1:22.10.1-1"]
    assert not (tmp_path / "cache" / ".apt").exists()


def test_a_root_that_is_there_is_taken_as_it_is(tmp_path: Path, source: str) -> None:
    _build(tmp_path, source, [])
    said: list[str] = []
    assert _build(tmp_path, source, said).complete
    assert said == []


def test_an_interrupted_build_leaves_no_root_and_the_next_one_ends_it(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def power_cut(_folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ari_app.pbx.private_root._prune", power_cut)
        with pytest.raises(KeyboardInterrupt):
            _build(tmp_path, source, [])
    assert not (tmp_path / "cache" / "root").exists()
    assert len(list((tmp_path / "cache" / ".apt" / "archives").glob("*.deb"))) == 3
    assert _build(tmp_path, source, []).complete


def test_a_damaged_package_is_named_and_fetched_again_the_next_time(tmp_path: Path, source: str) -> None:
    def damage(line: str) -> None:
        if line.startswith("downloading"):
            (tmp_path / "archive" / "libringing1.deb").write_bytes(b"\0" * 400)

    good = (tmp_path / "archive" / "libringing1.deb").read_bytes()
    with pytest.raises(AsteriskMissingError, match="could not be downloaded"):
        build(tmp_path / "cache" / "root", tmp_path / "cache" / ".apt", source=source, progress=damage)
    (tmp_path / "archive" / "libringing1.deb").write_bytes(good)
    assert _build(tmp_path, source, []).complete


def test_two_builders_of_one_root_wait_for_each_other(tmp_path: Path, source: str) -> None:
    said: list[str] = []
    threads = [threading.Thread(target=_build, args=(tmp_path, source, said)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said.count("fetching the package lists") == 1


def test_an_archive_without_asterisk_says_so(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "Packages").write_text("")
    with pytest.raises(AsteriskMissingError, match=r"no package asterisk|nothing of asterisk"):
        _build(tmp_path, f"deb [trusted=yes] copy:{archive} ./", [])


def test_an_archive_that_is_not_there_is_told_in_apts_words(tmp_path: Path) -> None:
    with pytest.raises(AsteriskMissingError, match="could not be fetched"):
        _build(tmp_path, f"deb [trusted=yes] copy:{tmp_path}/nowhere ./", [])
