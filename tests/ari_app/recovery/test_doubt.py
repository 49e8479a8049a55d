"""What a person may do about an order, and what is done where books are lost, beside what the golden stories tell."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ari_app.recovery import machine
from ari_app.recovery.commands import Close, Command, Declined, Drop, Resend
from ari_app.recovery.effects import (
    AlertAgent,
    BarTexts,
    EndOrder,
    PlaceCallback,
    PushLead,
    SendEmail,
    SendText,
    TextPurpose,
)
from ari_app.recovery.events import CallAnswered, CallerLeft, CallMissed, Facts, OrderResent, PromptPlayed
from ari_app.recovery.machine import Step
from ari_app.recovery.values import AlertReason, EffectId, LeadId, NumberKind, Progress, Stage
from tests.ari_app.recovery.books import KEYS, MAIN, START, Books


def order(books: Books, kind: type) -> EffectId:
    """The newest order of a kind."""
    return [effect_id for effect_id, order in books.orders.items() if isinstance(order.effect, kind)][-1]


def asked(books: Books, command: Command) -> Step:
    step = books.ask(command)
    assert isinstance(step, Step), step
    books.check()
    return step


def declined(books: Books, command: Command) -> str:
    answer = books.ask(command)
    assert isinstance(answer, Declined)
    return answer.why


def texted(outcome: str = "in_doubt") -> Books:
    """A text whose outcome is known, and the plan waits."""
    books = Books()
    books.call(CallMissed)
    books.settle(order(books, SendText), outcome)
    return books


def called_back() -> Books:
    """The callback is under way."""
    books = Books()
    books.call(CallMissed, on_line=True)
    books.call(PromptPlayed)
    books.call(CallerLeft)
    books.settle(order(books, SendText))
    return books


# ---------------------------------------------------------------------------------------------------------------- resending
def test_an_order_that_is_not_there_is_none() -> None:
    assert declined(texted(), Resend(EffectId("77.0"), "ana")) == "there is no order 77.0"


def test_a_callback_is_not_repeated_because_its_moment_is_over() -> None:
    books = called_back()
    callback = order(books, PlaceCallback)
    books.settle(callback, "in_doubt")
    assert "call them yourself" in declined(books, Resend(callback, "ana"))
    asked(books, Drop(callback, "ana", "called them"))


def test_an_answer_to_a_stop_is_not_repeated_this_late() -> None:
    books = texted()
    books.text("STOP")
    reply = order(books, SendText)
    books.settle(reply, "failed")
    assert "worth nothing this late" in declined(books, Resend(reply, "ana"))


def test_what_does_not_go_to_the_caller_is_sent_again_whatever_has_become_of_them() -> None:
    books = texted()
    books.call(CallAnswered, by="102")
    push = order(books, PushLead)
    books.settle(push, "failed")
    asked(books, Resend(push, "ana"))


def test_a_text_that_another_has_replaced_is_not_sent_again() -> None:
    books = texted("failed")
    first = order(books, SendText)
    books.at += timedelta(days=2)
    while books.timers:
        books.fire(*next(iter(books.timers)))
    books.call(CallMissed)
    assert order(books, SendText) != first
    assert "another text has been ordered" in declined(books, Resend(first, "ana"))


def test_a_caller_who_has_reached_a_person_since_is_not_sent_anything_again() -> None:
    books = texted()
    text = order(books, SendText)
    books.call(CallAnswered, by="102")
    assert "reached a person since (102)" in declined(books, Resend(text, "ana"))
    asked(books, Drop(text, "ana", "we have spoken"))


def test_of_a_lead_that_was_closed_nothing_is_sent_again_to_the_caller() -> None:
    books = texted()
    asked(books, Close(LeadId(1), "ana", "sold"))
    assert "closed by ana" in declined(books, Resend(order(books, SendText), "ana"))


def test_a_decision_about_a_text_that_another_has_replaced_meanwhile_changes_nothing() -> None:
    books = texted("failed")
    books.change(text_effect=EffectId("8.0"))
    before = books.lead()
    assert books.resend(order(books, SendText)) == Step(before)


def test_a_text_in_doubt_is_not_sent_again_where_more_than_itself_bars_it() -> None:
    books = texted()
    text = order(books, SendText)
    books.bar("miami", books.at + timedelta(days=30))
    before = books.lead()
    step = asked(books, Resend(text, "ana"))
    assert [(decision.outcome, decision.rule) for decision in step.decisions] == [("refused", "FRQ-01")]
    assert step.effects == ()
    assert books.lead() == before
    assert books.orders[text].status == "in_doubt"


def test_an_entry_of_before_the_holder_was_noted_decides_as_it_was_decided_then() -> None:
    books = texted()
    text = books.orders[order(books, SendText)].effect
    facts = Facts(text_window_until=books.at + timedelta(days=1), gateway="sms")
    event = OrderResent(at=books.at, source_id="r1", effect_id=order(books, SendText), effect=text, by="ana")
    step = machine.step(books.lead(), event, facts, books.policy, 9)
    assert [type(effect) for effect in step.effects] == [EndOrder, SendText]


def test_a_failed_text_is_sent_again_and_may_be_in_doubt_again() -> None:
    books = texted("failed")
    asked(books, Resend(order(books, SendText), "ana"))
    again = order(books, SendText)
    assert books.lead().text_effect == again
    assert books.lead().text is Progress.PENDING
    books.settle(again, "in_doubt")
    asked(books, Resend(again, "bob"))
    assert books.lead().text is Progress.PENDING


def test_a_text_that_is_sent_again_in_quiet_hours_is_held() -> None:
    books = texted()
    books.at = START + timedelta(hours=12)
    while books.timers:
        books.fire(*next(iter(books.timers)))
    asked(books, Resend(order(books, SendText), "ana"))
    held = books.orders[order(books, SendText)].effect
    assert isinstance(held, SendText)
    assert held.not_before is not None
    assert held.not_before > books.at
    assert held.window_until is not None
    assert held.window_until > held.expires_at > held.not_before


def test_a_text_that_is_sent_again_in_the_evening_is_not_tried_into_the_quiet_hours() -> None:
    books = texted("failed")
    books.at = START + timedelta(hours=10, minutes=57)
    asked(books, Resend(order(books, SendText), "ana"))
    again = books.orders[order(books, SendText)].effect
    assert isinstance(again, SendText)
    assert again.expires_at == START + timedelta(hours=11), "nine in the evening"


def test_a_text_that_is_sent_again_has_time_to_be_sent() -> None:
    books = texted()
    old = books.orders[order(books, SendText)].effect
    books.at += timedelta(hours=5)
    while books.timers:
        books.fire(*next(iter(books.timers)))
    asked(books, Resend(order(books, SendText), "ana"))
    new = books.orders[order(books, SendText)].effect
    assert isinstance(old, SendText)
    assert isinstance(new, SendText)
    assert new.expires_at > books.at > old.expires_at
    assert new.body == old.body


def test_an_email_to_the_caller_obeys_a_no_when_it_is_sent_again() -> None:
    books = Books(email="caller@example.org")
    books.call(CallMissed)
    books.settle(order(books, SendText))
    while books.timers:
        books.fire(*next(iter(books.timers)))
    email = order(books, SendEmail)
    books.orders[email].status = "failed"
    asked(books, Resend(email, "ana"))
    again = order(books, SendEmail)
    assert again != email
    books.orders[again].status = "failed"
    books.text("STOP")
    step = asked(books, Resend(again, "ana"))
    assert [decision.rule for decision in step.decisions] == ["REV-10"]
    assert not step.effects
    assert books.orders[again].status == "failed"


@pytest.mark.parametrize("status", ["todo", "doing", "done", "refused", "cancelled"])
def test_only_what_failed_or_is_in_doubt_is_sent_again(status: str) -> None:
    books = texted()
    books.orders[order(books, SendText)].status = status
    assert f"is {status}: only what failed" in declined(books, Resend(order(books, SendText), "ana"))


# ----------------------------------------------------------------------------------------------------------------- dropping
@pytest.mark.parametrize("status", ["doing", "done", "refused", "cancelled"])
def test_only_what_waits_failed_or_is_in_doubt_is_dropped(status: str) -> None:
    books = texted()
    books.orders[order(books, SendText)].status = status
    assert f"is {status}: there is nothing to drop" in declined(books, Drop(order(books, SendText), "ana", ""))


def test_a_callback_that_waits_is_dropped_and_the_plan_goes_on() -> None:
    books = called_back()
    asked(books, Drop(order(books, PlaceCallback), "ana", ""))
    assert books.lead().callback is Progress.CANCELLED
    assert books.lead().stage is Stage.WAITING


def test_a_held_text_that_is_dropped_does_not_move_a_plan_that_does_not_wait_for_it() -> None:
    books = Books(at=START + timedelta(hours=12))
    books.call(CallMissed)
    stage = books.lead().stage
    assert stage is Stage.WAITING
    asked(books, Drop(order(books, SendText), "ana", ""))
    assert books.lead().stage is stage
    assert books.lead().text is Progress.CANCELLED
    assert not books.windows


def test_an_answer_to_a_strangers_stop_is_dropped_though_nobody_is_a_lead() -> None:
    books = Books()
    books.text("STOP")
    reply = order(books, SendText)
    effect = books.orders[reply].effect
    assert isinstance(effect, SendText)
    assert effect.purpose is TextPurpose.STOP_CONFIRMATION
    step = asked(books, Drop(reply, "ana", ""))
    assert step.lead is None
    assert books.orders[reply].status == "cancelled"


# --------------------------------------------------------------------------------------------------------------- lost books
def test_a_caller_of_lost_time_who_withheld_the_number_is_told_of_as_ever() -> None:
    books = Books(kind=NumberKind.WITHHELD, books_lost_until=START + timedelta(hours=1))
    step = books.call(CallMissed)
    assert [decision.rule for decision in step.decisions] == []
    assert not books.leads, "there is nobody to tell of"


def test_the_text_of_a_call_of_lost_time_bars_the_next_until_it_would_be_old() -> None:
    until = START + timedelta(hours=3)
    books = Books(books_lost_until=until)
    step = books.call(CallMissed, occurred_at=START - timedelta(hours=1))
    books.check()
    barred = next(effect for effect in step.effects if isinstance(effect, BarTexts))
    assert barred.until == until + timedelta(seconds=books.policy.text_rules.window_seconds)
    assert books.lead().missed_at == START - timedelta(hours=1)
    assert [effect.reason for effect in step.effects if isinstance(effect, AlertAgent)] == [AlertReason.BOOKS_LOST]


def test_who_may_have_said_no_in_lost_time_is_not_texted_by_any_office_for_a_month() -> None:
    until = START + timedelta(hours=3)
    books = Books(books_lost_until=until, noes_lost=True)
    step = books.call(CallMissed, occurred_at=START - timedelta(hours=1))
    barred = {effect.office: effect.until for effect in step.effects if isinstance(effect, BarTexts)}
    assert barred == dict.fromkeys(("miami", "keys"), until + timedelta(days=30))
    books.books_lost_until = None
    books.at += timedelta(days=2)
    for dialled in (MAIN, KEYS):
        step = books.call(CallMissed, dialled=dialled)
        assert [effect.reason for effect in step.effects if isinstance(effect, AlertAgent)] == [AlertReason.REPEAT_MISS]
        assert not any(isinstance(effect, SendText) for effect in step.effects)
        books.check()


def test_who_reached_a_person_in_lost_time_may_have_said_no_as_well() -> None:
    books = Books(books_lost_until=START + timedelta(hours=1), noes_lost=True)
    step = books.call(CallMissed, occurred_at=START, reached_since="101")
    assert [decision.rule for decision in step.decisions] == ["AGE-03"]
    assert {effect.office for effect in step.effects if isinstance(effect, BarTexts)} == {"miami", "keys"}


def test_a_call_of_lost_time_leaves_an_open_plan_as_it_is() -> None:
    books = texted("done")
    before = books.lead()
    assert before.stage is Stage.WAITING
    books.books_lost_until = START + timedelta(hours=1)
    books.call(CallMissed, verdict=before.verdict)
    books.check()
    assert (books.lead().stage, books.lead().plan, books.lead().missed_at) == (
        before.stage,
        before.plan,
        before.missed_at,
    )


def test_who_reached_a_person_in_lost_time_is_nobodys_worry() -> None:
    books = Books(books_lost_until=START + timedelta(hours=1))
    step = books.call(CallMissed, occurred_at=START, reached_since="101")
    assert [decision.rule for decision in step.decisions] == ["AGE-03"]


def test_a_text_that_was_under_way_when_the_backup_was_taken_ends_in_doubt() -> None:
    books = Books()
    books.call(CallMissed)
    text = order(books, SendText)
    books.doubt_unbegun()
    books.restored(LeadId(1))
    books.check()
    assert books.lead().text is Progress.CANCELLED
    books.settle(text, "in_doubt")
    books.check()
    assert books.lead().text is Progress.IN_DOUBT
    assert books.windows, "it bars another"


def test_a_caller_who_was_reached_before_is_not_told_of_after_a_restore() -> None:
    books = texted("done")
    books.call(CallAnswered)
    books.restored(LeadId(1))
    assert books.told[-1].step == Step(books.lead())
