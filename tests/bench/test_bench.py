"""The arithmetic and the command of the benches. What they measure is never asserted."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.bench import __main__ as command
from tests.bench import books, chaos, missed_calls
from tests.bench.figures import Spread, percentile
from tests.bench.machine import Machine, cpu_seconds_of
from tests.bench.processes import Control, command_line, helper


def test_a_percentile_is_a_value_that_was_measured() -> None:
    series = [float(value) for value in range(1, 101)]
    assert [percentile(series, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]
    assert percentile([3.0], 0.99) == 3.0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_so_many_values_are_at_most_the_percentile(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-6


@pytest.mark.parametrize("values", [[], [2.0, 1.0]])
def test_a_percentile_of_nothing_or_of_disorder_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="in ascending order"):
        percentile(values, 0.5)


def test_a_spread_sorts_for_itself() -> None:
    spread = Spread.of([0.003, 0.001, 0.002])
    assert spread == Spread(3, 0.002, 0.003, 0.003)
    assert spread.milliseconds() == "p50 2.0 ms, p99 3.0 ms, worst 3.0 ms"


def test_without_a_name_every_bench_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("missed-calls", "smpp", "durable-texts", "scale"))


def test_an_unknown_name_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        command.main(["faster"])
    assert refused.value.code == 2
    assert "durable-texts" in capsys.readouterr().err


@dataclass(frozen=True)
class Found:
    """A result of a bench that measures nothing."""

    calls: int


@pytest.mark.parametrize("file", [None, "figures.json"])
def test_json_without_a_file_is_all_of_standard_output(
    file: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``scripts/bench chaos --json``; the tables go where they disturb nobody."""

    def bench(console: Console, *, quick: bool, minutes: float, seed: int) -> Found:
        console.print(f"a table of {minutes:g} minutes")
        return Found(3)

    monkeypatch.setattr(chaos, "bench", bench)
    monkeypatch.chdir(tmp_path)
    assert command.main(["chaos", "--json", *([] if file is None else [file])]) == 0
    said = capsys.readouterr()
    facts = json.loads(said.out if file is None else Path(file).read_text())
    assert (facts["bench"], facts["result"]) == ("chaos", {"calls": 3})
    assert "a table of 5 minutes" in (said.err if file is None else said.out)


def test_each_bench_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in command.BENCHES if f"## {name}" not in text] == []


def test_the_machine_is_named() -> None:
    machine = Machine.here()
    assert machine.cores >= 1
    assert machine.python in machine.sentence()
    assert cpu_seconds_of(os.getpid()) > 0.0


def test_callers_are_told_apart_and_are_ordinary_numbers() -> None:
    assert len({books.caller(number) for number in (0, 999_999, 1_000_000, 2_000_000, 3_999_999)}) == 5
    assert books.caller(1_000_007) == "+17862000007"


def test_phones_that_ring_at_one_time_are_counted() -> None:
    at_once = missed_calls._at_once
    assert at_once([]) == 0
    assert at_once([(0.0, 1.0), (1.0, 2.0)]) == 1, "one stopped as the other began"
    assert at_once([(0.0, 3.0), (1.0, 2.0), (1.5, 4.0)]) == 3


def test_a_phones_log_tells_when_it_rang_for_whom() -> None:
    line = "phone From: <sip:13052000017@127.0.0.1>;tag=x 2026-11-24\t02:47:24.123456\t1795488444.123456"
    assert missed_calls._RANG.findall(line) == [("13052000017", "1795488444.123456")]


def test_options_become_words_of_a_command() -> None:
    words = command_line("python", "some.module", port=5, waiting=True, core=None, quiet=False)
    assert words == ["python", "-m", "some.module", "--port", "5", "--waiting"]


def test_the_probe_tells_how_late_its_timer_was_and_how_long_syncs_took(tmp_path: Path) -> None:
    with helper("tests.bench.probe", folder=tmp_path) as probe:
        found: dict[str, list[float]] = {"late": [], "sync": []}
        while not (found["late"] and found["sync"]):
            found = {name: found[name] + values for name, values in probe.ask().items()}
    assert min(found["late"] + found["sync"]) >= -1e-3
    control = Control(Spread.of(found["late"]), Spread.of(found["sync"]))
    assert "fdatasync" in control.sentence()
    assert json.dumps(found)
