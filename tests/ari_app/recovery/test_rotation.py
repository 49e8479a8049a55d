"""Whose turn is it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.recovery.rotation import next_in_turn, rotated


@pytest.mark.parametrize(
    ("last", "away", "expected"),
    [
        (None, (), "ana"),
        ("ana", (), "bob"),
        ("cleo", (), "ana"),
        ("somebody who left", (), "ana"),
        ("ana", ("bob",), "cleo"),
        ("bob", ("cleo", "ana"), "bob"),
        ("bob", ("ana", "bob", "cleo"), None),
    ],
)
def test_the_turn_goes_to_the_next_who_is_there(last: str | None, away: tuple[str, ...], expected: str | None) -> None:
    assert next_in_turn(["ana", "bob", "cleo"], last, away) == expected


def test_nobody_has_a_turn_in_an_empty_group() -> None:
    assert next_in_turn([], None) is None
    assert rotated([], 3) == []


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6, unique=True), st.integers(0, 20))
def test_turns_are_shared_evenly(members: list[str], rounds: int) -> None:
    last: str | None = None
    had: dict[str, int] = dict.fromkeys(members, 0)
    for _ in range(rounds * len(members)):
        last = next_in_turn(members, last)
        assert last is not None
        had[last] += 1
    assert set(had.values()) == {rounds}


@given(st.lists(st.integers(), min_size=1, max_size=8), st.integers(-20, 20))
def test_a_rotation_loses_nobody(members: list[int], start: int) -> None:
    turned = rotated([str(member) for member in members], start)
    assert sorted(turned) == sorted(map(str, members))
    assert turned[0] == str(members[start % len(members)])
