"""What the lead's machine does where the stories do not lead: after a reload, without a lead, at the edges of a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ari_app.recovery import machine
from ari_app.recovery.commands import Close, RecordOptOut
from ari_app.recovery.effects import (
    AlertAgent,
    CancelPending,
    PlaceCallback,
    PushLead,
    SendEmail,
    SendText,
    SetConsent,
    TextPurpose,
)
from ari_app.recovery.events import CallAnswered, CallerLeft, CallMissed, Facts, KeyPressed, PromptPlayed, TextReceived
from ari_app.recovery.machine import Step
from ari_app.recovery.plan import clock_face, opening_words
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import (
    AlertReason,
    CallbackEnd,
    Channel,
    ConsentState,
    EffectId,
    LeadId,
    NumberKind,
    Progress,
    Stage,
)
from tests.ari_app.recovery.books import CALLER, KEYS, MAIN, START, ZONE, Books, policy

LEAD = LeadId(1)


def run_out(books: Books) -> None:
    """Let time pass until the plan is over."""
    while books.timers:
        books.fire(*next(iter(books.timers)))


CALL_ONLY = policy(("brief: [{text: missed}, push]", "brief: [call, push]"))
"""The number of the Keys calls back, and does no more."""


def called_back(books: Books) -> EffectId:
    """A caller to the Keys hears the notice and hangs up; the callback's order."""
    books.call(CallMissed, dialled=KEYS, on_line=True)
    books.call(PromptPlayed, dialled=KEYS)
    books.call(CallerLeft, dialled=KEYS)
    callback = books.lead().callback_effect
    assert callback is not None
    return callback


def reasons(step: Step) -> list[str]:
    return [effect.reason for effect in step.effects if isinstance(effect, AlertAgent)]


# ------------------------------------------------------------------------------------------------------ after a reload
def without(found: Policy, **gone: str) -> Policy:
    """The policy after a reload that dropped one name from a section: ``texts="missed"``."""
    changes = {section: {key: value for key, value in getattr(found, section).items() if key != name}
               for section, name in gone.items()}  # fmt: skip
    return replace(found, **changes)  # type: ignore[arg-type]


def test_a_plan_that_was_renamed_while_the_call_rang_tells_a_person() -> None:
    books = Books()
    step = books.call(CallMissed, plan="of yesterday")
    assert reasons(step) == [AlertReason.MISSED]
    assert any(isinstance(effect, PushLead) for effect in step.effects)
    assert books.lead().stage is Stage.IDLE


@pytest.mark.parametrize("name", ["missed", "missed_after_hours"])
def test_a_text_that_was_removed_before_its_step_is_explained_and_the_plan_goes_on(name: str) -> None:
    books = Books()
    books.call(CallMissed, on_line=True)
    books.policy = without(policy(), texts=name)
    step = books.fire(LEAD, "listen")
    assert (step.decisions[0].action, step.decisions[0].rule) == ("text", "PLAN")
    assert "the settings have no text missed or missed_after_hours any more" in step.decisions[0].why
    assert books.lead().text is Progress.REFUSED
    books.check()


def test_an_email_that_was_removed_before_its_step_is_explained() -> None:
    books = Books(email="caller@example.org")
    books.call(CallMissed)
    books.policy = without(policy(), emails="follow_up")
    run_out(books)
    assert "the settings have no e-mail follow_up any more" in [
        decision.why for told in books.told for decision in told.step.decisions
    ]
    assert books.lead().stage is Stage.IDLE


def test_stop_is_obeyed_and_confirmed_though_the_leads_office_was_closed_down() -> None:
    books = Books()
    books.call(CallMissed, dialled=KEYS)
    books.policy = without(policy(), offices="keys")
    step = books.text("STOP", KEYS)
    assert books.lead().opted_out
    sent = [effect for effect in step.effects if isinstance(effect, SendText)]
    assert [text.purpose for text in sent] == [TextPurpose.STOP_CONFIRMATION]


def test_an_agent_who_left_is_not_told_but_the_group_is() -> None:
    books = Books()
    books.call(CallMissed)
    assert books.lead().agent == "ana"
    books.policy = without(policy(), agents="ana")
    step = books.text("I am buying")
    assert [effect.agents for effect in step.effects if isinstance(effect, AlertAgent)] == [("bob",)]


def test_where_nobody_is_named_the_reason_is_kept() -> None:
    books = Books()
    books.call(CallMissed)
    books.policy = replace(without(policy(), groups="front"), agents={})
    step = books.text("I am buying")
    assert reasons(step) == []
    assert [(decision.action, decision.rule) for decision in step.decisions] == [("alert", "ESC-00")]


def test_an_alert_goes_to_the_agent_whom_the_plan_names() -> None:
    books = Books(policy=policy(("- alert: floor", "- alert: bob")))
    books.call(CallMissed)
    run_out(books)
    told = [effect.agents for told in books.told for effect in told.step.effects if isinstance(effect, AlertAgent)]
    assert told == [("ana",), ("bob",)]


# ---------------------------------------------------------------------------------------------------- whom an alert reaches
NO_MAIL = {"ana": ("{name: Desk A, email: ana@harbor.example,", "{name: Desk A,"),
           "bob": ("{name: Desk B, email: bob@harbor.example,", "{name: Desk B,"),
           "cleo": ("{name: Floor, email: floor@harbor.example,", "{name: Floor,")}  # fmt: skip


def without_mail(*agents: str) -> Policy:
    return policy(*(NO_MAIL[agent] for agent in agents))


def told(step: Step) -> list[tuple[str, ...]]:
    return [effect.agents for effect in step.effects if isinstance(effect, AlertAgent)]


def test_the_lead_of_an_agent_without_an_address_is_told_to_the_others() -> None:
    books = Books(policy=without_mail("ana"))
    books.call(CallMissed)
    assert books.lead().agent == "ana"
    assert told(books.text("I am buying")) == [("bob",)]


def test_a_group_named_by_the_plan_that_has_no_address_is_told_through_the_leads_own() -> None:
    books = Books(policy=without_mail("cleo", "bob"))
    books.call(CallMissed)
    run_out(books)
    assert [agents for one in books.told for agents in told(one.step)] == [("ana",), ("ana",)]


def test_where_nobody_has_an_address_the_alert_is_ordered_and_fails_where_it_is_seen() -> None:
    books = Books(policy=without_mail("ana", "bob"))
    books.call(CallMissed)
    step = books.text("I am buying")
    assert told(step) == [("ana",)]
    again = books.settle(alert(books), "failed")
    assert told(again) == []
    assert [(decision.outcome, decision.rule) for decision in again.decisions] == [("skipped", "ESC-02")]


def alert(books: Books) -> EffectId:
    """The alert that was ordered last."""
    return [effect_id for effect_id, order in books.orders.items() if isinstance(order.effect, AlertAgent)][-1]


def test_an_alert_that_reached_nobody_goes_once_to_the_rest_of_the_group() -> None:
    books = Books()
    books.call(CallMissed)
    books.text("I am buying")
    again = books.settle(alert(books), "failed")
    assert told(again) == [("bob",)]
    assert reasons(again) == [AlertReason.REPLIED]
    assert [(decision.outcome, decision.rule) for decision in again.decisions] == [("allowed", "ESC-02")]
    books.check()
    last = books.settle(alert(books), "failed")
    assert told(last) == []
    assert "bob could not be told (replied), nor anybody else" in [decision.why for decision in last.decisions]


def test_where_there_is_no_other_the_same_is_told_again_as_the_mail_server_may_be_back() -> None:
    books = Books()
    books.call(CallMissed, dialled=KEYS)
    books.text("I am buying", KEYS)
    assert told(books.settle(alert(books), "failed")) == [("cleo",)]
    books.policy = without(policy(), groups="floor")
    assert told(books.settle(alert(books), "failed")) == []


@pytest.mark.parametrize("outcome", ["done", "in_doubt"])
def test_an_alert_that_may_have_reached_somebody_is_not_repeated(outcome: str) -> None:
    books = Books()
    books.call(CallMissed)
    books.text("I am buying")
    assert books.settle(alert(books), outcome).effects == ()


def test_of_a_lead_that_a_person_has_closed_nobody_is_told_again() -> None:
    books = Books()
    books.call(CallMissed)
    books.text("I am buying")
    books.ask(Close(LEAD, "bob", "spoken with"))
    assert books.settle(alert(books), "failed").effects == ()


# -------------------------------------------------------------------------------------------------------- refusals
def test_an_email_that_waits_for_the_mail_server_is_taken_back_when_the_person_says_stop() -> None:
    books = Books(email="caller@example.org")
    books.call(CallMissed)
    books.settle(EffectId("1.0"))
    run_out(books)
    mail = next(order for order in books.orders.values() if isinstance(order.effect, SendEmail))
    assert mail.status == "todo"
    step = books.text("STOP")
    assert CancelPending(kinds=("email",), why="the person asked not to be contacted") in step.effects
    assert mail.status == "cancelled"


def test_a_second_stop_does_not_take_back_the_confirmation_of_the_first() -> None:
    books = Books()
    books.call(CallMissed)
    run_out(books)
    books.text("STOP")
    books.text("STOP")
    confirmations = [
        order.status
        for order in books.orders.values()
        if isinstance(order.effect, SendText) and order.effect.purpose is TextPurpose.STOP_CONFIRMATION
    ]
    assert confirmations == ["todo"]


def test_a_no_at_one_office_counts_at_the_other() -> None:
    books = Books()
    books.call(CallMissed)
    run_out(books)
    books.text("STOP", MAIN)
    books.at += timedelta(days=2)
    step = books.call(CallMissed, dialled=KEYS)
    assert not any(isinstance(effect, SendText | PlaceCallback) for effect in step.effects)
    assert books.lead(2).opted_out


@pytest.mark.parametrize(("keys", "source"), [("9", "callback:9"), ("", "callback:spoken")])
def test_nine_pressed_in_the_callback_is_told_from_a_spoken_no(keys: str, source: str) -> None:
    books = Books(policy=CALL_ONLY)
    callback = called_back(books)
    books.callback_answered(callback)
    books.callback_ended(callback, CallbackEnd.OPTED_OUT, keys=keys)
    assert books.consent[Channel.CALL].source == source
    assert books.lead().stage is Stage.IDLE


# ----------------------------------------------------------------------------------------------------- without a lead
def stranger(body: str, sender: str = CALLER, office: str | None = None, facts: Facts | None = None) -> Step:
    event = TextReceived(at=START, source_id="sms:1", sender=sender, recipient=MAIN, body=body, office=office)
    return machine.step(None, event, facts or Facts(gateway="sms"), policy(), 1)


def test_a_stranger_who_says_stop_is_obeyed_and_confirmed_once() -> None:
    step = stranger("STOP")
    assert step.lead is None
    assert {effect.channel for effect in step.effects if isinstance(effect, SetConsent)} == {Channel.TEXT, Channel.CALL}
    assert [effect.purpose for effect in step.effects if isinstance(effect, SendText)] == ["stop_confirmation"]


def test_a_stranger_may_start_again_and_ask_for_help() -> None:
    start = stranger("START", office="keys")
    assert [effect.state for effect in start.effects if isinstance(effect, SetConsent)] == [ConsentState.OPTED_IN]
    assert [effect.purpose for effect in stranger("HELP").effects if isinstance(effect, SendText)] == ["help"]


@pytest.mark.parametrize(("body", "sender"), [("hello", CALLER), ("STOP", "HARBOR"), ("STOP", "12345")])
def test_a_strangers_talk_and_senders_without_a_number_lead_to_nothing(body: str, sender: str) -> None:
    assert stranger(body, sender) == Step(None)


@pytest.mark.parametrize(
    ("before", "reached"),
    [
        pytest.param(timedelta(seconds=1), None, id="before the miss"),
        pytest.param(timedelta(0), "101", id="in the missed call itself"),
        pytest.param(timedelta(seconds=-1), "101", id="after the miss"),
    ],
)
def test_a_talk_that_is_learned_of_later_ends_the_plan_if_it_was_after_the_miss(
    before: timedelta, reached: str | None
) -> None:
    books = Books()
    books.call(CallMissed)
    stage, books.at = books.lead().stage, START + timedelta(minutes=5)
    books.call(CallAnswered, occurred_at=START - before)
    assert books.lead().reached_by == reached
    assert (books.lead().stage is stage) is (reached is None)


def test_a_live_answer_ends_the_plan_though_the_clock_was_put_back_since_the_miss() -> None:
    books = Books()
    books.call(CallMissed)
    books.at = START - timedelta(hours=1)
    books.call(CallAnswered)
    assert books.lead().reached_by == "101"


def test_an_answered_call_of_a_stranger_leads_to_nothing() -> None:
    books = Books()
    assert books.call(CallAnswered) == Step(None)


def test_a_refusal_of_a_stranger_that_a_person_notes_is_kept() -> None:
    books = Books()
    step = books.ask(RecordOptOut(CALLER, "ana", "at the door"))
    assert isinstance(step, Step)
    assert {effect.source for effect in step.effects if isinstance(effect, SetConsent)} == {"agent:ana"}
    assert step.lead is None


def test_start_without_a_stop_is_confirmed_once() -> None:
    opted_in = Facts(gateway="sms", text=replace(Facts().text, state=ConsentState.OPTED_IN))
    step = stranger("START", facts=opted_in)
    assert not any(isinstance(effect, SendText) for effect in step.effects)
    assert [decision.rule for decision in step.decisions] == ["REV-04"]


# ----------------------------------------------------------------------------------------------- plans of other shapes
def test_a_plan_may_wait_before_its_first_step_and_skip_what_follows_a_wait_that_ends_it() -> None:
    books = Books(policy=policy(("brief: [{text: missed}, push]", "brief: [push, {wait: 2m unless reached}]")))
    books.call(CallMissed, dialled=KEYS)
    assert books.lead().timer == "wait"
    step = books.fire(LEAD, "wait")
    assert step.decisions == ()
    assert books.lead().stage is Stage.IDLE


@pytest.mark.parametrize(
    ("behind", "name"),
    [
        ("{text: missed}", "text"),
        ("call", "callback"),
        ("{wait: 1m}", "wait"),
        ("push", "push"),
        ("{alert: floor}", "alert"),
    ],
)
def test_any_step_behind_a_wait_may_be_skipped_and_is_named(behind: str, name: str) -> None:
    books = Books(policy=policy(("brief: [{text: missed}, push]", f"brief: [{{wait: 2m unless engaged}}, {behind}]")))
    books.call(CallMissed, dialled=KEYS)
    books.text("I am buying", KEYS)
    step = books.fire(LEAD, "wait")
    assert [(decision.action, decision.outcome, decision.rule) for decision in step.decisions] == [
        (name, "skipped", "PLAN")
    ]
    assert step.decisions[0].why == "the lead is engaged"


def test_a_wait_unless_reached_holds_when_the_callback_reached_a_person() -> None:
    books = Books(policy=policy(("brief: [{text: missed}, push]", "brief: [{wait: 2m unless reached}, push]")))
    books.call(CallMissed, dialled=KEYS)
    books.change(reached_by="103")
    assert books.fire(LEAD, "wait").decisions[0].why == "the lead is reached"


def test_a_plan_without_an_alert_tells_a_person_of_a_text_that_failed() -> None:
    books = Books()
    books.call(CallMissed, dialled=KEYS)
    text = books.lead().text_effect
    assert text is not None
    step = books.settle(text, "failed", why="the SMSC does not know the number")
    assert reasons(step) == [AlertReason.TEXT_FAILED]


def test_an_alert_behind_a_wait_is_too_late_for_a_text_that_failed() -> None:
    late = "brief: [{text: missed}, {wait: 5m}, {alert: floor}]"
    books = Books(policy=policy(("brief: [{text: missed}, push]", late)))
    books.call(CallMissed, dialled=KEYS)
    assert reasons(books.settle(EffectId("1.0"), "failed")) == [AlertReason.TEXT_FAILED]


def test_a_second_bad_receipt_tells_nobody_again() -> None:
    books = Books()
    books.call(CallMissed, dialled=KEYS)
    text = books.lead().text_effect
    assert text is not None
    books.settle(text)
    assert reasons(books.receipt(text, delivered=False)) == [AlertReason.TEXT_FAILED]
    assert reasons(books.receipt(text, delivered=False)) == []
    assert books.receipt(text, delivered=True).lead is not None
    assert books.lead().text is Progress.DELIVERED


@pytest.mark.parametrize("outcome", ["failed", "in_doubt"])
def test_a_callback_that_is_lost_tells_a_person_when_the_plan_does_not(outcome: str) -> None:
    books = Books(policy=CALL_ONLY)
    assert reasons(books.settle(called_back(books), outcome)) == [AlertReason.CALLBACK_LOST]
    assert books.lead().stage is Stage.IDLE


def test_a_callback_of_which_nothing_is_heard_tells_a_person_when_the_plan_does_not() -> None:
    books = Books(policy=CALL_ONLY)
    called_back(books)
    assert reasons(books.fire(LEAD, "call_watch")) == [AlertReason.CALLBACK_LOST]
    assert books.lead().callback is Progress.FAILED


def test_a_callback_that_comes_too_late_is_not_placed() -> None:
    books = Books(policy=CALL_ONLY)
    books.call(CallMissed, dialled=KEYS, on_line=True)
    books.call(PromptPlayed, dialled=KEYS)
    books.fire(LEAD, "listen")
    step = books.fire(LEAD, "leave")
    assert [decision.rule for decision in step.decisions] == ["AGE-01"]
    assert books.lead().callback is Progress.REFUSED


def test_one_pressed_that_may_not_be_followed_tells_a_person() -> None:
    books = Books(policy=policy(("callback: {to", "callback: {consent: never, to")))
    books.call(CallMissed, dialled=KEYS)
    step = books.call(KeyPressed, dialled=KEYS, key="1")
    assert reasons(step) == [AlertReason.WANTS_PERSON]
    assert [decision.rule for decision in step.decisions] == ["CNS-02"]


def test_one_pressed_where_no_callback_is_planned_is_followed_by_one() -> None:
    books = Books()
    books.call(CallMissed, dialled=KEYS)
    step = books.call(KeyPressed, dialled=KEYS, key="1")
    assert [effect.by_request for effect in step.effects if isinstance(effect, PlaceCallback)] == [True]
    lost = books.lead().callback_effect
    assert lost is not None
    assert reasons(books.settle(lost, "in_doubt")) == [AlertReason.CALLBACK_LOST]


EVENING = START + timedelta(hours=10, minutes=57)
"""20:57 in Miami: three minutes before the quiet hours."""


@pytest.mark.parametrize(
    ("changes", "at", "minutes"),
    [
        pytest.param((), EVENING, 3, id="until the quiet hours"),
        pytest.param((("texts: hold", "texts: send"),), EVENING, 15, id="into them, if the settings let it"),
        pytest.param((("8:00-21:00", "0:00-24:00"),), EVENING, 15, id="there are none"),
        pytest.param((), START, 15, id="they are far"),
        pytest.param((), EVENING + timedelta(hours=1), 10 * 60 + 3 + 15, id="held until the morning"),
    ],
)
def test_a_text_is_tried_no_longer_than_it_may_go(
    changes: tuple[tuple[str, str], ...], at: datetime, minutes: int
) -> None:
    books = Books(policy=policy(*changes), at=at)
    step = books.call(CallMissed)
    texts = [effect for effect in step.effects if isinstance(effect, SendText)]
    assert [effect.expires_at - at for effect in texts] == [timedelta(minutes=minutes)]


@pytest.mark.parametrize(
    ("at", "pressed", "seconds"),
    [
        pytest.param(START, None, 300, id="they are far"),
        pytest.param(EVENING, None, 180, id="until the quiet hours"),
        pytest.param(EVENING, "1", 180, id="until the quiet hours, the request being older"),
        pytest.param(EVENING + timedelta(minutes=2), "1", 120, id="as long as the request is fresh"),
        pytest.param(EVENING + timedelta(hours=1), "1", 120, id="as long as the request is fresh, in quiet hours"),
    ],
)
def test_a_callback_is_tried_no_longer_than_it_may_be_placed(at: datetime, pressed: str | None, seconds: int) -> None:
    books = Books(
        policy=policy(("standard:\n    - text: missed\n      after_hours: missed_after_hours\n", "standard:\n")), at=at
    )
    books.call(CallMissed, on_line=True)
    books.call(PromptPlayed)
    if pressed is not None:
        books.call(KeyPressed, key=pressed)
    step = books.call(CallerLeft)
    calls = [effect for effect in step.effects if isinstance(effect, PlaceCallback)]
    assert [effect.expires_at - at for effect in calls] == [timedelta(seconds=seconds)]


def test_of_an_entry_in_which_the_begin_of_the_quiet_hours_is_unknown_the_old_limits_hold() -> None:
    books = Books(at=EVENING)
    books.call(CallMissed, on_line=True)
    left = CallerLeft(
        at=EVENING,
        source_id="left:c1",
        call_id="c1",
        caller=CALLER,
        kind=NumberKind.ORDINARY,
        dialled=MAIN,
        office="miami",
        entry=None,
    )
    step = machine.step(books.lead(), left, Facts(gateway="sms"), books.policy, 2)
    texts = [effect for effect in step.effects if isinstance(effect, SendText)]
    assert [effect.expires_at - EVENING for effect in texts] == [timedelta(minutes=15)]


def test_a_key_of_a_caller_without_a_number_changes_nothing() -> None:
    books = Books()
    books.call(CallMissed)
    books.change(number=None)
    before = books.lead()
    assert books.call(KeyPressed, key="9") == Step(before)


def test_numbers_of_other_countries_become_leads_that_only_people_contact() -> None:
    books = Books(kind=NumberKind.FOREIGN)
    step = books.call(CallMissed)
    assert reasons(step) == [AlertReason.MISSED]
    assert [decision.rule for decision in step.decisions] == ["GEO-07", "GEO-07"]


# ----------------------------------------------------------------------------------------------------------- the words
def test_the_time_of_the_call_is_told_as_people_tell_it() -> None:
    for hour, words in ((0, "12:05 am"), (9, "9:05 am"), (12, "12:05 pm"), (23, "11:05 pm")):
        assert clock_face(START.astimezone(ZONE).replace(hour=hour, minute=5)) == words


@pytest.mark.parametrize(
    ("hours", "words"), [(2, "12:00 pm"), (24, "Wed 10:00 am"), (6 * 24, "Mon 10:00 am"), (7 * 24, "Dec 1 10:00 am")]
)
def test_the_next_opening_is_told_as_people_tell_it(hours: int, words: str) -> None:
    assert opening_words(START + timedelta(hours=hours), START, ZONE) == words


def test_an_office_that_does_not_open_any_more_texts_without_a_time() -> None:
    closed = policy(("business: {week: {mon-fri: 9:00-18:00}}", "business: {week: {}}"))
    books = Books(policy=closed)
    step = books.call(CallMissed)
    (body,) = [effect.body for effect in step.effects if isinstance(effect, SendText)]
    assert body == "Harbor Realty (automated): closed now. Buying or selling? STOP to opt out."
