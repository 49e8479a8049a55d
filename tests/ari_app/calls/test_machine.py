"""One inbound call, from arrival to verdict: rings are counted, one verdict is told, and the caller gets what was set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ari_app.calls.draft import Digests, PromptDigests
from ari_app.calls.effects import CancelLeg, Connect, HangUp, HangUpAs, Play, Prompt, Record, RingLeg, StopPlaying, Tell
from ari_app.calls.events import Arrived, LegEnd, PlayingEnded
from ari_app.calls.machine import step
from ari_app.calls.state import Call, CallStage, Leg, LegState
from ari_app.recovery.events import CallAnswered, CallClosed, CallMissed, KeyPressed, PromptPlayed, VoicemailLeft
from ari_app.recovery.policy import AfterMiss, Strategy
from ari_app.recovery.values import NumberKind, Verdict
from tests.ari_app.calls.telling import Telling, entry, setup, words
from tests.ari_app.recovery.books import CALLER, MAIN


def ringing(after_miss: AfterMiss = AfterMiss.PROMPT, **changes: Any) -> Telling:
    """All phones that are called at first ring."""
    call = Telling.of(after_miss, **changes)
    call.arrived()
    for index in range(len(call.call.legs)):
        call.ringing(index)
    return call


def missed(after_miss: AfterMiss = AfterMiss.PROMPT, **changes: Any) -> Telling:
    call = ringing(after_miss, **changes)
    call.deadline()
    return call


# ------------------------------------------------------------------------------------------------------------- arrival
def test_a_number_that_is_not_in_the_settings_goes_back_to_the_dialplan() -> None:
    call = Telling.of(entry=None)
    assert words(call.arrived()) == "tell call_closed unrouted · fall through"
    (closed,) = call.verdicts()
    assert (closed.office, closed.entry, closed.dialled) == (None, None, MAIN)


def test_after_hours_the_call_is_missed_at_once_unless_the_entry_rings_then_too() -> None:
    call = Telling.of(is_open=False, of_entry={"after_hours_plan": "brief"})
    assert words(call.arrived()) == "tell call_missed after_hours · play missed_call_notice"
    (verdict,) = call.verdicts()
    assert isinstance(verdict, CallMissed)
    assert verdict.plan == "brief"
    ringing_at_night = Telling.of(is_open=False, of_entry={"ring_after_hours": True})
    assert words(ringing_at_night.arrived()) == "ring 101 · ring 102"


def test_its_legs_have_ids_that_no_other_process_gives() -> None:
    call = Telling.of(life="9f03ac")
    call.arrived()
    call_id = call.call.setup.call_id
    assert [leg.leg for leg in call.call.legs] == [f"{call_id}-leg0.9f03ac", f"{call_id}-leg1.9f03ac"]


def test_a_group_without_phones_cannot_be_reached() -> None:
    assert words(Telling.of(phones=()).arrived()) == "tell call_missed unreachable · play missed_call_notice"


# ------------------------------------------------------------------------------------------------------------- the rings
@pytest.mark.parametrize(("rings", "ring_seconds", "due"), [(3, 6.0, 18.0), (2, 0.5, 1.0), (5, 6.0, 30.0)])
def test_the_call_is_missed_when_so_many_rings_are_over(rings: int, ring_seconds: float, due: float) -> None:
    call = Telling.of(of_entry={"rings": rings}, ring_seconds=ring_seconds)
    call.arrived()
    call.later(1.2).ringing(0)
    assert call.call.deadline == pytest.approx(call.now + due)
    call.deadline()
    (verdict,) = call.verdicts()
    assert (verdict.verdict, verdict.rings, verdict.ring_seconds) == (Verdict.NO_ANSWER, rings, due)
    assert isinstance(verdict, CallMissed)
    assert verdict.on_line
    assert verdict.caller_name == "ANA CALLER"


def test_the_ring_clock_starts_with_the_first_phone_and_the_caller_hears_it_once() -> None:
    call = Telling.of()
    call.arrived()
    assert words(call.later(0.5).ringing(1)) == "ring back"
    due = call.call.deadline
    assert words(call.later(2).ringing(0)) == ""
    assert call.call.deadline == due


def test_a_deadline_that_fires_a_hair_early_counts() -> None:
    call = ringing()
    assert call.call.deadline is not None
    call.now = call.call.deadline - 0.0005
    assert "call_missed no_answer" in words(call.deadline())


def test_no_phone_rings_in_time_unreachable_or_busy_if_one_said_so() -> None:
    quiet = Telling.of()
    quiet.arrived()
    assert quiet.call.deadline == quiet.now + 5.0
    assert "call_missed unreachable" in words(quiet.deadline())
    busy = Telling.of()
    busy.arrived()
    busy.ended(0, LegEnd.BUSY)
    assert "call_missed busy" in words(busy.deadline())


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((LegEnd.BUSY, LegEnd.BUSY), Verdict.BUSY),
        ((LegEnd.BUSY, LegEnd.UNREACHABLE), Verdict.BUSY),
        ((LegEnd.UNREACHABLE, LegEnd.UNREACHABLE), Verdict.UNREACHABLE),
        ((LegEnd.REJECTED, LegEnd.NO_ANSWER), Verdict.UNREACHABLE),
    ],
)
def test_when_every_phone_has_ended_without_ringing_nobody_waits(ends: tuple[LegEnd, ...], verdict: Verdict) -> None:
    call = Telling.of()
    call.arrived()
    assert words(call.ended(0, ends[0])) == ""
    assert f"call_missed {verdict}" in words(call.ended(1, ends[1]))
    assert call.ended(1, ends[1]) == (), "ended already"


def test_phones_that_rang_and_then_refused_were_not_answered() -> None:
    call = ringing()
    call.ended(0, LegEnd.REJECTED)
    assert "call_missed no_answer" in words(call.ended(1, LegEnd.REJECTED))


@pytest.mark.parametrize(("after", "counts"), [(5.0, False), (6.0, True), (17.0, True)])
def test_a_caller_who_gives_up_counts_once_the_first_ring_is_over(after: float, counts: bool) -> None:
    call = ringing(of_entry={"abandoned_rings": 1})
    call.later(after).gone()
    (verdict,) = call.verdicts()
    assert verdict.verdict is Verdict.ABANDONED
    assert isinstance(verdict, CallMissed) is counts
    if isinstance(verdict, CallMissed):
        assert not verdict.on_line


def test_a_verdict_that_the_entry_does_not_count_starts_no_plan() -> None:
    call = missed(of_entry={"counts": frozenset({Verdict.BUSY})})
    (verdict,) = call.verdicts()
    assert isinstance(verdict, CallClosed)
    assert call.call.playing is Prompt.SORRY, "nothing is promised"


# -------------------------------------------------------------------------------------------------------------- answers
def test_one_phone_answers_and_the_others_are_taken_back() -> None:
    call = ringing()
    assert words(call.later(8).answered(1)) == "cancel leg0 elsewhere · connect leg1 · tell call_answered"
    assert call.call.deadline is None
    answered = call.facts()[0]
    assert isinstance(answered, CallAnswered)
    assert (answered.by, answered.source_id) == ("102", "answered:1764000000.1")
    call.later(60).ended(1)
    (verdict,) = call.verdicts()
    assert isinstance(verdict, CallClosed)
    assert (verdict.verdict, verdict.rings, verdict.talk_seconds, verdict.answered_by) == (
        Verdict.ANSWERED,
        1,
        60.0,
        "102",
    )


@pytest.mark.parametrize(("talked", "verdict"), [(2.9, Verdict.DROPPED), (3.0, Verdict.ANSWERED)])
def test_an_answered_call_that_is_over_at_once_was_dropped(talked: float, verdict: Verdict) -> None:
    call = ringing()
    call.answered(0)
    call.later(talked).gone()
    assert [event.verdict for event in call.verdicts()] == [verdict]


def test_a_phone_that_answers_in_the_same_moment_as_another_is_hung_up() -> None:
    call = ringing()
    call.answered(0)
    assert call.answered(1) == (CancelLeg(call.name(1), elsewhere=True),)


def test_an_answer_that_is_told_twice_does_not_end_the_conversation() -> None:
    call = ringing()
    call.answered(0)
    assert call.answered(0) == ()
    assert call.call.stage is CallStage.CONNECTED


def test_a_phone_that_answers_after_the_caller_left_is_hung_up() -> None:
    call = ringing()
    call.gone()
    assert call.answered(0) == (CancelLeg(call.name(0), elsewhere=False),)


# ---------------------------------------------------------------------------------------------------- one after another
def test_phones_in_order_have_their_share_each_and_the_clock_runs_on() -> None:
    call = Telling.of(strategy=Strategy.IN_ORDER, each_seconds=8.0)
    start = call.now
    assert words(call.arrived()) == "ring 101"
    call.later(1).ringing(0)
    assert call.call.deadline == start + 1 + 8
    assert words(call.deadline()) == "cancel leg0 · ring 102"
    call.ringing(1)
    assert words(call.deadline()) == "cancel leg1 · ring 101"
    call.ringing(2)
    assert call.call.deadline == start + 1 + 18
    assert "call_missed no_answer" in words(call.deadline())


def test_a_phone_that_does_not_ring_or_is_busy_is_not_tried_again() -> None:
    call = Telling.of(strategy=Strategy.ROUND_ROBIN, phones=("101", "102", "103"))
    call.arrived()
    assert words(call.deadline()) == "cancel leg0 · ring 102"
    assert words(call.ended(1, LegEnd.BUSY)) == "ring 103"
    call.ringing(2)
    assert words(call.deadline()) == "", "the only one that is left rings on"
    assert [leg.phone for leg in call.call.legs] == ["101", "102", "103"]
    assert words(call.ended(2, LegEnd.REJECTED)) == "tell call_missed no_answer · play missed_call_notice"


@pytest.mark.parametrize("strategy", [Strategy.IN_ORDER, Strategy.ROUND_ROBIN])
def test_a_phone_that_does_not_ring_takes_nothing_of_the_time_in_which_the_next_may_begin(strategy: Strategy) -> None:
    call = Telling.of(strategy=strategy, phones=("101", "102", "103"), first_ring_seconds=5.0)
    start = call.now
    call.arrived()
    assert words(call.deadline()) == "cancel leg0 · ring 102"
    assert call.call.deadline == start + 10, "the second has five seconds of its own"
    assert words(call.deadline()) == "cancel leg1 · ring 103"
    assert words(call.later(4.9).ringing(2)) == "ring back"
    assert call.now == start + 14.9
    assert words(call.answered(2)) == "connect leg2 · tell call_answered"


@pytest.mark.parametrize("strategy", Strategy)
def test_a_phone_that_could_only_be_asked_later_has_its_time_from_then(strategy: Strategy) -> None:
    call = Telling.of(strategy=strategy, first_ring_seconds=5.0)
    call.arrived()
    assert call.later(4).asked(0) == ()
    assert call.call.deadline == call.now + 5
    assert call.asked("another") == ()


def test_the_ring_clock_starts_anew_when_the_only_phone_that_rang_is_asked_again() -> None:
    call = ringing()
    call.later(10).asked(0)
    assert call.call.ring_started is not None, "the other one rings on"
    call.asked(1)
    assert call.call.deadline == call.now + call.call.setup.each_seconds
    assert words(call.later(1).ringing(1)) == "ring back"
    assert call.call.deadline == call.now + 18


@pytest.mark.parametrize("strategy", Strategy)
def test_the_only_phone_that_rang_and_does_not_ring_again_is_not_waited_for_for_ever(strategy: Strategy) -> None:
    call = Telling.of(strategy=strategy, phones=("101",))
    call.arrived()
    call.ringing(0)
    call.asked(0)
    assert "call_missed no_answer" in words(call.deadline())


@pytest.mark.parametrize("strategy", Strategy)
def test_a_phone_that_was_lost_unheard_rings_anew_and_what_is_told_of_the_lost_leg_is_not_of_the_new_one(
    strategy: Strategy,
) -> None:
    call = Telling.of(strategy=strategy, phones=("101",))
    call.arrived()
    call.ringing(0)
    assert words(call.later(10).ended(0, LegEnd.LOST)) == "ring 101"
    assert call.call.ring_started is None, "nobody knows how long it has not rung"
    assert call.ended(0, LegEnd.NO_ANSWER) == ()
    assert words(call.ringing(1)) == "ring back"
    assert words(call.later(2).answered(1)) == "connect leg1 · tell call_answered"


def test_phones_that_rang_and_do_not_ring_again_were_not_answered() -> None:
    call = ringing()
    call.asked(0)
    call.asked(1)
    assert "call_missed no_answer" in words(call.deadline())


def test_the_last_phone_that_does_not_ring_ends_the_search() -> None:
    call = Telling.of(strategy=Strategy.IN_ORDER, phones=("101",))
    call.arrived()
    assert words(call.deadline()) == "cancel leg0 · tell call_missed unreachable · play missed_call_notice"


def test_a_phone_that_gave_up_ringing_may_have_another_turn() -> None:
    call = Telling.of(strategy=Strategy.IN_ORDER)
    call.arrived()
    call.ringing(0)
    assert words(call.later(2).ended(0, LegEnd.NO_ANSWER)) == "ring 102"
    assert words(call.ended(1, LegEnd.UNREACHABLE)) == "ring 101"


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("rings", [False, True])
def test_phones_that_refuse_at_once_are_asked_once_each(strategy: Strategy, rings: bool) -> None:
    call = Telling.of(strategy=strategy)
    call.arrived()
    for leg in range(10):
        if leg < len(call.call.legs):
            if rings:
                call.ringing(leg)
            call.later(0.1).ended(leg, LegEnd.NO_ANSWER)
    assert [leg.phone for leg in call.call.legs] == ["101", "102"]
    (verdict,) = call.verdicts()
    assert verdict.verdict is (Verdict.NO_ANSWER if rings else Verdict.UNREACHABLE)


def test_an_ending_that_is_not_the_last_leaves_the_others_ringing() -> None:
    call = ringing()
    assert call.ended(0, LegEnd.REJECTED) == ()
    assert [leg.phone for leg in call.call.live_legs] == ["102"]


# ------------------------------------------------------------------------------------------------------- after the miss
def test_who_is_to_be_hung_up_is_told_that_nobody_answered() -> None:
    call = ringing(AfterMiss.HANGUP)
    assert words(call.deadline()).endswith("tell call_missed no_answer · hang up no_answer · tell caller_left")
    (verdict,) = call.verdicts()
    assert isinstance(verdict, CallMissed)
    assert not verdict.on_line


def test_the_notice_is_evidence_and_names_what_was_played() -> None:
    call = missed()
    call.later(12).played()
    played = call.facts()[-1]
    assert isinstance(played, PromptPlayed)
    assert (played.prompt, played.whole, played.source_id) == (Prompt.NOTICE, True, "prompt:1764000000.1")
    assert (played.text_sha256, played.audio_sha256) == ("a" * 64, "b" * 64)
    assert call.call.deadline == call.now + 3.0
    assert words(call.deadline()) == "hang up normal · tell caller_left"


def test_a_notice_without_a_file_has_no_digest() -> None:
    call = missed()
    event = PlayingEnded(now=call.now, at=call.at, prompt=Prompt.NOTICE, whole=False, started_at=call.at)
    tells = [effect.event for effect in step(call.call, event, {}).effects if isinstance(effect, Tell)]
    assert isinstance(tells[0], PromptPlayed)
    assert tells[0].audio_sha256 == ""


def test_the_end_of_the_notice_is_evidence_even_after_the_caller_left() -> None:
    call = missed()
    call.later(4).gone()
    assert words(call.played(whole=False)) == "tell prompt_played"
    assert call.played(whole=False) == ()


@pytest.mark.parametrize(("key", "thanks"), [("1", Prompt.CALL_NOW), ("9", Prompt.NEVER)])
def test_a_key_stops_the_notice_is_told_and_thanked_for(key: str, thanks: Prompt) -> None:
    call = missed()
    effects = call.later(3).key(key)
    assert effects[1:] == (StopPlaying(), Play(thanks))
    pressed = call.facts()[-1]
    assert isinstance(pressed, KeyPressed)
    assert (pressed.key, pressed.source_id) == (key, f"key:1764000000.1:{key}")
    call.played(Prompt.NOTICE, whole=False)
    assert call.call.playing is thanks, "the end of what was stopped changes nothing"
    assert words(call.played()) == "hang up normal · tell caller_left"


def test_nine_after_one_is_heard_and_one_after_nine_is_not() -> None:
    call = missed()
    call.key("1")
    assert call.key("1") == ()
    assert Play(Prompt.NEVER) in call.key("9")
    assert call.key("1") == ()
    assert call.key("9") == ()


def test_callers_whom_we_cannot_contact_hear_no_promise_and_have_no_keys() -> None:
    call = missed(contactable=False, caller=None, kind=NumberKind.WITHHELD)
    assert call.call.playing is Prompt.SORRY
    assert call.key("9") == ()
    assert words(call.played()) == "hang up normal · tell caller_left"
    assert call.call.stage is CallStage.ENDED


def test_a_prompt_whose_end_is_never_reported_is_given_up() -> None:
    call = missed()
    assert call.call.deadline == call.now + 60
    assert words(call.deadline()) == "hang up normal · tell caller_left"


def test_another_group_rings_on_and_may_still_answer() -> None:
    call = ringing(AfterMiss.OVERFLOW)
    assert words(call.deadline()) == "cancel leg0 · cancel leg1 · tell call_missed no_answer · ring 103"
    call.ringing(2)
    assert words(call.later(5).answered(2)) == "connect leg2 · tell call_answered"
    assert words(call.later(30).gone()) == "cancel leg2 · tell caller_left"
    assert len(call.verdicts()) == 1


def test_when_the_other_group_does_not_answer_the_notice_follows() -> None:
    call = missed(AfterMiss.OVERFLOW)
    assert call.call.deadline == call.now + 18
    assert words(call.deadline()) == "cancel leg2 · play missed_call_notice"
    gone = missed(AfterMiss.OVERFLOW)
    assert words(gone.ended(2, LegEnd.BUSY)) == "play missed_call_notice"


def test_an_overflow_of_several_phones_rings_until_the_last_has_ended() -> None:
    call = missed(AfterMiss.OVERFLOW, overflow=("103", "104"))
    assert call.ended(2, LegEnd.BUSY) == ()
    assert words(call.ended(3, LegEnd.BUSY)) == "play missed_call_notice"


def test_an_overflow_without_phones_is_the_prompt() -> None:
    assert missed(AfterMiss.OVERFLOW, overflow=()).call.playing is Prompt.NOTICE


def test_who_may_not_be_called_is_promised_no_call_by_key_1_and_may_still_press_9() -> None:
    call = missed(may_call=False)
    assert call.key("1") == ()
    assert words(call.key("9")) == "tell key_pressed · stop playing · play thanks_no_contact"


@pytest.mark.parametrize("contactable", [True, False])
def test_voicemail_follows_the_notice_or_the_apology(contactable: bool) -> None:
    call = missed(AfterMiss.VOICEMAIL, contactable=contactable)
    assert call.played()[-1] == Play(Prompt.MESSAGE)
    assert call.played() == (Record(120.0),)
    assert call.call.deadline == call.now + 180
    effects = call.later(20).recorded(17.0)
    assert words(effects) == "tell voicemail_left · hang up normal · tell caller_left"
    left = call.facts()[-2]
    assert isinstance(left, VoicemailLeft)
    assert (left.recording, left.seconds) == ("a.wav", 17.0)


def test_a_message_that_ends_with_the_caller_is_kept_and_a_click_is_not() -> None:
    call = missed(AfterMiss.VOICEMAIL)
    call.played()
    call.played()
    call.later(9).gone()
    assert words(call.recorded(7.0)) == "tell voicemail_left"
    assert call.recorded(1.9) == ()


def test_a_person_who_answers_while_a_prompt_plays_silences_it() -> None:
    call = missed(AfterMiss.OVERFLOW)
    call.ended(2, LegEnd.UNREACHABLE)
    late = Telling(call.call, call.now)
    late.call = _with_a_live_leg(late.call)
    effects = late.answered("late")
    assert StopPlaying() in effects
    assert Connect("late") in effects


def _with_a_live_leg(call: Call) -> Call:
    return replace(call, legs=(*call.legs, Leg("late", "104", 0.0, LegState.RINGING, rang=True)))


# ------------------------------------------------------------------------------------------------------------ the facts
def test_every_fact_of_a_call_says_whose_it_is() -> None:
    call = missed()
    call.key("1")
    call.played()
    for fact in call.facts():
        common = (fact.call_id, fact.caller, fact.kind, fact.dialled, fact.office, fact.entry)  # type: ignore[union-attr]
        assert common == ("1764000000.1", CALLER, NumberKind.ORDINARY, MAIN, "miami", "_1305555010X")


def test_a_hang_up_ends_it_for_both_when_the_person_hangs_up() -> None:
    call = ringing()
    call.answered(0)
    assert HangUp(HangUpAs.NORMAL) in call.later(9).ended(0)


def test_the_machine_needs_nothing_but_its_set_up() -> None:
    digests: Digests = {Prompt.NOTICE: PromptDigests("", "")}
    found = step(Call(setup=setup(of_entry={"rings": 1})), Arrived(now=0.0, at=Telling.of().at), digests)
    assert [effect.phone for effect in found.effects if isinstance(effect, RingLeg)] == ["101", "102"]
    assert entry(rings=1).rings == 1
