"""``ringback status``, ``ack``, ``close``, ``optout`` and ``reload``: asked of the server that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ari_app.data_folder import socket_path
from ari_app.settings.loading import load
from ari_app.settings.problem import Mark, Problem, SettingsError, Severity
from tests.ari_app.cli.ringback import Ringback, Server, serving

RELOADED: dict[str, Any] = {
    "before": "a",
    "now": "b",
    "pbx": [],
    "pbx_trouble": None,
    "tried_again": [],
    "after_restart": [],
}


@pytest.fixture
def server(told: Ringback, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as server:
        yield server


def test_status_shows_every_part_and_is_an_exit_code(told: Ringback, server: Server) -> None:
    lines = told.told("status")
    assert lines[0].startswith("ok, policy ")
    assert lines[1:] == ["  ok       database: written", "  warning  gateway sms: not bound"]
    found = told.json("status")
    assert found["status"] == "ok"
    assert found["components"][1] == {"name": "gateway sms", "ok": False, "needed": False, "detail": "not bound"}
    server.ok = False
    assert told.told("status", code=1)[1] == "  FAILING  database: cannot be written"
    assert told.json("status", code=1)["status"] == "failing"


def test_an_agent_takes_and_closes_a_lead(told: Ringback, server: Server) -> None:
    assert told.told("ack", "1", "--by", "ana") == ["lead_acknowledged by ana"]
    assert told.json("lead", "1")["acknowledged_by"] == "ana"
    result = told("ack", "1", "--by", "bob")
    assert (result.exit_code, result.stderr) == (1, "ringback: lead 1 was taken by ana\n")
    assert told.told("close", "1", "--by", "bob", "--note", "sold") == ["lead_closed by bob “sold”"]
    assert told.told("replay", "1")[-1].startswith("12:00:00")
    assert told("close", "1", "--by", "zoe").stderr == ("ringback: there is no agent 'zoe'; known: ana, bob, cleo\n")


def test_an_opt_out_is_taken_in_any_spelling_of_the_number(told: Ringback, server: Server) -> None:
    said = told.told("optout", "(305) 555-0142", "--by", "ana", "--note", "in person")
    assert said == ["opt_out_recorded +13055550142 by ana “in person”"]
    assert told.json("lead", "1")["opted_out"] is True
    assert "opted out" in told.told("leads")[3]
    result = told("optout", "12", "--by", "ana")
    assert result.exit_code == 2
    assert "found '12', expected a telephone number" in result.stderr


@pytest.mark.parametrize("words", [("ack", "1"), ("close", "1"), ("optout", "3055550142"), ("ack", "x", "--by", "ana")])
def test_a_command_that_lacks_something_is_a_wrong_use(told: Ringback, words: tuple[str, ...]) -> None:
    assert told(*words).exit_code == 2


@pytest.mark.parametrize(
    "words", [("status",), ("reload",), ("ack", "1", "--by", "ana"), ("optout", "3055550142", "--by", "ana")]
)
def test_without_a_server_every_order_says_so(told: Ringback, words: tuple[str, ...]) -> None:
    result = told(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith("ringback: Ringback does not run here: ")
    assert "control.sock does not answer" in result.stderr


def test_a_server_that_answers_nonsense_is_told_with_where_to_look(told: Ringback) -> None:
    path = socket_path(load(told.config).data_folder)
    path.parent.mkdir()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oh\r\ncontent-length: 5\r\nconnection: close\r\n\r\nsorry")
        writer.close()

    async def ask() -> str:
        async with await asyncio.start_unix_server(answer, path):
            result = await asyncio.to_thread(told, "status")
        assert result.exit_code == 1
        return result.stderr

    assert asyncio.run(ask()) == "ringback: Ringback answers with HTTP 500: its log tells why\n"


# ------------------------------------------------------------------------------------------------------------------ reload
def test_a_reload_says_what_is_in_force_now_and_what_waits_for_a_restart(told: Ringback, server: Server) -> None:
    server.reload = RELOADED
    assert told.told("reload") == ["policy b is in force"]
    server.reload = {**RELOADED, "now": "a", "after_restart": ["web", "crm"], "pbx": ["extensions.conf"]}
    assert told.told("reload") == [
        "nothing has changed",
        "the PBX has read anew: extensions.conf",
        "taken over at the next start only: web, crm",
    ]
    assert told.json("reload") == server.reload


def test_a_reload_says_which_refused_accounts_are_tried_again(told: Ringback, server: Server) -> None:
    server.reload = {**RELOADED, "now": "a", "tried_again": ["sms", "spare"]}
    assert told.told("reload") == ["nothing has changed", "refused by the carrier before, tried again now: sms, spare"]


def test_a_pbx_that_does_not_follow_is_an_exit_code(told: Ringback, server: Server) -> None:
    server.reload = {**RELOADED, "pbx_trouble": "it does not answer"}
    assert told.told("reload", code=1)[-1] == "the PBX has not: it does not answer; ringback pbx up tells more"


def test_settings_that_are_refused_are_told_with_their_places(told: Ringback, server: Server) -> None:
    problem = Problem(Severity.ERROR, Mark(Path("ringback.yaml"), 3, 5), "plans.standard", "unknown key")
    server.reload = SettingsError([problem])
    assert told.told("reload", code=2) == [
        "refused; the settings of before stay in force:",
        "ringback.yaml:3:5: error: plans.standard: unknown key",
    ]
    assert told.json("reload", code=2)["problems"][0]["where"] == "plans.standard"


# --------------------------------------------------------------------------------- while somebody edits the settings
BROKEN = {
    "no YAML": ("agents:\n", "agents: [\n", "expected"),
    "no settings": ("agents:\n", "agentz:\n", "unknown key"),
    "the data folder in quotation marks": ("data: var\n", "data: 'var' # here\nagents: [\n", "expected"),
}


@pytest.mark.parametrize(("old", "new", "said"), BROKEN.values(), ids=BROKEN)
def test_a_no_is_noted_and_leads_are_shown_while_the_settings_are_invalid(
    told: Ringback, server: Server, tmp_path: Path, old: str, new: str, said: str
) -> None:
    valid = told("leads").output
    told.config.write_text(told.config.read_text().replace(old, new))
    noted = told("optout", "(305) 555-0142", "--by", "ana")
    assert noted.exit_code == 0
    assert noted.stdout.startswith("opt_out_recorded +13055550142 by ana")
    problem, note = noted.stderr.splitlines()
    assert problem.startswith(f"{told.config}:")
    assert said in problem
    assert note == "ringback: by the settings that were last in force; 'ringback check' tells all"
    assert told("leads").stdout.count("\n") == valid.count("\n")
    assert told("status").exit_code == 0
    assert told("backup", str(tmp_path / "copies")).exit_code == 0


def test_what_acts_on_the_settings_wants_valid_ones(told: Ringback) -> None:
    told.config.write_text(told.config.read_text().replace("agents:\n", "agentz:\n"))
    for words in (["run"], ["check"], ["doctor"], ["restore"], ["explain", "+13055550142", "--to", "+13055550100"]):
        result = told(*words)
        assert result.exit_code == 2
        assert "last in force" not in result.stderr


def test_without_books_there_are_no_settings_to_go_by(ringback: Ringback) -> None:
    ringback.config.write_text(ringback.config.read_text().replace("agents:\n", "agents: [\n"))
    result = ringback("leads")
    assert result.exit_code == 2
    assert "last in force" not in result.stderr
