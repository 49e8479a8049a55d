"""``ringback audit``: what it says, and that it is not content with nothing."""

from __future__ import annotations

from pathlib import Path

from ari_app.pbx_setup import pbx_folders
from ari_app.settings.loading import load
from tests.ari_app.cli.ringback import Ringback

SIX_CALLS = Path(__file__).parents[1] / "calls" / "six_calls.csv"


def ledger_of(ringback: Ringback) -> Path:
    path = pbx_folders(load(ringback.config)).cel
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_without_a_ledger_the_audit_fails_and_says_why(told: Ringback) -> None:
    words = told.told("audit", "--since", "9999d", code=1)
    assert words[0].startswith("0 inbound calls since")
    assert words[1] == f"Nothing is proved: there is no event in {ledger_of(told)}, and 3 calls are in the journal."


def test_what_the_two_books_do_not_agree_on_is_listed(told: Ringback) -> None:
    ledger_of(told).write_bytes(SIX_CALLS.read_bytes() + b"half a li\n")
    found = told.json("audit", "--since", "9999d", code=1)
    assert (found["calls"], found["unreadable"], found["proves"]) == (6, 1, False)
    assert {one["why"] for one in found["findings"]} >= {"no outcome in the journal"}
    words = told.told("audit", "--since", "9999d", code=1)
    assert "1 lines of the ledger could not be read: calls may be missing here." in words
