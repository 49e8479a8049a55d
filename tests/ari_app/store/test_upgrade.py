"""Books of earlier releases, and back. ``schema_0001.sql`` is a dump of books that the first release wrote, and
``shapes_0001.txt`` is what it could read: types with their fields (``?`` for one with a default, its words behind a colon), and
words.

A migration that has been released is never changed, so neither is its dump.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from sqlite_utils import Database, Migrations

from ari_app.errors import StoreVersionError
from ari_app.recovery.commands import Resend
from ari_app.recovery.effects import Effect, LeadRecord
from ari_app.recovery.events import (
    CallAnswered,
    CallbackAnswered,
    CallbackEnded,
    CallbackHandedOver,
    CallbackOptedOut,
    CallClosed,
    CallerLeft,
    Event,
    Facts,
    KeyPressed,
)
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import PlanStep
from ari_app.recovery.shapes import ADDED, added_to
from ari_app.recovery.values import (
    AlertReason,
    CallbackEnd,
    Consent,
    Intent,
    LeadId,
    Line,
    NumberKind,
    Verdict,
    e164,
)
from ari_app.runtime.asking import ask
from ari_app.runtime.outcome import Done, Failed
from ari_app.settings.compiling import compile_policy
from ari_app.settings.document import Document
from ari_app.store import backup, journal, outbox, reports, schema
from ari_app.store.backup import open_books
from ari_app.store.db import go_back, prepare, reading
from ari_app.store.replay import rebuild
from ari_app.store.stores import InlineStore
from tests.support.books import CALLER, DIALLED, NOON, Books, StandingClock, missed

FIRST = Path(__file__).parent / "schema_0001.sql"
FIRST_SHAPES = Path(__file__).parent / "shapes_0001.txt"


def of_the_first_release(path: Path) -> Path:
    """Books as the first release left them."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(FIRST.read_text(encoding="utf-8"))
        db.execute("PRAGMA journal_mode = WAL")
    return path


def tables(path: Path) -> dict[str, str]:
    """What each table and index is made by, spaces aside."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in rows}


def only(*names: str) -> Migrations:
    """The migrations of a release."""
    release = Migrations("ringback")
    release._migrations = [each for each in schema.migrations._migrations if each.name in names]
    return release


def with_a_later_one() -> Migrations:
    """The migrations of the next release."""
    release = Migrations("ringback")
    release._migrations = list(schema.migrations._migrations)

    @release(name="9999_next")
    def _next(db: Database) -> None:
        db.execute("ALTER TABLE people ADD COLUMN language TEXT")

    return release


def test_the_first_release_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ari_app.store.db.migrations", only("0001_books"))
    prepare(tmp_path / "new.db")
    assert tables(tmp_path / "new.db") == tables(of_the_first_release(tmp_path / "first.db"))


def test_books_of_the_first_release_become_books_of_this_one(tmp_path: Path) -> None:
    path = of_the_first_release(tmp_path / "old.db")
    prepare(path)
    prepare(tmp_path / "new.db")
    assert tables(path) == tables(tmp_path / "new.db")
    with reading(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        leads = reports.leads(db, limit=10)
        assert [(row.lead.number, row.lead.text.value, row.lead.opted_out) for row in leads] == [
            ("+13055550144", "in_doubt", True),
            ("+13055550143", "failed", False),
            ("+13055550142", "done", False),
        ]
        assert [order.effect_id for order in outbox.in_doubt(db)] == [f"{journal.last_seq(db) - 2}.0"]
        settings = journal.policy_settings(db, next(journal.entries(db)).policy)
        assert settings is not None
        policy = compile_policy(Document.model_validate_json(settings))
        for row in leads:
            assert rebuild(db, row.lead.lead_id, lambda _: policy).agrees


async def test_life_goes_on_in_books_of_the_first_release(tmp_path: Path) -> None:
    old = Books(tmp_path)
    old.close()
    old.path.unlink()
    path = of_the_first_release(old.path)
    prepare(path)
    books = Books(tmp_path, store=InlineStore(path), clock=StandingClock(NOON + timedelta(hours=1)))
    recorded = await books.miss("call-4")
    assert recorded.lead_id == 1, "the caller is known"
    assert [decision.rule for decision in recorded.step.decisions] == ["FRQ-03"], "and has been texted"
    assert isinstance(books.store, InlineStore)
    books.store.close()


def test_before_tables_change_the_books_are_copied_and_the_way_back_is_that_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = of_the_first_release(tmp_path / "books.db"), tmp_path / "backups"
    prepare(path)
    open_books(path, folder, NOON)
    assert backup.in_folder(folder) == [], "nothing has changed, and nothing is copied"
    before = backup.take(path, tmp_path / "control", NOON)[1].rows

    with monkeypatch.context() as next_release:
        for module in ("db", "backup"):
            next_release.setattr(f"ari_app.store.{module}.migrations", with_a_later_one())
        open_books(path, folder, NOON)
    assert [one.path.name for one in backup.in_folder(folder)] == ["ringback-20261124T170000.000Z-before-upgrade.db"]

    with pytest.raises(StoreVersionError, match=r"newer Ringback \(9999_next\): .*ringback restore"):
        open_books(path, folder, NOON)
    found, trouble = backup.last_good(folder)
    assert found is not None
    assert trouble == []
    assert backup.inspect(found.path).rows == before


def test_an_upgrade_without_its_copy_does_not_happen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = of_the_first_release(tmp_path / "books.db")
    prepare(path)
    (tmp_path / "backups").write_text("in the way")
    before = path.read_bytes()
    for module in ("db", "backup"):
        monkeypatch.setattr(f"ari_app.store.{module}.migrations", with_a_later_one())
    with pytest.raises(OSError, match="backups"):
        open_books(path, tmp_path / "backups", NOON)
    assert path.read_bytes() == before


# -------------------------------------------------------------------------------------------------------------- the way back
ALWAYS_LOOKED_UP = frozenset({"contact_closes"})
"""Facts that the first release does not know, and that every event of a person has now."""


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, except which migrations there were, and what only this release looks up."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        db.create_function("old", 1, lambda text: json.dumps(without_what_is_always_looked_up(json.loads(text))))
        rows = {name: db.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
        rows["facts"] = db.execute("SELECT old(facts) FROM events ORDER BY seq").fetchall()
        at = [row[1] for row in db.execute("PRAGMA table_info(events)")].index("facts")
        rows["events"] = [(*row[:at], *row[at + 1 :]) for row in rows["events"]]
        del rows["_sqlite_migrations"]
        return rows


def without_what_is_always_looked_up(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name not in ALWAYS_LOOKED_UP}


async def test_books_of_this_release_become_those_of_the_first_one_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StandingClock(NOON + timedelta(hours=1))

    async def another_miss(call: str, number: str) -> None:
        """As the release does that runs now."""
        books = Books(tmp_path, clock=clock)
        await books.miss(call, e164(number))
        books.close()

    old = Books(tmp_path)
    old.close()
    old.path.unlink()
    path = of_the_first_release(old.path)
    await another_miss("call-4", "+13055550145")
    upgraded, before = tables(path), contents(path)

    assert go_back(path, "0001_books") == [each.name for each in schema.migrations._migrations[:0:-1]]
    assert contents(path) == before
    assert tables(path) == tables(of_the_first_release(tmp_path / "first.db"))
    with monkeypatch.context() as first_release:
        first_release.setattr("ari_app.store.db.migrations", only("0001_books"))
        await another_miss("call-5", "+13055550146")
    assert tables(path) == tables(tmp_path / "first.db")
    before = contents(path)

    await another_miss("call-6", "+13055550147")
    assert tables(path) == upgraded
    after = contents(path)
    assert after["events"][: len(before["events"])] == before["events"]
    with reading(path) as db:
        assert [row.lead.number for row in reports.leads(db, limit=3)] == [f"+1305555014{n}" for n in (7, 6, 5)]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kept", range(1, len(schema.migrations._migrations)))
def test_each_change_of_the_tables_has_its_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    names = [each.name for each in schema.migrations._migrations]
    path = tmp_path / "books.db"
    prepare(path)
    assert go_back(path, names[kept - 1]) == names[: kept - 1 : -1]
    monkeypatch.setattr("ari_app.store.db.migrations", only(*names[:kept]))
    prepare(tmp_path / "then.db")
    assert tables(path) == tables(tmp_path / "then.db")
    assert go_back(path, names[kept - 1]) == [], "it is there already"


def test_a_way_back_that_does_not_exist_is_refused_and_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "books.db"
    prepare(path)
    with pytest.raises(StoreVersionError, match=r"not changed by 0042_wonders: these are: 0001_books"):
        go_back(path, "0042_wonders")
    monkeypatch.setattr("ari_app.store.db.migrations", with_a_later_one())
    prepare(path)
    before = tables(path)
    with pytest.raises(StoreVersionError, match=r"changed by 9999_next for good: go back with 'ringback restore'"):
        go_back(path, "0001_books")
    assert tables(path) == before
    monkeypatch.setitem(schema.BACK, "9999_next", ("DROP TABLE nothing",))
    with pytest.raises(sqlite3.OperationalError):
        go_back(path, "0001_books")
    monkeypatch.setitem(schema.BACK, "9999_next", ("ALTER TABLE people DROP COLUMN language",))
    monkeypatch.setitem(schema.BACK, "0002_answers", ("DROP TABLE nothing",))
    with pytest.raises(sqlite3.OperationalError):
        go_back(path, "0001_books")
    assert tables(path) == before, "not even the first step of two"
    prepare(path)


# ------------------------------------------------------------------------------------------------- what the JSON has gained
STORED: tuple[type, ...] = (
    *get_args(Event),
    *get_args(Effect),
    *get_args(PlanStep),
    Facts,
    Lead,
    LeadRecord,
    Line,
    Consent,
)
NEW_TYPES = {"CallbackOptedOut", "CallbackHandedOver"}
NEW_WORDS = {("AlertReason", "dropped")}
"""What ``BACK`` tells in the first release's own words."""


@dataclasses.dataclass(frozen=True)
class Shapes:
    """types: by name, the fields; those with a default; and the words that a field takes. words: by name."""

    types: dict[str, tuple[set[str], set[str], dict[str, str]]]
    words: dict[str, set[str]]

    def refused(self, value: Any) -> Iterator[str]:
        """What a release of these shapes cannot read in a stored value."""
        if isinstance(value, list):
            for item in value:
                yield from self.refused(item)
        if not isinstance(value, dict):
            return
        kind = value["type"]
        if kind not in self.types:
            yield f"the type {kind}"
            return
        known, optional, words = self.types[kind]
        found = value.keys() - {"type"}
        yield from (f"{kind}.{name}" for name in sorted(found - known))
        yield from (f"{kind} without {name}" for name in sorted(known - optional - found))
        for name, word in words.items():
            said = value.get(name)
            for one in said if isinstance(said, list) else [said]:
                if one is not None and one not in self.words[word]:
                    yield f"{kind}.{name} {one}"
        for name in found:
            yield from self.refused(value[name])


def first_shapes() -> Shapes:
    types, words = (part.splitlines() for part in FIRST_SHAPES.read_text(encoding="utf-8").split("\n\n"))
    found: dict[str, tuple[set[str], set[str], dict[str, str]]] = {}
    for line in types:
        kind, *told = line.split()
        names = [(name.rstrip("?"), name.endswith("?"), word) for name, _, word in (one.partition(":") for one in told)]
        found[kind] = (
            {name for name, _, _ in names},
            {name for name, optional, _ in names if optional},
            {name: word for name, _, word in names if word},
        )
    return Shapes(found, {line.split()[0]: set(line.split()[1:]) for line in words})


def stored(path: Path) -> Iterator[Any]:
    """Every value of the core in the books."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        for table, column in (("leads", "body"), ("events", "body"), ("events", "facts"), ("outbox", "body")):
            for (text,) in db.execute(f"SELECT {column} FROM {table}"):
                yield json.loads(text)


def enums_of(hint: Any) -> Iterator[type[Enum]]:
    if isinstance(hint, type) and issubclass(hint, Enum):
        yield hint
    for part in get_args(hint):
        yield from enums_of(part)


def test_whatever_a_stored_value_has_gained_has_its_way_back() -> None:
    """Whoever adds a field gives it a default and lists it in shapes.py; a new type or word needs a statement in BACK."""
    first = first_shapes()
    for kind in STORED:
        name = kind.__name__
        if name not in first.types:
            assert name in NEW_TYPES, f"{name}: how does ringback downgrade tell it?"
            continue
        known, _, _ = first.types[name]
        mine = {field.name: field for field in fields(kind)}
        assert known <= mine.keys(), f"{name} has lost a field: old books cannot be read"
        assert mine.keys() - known == added_to(name), f"{name}: expected its new fields in ari_app/recovery/shapes.py"
        for field in added_to(name):
            assert mine[field].default is not dataclasses.MISSING, f"{name}.{field}: old books do not have it"
        for hint in get_type_hints(kind).values():
            for enum in enums_of(hint):
                new = {(enum.__name__, word.value) for word in enum} - {
                    (enum.__name__, word) for word in first.words[enum.__name__]
                }
                assert new <= NEW_WORDS, f"{new - NEW_WORDS}: how does ringback downgrade tell it?"
    assert set(ADDED) <= {each.name for each in schema.migrations._migrations}


def of_a_call(kind: type[Any], call_id: str, at: datetime, caller: str = CALLER, **more: Any) -> Any:
    """An event of a call to the main number."""
    common = {
        "at": at,
        "call_id": call_id,
        "caller": caller,
        "kind": NumberKind.ORDINARY,
        "dialled": DIALLED,
        "office": "miami",
        "entry": "_1305555010X",
    }
    return kind(**{**common, **more})


async def with_all_that_is_new(books: Books) -> None:
    """A phone that was lifted for a moment; alerts of it that reached nobody; callbacks that ended in a no, and with a
    person while another office had the caller's lead in hand, too."""
    clock = books.clock
    assert isinstance(clock, StandingClock)
    for office in ("miami", "keys"):
        await books.record(missed(f"lifted-{office}", at=clock.now(), office=office))
    clock.at += timedelta(seconds=5)
    answer = of_a_call(CallAnswered, "again", clock.now(), source_id="answered:again", by="101")
    await books.record(answer)
    closed: dict[str, Any] = {
        "verdict": Verdict.DROPPED,
        "rings": 1,
        "ring_seconds": 6.0,
        "talk_seconds": 1.0,
        "answered_by": "101",
    }
    await books.record(of_a_call(CallClosed, "again", clock.now(), source_id="call:again", **closed))
    await books.settle("alert", Failed("550 no such user"))
    second = await books.settle("alert", Failed("550 no such user"))
    await ask(books.recorder, clock, Resend(second[0].effect_id, "ana"), "r1")
    await books.record(missed("taken", e164("+13055550193"), at=clock.now()))
    taken = of_a_call(CallAnswered, "taken-2", clock.now(), "+13055550193", source_id="answered:taken-2", by="101")
    await books.record(taken)

    for n, number in ((1, "+13055550191"), (2, "+13055550192")):
        clock.at += timedelta(hours=1)
        call, at = f"called-back-{n}", clock.now()
        await books.record(missed(call, e164(number), at=at, on_line=True))
        await books.record(of_a_call(KeyPressed, call, at, number, source_id=f"key:{call}:1", key="1"))
        await books.record(of_a_call(CallerLeft, call, at, number, source_id=f"left:{call}"))
        await books.record(missed(f"{call}-elsewhere", e164(number), at=at, office="keys"))
        (callback,) = await books.settle("callback", Done(ref=None))
        effect, source = callback.effect_id, f"callback:{callback.effect_id}"
        await books.record(CallbackAnswered(at=at, source_id=f"{source}:answered", effect_id=effect))
        if n == 1:
            await books.record(CallbackOptedOut(at=at, source_id=f"{source}:no", effect_id=effect, how="9"))
        else:
            await books.record(CallbackHandedOver(at=at, source_id=f"{source}:person", effect_id=effect, by="102"))
        await books.record(
            CallbackEnded(
                at=at,
                source_id=f"{source}:ended",
                effect_id=effect,
                end=CallbackEnd.OPTED_OUT if n == 1 else CallbackEnd.REACHED_PERSON,
                intent=Intent.UNSTATED,
                lines=(),
                keys="9" if n == 1 else "",
                seconds=20.0,
                by=None if n == 1 else "102",
                why=None,
            )
        )


def use_all_that_is_added(path: Path) -> None:
    """Every added field stands in every value that may have it, whether the story led to it or not."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for kind, names in ((kind, names) for types in ADDED.values() for kind, names in types.items()):
            for table, column, place, rows in schema._STORED[kind]:
                for name in names:
                    used = f"json_insert({column}, '{place}.{name}', 'used')"
                    changed = db.execute(f"UPDATE {table} SET {column} = {used} WHERE {rows}1").rowcount
                    assert changed > 0, f"the story has no {kind} in {table}.{column}"


async def test_the_first_release_reads_every_word_of_books_that_were_led_back_to_it(tmp_path: Path) -> None:
    first = first_shapes()
    assert not any(True for value in stored(of_the_first_release(tmp_path / "first.db")) for _ in first.refused(value))
    books = Books(tmp_path)
    await with_all_that_is_new(books)
    before = await books.store.read(lambda db: [(entry.seq, entry.lead_id) for entry in journal.entries(db)])
    books.close()
    new = {refused for value in stored(books.path) for refused in first.refused(value)}
    assert new >= {"AlertAgent.reason dropped", "AlertAgent.again", "EffectSettled.alert", "Lead.lifted_call"}
    assert new >= {f"the type {name}" for name in NEW_TYPES}
    use_all_that_is_added(books.path)

    go_back(books.path, "0001_books")
    assert [refused for value in stored(books.path) for refused in first.refused(value)] == []

    prepare(books.path)
    with reading(books.path) as db:
        told = list(journal.entries(db))
        assert [(entry.seq, entry.lead_id) for entry in told] == before
        kinds = [type(entry.event).__name__ for entry in told]
        assert (kinds.count("OptOutRecorded"), kinds.count("CallbackHandedOver")) == (1, 0)
        last = reports.leads(db, limit=2, number=e164("+13055550192"))
        assert [row.lead.reached_by for row in last] == ["102", "102"]
        first_no = reports.leads(db, limit=2, number=e164("+13055550191"))[1].lead.lead_id
        assert rebuild(db, first_no, lambda _: books.policy).agrees, "the no stands where it was said"
        assert rebuild(db, last[1].lead.lead_id, lambda _: books.policy).agrees, "and so does the person"
        kept = [order.effect for order in outbox.of_lead(db, LeadId(1)) if order.kind == "alert"]
        assert AlertReason.REPEAT_MISS in [getattr(effect, "reason", None) for effect in kept]


async def test_what_is_not_used_is_not_written(tmp_path: Path) -> None:
    first = first_shapes()
    books = Books(tmp_path)
    await books.miss()
    books.close()
    used = {refused for value in stored(books.path) for refused in first.refused(value)}
    assert used == {f"Facts.{name}" for name in ALWAYS_LOOKED_UP}


async def test_a_late_miss_tells_the_release_before_the_answers_nothing_of_who_was_reached(tmp_path: Path) -> None:
    books = Books(tmp_path, clock=StandingClock(NOON + timedelta(seconds=60)))
    await books.record(
        of_a_call(CallAnswered, "call-2", NOON + timedelta(seconds=30), source_id="answered:2", by="101")
    )
    await books.record(missed("call-1", at=NOON))
    books.close()

    def told() -> list[str]:
        facts = [value for value in stored(books.path) if value["type"] == "Facts"]
        return [value["reached_since"] for value in facts if "reached_since" in value]

    assert told() == ["101"]
    go_back(books.path, "0002_answers")
    assert told() == ["101"]
    go_back(books.path, "0001_books")
    assert told() == []
