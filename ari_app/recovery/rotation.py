"""Round robin: whose turn is it."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def next_in_turn(members: Sequence[str], last: str | None, away: Collection[str] = ()) -> str | None:
    """The member after ``last`` who is not away; the first when ``last`` is None or has left; None when all are away."""
    start = members.index(last) + 1 if last in members else 0
    return next((member for member in rotated(members, start) if member not in away), None)


def rotated(members: Sequence[str], start: int) -> list[str]:
    """``members`` beginning with the one at ``start`` (counted round the end)."""
    if not members:
        return []
    start %= len(members)
    return [*members[start:], *members[:start]]
