"""Every stage × every event of the lead's machine. ``machine_table.txt`` says what each pair does, and is read in review;
the pairs that change nothing stand here, on purpose. ``RINGBACK_GOLDEN=write`` writes the table anew, not the list."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_never, get_args

import pytest

from ari_app.recovery import transcript
from ari_app.recovery.commands import Acknowledge, Close, RecordOptOut
from ari_app.recovery.effects import (
    AlertAgent,
    ArmTimer,
    BarTexts,
    CancelPending,
    DisarmTimer,
    Effect,
    EndOrder,
    PlaceCallback,
    PushLead,
    SendEmail,
    SendText,
    SetConsent,
    TakeTurn,
)
from ari_app.recovery.events import (
    CallAnswered,
    CallClosed,
    CallerLeft,
    CallMissed,
    Event,
    InboundCall,
    KeyPressed,
    PromptPlayed,
    VoicemailLeft,
)
from ari_app.recovery.machine import Step
from ari_app.recovery.values import CallbackEnd, EffectId, LeadId, Stage, Verdict
from tests.ari_app.recovery.books import CALLER, Books

TABLE = Path(__file__).parent / "machine_table.txt"
LEAD = LeadId(1)
OUTCOMES = ("done", "failed", "in_doubt", "refused", "cancelled")
Happen = Callable[[Books], Step]


# ------------------------------------------------------------------------------------------------------------- stages
def listening() -> Books:
    """Three rings are over; the caller hears the notice."""
    books = Books(email="caller@example.org")
    books.call(CallMissed, on_line=True)
    books.only = LEAD
    return books


def texting() -> Books:
    """The caller heard the notice and hung up."""
    books = listening()
    books.call(PromptPlayed)
    books.call(CallerLeft)
    return books


def calling() -> Books:
    """The text is out; the caller's phone rings with our callback."""
    books = texting()
    books.settle(text_of(books))
    return books


def waiting() -> Books:
    """Nobody spoke in the callback; the agent is told, and has ten minutes."""
    books = calling()
    books.callback_answered(callback_of(books))
    books.callback_ended(callback_of(books), CallbackEnd.CALLER_HUNG_UP, lines=())
    return books


def idle() -> Books:
    """The plan is over."""
    books = waiting()
    while books.timers:
        books.fire(*next(iter(books.timers)))
    return books


STAGES: dict[Stage, Callable[[], Books]] = {
    Stage.LISTENING: listening,
    Stage.TEXTING: texting,
    Stage.CALLING: calling,
    Stage.WAITING: waiting,
    Stage.IDLE: idle,
}


# ------------------------------------------------------------------------------------------------------------- events
def text_of(books: Books) -> EffectId:
    return books.lead().text_effect or EffectId("none.0")


def callback_of(books: Books) -> EffectId:
    return books.lead().callback_effect or EffectId("none.0")


def call(kind: type[InboundCall], **more: Any) -> Happen:
    return lambda books: books.call(kind, **more)


def text(body: str) -> Happen:
    return lambda books: books.text(body)


def settled(of: Callable[[Books], EffectId], outcome: str) -> Happen:
    return lambda books: books.settle(of(books), outcome)


def ended(end: CallbackEnd) -> Happen:
    def end_it(books: Books) -> Step:
        if end not in (CallbackEnd.NO_ANSWER, CallbackEnd.BUSY, CallbackEnd.REJECTED, CallbackEnd.FAILED):
            books.callback_answered(callback_of(books))
            return books.callback_ended(callback_of(books), end)
        return books.callback_ended(callback_of(books), end, lines=())

    return end_it


def due(books: Books) -> Step:
    """The timer that is armed; where none is, one that was armed long ago."""
    kind = books.lead().timer
    return stale(books) if kind is None else books.fire(LEAD, kind)


def stale(books: Books) -> Step:
    """A timer that the plan does not wait for."""
    books.timers[(LEAD, "stale")] = books.at
    return books.fire(LEAD, "stale")


def command(asked: Acknowledge | Close | RecordOptOut) -> Happen:
    def ask(books: Books) -> Step:
        step = books.ask(asked)
        assert isinstance(step, Step)
        return step

    return ask


EVENTS: dict[str, Happen] = {
    "call_missed": call(CallMissed, on_line=True),
    "call_missed, hung up": call(CallMissed),
    "call_closed": call(CallClosed),
    "call_closed dropped": call(CallClosed, verdict=Verdict.DROPPED),
    "call_answered": call(CallAnswered),
    "prompt_played": call(PromptPlayed),
    "prompt_played in part": call(PromptPlayed, whole=False),
    "prompt_played, another call": call(PromptPlayed, call_id="another"),
    "key_pressed 1": call(KeyPressed, key="1"),
    "key_pressed 1, another call": call(KeyPressed, key="1", call_id="another"),
    "key_pressed 5": call(KeyPressed, key="5"),
    "key_pressed 9": call(KeyPressed, key="9"),
    "voicemail_left": call(VoicemailLeft),
    "caller_left": call(CallerLeft),
    "caller_left, another call": call(CallerLeft, call_id="another"),
    "text_received": text("I am buying"),
    "text_received stop": text("STOP"),
    "text_received start": text("START"),
    "text_received help": text("HELP"),
    "receipt_received delivered": lambda books: books.receipt(text_of(books), delivered=True),
    "receipt_received failed": lambda books: books.receipt(text_of(books), delivered=False),
    "receipt_received, another": lambda books: books.receipt(EffectId("9.9"), delivered=False),
    **{f"effect_settled text {outcome}": settled(text_of, outcome) for outcome in OUTCOMES},
    **{f"effect_settled callback {outcome}": settled(callback_of, outcome) for outcome in OUTCOMES},
    "effect_settled, another": settled(lambda _: EffectId("9.9"), "failed"),
    "callback_answered": lambda books: books.callback_answered(callback_of(books)),
    "callback_answered, another": lambda books: books.callback_answered(EffectId("9.9")),
    "callback_opted_out": lambda books: books.callback_opted_out(callback_of(books)),
    "callback_opted_out, another": lambda books: books.callback_opted_out(EffectId("9.9")),
    "callback_handed_over": lambda books: books.callback_handed_over(callback_of(books)),
    "callback_handed_over, another": lambda books: books.callback_handed_over(EffectId("9.9")),
    **{f"callback_ended {end}": ended(end) for end in CallbackEnd},
    "callback_ended, another": lambda books: books.callback_ended(EffectId("9.9")),
    "timer_fired": due,
    "timer_fired, stale": stale,
    "lead_acknowledged": command(Acknowledge(LEAD, "ana")),
    "lead_closed": command(Close(LEAD, "ana", "sold")),
    "opt_out_recorded": command(RecordOptOut(CALLER, "ana", "at the door")),
    "order_resent text": lambda books: books.resend(text_of(books)),
    "order_resent, another": lambda books: books.resend(EffectId("9.9")),
    "order_dropped text": lambda books: books.drop(text_of(books)),
    "order_dropped callback": lambda books: books.drop(callback_of(books)),
    "books_restored": lambda books: books.restored(),
}

ALWAYS = frozenset(Stage)
BEFORE_THE_CALLBACK = frozenset({Stage.LISTENING, Stage.TEXTING})
CHANGES_NOTHING: dict[str, frozenset[Stage]] = {
    # kept in the journal, and no more
    "call_closed": ALWAYS,
    "call_closed dropped": ALWAYS,  # its answer ended no plan
    "voicemail_left": ALWAYS,
    "key_pressed 5": ALWAYS,
    # the notice counts as heard only when it was played to its end, in the call that was missed
    "prompt_played in part": ALWAYS,
    "prompt_played, another call": ALWAYS,
    "prompt_played": ALWAYS - {Stage.LISTENING},  # heard already
    # of calls, orders and timers that are not the plan's
    "key_pressed 1, another call": ALWAYS,
    "caller_left, another call": ALWAYS,
    "receipt_received, another": ALWAYS,
    "effect_settled, another": ALWAYS,
    "callback_answered, another": ALWAYS,
    "callback_ended, another": ALWAYS,
    "timer_fired, stale": ALWAYS,
    "timer_fired": frozenset({Stage.IDLE}),  # none is armed
    # no plan is open
    "books_restored": frozenset({Stage.IDLE}),
    # gone already
    "caller_left": ALWAYS - {Stage.LISTENING},
    # there is no text yet, or its outcome is known
    **dict.fromkeys([f"effect_settled text {outcome}" for outcome in OUTCOMES], ALWAYS - {Stage.TEXTING}),
    **dict.fromkeys(["receipt_received delivered", "receipt_received failed"], frozenset({Stage.LISTENING})),
    # there is no callback yet, or what became of it is known; its order is done once the phone rang
    "effect_settled callback done": ALWAYS,
    **dict.fromkeys([f"effect_settled callback {outcome}" for outcome in OUTCOMES[1:]], ALWAYS - {Stage.CALLING}),
    "callback_answered": ALWAYS - {Stage.CALLING},
    "callback_handed_over": BEFORE_THE_CALLBACK,
    "callback_handed_over, another": ALWAYS,
    **dict.fromkeys([f"callback_ended {end}" for end in CallbackEnd], BEFORE_THE_CALLBACK),
}
"""Stages in which an event leaves the lead as it is, orders nothing and explains nothing."""


# -------------------------------------------------------------------------------------------------------------- tests
def test_every_event_and_every_stage_stands_in_the_table() -> None:
    assert {name.split(" ")[0].rstrip(",") for name in EVENTS} == {
        transcript.snake(kind.__name__) for kind in get_args(Event)
    }
    assert set(STAGES) == set(Stage)


@pytest.mark.parametrize("stage", Stage)
def test_each_story_leads_to_its_stage(stage: Stage) -> None:
    books = STAGES[stage]()
    books.check()
    assert books.lead().stage is stage


def test_the_table_of_transitions_stands_as_reviewed() -> None:
    rows = []
    for stage, story in STAGES.items():
        rows += [f"# {stage.value}: {story.__doc__}"]
        rows += [f"{stage.value} < {name:<34} {outcome(story(), happen)}".rstrip() for name, happen in EVENTS.items()]
        rows += [""]
    table = "\n".join(rows)
    if os.environ.get("RINGBACK_GOLDEN") == "write":
        TABLE.write_text(table, encoding="utf-8")
    assert table == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EVENTS)
def test_what_changes_nothing_changes_nothing_on_purpose(name: str) -> None:
    nothing = set()
    for stage, story in STAGES.items():
        books = story()
        before = books.lead()
        step = EVENTS[name](books)
        books.check()
        if step == Step(before):
            nothing.add(stage)
    assert nothing == CHANGES_NOTHING.get(name, frozenset())


# ----------------------------------------------------------------------------------------------------------- one row
def outcome(books: Books, happen: Happen) -> str:
    """What ``happen`` does to the lead: its stage, the orders and the reasons."""
    before = books.lead()
    step = happen(books)
    assert step.lead is not None
    if step == Step(before):
        return "-"
    parts = [f"{decision.action} {decision.outcome} {decision.rule}" for decision in step.decisions]
    parts += [short(effect) for effect in step.effects]
    changed = [
        f"{name}={getattr(step.lead, name)}"
        for name in ("text", "callback", "notice_heard", "engaged", "opted_out")
        if getattr(step.lead, name) != getattr(before, name)
    ]
    return " · ".join([step.lead.stage.value, *changed, *parts])


def short(effect: Effect) -> str:
    match effect:
        case SendText(purpose=purpose):
            return f"text {purpose}"
        case PlaceCallback(by_request=by_request):
            return f"callback{' by request' if by_request else ''}"
        case AlertAgent(reason=reason, agents=agents):
            return f"alert {'+'.join(agents)} {reason}"
        case SendEmail(template=template):
            return f"email {template}"
        case PushLead():
            return "push"
        case ArmTimer(kind=kind):
            return f"timer {kind}"
        case DisarmTimer(kind=kind):
            return f"disarm {kind}"
        case SetConsent(channel=channel, state=state):
            return f"consent {channel} {state}"
        case CancelPending(kinds=kinds):
            return f"cancel {'+'.join(kinds)}"
        case TakeTurn(group=group):
            return f"turn {group}"
        case EndOrder(frees_window=frees_window):
            return f"end{', its window free' if frees_window else ''}"
        case BarTexts():
            return "bar texts"
        case _:
            assert_never(effect)
