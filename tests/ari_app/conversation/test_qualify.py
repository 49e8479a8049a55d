"""The callback's dialogue: who we are, one question, a way out, thanks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.qualify import (
    APOLOGY,
    ASK_AT_MOST,
    KEYS,
    QUESTION,
    Next,
    Outcome,
    Say,
    Subject,
    Talking,
    begin,
    every_sentence,
    greeting,
    hear,
    press,
    refuses,
    wait,
)
from ari_app.recovery.values import Intent

SUBJECT = Subject("Harbor Realty", "Ana", "12 Ocean Drive", "2:05 pm")
STRANGER = Subject("Harbor Realty", None, None, "2:05 pm")


def talking() -> Talking:
    return begin(SUBJECT)[0]


def test_the_first_words_say_who_calls_why_that_it_is_a_machine_and_how_to_end_it() -> None:
    _, said = begin(SUBJECT)
    assert said == Say(
        (
            "Hello Ana, this is the automated assistant of Harbor Realty, returning your call of 2:05 pm about 12 Ocean Drive.",
            "Press 9 or say stop at any time, and we will not call again.",
            "Press 0 for a person.",
            "This call is transcribed.",
            QUESTION,
        ),
        Next.LISTEN,
        protected=2,
    )


def test_a_caller_of_whom_nothing_is_known_is_greeted_without_a_name() -> None:
    assert greeting(STRANGER)[0] == (
        "Hello, this is the automated assistant of Harbor Realty, returning your call of 2:05 pm."
    )


@pytest.mark.parametrize(
    ("said", "key", "intent"),
    [("i am buying", "1", Intent.BUYING), ("selling", "2", Intent.SELLING), ("both", None, Intent.BOTH)],
)
def test_an_answer_is_thanked_for_and_ends_the_call(said: str, key: str | None, intent: Intent) -> None:
    answers = [hear(talking(), said)] + ([press(talking(), key)] if key is not None else [])
    for after, say in answers:
        assert (after.intent, after.outcome) == (intent, Outcome.ANSWERED)
        assert say.then is Next.HANG_UP
        assert say.sentences[-1] == "Goodbye."


@pytest.mark.parametrize("after", [hear(talking(), "a person please"), press(talking(), "0")])
def test_a_person_is_connected_on_request(after: tuple[Talking, Say]) -> None:
    assert after[0].outcome is Outcome.PERSON
    assert after[1].then is Next.TRANSFER


@pytest.mark.parametrize("after", [hear(talking(), "stop calling me"), press(talking(), "9")])
def test_a_no_is_confirmed_once_without_interruption(after: tuple[Talking, Say]) -> None:
    assert after[0].outcome is Outcome.STOPPED
    assert after[1].then is Next.HANG_UP
    assert after[1].protected == len(after[1].sentences) == 2


def test_the_truth_is_told_to_who_asks_and_then_the_question_again() -> None:
    after, say = hear(talking(), "are you a robot")
    assert say.sentences == ("Yes, I am an automated assistant, not a person.", QUESTION, KEYS)
    assert (after.asked, after.outcome, say.then) == (2, Outcome.OPEN, Next.LISTEN)


@pytest.mark.parametrize(
    ("answer", "opening", "intent"),
    [("what time is it", ("Sorry, I did not understand that.",), Intent.OTHER), ("", (), Intent.UNSTATED)],
)
def test_the_question_is_put_three_times_at_most(answer: str, opening: tuple[str, ...], intent: Intent) -> None:
    now = talking()
    for asked in range(2, ASK_AT_MOST + 1):
        now, say = hear(now, answer)
        assert say.sentences == (*opening, QUESTION, KEYS)
        assert now.asked == asked
    now, say = hear(now, answer)
    assert (now.outcome, now.intent, say.then) == (Outcome.UNANSWERED, intent, Next.HANG_UP)


def test_silence_is_waited_for_like_words_that_nobody_understood() -> None:
    assert wait(talking()) == hear(talking(), "")


def test_keys_without_a_meaning_are_words_without_a_meaning() -> None:
    assert press(talking(), "7") == hear(talking(), "what time is it")


def test_a_no_is_one_until_it_is_confirmed() -> None:
    assert refuses(talking(), "do not call me")
    assert not refuses(talking(), "i am buying")
    assert not refuses(hear(talking(), "stop")[0], "stop")


def test_all_that_may_be_said_is_known_beforehand() -> None:
    assert {*greeting(SUBJECT), QUESTION, KEYS, *APOLOGY} <= set(every_sentence(SUBJECT))


@given(st.lists(st.one_of(st.text(max_size=30), st.sampled_from(["0", "1", "2", "9", "*"])), max_size=8))
def test_whatever_is_said_can_be_rendered_beforehand_and_the_talk_ends(answers: list[str]) -> None:
    now, say = begin(SUBJECT)
    known = set(every_sentence(SUBJECT))
    assert set(APOLOGY) <= known
    for turn, answer in enumerate(answers, start=1):
        assert set(say.sentences) <= known
        if say.then is not Next.LISTEN:
            assert now.outcome is not Outcome.OPEN
            return
        assert turn <= ASK_AT_MOST
        now, say = press(now, answer) if answer in ("0", "1", "2", "9", "*") else hear(now, answer)
