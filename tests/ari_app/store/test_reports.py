"""The journal, the snapshots, and what people ask of the books."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from ari_app.recovery.policy import Policy
from ari_app.recovery.values import E164, Channel, LeadId, Stage, e164
from ari_app.runtime.outcome import Done, Failed
from ari_app.store import journal, outbox, people, receipts, reports, timers
from ari_app.store.replay import rebuild
from tests.support.books import CALLER, NOON, Books, known, missed, texted

MINUTE = timedelta(minutes=1)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.close()


async def told(books: Books, lead_id: int) -> tuple[list[str], str | None]:
    """The names of a lead's events, and where a replay differs from the snapshot."""

    def job(db: Database) -> tuple[list[str], str | None]:
        def policy(version: str) -> Policy:
            assert version == books.policy.version
            return books.policy

        replay = rebuild(db, LeadId(lead_id), policy)
        assert replay.agrees is (replay.difference is None)
        return [type(event).__name__ for event, _ in replay.steps], replay.difference

    return await books.store.read(job)


async def test_an_event_is_recorded_once_by_its_source(books: Books) -> None:
    first = await books.recorder.record(missed())
    again = await books.recorder.record(missed(at=NOON + MINUTE))
    assert first is not None
    assert again is None
    entries = await books.store.read(lambda db: list(journal.entries(db)))
    assert [entry.event for entry in entries] == [missed()]
    assert entries[0].policy == books.policy.version
    assert await books.store.read(lambda db: list(journal.entries(db, after=1))) == []
    assert len(await books.orders("text")) == 1


async def test_a_replay_of_the_journal_leads_to_the_lead_as_it_stands(books: Books) -> None:
    await books.miss()
    lead = await books.lead_id()
    await books.settle("text", Done("a1", gateway="sms", message_ids=("a1",)))
    await books.settle("callback", Failed("nobody"))
    await books.settle("alert", Done())
    await books.settle("push", Done())
    await books.record(texted("I want to sell", at=NOON + MINUTE))
    names, difference = await told(books, lead)
    assert difference is None
    assert names[0] == "CallMissed"
    assert names[-1] == "TextReceived"
    assert names.count("EffectSettled") >= 3


async def test_a_replay_names_what_differs(books: Books) -> None:
    await books.miss()
    lead = await books.lead_id()

    def meddle(db: Database) -> None:
        found = journal.lead(db, lead)
        assert found is not None
        journal.save(db, replace(found, misses=5), NOON)

    await books.store.write(meddle)
    assert (await told(books, lead))[1] == "misses: 1 from the journal, 5 in the snapshot"


async def test_a_replay_of_nobody_tells_nothing(books: Books) -> None:
    assert await told(books, 99) == ([], None)


async def test_a_lead_without_its_journal_is_told_as_such(books: Books) -> None:
    await books.store.write(lambda db: journal.add_lead(db, "miami", CALLER, NOON))
    await books.miss("call-2", e164("+13055550143"))
    lead = await books.lead_id()

    def meddle(db: Database) -> None:
        body = db.table("leads").get(lead)["body"]
        db.execute("UPDATE leads SET body = ? WHERE id = 1", [body.replace(f'"lead_id":{lead}', '"lead_id":1')])

    await books.store.write(meddle)
    assert await told(books, 1) == ([], "the lead itself")


async def test_the_settings_behind_a_policy_are_kept_once(books: Books) -> None:
    await books.miss()
    await books.miss("call-2")
    version = books.policy.version
    kept = await books.store.read(lambda db: journal.policy_settings(db, version))
    assert kept == books.settings.document.model_dump_json(exclude_unset=True)
    assert await books.store.read(lambda db: journal.policy_settings(db, "another")) is None
    assert await books.store.read(lambda db: db.table("policies").count) == 1


async def test_the_newest_lead_of_a_person_is_found_at_one_office_or_at_any(books: Books) -> None:
    await books.miss()
    await books.miss("call-2", dialled="+13055550109", office="keys", entry="13055550109", plan="brief")

    def look(db: Database) -> list[tuple[int, str] | None]:
        found = [journal.newest_lead(db, CALLER, office) for office in ("miami", "keys", None, "nowhere")]
        return [None if one is None else (one.lead.lead_id, one.lead.office) for one in found]

    assert await books.store.read(look) == [(1, "miami"), (2, "keys"), (2, "keys"), None]


async def test_the_reasons_of_a_lead_stand_by_their_events(books: Books) -> None:
    await books.miss()
    lead = await books.lead_id()
    reasons = await books.store.read(lambda db: journal.decisions(db, lead))
    assert list(reasons) == [1]
    assert {decision.action for decision in reasons[1]} >= {"text"}
    assert await books.store.read(lambda db: journal.lead_of(db, "call:call-1")) == lead
    assert await books.store.read(lambda db: journal.lead_of(db, "call:unknown")) is None


# ------------------------------------------------------------------------------------------------------- ten thousand
LEADS = 10_000


@pytest.fixture
async def many(books: Books) -> Books:
    """Ten thousand leads; every tenth still has something planned, every thousandth is the same caller's."""
    await books.miss()
    model = await books.store.read(lambda db: journal.lead(db, LeadId(1)))
    assert model is not None

    def fill(db: Database) -> None:
        for n in range(2, LEADS + 1):
            at = NOON + timedelta(seconds=n)
            number = CALLER if n % 1000 == 0 else E164(f"+1305{5000000 + n}")
            lead = journal.add_lead(db, "miami", number, at)
            stage = Stage.WAITING if n % 10 == 0 else Stage.IDLE
            journal.save(db, replace(model, lead_id=lead, number=number, stage=stage), at)

    await books.store.write(fill)
    return books


async def test_a_list_of_leads_is_the_newest_first_however_many_there_are(many: Books) -> None:
    rows = await many.store.read(lambda db: reports.leads(db, limit=30))
    assert [row.lead.lead_id for row in rows] == list(range(LEADS, LEADS - 30, -1))
    assert rows[0].touched_at == NOON + timedelta(seconds=LEADS)
    rows = await many.store.read(lambda db: reports.leads(db, limit=LEADS, number=CALLER))
    assert [row.lead.lead_id for row in rows] == [*range(LEADS, 0, -1000), 1]
    rows = await many.store.read(lambda db: reports.leads(db, limit=5, open_only=True))
    assert [row.lead.lead_id for row in rows] == [10_000, 9_990, 9_980, 9_970, 9_960]
    rows = await many.store.read(lambda db: reports.leads(db, limit=5, number=CALLER, open_only=True))
    assert [row.lead.lead_id for row in rows] == [10_000, 9_000, 8_000, 7_000, 6_000]


async def test_no_question_about_one_person_lead_or_moment_reads_a_whole_table(
    many: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Any]] = []

    def ask(db: Database) -> list[str]:
        lead, day = LeadId(5), NOON - timedelta(days=1)
        monkeypatch.delattr(db, "execute")  # sqlite_utils' own has the tracer
        with db.tracer(lambda sql, values: asked.append((sql, values))):
            reports.leads(db, limit=30)
            reports.leads(db, limit=30, number=CALLER)
            reports.orders(db, lead)
            journal.newest_lead(db, CALLER, "miami")
            journal.newest_lead(db, CALLER, None)
            journal.lead(db, lead)
            journal.lead_of(db, "call:x")
            journal.answered_between(db, CALLER, day, NOON)
            journal.leads_of(db, CALLER)
            journal.decisions(db, lead)
            list(journal.entries(db, lead))
            outbox.claim(db, "text", NOON, NOON, 10)
            outbox.next_todo(db, "text")
            outbox.depths(db)
            outbox.in_doubt(db)
            outbox.unfinished(db)
            outbox.of_lead(db, lead)
            known(db, office="miami", group="front", alike="+1305555", since=day)
            outbox.cancel(db, lead, ["text"], NOON, "")
            timers.due(db, NOON, 10)
            timers.next_due(db, [3])
            timers.disarm(db, lead, "escalate")
            people.consent(db, CALLER, Channel.TEXT)
            receipts.note(db, "sms", ["a"], CALLER, "delivered", delivered_as="delivered")
            receipts.parked(db, "sms", ["a"], CALLER)
        whole = re.compile(r"SCAN \w+$")
        plans = {sql: db.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall() for sql, values in asked}
        return [f"{row[3]}: {sql}" for sql, plan in plans.items() for row in plan if whole.match(str(row[3]))]

    scans = await many.store.write(ask)
    assert len(asked) > 20
    newest = [scan for scan in scans if scan.startswith("SCAN leads: SELECT body")]
    scans = [scan for scan in scans if not scan.startswith("SCAN ordered:")]  # counts: one row
    assert scans == newest, "only the newest leads are read from the end of their table"
    assert len(newest) == 1
    assert "ORDER BY id DESC LIMIT" in newest[0]


async def test_one_lead_is_shown_with_its_orders_only(many: Books) -> None:
    await many.settle("text", Done("a1"))
    rows = await many.store.read(lambda db: reports.orders(db, LeadId(1)))
    assert [(row.kind, row.status, row.ref) for row in rows][:1] == [("text", "done", "a1")]
    assert rows[0].settled_at == NOON
    assert all(row.settled_at is None for row in rows[1:])
    assert await many.store.read(lambda db: reports.orders(db, LeadId(2))) == []
