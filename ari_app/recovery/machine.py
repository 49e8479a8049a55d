"""The lead's machine: ``step(lead, event, ...) -> Step``. All transitions are in this file; walking a plan is plan.py,
and what nobody knows for certain is doubt.py.

Rules:

1. Total. An event that means nothing in a stage changes nothing but the books; tests list every pair on purpose.
2. A miss starts the plan, unless a text has gone to this caller and office inside the window: then a person is told
   (FRQ-03). A caller who is still on the line is first heard out: LISTENING, for ``hold_seconds`` at most.
3. No (key 9, STOP, spoken) is kept in the same transaction, for texts and calls, and ends the plan (REV-01, REV-03).
4. Reaching a person ends the plan: what has not begun is taken back; the CRM hears of it. If the phone was lifted for a
   moment only, a person is told.
5. Whatever settles (text, callback, timer) moves the plan only if the plan waits for exactly that.
6. What is in doubt is never repeated; it is shown to a person. Only a person has it sent again, as a new order that takes
   over the right to the one text-back.
7. Where the books of some time are lost, nobody is contacted on the strength of what is left of them: a person is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from ari_app.recovery import doubt, gate, plan
from ari_app.recovery.copying import replace
from ari_app.recovery.draft import Draft, PlanTimer
from ari_app.recovery.effects import Decision, Effect, EndOrder, SendText, TextPurpose
from ari_app.recovery.events import (
    BooksRestored,
    CallAnswered,
    CallbackAnswered,
    CallbackEnded,
    CallbackHandedOver,
    CallbackOptedOut,
    CallClosed,
    CallerLeft,
    CallMissed,
    EffectSettled,
    Event,
    Facts,
    KeyPressed,
    LeadAcknowledged,
    LeadClosed,
    OptOutRecorded,
    OrderDropped,
    OrderResent,
    PromptPlayed,
    ReceiptReceived,
    TextReceived,
    TimerFired,
    VoicemailLeft,
)
from ari_app.recovery.keywords import STOPPED_BY_TEXT, cancels_something, word_of
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import CallStep, Policy
from ari_app.recovery.values import (
    E164,
    AlertReason,
    CallbackEnd,
    Channel,
    ConsentState,
    EffectId,
    Keyword,
    LeadId,
    Progress,
    Stage,
    Verdict,
    e164,
)

KEY_CALL_NOW, KEY_NEVER = "1", "9"
REPLY_LASTS = timedelta(minutes=5)
"""A confirmation later than this is worth nothing: 47 CFR 64.1200(a)(12)."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one event does: the lead afterwards (None where there is none), orders, and the reasons for them."""

    lead: Lead | None
    effects: tuple[Effect, ...] = ()
    decisions: tuple[Decision, ...] = ()


def step(lead: Lead | None, event: Event, facts: Facts, policy: Policy, seq: int) -> Step:
    """The lead after ``event``. seq: the event's number in the journal, from which the ids of effects are made."""
    if lead is None:
        return _without_lead(event, facts, policy, seq)
    # A no that was said at another office counts here, too.
    said_no = facts.text.state is ConsentState.OPTED_OUT
    draft = Draft(replace(lead, opted_out=said_no), seq, event.at, facts, policy)
    _apply(draft, event)
    return Step(draft.lead, tuple(draft.effects), tuple(draft.decisions))


def _apply(draft: Draft, event: Event) -> None:
    match event:
        case CallMissed():
            _missed(draft, event)
        case CallClosed(verdict=verdict, call_id=call_id):
            if verdict is Verdict.DROPPED and call_id == draft.lead.lifted_call:
                _let_go(draft)
        case VoicemailLeft():
            pass
        case CallAnswered():
            _lifted(draft, event)
        case PromptPlayed(whole=whole, call_id=call_id):
            if whole and call_id == draft.lead.call_id:
                draft.lead = replace(draft.lead, notice_heard=True)
        case KeyPressed():
            _key(draft, event)
        case CallerLeft():
            _left(draft, event)
        case TextReceived():
            _text_received(draft, event)
        case ReceiptReceived():
            _receipt(draft, event)
        case EffectSettled():
            _settled(draft, event)
        case CallbackAnswered(effect_id=effect_id):
            if effect_id == draft.lead.callback_effect:
                draft.lead = replace(draft.lead, callback_answered=True)
        case CallbackOptedOut(effect_id=effect_id, how=how):
            _callback_opted_out(draft, effect_id, how)
        case CallbackHandedOver(by=by, elsewhere=True):
            _reached(draft, by)
        case CallbackHandedOver(effect_id=effect_id, by=by):
            if effect_id == draft.lead.callback_effect:
                draft.lead = replace(draft.lead, callback=Progress.DONE)
                _reached(draft, by)
        case CallbackEnded():
            _callback_ended(draft, event)
        case TimerFired(kind=kind):
            _timer(draft, kind)
        case LeadAcknowledged(by=by):
            draft.lead = replace(draft.lead, acknowledged_by=by)
            draft.take_back_held_text(by)
            draft.push_again()
        case LeadClosed(by=by):
            draft.stop_plan(f"closed by {by}")
            draft.lead = replace(draft.lead, closed_by=by)
            draft.push_last()
        case OptOutRecorded(number=number, by=by):
            _no_more(draft, number, f"agent:{by}")
        case OrderResent():
            doubt.resent(draft, event)
        case OrderDropped():
            doubt.dropped(draft, event)
        case BooksRestored():
            doubt.restored(draft)
        case _:
            assert_never(event)


# ------------------------------------------------------------------------------------------------------------- calls
def _missed(draft: Draft, event: CallMissed) -> None:
    lead = draft.lead
    draft.lead = lead = replace(lead, misses=lead.misses + 1, name=lead.name or draft.facts.name or event.caller_name)
    if reached := event.reached_since or draft.facts.reached_since:
        draft.explain("plan", "skipped", "AGE-03", "the caller has reached a person since")
        if draft.facts.noes_lost and draft.facts.books_lost_until is not None:
            doubt.bar_texts(draft, draft.facts.books_lost_until)
        _reached(draft, reached)
        return
    if draft.facts.books_lost_until is not None:
        doubt.of_lost_time(draft, event, draft.facts.books_lost_until)
        return
    window_until = draft.facts.text_window_until
    if lead.in_hand or (window_until is not None and event.at < window_until):
        draft.lead = replace(lead, call_id=event.call_id, on_line=event.on_line)
        draft.explain("plan", "skipped", "FRQ-03", "the caller tried again and was missed again: a person is told")
        draft.assign()
        draft.alert(AlertReason.REPEAT_MISS)
        draft.push_again()
        return
    entry = draft.policy.entry_for(event.dialled)
    draft.lead = replace(
        lead,
        dialled=event.dialled,
        entry=event.entry,
        source=event.source,
        listing=event.listing,
        group=entry.group if entry is not None else lead.group,
        call_id=event.call_id,
        on_line=event.on_line,
        verdict=event.verdict,
    )
    draft.assign()
    steps = draft.policy.plans.get(event.plan, plan.person_only(event.plan))
    if event.verdict is Verdict.UNKNOWN:
        draft.explain("plan", "skipped", "ELG-08", "nobody knows whether the call was answered: a person is told")
        steps = plan.person_only(event.plan)
    plan.take_over(draft, steps, event.occurred_at or event.at)
    if event.on_line and draft.policy.text_rules.hold_seconds > 0:
        draft.lead = replace(draft.lead, stage=Stage.LISTENING)
        draft.arm(PlanTimer.LISTEN, draft.policy.text_rules.hold_seconds)
    else:
        plan.resume(draft)


def _left(draft: Draft, event: CallerLeft) -> None:
    """The caller is off the line: what waited for that goes on."""
    lead = draft.lead
    if event.call_id == lead.lifted_call:
        assert lead.lifted_at is not None
        if (event.at - lead.lifted_at).total_seconds() < draft.policy.dropped_seconds:
            _let_go(draft)
    if event.call_id != lead.call_id:
        return
    draft.lead = replace(draft.lead, on_line=False)
    if draft.lead.stage is Stage.LISTENING:
        draft.disarm()
        plan.resume(draft)


def _reached(draft: Draft, by: str) -> None:
    """The caller speaks with a person of the brokerage."""
    draft.stop_plan("the caller reached a person")
    draft.lead = replace(draft.lead, reached_by=by, engaged=True)
    draft.push_last()


def _lifted(draft: Draft, event: CallAnswered) -> None:
    """A phone was lifted: the plan ends at once, so that nothing goes out into the talk."""
    missed_at = draft.lead.missed_at
    # A live answer is now, and a miss that is still to come was before the clock was put back: neither tells that it was so.
    if missed_at is not None and event.occurred_at is not None and event.occurred_at < missed_at <= event.at:
        return  # the talk was before the miss
    stopped = draft.lead.in_hand
    _reached(draft, event.by)
    if stopped:
        draft.lead = replace(draft.lead, lifted_call=event.call_id, lifted_at=event.occurred_at or event.at)


def _let_go(draft: Draft) -> None:
    """The phone was put down within moments: the caller has reached nobody, and the plan that this ended is a person's task."""
    draft.lead = replace(draft.lead, lifted_call=None, lifted_at=None, reached_by=None)
    draft.explain("plan", "skipped", "ESC-01", "a phone was lifted for a moment only: a person is told")
    draft.assign()
    draft.alert(AlertReason.DROPPED)
    draft.push_again()


def _key(draft: Draft, event: KeyPressed) -> None:
    lead = draft.lead
    if event.key == KEY_NEVER and lead.number is not None:
        _no_more(draft, lead.number, f"key:{KEY_NEVER}")
        draft.alert(AlertReason.OPTED_OUT)
    elif event.key == KEY_CALL_NOW and event.call_id == lead.call_id:
        # A press is an answer to the notice, so the notice was heard, wherever in it the press came.
        draft.lead = replace(lead, pressed_one_at=event.at, notice_heard=True)
        if _still_to_call(draft.lead) or lead.callback is Progress.PENDING:
            return
        if not plan.place_callback(draft) and not plan.tells_soon(draft):
            draft.alert(AlertReason.WANTS_PERSON)


def _still_to_call(lead: Lead) -> bool:
    """Whether the plan has a callback before it."""
    return lead.stage is not Stage.IDLE and any(isinstance(ahead, CallStep) for ahead in lead.plan[lead.cursor :])


def _callback_opted_out(draft: Draft, effect_id: EffectId, how: str) -> None:
    """A no counts whichever callback it was said in, and however that one goes on."""
    if effect_id == draft.lead.callback_effect:
        draft.lead = replace(draft.lead, callback=Progress.DONE)
    assert draft.lead.number is not None, "a callback went to a number"
    _no_more(draft, draft.lead.number, f"callback:{how}")


def _callback_ended(draft: Draft, event: CallbackEnded) -> None:
    if event.effect_id != draft.lead.callback_effect:
        return
    waiting = draft.lead.stage is Stage.CALLING
    if waiting:
        draft.disarm()
    answered = draft.lead.callback_answered
    draft.lead = replace(
        draft.lead,
        callback=Progress.DONE if answered else Progress.FAILED,
        callback_end=event.end,
        intent=event.intent,
        lines=event.lines,
        engaged=draft.lead.engaged or (answered and any(line.speaker == "caller" for line in event.lines)),
    )
    match event.end:
        case CallbackEnd.OPTED_OUT if not draft.lead.opted_out:  # what was said is still to be told
            _callback_opted_out(draft, event.effect_id, "9" if "9" in event.keys else "spoken")
            return
        case CallbackEnd.REACHED_PERSON if draft.lead.reached_by is None:  # so is the handing over
            _reached(draft, event.by or "a person")
            return
        case CallbackEnd.WANTED_PERSON if not plan.tells_soon(draft):
            draft.alert(AlertReason.WANTS_PERSON)
        case _:
            pass
    if waiting:
        plan.advance(draft)
    else:
        draft.push_again()


# ------------------------------------------------------------------------------------------------------------- texts
def _text_received(draft: Draft, event: TextReceived) -> None:
    number = draft.lead.number
    word = word_of(event.body, draft.facts.text)
    if word is not Keyword.NONE and number is not None:
        if word is Keyword.STOP:
            _no_more(draft, number, STOPPED_BY_TEXT, tell_crm=False)
        _answer_keyword(draft, word, number, event.recipient, draft.lead.office)
        if cancels_something(event.body):
            _read_by_a_person(draft, event.body)
        if word is not Keyword.HELP:
            draft.push_last()
        return
    _read_by_a_person(draft, event.body)
    draft.push_again()


def _read_by_a_person(draft: Draft, body: str) -> None:
    draft.assign()
    draft.lead = draft.lead.with_reply(body)
    draft.alert(AlertReason.REPLIED)


def _answer_keyword(draft: Draft, word: Keyword, number: E164, sender: str, office: str) -> None:
    """Keep what STOP or START says, and confirm it once (REV-04, REV-09); answer HELP (REV-08)."""
    purpose, template = {
        Keyword.STOP: (TextPurpose.STOP_CONFIRMATION, draft.policy.replies.stop),
        Keyword.START: (TextPurpose.START_CONFIRMATION, draft.policy.replies.start),
        Keyword.HELP: (TextPurpose.HELP, draft.policy.replies.help),
    }[word]
    said = draft.facts.text.state
    if word is Keyword.START:
        draft.set_consent(number, ConsentState.OPTED_IN, "sms:start", Channel.TEXT)
        draft.lead = replace(draft.lead, opted_out=False)
    repeated = (word is Keyword.STOP and said is ConsentState.OPTED_OUT) or (
        word is Keyword.START and said is ConsentState.OPTED_IN
    )
    if repeated:
        draft.explain(purpose.value, "skipped", "REV-04", "this was confirmed before: one confirmation, no more")
        return
    rule = {Keyword.STOP: "REV-04", Keyword.START: "REV-09", Keyword.HELP: "REV-08"}[word]
    ruling = gate.may_reply(draft.facts, draft.policy, rule)
    draft.explain_ruling(purpose.value, ruling)
    if isinstance(ruling, gate.Allow):
        assert draft.facts.gateway is not None
        draft.order(
            SendText(
                purpose=purpose,
                to=number,
                sender=sender,
                body=template.render(plan.values(draft, draft.at)),
                gateway=draft.facts.gateway,
                office=office,
                not_before=None,
                expires_at=draft.at + REPLY_LASTS,
                window_until=None,
            )
        )


def _receipt(draft: Draft, event: ReceiptReceived) -> None:
    lead = draft.lead
    if event.effect_id != lead.text_effect or lead.text is Progress.DELIVERED:
        return
    if lead.text is Progress.FAILED and not event.delivered:
        return  # a person has been told
    if event.delivered:
        draft.lead = replace(lead, text=Progress.DELIVERED)
        return
    draft.lead = replace(lead, text=Progress.FAILED)
    draft.explain("text", "refused", "ELG-05", f"the network did not deliver it ({event.state})")
    if not plan.tells_soon(draft):
        draft.alert(AlertReason.TEXT_FAILED)


def _no_more(draft: Draft, number: E164, source: str, *, tell_crm: bool = True) -> None:
    """The person said no: kept for texts and calls, and the plan ends."""
    draft.set_consent(number, ConsentState.OPTED_OUT, source, Channel.TEXT, Channel.CALL)
    draft.explain("plan", "refused", "REV-01", f"the person asked not to be contacted ({source})")
    draft.stop_plan("the person asked not to be contacted")
    draft.lead = replace(draft.lead, opted_out=True)
    if tell_crm:
        draft.push_last()


# -------------------------------------------------------------------------------------------------- outcomes and time
_OUTCOMES = {
    "done": Progress.DONE,
    "failed": Progress.FAILED,
    "in_doubt": Progress.IN_DOUBT,
    "refused": Progress.REFUSED,
    "cancelled": Progress.CANCELLED,
}


def _settled(draft: Draft, event: EffectSettled) -> None:
    lead = draft.lead
    if event.rule is not None:
        draft.explain(event.kind, event.outcome, event.rule, event.why or "")
    if event.alert is not None and lead.closed_by is None:
        draft.alert_again(event.alert)
    if event.effect_id == lead.text_effect:
        if lead.text in (Progress.PENDING, Progress.IN_DOUBT, Progress.CANCELLED):
            draft.lead = replace(lead, text=_OUTCOMES[event.outcome])
            if event.outcome == "in_doubt":
                draft.explain("text", "held", "DBT-01", "nobody knows whether it went out: it is not sent again")
            if event.outcome in ("in_doubt", "failed") and not plan.tells_soon(draft):
                draft.alert(AlertReason.TEXT_IN_DOUBT if event.outcome == "in_doubt" else AlertReason.TEXT_FAILED)
        if lead.stage is Stage.TEXTING:
            draft.disarm()
            plan.advance(draft)
    elif event.effect_id == lead.callback_effect and lead.callback is Progress.PENDING and event.outcome != "done":
        draft.lead = replace(lead, callback=_OUTCOMES[event.outcome])
        if event.outcome in ("in_doubt", "failed") and not plan.tells_soon(draft):
            draft.alert(AlertReason.CALLBACK_LOST)
        if lead.stage is Stage.CALLING:
            draft.disarm()
            plan.advance(draft)


def _timer(draft: Draft, kind: str) -> None:
    if kind != draft.lead.timer:
        return
    draft.lead = replace(draft.lead, timer=None)
    match kind:
        case PlanTimer.LISTEN:
            plan.resume(draft)
        case PlanTimer.LEAVE:
            # Nobody told us that the caller left; the plan must not hang on it.
            draft.lead = replace(draft.lead, on_line=False)
            plan.resume(draft)
        case PlanTimer.TEXT_WAIT:
            draft.explain("text", "held", "PLAN", "no outcome yet: the plan goes on")
            plan.advance(draft)
        case PlanTimer.CALL_WATCH:
            draft.lead = replace(draft.lead, callback=Progress.FAILED)
            draft.explain("callback", "refused", "PLAN", "nothing was heard of the callback: a person is told")
            if not plan.tells_soon(draft):
                draft.alert(AlertReason.CALLBACK_LOST)
            plan.advance(draft)
        case _:
            plan.after_wait(draft)


# ------------------------------------------------------------------------------------------------------ without a lead
def _without_lead(event: Event, facts: Facts, policy: Policy, seq: int) -> Step:
    """Events of people who are no lead. What they say about contact counts all the same."""
    if isinstance(event, TextReceived):
        word = word_of(event.body, facts.text)
        office = event.office or next(iter(policy.offices))
        try:
            number = e164(event.sender)
        except ValueError:
            return Step(None)
        if word is not Keyword.NONE:
            stranger = Lead(
                lead_id=LeadId(0), number=number, office=office, dialled=event.recipient, opened_at=event.at
            )
            draft = Draft(stranger, seq, event.at, facts, policy)
            if word is Keyword.STOP:
                _no_more(draft, number, STOPPED_BY_TEXT)
            _answer_keyword(draft, word, number, event.recipient, office)
            return Step(None, tuple(draft.effects), tuple(draft.decisions))
    if isinstance(event, OptOutRecorded):
        draft = Draft(
            Lead(lead_id=LeadId(0), number=event.number, office="", dialled="", opened_at=event.at),
            seq,
            event.at,
            facts,
            policy,
        )
        _no_more(draft, event.number, f"agent:{event.by}")
        return Step(None, tuple(draft.effects), tuple(draft.decisions))
    if isinstance(event, OrderDropped):
        # An answer to a stranger's STOP, say. It bars nothing.
        why = f"dropped by {event.by}"
        return Step(None, (EndOrder(effect_id=event.effect_id, why=why, frees_window=False),))
    return Step(None)
