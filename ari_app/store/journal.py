"""The journal: events as they came, append-only; and the leads, a cache that can be rebuilt from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from ari_app.recovery import codec
from ari_app.recovery.effects import Decision
from ari_app.recovery.events import Event, Facts
from ari_app.recovery.intake import Known
from ari_app.recovery.lead import Lead
from ari_app.recovery.values import E164, LeadId
from ari_app.store import bookmarks
from ari_app.store.rows import dump, instant, parse, stamp

_LEADS_TAKEN = "leads_taken"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the journal. lead_id: None for events of people who are no lead. policy: version in force."""

    seq: int
    lead_id: LeadId | None
    event: Event
    facts: Facts
    policy: str


def is_known(db: Database, source_id: str) -> bool:
    """Whether the event is in the journal already."""
    return db.execute("SELECT 1 FROM events WHERE source_id = ?", [source_id]).fetchone() is not None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the journal says of a call. answered: a person was reached. learned_later: it was caught up on."""

    verdict: str
    answered: bool
    learned_later: bool


def verdict_of(db: Database, call_id: str) -> Outcome | None:
    """The outcome of a call; None when there is none."""
    row = db.execute(
        "SELECT json_extract(body, '$.verdict'), json_extract(body, '$.talk_seconds') IS NOT NULL"
        " AND json_extract(body, '$.answered_by') IS NOT NULL, json_extract(body, '$.occurred_at') IS NOT NULL"
        " FROM events WHERE source_id = ?",
        [f"call:{call_id}"],
    ).fetchone()
    if row is None:
        return None
    return Outcome(str(row[0]), bool(row[1]) or is_known(db, f"answered:{call_id}"), bool(row[2]))


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """A call with an outcome. at: when that was due. caller: empty when it is not known."""

    call_id: str
    at: datetime
    caller: str
    dialled: str


def judged_since(db: Database, since: datetime) -> list[JudgedCall]:
    """The calls whose outcome was due at ``since`` or later."""
    rows = db.execute(
        "SELECT substr(source_id, 6), coalesce(json_extract(body, '$.occurred_at'), at) AS due,"
        " coalesce(json_extract(body, '$.caller'), ''), coalesce(json_extract(body, '$.dialled'), '')"
        " FROM events WHERE source_id >= 'call:' AND source_id < 'call;' AND at >= ? ORDER BY seq",
        [stamp(since)],  # nothing is recorded before it was due
    )
    found = [JudgedCall(call_id, instant(due), caller, dialled) for call_id, due, caller, dialled in rows]
    return [call for call in found if call.at >= since]


def answered_between(db: Database, caller: E164, after: datetime, until: datetime) -> str | None:
    """The phone at which the caller reached a person, of any office, after ``after`` and not later than ``until``."""
    rows = db.execute(
        "SELECT json_extract(body, '$.by'), coalesce(json_extract(body, '$.occurred_at'), at) FROM events"
        " WHERE type = 'CallAnswered' AND json_extract(body, '$.caller') = ? AND at > ? AND at <= ? ORDER BY at",
        [caller, stamp(after), stamp(until)],  # nothing is recorded before it happened
    )
    # A talk that we learned of later may have been before. Compared as times: the body writes them otherwise than stamps.
    return next((str(by) for by, at in rows if after < instant(at) <= until), None)


def append(db: Database, event: Event, facts: Facts, policy: str, lead_id: LeadId | None) -> int:
    """Add an event that is not known; returns its number."""
    cursor = db.execute(
        "INSERT INTO events (lead_id, source_id, type, version, at, policy, body, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            lead_id,
            event.source_id,
            type(event).__name__,
            codec.FORMAT,
            stamp(event.at),
            policy,
            dump(event),
            dump(facts),
        ],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def explain(db: Database, seq: int, lead_id: LeadId | None, decisions: tuple[Decision, ...]) -> None:
    """Keep the reasons for what the event led to."""
    for n, decision in enumerate(decisions):
        db.execute(
            "INSERT INTO decisions (seq, n, lead_id, action, outcome, rule, why) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [seq, n, lead_id, decision.action, decision.outcome, decision.rule, decision.why],
        )


def add_lead(db: Database, office: str, number: E164 | None, at: datetime) -> LeadId:
    """A new lead's id; ``save`` fills it in."""
    cursor = db.execute(
        "INSERT INTO leads (id, number, office, stage, opened_at, touched_at, body)"
        " SELECT max(coalesce((SELECT max(id) FROM leads), 0),"
        "   coalesce((SELECT CAST(value AS INTEGER) FROM bookmarks WHERE name = ?), 0)) + 1, ?, ?, '', ?, ?, ''",
        [_LEADS_TAKEN, number, office, stamp(at), stamp(at)],
    )
    assert cursor.lastrowid is not None
    return LeadId(cursor.lastrowid)


def leap(db: Database, source_id: str, seq: int, lead_id: int) -> None:
    """Give the event a number behind ``seq``, and let no new lead have an id up to ``lead_id``.

    For books that were restored: what was made of the numbers that are lost, ids of effects and leads at CRMs and mail
    servers among them, must not be made a second time of others.
    """
    db.execute("UPDATE events SET seq = max(seq, ?) WHERE source_id = ?", [seq + 1, source_id])
    bookmarks.put(db, _LEADS_TAKEN, str(lead_id))


def last_seq(db: Database) -> int:
    """The number of the newest event; 0 when there is none."""
    return int(db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def last_lead(db: Database) -> int:
    """The id of the newest lead; 0 when there is none."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM leads").fetchone()[0])


def open_leads(db: Database) -> list[LeadId]:
    """Leads whose plan is not over, or that wait for an order of theirs."""
    query = (
        "SELECT id FROM leads INDEXED BY leads_open WHERE stage <> 'idle'"
        " UNION SELECT lead_id FROM outbox WHERE status IN ('todo', 'doing') AND lead_id IS NOT NULL"
        " AND kind IN ('text', 'callback') ORDER BY 1"
    )
    return [LeadId(row[0]) for row in db.execute(query).fetchall()]


def save(db: Database, lead: Lead, at: datetime) -> None:
    """Keep the snapshot."""
    db.execute(
        "UPDATE leads SET stage = ?, touched_at = ?, body = ? WHERE id = ?",
        [lead.stage.value, stamp(at), dump(lead), lead.lead_id],
    )


def lead(db: Database, lead_id: LeadId) -> Lead | None:
    """The lead's snapshot."""
    row = db.execute("SELECT body FROM leads WHERE id = ?", [lead_id]).fetchone()
    return None if row is None else _lead(row[0])


def newest_lead(db: Database, number: E164, office: str | None) -> Known | None:
    """The person's newest lead, at one office or (None) at any."""
    where, values = ("", [number]) if office is None else ("AND office = ?", [number, office])
    row = db.execute(
        f"SELECT body, touched_at FROM leads WHERE number = ? {where} ORDER BY id DESC LIMIT 1",  # noqa: S608
        values,
    ).fetchone()
    return None if row is None else Known(_lead(row[0]), instant(row[1]))


def leads_of(db: Database, number: E164) -> list[Lead]:
    """The person's leads, at all offices."""
    return [_lead(row[0]) for row in db.execute("SELECT body FROM leads WHERE number = ? ORDER BY id", [number])]


def lead_of(db: Database, source_id: str) -> LeadId | None:
    """The lead that an event belongs to; None when it has none or is not known."""
    row = db.execute("SELECT lead_id FROM events WHERE source_id = ?", [source_id]).fetchone()
    return None if row is None or row[0] is None else LeadId(row[0])


def entries(db: Database, lead_id: LeadId | None = None, after: int = 0) -> Iterator[Entry]:
    """Events with a number above ``after``, in order: one lead's, or (None) all.

    Raises DecodeError for what a later release wrote.
    """
    where, values = ("", [after]) if lead_id is None else ("AND lead_id = ?", [after, lead_id])
    query = f"SELECT seq, lead_id, version, policy, body, facts FROM events WHERE seq > ? {where} ORDER BY seq"  # noqa: S608
    for seq, of_lead, version, policy, body, facts in db.execute(query, values):
        codec.require_format(version)
        yield Entry(
            seq=seq,
            lead_id=None if of_lead is None else LeadId(of_lead),
            event=codec.decode(Event, parse(body)),
            facts=codec.decode(Facts, parse(facts)),
            policy=policy,
        )


def decisions(db: Database, lead_id: LeadId) -> dict[int, list[Decision]]:
    """The reasons that were kept, by event."""
    found: dict[int, list[Decision]] = {}
    query = (
        "SELECT d.seq, action, outcome, rule, why FROM events AS e JOIN decisions AS d ON d.seq = e.seq"
        " WHERE e.lead_id = ? ORDER BY e.seq, n"
    )
    for seq, action, outcome, rule, why in db.execute(query, [lead_id]):
        found.setdefault(seq, []).append(Decision(action=action, outcome=outcome, rule=rule, why=why))
    return found


def keep_policy(db: Database, version: str, settings: str, at: datetime) -> None:
    """Keep the settings that a policy was built from, so that the journal can be replayed."""
    db.execute(
        "INSERT INTO policies (version, at, settings) VALUES (?, ?, ?) ON CONFLICT (version) DO NOTHING",
        [version, stamp(at), settings],
    )


def policy_settings(db: Database, version: str) -> str | None:
    """The settings behind a policy version, as JSON text."""
    row = db.execute("SELECT settings FROM policies WHERE version = ?", [version]).fetchone()
    return None if row is None else str(row[0])


def last_settings(db: Database) -> str | None:
    """The settings that the newest event was decided by, as JSON text."""
    query = "SELECT p.settings FROM events AS e JOIN policies AS p ON p.version = e.policy ORDER BY e.seq DESC LIMIT 1"
    row = db.execute(query).fetchone()
    return None if row is None else str(row[0])


def _lead(body: str) -> Lead:
    found: Any = codec.decode(Lead, parse(body))
    assert isinstance(found, Lead)
    return found
