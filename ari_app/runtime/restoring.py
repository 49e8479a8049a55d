"""Making a backup fit to be the books again. What happened since it was taken is lost, and must not be done twice.

Texts and callbacks that stood in the outbox may have gone out: they are in doubt. Plans that were open end with an alert. Who
said no since is kept, as far as the damaged file still tells. Calls of the lost time, once Asterisk's ledger has told of them,
are left to persons; where it cannot be told who said no, they are not texted for a month, and nor is whoever was texted in
the month before. No number that the lost books may have given to an event or a lead is given again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from ari_app.clock import Clock
from ari_app.recovery.events import BooksRestored, OptOutRecorded
from ari_app.recovery.intake import LEAD_LASTS
from ari_app.runtime.recorded import Record, Recorded
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.store import journal, lost_time, outbox, people
from ari_app.store.db import Database
from ari_app.store.lost_time import LostTime
from ari_app.store.salvage import Salvage
from ari_app.store.stores import InlineStore

EVENTS_A_SECOND, LEADS_A_SECOND = 1000, 10
"""More than any brokerage has; how far numbers leap when the damaged file does not say how far they had come."""
MARGIN = 1000
WHY = "the books are those of a backup: it may have been carried out since"
_AT_RISK = ("text", "callback")


@dataclass(frozen=True, slots=True)
class Restored:
    """doubtful: orders that may have been carried out. interrupted: leads whose plan was open. said_no: kept from the damaged
    file. barred: persons who get no text for a while, because they may have said no since.
    """

    doubtful: int
    interrupted: int
    said_no: int
    barred: int


def make_fit(
    path: Path, in_force: PolicyInForce, clock: Clock, taken_at: datetime, found: Salvage, *, has_ledger: bool
) -> Restored:
    """Bring the copy at ``path`` into the state that it may be started from. Raises StoreError.

    has_ledger: Asterisk's ledger will tell who called since; without one nobody can tell a caller of the lost time from
    another, and for as long as a text bars the next, everybody is left to persons.
    """
    at = clock.now()
    store = InlineStore(path)
    try:
        recorder = Recorder(store, clock, in_force)
        job = partial(_job, taken_at=taken_at, at=at, found=found, recorder=recorder, has_ledger=has_ledger)
        counts: list[Restored] = []
        asyncio.run(recorder.transact(lambda db, record: job(db, record, counts)))
    finally:
        store.close()
    return counts[0]


def _job(
    db: Database,
    record: Record,
    counts: list[Restored],
    *,
    taken_at: datetime,
    at: datetime,
    found: Salvage,
    recorder: Recorder,
    has_ledger: bool,
) -> list[Recorded | None]:
    policy = recorder.policy
    window = timedelta(seconds=policy.text_rules.window_seconds)
    doubtful = outbox.doubt_unbegun(db, _AT_RISK, at, WHY)
    until = at if has_ledger else at + window
    lost_time.put(db, LostTime(taken_at, until, unjudged=has_ledger, noes_known=found.complete))
    barred = _bar(db, taken_at, at, found, policy.offices)

    first = BooksRestored(at=at, source_id=f"restored:{at.isoformat()}", taken_at=taken_at)
    recorded = [record(first, None)]
    seconds = max(60, int((at - taken_at).total_seconds()))
    journal.leap(
        db,
        first.source_id,
        _leap(journal.last_seq(db), found.last_seq, seconds * EVENTS_A_SECOND),
        _leap(journal.last_lead(db), found.last_lead, seconds * LEADS_A_SECOND),
    )
    for number in found.said_no:
        source_id = f"restored:{at.isoformat()}:{number}"
        note = "found in the damaged books"
        recorded.append(
            record(OptOutRecorded(at=at, source_id=source_id, number=number, by="restore", note=note), None)
        )
    interrupted = journal.open_leads(db)
    for lead_id in interrupted:
        source_id = f"restored:{at.isoformat()}:{lead_id}"
        recorded.append(record(BooksRestored(at=at, source_id=source_id, taken_at=taken_at), lead_id))
    counts.append(Restored(doubtful, len(interrupted), len(found.said_no), barred))
    return recorded


def _bar(db: Database, taken_at: datetime, at: datetime, found: Salvage, offices: Iterable[str]) -> int:
    """Windows of texts that went out since; and, unless every no since is known, of all who may have said one. A no counts at
    every office. How many persons these are."""
    for number, office, until in found.barred:
        people.bar_texts(db, number, office, until, "restored")
    if found.complete:
        return 0
    texted = [
        *outbox.texted_since(db, taken_at - LEAD_LASTS),
        *((number, office) for number, office, _ in found.barred),
    ]
    numbers = dict.fromkeys(number for number, _ in texted)
    for number, office in (*texted, *itertools.product(numbers, offices)):
        people.bar_texts(db, number, office, at + LEAD_LASTS, "restored")
    return len(numbers)


def _leap(known: int, last: int | None, at_most: int) -> int:
    """How far the lost numbers may have come. What a damaged file says is believed within reason, and not to the last."""
    bound = known + at_most
    return bound if last is None or last > bound else min(bound, max(known, last) + MARGIN)
