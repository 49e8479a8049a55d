"""May we contact this number, by this channel, now? The one place that says so. Rule ids: docs/compliance.md."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from ari_app.recovery.events import Facts
from ari_app.recovery.policy import CallbackConsent, Policy, QuietAnswer
from ari_app.recovery.values import ConsentState, NumberKind

REQUEST_LASTS = timedelta(minutes=2)
"""A key press asks for a call now; later it is no longer "now" (HRS-03)."""


@dataclass(frozen=True, slots=True)
class Allow:
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Hold:
    until: datetime
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class Refuse:
    rule: str
    why: str


Ruling = Allow | Hold | Refuse


def no_lead(kind: NumberKind, *, blocked: bool) -> Refuse | None:
    """Why a missed caller is recorded and nothing more; None for a caller who becomes a lead."""
    if blocked:
        return Refuse("ELG-02", "the number is on the block list")
    match kind:
        case NumberKind.INTERNAL:
            return Refuse("ELG-01", "the caller is one of our own phones")
        case NumberKind.WITHHELD:
            return Refuse("ELG-04", "the caller withheld the number")
        case NumberKind.MALFORMED:
            return Refuse("ELG-04", "what came as caller id is no telephone number")
        case NumberKind.ORDINARY | NumberKind.FOREIGN | NumberKind.SPECIAL:
            return None
        case _:
            assert_never(kind)


def may_text_back(facts: Facts, policy: Policy, at: datetime) -> Ruling:
    """The text that answers a missed call (CNS-01)."""
    barred = _bar(facts) or _no_consent(facts.text.state, "texts")
    if barred is not None:
        return barred
    if facts.gateway is None:
        return Refuse("GEO-07", "no text route leads to this destination")
    too_many = _too_often(facts, policy)
    if too_many is not None:
        return too_many
    if facts.text_window_until is not None and at < facts.text_window_until:
        return Refuse("FRQ-01", f"a text has gone to this caller; none more before {_utc(facts.text_window_until)}")
    if policy.quiet.texts is QuietAnswer.HOLD:
        if facts.never_contact_time:
            return Refuse("HRS-06", "the number's possible time zones leave no hour in which all may be contacted")
        if facts.contact_opens is not None:
            return Hold(facts.contact_opens, "HRS-02", "quiet hours where the caller is")
    return Allow("CNS-01", "an informational text about the caller's own call")


def may_call_back(
    facts: Facts, policy: Policy, at: datetime, *, notice_heard: bool, pressed_one_at: datetime | None
) -> Ruling:
    """The callback by the voice agent (CNS-02, HRS-03)."""
    barred = _bar(facts) or _no_consent(facts.call.state, "calls")
    if barred is not None:
        return barred
    if not facts.may_call_back:
        return Refuse("GEO-07", "callbacks to this destination are not allowed")
    rules = policy.callback
    if rules.consent is CallbackConsent.NEVER:
        return Refuse("CNS-02", "callbacks by the voice agent are switched off")
    if facts.callbacks >= rules.per_day:
        return Refuse(
            "FRQ-04", f"{facts.callbacks} callback(s) to this number in the last 24 hours; {rules.per_day} allowed"
        )
    too_many = _too_often(facts, policy)
    if too_many is not None:
        return too_many
    requested_now = pressed_one_at is not None and at - pressed_one_at <= REQUEST_LASTS
    if (facts.contact_opens is not None or facts.never_contact_time) and not requested_now:
        return Refuse("HRS-03", "quiet hours where the caller is, and no request by key")
    if pressed_one_at is not None:
        return Allow("CNS-02", "the caller pressed 1")
    if rules.consent is CallbackConsent.KEY:
        return Refuse("CNS-02", "the caller did not press 1")
    if not notice_heard:
        return Refuse("CNS-02", "the caller hung up before hearing the notice")
    return Allow("CNS-02", "the caller heard the notice and did not object")


def may_reply(facts: Facts, policy: Policy, rule: str) -> Ruling:
    """An automatic reply to a text, under ``rule`` (REV-04, -08, -09). Its sender can be forged as a caller id can.

    Quiet hours and a no do not bar it; loops with other machines end at the daily limit.
    """
    barred = _bar(facts)
    if barred is not None:
        return barred
    if facts.gateway is None:
        return Refuse("GEO-07", "no text route leads to this destination")
    if facts.replies >= policy.text_rules.replies_per_day:
        return Refuse("FRQ-06", f"{facts.replies} automatic replies to this number in the last 24 hours")
    too_many = _too_many(facts, policy)
    if too_many is not None:
        return too_many
    return Allow(rule, "an answer to the person's own text")


def may_email(facts: Facts) -> Ruling:
    """The follow-up e-mail: only to an address on file."""
    barred = _bar(facts)
    if barred is not None:
        return barred
    if facts.text.state is ConsentState.OPTED_OUT or facts.call.state is ConsentState.OPTED_OUT:
        return Refuse("REV-10", "the person asked us to stop")
    if facts.email is None:
        return Refuse("EML-01", "no e-mail address is on file")
    return Allow("EML-01", "the address is on file")


def _bar(facts: Facts) -> Refuse | None:
    """What bars every automatic contact."""
    refusal = no_lead(facts.kind, blocked=facts.blocked)
    if refusal is not None:
        return refusal
    if facts.kind is NumberKind.SPECIAL:
        return Refuse("GEO-06", "toll-free, premium and service numbers are not contacted")
    if facts.kind is NumberKind.FOREIGN:
        return Refuse("GEO-07", "numbers of other countries are not contacted automatically")
    return None


def _too_many(facts: Facts, policy: Policy) -> Refuse | None:
    """Caller ids and senders can be forged: nobody may turn us on a neighbourhood, or run up a bill."""
    limits = policy.limits
    if facts.contacts_alike >= limits.alike_per_hour:
        why = f"{facts.contacts_alike} contacts in an hour to numbers like this one; {limits.alike_per_hour} allowed"
        return Refuse("ABU-01", why)
    if facts.contacts >= limits.per_hour:
        return Refuse("ABU-02", f"{facts.contacts} contacts in an hour; {limits.per_hour} allowed")
    return None


def _too_often(facts: Facts, policy: Policy) -> Refuse | None:
    """As ``_too_many``, and for one number: calls to each of our offices under its name must not each be answered."""
    allowed = policy.limits.per_number_per_day
    if facts.contacts_same >= allowed:
        why = f"{facts.contacts_same} texts and callbacks to this number in the last 24 hours; {allowed} allowed"
        return Refuse("ABU-03", why)
    return _too_many(facts, policy)


def _no_consent(state: ConsentState, channel: str) -> Refuse | None:
    if state is ConsentState.OPTED_OUT:
        return Refuse("REV-10", f"the person said no to {channel}")
    return None


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
