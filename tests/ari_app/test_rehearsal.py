"""Rehearsing a missed call: the real core on books that are thrown away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ari_app.calls.effects import Prompt
from ari_app.recovery.effects import AlertAgent, PlaceCallback, PushLead, SendEmail, SendText
from ari_app.recovery.events import (
    CallbackEnded,
    CallClosed,
    CallerLeft,
    CallMissed,
    EffectSettled,
    PromptPlayed,
    TextReceived,
    VoicemailLeft,
)
from ari_app.recovery.values import Verdict, e164
from ari_app.rehearsal import LONGEST, Rehearsal, _StageClock, rehearse
from ari_app.runtime.outcome import Done
from ari_app.settings.calling import PromptSection
from ari_app.store.people import Person, import_people
from tests.support.books import CALLER, DIALLED, NOON, Books, StandingClock, texted

PROMPT = PromptSection()


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.close()


def ordered(story: Rehearsal, kind: type) -> list[object]:
    return [effect for step in story.steps for effect in step.step.effects if isinstance(effect, kind)]


def reasons(story: Rehearsal) -> list[tuple[str, str, str]]:
    return [(one.action, one.outcome, one.rule) for step in story.steps for one in step.step.decisions]


async def test_the_whole_plan_is_played_to_its_end_in_order(books: Books) -> None:
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, None)
    assert (story.entry.key if story.entry else None, story.is_open) == ("_1305555010X", True)
    first = story.steps[0].event
    assert isinstance(first, CallMissed)
    assert (first.at, first.rings, first.verdict) == (NOON + timedelta(seconds=18), 3, Verdict.NO_ANSWER)
    [text] = ordered(story, SendText)
    assert isinstance(text, SendText)
    assert "we missed your 12:00 pm call" in text.body
    assert len(ordered(story, PlaceCallback)) == 1, "the caller heard the notice"
    assert len(ordered(story, AlertAgent)) == 2
    assert len(ordered(story, PushLead)) == 2
    times = [step.event.at for step in story.steps]
    assert times == sorted(times)
    assert times[-1] <= NOON + LONGEST
    assert [type(step.event) for step in story.steps].count(CallbackEnded) == 1
    assert any(isinstance(step.event, EffectSettled) and step.event.kind == "text" for step in story.steps)


async def test_after_hours_the_phones_do_not_ring_and_the_plan_may_be_another(books: Books) -> None:
    night = NOON + timedelta(hours=7)
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, night, None)
    first = story.steps[0].event
    assert isinstance(first, CallMissed)
    assert (story.is_open, first.rings, first.verdict, first.at) == (False, 0, Verdict.AFTER_HOURS, night)


async def test_a_number_that_hangs_up_plays_no_notice(tmp_path: Path) -> None:
    books = Books(tmp_path, ("_1305555010X: {source: Main line}", "_1305555010X: {after_miss: hangup}"))
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, None)
    assert (ordered(story, PlaceCallback), story.hears) == ([], ())
    assert ("callback", "refused", "CNS-02") in reasons(story)
    books.close()


def said(story: Rehearsal, kind: type) -> list[float]:
    """When events of a kind happened, in seconds since the call began."""
    return [(step.event.at - NOON).total_seconds() for step in story.steps if isinstance(step.event, kind)]


async def test_the_notice_is_heard_to_its_end_and_the_keys_are_awaited(books: Books) -> None:
    story = await rehearse(books.policy, PromptSection(keys_after=4.0), CALLER, DIALLED, NOON, None)
    assert story.hears == (Prompt.NOTICE,)
    assert (said(story, CallMissed), said(story, PromptPlayed), said(story, CallerLeft)) == ([18.0], [29.0], [33.0])


@pytest.mark.parametrize("caller", ["+442079460958", "+18005550142", "anonymous", "+13055550666"])
async def test_who_may_not_be_contacted_hears_no_promise(books: Books, caller: str) -> None:
    story = await rehearse(books.policy, PROMPT, caller, DIALLED, NOON, None)
    assert story.hears == (Prompt.SORRY,)
    assert said(story, PromptPlayed) == []
    assert said(story, CallerLeft) == [23.0]


async def test_who_has_said_no_hears_no_promise(books: Books) -> None:
    await books.record(texted("STOP"))
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, books.path)
    assert story.hears == (Prompt.SORRY,)
    assert said(story, PromptPlayed) == []


async def test_an_overflow_group_rings_before_the_notice(tmp_path: Path) -> None:
    overflow = "_1305555010X: {after_miss: overflow, overflow: floor, rings: 2}"
    books = Books(tmp_path, ("_1305555010X: {source: Main line}", overflow))
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, None)
    assert (said(story, CallMissed), said(story, PromptPlayed), said(story, CallerLeft)) == ([12.0], [35.0], [38.0])
    books.close()


async def test_voicemail_is_spoken_to_after_the_notice(tmp_path: Path) -> None:
    books = Books(tmp_path, ("_1305555010X: {source: Main line}", "_1305555010X: {after_miss: voicemail}"))
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, None)
    assert story.hears == (Prompt.NOTICE, Prompt.MESSAGE)
    assert (said(story, PromptPlayed), said(story, VoicemailLeft), said(story, CallerLeft)) == ([29.0], [43.0], [43.0])
    stranger = await rehearse(books.policy, PROMPT, "+442079460958", DIALLED, NOON, None)
    assert stranger.hears == (Prompt.SORRY, Prompt.MESSAGE)
    books.close()


async def test_a_miss_that_does_not_count_is_closed_without_a_promise(tmp_path: Path) -> None:
    books = Books(tmp_path, ("_1305555010X: {source: Main line}", "_1305555010X: {counts: [busy]}"))
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, None)
    assert (said(story, CallClosed), story.hears) == ([18.0], (Prompt.SORRY,))
    assert ordered(story, SendText) == []
    books.close()


@pytest.mark.parametrize("strategy", ["in_order", "round_robin"])
async def test_phones_that_ring_in_turn_take_as_long_as_all_at_once(tmp_path: Path, strategy: str) -> None:
    turns = ("agents: [ana, bob]}", f"agents: [ana, bob], strategy: {strategy}, each: 4s}}")
    books = Books(tmp_path, turns)
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, None)
    assert said(story, CallMissed) == [18.0]
    books.close()


async def test_a_number_that_no_entry_matches_has_no_story(books: Books) -> None:
    assert await rehearse(books.policy, PROMPT, CALLER, "+13055559999", NOON, None) == Rehearsal(None, True, ())


@pytest.mark.parametrize("caller", ["anonymous", "abc", "101", "+13055550666"])
async def test_who_is_no_lead_has_a_short_story_with_its_reason(books: Books, caller: str) -> None:
    story = await rehearse(books.policy, PROMPT, caller, DIALLED, NOON, None)
    assert ordered(story, SendText) == ordered(story, AlertAgent) == []
    assert next((action, outcome) for action, outcome, _ in reasons(story)) == ("plan", "refused")


# ----------------------------------------------------------------------------------------------------------- the real books
async def snapshot(books: Books) -> list[tuple[object, ...]]:
    tables = ("events", "leads", "outbox", "outbox_log", "consent", "text_windows", "people", "timers", "turns")
    return await books.store.read(
        lambda db: [tuple(row) for table in tables for row in db.execute(f"SELECT * FROM {table}")]
    )


async def test_what_the_person_said_counts_and_the_real_books_stay_untouched(books: Books) -> None:
    await books.record(texted("STOP"))
    before = await snapshot(books)
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, books.path)
    assert ordered(story, SendText) == []
    assert any(action == "text" and outcome == "refused" for action, outcome, _ in reasons(story))
    assert await snapshot(books) == before
    assert not any(isinstance(step.event, TextReceived) for step in story.steps)


async def test_a_text_of_today_and_the_callbacks_of_today_count(books: Books) -> None:
    assert isinstance(books.clock, StandingClock)
    await books.miss()
    await books.settle("text", Done("a1"))
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON + timedelta(hours=2), books.path)
    assert ordered(story, SendText) == []
    tomorrow = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON + timedelta(days=1, hours=1), books.path)
    assert len(ordered(tomorrow, SendText)) == 1
    stranger = await rehearse(books.policy, PROMPT, "+13055550143", DIALLED, NOON + timedelta(hours=2), books.path)
    assert len(ordered(stranger, SendText)) == 1


async def test_what_is_under_way_for_the_person_is_not_carried_out_a_second_time(books: Books) -> None:
    await books.miss("open", e164("+13055550143"))
    story = await rehearse(books.policy, PROMPT, "+13055550143", DIALLED, NOON + timedelta(minutes=5), books.path)
    settled = [step.event for step in story.steps if isinstance(step.event, EffectSettled)]
    assert [event for event in settled if event.effect_id.startswith("past-")] == []


async def test_a_person_on_file_is_known_by_name_and_address(books: Books) -> None:
    known = Person(CALLER, "Kim Doe", "kim@home.example", blocked=False)
    await books.store.write(lambda db: import_people(db, [known]))
    story = await rehearse(books.policy, PROMPT, CALLER, DIALLED, NOON, books.path)
    [text] = ordered(story, SendText)
    assert isinstance(text, SendText)
    assert "sorry Kim we missed" in text.body
    assert [effect.to for effect in ordered(story, SendEmail) if isinstance(effect, SendEmail)] == ["kim@home.example"]


async def test_a_rehearsal_never_waits() -> None:

    with pytest.raises(AssertionError, match="nothing waits"):
        await _StageClock(NOON).pause(1)
