"""``ringback backup`` and ``restore``, and books that nobody can start from."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ari_app.data_folder import exclusive
from ari_app.recovery.events import CallMissed, OptOutRecorded
from ari_app.recovery.values import Verdict, e164
from ari_app.runtime.outcome import Done
from ari_app.store import backup, lost_time
from ari_app.store.db import connect, restoring
from tests.ari_app.cli.ringback import Ringback
from tests.support.books import CALLER, Books, known, missed, texted

OTHER = e164("+13055550177")


class Now:
    """The machine's clock, as tests of restored books need it: names of copies are times."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - what the command sees, too

    async def pause(self, seconds: float) -> None:
        raise AssertionError("nothing waits")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "ringback.db"


def tell(folder: Path, story: Callable[[Books], object], *changes: tuple[str, str]) -> None:
    """Let something happen in the books."""

    async def happen() -> None:
        books = Books(folder, *changes, clock=Now())
        try:
            await story(books)  # type: ignore[misc]
        finally:
            books.close()

    asyncio.run(happen())


async def texted_back(books: Books) -> None:
    await books.miss("call-9")
    await books.settle("text", Done("a1", gateway="sms", message_ids=("a1",)))


async def others_call(books: Books) -> None:
    """After the backup: somebody else is missed and texted, and the first caller says STOP."""
    await books.miss("call-4", OTHER)
    await books.record(texted("STOP", at=books.clock.now(), source="2"))


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def spoil(path: Path, share: float = 0.9) -> bytes:
    """Noise from the last tenth on; what the file is then."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * share))
        file.write(os.urandom(size - int(size * share)))
    return path.read_bytes()


# ------------------------------------------------------------------------------------------------------------------ backup
def test_a_backup_says_where_it_is_and_what_is_in_it(told: Ringback, tmp_path: Path) -> None:
    (line,) = told.told("backup")
    name, _, facts = line.partition(": ")
    assert Path(name).parent == tmp_path / "var" / "backups"
    assert facts.endswith("MB, 3 leads, 6 events, checked")
    (listed,) = told.told("backup", "--list")
    assert listed.endswith(name)
    assert [entry["file"] for entry in told.json("backup", "--list")] == [name]


def test_a_backup_elsewhere_removes_nothing(told: Ringback, tmp_path: Path) -> None:
    config = tmp_path / "ringback.yaml"
    config.write_text(config.read_text() + "backup: {keep: 1}\n")
    first = told.json("backup")["file"]
    done = told.json("backup")
    assert done["removed"] == [first]
    assert done["rows"]["leads"] == 3
    for _ in range(2):
        assert told.json("backup", str(tmp_path / "stick"))["removed"] == []
    assert len(told.json("backup", str(tmp_path / "stick"), "--list")) == 2
    assert told.told("backup")[1].startswith("removed: ringback-")


def test_where_there_are_no_books_there_is_no_backup(ringback: Ringback) -> None:
    assert "there are no books yet" in ringback("backup").stderr
    assert ringback.told("backup", "--list")[0].startswith("no backups in ")
    result = ringback("restore")
    assert result.exit_code == 1
    assert "there is no sound backup in" in result.stderr


# ----------------------------------------------------------------------------------------------------------------- restore
def test_a_restore_says_what_is_lost_and_keeps_what_was_there(told: Ringback, tmp_path: Path, path: Path) -> None:
    told.json("backup")
    tell(tmp_path, others_call)
    before = spoil(path)
    lines = told.told("restore")
    assert lines[0].startswith(f"restored: {path.parent}/backups/ringback-")
    kept = Path(lines[1].removeprefix("the database of before is kept: "))
    assert kept.read_bytes() == before
    assert any(line.startswith("lost: what happened between ") and "(0 min)" in line for line in lines)
    assert any("judged again from Asterisk's ledger" in line for line in lines)
    assert lines[-1] == "now start Ringback"
    assert [row["lead_id"] for row in told.json("leads")] == [3, 2, 1]


AWAKE = ("quiet_hours: {contact: 8:00-21:00", "quiet_hours: {contact: 0:00-24:00")


def test_what_had_not_begun_is_in_doubt_and_open_plans_go_to_persons(tmp_path: Path, path: Path) -> None:
    async def story(books: Books) -> None:
        await books.miss("call-1")
        await books.settle("text", Done("a1", gateway="sms", message_ids=("a1",)))
        await books.miss("call-2", OTHER)

    tell(tmp_path, story, AWAKE)
    told = Ringback(tmp_path / "ringback.yaml")
    told.json("backup")
    done = told.json("restore")
    assert (done["in_doubt"], done["interrupted"]) == (1, 2)
    assert query(path, "SELECT status, last_error FROM outbox WHERE kind = 'text' AND lead_id = 2") == [
        ("doing", "the books are those of a backup: it may have been carried out since")
    ]
    alerts = query(path, "SELECT body FROM outbox WHERE kind = 'alert'")
    assert sum(json.loads(str(body))["reason"] == "books_lost" for (body,) in alerts) == 2
    story_of_it = told.json("replay", "2")
    assert story_of_it["agrees"]
    assert any("books_restored as of" in line for line in story_of_it["story"])


def test_a_no_that_the_damaged_file_still_tells_is_kept(told: Ringback, tmp_path: Path, path: Path) -> None:
    told.json("backup")
    tell(tmp_path, others_call)
    done = told.json("restore")
    assert done["opt_outs_saved"] == 1
    assert done["opt_outs_complete"]
    assert query(path, f"SELECT DISTINCT state FROM consent WHERE number = '{CALLER}'") == [("opted_out",)]
    assert query(path, "SELECT count(*) FROM events WHERE type = 'OptOutRecorded'") == [(1,)]
    with contextlib.closing(connect(path)) as db:
        window = known(db, OTHER, office="miami").window
    assert window is not None
    assert window.until > datetime.now(UTC) + timedelta(hours=23)  # noqa: TID251


def test_where_no_no_can_be_read_those_who_may_have_said_one_are_left_alone(
    told: Ringback, tmp_path: Path, path: Path
) -> None:
    tell(tmp_path, texted_back)
    told.json("backup")
    path.write_bytes(os.urandom(100_000))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    lines = told.told("restore")
    assert any("caller(s) who were texted in the month before get no text for 30 days" in line for line in lines)
    with contextlib.closing(connect(path)) as db:
        windows = [known(db, CALLER, office=office).window for office in ("miami", "keys")]
        lost_time.judged(db)  # as the catch-up does when it has read the ledger
        lost = lost_time.get(db)
    assert all(window and window.until > datetime.now(UTC) + timedelta(days=29) for window in windows)  # noqa: TID251
    assert lost is not None
    assert not lost.noes_known
    of_lost_time, another = e164("+13055550190"), e164("+13055550191")
    decided: list[tuple[str, ...]] = []

    async def story(books: Books) -> None:
        at = books.clock.now()
        late = missed("lost", of_lost_time, at=at, occurred_at=lost.since, verdict=Verdict.NO_ANSWER)
        await books.record(late)
        for number in (of_lost_time, CALLER, another):
            for office in ("miami", "keys"):
                event = missed(f"{number}-{office}", number, at=at + timedelta(days=2), office=office)
                recorded = await books.record(event)
                decided.append(tuple(decision.rule for decision in recorded.step.decisions))

    tell(tmp_path, story, AWAKE)
    assert decided[:4] == [("FRQ-03",)] * 4, "no office texts them"
    assert all("CNS-01" in rules for rules in decided[4:]), "but it does text whoever called for the first time"
    texted_now = query(path, "SELECT DISTINCT number FROM outbox WHERE kind = 'text' AND status = 'todo'")
    assert texted_now == [(another,)]


def test_calls_of_the_lost_time_are_left_to_persons_and_later_ones_are_not(
    told: Ringback, tmp_path: Path, path: Path
) -> None:
    told.json("backup")
    told.json("restore")
    with contextlib.closing(connect(path)) as db:  # as the catch-up does when it has read the ledger
        lost_time.judged(db)
        lost = lost_time.get(db)
    assert lost is not None
    decided: list[tuple[str, ...]] = []

    async def story(books: Books) -> None:
        for call, number, occurred_at in (
            ("lost", e164("+13055550190"), lost.since),
            ("later", e164("+13055550191"), None),
            ("lost again", e164("+13055550190"), None),
        ):
            recorded = await books.record(
                missed(call, number, at=books.clock.now(), occurred_at=occurred_at, verdict=Verdict.NO_ANSWER)
            )
            decided.append(tuple(decision.rule for decision in recorded.step.decisions))
            assert isinstance(recorded.event, CallMissed)

    tell(tmp_path, story)
    assert decided[0] == ("DBT-02",)
    assert "DBT-02" not in decided[1]
    assert decided[2] == ("FRQ-03",), "the text that may have gone bars another"


def test_before_the_ledger_is_read_nobody_is_known_not_to_have_called(told: Ringback, tmp_path: Path) -> None:
    told.json("backup")
    told.json("restore")
    rules: list[str] = []

    async def story(books: Books) -> None:
        recorded = await books.miss("soon", e164("+13055550190"))
        rules.extend(decision.rule for decision in recorded.step.decisions)

    tell(tmp_path, story)
    assert rules == ["DBT-02"]


def test_without_a_ledger_everybody_is_left_to_persons_for_a_day(told: Ringback, tmp_path: Path, path: Path) -> None:
    config = tmp_path / "ringback.yaml"
    config.write_text(config.read_text() + "pbx: {managed: false, ari: {secret: {env: X}}}\n")
    told.json("backup")
    lines = told.told("restore")
    assert any("nobody can tell them, because pbx.watch.cel names no event log of the PBX" in line for line in lines)
    with contextlib.closing(connect(path)) as db:
        lost = lost_time.get(db)
    assert lost is not None
    assert not lost.unjudged
    assert lost.until > datetime.now(UTC) + timedelta(hours=23)  # noqa: TID251


def test_numbers_that_the_lost_books_gave_away_are_not_given_again(told: Ringback, tmp_path: Path, path: Path) -> None:
    told.json("backup")
    tell(tmp_path, others_call)
    (last_seq,), (last_lead,) = (
        query(path, "SELECT max(seq) FROM events")[0],
        query(path, "SELECT max(id) FROM leads")[0],
    )
    told.json("restore")
    tell(tmp_path, lambda books: books.miss("new", e164("+13055550199")))
    rows = query(path, "SELECT min(id) FROM leads WHERE number = '+13055550199'")
    assert rows[0][0] > last_lead  # type: ignore[operator]
    assert query(path, "SELECT min(seq) FROM events WHERE type = 'BooksRestored'")[0][0] > last_seq  # type: ignore[operator]


def test_a_named_file_is_restored_and_a_damaged_one_is_not(told: Ringback, tmp_path: Path, path: Path) -> None:
    good, torn = told.json("backup")["file"], told.json("backup")["file"]
    spoil(Path(torn), 0.5)
    before = path.read_bytes()
    result = told("restore", torn)
    assert result.exit_code == 1
    assert path.read_bytes() == before
    assert not restoring(path).exists()
    done = told.json("restore")
    assert done["file"] == good
    assert len(done["passed_over"]) == 1
    assert told("restore", good).exit_code == 0


def test_a_restore_waits_for_nobody_who_runs(told: Ringback, path: Path) -> None:
    told.json("backup")
    before = path.read_bytes()
    with exclusive(path.parent):
        result = told("restore")
    assert result.exit_code == 1
    assert "another Ringback runs with" in result.stderr
    assert path.read_bytes() == before


def test_a_restore_that_was_cut_off_is_finished(told: Ringback, path: Path) -> None:
    taken = told.json("backup")["file"]
    backup.copy(Path(taken), path.with_name("draft"))
    backup.finish(path.with_name("draft"), restoring(path))
    path.unlink()
    result = told("leads")
    assert result.exit_code == 1
    result = told("run")
    assert result.exit_code == 1
    assert "run 'ringback restore' again" in result.stderr
    assert "the restore that had begun is finished" in told.told("restore")[0]
    assert len(told.json("leads")) == 3


def test_an_old_backup_says_how_much_is_lost_for_good(told: Ringback, path: Path) -> None:
    taken = Path(told.json("backup")["file"])
    name = f"ringback-{datetime.now(UTC) - timedelta(days=5):%Y%m%dT%H%M%S}.000Z.db"  # noqa: TID251
    old = taken.rename(taken.with_name(name))
    lines = told.told("restore", str(old))
    assert any(line.startswith("lost: ") and "(5 days)" in line for line in lines)
    assert any(line.startswith("calls older than 2 days are not judged again") for line in lines)


def test_what_a_restore_did_is_told_line_by_line(tmp_path: Path) -> None:
    async def story(books: Books) -> None:
        await books.miss("call-1")
        await books.settle("text", Done("a1", gateway="sms", message_ids=("a1",)))
        await books.miss("call-2", OTHER)

    tell(tmp_path, story, AWAKE)
    told = Ringback(tmp_path / "ringback.yaml")
    told.json("backup")

    async def no(books: Books) -> None:
        await books.record(texted("STOP", at=books.clock.now(), source="2"))

    tell(tmp_path, no, AWAKE)
    lines = told.told("restore")
    assert "in doubt: 1 text(s) or callback(s) that may have gone out since: 'ringback outbox'" in lines
    assert "1 lead(s) were being followed up: each is an alert to a person now" in lines  # the no has ended the other
    assert "1 person(s) said no since, as the damaged file tells: kept" in lines


def test_what_root_does_leaves_the_service_its_files(told: Ringback, tmp_path: Path, path: Path) -> None:
    owner = os.geteuid()
    if owner == 0:
        owner = 65534
        for one in (path.parent, *path.parent.rglob("*")):
            os.chown(one, owner, owner)
    told.json("backup")
    told.json("restore")
    assert {one.stat().st_uid for one in path.parent.rglob("*")} == {owner}


def test_a_backup_of_the_future_is_refused(told: Ringback, path: Path) -> None:
    taken = Path(told.json("backup")["file"])
    later = taken.rename(taken.with_name("ringback-20990101T000000.000Z.db"))
    result = told("restore", str(later))
    assert result.exit_code == 1
    assert "set the clock right first" in result.stderr


# ------------------------------------------------------------------------------------------- books nobody can start from
def corrupt(path: Path) -> None:
    spoil(path, 0.3)


def truncated(path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def gone(path: Path) -> None:
    path.unlink()


def newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE _sqlite_migrations SET name = '9999_later' WHERE name = '0002_answers'")


def no_database(path: Path) -> None:
    path.write_text("Dear diary\n" * 1000)


@pytest.mark.parametrize("trouble", [corrupt, truncated, empty, gone, newer, no_database], ids=lambda one: one.__name__)
def test_a_start_from_bad_books_ends_in_a_sentence_and_leaves_them_alone(
    told: Ringback, path: Path, trouble: Callable[[Path], None]
) -> None:
    told.json("backup")
    trouble(path)
    before = path.read_bytes() if path.exists() else None
    done = told.alone("run")
    assert done.returncode == 1, done.stdout + done.stderr
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"ringback: {path}: ")
    assert "ringback restore" in sentence
    assert (path.read_bytes() if path.exists() else None) == before
    assert told("restore").exit_code == 0
    assert len(told.json("leads")) == 3


def test_a_start_from_locked_books_ends_in_a_sentence(told: Ringback, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        done = told.alone("run")
        db.execute("ROLLBACK")
    assert done.returncode == 1
    assert "another process holds it locked: end that one" in done.stderr


def test_what_restore_tells_of_an_opt_out_is_who_asked_for_it(told: Ringback, tmp_path: Path, path: Path) -> None:
    told.json("backup")
    tell(
        tmp_path,
        lambda books: books.record(
            OptOutRecorded(at=books.clock.now(), source_id="command:x", number=OTHER, by="ana", note="at the door")
        ),
    )
    assert told.json("restore")["opt_outs_saved"] == 1
    assert query(path, f"SELECT source FROM consent WHERE number = '{OTHER}'")[0] == ("agent:restore",)


def test_the_way_back_to_an_older_ringback_loses_nothing_and_is_copied_before(told: Ringback, path: Path) -> None:
    newest = told.json("downgrade")
    assert newest[0] == "0001_books"
    leads = told.json("leads")
    with exclusive(path.parent):
        assert "another Ringback runs" in told("downgrade", "--to", "0001").output
    assert told.json("downgrade") == newest

    done = told.json("downgrade", "--to", "0001")
    assert done["schema"] == "0001_books"
    assert done["undone"] == newest[:0:-1]
    assert told.json("downgrade") == ["0001_books"]
    assert query(path, "SELECT count(*) FROM leads") == [(len(leads),)]
    assert backup.inspect(Path(done["backup"])).schema == newest[-1]
    assert "this one would change the tables again" in told("downgrade", "--to", "0001_books").output
    refused = told("downgrade", "--to", "0042")
    assert refused.exit_code == 1
    assert "not changed by 0042: these are: 0001_books" in refused.output
