"""Rebuilding a lead from the journal: the proof that the snapshot is a cache and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from sqlite_utils import Database

from ari_app.recovery import intake, machine
from ari_app.recovery.events import CallMissed, Event, TextReceived
from ari_app.recovery.lead import Lead
from ari_app.recovery.machine import Step
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import LeadId
from ari_app.store import journal


@dataclass(frozen=True, slots=True)
class Replay:
    """A lead's events with what each led to. difference: the first field that differs from the snapshot; None if none."""

    steps: tuple[tuple[Event, Step], ...]
    lead: Lead | None
    difference: str | None

    @property
    def agrees(self) -> bool:
        return self.difference is None


def rebuild(db: Database, lead_id: LeadId, policy_of: Callable[[str], Policy]) -> Replay:
    """Step through a lead's events with the policy that was in force at each."""
    lead: Lead | None = None
    steps: list[tuple[Event, Step]] = []
    for entry in journal.entries(db, lead_id):
        policy = policy_of(entry.policy)
        if lead is None:
            assert isinstance(entry.event, CallMissed | TextReceived)
            lead = intake.new_lead(lead_id, entry.event, policy, entry.facts)
        step = machine.step(lead, entry.event, entry.facts, policy, entry.seq)
        lead = step.lead
        steps.append((entry.event, step))
    return Replay(tuple(steps), lead, _difference(lead, journal.lead(db, lead_id)))


def _difference(rebuilt: Lead | None, stored: Lead | None) -> str | None:
    if rebuilt is None or stored is None:
        return None if rebuilt is stored else "the lead itself"
    for field in fields(Lead):
        mine, theirs = getattr(rebuilt, field.name), getattr(stored, field.name)
        if mine != theirs:
            return f"{field.name}: {mine!r} from the journal, {theirs!r} in the snapshot"
    return None
