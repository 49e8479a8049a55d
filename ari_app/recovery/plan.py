"""Walking a plan: each step in its turn, until one has to wait for the world or for time.

``text`` is over when its outcome is known, or after ``outcome_seconds``; ``call`` when the call is over or may not be placed;
``wait`` when its time has come, counted from the missed call; the other steps when they are in the outbox.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import assert_never

from ari_app.recovery import gate
from ari_app.recovery.copying import replace
from ari_app.recovery.draft import Draft, PlanTimer
from ari_app.recovery.effects import PlaceCallback, SendEmail, SendText, TextPurpose
from ari_app.recovery.policy import (
    AlertStep,
    CallStep,
    Condition,
    EmailStep,
    Plan,
    PlanStep,
    PushStep,
    QuietAnswer,
    TextStep,
    WaitStep,
)
from ari_app.recovery.templates import first_name
from ari_app.recovery.values import AlertReason, CallbackEnd, Progress, Stage

TRANSFER_SECONDS = 45.0
"""What a callback may take beyond its limits until it is told: the desk phones that ring, the apology, the books."""


def resume(draft: Draft) -> None:
    """Start the plan, or go on with it, once the caller is off the line or has been listened to long enough.

    Whoever pressed 1 is called first, and texted only if that fails (CNS-04).
    """
    if draft.lead.cursor == 0 and draft.lead.pressed_one_at is not None:
        calls = [step for step in draft.lead.plan if isinstance(step, CallStep)]
        others = [step for step in draft.lead.plan if not isinstance(step, CallStep)]
        draft.lead = replace(draft.lead, plan=(*calls, *others))
    advance(draft)


def take_over(draft: Draft, plan: Plan, missed_at: datetime) -> None:
    """Give the lead ``plan`` from its beginning, with nothing of an earlier run."""
    draft.lead = replace(
        draft.lead,
        plan_name=plan.name,
        plan=plan.steps,
        cursor=0,
        waited_seconds=0.0,
        plan_at=draft.at,
        missed_at=missed_at,
        notice_heard=False,
        pressed_one_at=None,
        text=Progress.NONE,
        text_effect=None,
        callback=Progress.NONE,
        callback_effect=None,
        callback_answered=False,
        callback_end=None,
        engaged=False,
        acknowledged_by=None,
        reached_by=None,
        lifted_call=None,
        lifted_at=None,
    )


def person_only(name: str) -> Plan:
    """What is done where the settings have no plan any more, or nobody knows what became of the call: a person is told."""
    return Plan(name, (AlertStep("agent"), PushStep()))


def advance(draft: Draft) -> None:
    """Do the steps from the cursor on, until one blocks or the plan is over."""
    while draft.lead.cursor < len(draft.lead.plan):
        step = draft.lead.plan[draft.lead.cursor]
        draft.lead = replace(draft.lead, cursor=draft.lead.cursor + 1)
        if _blocks(draft, step):
            return
    draft.lead = replace(draft.lead, stage=Stage.IDLE)


def after_wait(draft: Draft) -> None:
    """A wait is over: skip the step behind it if one of its conditions holds, and go on."""
    lead = draft.lead
    waited = lead.plan[lead.cursor - 1] if 0 < lead.cursor <= len(lead.plan) else None
    if isinstance(waited, WaitStep) and lead.cursor < len(lead.plan):
        holding = [condition for condition in waited.unless if _holds(draft, condition)]
        if holding:
            skipped = lead.plan[lead.cursor]
            draft.explain(step_name(skipped), "skipped", "PLAN", f"the lead is {holding[0].value}")
            draft.lead = replace(draft.lead, cursor=lead.cursor + 1)
    advance(draft)


def step_name(step: PlanStep) -> str:
    """The step's key in the YAML."""
    match step:
        case TextStep():
            return "text"
        case CallStep():
            return "callback"
        case AlertStep():
            return "alert"
        case WaitStep():
            return "wait"
        case EmailStep():
            return "email"
        case PushStep():
            return "push"
        case _:
            assert_never(step)


def _blocks(draft: Draft, step: PlanStep) -> bool:
    """Do one step. Whether the plan has to wait for it."""
    match step:
        case TextStep():
            return _text(draft, step)
        case CallStep():
            return _call(draft)
        case AlertStep(to):
            draft.alert(_reason(draft), to)
            return False
        case WaitStep(seconds):
            draft.lead = replace(draft.lead, waited_seconds=draft.lead.waited_seconds + seconds, stage=Stage.WAITING)
            draft.arm(PlanTimer.WAIT, draft.lead.waited_seconds, since(draft))
            return True
        case EmailStep(template):
            _email(draft, template)
            return False
        case PushStep():
            draft.push()
            return False
        case _:
            assert_never(step)


def _reason(draft: Draft) -> AlertReason:
    """Why the plan tells a person, at this point of it."""
    lead = draft.lead
    if lead.waited_seconds > 0:
        return AlertReason.ESCALATION
    if lead.callback_end is CallbackEnd.WANTED_PERSON:
        return AlertReason.WANTS_PERSON
    if lead.callback is Progress.FAILED and lead.callback_end is None:
        return AlertReason.CALLBACK_LOST
    return {Progress.FAILED: AlertReason.TEXT_FAILED, Progress.IN_DOUBT: AlertReason.TEXT_IN_DOUBT}.get(
        lead.text, AlertReason.MISSED
    )


def tells_soon(draft: Draft) -> bool:
    """Whether the plan tells a person before it waits for the next time: then nobody is told twice."""
    return draft.lead.stage not in (Stage.IDLE, Stage.WAITING) and _alert_follows(draft)


def _alert_follows(draft: Draft) -> bool:
    """Whether an alert stands before the plan's next wait."""
    for step in draft.lead.plan[draft.lead.cursor :]:
        if isinstance(step, WaitStep):
            return False
        if isinstance(step, AlertStep):
            return True
    return False


def _text(draft: Draft, step: TextStep) -> bool:
    lead, facts, rules = draft.lead, draft.facts, draft.policy.text_rules
    names = {step.template, step.after_hours, step.late or step.template}
    if not names <= draft.policy.texts.keys():
        draft.explain("text", "refused", "PLAN", f"the settings have no text {' or '.join(sorted(names))} any more")
        draft.lead = replace(lead, text=Progress.REFUSED)
        return False
    if lead.callback_answered and lead.pressed_one_at is not None:
        draft.explain("text", "skipped", "CNS-04", "the caller asked for a call and took it")
        return False
    ruling = gate.may_text_back(facts, draft.policy, draft.at)
    late = _late(draft)
    if late and not isinstance(ruling, gate.Refuse) and (step.late is None or _too_late(draft)):
        ruling = gate.Refuse("AGE-02", "the missed call is too long ago for a text: a person is told")
    draft.explain_ruling("text", ruling)
    if isinstance(ruling, gate.Refuse):
        draft.lead = replace(draft.lead, text=Progress.REFUSED)
        if ruling.rule == "AGE-02" and not _alert_follows(draft):
            draft.alert(AlertReason.MISSED)
        return False
    assert lead.number is not None
    assert facts.gateway is not None
    held = ruling.until if isinstance(ruling, gate.Hold) else None
    goes_at = held or draft.at
    is_open = draft.policy.office(lead.office).hours.is_open(goes_at)
    chosen = step.template if is_open else step.after_hours
    template = draft.policy.texts[step.late if late and step.late is not None else chosen]
    effect = draft.order(
        SendText(
            purpose=TextPurpose.TEXT_BACK,
            to=lead.number,
            sender=lead.dialled,
            body=template.render(values(draft, goes_at)),
            gateway=facts.gateway,
            office=lead.office,
            not_before=held,
            expires_at=text_expires(draft, goes_at),
            window_until=goes_at + timedelta(seconds=rules.window_seconds),
        )
    )
    draft.lead = replace(draft.lead, text=Progress.PENDING, text_effect=effect)
    if held is not None:
        return False
    draft.lead = replace(draft.lead, stage=Stage.TEXTING)
    draft.arm(PlanTimer.TEXT_WAIT, rules.outcome_seconds)
    return True


def text_expires(draft: Draft, goes_at: datetime) -> datetime:
    """Until when a text-back that may go at ``goes_at`` may be tried: not into the quiet hours that follow (HRS-02)."""
    expires_at = goes_at + timedelta(seconds=draft.policy.text_rules.expires_seconds)
    closes = draft.facts.contact_closes
    if closes is None or draft.policy.quiet.texts is QuietAnswer.SEND:
        return expires_at
    return min(expires_at, closes)


def _late(draft: Draft) -> bool:
    return draft.at - missed_at(draft) > timedelta(seconds=draft.policy.text_rules.late_seconds)


def _too_late(draft: Draft) -> bool:
    return draft.at - missed_at(draft) > timedelta(seconds=draft.policy.text_rules.too_late_seconds)


def _call(draft: Draft) -> bool:
    if draft.lead.on_line:
        # The notice may still be playing, and a key may still come: nobody is called while on the line with us.
        draft.lead = replace(draft.lead, stage=Stage.LISTENING, cursor=draft.lead.cursor - 1)
        draft.arm(PlanTimer.LEAVE, draft.policy.callback.expires_seconds, since(draft))
        return True
    if not place_callback(draft):
        return False
    draft.lead = replace(draft.lead, stage=Stage.CALLING)
    rules = draft.policy.callback
    longest = rules.expires_seconds + rules.longest_seconds + TRANSFER_SECONDS
    draft.arm(PlanTimer.CALL_WATCH, longest, missed_at(draft))
    return True


def place_callback(draft: Draft) -> bool:
    """Order the callback if the gate allows it; whether it was ordered."""
    lead, policy = draft.lead, draft.policy
    ruling = gate.may_call_back(
        draft.facts, policy, draft.at, notice_heard=lead.notice_heard, pressed_one_at=lead.pressed_one_at
    )
    expires_at = missed_at(draft) + timedelta(seconds=policy.callback.expires_seconds)
    if isinstance(ruling, gate.Allow) and draft.at >= expires_at:
        ruling = gate.Refuse("AGE-01", "the missed call is too long ago for a callback")
    draft.explain_ruling("callback", ruling)
    if not isinstance(ruling, gate.Allow):
        if lead.callback is Progress.NONE:  # what became of an earlier one stays known
            draft.lead = replace(lead, callback=Progress.REFUSED)
        return False
    assert lead.number is not None
    group = policy.groups.get(lead.group or "")
    effect = draft.order(
        PlaceCallback(
            to=lead.number,
            caller_id=lead.dialled,
            missed_at=missed_at(draft),
            office=lead.office,
            name=first_name(lead.name),
            listing=lead.listing,
            phones=() if group is None else group.phones,
            expires_at=min(expires_at, _quiet_from(draft) or expires_at),
            by_request=lead.pressed_one_at is not None,
        )
    )
    draft.lead = replace(
        draft.lead, callback=Progress.PENDING, callback_effect=effect, callback_answered=False, callback_end=None
    )
    return True


def _quiet_from(draft: Draft) -> datetime | None:
    """From when on a callback that is allowed now may not be placed any more, for quiet hours (HRS-03)."""
    facts, pressed = draft.facts, draft.lead.pressed_one_at
    quiet_from = facts.contact_closes if facts.contact_opens is None and not facts.never_contact_time else draft.at
    if quiet_from is None or pressed is None:
        return quiet_from
    return max(quiet_from, pressed + gate.REQUEST_LASTS)


def _email(draft: Draft, name: str) -> None:
    ruling = gate.may_email(draft.facts)
    draft.explain_ruling("email", ruling)
    if isinstance(ruling, gate.Allow):
        assert draft.facts.email is not None
        template = draft.policy.emails.get(name)
        if template is None:
            draft.explain("email", "refused", "PLAN", f"the settings have no e-mail {name} any more")
            return
        known = values(draft, draft.at)
        draft.order(
            SendEmail(
                to=draft.facts.email,
                template=name,
                subject=template.subject.render(known),
                body=template.body.render(known),
            )
        )


def values(draft: Draft, goes_at: datetime) -> dict[str, str | None]:
    """What the fields of a template stand for, in what this lead is sent at ``goes_at``."""
    lead, policy = draft.lead, draft.policy
    office = policy.office(lead.office)
    opens_at = None if office.hours.is_open(goes_at) else office.hours.next_opening(goes_at)
    agent = policy.agents.get(lead.agent or "")
    return {
        "brokerage": policy.brokerage,
        "office": office.name,
        "phone": policy.phone,
        "name": first_name(lead.name),
        "listing": lead.listing,
        "time": clock_face(missed_at(draft).astimezone(office.hours.zone)),
        "open_time": None if opens_at is None else opening_words(opens_at, goes_at, office.hours.zone),
        "agent": None if agent is None else agent.name,
    }


def clock_face(local: datetime) -> str:
    """``2:05 pm``."""
    return f"{local.hour % 12 or 12}:{local.minute:02d} {'am' if local.hour < 12 else 'pm'}"


def opening_words(opens_at: datetime, at: datetime, zone: tzinfo) -> str:
    """When the office opens, as people say it: ``9:00 am``, ``Mon 9:00 am``, ``Jan 2 9:00 am``."""
    opens, now = opens_at.astimezone(zone), at.astimezone(zone)
    days = (opens.date() - now.date()).days
    if days == 0:
        return clock_face(opens)
    if days < 7:
        return f"{_WEEKDAYS[opens.weekday()]} {clock_face(opens)}"
    return f"{_MONTHS[opens.month - 1]} {opens.day} {clock_face(opens)}"


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _holds(draft: Draft, condition: Condition) -> bool:
    match condition:
        case Condition.ACKNOWLEDGED:
            return draft.lead.acknowledged_by is not None
        case Condition.ENGAGED:
            return draft.lead.engaged
        case Condition.REACHED:
            return draft.lead.reached_by is not None
        case _:
            assert_never(condition)


def since(draft: Draft) -> datetime:
    """When the plan began."""
    return draft.lead.plan_at or draft.at


def missed_at(draft: Draft) -> datetime:
    """The missed call that the plan answers."""
    return draft.lead.missed_at or since(draft)
