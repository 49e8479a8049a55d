"""One brokerage for all end-to-end tests of a process: every test has callers of its own, so they do not meet."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.brokerage import Brokerage, open_brokerage
from tests.support.asterisk import leftovers_hung_up
from tests.support.waiting import until

_numbers = itertools.count(2000)
LOG_LINES = 80


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_brokerage() -> AsyncIterator[Brokerage]:
    """Up in some three seconds."""
    async with open_brokerage() as brokerage:
        yield brokerage


@pytest_asyncio.fixture(loop_scope="session")
async def brokerage(shared_brokerage: Brokerage) -> AsyncIterator[Brokerage]:
    """``shared_brokerage`` for one test, which has to leave no channel and no bridge behind."""
    await shared_brokerage.go_on()
    yield shared_brokerage
    shared_brokerage.smsc.answer = None
    with leftovers_hung_up(shared_brokerage.asterisk):
        await until(lambda: not shared_brokerage.channels(), within=20.0, what="all channels to be gone")
    await until(lambda: not shared_brokerage.bridges(), within=5.0, what="all bridges to be gone")
    shared_brokerage.leave()
    assert not shared_brokerage.hook.refused


@pytest.fixture
def new_number() -> Callable[..., str]:
    """Makes the number of a caller who has never called before; ``area``: its first digits."""
    return lambda area="+1305555": f"{area}{next(_numbers)}"


@pytest.fixture
def caller(new_number: Callable[..., str]) -> str:
    """The number of a caller who has never called before."""
    number = new_number()
    print(f"the caller is {number}")  # noqa: T201 - for whoever reads a failure
    return number


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure brings along what Ringback has logged last: the folder is removed."""
    report = yield
    brokerage = next((one for one in getattr(item, "funcargs", {}).values() if isinstance(one, Brokerage)), None)
    if report.failed and brokerage is not None and brokerage.log_path.exists():
        last = brokerage.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        report.sections.append((f"Ringback's log after {report.when}", "\n".join(last)))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Conversations take their time, and on a busy machine everything takes longer."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(180))
