"""A running Asterisk as the oracle of patterns.py: 300 sets of patterns, and what it takes for each number.

Every set is a context of its own. ``dialplan show NUMBER@CONTEXT`` prints the matches in the order in which Asterisk takes
them. The sets are drawn by a fixed seed, so that a difference can be looked at again.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

import pytest

from ari_app.recovery.patterns import Pattern, most_specific
from tests.support.asterisk import TestPbx
from tests.support.waiting import until_sync

pytestmark = pytest.mark.e2e

SETS, NUMBERS = 300, 6
_PIECES = [
    *"0123456789",
    *"0123456789",
    *"XZNxzn",
    "[2-5]",
    "[257]",
    "[13]",
    "[0-9]",
    "[2-9]",
    "[1-9]",
    "[4]",
    "[*#]",
    "*",
    "#",
]
_MATCH = re.compile(r"^\s+'([^']+)' =>", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """Patterns that stand in one context, and numbers that are looked up in it."""

    patterns: tuple[str, ...]
    numbers: tuple[str, ...]


FIXED = {
    "specificity": Case(
        ("123", "_123", "_12[3]", "_12[34]", "_12N", "_12Z", "_12X", "_12.", "_12!"),
        ("123", "124", "125", "121", "120", "1200", "12"),
    ),
    "sets-of-one-size": Case(("_1[29]", "_1[38]", "_1[23]", "_1[89]"), ("12", "13", "18", "19")),
    "tails": Case(("_1.", "_1!", "_1X!", "_1X."), ("1", "12", "123")),
    "the-end-of-a-pattern": Case(("_1X", "_1X!", "_1."), ("12", "123")),
    "numbers": Case(
        ("_1305555010X", "13055550107", "_1305555[0-4]XXX", "_1NXXNXXXXXX", "_1!"),
        ("13055550107", "13055550100", "13055551234", "13055559999", "130"),
    ),
}
"""The rules of specificity, one by one; also dialled."""


def draw(chance: random.Random) -> Case:
    """Patterns that compete: variations of one, so that several match the same number."""
    length = chance.randint(1, 5)
    number = "".join(chance.choice("0123456789") for _ in range(length))
    patterns: dict[tuple[object, ...], str] = {}
    for _ in range(chance.randint(2, 6)):
        text = _variation(number, chance)
        pattern = Pattern.parse(text)
        patterns.setdefault((pattern.literal, pattern.sets, pattern.tail), text)  # Asterisk refuses the same twice
    numbers = {number, number[:-1] or "0", number + chance.choice("0123456789*#")}
    while len(numbers) < NUMBERS:
        numbers.add(
            "".join(chance.choice([digit, chance.choice("0123456789")]) for digit in number) + chance.choice(["", "5"])
        )
    return Case(tuple(patterns.values()), tuple(sorted(numbers)))


def _variation(number: str, chance: random.Random) -> str:
    if chance.random() < 0.15:
        return number
    fitting = [[piece for piece in _PIECES if Pattern.parse(f"_{piece}").matches(digit)] for digit in number]
    body = [chance.choice(pieces if chance.random() < 0.85 else _PIECES) for pieces in fitting]
    kept = body[: chance.choice([len(body), len(body), max(1, len(body) - 1)])]
    if len(kept) > 2 and chance.random() < 0.1:
        kept.insert(2, "-")
    return "_" + "".join(kept) + chance.choice(["", "", ".", "!"])


@pytest.fixture(scope="module")
def cases(shared_pbx: TestPbx) -> dict[str, Case]:
    """All sets, loaded into the running Asterisk; by context."""
    chance = random.Random(20261124)
    drawn = {f"oracle-{index}": draw(chance) for index in range(SETS)}
    drawn |= FIXED
    lines = [
        f"[{name}]\n" + "".join(f"exten = {text},1,Set(GLOBAL({name}-${{EXTEN}})={text})\n" for text in case.patterns)
        for name, case in drawn.items()
    ]
    config = shared_pbx.folders.etc / "extensions.conf"
    kept = config.read_text()
    config.write_text(kept + "\n" + "\n".join(lines))
    try:
        shared_pbx.process.cli("dialplan reload")
    finally:
        config.write_text(kept)
    return drawn


def taken(pbx: TestPbx, context: str, number: str) -> str | None:
    """The pattern that Asterisk takes for ``number``: the first that it prints."""
    found = _MATCH.search(pbx.process.cli(f"dialplan show {number}@{context}"))
    return None if found is None else found[1]


@pytest.mark.timeout(240)  # two thousand questions to a PBX that others may keep busy
def test_asterisk_takes_what_the_core_takes(shared_pbx: TestPbx, cases: dict[str, Case]) -> None:
    differences = []
    for context, case in cases.items():
        patterns = [Pattern.parse(text) for text in case.patterns]
        for number in case.numbers:
            ours = most_specific(patterns, number)
            theirs = taken(shared_pbx, context, number)
            if (None if ours is None else ours.text) != theirs:
                differences.append(f"{number} among {case.patterns}: Asterisk {theirs}, we {ours and ours.text}")
    assert differences == []


def test_calls_go_where_the_core_says(shared_pbx: TestPbx, cases: dict[str, Case]) -> None:
    expected = set()
    for module in ("res_clioriginate.so", "func_global.so"):
        shared_pbx.process.cli(f"module load {module}")
    for context, case in FIXED.items():
        assert case == cases[context]
        patterns = [Pattern.parse(text) for text in case.patterns]
        for number in case.numbers:
            ours = most_specific(patterns, number)
            assert ours is not None
            expected.add(f"{context}-{number}={ours.text}")
            shared_pbx.process.cli(f"channel originate Local/{number}@{context} application NoOp")

    def went() -> set[str]:
        lines = shared_pbx.process.cli("dialplan show globals").splitlines()
        return {line.strip() for line in lines if line.strip().startswith(tuple(FIXED))}

    until_sync(lambda: len(went()) >= len(expected), within=20.0, what="all calls to have arrived")
    assert went() == expected


def test_the_sets_are_worth_asking_about(cases: dict[str, Case]) -> None:
    matching = [
        sum(Pattern.parse(text).matches(number) for text in case.patterns)
        for case in cases.values()
        for number in case.numbers
    ]
    assert len(matching) > 1500
    assert sum(count >= 2 for count in matching) > 400, "competition"
    assert sum(count == 0 for count in matching) > 100, "numbers that nothing matches"
