"""One foreign PBX for a test process; each test leaves it without a channel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.watch.foreign import ForeignPbx, foreign_pbx
from tests.support.waiting import until_sync


@pytest.fixture(scope="session")
def shared_foreign_pbx() -> Iterator[ForeignPbx]:
    """The PBX that all tests of this folder share."""
    with foreign_pbx() as pbx:
        yield pbx


@pytest.fixture
def pbx(shared_foreign_pbx: ForeignPbx) -> Iterator[ForeignPbx]:
    """The shared PBX, for one test."""
    yield shared_foreign_pbx
    until_sync(lambda: not shared_foreign_pbx.channels(), within=8.0, what="all channels to be gone")
