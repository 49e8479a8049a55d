"""What root makes and gives away in folders where another account may have put links."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ari_app.pbx.errors import AsteriskFailedError
from ari_app.pbx.handing_over import give, open_plain, opened
from ari_app.pbx.lines import read_page

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give away what is not its own")

ACCOUNT = 54321
"""Nobody's."""


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder of root's that has nothing to do with Asterisk."""
    folder = tmp_path / "victim"
    (folder / "inside").mkdir(parents=True)
    (folder / "inside" / "shadow").write_text("secret")
    return folder


def owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def hand_over(base: Path, folder: Path) -> None:
    with opened(base, folder) as descriptor:
        give(descriptor, ACCOUNT, ACCOUNT)


@as_root
def test_a_folder_that_is_missing_is_made_and_given_with_all_that_is_in_it(tmp_path: Path) -> None:
    base = tmp_path / "var" / "pbx"
    hand_over(base, base / "spool")
    (base / "spool" / "voicemail" / "103").mkdir(parents=True)
    (base / "spool" / "voicemail" / "103" / "msg.txt").touch()
    hand_over(base, base / "spool")
    assert owners(base / "spool") == {ACCOUNT}
    assert base.stat().st_uid == 0


@as_root
@pytest.mark.parametrize("where", ["pbx/spool", "pbx/spool/recording"])
def test_root_refuses_a_folder_that_is_a_link_and_says_which(tmp_path: Path, victim: Path, where: str) -> None:
    link = tmp_path / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(victim)
    base = tmp_path / "pbx"
    with pytest.raises(AsteriskFailedError, match=f"^{link} is a link"):
        hand_over(base, base / "spool" / "recording")
    assert owners(victim) == {0}
    assert {path.name for path in victim.iterdir()} == {"inside"}, "nothing is made there either"


@as_root
def test_an_administrator_may_keep_all_of_it_on_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    base = tmp_path / "pbx"
    base.symlink_to(tmp_path / "disk")
    hand_over(base, base / "spool" / "recording")
    assert owners(tmp_path / "disk" / "spool" / "recording") == {ACCOUNT}
    assert (tmp_path / "disk").stat().st_uid == 0


@as_root
def test_links_inside_lead_nowhere(tmp_path: Path, victim: Path) -> None:
    base = tmp_path / "pbx"
    (base / "spool").mkdir(parents=True)
    (base / "spool" / "folder").symlink_to(victim)
    (base / "spool" / "file").symlink_to(victim / "inside" / "shadow")
    (base / "spool" / "nowhere").symlink_to(tmp_path / "gone")
    (base / "spool" / "second name").hardlink_to(victim / "inside" / "shadow")
    hand_over(base, base / "spool")
    assert owners(victim) == {0}


@as_root
def test_a_folder_that_becomes_a_link_while_it_is_being_given_leads_nowhere(tmp_path: Path, victim: Path) -> None:
    base = tmp_path / "pbx"
    with opened(base, base / "spool") as descriptor:
        (base / "spool").rename(base / "aside")
        (base / "spool").symlink_to(victim)
        give(descriptor, ACCOUNT, ACCOUNT)
    assert owners(victim) == {0}
    assert owners(base / "aside") == {ACCOUNT}


@as_root
def test_a_file_that_goes_away_meanwhile_is_nobodys_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, chown = tmp_path / "pbx", os.chown
    (base / "spool").mkdir(parents=True)
    (base / "spool" / "message").touch()

    def too_late(path: int | str, uid: int, gid: int, **options: bool | int) -> None:
        if path == "message":
            (base / "spool" / "message").unlink(missing_ok=True)
        chown(path, uid, gid, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "chown", too_late)
    hand_over(base, base / "spool")
    assert owners(base / "spool") == {ACCOUNT}


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "pbx").mkdir()
    (tmp_path / "pbx" / "spool").touch()
    with (
        pytest.raises(AsteriskFailedError, match="pbx/spool is no folder"),
        opened(tmp_path / "pbx", tmp_path / "pbx" / "spool" / "recording"),
    ):
        pass


def test_who_is_not_root_may_keep_a_folder_elsewhere(
    tmp_path: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tmp_path / "pbx").mkdir()
    (tmp_path / "pbx" / "spool").symlink_to(victim)
    with opened(tmp_path / "pbx", tmp_path / "pbx" / "spool" / "recording") as descriptor:
        assert os.path.samestat(os.fstat(descriptor), (victim / "recording").stat())


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_read_and_keeps_nobody_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "cel.csv")
    with pytest.raises(OSError, match=r"expected a file.*cel\.csv"):
        read_page(tmp_path / "cel.csv", 0, lambda line, _: line)


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "asterisk.pid").write_text("812\n")
    with open_plain(tmp_path / "asterisk.pid") as file:
        assert stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        assert file.read() == b"812\n"
