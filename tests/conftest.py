"""What holds for all tests: on which Asterisk they run (RINGBACK_TEST_SUITE names a Debian suite whose own is taken,
``bullseye``: 16.28), where those are found that need one, and which begin first. Hypothesis judges no speed: a machine may be
busy.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ari_app.pbx.host import find_asterisk

WHOLE = re.compile(r"mark\.(e2e|interop)")
"""As scripts/test finds the files of its second part, so that these parts need not read all the others."""
MEASURED = ("ari_app/recovery", "ari_app/calls", "ari_app/conversation", "ari_app/pbx", "sms_gateway", "voice_agent")
"""Folders of the tests of the pure parts, of which scripts/test measures every line and branch. To measure is to take half as
long again, and half as much in the others: RINGBACK_MEASURE=all does."""
LONGEST = ("test_pocketsphinx.py", "test_hard_calls.py", "test_simulation.py")

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure() -> None:
    suite = os.environ.get("RINGBACK_TEST_SUITE")
    if suite:
        os.environ["RINGBACK_ASTERISK"] = str(find_asterisk(progress=print, suite=suite).root)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: begun last, it would leave the other workers waiting for one."""
    for item in items:
        marked = any(item.get_closest_marker(name) for name in ("e2e", "interop"))
        if marked != _names_a_mark(item.path) and (marked or "e2e" in item.path.parts):
            raise pytest.UsageError(f"scripts/test would not run {item.nodeid}: see tests/conftest.py")
        if not marked and os.environ.get("RINGBACK_MEASURE") != "all" and not _is_measured(item.path):
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=lambda item: item.path.name not in LONGEST)


@functools.cache
def _is_measured(path: Path) -> bool:
    here = path.relative_to(Path(__file__).parent).as_posix()
    return here.startswith(tuple(f"{folder}/" for folder in MEASURED))


@functools.cache
def _names_a_mark(path: Path) -> bool:
    return WHOLE.search(path.read_text(encoding="utf-8")) is not None
