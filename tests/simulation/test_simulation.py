"""A thousand simulated days; the same seed is the same day; and bugs planted on purpose are caught."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import report
from tests.simulation.planted import IgnoreRefusals, ResendAfterCrash, ResendInDoubt
from tests.simulation.process import Composition
from tests.simulation.world import Day, simulate

SEEDS = 1000
CHUNK = 50
PROJECT = Path(__file__).parents[2]

pytestmark = [pytest.mark.final, pytest.mark.no_cover, pytest.mark.timeout(300)]
"""What they run is covered by tests that say what it should do; measuring these costs half as much again as living them.
Fifty days are some ten seconds of computing, and a busy machine may take its time over them."""


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_on_no_simulated_day_is_a_rule_broken(first: int) -> None:
    for seed in range(first, first + CHUNK):
        day = simulate(seed)
        assert not day.violations, report(simulate(seed, telling=True))


def test_the_days_are_busy() -> None:
    days = [simulate(seed) for seed in range(40)]
    assert sum(day.steps for day in days) > 800
    assert sum(day.texts for day in days) > 40
    assert sum(day.processes - 1 for day in days) > 20


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        (ResendAfterCrash, "was sent twice"),
        (ResendInDoubt, "was sent twice"),
        (IgnoreRefusals, "who had said no before"),
    ],
)
def test_a_planted_bug_is_caught_within_200_seeds(bug: type[Composition], words: str) -> None:
    caught = next((day for seed in range(200) if (day := simulate(seed, bug())).violations), None)
    assert caught is not None
    assert words in caught.violations[0]
    assert not simulate(caught.seed).violations, "without the bug, the same day is a good one"


def test_a_seed_tells_the_same_story_whatever_process_runs_it() -> None:
    def story(hash_seed: str, seed: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", str(seed)],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout

    for seed in (13, 28):
        told = story("1", seed)
        assert "process: killed" in told
        assert told == story("2", seed)


def test_a_broken_rule_prints_the_story_and_how_to_see_it_again() -> None:
    caught = next(seed for seed in range(200) if simulate(seed, ResendInDoubt()).violations)
    words = report(simulate(caught, ResendInDoubt(), telling=True))
    assert "< call_missed" in words
    assert "VIOLATION: text" in words
    assert words.endswith(f"again: python -m tests.simulation --seed {caught}\n")


def test_a_seed_that_does_not_fail_again_says_so() -> None:
    assert "does not reproduce" in report(Day(7, (), None, 0, 0, 1))
