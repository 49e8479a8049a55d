"""What the prompt may promise is what the rules will allow."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ari_app.calls.promises import NOTHING, Promises, promises
from ari_app.calls.verdicts import inbound_fields
from ari_app.recovery.events import CallerLeft, KeyPressed
from ari_app.recovery.values import NumberKind
from ari_app.runtime.outcome import Done
from ari_app.store import lost_time
from ari_app.store.lost_time import LostTime
from tests.ari_app.calls.telling import entry, setup
from tests.support.books import CALLER, NOON, Books, StandingClock, texted

NEVER = ("callback: {", "callback: {consent: never, ")


async def promised(books: Books, **changes: Any) -> Promises:
    """To a caller who has rung now."""
    call = setup(**{"caller": CALLER, "entry": entry(office="miami", group="front"), **changes})
    return await books.store.read(lambda db: promises(db, books.policy, call, books.clock.now()))


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ([], Promises(text=True, call=True)),
        ([NEVER], Promises(text=True, call=False)),
        ([("callback: {", "callback: {consent: key, ")], Promises(text=True, call=True)),
        ([('callback: {to: ["_1NXXNXXXXXX"]', 'callback: {to: ["_1786NXXXXXX"]')], Promises(text=True, call=False)),
        ([("text_routes: [{to: _1NXXNXXXXXX", "text_routes: [{to: _1786NXXXXXX")], Promises(text=False, call=True)),
    ],
    ids=["none", "no callbacks", "callbacks by key", "not called", "not texted"],
)
async def test_what_the_settings_do_not_allow_is_not_promised(
    tmp_path: Path, changes: list[tuple[str, str]], promise: Promises
) -> None:
    with closing(Books(tmp_path, *changes)) as books:
        assert await promised(books) == promise


async def test_a_caller_who_was_texted_today_is_promised_no_text(tmp_path: Path) -> None:
    with closing(Books(tmp_path)) as books:
        await books.miss()
        await books.settle("text", Done(ref="1"))
        assert not (await promised(books)).text
        books.clock = StandingClock(NOON + timedelta(hours=25))
        assert (await promised(books)).text


async def test_a_caller_who_was_called_back_as_often_as_a_day_allows_is_promised_no_call(tmp_path: Path) -> None:
    with closing(Books(tmp_path)) as books:
        before = await books.miss(setup().call_id, on_line=True)
        assert before.lead_id is not None
        call = inbound_fields(setup(caller=CALLER), NOON)
        await books.record(KeyPressed(**call, source_id="key:1", key="1"), before.lead_id)
        await books.record(CallerLeft(**call, source_id="left"), before.lead_id)
        assert len(await books.settle("callback", Done(ref="callback-1"))) == 1
        assert not (await promised(books)).call


async def test_at_night_the_text_comes_later_and_the_call_for_whoever_asks(tmp_path: Path) -> None:
    with closing(Books(tmp_path, clock=StandingClock(NOON + timedelta(hours=15)))) as books:
        assert await promised(books) == Promises(text=True, call=True)


async def test_whoever_said_no_or_cannot_be_known_is_promised_nothing(tmp_path: Path) -> None:
    with closing(Books(tmp_path)) as books:
        assert await promised(books, caller=None, kind=NumberKind.WITHHELD) == NOTHING
        assert await promised(books, entry=None) == NOTHING
        assert await promised(books, kind=NumberKind.FOREIGN) == NOTHING
        await books.record(texted("STOP"))
        assert await promised(books) == NOTHING


async def test_nothing_is_promised_on_the_strength_of_books_that_are_lost(tmp_path: Path) -> None:
    with closing(Books(tmp_path)) as books:
        lost = LostTime(NOON - timedelta(hours=1), NOON + timedelta(hours=1), unjudged=False)
        await books.store.write(lambda db: lost_time.put(db, lost))
        assert await promised(books) == NOTHING


@pytest.mark.parametrize(
    ("promise", "ours", "own"),
    [
        (Promises(text=True, call=True), True, True),
        (Promises(text=True, call=False), False, True),
        (Promises(text=False, call=True), False, False),
        (NOTHING, False, False),
    ],
)
async def test_a_brokerage_without_callbacks_needs_words_of_its_own_for_the_notice(
    tmp_path: Path, promise: Promises, ours: bool, own: bool
) -> None:
    with closing(Books(tmp_path, NEVER)) as books:
        assert promise.notice(books.policy, own_words=False) is ours
        assert promise.notice(books.policy, own_words=True) is own


async def test_words_of_its_own_do_not_make_a_call_true_that_is_only_refused_to_this_caller(tmp_path: Path) -> None:
    with closing(Books(tmp_path)) as books:
        assert Promises(text=True, call=False).notice(books.policy, own_words=True) is False
