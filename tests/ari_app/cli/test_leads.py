"""``ringback leads``, ``lead`` and ``replay``: for people and for machines."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from ari_app.store.db import prepare
from tests.ari_app.cli.conftest import MARKUP, speak
from tests.ari_app.cli.ringback import Ringback
from tests.support.books import CALLER


def test_leads_are_listed_the_newest_first(told: Ringback) -> None:
    header, *rows = told.told("leads")
    assert header.split() == "Lead When Caller Called Missed Text Callback Wants Agent Stage".split()
    assert [row.split()[0] for row in rows] == ["3", "2", "1"]
    assert "11-24 12:00:00" in rows[2], "on the brokerage's clock"
    assert f"{CALLER} [/red] [link=x]" in rows[2], "a name is no markup"
    assert ":smile:" in told("lead", "1").output
    assert "12 Ocean Drive" in rows[1]
    assert "failed" in rows[1]
    assert "+13055550109" in rows[0]


def test_leads_for_machines_hold_every_fact(told: Ringback) -> None:
    found = told.json("leads")
    assert [lead["lead_id"] for lead in found] == [3, 2, 1]
    assert found[2]["number"] == CALLER
    assert found[2]["name"] == MARKUP
    assert found[2]["replies"] == ["selling\x1b[31m my house"]
    assert {"stage", "text", "callback", "missed_at", "intent"} <= found[0].keys()
    assert "type" not in found[0]


def test_leads_can_be_picked_by_number_stage_and_count(told: Ringback) -> None:
    assert [lead["lead_id"] for lead in told.json("leads", "-n", "1")] == [3]
    assert [lead["lead_id"] for lead in told.json("leads", "--number", "(305) 555-0142")] == [1]
    assert told.json("leads", "--number", "+13055550199") == []
    still_open = told.json("leads", "--open")
    assert all(lead["stage"] != "idle" for lead in still_open)


def test_a_number_that_is_none_is_a_wrong_use_of_the_command(told: Ringback) -> None:
    result = told("leads", "--number", "nobody")
    assert result.exit_code == 2
    assert "found 'nobody', expected a telephone number" in result.stderr


def test_an_agent_who_took_a_lead_is_named_whether_or_not_one_was_assigned(told: Ringback, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "var" / "ringback.db")
    database.execute(
        "UPDATE leads SET body = json_set(body, '$.agent', NULL, '$.acknowledged_by', 'cleo') WHERE id = 2"
    )
    database.execute("UPDATE leads SET body = json_set(body, '$.agent', NULL) WHERE id = 3")
    database.commit()
    database.close()
    _, third, second, first = told.told("leads")
    assert " cleo " in second
    assert " (" in first
    assert " - " in third


def test_without_books_every_question_says_what_to_do(ringback: Ringback) -> None:
    for words in (["leads"], ["lead", "1"], ["replay", "1"]):
        result = ringback(*words)
        assert result.exit_code == 1
        assert "there are no books yet" in result.stderr
        assert "start Ringback once" in result.stderr
        assert result.stdout == ""


def test_books_without_leads_say_so(ringback: Ringback, tmp_path: Path) -> None:
    prepare(tmp_path / "var" / "ringback.db")
    assert ringback.told("leads")[-1] == "no leads yet"
    assert ringback.json("leads") == []


# ---------------------------------------------------------------------------------------------------------------- one lead
def test_one_lead_is_shown_with_orders_and_reasons(told: Ringback, tmp_path: Path) -> None:
    speak(tmp_path / "var" / "ringback.db", 1)
    shown = told("lead", "1").output
    assert re.search(rf"^number +\{CALLER} *$", shown, re.MULTILINE)
    assert "  texted: selling[31m my house" in shown, "the escape is gone"
    assert "\x1b" not in shown
    assert "     6.5 s  caller: Selling." in shown
    assert re.search(r"^1\.0 +text text_back +done +1 +12:00:00 +a1 *$", shown, re.MULTILINE)
    assert "Why:\n  text allowed" in shown


def test_one_lead_for_machines_holds_orders_and_reasons(told: Ringback) -> None:
    found = told.json("lead", "2")
    [text, *_] = [order for order in found["orders"] if order["kind"] == "text"]
    assert (text["status"], text["error"], text["attempts"]) == ("failed", "no such number", 1)
    assert text["settled_at"].startswith("2026-11-24T17:01:00")
    assert {"action", "outcome", "rule", "why"} == found["decisions"][0].keys()
    waiting = [order for order in found["orders"] if order["settled_at"] is None]
    assert all(order["status"] == "todo" for order in waiting)


@pytest.mark.parametrize("command", ["lead", "replay"])
def test_a_lead_that_is_not_there_is_named(told: Ringback, command: str) -> None:
    result = told(command, "99")
    assert result.exit_code == 1
    assert result.stderr == "ringback: there is no lead 99\n"
    assert told(command, "abc").exit_code == 2


# ------------------------------------------------------------------------------------------------------------------ replay
def test_a_replay_tells_the_story_on_the_brokerages_clock(told: Ringback) -> None:
    lines = told.told("replay", "1")
    assert lines[0].startswith(f"12:00:00 < call_missed {CALLER} → +13055550100 no_answer after 3 rings")
    assert any(line.startswith("12:00:00   > text text_back to") for line in lines)
    assert any("< text_received" in line and "“selling[31m my house”" in line for line in lines)
    found = told.json("replay", "1")
    assert (found["lead"], found["agrees"]) == (1, True)
    assert found["story"] == lines


def test_a_replay_that_leads_elsewhere_is_an_alarm(told: Ringback, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "var" / "ringback.db")
    database.execute("UPDATE leads SET body = json_set(body, '$.misses', 7) WHERE id = 1")
    database.commit()
    database.close()
    result = told("replay", "1")
    assert result.exit_code == 1
    assert "misses: 1 from the journal, 7 in the snapshot" in result.stderr
    assert told("replay", "1", "--json").exit_code == 1


def test_a_replay_of_books_whose_settings_are_gone_or_foreign_says_so(told: Ringback, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "var" / "ringback.db")
    database.execute("""UPDATE policies SET settings = '{"version": 1, "wonders": true}'""")
    database.commit()
    result = told("replay", "1")
    assert result.exit_code == 1
    assert "are of another version of Ringback" in result.stderr
    database.execute("PRAGMA foreign_keys = OFF")
    database.execute("DELETE FROM policies")
    database.commit()
    database.close()
    result = told("replay", "1")
    assert result.exit_code == 1
    assert "the books do not hold policy" in result.stderr
