"""What to do. Orders in the imperative, frozen, without behaviour.

World effects go through the outbox and meet the world later, perhaps twice: each target gets the effect's id as its
idempotency key. Record effects change the books in the transaction of the event that caused them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ari_app.recovery.values import (
    E164,
    AlertReason,
    Channel,
    ConsentState,
    EffectId,
    Intent,
    LeadId,
    Line,
    Progress,
    Verdict,
)


class TextPurpose(StrEnum):
    """Why a text goes out."""

    TEXT_BACK = "text_back"
    STOP_CONFIRMATION = "stop_confirmation"
    START_CONFIRMATION = "start_confirmation"
    HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendText:
    """Text a person. sender: the number they dialled or wrote to, so that a thread stays together.

    gateway: by name. not_before: held until then; None for now. expires_at: not sent after it.
    window_until: for a text-back, the end of the time in which no other may go to this number and office.
    """

    purpose: TextPurpose
    to: E164
    sender: str
    body: str
    gateway: str
    office: str
    not_before: datetime | None
    expires_at: datetime
    window_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceCallback:
    """Call a person back with the voice agent. caller_id: the number that they dialled.

    missed_at: their own call, named in the greeting. phones: desk phones to try when they want a person.
    expires_at: not placed after it. by_request: they pressed 1.
    """

    to: E164
    caller_id: str
    missed_at: datetime
    office: str
    name: str | None
    listing: str | None
    phones: tuple[str, ...]
    expires_at: datetime
    by_request: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRecord:
    """A lead as people and CRMs see it: everything known at one moment."""

    lead_id: LeadId
    number: E164 | None
    name: str | None
    email: str | None
    office: str
    dialled: str
    source: str | None
    listing: str | None
    agent: str | None
    verdict: Verdict | None
    missed_at: datetime | None
    misses: int
    text: Progress
    callback: Progress
    callback_end: str | None
    intent: Intent
    replies: tuple[str, ...]
    lines: tuple[Line, ...]
    opted_out: bool
    acknowledged_by: str | None
    reached_by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertAgent:
    """Tell people of the brokerage. agents: their keys, never empty. again: an earlier one reached nobody (ESC-02)."""

    reason: AlertReason
    agents: tuple[str, ...]
    record: LeadRecord
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendEmail:
    """E-mail the caller."""

    to: str
    template: str
    subject: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PushLead:
    """Push the lead to a CRM. target: its name in the settings."""

    target: str
    record: LeadRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmTimer:
    """Fire TimerFired at ``due_at``; a pending timer of the same kind is replaced."""

    kind: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DisarmTimer:
    """Forget the pending timer of this kind, if there is one."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetConsent:
    """Keep what a person said about a channel. source: by what act (``sms:stop``, ``key:9``, ``voice:stop``)."""

    number: E164
    channel: Channel
    state: ConsentState
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPending:
    """Take back the lead's effects of these kinds that have not begun. What has begun takes its course, but for a text-back
    that still waits inside its gateway: that is withdrawn, too."""

    kinds: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeTurn:
    """The agent has had a turn in the group's rotation."""

    group: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOrder:
    """End an order that is not under way. frees_window: the right to the one text-back goes back, for the order's successor."""

    effect_id: EffectId
    why: str
    frees_window: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BarTexts:
    """No text-back to this number and office before ``until``, whatever the books say of earlier ones."""

    number: E164
    office: str
    until: datetime


WorldEffect = SendText | PlaceCallback | AlertAgent | SendEmail | PushLead
RecordEffect = ArmTimer | DisarmTimer | SetConsent | CancelPending | TakeTurn | EndOrder | BarTexts
Effect = WorldEffect | RecordEffect

KINDS: dict[type[WorldEffect], str] = {
    SendText: "text",
    PlaceCallback: "callback",
    AlertAgent: "alert",
    SendEmail: "email",
    PushLead: "push",
}
"""The outbox's name for each kind of world effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Why something was or was not done: the receipt that explains us.

    action: ``text``, ``callback``, ``email``, ``alert``, ``plan`` …; outcome: ``allowed``, ``held``, ``refused`` or ``skipped``;
    rule: as docs/compliance.md lists them; why: one plain sentence.
    """

    action: str
    outcome: str
    rule: str
    why: str
