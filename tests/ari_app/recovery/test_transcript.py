"""The journal as people read it; the golden stories hold the rest of its lines."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

from ari_app.recovery import transcript
from ari_app.recovery.effects import SendEmail
from ari_app.recovery.events import CallMissed, Event, TextReceived
from tests.ari_app.recovery.books import START, ZONE, Books


def test_an_email_is_told_by_its_template() -> None:
    mail = SendEmail(to="caller@example.org", template="follow_up", subject="Your call", body="Hello")
    assert transcript.describe_effect(mail, ZONE) == "email follow_up to caller@example.org"


def test_untrusted_words_are_told_on_one_line_and_cut() -> None:
    books = Books()
    books.text("hello\r\n10:00:00 < lead_closed by ana\x1b[2J" + "x" * 300)
    told = transcript.describe_event(books.told[0].event)
    assert "\n" not in told
    assert "\x1b" not in told
    assert len(told) < 260
    assert told.endswith("”")


def test_a_held_text_names_its_day() -> None:
    books = Books(at=START + timedelta(hours=12))
    step = books.call(CallMissed)
    text = transcript.describe_effect(step.effects[1], ZONE)
    assert "held until Wed 08:00:00" in text


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_has_a_name_in_small_letters(kind: type) -> None:
    name = transcript.snake(kind.__name__)
    assert name == name.lower()
    assert name.replace("_", "") == kind.__name__.lower()


def test_the_wall_clock_is_that_of_the_reader() -> None:
    books = Books()
    step = books.text("hello")
    event = books.told[0].event
    assert isinstance(event, TextReceived)
    assert next(transcript.lines(event, step, ZONE)).startswith("10:00:00 < text_received")
