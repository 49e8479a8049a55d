"""On which Asterisk the tests run: RINGBACK_TEST_SUITE names a Debian suite whose own is taken (``bullseye``: 16.28)."""

from __future__ import annotations

import os

from ari_app.pbx.host import find_asterisk


def pytest_configure() -> None:
    suite = os.environ.get("RINGBACK_TEST_SUITE")
    if suite:
        os.environ["RINGBACK_ASTERISK"] = str(find_asterisk(progress=print, suite=suite).root)
