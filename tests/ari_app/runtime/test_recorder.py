"""One event, one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database
from structlog.testing import capture_logs

from ari_app.errors import StoreDamagedError, StoreUnavailableError
from ari_app.recovery.commands import Declined, Resend
from ari_app.recovery.effects import SendText
from ari_app.recovery.events import (
    CallAnswered,
    EffectSettled,
    LeadAcknowledged,
    LeadClosed,
    OptOutRecorded,
    OrderResent,
)
from ari_app.recovery.lead import Lead
from ari_app.recovery.values import Channel, ConsentState, EffectId, LeadId, NumberKind, Progress, Stage, e164
from ari_app.runtime.asking import ask, refusal
from ari_app.runtime.outcome import Done, Failed, InDoubt, RetryAt
from ari_app.runtime.recorded import Record, Recorded
from ari_app.store import journal, people, replay
from ari_app.store.db import connect
from tests.ari_app.runtime.world import Core, World, play
from tests.support import office
from tests.support.books import CALLER, DIALLED, NOON, Books, StandingClock, missed, texted

NIGHT = NOON + timedelta(hours=11)
"""23:00 in Miami: texts wait for the morning."""


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.close()


async def counts(books: Books) -> dict[str, int]:
    tables = ("events", "leads", "timers", "outbox", "decisions", "text_windows", "policies")

    def job(db: Database) -> dict[str, int]:
        return {table: db.table(table).count for table in tables}

    return await books.store.read(job)


# ---------------------------------------------------------------------------------------------------- all or nothing
async def test_an_event_and_all_that_follows_stand_in_the_books_together(books: Books) -> None:
    recorded = await books.miss()
    assert (recorded.seq, recorded.lead_id) == (1, 1)
    found = await counts(books)
    assert found["events"] == found["leads"] == found["policies"] == found["text_windows"] == 1
    assert found["timers"] >= 1
    assert found["outbox"] >= 1
    assert found["decisions"] >= 1
    assert (await books.orders("text"))[0].effect_id == "1.0"


async def test_a_defect_half_way_leaves_nothing_of_the_event(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "save", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        await books.recorder.record(missed())
    assert set((await counts(books)).values()) == {0}
    monkeypatch.undo()
    await books.miss()


async def test_a_disk_that_is_full_at_the_very_first_event_spoils_none_of_those_after_it(books: Books) -> None:
    def limit(pages: int) -> None:
        books.store._db.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

    limit(1)
    with pytest.raises(StoreUnavailableError, match="make room"):
        await books.recorder.record(missed(caller_name="x" * 9000))
    assert books.recorder.healthy is False
    limit(100_000)
    await books.miss()
    assert books.recorder.healthy is True
    assert (await counts(books))["policies"] == 1


async def test_damage_makes_the_recorder_unhealthy_too(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> None:
        raise StoreDamagedError("books.db", "malformed")

    monkeypatch.setattr(journal, "append", damaged)
    with pytest.raises(StoreDamagedError):
        await books.recorder.record(missed())
    assert books.recorder.healthy is False


async def test_several_events_of_one_transaction_stand_or_fall_together(books: Books) -> None:
    def both(db: Database, record: Record) -> list[Recorded | None]:
        found = [record(missed("call-1"), None), record(missed("call-1"), None)]
        assert found[1] is None, "the second is the same event again"
        return found

    told: list[int] = []
    books.recorder.listen(lambda recorded: told.append(recorded.seq))
    assert [one.seq for one in await books.recorder.transact(both)] == [1]
    assert told == [1]

    def torn(db: Database, record: Record) -> list[Recorded | None]:
        record(missed("call-2"), None)
        raise ValueError("the other half")

    with pytest.raises(ValueError, match="the other half"):
        await books.recorder.transact(torn)
    assert (await counts(books))["events"] == 1
    assert told == [1]


async def test_a_listener_that_breaks_is_told_and_takes_nothing_from_the_others_nor_from_the_event(
    books: Books,
) -> None:
    told: list[int] = []

    def breaks(recorded: Recorded) -> None:
        raise ZeroDivisionError(recorded.seq)

    books.recorder.listen(breaks)
    books.recorder.listen(lambda recorded: told.append(recorded.seq))
    with capture_logs() as logs:
        await books.miss()
    assert told == [1]
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["listener_defect"]


# ----------------------------------------------------------------------------------------------------------- insisting
def test_an_event_that_nobody_would_bring_again_is_tried_until_the_store_takes_it(tmp_path: Path) -> None:
    async def main() -> None:
        core = Core(tmp_path)
        core.store.failing = True

        async def mend() -> None:
            await core.pass_time(30)
            core.store.failing = False

        async with asyncio.TaskGroup() as group:
            group.create_task(mend())
            recorded = await core.recorder.insist(missed(at=core.clock.now()))
        assert recorded is not None
        assert 5 < core.store.refused < 15, "0.2 s, doubling, 5 s at most"
        assert await core.recorder.insist(missed(at=core.clock.now())) is None

    play(main)


async def test_an_event_of_a_lead_that_is_broken_is_told_and_keeps_no_other_call_back(books: Books) -> None:
    broken = await books.miss("call-1")
    await books.store.write(
        lambda db: db.execute("""UPDATE leads SET body = '{"type": "Lead", "colour": "red"}'""").rowcount
    )
    with capture_logs() as logs:
        assert await books.recorder.insist(missed("call-2")) is None
        recorded = await books.recorder.insist(missed("call-3", e164("+13055550143")))
    assert [entry["source_id"] for entry in logs if entry["event"] == "event_defect"] == ["call:call-2"]
    assert recorded is not None
    assert recorded.lead_id != broken.lead_id
    assert books.recorder.healthy


async def test_damage_is_no_trouble_of_one_event(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> None:
        raise StoreDamagedError("books.db", "malformed")

    monkeypatch.setattr(journal, "append", damaged)
    with pytest.raises(StoreDamagedError):
        await books.recorder.insist(missed())


# ---------------------------------------------------------------------------------------------------------- out of order
@pytest.mark.parametrize(
    ("answered_after", "office", "texted"),
    [
        pytest.param(23, "miami", False, id="the caller has reached a person meanwhile"),
        pytest.param(0, "miami", True, id="the caller had spoken with a person before"),
        pytest.param(3600, "miami", True, id="a clock that was put back wrote a time that is still to come"),
        pytest.param(23, "keys", False, id="the caller has reached another office meanwhile"),
    ],
)
async def test_a_miss_that_the_store_took_late_knows_who_was_spoken_with_since(
    books: Books, answered_after: int, office: str, texted: bool
) -> None:
    assert isinstance(books.clock, StandingClock)
    books.clock.at = NOON + timedelta(seconds=60)
    await books.record(answered("call-2", NOON + timedelta(seconds=answered_after), office=office))
    recorded = await books.record(missed("call-1", at=NOON))
    assert [order.kind for order in await books.orders("text")] == ["text"] * texted
    assert ("AGE-03" in [decision.rule for decision in recorded.step.decisions]) is not texted


@pytest.mark.parametrize(
    ("answered_at", "left_alone"),
    [
        pytest.param(NOON - timedelta(minutes=3), False, id="the talk was before the miss"),
        pytest.param(NOON - timedelta(microseconds=1), False, id="the talk was just before the miss"),
        pytest.param(NOON, False, id="the talk was at the very time of the miss"),
        pytest.param(NOON + timedelta(microseconds=1), True, id="the talk was just after the miss"),
        pytest.param(NOON + timedelta(minutes=1), True, id="the talk was after the miss"),
        pytest.param(NOON + timedelta(hours=1), False, id="a clock that was put back wrote a time that is to come"),
    ],
)
async def test_of_a_talk_that_was_learned_of_later_counts_when_it_was(
    books: Books, answered_at: datetime, left_alone: bool
) -> None:
    assert isinstance(books.clock, StandingClock)
    books.clock.at = now = NOON + timedelta(minutes=3)
    await books.record(replace(answered("call-1", now), occurred_at=answered_at))
    recorded = await books.record(replace(missed("call-2", at=now), occurred_at=NOON))
    assert ("AGE-03" in [decision.rule for decision in recorded.step.decisions]) is left_alone
    assert [order.kind for order in await books.orders("text")] == ["text"] * (not left_alone)


def answered(call_id: str, at: datetime, office: str = "miami") -> CallAnswered:
    return CallAnswered(
        at=at,
        source_id=f"answered:{call_id}",
        call_id=call_id,
        caller=CALLER,
        kind=NumberKind.ORDINARY,
        dialled=DIALLED,
        office=office,
        entry="_1305555010X",
        by="101",
    )


async def test_whoever_reaches_one_office_is_left_alone_by_the_others_in_the_same_transaction(books: Books) -> None:
    assert isinstance(books.clock, StandingClock)
    books.clock.at = NIGHT
    missed_there = await books.miss("call-1")
    other = await books.miss("call-2", e164("+13055550143"))
    told: list[Recorded] = []
    books.recorder.listen(told.append)
    await books.record(answered("call-3", NIGHT + timedelta(hours=1), office="keys"))
    assert [(one.event.source_id, one.lead_id) for one in told] == [
        ("answered:call-3", None),
        ("answered:call-3:lead:1", missed_there.lead_id),
    ]
    assert [order.status for order in await books.orders("text")] == ["cancelled", "todo"]
    lead = await books.lead(1)
    assert getattr(lead, "reached_by", None) == "101"
    assert getattr(await books.lead(other.lead_id or 0), "reached_by", "") is None

    def rebuilt(db: Database) -> bool:
        return replay.rebuild(db, LeadId(1), lambda _: books.policy).agrees

    assert await books.store.read(rebuilt)
    assert await books.recorder.record(answered("call-3", NIGHT + timedelta(hours=2), office="keys")) is None
    assert (await counts(books))["events"] == 4


async def test_a_text_in_doubt_of_one_office_is_not_sent_again_to_a_caller_whom_another_has_answered(
    books: Books,
) -> None:
    await books.miss(plan="brief")
    await books.settle("text", InDoubt("no answer"))
    assert getattr(await books.lead(1), "stage", None) is Stage.IDLE
    for n in (2, 3):
        await books.record(answered(f"call-{n}", NOON + timedelta(seconds=n), office="keys"))
    declined = await ask(books.recorder, books.clock, Resend(EffectId("1.0"), "ana"), "r1")
    assert isinstance(declined, Declined)
    assert "has reached a person since (101)" in declined.why
    assert (await counts(books))["events"] == 5, "a lead that knows is not told again"


@pytest.mark.parametrize("office", ["miami", "keys"])
async def test_a_talk_of_before_the_miss_that_is_learned_of_later_takes_nothing_back(books: Books, office: str) -> None:
    assert isinstance(books.clock, StandingClock)
    books.clock.at = NIGHT
    await books.miss("call-1")
    event = answered("call-0", NIGHT + timedelta(minutes=5), office=office)
    await books.record(replace(event, occurred_at=NIGHT - timedelta(minutes=5)))
    assert [order.status for order in await books.orders("text")] == ["todo"]
    assert getattr(await books.lead(1), "reached_by", "") is None


@pytest.mark.parametrize("office", ["miami", "keys"])
@pytest.mark.parametrize("ago", [None, timedelta(minutes=1)], ids=["seen", "learned of later"])
async def test_an_answer_counts_though_the_clock_was_put_back_to_before_the_miss(
    books: Books, office: str, ago: timedelta | None
) -> None:
    assert isinstance(books.clock, StandingClock)
    books.clock.at = NIGHT
    await books.miss("call-1")
    books.clock.at = now = NIGHT - timedelta(hours=1)
    event = answered("call-2", now, office=office)
    await books.record(replace(event, occurred_at=None if ago is None else now - ago))
    assert [order.status for order in await books.orders("text")] == ["cancelled"]


# ------------------------------------------------------------------------------------------------------------- policy
async def test_each_event_names_the_policy_that_it_was_decided_by_and_the_books_keep_both(
    books: Books, tmp_path: Path
) -> None:
    first = books.policy.version
    await books.miss("call-1")
    (tmp_path / "later").mkdir()
    changed = office.settings(tmp_path / "later", ("sorry[ {name}] we missed", "we are sorry to have missed"))
    books.in_force.swap(changed.policy, changed.document.model_dump_json(exclude_unset=True))
    await books.miss("call-2", e164("+13055550143"))
    entries = await books.store.read(lambda db: list(journal.entries(db)))
    assert [entry.policy for entry in entries] == [first, changed.policy.version]
    assert first != changed.policy.version
    texts = [order.effect for order in await books.orders("text")]
    assert ["we are sorry to have missed" in text.body for text in texts if isinstance(text, SendText)] == [False, True]
    kept = await books.store.read(lambda db: journal.policy_settings(db, changed.policy.version))
    assert kept is not None
    assert "we are sorry to have missed" in kept


async def test_a_reload_in_the_middle_of_an_event_mixes_no_two_policies(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "later").mkdir()
    changed = office.settings(tmp_path / "later", ("hold}", "send}"))
    keep = journal.keep_policy
    before = books.in_force.current

    def swap_meanwhile(db: Database, version: str, settings: str, at: object) -> None:
        books.in_force.swap(changed.policy, "the new settings")
        keep(db, version, settings, NOON)

    monkeypatch.setattr(journal, "keep_policy", swap_meanwhile)
    await books.miss()
    kept = await books.store.read(lambda db: {row["version"]: row["settings"] for row in db.table("policies").rows})
    assert kept == {before[0].version: before[1]}
    assert books.recorder.policy is changed.policy


# ------------------------------------------------------------------------------------------------------ whose lead is it
async def test_a_person_who_calls_again_is_the_same_lead_and_gets_no_second_text(books: Books) -> None:
    await books.miss("call-1")
    await books.settle("text", Done("a1"))
    await books.miss("call-2")
    assert len(await books.orders("text")) == 1
    assert (await counts(books))["leads"] == 1


async def test_a_person_who_calls_after_a_month_is_a_new_lead(books: Books) -> None:
    assert isinstance(books.clock, StandingClock)
    await books.miss("call-1")
    books.clock.at += timedelta(days=31)
    await books.miss("call-2")
    assert (await counts(books))["leads"] == 2


async def test_a_caller_without_a_number_is_recorded_and_is_no_lead(books: Books) -> None:
    recorded = await books.miss(caller=None)
    assert recorded.lead_id is None
    assert [one.action for one in recorded.step.decisions] == ["plan"]
    assert await books.orders() == []
    assert (await counts(books))["events"] == 1


async def test_a_caller_who_is_blocked_is_recorded_with_the_reason_and_is_no_lead(books: Books) -> None:
    recorded = await books.miss(caller=e164("+13055550666"))
    assert recorded.lead_id is None
    assert [(one.action, one.outcome) for one in recorded.step.decisions] == [("plan", "refused")]
    assert (await counts(books))["leads"] == 0
    assert (await counts(books))["decisions"] == 1


async def test_a_persons_command_changes_the_lead_that_it_names(books: Books) -> None:
    await books.miss()
    taken = LeadAcknowledged(at=NOON, source_id="command:1", by="ana")
    recorded = await books.record(taken, 1)
    assert recorded.step.lead is not None
    assert recorded.step.lead.acknowledged_by == "ana"


async def test_an_opt_out_taken_by_a_person_counts_for_texts_and_calls(books: Books) -> None:
    event = OptOutRecorded(at=NOON, source_id="command:1", number=CALLER, by="ana", note="in person")
    await books.record(event)

    def said(db: Database) -> list[ConsentState]:
        return [people.consent(db, CALLER, channel).state for channel in (Channel.TEXT, Channel.CALL)]

    assert await books.store.read(said) == [ConsentState.OPTED_OUT] * 2
    await books.miss()
    assert await books.orders("text") == []


async def test_a_stop_takes_back_the_text_that_has_not_begun_and_gives_its_window_back(books: Books) -> None:
    await books.miss()
    await books.record(texted("STOP"))
    orders = await books.orders("text")
    assert [order.status for order in orders] == ["cancelled", "todo"]
    assert isinstance(orders[1].effect, SendText)
    assert orders[1].effect.purpose == "stop_confirmation"
    assert (await counts(books))["text_windows"] == 0


async def test_turns_go_round_the_group(books: Books) -> None:
    agents = []
    for n in range(3):
        recorded = await books.miss(f"call-{n}", e164(f"+1305555014{n}"))
        assert recorded.step.lead is not None
        agents.append(recorded.step.lead.agent)
    assert agents[0] != agents[1]
    assert agents[0] == agents[2]


async def test_a_text_to_a_number_of_ours_from_an_agents_mobile_opens_no_lead(books: Books) -> None:
    recorded = await books.record(texted("hello", sender=e164("+13055550181")))
    assert recorded.lead_id is None


# ------------------------------------------------------------------------------------------------------------- settling
async def test_settling_a_second_time_changes_nothing(books: Books) -> None:
    await books.miss()
    order = (await books.claim("text"))[0]
    assert await books.recorder.settle(order, Done("a1")) is not None
    assert await books.recorder.settle(order, Failed("late")) is None
    assert (await books.order("1.0")).status == "done"


async def test_a_retry_is_no_event(books: Books) -> None:
    await books.miss()
    order = (await books.claim("text"))[0]
    assert await books.recorder.settle(order, RetryAt(NOON, "throttled")) is None
    assert (await books.order("1.0")).status == "todo"
    assert (await counts(books))["events"] == 1


@pytest.mark.parametrize(
    ("event", "status"),
    [
        pytest.param(None, "todo", id="nothing happened"),
        pytest.param("answered", "cancelled", id="the caller reached a person"),
        pytest.param("closed", "cancelled", id="a person closed the lead"),
    ],
)
async def test_an_email_that_is_being_tried_when_its_reason_goes_is_not_tried_again(
    tmp_path: Path, event: str | None, status: str
) -> None:
    books = Books(tmp_path, ("brief: [{text: missed}, push]", "brief: [{email: follow_up}]"))
    handle = connect(books.path)
    handle.execute("INSERT INTO people VALUES (?, 'Caller', 'caller@example.org', 0)", [CALLER])
    handle.close()
    await books.miss(plan="brief")
    under_way = (await books.claim("email"))[0]
    if event == "answered":
        await books.record(answered("call-2", NOON + timedelta(seconds=1)))
    elif event == "closed":
        await books.record(LeadClosed(at=NOON, source_id="command:1", by="ana", note="sold"), 1)
    assert await books.recorder.settle(under_way, RetryAt(NOON, "451 try again later")) is None
    assert [order.status for order in await books.orders("email")] == [status]
    books.close()


async def test_doubt_that_is_resolved_is_an_event_of_its_own(books: Books) -> None:
    await books.miss()
    order = (await books.claim("text"))[0]
    assert await books.recorder.settle(order, InDoubt("cut off", ref="a1")) is not None
    doubtful = await books.order("1.0")
    assert (doubtful.status, doubtful.ref) == ("in_doubt", "a1")
    resolved = await books.recorder.settle(doubtful, Done(None))
    assert resolved is not None
    assert resolved.event.source_id == "effect:1.0:resolved"
    assert (await books.order("1.0")).ref == "a1", "what is known stays known"


async def test_the_unique_key_refuses_a_text_that_the_core_would_have_sent(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process of ours has texted since the facts were read: the key says no, whatever the core thinks."""

    until = NOON + timedelta(days=1)
    await books.store.write(lambda db: people.open_text_window(db, CALLER, "miami", until, EffectId("other"), NOON))
    known = people.known
    monkeypatch.setattr(people, "known", lambda *args, **named: replace(known(*args, **named), window=None))
    with capture_logs() as logs:
        recorded = await books.miss()
    order = (await books.orders("text"))[0]
    assert order.status == "refused"
    assert "another text-back to this caller" in (order.last_error or "")
    assert ("text", "refused", "FRQ-01") in [(one.action, one.outcome, one.rule) for one in recorded.step.decisions]
    assert "text_refused_by_key" in [entry["event"] for entry in logs]
    lead = await books.lead(1)
    assert isinstance(lead, Lead)
    assert lead.text is Progress.REFUSED, "nothing is on its way"
    assert lead.stage is Stage.WAITING, "the plan goes on"
    last = (await books.store.read(lambda db: list(journal.entries(db))))[-1].event
    assert isinstance(last, EffectSettled)
    assert (last.effect_id, last.outcome) == ("1.0", "refused")
    assert await books.store.read(lambda db: replay.rebuild(db, LeadId(1), lambda _: books.policy).agrees)


async def test_what_a_person_asks_for_is_judged_anew_when_the_first_run_was_taken_back(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As beside a job that fails after it has changed what was looked at (the store's Job)."""
    await books.miss(plan="brief")
    await books.settle("text", InDoubt("no answer"))
    write = books.store.write

    async def twice(job: Callable[[Database], object]) -> object:
        def both(db: Database) -> object:
            db.execute("SAVEPOINT first")
            db.execute("UPDATE outbox SET status = 'done'")
            job(db)
            db.execute("ROLLBACK TO first")
            db.execute("RELEASE first")
            return job(db)

        return await write(both)

    monkeypatch.setattr(books.store, "write", twice)
    asked = await ask(books.recorder, books.clock, Resend(EffectId("1.0"), "ana"), "r1")
    assert isinstance(asked, Recorded), asked
    assert isinstance(asked.event, OrderResent)
    assert len([one for one in await books.orders("text") if one.status == "todo"]) == 1


async def test_a_text_in_doubt_that_a_restore_has_barred_stays_in_doubt_when_a_person_sends_it_again(
    books: Books,
) -> None:
    await books.miss(plan="brief")
    await books.settle("text", InDoubt("no answer"))
    before = await books.lead(1)
    until = NOON + timedelta(days=30)
    await books.store.write(lambda db: people.bar_texts(db, CALLER, "miami", until, "restored"))
    done = await ask(books.recorder, books.clock, Resend(EffectId("1.0"), "ana"), "r1")
    assert isinstance(done, Recorded)
    assert "a text has gone to this caller" in (refusal(done) or "")
    assert (await books.order("1.0")).status == "in_doubt"
    lead = await books.lead(1)
    assert lead == before
    assert isinstance(lead, Lead)
    assert not lead.in_hand


def test_two_recorders_of_two_processes_text_one_caller_once(tmp_path: Path) -> None:
    async def main() -> int:
        one = Core(tmp_path, text=(first := World()))
        other = Core(tmp_path, text=(second := World()))
        async with one.running(), other.running():
            await one.books.miss("call-1")
            await other.books.miss("call-2")
            await one.pass_time(20)
        return len(first.acts) + len(second.acts)

    assert play(main) == 1


async def test_what_the_facts_say_of_a_number(books: Books) -> None:
    handle = connect(books.path)
    handle.execute("INSERT INTO people VALUES (?, 'Desk', 'desk@harbor.example', 1)", [CALLER])
    handle.close()
    recorded = await books.miss()
    entry = (await books.store.read(lambda db: list(journal.entries(db))))[0]
    assert recorded.lead_id is None
    facts = entry.facts
    assert (facts.kind, facts.blocked, facts.name, facts.email) == (
        NumberKind.ORDINARY,
        True,
        "Desk",
        "desk@harbor.example",
    )
    assert (facts.gateway, facts.may_call_back, facts.contact_opens) == ("sms", True, None)
    assert facts.agent in ("ana", "bob")


async def test_quiet_hours_are_the_callers_own(books: Books) -> None:
    assert isinstance(books.clock, StandingClock)
    books.clock.at = NOON + timedelta(hours=9, minutes=30)  # 21:30 in Miami, 20:30 in Chicago
    await books.miss("call-1")
    await books.miss("call-2", e164("+13125550142"))
    entries = await books.store.read(lambda db: list(journal.entries(db)))
    assert entries[0].facts.contact_opens == NOON + timedelta(hours=20), "eight o'clock in Miami"
    assert entries[0].facts.contact_closes == NOON + timedelta(hours=33), "nine in the evening after that"
    assert entries[1].facts.contact_opens is None
    assert entries[1].facts.contact_closes == NOON + timedelta(hours=10), "nine o'clock in Chicago"
