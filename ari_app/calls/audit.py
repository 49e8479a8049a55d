"""The proof that nothing was lost: each inbound call in Asterisk's event log has exactly one outcome in the journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ari_app.calls.hindsight import ChannelEvent
from ari_app.calls.judging import Hindsight, Judged, channel_event
from ari_app.pbx.ledger import generations, is_compressed, read_cel
from ari_app.recovery.policy import Policy
from ari_app.store import journal
from ari_app.store.db import Database


@dataclass(frozen=True, slots=True)
class Finding:
    """A call whose two accounts differ. at: when it came, or was judged where only the journal knows it. why: a sentence."""

    call_id: str
    at: datetime
    caller: str
    dialled: str
    why: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """calls: inbound calls that began since then and are over. under_way: not over yet. late: learned of from the ledger.

    unreadable: lines of the ledger. begins_at: the first event that is left of it; None when there is none. unproved: calls of
    the journal that were judged since then, and before the ledger begins.
    """

    calls: int
    under_way: int
    late: int
    findings: tuple[Finding, ...]
    unreadable: int
    begins_at: datetime | None
    unproved: int

    @property
    def proves(self) -> bool:
        """Whether all calls are accounted for, and could be."""
        return not (self.findings or self.unreadable or self.unproved) and self.begins_at is not None


def audit(db: Database, cel: Path, since: datetime, hindsight: Hindsight, policy: Policy) -> AuditReport:
    """Compare the two books for all calls that began at ``since`` or later. Raises OSError."""
    journaled = journal.judged_since(
        db, since
    )  # before the ledger is read: a call that comes meanwhile is in both later
    begins_at = _begins_at(cel)
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
            findings.append(Finding(call.setup.call_id, call.started_at, call.number, call.setup.dialled, why))
        late += outcome is not None and outcome.learned_later
    older = [one for one in journaled if begins_at is None or one.at < begins_at]
    findings += [
        Finding(one.call_id, one.at, one.caller, one.dialled, "in the journal, and not in Asterisk's event log")
        for one in journaled
        if one.call_id not in calls and one not in older
    ]
    unproved = sum(one.call_id not in calls for one in older)
    return AuditReport(len(told), under_way, late, tuple(findings), unreadable, begins_at, unproved)


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
    for path in _readable(cel):
        if path.stat().st_mtime >= since.timestamp():
            yield path


def _begins_at(cel: Path) -> datetime | None:
    first = (page.rows[0].at for page in map(read_cel, _readable(cel)) if page.rows)
    return next(first, None)


def _readable(cel: Path) -> list[Path]:
    return [path for path in generations(cel) if not is_compressed(path)]
