"""The worker of the recogniser, order by order; ``test_pocketsphinx.py`` runs it as the process that it is."""

from __future__ import annotations

import io
import json

import pytest

from tests.voice_agent.voices import Voice, utterance
from voice_agent.pocketsphinx_worker import HEADER, serve

SPEECH = utterance("I'm buying", Voice("flite", "rms"))


def begin(*phrases: str, memory: str = "") -> tuple[bytes, bytes]:
    return b"B", json.dumps({"phrases": phrases, "memory": memory}).encode()


def answers_to(*orders: tuple[bytes, bytes], cut: int = 0) -> list[tuple[bytes, str]]:
    """What a new worker answers; ``cut``: so many bytes of the orders never come."""
    given = b"".join(HEADER.pack(order, len(body)) + body for order, body in orders)
    told = io.BytesIO()
    serve(io.BytesIO(given[: len(given) - cut]), told)
    told.seek(0)
    answers = []
    while head := told.read(HEADER.size):
        letter, length = HEADER.unpack(head)
        answers.append((letter, told.read(length).decode()))
    return answers


def test_an_utterance_has_a_partial_text_words_and_a_memory_for_the_next() -> None:
    begun, partial, final = answers_to(begin("i'm buying"), (b"A", SPEECH), (b"E", b""))
    assert begun == (b"R", "")
    assert partial == (b"T", "i'm buying")
    told = json.loads(final[1])
    assert (final[0], told["text"]) == (b"F", "i'm buying")
    [word] = told["words"]
    assert word["text"] == "i'm buying"
    assert 0.0 < word["start"] < word["end"] < 2.0
    assert len(told["memory"].split(",")) == 13
    remembered = begin("i'm buying", memory=told["memory"])
    *_, again = answers_to(remembered, (b"X", b""), remembered, (b"A", SPEECH), (b"E", b""))
    assert json.loads(again[1])["text"] == "i'm buying"


def test_silence_has_no_words() -> None:
    *_, final = answers_to(begin(), (b"A", bytes(16000)), (b"E", b""))
    told = json.loads(final[1])
    assert (told["text"], told["words"]) == ("", [])


def test_an_utterance_that_was_begun_and_left_does_not_disturb_the_next() -> None:
    *_, final = answers_to(begin(), (b"A", SPEECH), begin("i'm buying"), (b"A", SPEECH), (b"E", b""))
    assert json.loads(final[1])["text"] == "i'm buying"


def test_an_utterance_can_be_dropped_even_when_there_is_none() -> None:
    assert answers_to((b"X", b""), begin(), (b"X", b"")) == [(b"R", "")] * 3


def test_words_without_a_pronunciation_are_told() -> None:
    [(_, unknown)] = answers_to((b"P", b'["Buying!", "xqzt street", ""]'))
    assert json.loads(unknown) == ["xqzt street"]


def test_a_phrase_may_be_said_in_all_the_ways_of_its_words() -> None:
    """The dictionary has two ways to say "either" and two to say "the"."""
    assert answers_to((b"P", b'["either", "the house", "either"]')) == [(b"R", "[]")]


def test_searches_that_are_too_many_are_made_anew_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice_agent.pocketsphinx_worker._MOST_SEARCHES", 1)
    *_, final = answers_to(begin("i'm buying"), begin("selling"), begin("i'm buying"), (b"A", SPEECH), (b"E", b""))
    assert json.loads(final[1])["text"] == "i'm buying"


@pytest.mark.parametrize(
    ("order", "body", "why"),
    [
        (b"?", b"", "ValueError: no such order"),
        (b"P", b"{", "JSONDecodeError"),
        (b"B", b"{}", "KeyError"),
        (b"E", b"", "RuntimeError"),
    ],
)
def test_an_order_that_cannot_be_obeyed_is_told_and_the_next_one_is(order: bytes, body: bytes, why: str) -> None:
    refused, dropped = answers_to((order, body), (b"X", b""))
    assert refused[0] == b"!"
    assert why in refused[1]
    assert dropped == (b"R", "")


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_an_order_that_breaks_off_ends_the_worker(cut: int) -> None:
    assert answers_to((b"X", b""), (b"P", b"[]"), cut=cut) == [(b"R", "")]
