"""One watched call, from its coming to its verdict: the inline machine's verdicts, from what can be seen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ari_app.calls.events import LegEnd
from ari_app.calls.watch_state import WatchRules, WatchStage
from ari_app.recovery.events import CallAnswered, CallClosed, CallerLeft, CallMissed, PromptPlayed, VoicemailLeft
from ari_app.recovery.policy import Forwarded
from ari_app.recovery.values import Verdict
from ari_app.settings.numbers import COUNTING
from tests.ari_app.calls.watch_telling import MOBILE, Watched, facts


def ringing(rules: WatchRules | None = None, **changes: Any) -> Watched:
    """A call whose first phone rings."""
    call = Watched.seen(rules, **changes)
    call.starts("leg")
    call.rings("leg")
    return call


# ------------------------------------------------------------------------------------------------------------- the rings
@pytest.mark.parametrize(("rings", "ring_seconds", "due"), [(3, 6.0, 18.0), (2, 0.5, 1.0), (5, 6.0, 30.0)])
def test_the_call_is_missed_when_so_many_rings_are_over(rings: int, ring_seconds: float, due: float) -> None:
    call = Watched.seen(of_entry={"rings": rings}, ring_seconds=ring_seconds)
    call.starts("leg")
    call.later(1.2).rings("leg")
    assert call.call.deadline == pytest.approx(call.now + due)
    call.deadline()
    (verdict,) = call.verdicts()
    assert isinstance(verdict, CallMissed)
    assert (verdict.verdict, verdict.rings, verdict.ring_seconds, verdict.on_line) == (
        Verdict.NO_ANSWER,
        rings,
        due,
        True,
    )


def test_a_local_channel_that_says_ringing_starts_no_ring_clock() -> None:
    call = Watched.seen()
    call.starts("local", None)
    call.rings("local")
    assert not call.call.rang
    assert "missed unreachable" in facts(call.deadline())


def test_the_ring_clock_runs_on_through_the_steps_of_the_dialplan() -> None:
    call = ringing()
    due = call.call.deadline
    call.later(6).ends("leg")
    assert call.call.deadline is not None
    assert call.call.deadline < (due or 0.0), "the dialplan is not waited for longer than a first ring may take"
    call.later(0.5).starts("next", "102")
    call.rings("next")
    assert call.call.deadline == due


def test_phones_that_stopped_ringing_are_a_miss_when_nothing_follows() -> None:
    call = ringing()
    call.later(6).ends("leg")
    assert call.call.deadline == pytest.approx(call.now + 5.0)
    assert facts(call.deadline()) == "missed no_answer on line"


def test_a_mobile_may_take_its_time_before_it_rings() -> None:
    call = Watched.seen()
    call.starts("desk", "101")
    assert call.call.deadline == pytest.approx(call.now + 5.0)
    call.starts("mobile", MOBILE, outside=True)
    assert call.call.deadline == pytest.approx(call.now + 18.0)


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((LegEnd.BUSY, LegEnd.BUSY), Verdict.BUSY),
        ((LegEnd.BUSY, LegEnd.UNREACHABLE), Verdict.BUSY),
        ((LegEnd.UNREACHABLE, LegEnd.UNREACHABLE), Verdict.UNREACHABLE),
        ((LegEnd.REJECTED, LegEnd.NO_ANSWER), Verdict.UNREACHABLE),
    ],
)
def test_legs_that_never_rang_say_why(ends: tuple[LegEnd, ...], verdict: Verdict) -> None:
    call = Watched.seen()
    call.starts("one", "101")
    call.starts("two", "102")
    call.ends("one", ends[0])
    call.ends("two", ends[1])
    assert f"missed {verdict}" in facts(call.deadline())


@pytest.mark.parametrize(("after", "counts"), [(5.0, False), (6.0, True), (17.0, True)])
def test_a_caller_who_gives_up_counts_once_the_first_ring_is_over(after: float, counts: bool) -> None:
    call = ringing(of_entry={"abandoned_rings": 1})
    call.later(after).ends("leg", LegEnd.CANCELLED)  # Asterisk calls the phones off before it tells of the caller
    call.hangs_up()
    (verdict,) = call.verdicts()
    assert verdict.verdict is Verdict.ABANDONED
    assert isinstance(verdict, CallMissed) is counts


def test_a_caller_who_gives_up_before_a_busy_group_is_told_of_has_met_a_busy_group() -> None:
    call = Watched.seen()
    call.starts("leg")
    call.ends("leg", LegEnd.BUSY)
    assert facts(call.later(0.5).hangs_up()) == "missed busy"


def test_a_pbx_that_hangs_up_without_having_rung_anybody_is_unreachable_and_a_caller_who_does_gave_up() -> None:
    assert facts(Watched.seen().is_hung_up()) == "missed unreachable"
    assert facts(Watched.seen().hangs_up()) == "closed abandoned"


def test_a_number_that_is_not_in_the_settings_is_unrouted_whatever_happens() -> None:
    call = Watched.seen(entry=None)
    call.starts("leg")
    call.rings("leg")
    assert call.call.deadline is None
    call.up("leg")
    assert call.joins("leg") == ()
    assert facts(call.later(30).hangs_up()) == "closed unrouted"


@pytest.mark.parametrize("restarted", [False, True])
def test_nor_does_it_matter_how_a_call_to_such_a_number_vanished(restarted: bool) -> None:
    call = Watched.seen(entry=None)
    call.later(7).blind()
    assert facts(call.later(30).vanishes(restarted=restarted)) == "closed unrouted"


def test_nor_does_a_mailbox_make_a_miss_of_a_number_that_is_not_in_the_settings() -> None:
    call = Watched.seen(entry=None)
    assert call.later(20).mailbox() == ()
    assert facts(call.later(30).hangs_up()) == "closed unrouted"


# ----------------------------------------------------------------------------------------------------------- after hours
def test_after_hours_a_menu_may_still_lead_to_somebody() -> None:
    call = Watched.seen(is_open=False)
    assert call.call.deadline is None
    call.later(25).starts("on call")
    call.rings("on call")
    call.later(4).up("on call")
    assert facts(call.joins("on call")) == "call_answered"
    assert facts(call.later(40).hangs_up()) == "closed answered"


def test_after_hours_the_mailbox_ends_the_hope_and_the_number_s_own_plan_follows() -> None:
    call = Watched.seen(is_open=False, of_entry={"after_hours_plan": "brief"})
    assert facts(call.later(25).mailbox()) == "missed after_hours on line"
    (verdict,) = call.verdicts()
    assert isinstance(verdict, CallMissed)
    assert verdict.plan == "brief"


def test_a_caller_who_leaves_after_hours_was_missed_after_hours() -> None:
    assert facts(Watched.seen(is_open=False).later(1).hangs_up()) == "missed after_hours"


def test_phones_that_ring_after_hours_all_the_same_are_counted_as_ever() -> None:
    assert facts(ringing(is_open=False).deadline()) == "missed no_answer on line"


def test_an_entry_that_rings_after_hours_is_not_given_up_before_a_phone_was_tried() -> None:
    assert Watched.seen(is_open=False, of_entry={"ring_after_hours": True}).call.deadline is None


# ---------------------------------------------------------------------------------------------------------------- queues
def test_a_queue_is_left_to_its_own_patience() -> None:
    call = Watched.seen()
    call.queues()
    call.starts("agent")
    call.rings("agent")
    assert call.call.deadline is None
    assert facts(call.later(60).leaves_queue()) == "missed no_answer on line"
    assert call.verdicts()[0].rings == 10


def test_three_rings_count_in_queues_where_the_settings_say_so() -> None:
    call = Watched.seen(WatchRules(queue_rings=True))
    call.queues()
    assert call.call.deadline == pytest.approx(call.now + 18.0)
    assert facts(call.deadline()) == "missed no_answer on line"
    assert call.later(20).leaves_queue() == ()


def test_who_waits_in_a_queue_where_no_phone_rings_has_waited() -> None:
    call = Watched.seen()
    call.queues()
    assert facts(call.later(13).hangs_up()) == "missed abandoned"
    assert call.verdicts()[0].rings == 2


def test_a_queue_that_is_left_for_an_agent_is_no_miss() -> None:
    call = Watched.seen()
    call.queues()
    call.starts("agent")
    call.rings("agent")
    call.later(30).up("agent")
    assert call.leaves_queue() == ()
    assert facts(call.joins("agent")) == "call_answered"
    assert facts(call.later(20).hangs_up()) == "closed answered"


# --------------------------------------------------------------------------------------------------------------- answers
def test_an_answer_is_told_at_once_and_the_verdict_at_the_end() -> None:
    call = ringing()
    call.later(7).up("leg")
    assert facts(call.joins("leg")) == "call_answered"
    assert facts(call.later(61).hangs_up()) == "closed answered"
    (verdict,) = call.verdicts()
    assert isinstance(verdict, CallClosed)
    assert (verdict.answered_by, verdict.talk_seconds) == ("101", 61.0)
    assert (verdict.rings, verdict.ring_seconds) == (1, 7.0), "the conversation is no ringing"


def test_a_short_talk_is_a_dropped_call() -> None:
    call = ringing()
    call.joins("leg")
    assert facts(call.later(1).hangs_up()) == "closed dropped"


def test_what_follows_an_answer_is_no_miss() -> None:
    call = ringing()
    call.joins("leg")
    call.later(9).ends("leg")
    call.starts("next", "102")
    call.rings("next")
    call.mailbox()
    assert call.call.deadline is None
    assert facts(call.later(40).hangs_up()) == "closed answered"


def test_an_answer_after_the_miss_is_told_and_changes_no_verdict() -> None:
    call = ringing()
    call.deadline()
    call.later(3).up("leg")
    assert facts(call.joins("leg")) == "call_answered"
    assert facts(call.later(40).hangs_up()) == "caller_left"
    assert len(call.verdicts()) == 1


@pytest.mark.parametrize(
    ("forwarded", "talked", "told"),
    [
        (Forwarded.TRUST, 5.0, "closed answered"),
        (Forwarded.TALK, 89.0, "missed no_answer"),
        (Forwarded.TALK, 91.0, "closed answered"),
        (Forwarded.DISTRUST, 600.0, "missed no_answer"),
    ],
)
def test_what_an_answer_on_a_mobile_is_worth(forwarded: Forwarded, talked: float, told: str) -> None:
    call = Watched.seen(WatchRules(forwarded=forwarded))
    call.starts("mobile", MOBILE, outside=True)
    call.rings("mobile")
    call.up("mobile")
    call.joins("mobile", MOBILE, outside=True)
    end = call.now + talked
    if call.call.deadline is not None and call.call.deadline <= end:
        assert facts(call.deadline()) == "call_answered"
    call.now = end
    assert facts(call.hangs_up()) == told


def mobile_up(rules: WatchRules | None = None, *, asking: bool = False) -> Watched:
    """A mobile, or its voicemail, is up; the caller does not hear it yet."""
    call = Watched.seen(rules)
    call.tried(asking=asking)
    call.starts("mobile", MOBILE, outside=True)
    call.rings("mobile")
    call.up("mobile")
    return call


@pytest.mark.parametrize("forwarded", Forwarded)
def test_whoever_was_asked_for_a_key_is_a_person(forwarded: Forwarded) -> None:
    call = mobile_up(WatchRules(forwarded=forwarded))
    call.asked("mobile")
    assert facts(call.later(0.5).joins("mobile", MOBILE, outside=True)) == "call_answered"
    followed = mobile_up(WatchRules(forwarded=forwarded), asking=True)
    assert facts(followed.later(1.5).joins("mobile", MOBILE, outside=True)) == "call_answered"


def test_a_voicemail_that_heard_an_announcement_first_was_asked_for_nothing() -> None:
    call = mobile_up()
    assert call.later(3).joins("mobile", MOBILE, outside=True) == ()
    assert facts(call.later(15).hangs_up()) == "missed no_answer"


def test_followme_that_asks_for_no_key_lets_the_caller_through_at_once() -> None:
    assert mobile_up(asking=True).later(0.1).joins("mobile", MOBILE, outside=True) == ()


def test_time_that_nobody_saw_is_no_proof_of_a_key() -> None:
    call = mobile_up(asking=True)
    call.blind()
    assert call.later(30).joins("mobile", MOBILE, outside=True) == ()


def test_a_person_who_takes_over_from_a_mobile_counts() -> None:
    call = Watched.seen()
    call.joins("mobile", MOBILE, outside=True)
    assert facts(call.later(2).joins("desk", "101")) == "call_answered"
    assert facts(call.later(5).hangs_up()) == "closed answered"
    assert call.verdicts()[0].answered_by == "101"  # type: ignore[union-attr]


# --------------------------------------------------------------------------------------------------- mailbox and notice
def test_the_mailbox_ends_the_hope_and_its_message_is_told_even_afterwards() -> None:
    call = ringing()
    call.later(8).ends("leg")
    assert facts(call.mailbox()) == "missed no_answer on line"
    call.later(12).hangs_up()
    assert facts(call.later(1).message()) == "voicemail_left"
    (message,) = [fact for fact in call.told if isinstance(fact, VoicemailLeft)]
    assert (message.recording, message.seconds) == ("mailbox 101@default", 13.0)


def test_our_notice_in_their_dialplan_is_evidence_and_its_keys_are_heard() -> None:
    call = ringing()
    call.later(8).ends("leg")
    assert facts(call.notice()) == "missed no_answer on line · notice whole"
    (played,) = [fact for fact in call.told if isinstance(fact, PromptPlayed)]
    assert (played.text_sha256, played.audio_sha256) == ("a" * 64, "b" * 64)
    assert facts(call.notice("1", whole=False)) == "notice in part · key 1"
    assert facts(call.hangs_up()) == "caller_left"


def test_a_notice_to_a_call_that_does_not_count_is_no_evidence_of_anything() -> None:
    call = ringing(of_entry={"counts": frozenset({Verdict.BUSY})})
    call.later(8).ends("leg")
    assert facts(call.notice("9")) == "closed no_answer"
    assert call.hangs_up() == (), "nobody was missed whose leaving could matter"
    assert call.call.stage is WatchStage.ENDED


# ------------------------------------------------------------------------------------------------------------- blindness
def test_who_is_blind_does_not_judge() -> None:
    call = ringing()
    call.later(10).blind()
    assert call.call.deadline is None
    call.later(20).sees_again()
    assert facts(call.deadline()) == "missed no_answer on line"


def test_a_call_that_vanished_unseen_is_unknown_and_with_asterisk_it_ended_as_last_seen() -> None:
    for restarted, told in ((False, "missed unknown"), (True, "missed abandoned")):
        call = ringing()
        call.later(7).blind()
        assert facts(call.later(100).vanishes(restarted=restarted)) == told
        assert call.verdicts()[0].rings == 1, "rings that nobody saw do not count"


def test_a_call_that_vanished_unseen_is_left_to_the_event_log_where_there_is_one() -> None:
    for restarted in (False, True):
        call = ringing(WatchRules(told_later=True))
        call.later(7).blind()
        assert call.later(100).vanishes(restarted=restarted) == (), "it may have been answered before the restart"
        assert call.call.stage is WatchStage.ENDED


def test_a_mobile_that_asterisk_took_with_it_was_no_person_where_nothing_tells_it_later() -> None:
    call = mobile_up()
    call.joins("mobile", MOBILE, outside=True)
    call.later(5).blind()
    assert facts(call.later(5).vanishes(restarted=True)) == "missed no_answer"


def test_a_talk_that_vanished_was_an_answered_call_and_one_with_a_mobile_nobody_knows() -> None:
    call = ringing()
    call.joins("leg")
    call.later(10).blind()
    assert facts(call.later(100).vanishes()) == "closed answered"
    assert call.verdicts()[0].talk_seconds == 10.0  # type: ignore[union-attr]
    mobile = Watched.seen()
    mobile.joins("mobile", MOBILE, outside=True)
    mobile.later(5).blind()
    assert facts(mobile.later(5).vanishes()) == "missed unknown"


def test_a_talk_that_is_found_under_way_is_never_taken_for_one_that_was_cut_off() -> None:
    call = Watched.of()
    call.arrives(for_seconds=40)
    call.starts("leg")
    call.up("leg")
    call.joins("leg")
    call.sees_again()
    assert facts(call.later(0.1).hangs_up()) == "closed answered"


# ---------------------------------------------------------------------------------------------------------- any story
class Story(RuleBasedStateMachine):
    """Everything that AMI may tell, in any order, twice, late."""

    call: Watched
    legs = st.sampled_from(["one", "two", "mobile", "local"])

    @initialize(
        forwarded=st.sampled_from(Forwarded),
        queue_rings=st.booleans(),
        is_open=st.booleans(),
        counted=st.sampled_from([frozenset(COUNTING), frozenset({Verdict.BUSY, Verdict.DROPPED})]),
        known=st.booleans(),
    )
    def begin(self, forwarded: Forwarded, queue_rings: bool, is_open: bool, counted: Any, known: bool) -> None:
        more: dict[str, Any] = {} if known else {"entry": None}
        rules = WatchRules(forwarded=forwarded, queue_rings=queue_rings)
        self.call = Watched.seen(rules, is_open=is_open, of_entry={"counts": counted}, **more)

    @rule(seconds=st.sampled_from([0.0, 0.4, 3.0, 7.0, 40.0]))
    def later(self, seconds: float) -> None:
        self.call.later(seconds)

    @rule(leg=legs)
    def starts(self, leg: str) -> None:
        self.call.starts(leg, None if leg == "local" else leg, outside=leg == "mobile")

    @rule(leg=legs)
    def rings(self, leg: str) -> None:
        self.call.rings(leg)

    @rule(leg=legs)
    def up(self, leg: str) -> None:
        self.call.up(leg)

    @rule(leg=legs, end=st.sampled_from(LegEnd))
    def ends(self, leg: str, end: LegEnd) -> None:
        self.call.ends(leg, end)

    @rule(leg=legs)
    def asked(self, leg: str) -> None:
        self.call.asked(leg)

    @rule(leg=st.sampled_from(["one", "mobile"]))
    def joins(self, leg: str) -> None:
        self.call.joins(leg, leg, outside=leg == "mobile")

    @rule(act=st.sampled_from(["tried", "queues", "leaves_queue", "mailbox", "message", "blind", "sees_again"]))
    def happens(self, act: str) -> None:
        getattr(self.call, act)()

    @rule(key=st.sampled_from(["", "1", "9", "5"]), whole=st.booleans())
    def notice(self, key: str, whole: bool) -> None:
        self.call.notice(key, whole=whole)

    @rule()
    def deadline(self) -> None:
        self.call.deadline()

    @rule(how=st.sampled_from(["hangs_up", "is_hung_up"]))
    def over(self, how: str) -> None:
        getattr(self.call, how)()

    @rule(restarted=st.booleans())
    def vanishes(self, restarted: bool) -> None:
        self.call.vanishes(restarted=restarted)

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "call"):
            return
        call, told = self.call.call, self.call.told
        assert len(self.call.verdicts()) == (0 if call.verdict is None else 1)
        assert sum(isinstance(fact, CallAnswered) for fact in told) <= 1
        assert sum(isinstance(fact, CallerLeft) for fact in told) <= 1
        if call.stage is WatchStage.ENDED:
            assert call.verdict is not None
            assert call.deadline is None
        if call.blind_since is not None:
            assert call.deadline is None
        answered = [fact for fact in told if isinstance(fact, CallAnswered)]
        if answered and any(isinstance(fact, CallMissed) for fact in told):
            missed = next(fact for fact in told if isinstance(fact, CallMissed))
            late = told.index(answered[0]) > told.index(missed)
            assert late or missed.verdict is Verdict.DROPPED, "who reached a person is not missed afterwards"

    def teardown(self) -> None:
        """Every call has a verdict once its caller is gone."""
        if hasattr(self, "call"):
            self.call.hangs_up()
            self.holds()
            assert self.call.call.stage is WatchStage.ENDED


TestAnyStory = Story.TestCase
TestAnyStory.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
