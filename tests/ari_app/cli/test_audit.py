"""``ringback audit``: what it says, and that it is not content with nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.pbx_setup import pbx_folders
from ari_app.settings.loading import load
from tests.ari_app.cli.ringback import Ringback

SIX_CALLS = Path(__file__).parents[1] / "calls" / "six_calls.csv"


def ledger_of(ringback: Ringback) -> Path:
    path = pbx_folders(load(ringback.config)).cel
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_without_a_ledger_the_audit_fails_and_says_why(told: Ringback) -> None:
    words = told.told("audit", "--since", "3650d", code=1)
    assert words[0].startswith("0 inbound calls since")
    assert words[1] == f"Nothing is proved: there is no event in {ledger_of(told)}, and 3 calls are in the journal."


@pytest.mark.parametrize("since", ["9999999999d", "1e309", "inf", "nan", "-5", "yesterday"])
def test_a_time_that_is_none_is_a_wrong_use(told: Ringback, since: str) -> None:
    result = told("audit", f"--since={since}")
    assert result.exit_code == 2
    assert f"Invalid value for '--since': found '{since}', expected" in result.stderr


def test_a_time_is_a_duration_or_seconds(told: Ringback) -> None:
    assert told("audit", "--since", "3600").exit_code == told("audit", "--since", "1h").exit_code == 1


@pytest.mark.parametrize("wait", ["inf", "nan", "3651d"])
def test_the_wait_for_a_test_call_has_an_end(told: Ringback, wait: str) -> None:
    result = told("attach", "--check", "--wait", wait)
    assert (result.exit_code, "Invalid value for '--wait'" in result.stderr) == (2, True)


def test_what_the_two_books_do_not_agree_on_is_listed(told: Ringback) -> None:
    ledger_of(told).write_bytes(SIX_CALLS.read_bytes() + b"half a li\n")
    found = told.json("audit", "--since", "3650d", code=1)
    assert (found["calls"], found["unreadable"], found["proves"]) == (6, 1, False)
    assert {one["why"] for one in found["findings"]} >= {"no outcome in the journal"}
    words = told.told("audit", "--since", "3650d", code=1)
    assert "1 lines of the ledger could not be read: calls may be missing here." in words
