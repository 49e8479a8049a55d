"""Catching up from a ledger that a real Asterisk wrote, into real books."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ari_app.calls.audit import AuditReport, audit
from ari_app.calls.catch_up import BOOKMARK, CatchUp
from ari_app.calls.hindsight import ChannelEvent
from ari_app.calls.judging import Hindsight, InlineHindsight, Judged, WatchHindsight
from ari_app.calls.watch_state import WatchRules
from ari_app.errors import StoreDamagedError
from ari_app.recovery.events import CallClosed
from ari_app.recovery.policy import Policy
from ari_app.runtime.recorded import Recorded, Transaction
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.settings.watching import WatchSection
from ari_app.store import bookmarks
from ari_app.store.db import Database, connect, prepare
from ari_app.store.stores import InlineStore
from tests.support import office
from tests.support.waiting import until

SIX_CALLS = Path(__file__).with_name("six_calls.csv")
WATCHED = Path(__file__).with_name("watched_calls.csv")
LINES = SIX_CALLS.read_bytes().splitlines(keepends=True)
SHORTLY_AFTER = datetime.fromtimestamp(float(LINES[-1].split(b'","')[1]), UTC) + timedelta(seconds=10)


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.at = SHORTLY_AFTER

    def now(self) -> datetime:
        return self.at

    async def pause(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Room:
    """Books, a ledger, and who catches up; ``again`` is the same after a restart."""

    def __init__(self, folder: Path, hindsight: Hindsight | None = None) -> None:
        self.folder = folder
        self.hindsight = hindsight or InlineHindsight()
        self.cel = folder / "cel.csv"
        self.database = folder / "ringback.db"
        self.policy = office.policy(
            folder,
            ("mon-fri: 9:00-18:00", "mon-sun: 0:00-24:00"),
            (
                "quiet_hours: {contact: 8:00-21:00",
                "cadence: {ring_seconds: 1, dropped: 0.5s}\nquiet_hours: {contact: 0:00-24:00",
            ),
        )
        self.clock = Clock()
        self.held: set[str] = set()
        prepare(self.database)
        self.again()

    def again(self) -> None:
        self.store = InlineStore(self.database)
        self.recorder = Recorder(self.store, self.clock, PolicyInForce(self.policy, "{}"))
        self.catch_up = CatchUp(self.store, self.recorder, self.clock, self.cel, self.held.__contains__, self.hindsight)

    def verdicts(self) -> list[str]:
        query = "SELECT json_extract(body, '$.verdict') FROM events WHERE source_id LIKE 'call:%' ORDER BY seq"
        db = connect(self.database, readonly=True)
        try:
            return [row[0] for row in db.execute(query)]
        finally:
            db.close()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        db = connect(self.database, readonly=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def lines_of(call: str) -> list[bytes]:
    """What a ledger says of one call."""
    return [
        line
        for line in (*LINES, *WATCHED.read_bytes().splitlines(keepends=True))
        if line.split(b'","')[2] == call.encode()
    ]


def later(line: bytes, by: float) -> bytes:
    """The same, so many seconds later."""
    kind, at, rest = line.split(b'","', 2)
    return b'","'.join((kind, f"{float(at) + by:.6f}".encode(), rest))


def seconds(line: bytes) -> float:
    """When it was written, since 1970."""
    return float(line.split(b'","')[1])


ALL = ["no_answer", "abandoned", "answered", "busy", "no_answer", "answered"]


async def test_every_call_of_the_ledger_gets_its_one_verdict(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    assert await room.catch_up.look() == 6
    assert room.verdicts() == ALL
    assert await room.catch_up.look() == 0
    room.again()
    assert await room.catch_up.look() == 0
    assert room.verdicts() == ALL


async def test_whoever_reached_a_person_afterwards_is_not_texted(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    texted = {row[0] for row in room.rows("SELECT number FROM outbox WHERE kind = 'text' AND status = 'todo'")}
    # 0123 was missed and answered later; 0125 likewise; 0124 gave up, and was busy later.
    assert texted == {"+13055550124"}


async def test_a_miss_after_a_talk_is_answered_when_both_are_caught_up_on_together(room: Room) -> None:
    talk, miss = lines_of("ringback-1795489283.7"), lines_of("ringback-1795489273.0")
    room.cel.write_bytes(b"".join([*talk, *(later(line, 60.0) for line in miss)]))
    room.clock.at = SHORTLY_AFTER + timedelta(minutes=2)
    assert await room.catch_up.look() == 2
    assert room.verdicts() == ["answered", "no_answer"]
    assert room.rows("SELECT number, status FROM outbox WHERE kind = 'text'") == [("+13055550123", "todo")]
    assert room.rows("SELECT 1 FROM decisions WHERE rule = 'AGE-03'") == []


@pytest.mark.parametrize(
    ("talk", "miss", "hindsight"),
    [
        pytest.param("ringback-1795489283.7", "ringback-1795489273.0", InlineHindsight(), id="on our own PBX"),
        pytest.param(
            "1795517662.2000", "1795517643.1000", WatchHindsight(WatchSection(), WatchRules()), id="on a watched PBX"
        ),
    ],
)
async def test_a_miss_in_the_middle_of_a_talk_that_another_call_of_theirs_had_begun_is_answered(
    tmp_path: Path, talk: str, miss: str, hindsight: Hindsight
) -> None:
    room = Room(tmp_path, hindsight)
    talking, missed = lines_of(talk), lines_of(miss)
    parted = next(n for n, line in enumerate(talking) if line.startswith(b'"BRIDGE_EXIT'))
    talking[parted:] = [later(line, 120.0) for line in talking[parted:]]
    missed = [later(line, seconds(talking[0]) - seconds(missed[0]) + 20.0) for line in missed]
    ledger: list[bytes] = sorted([*talking, *missed], key=seconds)
    room.cel.write_bytes(b"".join(ledger).replace(b"13055550201", b"13055550107"))
    room.clock.at = datetime.fromtimestamp(seconds(talking[-1]) + 10.0, UTC)
    assert await room.catch_up.look() == 2
    assert room.verdicts()[1] == "answered", "the talk ends last"
    assert room.rows("SELECT number, status FROM outbox WHERE kind = 'text'") == [("+13055550123", "todo")]


async def test_it_does_not_matter_where_the_reading_was_cut(room: Room) -> None:
    for line in LINES:
        with room.cel.open("ab") as file:
            file.write(line[:20])
            file.flush()
            await room.catch_up.look()
            file.write(line[20:])
            file.flush()
            await room.catch_up.look()
            room.again()  # killed, and started again
    await room.catch_up.look()
    assert sorted(room.verdicts()) == sorted(ALL)


async def test_a_renamed_ledger_is_read_to_its_end(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:20]))
    await room.catch_up.look()
    with room.cel.open("ab") as file:
        file.write(b"".join(LINES[20:40]))
    room.cel.rename(room.folder / "cel.csv.1")
    room.cel.write_bytes(b"".join(LINES[40:]))
    room.again()
    await room.catch_up.look()
    assert sorted(room.verdicts()) == sorted(ALL)


async def test_a_ledger_that_is_gone_is_told_and_the_new_one_is_read(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:5]))
    await room.catch_up.look()
    (room.folder / "other").write_bytes(b"")  # takes the inode that comes free
    room.cel.unlink()
    (room.folder / "cel.new").write_bytes(SIX_CALLS.read_bytes())
    (room.folder / "cel.new").rename(room.cel)
    await room.catch_up.look()
    assert sorted(room.verdicts()) == sorted(ALL)


async def test_a_call_that_a_session_still_holds_is_left_to_it(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    first = LINES[0].split(b'","')[2].decode()
    room.held.add(first)
    assert await room.catch_up.look() == 5
    room.held.clear()
    assert await room.catch_up.look() == 1


async def test_a_call_that_has_just_ended_is_left_for_a_moment(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    room.clock.at = SHORTLY_AFTER - timedelta(seconds=9)
    assert await room.catch_up.look() == 4
    room.clock.at = SHORTLY_AFTER
    assert await room.catch_up.look() == 2


async def test_a_call_that_was_judged_live_is_not_judged_again(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    before = room.verdicts()
    room.again()
    await room.store.write(lambda db: db.execute("DELETE FROM bookmarks"))
    assert await room.catch_up.look() == 0
    assert room.verdicts() == before


async def test_a_call_that_was_cut_off_with_asterisk_is_judged_once_it_is_known_to_be_gone(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:5]))  # a phone rings, and then Asterisk dies
    assert await room.catch_up.look() == 0
    first = LINES[0].split(b'","')[2].decode()
    room.catch_up.asterisk_has(frozenset({first}))
    assert await room.catch_up.look() == 0  # it is there still
    room.catch_up.asterisk_has(frozenset())
    assert await room.catch_up.look() == 1
    assert room.verdicts() == ["abandoned"]


async def test_after_the_clock_was_put_back_nobody_waits_until_the_time_comes_again(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    room.clock.at -= timedelta(hours=2)
    assert await room.catch_up.look() == 6


async def test_calls_of_long_ago_are_not_answered_any_more(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    room.clock.at += timedelta(days=3)
    assert await room.catch_up.look() == 0


async def test_calls_of_long_ago_that_came_while_we_were_away_are_told_to_a_person(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:12]))
    assert await room.catch_up.look() == 1
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    room.clock.at += timedelta(days=3)
    room.again()
    assert await room.catch_up.look() == 5
    assert room.verdicts() == ALL
    # Saturday's misses on Tuesday: nobody is texted, and a person is told.
    assert room.rows("SELECT rule FROM decisions WHERE action = 'text' AND rule = 'AGE-02'")
    since = "(SELECT max(created_at) FROM outbox)"
    assert {row[0] for row in room.rows(f"SELECT kind FROM outbox WHERE created_at = {since}")} >= {"alert"}
    assert room.rows(f"SELECT 1 FROM outbox WHERE kind = 'text' AND created_at = {since}") == []


async def test_every_ledger_that_was_renamed_while_we_were_away_is_read(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:20]))
    await room.catch_up.look()
    with room.cel.open("ab") as file:
        file.write(b"".join(LINES[20:25]))
    for last, lines in (("cel.csv.1", LINES[25:35]), ("cel.csv.2", LINES[35:45]), ("cel.csv.3", LINES[45:])):
        room.cel.rename(room.folder / last)
        room.cel.write_bytes(b"".join(lines))
    stamped(room.folder / "cel.csv.1", room.folder / "cel.csv.2", room.folder / "cel.csv.3", room.cel)
    room.again()
    await room.catch_up.look()
    assert sorted(room.verdicts()) == sorted(ALL)


async def test_a_ledger_that_was_compressed_before_it_was_read_is_told(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:20]))
    await room.catch_up.look()
    room.cel.rename(room.folder / "cel.csv.2")
    (room.folder / "cel.csv.1.gz").write_bytes(b"\x1f\x8b")
    room.cel.write_bytes(b"".join(LINES[40:]))
    stamped(room.folder / "cel.csv.2", room.folder / "cel.csv.1.gz", room.cel)
    room.again()
    with capture_logs() as logs:
        await room.catch_up.look()
    assert [(log["event"], log["lost"]) for log in logs if log["event"] == "ledger_damaged"] == [
        ("ledger_damaged", True)
    ]


def stamped(*files: Path) -> None:
    """As if they had been written in this order, a day each."""
    for day, path in enumerate(files):
        os.utime(path, (day * 86400.0, day * 86400.0))


async def test_a_damaged_line_does_not_hide_the_others(room: Room) -> None:
    room.cel.write_bytes(b"garbage\xff\n" + SIX_CALLS.read_bytes() + b'"HANGUP","x"\n')
    assert await room.catch_up.look() == 6


async def test_a_call_that_cannot_be_recorded_is_told_and_keeps_no_other_back(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    with connect(room.database).conn as db:  # a lead of another release, which this one cannot read
        db.execute(
            "INSERT INTO leads VALUES (1, '+13055550124', 'miami', 'idle', ?, ?, '{\"colour\": \"red\"}')",
            [SHORTLY_AFTER.isoformat()] * 2,
        )
    with capture_logs() as logs:
        assert await room.catch_up.look() == 4
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["calls_defect", *["call_defect"] * 2]
    assert room.verdicts() == ["no_answer", "answered", "no_answer", "answered"]
    room.again()
    assert await room.catch_up.look() == 0, "it is not met again at the next start"
    report = await audited(room)
    assert len(report.findings) == 2, "the audit names them"


async def test_a_call_that_cannot_be_judged_is_told_and_keeps_no_other_back(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = InlineHindsight.judge

    def defective(self: InlineHindsight, events: Sequence[ChannelEvent], policy: Policy) -> Judged | None:
        if events[0].linkedid.endswith("273.0"):
            raise ZeroDivisionError
        return judge(self, events, policy)

    monkeypatch.setattr(InlineHindsight, "judge", defective)
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    with capture_logs() as logs:
        assert await room.catch_up.look() == 5
    assert [entry["call_id"] for entry in logs if entry["event"] == "call_defect"] == ["ringback-1795489273.0"]


@pytest.mark.parametrize("calls", [1, 6], ids=["one by one", "all together"])
async def test_a_database_that_is_damaged_is_no_trouble_of_one_call(
    room: Room, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(job: Transaction) -> list[Recorded]:
        tried.append(job)
        if len(tried) == 1 and calls == 1:
            raise ZeroDivisionError
        raise StoreDamagedError("ringback.db", "malformed")

    tried: list[Transaction] = []
    monkeypatch.setattr(room.recorder, "transact", broken)
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    with pytest.raises(StoreDamagedError):
        await room.catch_up.look()


async def test_a_ledger_that_cannot_be_read_is_tried_again(room: Room) -> None:
    room.cel.mkdir()
    with pytest.raises(OSError, match="directory"):
        await room.catch_up.look()
    running = asyncio.get_running_loop().create_task(room.catch_up.run())
    room.cel.rmdir()
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    room.catch_up.asterisk_has(frozenset())
    await until(lambda: len(room.verdicts()) == 6, what="all calls to be caught up on")
    running.cancel()


async def test_the_bookmark_stays_before_the_oldest_call_that_is_not_judged(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:14]))  # the first is over, the second has begun
    await room.catch_up.look()
    saved = await room.store.read(lambda db: bookmarks.get(db, BOOKMARK))
    assert saved is not None
    assert int(saved.partition(":")[2]) == sum(map(len, LINES[:12]))


# --------------------------------------------------------------------------------------------------------------- audit
async def test_the_audit_is_clean_when_every_call_has_its_outcome(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    report = await room.store.read(
        lambda db: audit(db, room.cel, SHORTLY_AFTER - timedelta(hours=1), InlineHindsight(), room.policy)
    )
    assert (report.calls, report.under_way, report.late, report.findings) == (6, 0, 6, ())


async def test_the_audit_counts_a_call_that_was_cut_off_with_asterisk_once_it_has_its_outcome(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:5]))
    report = await room.store.read(
        lambda db: audit(db, room.cel, SHORTLY_AFTER - timedelta(hours=1), InlineHindsight(), room.policy)
    )
    assert (report.calls, report.under_way) == (0, 1)
    await room.catch_up.look()
    room.catch_up.asterisk_has(frozenset())
    await room.catch_up.look()
    report = await room.store.read(
        lambda db: audit(db, room.cel, SHORTLY_AFTER - timedelta(hours=1), InlineHindsight(), room.policy)
    )
    assert (report.calls, report.under_way, report.late, report.findings) == (1, 0, 1, ())


async def test_the_audit_names_each_call_without_an_outcome(room: Room) -> None:
    room.cel.write_bytes(b"".join(LINES[:14]))
    report = await room.store.read(
        lambda db: audit(db, room.cel, SHORTLY_AFTER - timedelta(hours=1), InlineHindsight(), room.policy)
    )
    assert (report.calls, report.under_way) == (1, 1)
    assert [one.why for one in report.findings] == ["no outcome in the journal"]


async def test_the_audit_sees_when_the_two_books_differ(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    change = (
        "UPDATE events SET body = json_set(body, '$.verdict', ?, '$.answered_by', ?, '$.talk_seconds', ?)"
        " WHERE source_id LIKE 'call:%' AND json_extract(body, '$.caller') = '+13055550125'"
        " AND json_extract(body, '$.verdict') = ?"
    )
    for values in (["answered", "101", 2.0, "no_answer"], ["no_answer", None, None, "answered"]):

        def falsify(db: Database, values: Sequence[object] = values) -> None:
            db.execute("DELETE FROM events WHERE source_id LIKE 'answered:%'")
            db.execute(change, values)

        await room.store.write(falsify)
        report = await room.store.read(
            lambda db: audit(db, room.cel, SHORTLY_AFTER - timedelta(hours=1), InlineHindsight(), room.policy)
        )
        assert any(f"says {values[0]}" in one.why for one in report.findings)


async def test_a_phone_that_was_lifted_and_not_joined_before_asterisk_died_is_no_difference(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    lines = [line for line in LINES if not line.startswith((b'"BRIDGE_ENTER"', b'"BRIDGE_EXIT"'))]
    assert len(lines) < len(LINES)
    room.cel.write_bytes(b"".join(lines))
    report = await room.store.read(
        lambda db: audit(db, room.cel, SHORTLY_AFTER - timedelta(hours=1), InlineHindsight(), room.policy)
    )
    assert (report.calls, report.findings) == (6, ())


async def test_the_audit_reads_renamed_ledgers_too_and_only_calls_since_then(room: Room) -> None:
    (room.folder / "cel.csv.1").write_bytes(b"".join(LINES[:30]))
    room.cel.write_bytes(b"".join(LINES[30:]))
    since = SHORTLY_AFTER - timedelta(hours=1)
    report = await room.store.read(lambda db: audit(db, room.cel, since, InlineHindsight(), room.policy))
    assert report.calls == 6
    late = await room.store.read(
        lambda db: audit(db, room.cel, SHORTLY_AFTER - timedelta(seconds=12), InlineHindsight(), room.policy)
    )
    assert late.calls == 1


async def test_a_call_without_an_entry_is_recorded_as_unrouted(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes().replace(b"13055550107", b"13055559999"))
    await room.catch_up.look()
    assert room.verdicts()[0] == "unrouted"
    assert CallClosed.__name__ in {row[0] for row in room.rows("SELECT type FROM events")}


async def audited(room: Room, ago: timedelta = timedelta(hours=1)) -> AuditReport:
    return await room.store.read(lambda db: audit(db, room.cel, SHORTLY_AFTER - ago, InlineHindsight(), room.policy))


async def test_without_a_ledger_nothing_is_proved(room: Room) -> None:
    report = await audited(room)
    assert (report.calls, report.findings, report.begins_at, report.proves) == (0, (), None, False)


async def test_a_ledger_that_tells_of_no_call_since_then_is_one(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    stamped(room.cel)
    report = await audited(room, timedelta(0))
    assert (report.calls, report.proves) == (0, True)


async def test_a_line_that_cannot_be_read_may_have_been_a_call(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    assert (await audited(room)).proves
    room.cel.write_bytes(SIX_CALLS.read_bytes() + b"half a li\n")
    report = await audited(room)
    assert (report.unreadable, report.findings, report.proves) == (1, (), False)


async def test_a_call_of_the_journal_that_asterisk_knows_nothing_of_is_named(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    first = LINES[0].split(b'","')[2]
    later = [line for line in LINES if line.split(b'","')[2] != first]
    room.cel.write_bytes(LINES[0].replace(first, b"of-before") + b"".join(later))
    report = await audited(room)
    assert [(one.call_id, one.why) for one in report.findings] == [
        (first.decode(), "in the journal, and not in Asterisk's event log")
    ]


async def test_calls_of_before_the_ledger_are_counted_and_not_proved(room: Room) -> None:
    room.cel.write_bytes(SIX_CALLS.read_bytes())
    await room.catch_up.look()
    room.cel.write_bytes(b"".join(LINES[30:]))
    report = await audited(room)
    assert (report.findings, report.proves) == ((), False)
    assert (report.unproved, report.calls) == (2, 3), "one more began before the ledger does, and ends in it"
