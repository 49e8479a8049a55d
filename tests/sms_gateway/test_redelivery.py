"""The carrier once more, or the person once more?"""

from __future__ import annotations

from itertools import count

import pytest

from sms_gateway.smpp.redelivery import Redeliveries, Segments, Sighting

PAIR = ("+13055550123", "+13055550100")


class Conversation:
    """Sees texts of one pair, with names 0, 1, 2 and so on."""

    def __init__(self, window: float = 900.0) -> None:
        self.redeliveries = Redeliveries(window, 0.0)
        self.names = count()
        self.stands = True

    def see(self, text: str, now: float, *, stored_after: float | None = 0.01) -> Sighting:
        sighting = self.redeliveries.see(
            PAIR, text, now, name=lambda: str(next(self.names)), stands=lambda: self.stands
        )
        if stored_after is not None:
            sighting.answered_at = now + stored_after
        return sighting


def test_a_text_that_was_not_stored_comes_again_as_itself() -> None:
    talk = Conversation()
    assert talk.see("yes", 0.0, stored_after=None).source_id == "0"
    assert talk.see("yes", 60.0).source_id == "0"


def test_a_person_may_say_yes_twice() -> None:
    talk = Conversation()
    assert [talk.see("yes", now).source_id for now in (0.0, 10.0)] == ["0", "1"]


def test_a_carrier_may_stutter() -> None:
    talk = Conversation()
    assert [talk.see("yes", now).source_id for now in (0.0, 1.9)] == ["0", "0"]


def test_a_carrier_that_was_answered_late_may_have_given_up_waiting() -> None:
    talk = Conversation()
    talk.see("yes", 0.0, stored_after=3.0)
    assert talk.see("yes", 30.0).source_id == "0"


def test_an_answer_on_a_connection_that_broke_may_not_have_arrived() -> None:
    talk = Conversation()
    talk.see("yes", 0.0)
    talk.stands = False
    assert talk.see("yes", 30.0).source_id == "0"


@pytest.mark.parametrize("between", ["START", "no"])
def test_only_the_latest_text_of_a_pair_can_come_again(between: str) -> None:
    talk = Conversation()
    talk.stands = False
    assert [talk.see(text, 0.0).source_id for text in ("STOP", between, "STOP")] == ["0", "1", "2"]


def test_after_the_window_nothing_comes_again() -> None:
    talk = Conversation(window=900.0)
    talk.see("yes", 0.0, stored_after=None)
    assert talk.see("yes", 900.0).source_id == "1"


def test_while_we_are_young_an_earlier_process_may_have_seen_it() -> None:
    talk = Conversation(window=900.0)
    assert talk.see("yes", 0.0).may_repeat
    assert not talk.see("no", 10.0).may_repeat  # by now we know this pair
    assert not talk.see("yes", 1000.0).may_repeat


# ------------------------------------------------------------------------------------------------------------ segments


class Shelf:
    """Segments a and b of one text, which came at 0 and were answered after a moment."""

    def __init__(self, answered_at: float = 0.01, *, whole: bool = True) -> None:
        self.stands = True
        self.segments = Segments(900.0)
        for fingerprint in "ab":
            self.segments.took(fingerprint, 0.0, answered_at, lambda: self.stands)
        if whole:
            self.segments.completed("ab")


def test_a_segment_whose_acknowledgement_may_be_lost_comes_again() -> None:
    shelf = Shelf()
    shelf.stands = False
    assert shelf.segments.comes_again("b", 60.0)
    assert not shelf.segments.comes_again("c", 60.0)


def test_a_segment_that_was_acknowledged_late_may_come_again() -> None:
    assert Shelf(answered_at=3.0).segments.comes_again("b", 60.0)


@pytest.mark.parametrize(("now", "again"), [(1.9, True), (60.0, False)])
def test_on_a_connection_that_stands_only_what_comes_at_once_comes_again(now: float, again: bool) -> None:
    assert Shelf().segments.comes_again("b", now) is again


def test_a_segment_of_an_incomplete_text_may_still_become_whole() -> None:
    shelf = Shelf(whole=False)
    shelf.stands = False
    assert not shelf.segments.comes_again("b", 60.0)


def test_after_the_window_no_segment_comes_again_and_no_answer_stands() -> None:
    shelf = Shelf()
    assert shelf.segments.standing("ab")()
    shelf.stands = False
    shelf.segments.took("a", 500.0, 500.0, lambda: True, whole=True)
    assert not shelf.segments.comes_again("b", 900.0)
    shelf.segments.completed("ab")
    assert shelf.segments.comes_again("a", 501.0), "brought once more meanwhile"
    assert shelf.segments.standing("a")()
    assert not shelf.segments.standing("ab")()
