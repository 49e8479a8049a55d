"""What recording an event gives, and those who ask for it and hear of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ari_app.recovery.events import Event
from ari_app.recovery.machine import Step
from ari_app.recovery.values import LeadId
from ari_app.store.db import Database


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one event did."""

    seq: int
    event: Event
    lead_id: LeadId | None
    step: Step


Listener = Callable[[Recorded], None]


Record = Callable[[Event, LeadId | None], Recorded | None]
"""Records an event inside a transaction; None for one that is known."""
Transaction = Callable[[Database, Record], Sequence[Recorded | None]]
