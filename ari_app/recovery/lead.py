"""One lead as it stands: the snapshot that the machine steps from. Rebuildable from the journal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ari_app.recovery.copying import replace
from ari_app.recovery.effects import LeadRecord
from ari_app.recovery.policy import PlanStep
from ari_app.recovery.values import (
    E164,
    CallbackEnd,
    EffectId,
    Intent,
    LeadId,
    Line,
    Progress,
    Stage,
    Verdict,
)

REPLIES_KEPT = 20
"""Replies kept in the snapshot; the journal holds them all."""


@dataclass(frozen=True, kw_only=True)  # without slots: so it is copied fast
class Lead:
    """A person who tried to reach an office, and what has been done about it.

    call_id, on_line: the missed call heard of last, and whether its caller is still on the line.
    timer: the plan's timer that is armed.
    plan, cursor: the steps taken over when the plan began (a reload does not touch them), and the next one.
    plan_at: when the plan began; waits count from there. missed_at: the missed call that it answers, which is earlier when
    we learned of it late. waited_seconds: sum of the waits before the cursor.
    lifted_call, lifted_at: the call that ended the plan because somebody lifted a phone, and when.
    """

    lead_id: LeadId
    number: E164 | None
    office: str
    dialled: str
    entry: str | None = None
    source: str | None = None
    listing: str | None = None
    group: str | None = None
    agent: str | None = None
    name: str | None = None
    email: str | None = None
    opened_at: datetime

    stage: Stage = Stage.IDLE
    timer: str | None = None
    plan_name: str | None = None
    plan: tuple[PlanStep, ...] = ()
    cursor: int = 0
    plan_at: datetime | None = None
    missed_at: datetime | None = None
    waited_seconds: float = 0.0

    call_id: str | None = None
    on_line: bool = False
    verdict: Verdict | None = None
    misses: int = 0
    notice_heard: bool = False
    pressed_one_at: datetime | None = None

    text: Progress = Progress.NONE
    text_effect: EffectId | None = None
    callback: Progress = Progress.NONE
    callback_effect: EffectId | None = None
    callback_answered: bool = False
    callback_end: CallbackEnd | None = None
    intent: Intent = Intent.UNSTATED
    lines: tuple[Line, ...] = ()
    replies: tuple[str, ...] = ()
    pushed: bool = False

    engaged: bool = False
    reached_by: str | None = None
    lifted_call: str | None = None
    lifted_at: datetime | None = None
    acknowledged_by: str | None = None
    opted_out: bool = False
    closed_by: str | None = None

    @property
    def in_hand(self) -> bool:
        """Whether the plan is not over, or a text or a callback of it is still to end."""
        return self.stage is not Stage.IDLE or Progress.PENDING in (self.text, self.callback)

    def record(self) -> LeadRecord:
        """The lead as people and CRMs see it."""
        return LeadRecord(
            lead_id=self.lead_id,
            number=self.number,
            name=self.name,
            email=self.email,
            office=self.office,
            dialled=self.dialled,
            source=self.source,
            listing=self.listing,
            agent=self.agent,
            verdict=self.verdict,
            missed_at=self.missed_at or self.plan_at,
            misses=self.misses,
            text=self.text,
            callback=self.callback,
            callback_end=None if self.callback_end is None else self.callback_end.value,
            intent=self.intent,
            replies=self.replies,
            lines=self.lines,
            opted_out=self.opted_out,
            acknowledged_by=self.acknowledged_by,
            reached_by=self.reached_by,
        )

    def with_reply(self, body: str) -> Lead:
        """The lead with one more text from the person."""
        return replace(self, replies=(*self.replies, body)[-REPLIES_KEPT:], engaged=True)
