"""The schedule and the arithmetic of the worst day. What it measures is never asserted here."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ari_app.runtime.outcome import Done, Failed, InDoubt, Outcome
from tests.bench import chaos, chaos_verdict
from tests.bench.chaos_faults import BLINDING, LASTING, PLAN, TAKING, Fault, length, plan_of
from tests.bench.chaos_load import Replies
from tests.bench.chaos_verdict import unanswered
from tests.support.books import CALLER, Books, texted
from tests.support.stage import WireText

DAY = 1_800_000_000.0


def made(name: str, began: float = 100.0, ended: float = 101.0) -> Fault:
    return Fault(name, DAY + began, DAY + ended)


def blind(fault: Fault, *, events: tuple[float, ...] = (), **said: tuple[float, ...]) -> chaos.Blindness:
    """What is found of one fault in a day of 300 seconds. said: seconds from its beginning."""
    moments = {name: [DAY + at for at in when] for name, when in said.items()}
    [found] = chaos.blindness([fault], moments, [DAY + at for at in events], DAY + 300.0)
    return found


# ----------------------------------------------------------------------------------------------------------------- the plan
def test_the_same_seed_makes_the_same_day() -> None:
    plans = [plan_of(1.0, random.Random(seed))[0] for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    assert Counter(plans[0]) == PLAN


def test_a_short_day_has_every_fault_once_and_says_what_it_leaves_out() -> None:
    plan, left_out = plan_of(0.2, random.Random(1), disk=False, clock=False)
    assert left_out == ["books read-only", "disk full", "clock an hour back"]
    assert set(plan) == PLAN.keys() - set(left_out)


def test_all_faults_fit_into_five_minutes() -> None:
    assert sum(count * length(name) for name, count in PLAN.items()) < 270.0
    assert {*LASTING, *TAKING, *BLINDING} - {"well"} <= PLAN.keys()


# ------------------------------------------------------------------------------------------------------------ the blindness
def test_blindness_ends_when_ringback_is_connected_again() -> None:
    found = blind(made("ARI cut"), asterisk_lost=(100.5,), asterisk_connected=(40.0, 102.0, 200.0))
    assert (found.seconds, found.noticed, found.ended) == (2.0, 0.5, True)


def test_who_is_never_connected_again_is_blind_to_the_end_of_the_day() -> None:
    found = blind(made("kill -9"), asterisk_connected=(40.0,), events=(40.0,))
    assert (found.seconds, found.ended, found.first_event) == (200.0, False, 200.0)


def test_who_is_told_to_end_sees_until_it_has_ended() -> None:
    found = blind(made("SIGTERM", ended=110.0), stopped=(104.0,), asterisk_connected=(105.5,))
    assert (found.seconds, found.ended) == (1.5, True)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({"events": (99.0, 110.5)}, 10.5),
        ({"events": (99.0, 110.5), "asterisk_lost": (110.1,), "asterisk_connected": (111.5,)}, 11.5),
        ({"events": (99.0,)}, 200.0),
    ],
)
def test_who_stands_still_is_blind_until_it_goes_on_with_its_link_whole(
    said: dict[str, tuple[float, ...]], seconds: float
) -> None:
    assert blind(made("SIGSTOP", ended=110.0), **said).seconds == seconds


def test_faults_elsewhere_blind_nobody() -> None:
    assert chaos.blindness([made("disk full")], {}, [], DAY) == []


def test_what_is_said_while_the_clock_is_put_back_was_said_an_hour_later() -> None:
    assert chaos.true_time(DAY + 10.0 - 3600.0, DAY) == DAY + 10.0
    assert chaos.true_time(DAY + 10.0, DAY) == DAY + 10.0


def test_the_log_tells_when_what_was_said(tmp_path: Path) -> None:
    log = tmp_path / "ringback.log"
    log.write_text(
        '{"why": "cut", "event": "asterisk_lost", "level": "warning", "timestamp": "2026-11-24T04:12:51.500000Z"}\n'
        "a line of something else\n"
        '{"channels": 2, "event": "asterisk_connected", "level": "info", "timestamp": "2026-11-24T04:12:52.750000Z"}\n'
    )
    said = chaos.sayings(log)
    assert said["asterisk_connected"][0] - said["asterisk_lost"][0] == 1.25
    assert chaos._after(said["asterisk_lost"][0], said["asterisk_connected"]) == 1.25
    assert chaos._after(said["asterisk_connected"][0], said["asterisk_lost"]) is None


# ------------------------------------------------------------------------------------------------------------------ the aim
WELL = chaos_verdict.Outcome(9, {"no_answer": 9}, 0, 8, 2, 1, 1, 1, 1, 0, audit_clean=True)


@pytest.mark.parametrize(
    ("found", "blindness", "wrong"),
    [
        (chaos_verdict.Outcome(9, {}, 0, 8, 0, 0, 0, 0, 0, 0, audit_clean=True, lost=["one"]), (), ()),
        (chaos_verdict.Outcome(9, {}, 0, 8, 0, 0, 0, 0, 0, 0, audit_clean=True, doubled=["one"]), (), ()),
        (chaos_verdict.Outcome(9, {}, 0, 8, 0, 0, 0, 0, 0, 0, audit_clean=False), (), ()),
        (WELL, (chaos.Blindness("ARI cut", DAY, 9.0, False, None, None),), ()),
        (WELL, (chaos.Blindness("kill -9", DAY, 1.0, True, None, 2.1),), ()),
        (WELL, (), ("told to end, it ended with status -9",)),
    ],
)
def test_the_aim_is_missed_by_any_part_of_it(
    found: chaos_verdict.Outcome, blindness: tuple[chaos.Blindness, ...], wrong: tuple[str, ...]
) -> None:
    assert not chaos.summary(found, blindness, wrong).aim_reached


def test_the_summary_has_every_figure_that_the_aim_is_about() -> None:
    blindness = [
        chaos.Blindness("kill -9", DAY, 1.5, True, None, 1.25),
        chaos.Blindness("ARI silent", DAY, 12.0, True, 5.0, None),
    ]
    found = chaos.summary(WELL, blindness, [])
    assert found.aim_reached
    assert (found.calls, found.texts, found.lost, found.doubled) == (9, 8, 0, 0)
    assert (found.in_doubt, found.resolved, found.longest_blindness_seconds) == (2, 1, 12.0)
    first = found.first_event_after_kill_seconds
    assert first is not None
    assert (first.p50, first.p99, first.worst) == (1.25, 1.25, 1.25)


# --------------------------------------------------------------------------------------------------------------- the oracle
@pytest.fixture
async def books(tmp_path: Path) -> AsyncIterator[Books]:
    """One miss, whose text is ordered; its plan tells nobody by itself."""
    books = Books(tmp_path)
    await books.miss(plan="brief")
    yield books
    books.close()


def lost(books: Books, **got: int) -> list[str]:
    """What the oracle finds when numbers have got so many texts."""
    with contextlib.closing(sqlite3.connect(books.path)) as db:
        return unanswered(lambda sql, values: db.execute(sql, values).fetchall(), Counter(got))


async def end(books: Books, status: str) -> None:
    """The text comes to this end, and nothing follows."""
    ended = "UPDATE outbox SET status = ? WHERE purpose = 'text_back'"
    await books.store.write(lambda db: db.execute(ended, [status]))


@pytest.mark.parametrize("status", ["todo", "doing", "done", "failed", "in_doubt", "cancelled", "refused"])
async def test_a_text_that_never_went_out_is_lost_however_it_ended_when_nobody_was_told(
    books: Books, status: str
) -> None:
    await end(books, status)
    [sentence] = lost(books)
    assert CALLER in sentence


@pytest.mark.parametrize("status", ["done", "in_doubt"])
async def test_a_text_that_was_got_is_not_lost(books: Books, status: str) -> None:
    await end(books, status)
    assert lost(books, **{CALLER: 1}) == []


@pytest.mark.parametrize("outcome", [Failed("no such number"), InDoubt("the link broke")])
async def test_a_text_that_never_went_out_is_not_lost_once_a_person_has_been_told(
    books: Books, outcome: Outcome
) -> None:
    assert await books.settle("text", outcome)
    assert lost(books), "an alert that is ordered has told nobody"
    assert await books.settle("alert", Done("mail-1"))
    assert lost(books) == []


async def test_a_text_that_was_taken_back_is_not_lost_when_the_caller_said_no_or_has_reached_a_person(
    books: Books,
) -> None:
    await books.record(texted("STOP"))
    assert next(order.status for order in await books.orders("text")) == "cancelled"
    assert lost(books) == []


async def test_a_miss_from_which_nothing_followed_is_lost(books: Books) -> None:
    await books.store.write(lambda db: db.execute("DELETE FROM outbox_log"))
    await books.store.write(lambda db: db.execute("DELETE FROM outbox"))
    assert lost(books) == [f"{CALLER} was missed, and nothing followed"]


# ----------------------------------------------------------------------------------------------------------------- the load
def test_people_answer_their_first_text_back_once_and_each_in_words_of_their_own() -> None:
    replies = Replies(seed=1)
    texts = [WireText("a", "+13055550106", f"+1305555{n:04}", "sorry we missed your call", 0.0) for n in range(400)]
    answers = [answer for answer in map(replies.to, texts) if answer is not None]
    assert {"STOP"} < set(answers)
    others = [answer for answer in answers if answer != "STOP"]
    assert len(others) == len(set(others))
    assert all(replies.to(text) is None for text in texts if text.destination in replies.said)
    assert replies.to(WireText("b", "+13055550106", "+13055559999", "You are opted out.", 0.0)) is None
