"""One foreign PBX for a test process; each test leaves it without a channel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ari_app.calls.hindsight import ChannelEvent
from ari_app.calls.judging import channel_event
from ari_app.pbx.ledger import read_cel
from ari_app.recovery.values import NumberKind, Verdict
from tests.e2e.watch.foreign import ForeignPbx, foreign_pbx
from tests.support.asterisk import leftovers_hung_up
from tests.support.waiting import until_sync


@pytest.fixture(scope="session")
def shared_foreign_pbx() -> Iterator[ForeignPbx]:
    """The PBX that all tests of this folder share."""
    with foreign_pbx() as pbx:
        yield pbx


@pytest.fixture
def pbx(shared_foreign_pbx: ForeignPbx) -> Iterator[ForeignPbx]:
    """The shared PBX, for one test; in the end its event log must tell of each call what watching it has told."""
    shared_foreign_pbx.watched_by.clear()
    yield shared_foreign_pbx
    with leftovers_hung_up(shared_foreign_pbx.process):
        until_sync(lambda: not shared_foreign_pbx.channels(), within=8.0, what="all channels to be gone")
    assert judged_afterwards(shared_foreign_pbx) == judged_at_once(shared_foreign_pbx)


Outcome = tuple[Verdict, NumberKind, str | None, str]
"""A verdict, the caller's kind and number, and the number dialled."""


def judged_at_once(pbx: ForeignPbx) -> dict[str, Outcome]:
    """What was told in the test, by call; without calls that ended unseen."""
    told = [event for seen in pbx.watched_by for event in seen.verdicts()]
    return {
        event.call_id: (event.verdict, event.kind, event.caller, event.dialled)
        for event in told
        if event.verdict is not Verdict.UNKNOWN
    }


def judged_afterwards(pbx: ForeignPbx) -> dict[str, Outcome]:
    """What the event log has to say of the same calls."""
    calls: dict[str, list[ChannelEvent]] = {}
    offset, more = 0, pbx.cel.exists()
    while more:
        page = read_cel(pbx.cel, offset)
        assert page.unreadable == 0
        offset, more = page.offset, page.more
        for row in page.rows:
            calls.setdefault(row.linkedid, []).append(channel_event(row))
    found: dict[str, Outcome] = {}
    for call_id in judged_at_once(pbx):
        for seen in pbx.watched_by:
            judged = seen.hindsight.judge(calls.get(call_id, []), seen.policy) if call_id in calls else None
            if judged is not None:
                found[call_id] = (judged.verdict, judged.setup.kind, judged.setup.caller, judged.setup.dialled)
    return found
