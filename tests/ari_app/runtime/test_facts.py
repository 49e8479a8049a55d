"""What is looked up for a decision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlite_utils import Database

from ari_app import numbering
from ari_app.recovery.events import Facts
from ari_app.recovery.values import E164, NumberKind
from ari_app.runtime.facts import kind_of, look_up
from ari_app.runtime.outcome import RetryAt
from tests.support.books import CALLER, NOON, Books, texted


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.close()


async def facts(books: Books, number: E164 | None, office: str | None = "miami", group: str | None = "front") -> Facts:
    def job(db: Database) -> Facts:
        return look_up(db, books.policy, NOON, number=number, kind=NumberKind.ORDINARY, office=office, group=group)

    return await books.store.read(job)


async def test_of_nobody_nothing_is_known(books: Books) -> None:
    found = await facts(books, None, None, None)
    assert found == Facts()


async def test_a_number_that_may_be_anywhere_has_no_hour_that_is_right_everywhere(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await facts(books, CALLER)).never_contact_time is False
    far_apart = tuple(ZoneInfo(name) for name in ("America/New_York", "Europe/Athens", "Asia/Tokyo"))
    monkeypatch.setattr(numbering, "zones", lambda _: far_apart)
    found = await facts(books, CALLER)
    assert (found.never_contact_time, found.contact_opens, found.contact_closes) == (True, None, None)


async def test_a_group_that_the_settings_do_not_know_has_no_turn(books: Books) -> None:
    assert (await facts(books, CALLER, group="gone")).agent is None
    assert (await facts(books, CALLER)).agent == "ana"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("101", NumberKind.INTERNAL),
        ("+13055550181", NumberKind.INTERNAL),
        ("+13055550199", NumberKind.INTERNAL),
        ("+13055550107", NumberKind.INTERNAL),
        ("+13055550100", NumberKind.ORDINARY),
        ("+13055550142", NumberKind.ORDINARY),
        ("anonymous", NumberKind.WITHHELD),
        ("199", NumberKind.MALFORMED),
    ],
)
def test_our_own_phones_and_mobiles_are_told_from_callers(books: Books, raw: str, kind: NumberKind) -> None:
    assert kind_of(numbering.classify(raw, "US"), books.policy) is kind


async def test_a_text_that_was_taken_back_while_it_was_tried_is_not_tried_again(books: Books) -> None:
    await books.miss()
    under_way = (await books.claim("text"))[0]
    await books.record(texted("STOP", at=NOON + timedelta(seconds=1)))
    assert await books.recorder.settle(under_way, RetryAt(NOON, "throttled")) is None
    found = await books.order(under_way.effect_id)
    assert (found.status, found.last_error) == ("cancelled", "taken back while it was tried")
    assert (await facts(books, CALLER)).text_window_until is None
