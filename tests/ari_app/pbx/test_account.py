"""Who runs Asterisk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ari_app.pbx.account import choose_account


@pytest.mark.skipif(os.geteuid() == 0, reason="for those who are not root")
def test_whoever_is_not_root_runs_it_himself(tmp_path: Path) -> None:
    account = choose_account([tmp_path], print)
    assert (account.uid, account.switch) == (os.geteuid(), ())


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be somebody else")
def test_root_hands_it_to_the_account_asterisk_without_rights_to_gain_more() -> None:
    account = choose_account([Path("/usr/lib")], print)
    assert account.name == "asterisk"
    assert account.uid != 0
    assert {"--no-new-privs", "--clear-groups", "--bounding-set=-all"} <= set(account.switch)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be somebody else")
def test_root_remains_where_the_account_could_not_enter_and_says_where(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    said: list[str] = []
    account = choose_account([closed / "pbx"], said.append)
    assert account.uid == 0
    assert len(said) == 1
    assert "may not enter" in said[0]
