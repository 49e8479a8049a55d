"""What a caller's words mean, as recognisers write them: lower case, no punctuation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.conversation.intents import PHRASES, Meaning, meaning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Meaning.NOTHING),
        ("   ", Meaning.NOTHING),
        ("stop", Meaning.STOP),
        ("Stop calling me", Meaning.STOP),
        ("please stop", Meaning.STOP),
        ("do not call me", Meaning.STOP),
        ("don’t ever call again", Meaning.STOP),
        ("dont call", Meaning.STOP),
        ("take me off your list", Meaning.STOP),
        ("i'm not interested", Meaning.STOP),
        ("not interested thank you", Meaning.STOP),
        ("no more calls", Meaning.STOP),
        ("leave me alone", Meaning.STOP),
        ("stop calling me you robot", Meaning.STOP),
        ("stop now i mean it", Meaning.STOP),
        ("ok stop thanks", Meaning.STOP),
        ("do not contact me", Meaning.STOP),
        ("remove us from your list", Meaning.STOP),
        ("i don't want any calls", Meaning.STOP),
        ("wrong number", Meaning.STOP),
        ("stop selling to me", Meaning.STOP),
        ("please do not send me any more messages", Meaning.STOP),
        ("don't reach out to me again", Meaning.STOP),
        ("take my name off your list", Meaning.STOP),
        ("no calls please", Meaning.STOP),
        ("stop for good", Meaning.STOP),
        ("are you a robot", Meaning.ROBOT),
        ("is this a machine", Meaning.ROBOT),
        ("am i talking to a recording", Meaning.ROBOT),
        ("are you a person", Meaning.ROBOT),
        ("a person please", Meaning.PERSON),
        ("can i talk to somebody", Meaning.PERSON),
        ("i want to speak with an agent", Meaning.PERSON),
        ("operator", Meaning.PERSON),
        ("buying", Meaning.BUYING),
        ("i am looking to buy a house", Meaning.BUYING),
        ("looking for a condo", Meaning.BUYING),
        ("i'm not interested in selling i want to buy", Meaning.BUYING),
        ("not selling buying", Meaning.BUYING),
        ("selling", Meaning.SELLING),
        ("i want to list my house", Meaning.SELLING),
        ("not to buy to sell", Meaning.SELLING),
        ("both", Meaning.BOTH),
        ("buying and selling", Meaning.BOTH),
        ("i sell my condo and then i buy a house", Meaning.BOTH),
        ("i can't stop thinking about that house", Meaning.OTHER),
        ("it is at the bus stop on main street", Meaning.OTHER),
        ("why don't you call my wife", Meaning.OTHER),
        ("you never returned my call", Meaning.OTHER),
        ("can you stop by at five", Meaning.OTHER),
        ("what time is it", Meaning.OTHER),
    ],
)
def test_words_mean_what_callers_mean(text: str, expected: Meaning) -> None:
    assert meaning(text) is expected


def test_every_phrase_that_the_recogniser_is_helped_with_means_something() -> None:
    assert Meaning.OTHER not in {meaning(phrase) for phrase in PHRASES}
    assert {meaning(phrase) for phrase in PHRASES} == set(Meaning) - {Meaning.OTHER, Meaning.NOTHING}


@given(st.text(max_size=80))
def test_no_words_are_too_strange_to_mean_something(text: str) -> None:
    assert meaning(text) in Meaning
