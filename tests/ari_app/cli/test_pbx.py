"""``ringback pbx``: the managed PBX, found, rendered, started and stopped."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ari_app.cli import pbx_commands
from tests.ari_app.cli.ringback import Ringback
from tests.support import office
from tests.support.ports import free_port


@pytest.fixture
def managed() -> Iterator[Ringback]:
    """A brokerage whose PBX is ours, on free ports, in a folder that Asterisk's account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-cli-"))
    folder.chmod(0o711)
    rtp = 19000
    ports = (
        f"pbx: {{http: {{port: {free_port()}}}, ami: {{port: {free_port()}}},"
        f" sip: {{port: {free_port(socket.SOCK_DGRAM)}}}, rtp: {{first: {rtp}, last: {rtp + 99}}}}}\n"
    )
    office.settings(folder, text=office.OFFICE + ports)
    ringback = Ringback(folder / "ringback.yaml")
    try:
        yield ringback
    finally:
        ringback("pbx", "down")
        shutil.rmtree(folder, ignore_errors=True)


def test_the_pbx_comes_up_answers_and_goes_down(managed: Ringback) -> None:
    assert managed.told("pbx", "status", code=1) == ["Asterisk does not run"]
    assert managed.json("pbx", "status", code=1) == {"running": False, "pid": None}
    up = managed.alone("pbx", "up")  # it outlives the command
    assert up.returncode == 0, up.stderr
    assert up.stdout.startswith("Asterisk ")
    assert managed.told("pbx", "status")[0].startswith("Asterisk runs (pid ")
    running = managed.json("pbx", "status")
    assert running["running"] is True
    assert any("Asterisk" in line for line in managed.told("pbx", "cli", "core", "show", "version"))
    assert managed.alone("pbx", "up").returncode == 0, "a second time is no fault"
    assert managed.json("pbx", "status") == running
    text = managed.config.read_text()
    managed.config.write_text(text.replace('"13055550107":', '"13055550188": {}\n  "13055550107":'))
    assert managed.alone("pbx", "up").returncode == 0
    assert any("13055550188" in line for line in managed.told("pbx", "cli", "dialplan", "show")), "calls went on"
    assert managed.json("pbx", "status") == running
    assert managed.told("pbx", "down") == ["Asterisk has stopped"]
    assert managed.told("pbx", "down") == ["Asterisk did not run"]
    result = managed("pbx", "cli", "core", "show", "version")
    assert result.exit_code == 1
    assert result.stderr.startswith("ringback: ")


def test_a_pbx_that_is_somebody_elses_is_left_alone(ringback: Ringback) -> None:
    ringback.config.write_text(ringback.config.read_text() + "pbx: {managed: false}\n")
    for command in ("up", "down"):
        result = ringback("pbx", command)
        assert result.exit_code == 1
        assert "pbx.managed is false in the settings" in result.stderr


def test_without_an_asterisk_the_command_that_fetches_one_is_named(
    ringback: Ringback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pbx_commands, "find_ready", lambda: None)
    for command in (["status"], ["down"], ["cli", "x"]):
        result = ringback("pbx", *command)
        assert result.exit_code == 1
        assert "no Asterisk has been fetched yet: 'ringback pbx up' does it" in result.stderr
    assert ringback("pbx", "cli").exit_code == 2
