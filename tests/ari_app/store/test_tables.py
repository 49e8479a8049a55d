"""Timers, receipts, consent, windows, turns, bookmarks and parts, row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from ari_app.recovery.effects import SendText, TextPurpose
from ari_app.recovery.values import E164, Channel, ConsentState, EffectId, LeadId, e164
from ari_app.store import bookmarks, outbox, people, receipts, text_parts, timers
from ari_app.store.db import connect, prepare, reading
from ari_app.store.people import Person, TextWindow
from tests.support.books import CALLER, NOON, known
from tests.support.programs import beside

SECOND = timedelta(seconds=1)
OTHER = e164("+13055550143")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "books.db"
    prepare(path)
    return path


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    db = connect(path)
    for lead in (1, 2):
        db.table("leads").insert(
            {"id": lead, "office": "miami", "stage": "idle", "opened_at": "", "touched_at": "", "body": ""}
        )
    yield db
    db.close()


# ------------------------------------------------------------------------------------------------------------------ timers
def test_arming_replaces_the_pending_timer_of_its_kind_only(db: Database) -> None:
    timers.arm(db, LeadId(1), "escalate", NOON)
    timers.arm(db, LeadId(1), "escalate", NOON + SECOND)
    timers.arm(db, LeadId(1), "outcome", NOON)
    timers.arm(db, LeadId(2), "escalate", NOON)
    due = timers.due(db, NOON + SECOND, 10)
    assert sorted((timer.lead_id, timer.kind, timer.due_at) for timer in due) == [
        (1, "escalate", NOON + SECOND),
        (1, "outcome", NOON),
        (2, "escalate", NOON),
    ]


def test_one_pending_timer_of_a_kind_is_a_fact_of_the_database(db: Database) -> None:
    insert = "INSERT INTO timers (lead_id, kind, due_at, status) VALUES (1, 'escalate', ?, 'pending')"
    db.execute(insert, ["2026"])
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        db.execute(insert, ["2027"])


def test_a_timer_fires_once_and_a_disarmed_one_never(db: Database) -> None:
    timers.arm(db, LeadId(1), "escalate", NOON)
    timers.arm(db, LeadId(2), "escalate", NOON)
    first, second = timers.due(db, NOON, 10)
    assert timers.fire(db, first.timer_id) == first
    assert timers.fire(db, first.timer_id) is None
    timers.disarm(db, LeadId(2), "escalate")
    assert timers.fire(db, second.timer_id) is None
    assert timers.lead_of(db, first.timer_id) == 1
    assert timers.lead_of(db, 99) is None
    assert timers.next_due(db) is None


def test_due_timers_come_earliest_first_and_no_more_than_asked_for(db: Database) -> None:
    for n, kind in enumerate(("c", "b", "a")):
        timers.arm(db, LeadId(1), kind, NOON - n * SECOND)
    timers.arm(db, LeadId(1), "later", NOON + SECOND)
    assert [timer.kind for timer in timers.due(db, NOON, 2)] == ["a", "b"]
    first = timers.due(db, NOON, 1)[0].timer_id
    assert [timer.kind for timer in timers.due(db, NOON, 9, [first])] == ["b", "c"]
    assert timers.next_due(db) == NOON - 2 * SECOND
    assert timers.next_due(db, [first]) == NOON - SECOND


# ---------------------------------------------------------------------------------------------------------------- receipts
def note(db: Database, *refs: str, state: str = "delivered", to: str = CALLER) -> tuple[bool, bool] | None:
    tally = receipts.note(db, "sms", refs, to, state, delivered_as="delivered")
    return None if tally is None else (tally.final, tally.delivered)


def taken(db: Database, effect_id: str, *refs: str, gateway: str = "sms", to: E164 = CALLER) -> None:
    """The carrier has taken a text under these ids."""
    effect = SendText(
        purpose=TextPurpose.TEXT_BACK,
        to=to,
        sender="+13055550100",
        body="We missed you.",
        gateway=gateway,
        office="miami",
        not_before=None,
        expires_at=NOON + timedelta(minutes=15),
        window_until=None,
    )
    outbox.add(db, EffectId(effect_id), None, effect, NOON)
    receipts.expect(db, gateway, EffectId(effect_id), refs)


def test_a_text_is_delivered_when_all_of_its_segments_are(db: Database) -> None:
    taken(db, "1.0", "a1", "a2")
    assert note(db, "a1") == (False, False)
    assert note(db, "a1") == (False, False), "a second receipt for one segment counts once"
    assert note(db, "a2") == (True, True)


def test_a_text_has_failed_when_one_of_its_segments_has(db: Database) -> None:
    taken(db, "1.0", "a1", "a2")
    assert note(db, "a2", state="rejected") == (True, False)
    assert note(db, "a1") == (True, False)


def test_a_receipt_is_found_by_any_of_its_readings_and_only_at_its_gateway(db: Database) -> None:
    taken(db, "1.0", "a1", "")
    taken(db, "2.0", "b7", gateway="other")
    assert note(db, "161", "a1") == (True, True)
    assert note(db, "b7") is None
    assert note(db, "") is None


def test_another_reading_of_an_id_is_that_of_a_text_to_the_same_number_only(db: Database) -> None:
    taken(db, "1.0", "1000")
    assert note(db, "4096", "1000", "16534", to=OTHER) is None, "0x1000, but it went to somebody else"
    taken(db, "2.0", "4096", to=OTHER)
    assert note(db, "4096", "1000", "16534", state="rejected", to=OTHER) == (True, False)
    assert note(db, "4096", "1000", "16534") == (True, True), "now it speaks of the first: the ids here are hexadecimal"


def test_where_a_carrier_rewrites_the_number_the_likeliest_reading_of_the_id_counts(db: Database) -> None:
    taken(db, "1.0", "1000")
    assert note(db, "4096", "1000", to="HARBOR") is None
    assert note(db, "1000", "4096", to="HARBOR") == (True, True)
    taken(db, "2.0", "b7", to=OTHER)
    assert note(db, "1000", "4096", to=OTHER) is None, "a number that was texted names its own texts"


def test_a_parked_receipt_is_given_to_a_text_to_its_own_number(db: Database) -> None:
    taken(db, "1.0", to=OTHER)
    receipts.park(db, "sms", ("4096", "1000"), OTHER, "delivered", None, NOON)
    receipts.park(db, "sms", ("77", "4d"), "HARBOR", "delivered", None, NOON)
    assert receipts.parked(db, "sms", ["4096", "1000", "4d"], CALLER) == []
    assert receipts.parked(db, "sms", ["1000"], OTHER) == [("1000", "delivered", None)]
    assert receipts.parked(db, "sms", ["77"], CALLER) == [("77", "delivered", None)], "a rewritten number names nobody"
    db.execute("INSERT INTO parked_receipts VALUES ('sms', 'a1', '161', 'delivered', NULL, '', NULL)")
    assert receipts.parked(db, "sms", ["a1"], CALLER) == [("a1", "delivered", None)], "of an older release"


def test_a_carrier_may_use_an_id_again(db: Database) -> None:
    taken(db, "1.0", "a1")
    note(db, "a1", state="rejected")
    taken(db, "2.0", "a1")
    assert note(db, "a1") == (True, True)


def test_parked_receipts_are_given_out_once_under_any_reading(db: Database) -> None:
    receipts.park(db, "sms", ("65", "101"), CALLER, "delivered", None, NOON)
    receipts.park(db, "sms", ("66",), CALLER, "expired", "000", NOON)
    receipts.park(db, "sms", ("66",), CALLER, "delivered", None, NOON + SECOND)
    assert receipts.parked(db, "other", ["101"], CALLER) == []
    assert receipts.parked(db, "sms", ["101", "66"], CALLER) == [("101", "delivered", None), ("66", "delivered", None)]
    assert receipts.parked(db, "sms", ["101", "65", "66"], CALLER) == []
    assert db.table("parked_receipts").count == 0, "its other readings are gone with it"


def test_what_a_receipt_says_for_certain_is_not_overwritten_by_what_another_may_mean(db: Database) -> None:
    receipts.park(db, "sms", ("101",), CALLER, "delivered", None, NOON)
    receipts.park(db, "sms", ("65", "101"), CALLER, "expired", None, NOON)
    assert receipts.parked(db, "sms", ["101"], CALLER) == [("101", "delivered", None)]
    assert receipts.parked(db, "sms", ["65"], CALLER) == [("65", "expired", None)]
    receipts.park(db, "sms", ("65", "101"), CALLER, "expired", None, NOON)
    receipts.park(db, "sms", ("101",), CALLER, "delivered", None, NOON)
    assert receipts.parked(db, "sms", ["101"], CALLER) == [("101", "delivered", None)]


def test_parked_receipts_that_nobody_asks_for_are_dropped(db: Database) -> None:
    receipts.park(db, "sms", ("a1",), CALLER, "delivered", None, NOON)
    receipts.park(db, "sms", ("a2",), CALLER, "delivered", None, NOON + SECOND)
    receipts.forget_parked(db, NOON + SECOND)
    assert [row["ref"] for row in db.table("parked_receipts").rows] == ["a2"]


# ------------------------------------------------------------------------------------------------------------------ people
def test_consent_is_the_last_word_and_the_log_holds_all(db: Database) -> None:
    keep_event(db)
    people.set_consent(db, CALLER, Channel.TEXT, ConsentState.OPTED_OUT, "sms:stop", NOON, 1)
    people.set_consent(db, CALLER, Channel.TEXT, ConsentState.OPTED_IN, "sms:start", NOON + SECOND, 1)
    said = people.consent(db, CALLER, Channel.TEXT)
    assert (said.state, said.source, said.at) == (ConsentState.OPTED_IN, "sms:start", NOON + SECOND)
    assert people.consent(db, CALLER, Channel.CALL).state is ConsentState.UNSTATED
    assert [row["source"] for row in db.table("consent_log").rows] == ["sms:stop", "sms:start"]


def keep_event(db: Database) -> None:
    db.table("policies").insert({"version": "p", "at": "", "settings": "{}"})
    db.table("events").insert(
        {"seq": 1, "source_id": "s", "type": "T", "version": 1, "at": "", "policy": "p", "body": "", "facts": ""}
    )


def test_one_text_window_for_a_caller_and_an_office(db: Database) -> None:
    until = NOON + timedelta(days=1)
    assert people.open_text_window(db, CALLER, "miami", until, EffectId("1.0"), NOON)
    assert not people.open_text_window(db, CALLER, "miami", until, EffectId("2.0"), NOON + SECOND)
    assert people.open_text_window(db, CALLER, "keys", until, EffectId("3.0"), NOON)
    assert people.open_text_window(db, OTHER, "miami", until, EffectId("4.0"), NOON)
    assert known(db, CALLER, office="miami").window == TextWindow(until, "1.0")
    assert people.open_text_window(db, CALLER, "miami", until + SECOND, EffectId("5.0"), until), "it is over"
    people.close_text_window(db, EffectId("1.0"))
    assert known(db, CALLER, office="miami").window == TextWindow(until + SECOND, "5.0"), (
        "1.0 has lost its claim already"
    )
    people.close_text_window(db, EffectId("5.0"))
    assert known(db, CALLER, office="miami").window is None


CLAIMS = """
import asyncio, sys
from datetime import datetime, timedelta
from pathlib import Path
from ari_app.recovery.values import EffectId, e164
from ari_app.store import people
from ari_app.store.stores import InlineStore
from tests.support.books import NOON

async def claim():
    store = InlineStore(Path(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.readline()
    won = 0
    for n in range(30):
        number = e164(f"+1305555{n:04}")
        won += await store.write(lambda db: people.open_text_window(
            db, number, "miami", NOON + timedelta(days=1), EffectId(sys.argv[2]), NOON))
    print(won, flush=True)
    store.close()

asyncio.run(claim())
"""


def test_of_two_processes_that_claim_the_same_windows_each_window_goes_to_one(path: Path) -> None:
    won = []
    with beside(CLAIMS, path, "1.0") as one, beside(CLAIMS, path, "2.0") as other:
        for process in (one, other):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in (one, other):
            assert process.stdout is not None
            won.append(int(process.stdout.readline()))
    assert sum(won) == 30
    with reading(path) as db:
        owners = [row["outbox_id"] for row in db.table("text_windows").rows]
    assert [owners.count("1.0"), owners.count("2.0")] == won


def test_the_people_list_is_taken_over_whole_and_a_second_time_over_itself(db: Database) -> None:
    people.import_people(db, [Person(CALLER, "Desk", None, False), Person(OTHER, None, None, True)])
    assert people.import_people(db, [Person(CALLER, "Front desk", "front@harbor.example", False)]) == 1
    assert known(db, CALLER).person == Person(CALLER, "Front desk", "front@harbor.example", False)
    assert known(db, OTHER).person == Person(OTHER, None, None, True)
    assert known(db, e164("+13055550144")).person is None
    assert people.import_people(db, []) == 0


def test_turns_are_kept_for_each_group(db: Database) -> None:
    assert known(db, CALLER, group="front").last_turn is None
    people.take_turn(db, "front", "ana")
    people.take_turn(db, "front", "bob")
    people.take_turn(db, "floor", "cleo")
    assert [known(db, CALLER, group=group).last_turn for group in ("front", "floor")] == ["bob", "cleo"]


# ------------------------------------------------------------------------------------------------------------ small tables
def test_a_bookmark_is_where_it_was_put_last(db: Database) -> None:
    assert bookmarks.get(db, "spool") is None
    bookmarks.put(db, "spool", "1")
    bookmarks.put(db, "spool", "2")
    assert bookmarks.get(db, "spool") == "2"


def test_parts_are_kept_once_in_order_and_for_their_gateway(db: Database) -> None:
    text_parts.keep(db, "sms", "k1", "first")
    text_parts.keep(db, "sms", "k2", "second")
    text_parts.keep(db, "sms", "k1", "brought again")
    text_parts.keep(db, "other", "k1", "another's")
    assert text_parts.kept(db, "sms") == ["first", "second"]
    text_parts.discard(db, "sms", ["k1", "k9"])
    assert text_parts.kept(db, "sms") == ["second"]
    assert text_parts.kept(db, "other") == ["another's"]


def test_the_last_text_between_two_numbers_is_known_again_for_a_while(db: Database) -> None:
    ours = "+13055550100"

    def is_last(fingerprint: str, since: datetime = NOON - SECOND, source: str = CALLER, to: str = ours) -> bool:
        return text_parts.is_last(db, "sms", source, to, fingerprint, since)

    assert not is_last("f1")
    text_parts.set_last(db, "sms", CALLER, ours, "f1", NOON)
    assert is_last("f1")
    assert not is_last("f1", NOON), "too long ago"
    assert not is_last("f1", source=ours, to=CALLER)
    text_parts.set_last(db, "sms", CALLER, ours, "f2", NOON)
    assert not is_last("f1")
    assert is_last("f2")
