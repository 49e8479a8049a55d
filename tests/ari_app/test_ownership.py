"""Root's shell beside a service that is another account: the service finds what it can use, or root is told what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ari_app.cli import pbx_commands
from ari_app.data_folder import refuse_root, speech_folder
from ari_app.errors import NotDoneError
from ari_app.ownership import give
from ari_app.settings.secrets import SecretStore
from ari_app.store.db import prepare
from tests.ari_app.cli.ringback import Ringback
from tests.support import office

SERVICE = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can lock others out")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder as scripts/install leaves it: the service's, and empty."""
    folder = tmp_path / "var"
    folder.mkdir(mode=0o750)
    os.chown(folder, SERVICE, SERVICE)
    return folder


@pytest.fixture
def ringback(data: Path, tmp_path: Path) -> Ringback:
    office.settings(tmp_path)
    return Ringback(tmp_path / "ringback.yaml")


def owners(folder: Path) -> dict[str, tuple[int, int]]:
    found = [(path, path.stat()) for path in folder.rglob("*")]
    return {str(path.relative_to(folder)): (status.st_uid, status.st_gid) for path, status in found}


def test_secrets_books_and_speech_that_root_makes_are_the_services(data: Path) -> None:
    SecretStore(data / "secrets", data).resolve("ari", None)
    prepare(data / "ringback.db")
    speech_folder(data)
    assert owners(data) == dict.fromkeys(("secrets", "secrets/ari", "ringback.db", "speech"), (SERVICE, SERVICE))


def test_a_folder_that_root_has_kept_from_the_service_is_given_back(data: Path) -> None:
    (data / "secrets").mkdir(mode=0o700)
    SecretStore(data / "secrets", data).resolve("ari", None)
    assert owners(data) == dict.fromkeys(("secrets", "secrets/ari"), (SERVICE, SERVICE))


def test_commands_before_the_first_start_leave_the_service_its_files(ringback: Ringback, data: Path) -> None:
    people = data.parent / "people.csv"
    people.write_text("number,name\n3055550142,Desk\n")
    ringback("doctor")
    assert "secrets/ari" in owners(data)
    assert ringback("people", "import", str(people)).exit_code == 0
    assert "ringback.db" in owners(data)
    assert set(owners(data).values()) == {(SERVICE, SERVICE)}


def test_a_link_in_the_place_of_what_was_made_gives_nothing_else_away(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "shadow"
    other.touch()
    (data / "link").symlink_to(other)
    give(data / "link", data)
    assert other.stat().st_uid == 0


def test_root_does_not_serve_from_the_services_folder(ringback: Ringback, data: Path) -> None:
    result = ringback("run")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        f"ringback: {data} belongs to nobody, who could not use what root makes there: "
        "'systemctl enable --now ringback', or run this as nobody"
    )
    assert owners(data) == {}


def test_root_does_not_start_the_pbx_there(ringback: Ringback, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbx_commands, "find_ready", lambda: None)
    result = ringback("pbx", "up")
    assert result.exit_code == 1
    assert result.stderr.endswith("'systemctl enable --now ringback-pbx', or run this as nobody\n")
    assert owners(data) == {}


def test_an_account_without_a_name_is_told_by_its_number(data: Path) -> None:
    os.chown(data, 54321, 54321)
    with pytest.raises(NotDoneError, match="belongs to the account 54321"):
        refuse_root(data, "ringback")


def test_roots_own_folder_and_one_that_is_not_there_are_no_hindrance(tmp_path: Path) -> None:
    refuse_root(tmp_path, "ringback")
    refuse_root(tmp_path / "var", "ringback")
