"""What is known of a call when it arrives, from the numbers that came with it and the policy in force."""

from __future__ import annotations

from datetime import datetime

from ari_app import numbering
from ari_app.calls.state import CallSetup
from ari_app.recovery.policy import Policy
from ari_app.runtime.facts import kind_of


def arrival(
    policy: Policy, call_id: str, *, number: str, dialled: str, at: datetime, name: str | None = None
) -> CallSetup:
    """number, dialled: as Asterisk has them. name: of the caller, already cleaned. at: when the call arrived."""
    party = numbering.classify(number, policy.region)
    canonical = numbering.canonical(dialled, policy.region)
    entry = policy.entry_for(canonical)
    return CallSetup(
        call_id=call_id,
        caller=party.number,
        kind=kind_of(party, policy),
        caller_name=name,
        dialled=canonical,
        entry=entry,
        is_open=entry is None or policy.offices[entry.office].hours.is_open(at),
        ring_seconds=policy.ring_seconds,
        first_ring_seconds=policy.first_ring_seconds,
        dropped_seconds=policy.dropped_seconds,
    )
