"""The proof that nothing was lost: each inbound call in Asterisk's event log has exactly one outcome in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ari_app.calls.hindsight import ChannelEvent
from ari_app.calls.judging import Hindsight, Judged, channel_event
from ari_app.pbx.ledger import read_cel
from ari_app.recovery.policy import Policy
from ari_app.store import journal
from ari_app.store.db import Database


@dataclass(frozen=True, slots=True)
class Finding:
    """A call whose two accounts differ. why: a sentence."""

    call: Judged
    why: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """calls: inbound calls that began since then and are over. under_way: not over yet. late: learned of from the ledger."""

    calls: int
    under_way: int
    late: int
    findings: tuple[Finding, ...]
    unreadable: int


def audit(db: Database, cel: Path, since: datetime, hindsight: Hindsight, policy: Policy) -> AuditReport:
    """Compare the two books for all calls that began at ``since`` or later. Raises OSError."""
    calls: dict[str, list[ChannelEvent]] = {}
    unreadable = 0
    for path in _ledgers(cel, since):
        offset, more = 0, True
        while more:
            page = read_cel(path, offset)
            offset, more = page.offset, page.more
            unreadable += page.unreadable
            for row in page.rows:
                calls.setdefault(row.linkedid, []).append(channel_event(row))
    over, under_way = [], 0
    for call_id, events in calls.items():
        # A call that was cut off with Asterisk itself never says that it ends: then our outcome tells that it has.
        if any(event.kind == "LINKEDID_END" for event in events) or journal.verdict_of(db, call_id) is not None:
            over.append(events)
        else:
            under_way += hindsight.is_inbound(events[0]) and events[0].at >= since
    judged = (hindsight.judge(events, policy) for events in over)
    told = [found for found in judged if found is not None and found.started_at >= since]
    findings: list[Finding] = []
    late = 0
    for call in told:
        outcome = journal.verdict_of(db, call.setup.call_id)
        why = _difference(call, outcome)
        if why is not None:
            findings.append(Finding(call, why))
        late += outcome is not None and outcome.learned_later
    return AuditReport(len(told), under_way, late, tuple(findings), unreadable)


def _difference(call: Judged, outcome: journal.Outcome | None) -> str | None:
    """What is wrong between Asterisk's account and ours, if anything."""
    if outcome is None:
        return "no outcome in the journal"
    if call.answered_by is not None and not outcome.answered:
        return f"Asterisk joined the caller with phone {call.answered_by}; the journal says {outcome.verdict}"
    # Who lifts the phone counts as having answered; joining takes another moment, in which anything may die.
    if call.answered_by is None and outcome.answered and not call.picked_up:
        return f"the journal says {outcome.verdict}, answered; Asterisk saw no phone lifted"
    return None


def _ledgers(cel: Path, since: datetime) -> Iterator[Path]:
    """The ledger and what it was renamed to, oldest first, as far as written to since then."""
    files = [path for path in cel.parent.glob(f"{cel.name}*") if path.is_file()] if cel.parent.is_dir() else []
    times = {path: path.stat().st_mtime for path in files}
    yield from sorted((path for path in files if times[path] >= since.timestamp()), key=times.__getitem__)
