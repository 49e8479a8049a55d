"""The page for IT staff says what the code does."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from pathlib import Path

import pytest

from ari_app.calls.placer import has_media_websocket
from ari_app.settings.calling import CallbackSection, VoiceSection
from voice_agent import __main__ as command
from voice_agent import media_websocket, stt
from voice_agent.__main__ import command_line
from voice_agent.engines import available_engines
from voice_agent.stt_pocketsphinx import open_pocketsphinx
from voice_agent.stt_vosk import open_vosk
from voice_agent.turns import TurnOptions

PAGE = (Path(__file__).parents[2] / "docs" / "voice-agent.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m voice_agent (.+)$", PAGE, re.MULTILINE)
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_on_the_page_can_be_typed(line: str) -> None:
    assert command_line().parse_args(shlex.split(line)).command in ("engines", "say", "hear", "talk")


def test_every_command_and_exit_status_is_on_the_page() -> None:
    assert {line.split()[0] for line in COMMANDS} == {"engines", "say", "hear", "talk"}
    told = re.search(r"Exit codes: (.*)\.\n", command.__doc__ or "")
    assert told is not None
    assert [row[0] for row in ROWS if row[0].isdigit()] == re.findall(r"(\d) ", told[1])


def test_every_key_of_the_settings_is_on_the_page_with_its_default() -> None:
    said = {row[0].strip("`"): row[1].strip("`") for row in ROWS if re.fullmatch(r"`\w+`", row[0])}
    assert set(said) == set(VoiceSection.model_fields)
    for name, field in VoiceSection.model_fields.items():
        default = field.default.value if isinstance(field.default, StrEnum) else field.default
        assert said[name] == ("none" if default is None else str(default)), name
    assert {"longest", "at_once"} <= set(CallbackSection.model_fields)


def test_lanes_are_as_many_as_each_engine_opens_by_itself() -> None:
    [row] = [row for row in ROWS if row[0] == "`lanes`"]
    assert "0 for one a core" in (open_pocketsphinx.__doc__ or "")
    assert "0 for eight a core" in (open_vosk.__doc__ or "")
    assert "`0` is one a core with pocketsphinx" in row[2]
    assert "eight a core with Vosk" in row[2]


def test_every_engine_is_on_the_page_and_no_other() -> None:
    start = next(number for number, row in enumerate(ROWS) if row[0] == "Engine")
    named = [row[0].lower() for row in ROWS[start + 2 : start + 7]]
    assert set(named) == set(available_engines()) - {"webrtcvad"}


def test_the_seconds_on_the_page_are_those_of_the_code() -> None:
    turns = TurnOptions()
    assert f"A turn is over {turns.complete_stop_seconds:g} s after" in PAGE
    assert f"{turns.stop_seconds:g} s when it has only just come, and {turns.unfinished_stop_seconds:g} s" in PAGE
    assert f"A turn that lasts {turns.longest_seconds:g} s" in PAGE
    assert f"whoever is {stt.MOST_BEHIND_SECONDS:g} s behind, or waits {stt.LONGEST_SILENCE_SECONDS:g} s for" in PAGE
    silent = media_websocket._QUIET_SECONDS + media_websocket._ANSWER_SECONDS
    assert f"sends nothing for {silent:g} s" in PAGE


def test_the_versions_on_the_page_are_those_that_get_the_websocket() -> None:
    [row] = [row for row in ROWS if row[0] == "Asterisk"]
    since = re.findall(r"(\d+)\.(\d+)", row[1])
    assert len(since) == 3
    for major, minor in since:
        assert has_media_websocket(f"{major}.{minor}.0")
        assert not has_media_websocket(f"{major}.{int(minor) - 1}.9")
