"""What the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.pbx.host import AsteriskHost, AsteriskVersion, HostKind
from ari_app.pbx.modules import GROUPS
from tests.support.asterisk import asterisk, shared_pbx

__all__ = ["asterisk", "paper_host", "shared_pbx"]


@pytest.fixture
def paper_host(tmp_path: Path) -> AsteriskHost:
    """An Asterisk that cannot run: a folder with the right file names in it."""
    modules = tmp_path / "modules"
    modules.mkdir()
    for group in GROUPS:
        for name in group.names:
            (modules / f"{name}.so").touch()
    return AsteriskHost(HostKind.GIVEN, AsteriskVersion(22, 10, 1), ("asterisk",), modules, tmp_path / "data")
