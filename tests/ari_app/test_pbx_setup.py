"""The managed PBX: what its dialplan has to know while Ringback is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app import pbx_setup
from ari_app.pbx_setup import ManagedPbx, dialplan, pbx_folders
from tests.support import office
from tests.support.ports import free_port


def test_every_number_rings_its_group_as_long_as_its_rings_take(tmp_path: Path) -> None:
    settings = office.settings(
        tmp_path,
        ("_1305555010X: {source: Main line}", "_1305555010X: {source: Main line, rings: 5}"),
        ('"103": {name: C}', '"103": {name: C, voicemail: true}'),
    )
    plan = dialplan(settings)
    groups = {group.pattern: (group.phones, group.ring_seconds) for group in plan.ring_groups}
    assert groups["_1305555010X"] == (("101", "102"), 30)
    assert groups["13055550109"] == (("103",), 18)
    assert (plan.ring_seconds, plan.mailbox, plan.caller_number) == (18, "103", "+13055550199")


def test_without_a_mailbox_there_is_none(tmp_path: Path) -> None:
    settings = office.settings(tmp_path)
    assert dialplan(settings).mailbox is None
    assert pbx_folders(settings).base == tmp_path / "var" / "pbx"


def test_a_pbx_that_is_not_ours_or_does_not_run_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = office.settings(tmp_path)
    assert ManagedPbx.rewrite(ours, ours) is None, "it does not run"
    monkeypatch.setattr(pbx_setup, "find_ready", lambda: None)
    assert ManagedPbx.rewrite(ours, ours) is None, "there is none"
    theirs = office.settings(tmp_path, text=office.OFFICE + f"pbx: {{managed: false, http: {{port: {free_port()}}}}}\n")
    assert ManagedPbx.rewrite(theirs, theirs) is None
    assert not (tmp_path / "var" / "pbx").exists()
