"""The embedded CRM: one file of JSON lines."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ari_app.crm import jsonl
from ari_app.crm.jsonl import JsonLines
from ari_app.crm.port import payload
from ari_app.recovery.values import EffectId, LeadId
from ari_app.runtime.outcome import Done, RetryAt
from tests.support.books import NOON, StandingClock
from tests.support.effects import RECORD
from tests.support.programs import run_program

PUSH = EffectId("12.3")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "crm" / "leads.jsonl"


@pytest.fixture
def crm(path: Path) -> JsonLines:
    return JsonLines(path, StandingClock())


def octets(path: Path) -> bytes:
    return path.read_bytes()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def begin(path: Path, content: bytes) -> None:
    """The file as somebody else has left it."""
    path.parent.mkdir()
    path.write_bytes(content)


def lines(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


async def test_every_push_is_one_line_after_those_that_stand_there(crm: JsonLines, path: Path) -> None:
    assert await crm.push(PUSH, RECORD, 1) == Done(ref="12.3")
    await crm.push(EffectId("13.0"), replace(RECORD, misses=2), 1)
    first, second = lines(path)
    assert first == {"id": "12.3", "at": "2026-11-24T17:00:00+00:00", "lead": payload(RECORD)}
    assert (second["id"], second["lead"]["misses"]) == ("13.0", 2)  # type: ignore[index]
    assert octets(path).endswith(b"}\n")
    await crm.close()


async def test_a_new_file_is_not_for_everybody_and_an_old_one_keeps_its_mode(crm: JsonLines, path: Path) -> None:
    await crm.push(PUSH, RECORD, 1)
    assert mode(path) & 0o007 == 0
    os.chmod(path, 0o664)
    await crm.push(PUSH, RECORD, 1)
    assert mode(path) == 0o664


async def test_a_repetition_whose_line_stands_there_adds_none(crm: JsonLines, path: Path) -> None:
    await crm.push(PUSH, RECORD, 1)
    assert await crm.push(PUSH, RECORD, 2) == Done(ref="12.3")
    assert len(lines(path)) == 1


async def test_a_repetition_whose_line_was_never_written_adds_it(crm: JsonLines, path: Path) -> None:
    await crm.push(EffectId("12.30"), RECORD, 1)
    assert await crm.push(PUSH, RECORD, 2) == Done(ref="12.3")
    assert [line["id"] for line in lines(path)] == ["12.30", "12.3"]


async def test_the_same_id_of_books_begun_anew_is_another_push(crm: JsonLines, path: Path) -> None:
    await crm.push(PUSH, RECORD, 1)
    await crm.push(PUSH, replace(RECORD, lead_id=LeadId(8)), 2)
    assert [line["lead"]["lead_id"] for line in lines(path)] == [7, 8]  # type: ignore[index]


async def test_pushes_at_the_same_time_do_not_mix(crm: JsonLines, path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(20):
            group.create_task(crm.push(EffectId(f"{n}.0"), RECORD, 1))
    assert {line["id"] for line in lines(path)} == {f"{n}.0" for n in range(20)}


# ------------------------------------------------------------------------------------------------------------ torn lines
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.0, 1.0))
def test_wherever_a_crash_tears_the_last_line_every_line_is_whole_afterwards(tmp_path: Path, share: float) -> None:
    path = tmp_path / "leads.jsonl"
    path.unlink(missing_ok=True)
    crm = JsonLines(path, StandingClock())

    async def story() -> None:
        await crm.push(EffectId("1.0"), RECORD, 1)
        whole = path.stat().st_size
        await crm.push(EffectId("2.0"), RECORD, 1)
        torn = whole + round(share * (path.stat().st_size - whole))
        os.truncate(path, torn)  # the process died here, and its row is still "doing"
        await crm.push(EffectId("2.0"), RECORD, 2)
        await crm.push(EffectId("3.0"), RECORD, 1)

    asyncio.run(story())
    assert [line["id"] for line in lines(path)] == ["1.0", "2.0", "3.0"]


async def test_what_a_crash_has_torn_off_is_told(crm: JsonLines, path: Path) -> None:
    begin(path, b'{"id":"1.0"}\n{"id":"2.0","at":"20')
    with capture_logs() as logs:
        await crm.push(PUSH, RECORD, 1)
    assert [line["id"] for line in lines(path)] == ["1.0", "12.3"]
    assert [(entry["event"], entry["octets"]) for entry in logs] == [("torn_line_removed", 20)]


async def test_a_last_line_without_its_line_feed_is_kept(crm: JsonLines, path: Path) -> None:
    begin(path, b'{"id":"1.0"}')
    await crm.push(PUSH, RECORD, 1)
    assert [line["id"] for line in lines(path)] == ["1.0", "12.3"]


async def test_a_file_that_is_none_of_ours_is_not_cut(
    crm: JsonLines, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "TAIL_OCTETS", 100)
    begin(path, b"x" * 500)
    await crm.push(PUSH, RECORD, 1)
    assert octets(path).startswith(b"x" * 500 + b'\n{"id":"12.3"')


# --------------------------------------------------------------------------------------------------------------- the disk
KILLED = """
import asyncio, os, sys
from pathlib import Path
from ari_app.crm.jsonl import JsonLines
from ari_app.recovery.values import EffectId
from tests.support.books import StandingClock
from tests.support.effects import RECORD

async def main():
    crm = JsonLines(Path(sys.argv[1]), StandingClock())
    for n in range(10):
        await crm.push(EffectId(f"{n}.0"), RECORD, 1)
        print(n, flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def test_what_was_acknowledged_is_there_after_a_kill(path: Path) -> None:
    done = run_program(KILLED, path)
    assert done.returncode == -9, done.stderr
    assert [line["id"] for line in lines(path)] == [f"{n}.0" for n in done.stdout.split()]


@pytest.fixture
def small_files() -> Iterator[int]:
    """Files may not grow beyond so many octets, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = 1500
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_on_a_full_disk_a_push_waits_and_leaves_no_half_of_itself(
    crm: JsonLines, path: Path, small_files: int
) -> None:
    outcomes = [await crm.push(EffectId(f"{n}.0"), RECORD, 1) for n in range(5)]
    done = [f"{n}.0" for n, outcome in enumerate(outcomes) if isinstance(outcome, Done)]
    assert 0 < len(done) < 5
    waiting = outcomes[-1]
    assert isinstance(waiting, RetryAt)
    assert waiting.at == NOON + timedelta(seconds=2)
    assert waiting.why == f"leads.jsonl: {os.strerror(errno.EFBIG)}"
    assert len(octets(path)) <= small_files
    assert [line["id"] for line in lines(path)] == done


async def test_a_file_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outcome = await JsonLines(tmp_path / "file" / "leads.jsonl", StandingClock()).push(PUSH, RECORD, 5)
    assert isinstance(outcome, RetryAt)
    assert outcome.at == NOON + timedelta(seconds=32)


async def test_a_disk_that_takes_a_line_in_pieces_gets_all_of_it(
    crm: JsonLines, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, octets: write(file, octets[:7]))
    await crm.push(PUSH, RECORD, 1)
    assert [line["id"] for line in lines(path)] == ["12.3"]
