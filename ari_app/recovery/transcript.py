"""The journal as people read it: one line for each event, order and decision. Golden tests, ``ringback replay`` and the
lead's page print with this and nothing else.

    10:00:00 < call_missed +13055550123 → +13055550100 no_answer after 3 rings
    10:00:00   = text allowed CNS-01: an informational text about the caller's own call
    10:00:00   > text text_back to +13055550123
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import assert_never

from ari_app.recovery.effects import (
    AlertAgent,
    ArmTimer,
    BarTexts,
    CancelPending,
    Decision,
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
    InboundCall,
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
from ari_app.recovery.machine import Step
from ari_app.recovery.templates import clean
from ari_app.recovery.values import Intent


def lines(event: Event, step: Step, zone: tzinfo) -> Iterator[str]:
    """The lines of one event and what it led to, on the wall clock of ``zone``."""
    clock = _clock(event.at, zone)
    yield f"{clock} < {describe_event(event)}"
    for decision in step.decisions:
        yield f"{clock}   = {describe_decision(decision)}"
    for effect in step.effects:
        yield f"{clock}   > {describe_effect(effect, zone)}"


def describe_event(event: Event) -> str:
    """One event without its time."""
    return f"{snake(type(event).__name__)} {_event_details(event)}".rstrip()


def _event_details(event: Event) -> str:
    match event:
        case CallMissed(verdict=verdict, rings=rings, on_line=on_line):
            there = ", caller on the line" if on_line else ""
            return f"{_route(event)} {verdict} after {rings} rings{there}{_learned(event)}"
        case CallClosed(verdict=verdict, rings=rings, answered_by=by):
            whom = f" by {by}" if by else ""
            return f"{_route(event)} {verdict} after {rings} rings{whom}{_learned(event)}{_elsewhere(event)}"
        case CallAnswered(by=by):
            return f"{_route(event)} by {by}{_elsewhere(event)}"
        case PromptPlayed(prompt=prompt, whole=whole, audio_sha256=digest):
            return f"{prompt} {'to its end' if whole else 'in part'} (audio {digest[:8]})"
        case KeyPressed(key=key):
            return key
        case VoicemailLeft(seconds=seconds):
            return f"{seconds:.0f} s"
        case CallerLeft():
            return ""
        case TextReceived(sender=sender, recipient=recipient, body=body):
            return f"{sender} → {recipient} {_quote(body)}"
        case ReceiptReceived(effect_id=effect_id, state=state):
            return f"{effect_id} {state}"
        case EffectSettled(effect_id=effect_id, kind=kind, outcome=outcome, ref=ref, why=why):
            about = " ".join(word for word in (ref and f"ref {ref}", why and f"({why})") if word)
            return f"{kind} {effect_id} {outcome} {about}"
        case CallbackAnswered(effect_id=effect_id):
            return effect_id
        case CallbackOptedOut(effect_id=effect_id, how=how):
            return f"{effect_id} {how}"
        case CallbackHandedOver(effect_id=effect_id, by=by):
            return f"{effect_id} by {by}{_elsewhere(event)}"
        case CallbackEnded(effect_id=effect_id, end=end, intent=intent, seconds=seconds, lines=spoken):
            wish = "" if intent is Intent.UNSTATED else f" {intent}"
            heard = [f" {line.speaker}: {_quote(line.text)}" for line in spoken]
            return f"{effect_id} {end}{wish} after {seconds:.0f} s" + "".join(heard)
        case TimerFired(kind=kind):
            return kind
        case LeadAcknowledged(by=by):
            return f"by {by}"
        case LeadClosed(by=by, note=note):
            return f"by {by} {_quote(note)}"
        case OptOutRecorded(number=number, by=by, note=note):
            return f"{number} by {by} {_quote(note)}"
        case OrderResent(effect_id=effect_id, by=by):
            return f"{effect_id} by {clean(by, 60)}"
        case OrderDropped(effect_id=effect_id, kind=kind, status=status, by=by, note=note):
            return f"{kind} {effect_id} {status} by {clean(by, 60)} {_quote(note)}"
        case BooksRestored(taken_at=taken_at):
            return f"as of {taken_at:%Y-%m-%d %H:%M:%S} UTC"
        case _:
            assert_never(event)


def describe_effect(effect: Effect, zone: tzinfo) -> str:
    """One order without its time; the times that it names are on the wall clock of ``zone``."""
    match effect:
        case SendText(purpose=purpose, to=to, not_before=not_before, body=body):
            held = "" if not_before is None else f" held until {_clock(not_before, zone, day=True)}"
            return f"text {purpose} to {to}{held} {_quote(body)}"
        case PlaceCallback(to=to, by_request=by_request):
            return f"callback to {to}{' by request' if by_request else ''}"
        case AlertAgent(reason=reason, agents=agents):
            return f"alert {', '.join(agents)}: {reason}"
        case SendEmail(to=to, template=template):
            return f"email {template} to {to}"
        case PushLead(target=target, record=record):
            return f"push lead {record.lead_id} to {target}"
        case ArmTimer(kind=kind, due_at=due_at):
            return f"timer {kind} due {_clock(due_at, zone)}"
        case DisarmTimer(kind=kind):
            return f"disarm {kind}"
        case SetConsent(number=number, channel=channel, state=state, source=source):
            return f"consent {number} {channel} {state} by {source}"
        case CancelPending(kinds=kinds, why=why):
            return f"cancel {', '.join(kinds)}: {why}"
        case TakeTurn(group=group, agent=agent):
            return f"turn of {group}: {agent}"
        case EndOrder(effect_id=effect_id, why=why):
            return f"end {effect_id}: {clean(why, 100)}"
        case BarTexts(number=number, until=until):
            return f"no text to {number} before {_clock(until, zone, day=True)}"
        case _:
            assert_never(effect)


def describe_decision(decision: Decision) -> str:
    """One decision with its rule and its reason."""
    return f"{decision.action} {decision.outcome} {decision.rule}: {decision.why}"


def snake(name: str) -> str:
    """``CallMissed`` -> ``call_missed``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _route(event: InboundCall) -> str:
    return f"{event.caller or event.kind.value} → {event.dialled}"


def _elsewhere(event: CallAnswered | CallClosed | CallbackHandedOver) -> str:
    """Told to a lead that the call was not for."""
    return ", elsewhere" if event.elsewhere else ""


def _learned(event: InboundCall) -> str:
    """How late we learned of it."""
    if event.occurred_at is None:
        return ""
    since = event.reached_since if isinstance(event, CallMissed) else None
    minutes = (event.at - event.occurred_at).total_seconds() / 60
    return f", learned {minutes:.0f} min later" + (f", reached {since} since" if since else "")


def _quote(text: str) -> str:
    """Untrusted text on one line, cut, in quotation marks."""
    shown = clean(text, 160)
    return f"\u201c{shown}\u201d"


def _clock(at: datetime, zone: tzinfo, *, day: bool = False) -> str:
    local = at.astimezone(zone)
    return f"{local:%a %H:%M:%S}" if day else f"{local:%H:%M:%S}"
