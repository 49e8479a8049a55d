"""Orders on their way from todo to their end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from ari_app.recovery.effects import AlertAgent, PlaceCallback, PushLead, SendEmail, SendText, TextPurpose, WorldEffect
from ari_app.recovery.values import AlertReason, EffectId, Intent, LeadId, Progress
from ari_app.store import outbox
from ari_app.store.db import connect, prepare
from tests.support.books import CALLER, NOON, known
from tests.support.effects import RECORD

LEASE = NOON + timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    prepare(tmp_path / "books.db")
    db = connect(tmp_path / "books.db")
    yield db
    db.close()


def text(purpose: TextPurpose = TextPurpose.TEXT_BACK, not_before: datetime | None = None) -> SendText:
    return SendText(
        purpose=purpose,
        to=CALLER,
        sender="+13055550100",
        body="We missed you.",
        gateway="sms",
        office="miami",
        not_before=not_before,
        expires_at=NOON + timedelta(minutes=15),
        window_until=NOON + timedelta(days=1),
    )


def push(target: str = "file") -> PushLead:
    return PushLead(target=target, record=RECORD)


def alert() -> AlertAgent:
    return AlertAgent(reason=AlertReason.MISSED, agents=("ana",), record=RECORD)


def add(db: Database, effect_id: str, effect: WorldEffect, lead: int | None = 1, at: datetime = NOON) -> None:
    outbox.add(db, EffectId(effect_id), None if lead is None else LeadId(lead), effect, at)


def claim(db: Database, kind: str, at: datetime = NOON, limit: int = 10) -> list[str]:
    return [order.effect_id for order in outbox.claim(db, kind, at, at + timedelta(minutes=1), limit)]


def story(db: Database, effect_id: str) -> list[str]:
    return [row["status"] for row in db.table("outbox_log").rows_where("outbox_id = ?", [effect_id], order_by="rowid")]


def test_an_order_comes_back_as_it_was_put_in(db: Database) -> None:
    effects: list[WorldEffect] = [
        text(),
        PlaceCallback(
            to=CALLER,
            caller_id="+13055550100",
            missed_at=NOON,
            office="miami",
            name=None,
            listing=None,
            phones=("101",),
            expires_at=LEASE,
            by_request=False,
        ),
        AlertAgent(reason=AlertReason.MISSED, agents=("ana",), record=RECORD),
        SendEmail(to="a@b.example", template="follow_up", subject="s", body="b"),
        push(),
    ]
    for n, effect in enumerate(effects):
        add(db, f"1.{n}", effect)
    orders = outbox.of_lead(db, LeadId(1))
    assert [order.effect for order in orders] == effects
    assert [order.kind for order in orders] == ["text", "callback", "alert", "email", "push"]
    assert [order.expires_at for order in orders] == [NOON + timedelta(minutes=15), LEASE, None, None, None]
    assert RECORD.intent is Intent.UNSTATED
    assert RECORD.text is Progress.NONE
    assert outbox.order(db, EffectId("9.9")) is None


def test_claiming_counts_the_attempt_and_leases_the_row_before_the_act(db: Database) -> None:
    add(db, "1.0", text())
    order = outbox.claim(db, "text", NOON, LEASE, 10)[0]
    assert (order.status, order.attempts) == ("doing", 1)
    row = db.table("outbox").get(1)
    assert (row["status"], row["attempts"], row["lease_until"][:19]) == ("doing", 1, "2026-11-24T17:01:00")
    assert claim(db, "text") == [], "nobody else gets it"
    assert [order.effect_id for order in outbox.unfinished(db)] == ["1.0"]
    assert story(db, "1.0") == ["todo", "doing"]


def test_an_order_is_not_begun_before_its_time(db: Database) -> None:
    add(db, "1.0", text(not_before=NOON + SECOND))
    assert claim(db, "text") == []
    assert outbox.next_todo(db, "text") == NOON + SECOND
    assert claim(db, "text", NOON + SECOND) == ["1.0"]
    assert outbox.next_todo(db, "text") is None


def test_lanes_do_not_take_from_each_other_and_take_no_more_than_they_may(db: Database) -> None:
    for n in range(3):
        add(db, f"{n}.0", text(), lead=n)
        add(db, f"{n}.1", push(), lead=n)
    assert claim(db, "text", limit=2) == ["0.0", "1.0"]
    assert claim(db, "push") == ["0.1", "1.1", "2.1"]
    assert claim(db, "text") == ["2.0"]


def test_confirmations_of_stop_go_first_then_text_backs(db: Database) -> None:
    add(db, "1.0", text(TextPurpose.HELP), lead=1)
    add(db, "2.0", text(TextPurpose.TEXT_BACK), lead=2)
    add(db, "3.0", text(TextPurpose.STOP_CONFIRMATION), lead=3)
    assert claim(db, "text") == ["3.0", "2.0", "1.0"]


def test_orders_of_one_lead_keep_their_order_also_when_the_first_is_tried_again(db: Database) -> None:
    add(db, "1.0", push())
    add(db, "2.0", push())
    add(db, "2.1", push("webhook"))
    add(db, "3.0", push(), lead=2)
    assert claim(db, "push") == ["1.0", "2.1", "3.0"], "another target and another lead do not wait"
    assert claim(db, "push") == []
    outbox.put_back(db, EffectId("1.0"), NOON, NOON + timedelta(minutes=5), "503")
    assert claim(db, "push", NOON + SECOND) == [], "2.0 would overtake 1.0"
    assert claim(db, "push", NOON + timedelta(minutes=5)) == ["1.0"]
    outbox.settle(db, EffectId("1.0"), "done", NOON, None, None)
    assert claim(db, "push", NOON + timedelta(minutes=5)) == ["2.0"]


def test_an_order_without_a_lead_waits_for_nobody(db: Database) -> None:
    add(db, "1.0", text(TextPurpose.STOP_CONFIRMATION), lead=None)
    add(db, "2.0", text(TextPurpose.STOP_CONFIRMATION), lead=None)
    assert claim(db, "text") == ["1.0", "2.0"]


def test_a_text_that_is_held_does_not_hold_up_one_that_came_later(db: Database) -> None:
    add(db, "1.0", text(not_before=NOON + timedelta(hours=8)))
    add(db, "2.0", text())
    assert claim(db, "text") == ["2.0"]


def test_what_was_put_back_says_why_and_waits_for_its_time(db: Database) -> None:
    add(db, "1.0", text())
    claim(db, "text")
    outbox.put_back(db, EffectId("1.0"), NOON, NOON + SECOND, "throttled")
    order = outbox.order(db, EffectId("1.0"))
    assert order is not None
    assert (order.status, order.not_before, order.last_error, order.attempts) == ("todo", NOON + SECOND, "throttled", 1)
    assert story(db, "1.0") == ["todo", "doing", "todo"]


def test_what_is_not_under_way_is_not_put_back(db: Database) -> None:
    add(db, "1.0", text())
    outbox.settle(db, EffectId("1.0"), "done", NOON, "a1", None)
    outbox.put_back(db, EffectId("1.0"), NOON, NOON, "late")
    assert story(db, "1.0") == ["todo", "done"]


def test_an_end_is_an_end(db: Database) -> None:
    add(db, "1.0", text())
    claim(db, "text")
    assert outbox.settle(db, EffectId("1.0"), "done", NOON, "a1", None)
    for later in ("failed", "in_doubt", "done"):
        assert not outbox.settle(db, EffectId("1.0"), later, NOON, None, "late")
    order = outbox.order(db, EffectId("1.0"))
    assert order is not None
    assert (order.status, order.ref, order.last_error) == ("done", "a1", None)
    assert story(db, "1.0") == ["todo", "doing", "done"]


def test_doubt_can_be_resolved_and_is_not_doubled(db: Database) -> None:
    add(db, "1.0", text())
    claim(db, "text")
    assert outbox.settle(db, EffectId("1.0"), "in_doubt", NOON, None, "no answer")
    assert not outbox.settle(db, EffectId("1.0"), "in_doubt", NOON, None, "no answer")
    assert [order.effect_id for order in outbox.in_doubt(db)] == ["1.0"]
    assert outbox.settle(db, EffectId("1.0"), "done", NOON, "a1", None)
    assert outbox.in_doubt(db) == []


def test_taking_back_takes_what_has_not_begun_and_leaves_answers_to_the_persons_own_words(db: Database) -> None:
    add(db, "1.0", text())
    add(db, "2.0", text(TextPurpose.STOP_CONFIRMATION))
    add(db, "3.0", push())
    add(db, "4.0", text(), lead=2)
    add(db, "5.0", text())
    db.execute("UPDATE outbox SET status = 'doing' WHERE id = '5.0'")
    assert outbox.cancel(db, LeadId(1), ["text", "callback"], NOON, "they said stop") == ["1.0"]
    left = {row["id"]: row["status"] for row in db.table("outbox").rows}
    assert left == {"1.0": "cancelled", "2.0": "todo", "3.0": "todo", "4.0": "todo", "5.0": "doing"}


def contacts_since(db: Database, since: datetime) -> tuple[int, int, int]:
    found = known(db, since=since)
    return found.callbacks, found.replies, found.texts


def test_counting_what_went_to_a_number_leaves_out_what_never_went(db: Database) -> None:
    day = NOON - timedelta(hours=24)
    for n, status in enumerate(("todo", "done", "in_doubt", "failed", "refused", "cancelled")):
        add(db, f"{n}.0", text())
        db.execute("UPDATE outbox SET status = ? WHERE id = ?", [status, f"{n}.0"])
        add(db, f"{n}.1", text(TextPurpose.HELP))
        db.execute("UPDATE outbox SET status = ? WHERE id = ?", [status, f"{n}.1"])
        db.execute("UPDATE outbox SET kind = 'callback', purpose = '' WHERE id = ?", [f"{n}.0"])
    add(db, "7.0", text())
    add(db, "8.0", text(TextPurpose.HELP), at=day)
    add(db, "9.0", text(TextPurpose.HELP))
    assert contacts_since(db, day) == (3, 4, 1)


@pytest.mark.parametrize(("ended", "counted"), [("in_doubt", 1), ("failed", 0)])
def test_what_may_have_gone_out_counts_also_when_a_person_has_dropped_it(
    db: Database, ended: str, counted: int
) -> None:
    add(db, "1.0", text(TextPurpose.HELP))
    claim(db, "text")
    outbox.settle(db, EffectId("1.0"), ended, NOON, None, "no answer")
    assert outbox.end(db, EffectId("1.0"), NOON, "dropped by ana")
    assert contacts_since(db, NOON - timedelta(hours=24)) == (0, counted, 0)


def test_depths_show_what_is_not_over(db: Database) -> None:
    for n in range(3):
        add(db, f"{n}.0", text(), lead=n)
    add(db, "3.0", push())
    claim(db, "text", limit=1)
    outbox.settle(db, EffectId("1.0"), "done", NOON, None, None)
    assert outbox.depths(db) == {("text", "todo"): 1, ("text", "doing"): 1, ("push", "todo"): 1}


def test_depths_show_alerts_that_reached_nobody_until_somebody_has_been_told(db: Database) -> None:
    for n, lead in enumerate((1, 2, 2)):
        add(db, f"{n}.0", alert(), lead=lead)
        claim(db, "alert")
        outbox.settle(db, EffectId(f"{n}.0"), "failed", NOON, None, "550 no such user")
    assert outbox.depths(db) == {("alert", "failed"): 3}
    add(db, "3.0", alert(), lead=2)
    assert outbox.depths(db) == {("alert", "failed"): 3, ("alert", "todo"): 1}
    claim(db, "alert")
    outbox.settle(db, EffectId("3.0"), "done", NOON, None, None)
    assert outbox.depths(db) == {("alert", "failed"): 1}
    outbox.end(db, EffectId("0.0"), NOON, "dropped by ana")
    assert outbox.depths(db) == {}


def test_an_order_that_cannot_be_read_fails_and_holds_up_nothing(db: Database) -> None:
    for n in range(3):
        add(db, f"{n}.0", push(), lead=n)
    db.execute("""UPDATE outbox SET body = '{"type":"SendFax","to":"+1"}' WHERE id <> '1.0'""")
    db.execute("UPDATE outbox SET status = 'doing' WHERE id = '2.0'")
    assert claim(db, "push") == ["1.0"]
    row = db.table("outbox").get(1)
    assert (row["status"], row["last_error"]) == ("failed", "its body cannot be read: value: unknown type 'SendFax'")
    assert [order.effect_id for order in outbox.unfinished(db)] == ["1.0"]


def test_after_the_clock_went_back_what_was_to_go_at_once_goes_at_once(db: Database) -> None:
    later = NOON + timedelta(hours=1)
    add(db, "1.0", text(), lead=1, at=later)
    add(db, "2.0", text(not_before=NOON + timedelta(hours=9)), lead=2, at=later)
    add(db, "3.0", text(), lead=3, at=NOON - SECOND)
    assert claim(db, "text") == ["3.0"]
    assert outbox.pull_in(db, NOON) == 1
    assert claim(db, "text") == ["1.0"], "the one that waits for the morning waits on"
    assert outbox.pull_in(db, NOON) == 0
