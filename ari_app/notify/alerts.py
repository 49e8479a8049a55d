"""What an alert says: what happened, what has been done, what the person asked for, and what to do now."""

from __future__ import annotations

from datetime import datetime, tzinfo

from ari_app.recovery.effects import AlertAgent, LeadRecord
from ari_app.recovery.plan import clock_face
from ari_app.recovery.policy import Policy
from ari_app.recovery.templates import clean
from ari_app.recovery.values import AlertReason, Intent, Progress

_HEADLINES = {
    AlertReason.MISSED: "Missed call",
    AlertReason.REPEAT_MISS: "Second missed call, call them now",
    AlertReason.DROPPED: "Missed call, and the next was cut off as it was answered: call them",
    AlertReason.REPLIED: "A caller texted back",
    AlertReason.WANTS_PERSON: "A caller asks for a person, call them now",
    AlertReason.ESCALATION: "Nobody has taken this lead yet",
    AlertReason.TEXT_FAILED: "Missed call, and the text did not get through",
    AlertReason.TEXT_IN_DOUBT: "Missed call, and nobody knows whether the text got through",
    AlertReason.CALLBACK_LOST: "Missed call, and the callback got lost",
    AlertReason.OPTED_OUT: "A caller wants no texts and no automated calls",
    AlertReason.BOOKS_LOST: "Missed call, and what was done about it is lost with our records: call them",
}

_TEXT = {
    Progress.NONE: "not sent yet",
    Progress.PENDING: "on its way",
    Progress.DONE: "accepted by the carrier",
    Progress.DELIVERED: "delivered",
    Progress.FAILED: "failed",
    Progress.IN_DOUBT: "in doubt: it may have gone out, and is not sent again",
    Progress.REFUSED: "not sent, by rule",
    Progress.CANCELLED: "taken back",
}

_CALLBACK = {
    Progress.NONE: "none",
    Progress.PENDING: "on its way",
    Progress.DONE: "answered",
    Progress.DELIVERED: "answered",
    Progress.FAILED: "not answered",
    Progress.IN_DOUBT: "in doubt",
    Progress.REFUSED: "not placed, by rule",
    Progress.CANCELLED: "taken back",
}


def alert_subject(alert: AlertAgent) -> str:
    """One line: what, who, where."""
    record = alert.record
    who = clean(record.name, 40) if record.name else record.number or "an unknown caller"
    about = f", {record.listing}" if record.listing else ""
    return f"{_HEADLINES[alert.reason]}: {who}{about} (lead {record.lead_id})"


def alert_text(alert: AlertAgent, policy: Policy) -> str:
    """The whole alert, plain text. What callers said or wrote stands in quotation marks, on one line each."""
    record = alert.record
    zone = policy.offices[record.office].hours.zone if record.office in policy.offices else None
    lines = [f"{_HEADLINES[alert.reason]}.", "", *_facts(record, policy, zone)]
    if record.replies:
        lines += ["", "They texted:", *(f"  \u201c{clean(text, 300)}\u201d" for text in record.replies[-5:])]
    if record.lines:
        speakers = {"agent": "assistant", "caller": "caller"}
        lines += ["", "The callback:"]
        lines += [
            f"  {speakers.get(line.speaker, line.speaker)}: \u201c{clean(line.text, 300)}\u201d"
            for line in record.lines
        ]
    lines += ["", *_advice(alert), f"Take the lead: ringback ack {record.lead_id} --by YOUR-NAME"]
    return "\n".join(lines) + "\n"


def _facts(record: LeadRecord, policy: Policy, zone: tzinfo | None) -> list[str]:
    office = policy.offices[record.office].name if record.office in policy.offices else record.office
    rows = [
        ("Caller", " ".join(filter(None, [clean(record.name or "", 60), record.number or "number withheld"]))),
        ("Called", f"{record.dialled}, {office}" + (f", {record.source}" if record.source else "")),
        ("Listing", record.listing),
        ("Missed at", _when(record.missed_at, zone)),
        ("Missed calls", str(record.misses) if record.misses > 1 else None),
        ("Wants", None if record.intent is Intent.UNSTATED else record.intent.value),
        ("Text", _TEXT[record.text]),
        ("Callback", _CALLBACK[record.callback]),
        ("Opted out", "yes: no automated texts or calls" if record.opted_out else None),
        ("Taken by", record.acknowledged_by),
    ]
    return [f"{name + ':':<14}{value}" for name, value in rows if value]


def _when(at: datetime | None, zone: tzinfo | None) -> str | None:
    if at is None:
        return None
    local = at.astimezone(zone)
    return f"{clock_face(local)} on {local:%A, %B} {local.day}"


def _advice(alert: AlertAgent) -> list[str]:
    """What a person should know before acting."""
    if alert.record.opted_out:
        return ["A person may return their call; no automated contact will be made."]
    return []
