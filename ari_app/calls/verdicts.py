"""The verdict as the journal is told it: one event for one call, however the call was seen (inline or watched)."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from ari_app.calls.state import CallSetup
from ari_app.recovery.events import CallClosed, CallMissed
from ari_app.recovery.values import E164, NumberKind, Verdict


class InboundFields(TypedDict):
    """The fields that all events of one inbound call share."""

    at: datetime
    call_id: str
    caller: E164 | None
    kind: NumberKind
    dialled: str
    office: str | None
    entry: str | None


def inbound_fields(setup: CallSetup, at: datetime) -> InboundFields:
    """What every event of this call says."""
    entry = setup.entry
    return {
        "at": at,
        "call_id": setup.call_id,
        "caller": setup.caller,
        "kind": setup.kind,
        "dialled": setup.dialled,
        "office": None if entry is None else entry.office,
        "entry": None if entry is None else entry.key,
    }


def verdict_event(
    setup: CallSetup,
    verdict: Verdict,
    at: datetime,
    *,
    rings: int,
    ring_seconds: float,
    on_line: bool,
    talk_seconds: float = 0.0,
    by: str | None = None,
    occurred_at: datetime | None = None,
    reached_since: str | None = None,
) -> CallMissed | CallClosed:
    """A miss that counts and starts a plan, or a call that is closed. on_line: the caller will be there for a while yet.

    occurred_at, reached_since: for a call that we learned of later, see the events.
    """
    entry = setup.entry
    early = entry is not None and verdict is Verdict.ABANDONED and rings < entry.abandoned_rings
    counts = entry is not None and (verdict in entry.counts or verdict is Verdict.UNKNOWN)
    if entry is None or not counts or early:
        return CallClosed(
            **inbound_fields(setup, at),
            source_id=f"call:{setup.call_id}",
            verdict=verdict,
            rings=rings,
            ring_seconds=ring_seconds,
            talk_seconds=round(talk_seconds, 3),
            answered_by=by,
            occurred_at=occurred_at,
        )
    return CallMissed(
        **inbound_fields(setup, at),
        source_id=f"call:{setup.call_id}",
        verdict=verdict,
        rings=rings,
        ring_seconds=ring_seconds,
        on_line=on_line,
        plan=entry.plan if setup.is_open else entry.after_hours_plan,
        source=entry.source,
        listing=entry.listing,
        caller_name=setup.caller_name,
        occurred_at=occurred_at,
        reached_since=reached_since,
    )
