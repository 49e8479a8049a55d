"""When a turn starts and ends, in seconds of audio."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.turns import NoSpeech, SpeechStarted, TurnDetector, TurnEnded, TurnEvent, TurnOptions, TurnReason

FRAME = 0.02


def near(seconds: float) -> Any:
    """Sums of frame lengths are not exact."""
    return pytest.approx(seconds)


def frames(seconds: float) -> int:
    return round(seconds / FRAME)


def hear(detector: TurnDetector, speech: bool, seconds: float) -> list[TurnEvent]:
    """The events while ``seconds`` of speech or of silence pass."""
    events = (detector.hear(speech, FRAME) for _ in range(frames(seconds)))
    return [event for event in events if event is not None]


def started() -> TurnDetector:
    """A detector that has heard half a second of speech."""
    detector = TurnDetector()
    assert [type(event) for event in hear(detector, True, 0.5)] == [SpeechStarted]
    return detector


def test_speech_starts_a_turn_once_there_is_enough_of_it() -> None:
    detector = TurnDetector()
    hear(detector, False, 1.0)
    assert hear(detector, True, 0.06) == []
    [event] = hear(detector, True, 0.02)
    assert event == SpeechStarted(at=near(1.08), began=near(1.0))
    assert detector.speaking
    assert detector.voiced == near(0.08)


def test_a_click_starts_nothing_and_clicks_do_not_add_up() -> None:
    detector = TurnDetector()
    for _ in range(50):
        assert hear(detector, True, 0.04) == []
        assert hear(detector, False, 0.06) == []
    assert detector.voiced == 0.0


def test_a_flicker_of_the_detector_does_not_delay_the_start() -> None:
    detector = TurnDetector()
    events = [detector.hear(speech, FRAME) for speech in (True, True, True, False, True, True)]
    assert events[:-1] == [None] * 5
    assert events[-1] == SpeechStarted(at=near(0.12), began=near(0.0))


def test_without_an_answer_the_turn_ends_after_a_long_silence() -> None:
    detector = started()
    assert hear(detector, False, 0.68) == []
    [event] = hear(detector, False, 0.02)
    assert event == TurnEnded(
        at=near(1.2),
        began=near(0.0),
        spoken_until=near(0.5),
        voiced=near(0.5),
        reason=TurnReason.SILENCE,
    )
    assert not detector.speaking


def test_a_complete_answer_that_has_settled_ends_soonest() -> None:
    detector = TurnDetector()
    hear(detector, True, 0.3)
    detector.note_partial("buying", fulfilled=True)
    hear(detector, True, 0.2)
    assert hear(detector, False, 0.18) == []
    [event] = hear(detector, False, 0.02)
    assert isinstance(event, TurnEnded)
    assert event.reason is TurnReason.COMPLETE
    assert event.at - event.spoken_until == near(0.2)


def test_an_answer_that_is_heard_again_word_for_word_has_not_changed() -> None:
    detector = started()
    detector.note_partial("buying", fulfilled=True)
    hear(detector, False, 0.14)
    detector.note_partial("buying", fulfilled=True)
    [event] = hear(detector, False, 0.06)
    assert isinstance(event, TurnEnded)
    assert event.at - event.spoken_until == near(0.2)


def test_a_complete_answer_that_has_just_changed_is_given_a_little_longer() -> None:
    detector = started()
    hear(detector, False, 0.14)
    detector.note_partial("buying", fulfilled=True)
    assert hear(detector, False, 0.14) == []
    [event] = hear(detector, False, 0.02)
    assert isinstance(event, TurnEnded)
    assert event.at - event.spoken_until == near(0.3)


def test_an_answer_that_is_no_longer_complete_waits_as_if_there_were_none() -> None:
    detector = started()
    detector.note_partial("buying", fulfilled=True)
    detector.note_partial("buying or", fulfilled=False)
    assert hear(detector, False, 0.68) == []
    assert len(hear(detector, False, 0.02)) == 1


def test_the_end_of_the_audio_ends_the_turn() -> None:
    detector = started()
    hear(detector, False, 0.1)
    ended = detector.cut()
    assert ended == TurnEnded(
        at=near(0.6), began=near(0.0), spoken_until=near(0.5), voiced=near(0.5), reason=TurnReason.CUT
    )
    assert detector.cut() is None, "there is none any more"


def test_speech_within_the_silence_goes_on_with_the_turn() -> None:
    detector = started()
    hear(detector, False, 0.6)
    hear(detector, True, 0.1)
    assert hear(detector, False, 0.68) == []
    [event] = hear(detector, False, 0.02)
    assert isinstance(event, TurnEnded)
    assert event.spoken_until == near(1.2)


def test_a_crackle_within_the_silence_does_not() -> None:
    detector = started()
    hear(detector, False, 0.4)
    hear(detector, True, 0.02)
    [event] = hear(detector, False, 0.28)
    assert isinstance(event, TurnEnded)
    assert event.spoken_until == near(0.5)


def test_an_endless_turn_is_ended() -> None:
    detector = TurnDetector(TurnOptions(longest_seconds=3.0))
    events = hear(detector, True, 3.0)
    assert events[-1] == TurnEnded(
        at=near(3.0),
        began=near(0.0),
        spoken_until=near(3.0),
        voiced=near(3.0),
        reason=TurnReason.TOO_LONG,
    )


def test_nothing_said_in_time_is_told_once() -> None:
    detector = TurnDetector()
    hear(detector, False, 1.0)
    detector.await_answer(2.0)
    assert hear(detector, False, 1.98) == []
    assert hear(detector, False, 5.0) == [NoSpeech(at=near(3.0))]


def test_an_answer_that_starts_at_the_last_moment_is_heard_out() -> None:
    detector = TurnDetector()
    detector.await_answer(1.0)
    hear(detector, False, 0.96)
    assert [type(event) for event in hear(detector, True, 0.5)] == [SpeechStarted]
    assert [type(event) for event in hear(detector, False, 3.0)] == [TurnEnded]


def test_speech_that_had_begun_before_anybody_waited_counts_as_an_answer() -> None:
    detector = started()
    detector.await_answer(1.0)
    hear(detector, True, 2.0)
    assert [type(event) for event in hear(detector, False, 5.0)] == [TurnEnded]


def test_nobody_is_told_of_silence_that_nobody_waits_for() -> None:
    detector = TurnDetector()
    detector.await_answer(1.0)
    detector.await_answer(None)
    assert hear(detector, False, 9.0) == []


def test_the_next_turn_knows_nothing_of_the_last_one() -> None:
    detector = started()
    detector.note_partial("buying", fulfilled=True)
    assert len(hear(detector, False, 0.2)) == 1
    [start] = hear(detector, True, 0.3)
    assert start == SpeechStarted(at=near(0.78), began=near(0.7))
    assert hear(detector, False, 0.6) == []
    assert detector.voiced == near(0.3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stop_seconds": 0.1},
        {"unfinished_stop_seconds": 0.25},
        {"complete_stop_seconds": 0.0},
        {"start_seconds": 0.0},
        {"start_seconds": 30.0},
        {"resume_seconds": 0.0},
    ],
)
def test_options_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 <"):
        TurnOptions(**wrong)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", "buying", "buying a"])), max_size=400))
def test_starts_and_ends_take_turns_and_times_make_sense(heard: list[tuple[bool, str]]) -> None:
    detector = TurnDetector(TurnOptions(longest_seconds=2.0))
    last: TurnEvent | None = None
    for speech, partial in heard:
        detector.note_partial(partial, fulfilled=partial == "buying")
        event = detector.hear(speech, FRAME)
        if event is None:
            continue
        assert event.at == near(detector.now)
        if isinstance(event, TurnEnded):
            assert isinstance(last, SpeechStarted)
            assert event.began == last.began
            assert event.began < event.spoken_until <= event.at + 1e-9
            assert 0.06 <= event.voiced <= event.at - event.began + 1e-9
            assert event.at - event.began <= 2.0 + 1e-6
        else:
            assert isinstance(event, SpeechStarted)
            assert last is None or isinstance(last, TurnEnded)
            assert event.at - event.began >= 0
        last = event
