"""When nobody knows what has happened: orders that a person decides about, and calls and plans whose books are lost.

Whatever may have reached a caller is not repeated by itself. A person may repeat it, as a new order that takes over the right
to the one text-back; a caller of lost time is left to a person, and gets no text until the last one that may have gone is old,
or, where the no's of that time are lost, too, until a no would be of long ago.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from ari_app.recovery import gate, plan
from ari_app.recovery.draft import Draft
from ari_app.recovery.effects import BarTexts, EndOrder, SendEmail, SendText, WorldEffect
from ari_app.recovery.events import CallMissed, OrderDropped, OrderResent
from ari_app.recovery.intake import LEAD_LASTS
from ari_app.recovery.values import AlertReason, EffectId, Progress, Stage


def resent(draft: Draft, event: OrderResent) -> None:
    """A person takes the risk of a second message; no's, quiet hours and limits hold for what a person sends again, too."""
    match event.effect:
        case SendText() as effect:
            again: WorldEffect | None = _text_again(draft, event.effect_id, effect)
        case SendEmail() as effect:
            ruling = gate.may_email(draft.facts)
            draft.explain_ruling("email", ruling)
            again = None if isinstance(ruling, gate.Refuse) else effect
        case effect:
            again = effect
    if again is None:
        return
    draft.order(EndOrder(effect_id=event.effect_id, why=f"sent again by {event.by}", frees_window=True))
    ordered = draft.order(again)
    if isinstance(again, SendText):
        draft.lead = replace(draft.lead, text=Progress.PENDING, text_effect=ordered)


def _text_again(draft: Draft, effect_id: EffectId, effect: SendText) -> SendText | None:
    if effect_id != draft.lead.text_effect:
        return None  # another text has taken its place
    # What bars a second text may be this text itself, as long as it is in doubt: the new one takes over its right. Old entries do
    # not name who has the right, and were decided as if it was this one.
    own = draft.lead.text is Progress.IN_DOUBT and draft.facts.text_window_holder in (None, effect_id)
    facts = replace(draft.facts, text_window_until=None) if own else draft.facts
    ruling = gate.may_text_back(facts, draft.policy, draft.at)
    draft.explain_ruling("text", ruling)
    if isinstance(ruling, gate.Refuse):
        return None
    assert facts.gateway is not None
    held = ruling.until if isinstance(ruling, gate.Hold) else None
    rules, goes_at = draft.policy.text_rules, held or draft.at
    return replace(
        effect,
        gateway=facts.gateway,
        not_before=held,
        expires_at=plan.text_expires(draft, goes_at),
        window_until=goes_at + timedelta(seconds=rules.window_seconds),
    )


def dropped(draft: Draft, event: OrderDropped) -> None:
    """What waited was not sent and is forgotten; what failed or is in doubt stays what it is, and bars what it barred."""
    waited = event.status == "todo"
    draft.order(EndOrder(effect_id=event.effect_id, why=f"dropped by {event.by}", frees_window=waited))
    lead = draft.lead
    if waited and event.effect_id == lead.text_effect and lead.text is Progress.PENDING:
        draft.lead = replace(lead, text=Progress.CANCELLED)
        _go_on(draft, Stage.TEXTING)
    elif waited and event.effect_id == lead.callback_effect and lead.callback is Progress.PENDING:
        draft.lead = replace(lead, callback=Progress.CANCELLED)
        _go_on(draft, Stage.CALLING)


def _go_on(draft: Draft, stage: Stage) -> None:
    """The plan goes on, if it waited for what was dropped."""
    if draft.lead.stage is stage:
        draft.disarm()
        plan.advance(draft)


def of_lost_time(draft: Draft, event: CallMissed, lost_until: datetime) -> None:
    """The caller may have been texted already, and may have said no: neither is in the books any more."""
    lead = draft.lead
    if lead.stage is Stage.IDLE:
        lead = replace(
            lead,
            dialled=event.dialled,
            entry=event.entry,
            source=event.source,
            listing=event.listing,
            verdict=event.verdict,
            missed_at=event.occurred_at or event.at,
        )
    draft.lead = replace(lead, call_id=event.call_id, on_line=event.on_line)
    draft.explain(
        "plan", "skipped", "DBT-02", "the books of that time are lost: a person finds out what the caller got"
    )
    bar_texts(draft, lost_until)
    draft.assign()
    draft.alert(AlertReason.BOOKS_LOST)
    draft.push()


def bar_texts(draft: Draft, lost_until: datetime) -> None:
    """The text of lost time that the caller may have got bars the next. Where nobody knows who said no in that time, the caller
    may have: that counts at every office, for as long as a lead lasts."""
    lead = draft.lead
    assert lead.number is not None, "who withholds it is no lead"
    if draft.facts.noes_lost:
        offices, lasts = [*dict.fromkeys((lead.office, *draft.policy.offices))], LEAD_LASTS
    else:
        offices, lasts = [lead.office], timedelta(seconds=draft.policy.text_rules.window_seconds)
    for office in offices:
        draft.order(BarTexts(number=lead.number, office=office, until=lost_until + lasts))


def restored(draft: Draft) -> None:
    """What the plan has done since is unknown, and so is what the person has said: it ends, and a person goes on."""
    lead = draft.lead
    if lead.stage is Stage.IDLE and Progress.PENDING not in (lead.text, lead.callback):
        return
    draft.explain(
        "plan", "skipped", "DBT-02", "the books are those of a backup: a person finds out what has happened since"
    )
    draft.stop_plan("the books are those of a backup")
    draft.lead = replace(draft.lead, on_line=False)
    draft.assign()
    draft.alert(AlertReason.BOOKS_LOST)
    draft.push()
