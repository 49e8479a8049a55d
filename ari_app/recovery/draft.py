"""A step in the making: the lead as it changes, and what the step orders and explains on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ari_app.recovery.copying import replace
from ari_app.recovery.effects import (
    AlertAgent,
    ArmTimer,
    CancelPending,
    Decision,
    DisarmTimer,
    Effect,
    PushLead,
    SetConsent,
    TakeTurn,
    WorldEffect,
)
from ari_app.recovery.events import Facts
from ari_app.recovery.gate import Allow, Hold, Ruling
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import EmailStep, Policy, PushStep
from ari_app.recovery.values import E164, AlertReason, Channel, ConsentState, EffectId, Progress, Stage


class PlanTimer(StrEnum):
    """What a plan waits for; one timer is armed at a time."""

    LISTEN = "listen"
    """The caller is heard out before the text."""
    LEAVE = "leave"
    """The caller has to be off the line before the callback."""
    TEXT_WAIT = "text_wait"
    CALL_WATCH = "call_watch"
    WAIT = "wait"


@dataclass(slots=True)
class Draft:
    """Everything that one step collects. seq: the event's number in the journal, from which effect ids are made."""

    lead: Lead
    seq: int
    at: datetime
    facts: Facts
    policy: Policy
    effects: list[Effect] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def order(self, effect: Effect) -> EffectId:
        """Add an effect; returns the id that it will have if it is one for the world."""
        worldly = sum(isinstance(before, WorldEffect) for before in self.effects)
        self.effects.append(effect)
        return EffectId(f"{self.seq}.{worldly}")

    def explain(self, action: str, outcome: str, rule: str, why: str) -> None:
        self.decisions.append(Decision(action=action, outcome=outcome, rule=rule, why=why))

    def explain_ruling(self, action: str, ruling: Ruling) -> None:
        """Note what the gate said."""
        outcome = "allowed" if isinstance(ruling, Allow) else "held" if isinstance(ruling, Hold) else "refused"
        self.explain(action, outcome, ruling.rule, ruling.why)

    def arm(self, kind: PlanTimer, after_seconds: float, since: datetime | None = None) -> None:
        """Arm the plan's timer ``after_seconds`` behind ``since`` (now, if None); never in the past."""
        self.disarm()
        due = (since or self.at) + timedelta(seconds=after_seconds)
        self.order(ArmTimer(kind=kind.value, due_at=max(due, self.at)))
        self.lead = replace(self.lead, timer=kind.value)

    def disarm(self) -> None:
        """Forget the plan's timer, if one is armed."""
        if self.lead.timer is not None:
            self.order(DisarmTimer(kind=self.lead.timer))
            self.lead = replace(self.lead, timer=None)

    def assign(self) -> None:
        """Give the lead the agent whose turn it is, if it has none and the group has any."""
        group, agent = self.lead.group, self.facts.agent
        if self.lead.agent is None and agent is not None and group is not None:
            self.lead = replace(self.lead, agent=agent)
            self.order(TakeTurn(group=group, agent=agent))

    def alert(self, reason: AlertReason, to: str = "agent") -> None:
        """Tell a person: the assigned agent, or a named agent or group; if that is nobody who has an address, the lead's whole
        group."""
        policy = self.policy
        agents: tuple[str, ...]
        if to in policy.agents:
            agents = (to,)
        elif to in policy.groups:
            agents = policy.groups[to].agents
        else:
            assigned = self.lead.agent  # may have left the settings since
            agents = (assigned,) if assigned is not None and assigned in policy.agents else ()
        group = self._group()
        # Where nobody has an address it is ordered all the same: it fails, and health shows it.
        agents = self._reachable(agents) or self._reachable(group) or agents or group
        if agents:
            self.order(AlertAgent(reason=reason, agents=agents, record=self.lead.record()))
        else:
            self.explain("alert", "skipped", "ESC-00", f"nobody is named to be told ({reason.value})")

    def alert_again(self, failed: AlertAgent) -> None:
        """An alert reached nobody: once more, to the rest of the group; to the same where there is no other, because it may have
        been the mail server (ESC-02)."""
        rest = tuple(agent for agent in self._group() if agent not in failed.agents)
        agents = self._reachable(rest) or self._reachable(failed.agents)
        whom = ", ".join(failed.agents)
        if failed.again or not agents:
            self.explain(
                "alert", "skipped", "ESC-02", f"{whom} could not be told ({failed.reason.value}), nor anybody else"
            )
            return
        self.explain("alert", "allowed", "ESC-02", f"{whom} could not be told ({failed.reason.value})")
        self.order(AlertAgent(reason=failed.reason, agents=agents, record=self.lead.record(), again=True))

    def _group(self) -> tuple[str, ...]:
        """The agents of the lead's group."""
        group = self.policy.groups.get(self.lead.group or "")
        return () if group is None else group.agents

    def _reachable(self, agents: tuple[str, ...]) -> tuple[str, ...]:
        """Those whom an alert can reach: one without an address would keep it from everybody."""
        known = self.policy.agents
        return tuple(agent for agent in agents if agent in known and known[agent].email is not None)

    def push(self) -> None:
        """Push the lead as it stands now."""
        self.lead = replace(self.lead, pushed=True)
        for target in self.policy.crm:
            self.order(PushLead(target=target, record=self.lead.record()))

    def push_again(self) -> None:
        """Push a change of a lead that the CRM already has."""
        if self.lead.pushed:
            self.push()

    def push_last(self) -> None:
        """Push a lead whose plan has ended early, if the plan would have pushed it."""
        if self.lead.pushed or any(isinstance(step, PushStep) for step in self.lead.plan):
            self.push()

    def set_consent(self, number: E164, state: ConsentState, source: str, *channels: Channel) -> None:
        for channel in channels:
            self.order(SetConsent(number=number, channel=channel, state=state, source=source))

    def take_back_held_text(self, by: str) -> None:
        """A person has taken the lead: a text that still waits for the morning would only disturb (ELG-07)."""
        if self.lead.text is Progress.PENDING and self.lead.stage is not Stage.TEXTING:
            why = f"{by} took the lead before the text was due"
            self.explain("text", "cancelled", "ELG-07", why)
            self.order(CancelPending(kinds=("text",), why=why))
            self.lead = replace(self.lead, text=Progress.CANCELLED)

    def stop_plan(self, why: str) -> None:
        """End the plan: take back what has not begun, forget the timers."""
        lead = self.lead
        if not lead.in_hand:
            if any(isinstance(step, EmailStep) for step in lead.plan):
                self.order(CancelPending(kinds=("email",), why=why))  # it may still wait for the mail server
            return
        self.order(CancelPending(kinds=("text", "callback", "email"), why=why))
        self.disarm()
        self.lead = replace(
            self.lead,
            stage=Stage.IDLE,
            cursor=len(lead.plan),
            text=Progress.CANCELLED if lead.text is Progress.PENDING else lead.text,
            callback=Progress.CANCELLED if lead.callback is Progress.PENDING else lead.callback,
        )
