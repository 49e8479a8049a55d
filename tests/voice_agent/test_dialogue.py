"""The values that a dialogue speaks in, and the demonstration that comes with the package."""

from __future__ import annotations

import pytest

from voice_agent.demonstration import Demonstration
from voice_agent.dialogue import HangUp, Listen, Transfer, Turn, plain
from voice_agent.heard import Heard, Word, mean_confidence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I’m buying, please!", "i'm buying please"),
        ("  Don't   CALL me. ", "don't call me"),
        ("'quoted'", "quoted"),
        ("naïve café 42", "naïve café 42"),
        ("under_score", "under score"),
        ("...", ""),
    ],
)
def test_texts_are_compared_in_plain_form(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_a_phrase_is_found_as_whole_words_only() -> None:
    listen = Listen(phrases=("buy", "I'm selling"))
    assert listen.fulfilled_by("i want to buy something")
    assert listen.fulfilled_by("well i’m selling.")
    assert not listen.fulfilled_by("the buyer")
    assert not listen.fulfilled_by("selling")
    assert not listen.fulfilled_by("")
    assert not Listen().fulfilled_by("anything")


def test_equal_hints_make_equal_listens() -> None:
    assert Listen(("Buy",)) == Listen(("Buy",))
    assert "wanted" not in repr(Listen(("Buy",)))


def test_wrong_values_are_refused() -> None:
    with pytest.raises(ValueError, match="seconds above 0"):
        Listen(seconds=0)
    with pytest.raises(ValueError, match="tuple of sentences"):
        Turn("Hello.", HangUp())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got '12A'"):
        Turn(("Hello.",), HangUp(), keys="12A")


def test_the_confidence_of_words_counts_as_long_as_they_last() -> None:
    assert mean_confidence(()) is None
    assert mean_confidence((Word("a", 0, 1),)) is None
    assert mean_confidence((Word("a", 0, 0, 0.5),)) is None
    assert mean_confidence((Word("a", 0, 3, 1.0), Word("b", 3, 4, 0.2), Word("c", 4, 9))) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("i'm looking to buy", "you are buying"),
        ("we are selling", "you are selling"),
        ("buying and selling", "both"),
        ("a bit of both", "both"),
        ("stop calling me", "not be called again"),
    ],
)
def test_the_demonstration_understands_its_answers(text: str, says: str) -> None:
    turn = Demonstration().heard(Heard(text))
    assert says in turn.say[0]
    assert turn.then == HangUp()


def test_the_demonstration_gets_a_person_by_voice_or_key() -> None:
    assert Demonstration().heard(Heard("a person please")).then == Transfer()
    assert Demonstration().key("0").then == Transfer()


def test_the_demonstration_knows_its_keys() -> None:
    assert "buying" in Demonstration().key("1").say[0]
    assert "selling" in Demonstration().key("2").say[0]
    assert "again" in Demonstration().key("9").say[0]


def test_the_demonstration_asks_twice_and_gives_up() -> None:
    dialogue = Demonstration()
    first = dialogue.open()
    assert isinstance(first.then, Listen)
    assert first.protected == 1
    again = dialogue.silence()
    assert isinstance(again.then, Listen)
    assert again.say[-1] == first.say[-1]
    assert dialogue.key("#").then == HangUp()


def test_the_demonstration_says_so_when_it_did_not_understand() -> None:
    assert "not understand" in Demonstration().heard(Heard("the weather")).say[0]
