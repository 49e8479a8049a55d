"""``ringback check``, ``explain`` and ``schema``."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import orjson
import pytest

from ari_app.recovery.values import e164
from tests.ari_app.cli.ringback import Ringback
from tests.support import office
from tests.support.books import CALLER, DIALLED, NOON, Books, texted


def test_good_settings_are_usable(ringback: Ringback) -> None:
    lines = ringback.told("check")
    assert lines[-1] == f"{ringback.config}: usable; 3 number entries, 3 phones, 2 plans, 1 gateways"
    found = ringback.json("check")
    assert found["ok"] is True
    assert all(problem["severity"] == "warning" for problem in found["problems"])


def test_warnings_are_told_and_do_not_stop_anything(ringback: Ringback) -> None:
    text = ringback.config.read_text()
    ringback.config.write_text(re.sub(r"crm: .*", "", text))
    result = ringback("check")
    found = ringback.json("check")["problems"]
    assert result.exit_code == 0
    assert found
    told = [line for line in result.stderr.splitlines() if ": warning: " in line]
    assert len(told) == len(found)
    assert told[0].startswith(f"{found[0]['file']}:{found[0]['line']}:{found[0]['column']}: warning: ")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("plan: standard", "plan: standart", "standart"),
        ("data: var", "data: [var]", "found a list"),
        ("callback: {to:", "callback: {two:", "unknown key"),
    ],
)
def test_faults_are_told_with_file_line_and_column(ringback: Ringback, old: str, new: str, said: str) -> None:
    text = ringback.config.read_text()
    assert old in text
    ringback.config.write_text(text.replace(old, new))
    result = ringback("check")
    assert result.exit_code == 2
    assert re.match(rf"{ringback.config}:\d+:\d+: error: ", result.stderr)
    assert said in result.stderr
    found = ringback.json("check", code=2)
    assert found["ok"] is False
    assert found["problems"][0]["file"] == str(ringback.config)


def test_settings_with_faults_stop_every_other_command_with_the_same_lines(ringback: Ringback) -> None:
    text = ringback.config.read_text()
    ringback.config.write_text(text.replace("plan: standard", "plan: standart"))
    said = ringback("check").stderr
    for words in (["leads"], ["status"], ["doctor"], ["run"], ["explain", CALLER, "--to", DIALLED]):
        result = ringback(*words)
        assert (result.exit_code, result.stderr) == (2, said)


def test_settings_that_are_not_there_are_named(tmp_path: Path) -> None:
    result = Ringback(tmp_path / "nowhere.yaml")("check")
    assert result.exit_code == 2
    assert "nowhere.yaml" in result.stderr


def test_the_schema_is_one_that_editors_understand(ringback: Ringback) -> None:
    schema = orjson.loads(ringback("schema").stdout)
    assert schema["type"] == "object"
    assert {"version", "numbers", "plans", "gateways"} <= schema["properties"].keys()


# ----------------------------------------------------------------------------------------------------------------- explain
NOON_LOCAL = "2026-11-24 12:00"


def test_a_missed_call_is_explained_from_the_entry_to_the_last_step(ringback: Ringback) -> None:
    shown = ringback("explain", CALLER, "--to", DIALLED, "--at", NOON_LOCAL).output
    lines = [line.rstrip() for line in shown.splitlines()]
    assert lines[:8] == [
        "Caller  +13055550142 (ordinary)",
        "Calls   +13055550100",
        "At      Tuesday, 2026-11-24 12:00 pm",
        f"Entry   _1305555010X ({ringback.config}:18:3)",
        "Office  Miami, open",
        "Phones  front: 101, 102 (3 rings)",
        "Then    prompt; plan standard",
        "Hears   the notice",
    ]
    assert any(
        line.startswith("12:00:18 < call_missed +13055550142 → +13055550100 no_answer after 3 rings") for line in lines
    )
    assert any("> text text_back to +13055550142" in line for line in lines)
    assert any("> alert cleo: escalation" in line for line in lines)


def test_an_explanation_for_machines(ringback: Ringback) -> None:
    found = ringback.json("explain", CALLER, "--to", "(305) 555-0107", "--at", NOON_LOCAL)
    assert (found["entry"], found["office"], found["open"], found["plan"]) == ("13055550107", "miami", True, "standard")
    assert found["story"][0].startswith("12:00:18 < call_missed")


def test_after_hours_nobody_rings_and_the_other_words_go_out(ringback: Ringback) -> None:
    lines = ringback.told("explain", CALLER, "--to", DIALLED, "--at", "2026-11-24 19:30")
    assert "Office  Miami, closed" in lines
    assert "Phones  front: 101, 102 (not rung)" in lines
    assert any("after_hours after 0 rings" in line for line in lines)
    assert any("closed now" in line for line in lines)


def test_a_number_that_no_entry_matches_is_told(ringback: Ringback) -> None:
    lines = ringback.told("explain", CALLER, "--to", "+13055559999", "--at", NOON_LOCAL)
    assert "Entry   none matches: the dialplan rings all phones, and nothing follows" in lines
    found = ringback.json("explain", CALLER, "--to", "+13055559999")
    assert found == {"entry": None, "office": None, "open": True, "plan": None, "hears": [], "story": []}


@pytest.mark.parametrize(
    ("caller", "kind"),
    [("anonymous", "withheld"), ("+442079460958", "foreign"), ("101", "internal"), ("abc", "malformed")],
)
def test_callers_who_get_no_text_are_explained_with_the_rule(ringback: Ringback, caller: str, kind: str) -> None:
    found = ringback("explain", caller, "--to", DIALLED, "--at", NOON_LOCAL).output
    assert f"({kind})" in found
    assert "Hears   that nobody can take the call (no text or callback is promised)" in found
    assert "prompt_played" not in found
    assert "refused" in found
    assert "> text" not in found


def test_what_the_books_know_of_the_caller_counts_and_the_books_stay_as_they_are(
    ringback: Ringback, tmp_path: Path
) -> None:
    async def opt_out() -> int:
        books = Books(tmp_path)
        await books.record(texted("STOP"))
        await books.miss("other", e164("+13055550143"))
        count = await books.store.read(lambda db: db.table("events").count)
        books.close()
        return count

    before = asyncio.run(opt_out())
    stopped = ringback("explain", CALLER, "--to", DIALLED, "--at", NOON_LOCAL).output
    assert "> text text_back" not in stopped
    repeated = ringback("explain", "+13055550143", "--to", DIALLED, "--at", "2026-11-24 13:00").output
    assert "> text text_back" not in repeated
    assert "FRQ-03" in repeated
    again = ringback("explain", "+13055550144", "--to", DIALLED, "--at", NOON_LOCAL).output
    assert "> text text_back" in again

    async def look() -> int:
        books = Books(tmp_path)
        count = await books.store.read(lambda db: db.table("events").count)
        books.close()
        return count

    assert asyncio.run(look()) == before


def test_a_time_that_is_none_is_a_wrong_use_and_none_means_now(ringback: Ringback) -> None:
    result = ringback("explain", CALLER, "--to", DIALLED, "--at", "tomorrow")
    assert result.exit_code == 2
    assert "found 'tomorrow', expected a time such as" in result.stderr
    assert ringback("explain", CALLER, "--to", DIALLED).exit_code == 0
    assert ringback("explain", CALLER).exit_code == 2


def test_the_offices_own_clock_counts(ringback: Ringback) -> None:
    assert office.OFFICE.count("America/New_York") == 1
    lines = ringback.told("explain", "+13125550142", "--to", DIALLED, "--at", "2026-11-24 08:30")
    assert "At      Tuesday, 2026-11-24 8:30 am" in lines
    assert NOON.tzinfo is not None
    held = [line for line in lines if "> text text_back" in line]
    assert held
    assert "held until" in held[0], "it is half past seven in Chicago"
