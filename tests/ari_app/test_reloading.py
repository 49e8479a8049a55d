"""What a reload adds is not lost before the start that opens it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import orjson

from ari_app.adapters import lanes, open_crms
from ari_app.reloading import reload
from ari_app.runtime.outcome import Done, RetryAt
from ari_app.settings.loading import load
from tests.support import office
from tests.support.books import NOON, Books, StandingClock

NEW = ("crm: {file:", "crm: {second: {type: jsonl, file: second.jsonl}, file:")


async def push_all(books: Books) -> dict[str, object]:
    """Carry out the pushes that are due, as a process does that has begun with the books' settings; what became of each."""
    outcomes: dict[str, object] = {}
    async with open_crms(books.settings, books.clock) as crms:
        [lane] = [
            lane for lane in lanes(books.settings, books.clock, books.recorder, {}, crms, None) if lane.kind == "push"
        ]
        for order in await books.claim("push"):
            outcome = await lane.adapter.act(order)
            outcomes[order.effect.target] = outcome  # type: ignore[union-attr]
            await books.recorder.settle(order, outcome)
    return outcomes


def pushed(path: Path) -> int:
    return len([orjson.loads(line) for line in path.read_bytes().splitlines()])


async def test_a_new_crm_gets_its_pushes_from_the_process_that_opens_it(tmp_path: Path) -> None:
    books = Books(tmp_path)
    office.settings(tmp_path, NEW)  # the administrator edits the file
    answer = await reload(books.settings, books.in_force, {})
    assert answer["after_restart"] == ["crm"]
    await books.miss(plan="brief")
    await books.settle("text", Done("a1", gateway="sms", message_ids=("a1",)))
    assert {order.effect.target for order in await books.orders("push")} == {"file", "second"}  # type: ignore[union-attr]
    outcomes = await push_all(books)
    assert isinstance(outcomes["file"], Done)
    assert isinstance(outcomes["second"], RetryAt)
    assert outcomes["second"].why == "the crm 'second' is new in the settings: it is opened when Ringback is restarted"
    books.close()

    later = Books(tmp_path, NEW, clock=StandingClock(NOON + timedelta(hours=1)))
    assert load(tmp_path / "ringback.yaml").policy.crm == later.policy.crm
    assert isinstance((await push_all(later))["second"], Done)
    assert pushed(tmp_path / "second.jsonl") == pushed(tmp_path / "leads.jsonl") == 1
    later.close()


async def test_a_crm_that_the_settings_no_longer_name_ends_its_pushes(tmp_path: Path) -> None:
    books = Books(tmp_path, NEW)
    await books.miss(plan="brief")
    await books.settle("text", Done("a1", gateway="sms", message_ids=("a1",)))
    books.close()
    later = Books(tmp_path)
    outcome = (await push_all(later))["second"]
    assert "it was taken out of the settings" in str(outcome)
    later.close()
