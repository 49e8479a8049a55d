"""What goes wrong at the command line is told in a sentence and an exit code; only defects show a traceback."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from ari_app.cli.failures import sentences
from ari_app.cli.main import main
from ari_app.data_folder import exclusive
from ari_app.errors import NotDoneError, StoreDamagedError, StoreUnavailableError
from tests.ari_app.cli.ringback import Ringback


def test_every_command_explains_itself(ringback: Ringback) -> None:
    overview = ringback("--help").output
    for command in ("check", "explain", "run", "status", "leads", "lead", "replay", "ack", "close", "optout", "doctor"):
        assert command in overview
        shown = ringback(command, "-h")
        assert shown.exit_code == 0
        assert "Usage: " in shown.output
    assert ringback("--version").output.startswith("ringback ")
    assert ringback("wonders").exit_code == 2


def test_the_settings_may_be_named_by_the_environment(told: Ringback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_CONFIG", str(told.config))
    assert CliRunner().invoke(main, ["leads", "--json"]).exit_code == 0


def test_a_second_server_with_the_same_books_does_not_start(told: Ringback, tmp_path: Path) -> None:
    with exclusive(tmp_path / "var"):
        result = told("run")
    assert result.exit_code == 1
    assert "another Ringback runs with" in result.stderr
    assert "stop it first" in result.stderr


def test_a_server_does_not_start_on_damaged_books_and_says_what_to_do(told: Ringback, tmp_path: Path) -> None:
    (tmp_path / "var" / "ringback.db").write_bytes(b"nothing of the kind" * 500)
    for words in (["run"], ["leads"], ["lead", "1"], ["people", "import", str(told.config)]):
        result = told(*words)
        assert result.exit_code == 1
        assert "ringback restore" in result.stderr or "expected number among them" in result.stderr


def test_books_of_a_newer_version_are_not_read(told: Ringback, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "var" / "ringback.db")
    database.execute("UPDATE _sqlite_migrations SET name = '9999_later' WHERE name = '0002_answers'")
    database.commit()
    database.close()
    for words in (["run"], ["leads"]):
        result = told(*words)
        assert result.exit_code == 1
        assert "newer Ringback (9999_later): install that one" in result.stderr


# --------------------------------------------------------------------------------------------------------------- sentences
def test_one_failure_is_one_sentence() -> None:
    assert sentences(NotDoneError("no")) == ["no"]
    assert sentences(PermissionError(13, "Permission denied", "/x")) == ["[Errno 13] Permission denied: '/x'"]


def test_failures_of_tasks_that_ran_together_are_told_once_each() -> None:
    damaged = StoreDamagedError("books.db", "malformed")
    inner = ExceptionGroup("lanes", [damaged, StoreUnavailableError("locked")])
    assert sentences(ExceptionGroup("tasks", [inner, damaged])) == ["books.db: malformed", "locked"]


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("a defect"),
        ExceptionGroup("tasks", [NotDoneError("no"), KeyError("a defect")]),
        BrokenPipeError(32, "Broken pipe"),
    ],
)
def test_defects_and_a_reader_who_has_left_are_nothing_to_tell(error: Exception) -> None:
    assert sentences(error) is None
