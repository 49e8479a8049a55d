"""How texts are cut, and the two programs that speak."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.audio import dbfs, peak, seconds_of, speech_level
from voice_agent.errors import EngineFailedError, EngineMissingError
from voice_agent.tts import FIRST_CLAUSE_WORDS, TextToSpeech, clauses, printable
from voice_agent.tts_espeak import EspeakNg
from voice_agent.tts_flite import VOICES, Flite

SENTENCE = "Hi, this is the automated assistant for Sunshine Realty."


async def spoken(voice: TextToSpeech, text: str) -> bytes:
    return b"".join([piece async for piece in voice.speak(text)])


def program(folder: Path, name: str, script: str) -> Path:
    """An impostor of a program on PATH."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# ------------------------------------------------------------------------------------------------------------------ texts
def test_control_characters_never_reach_a_program() -> None:
    assert printable("one\ntwo\r\n\x00\x1b[2J three\u2028four") == "one two [2J three four"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello.", ["Hello."]),
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        (
            "Thanks for calling, I will have somebody call you back this afternoon, after five.",
            ["Thanks for calling,", "I will have somebody call you back this afternoon, after five."],
        ),
        ("Yes, no, maybe.", ["Yes, no, maybe."]),
        ("One two three four five six seven eight nine, ten.", ["One two three four five six seven eight nine, ten."]),
        ("", []),
    ],
)
def test_a_text_is_spoken_in_a_short_first_clause_and_then_in_sentences(text: str, pieces: list[str]) -> None:
    assert clauses(text) == pieces


@given(st.text(alphabet="ab ,;.!?\n", max_size=120))
def test_cutting_loses_nothing(text: str) -> None:
    pieces = clauses(text)
    assert " ".join(pieces) == printable(text)
    if len(pieces) > 1 and pieces[0][-1] in ",;":
        assert len(pieces[0].split()) <= FIRST_CLAUSE_WORDS


# --------------------------------------------------------------------------------------------------------------- programs
@pytest.mark.parametrize(
    "voice", [*(Flite(voice=name) for name in VOICES), EspeakNg(), EspeakNg(voice="es")], ids=lambda v: v.name
)
async def test_every_voice_speaks_at_our_level_without_clipping(voice: TextToSpeech) -> None:
    pcm = await spoken(voice, SENTENCE)
    assert 2.0 < seconds_of(pcm) < 5.0
    assert -22.0 < dbfs(speech_level(pcm)) < -19.0
    assert dbfs(peak(pcm)) < -2.9


async def test_a_text_is_never_an_option_nor_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for voice in (Flite(), EspeakNg()):
        assert seconds_of(await spoken(voice, "-o /dev/null; touch $(pwd)/gone `id`")) > 1.0
    assert os.listdir() == []


async def test_a_voice_can_be_slowed_down() -> None:
    usual = seconds_of(await spoken(Flite(), SENTENCE))
    assert seconds_of(await spoken(Flite(stretch=1.4), SENTENCE)) > usual * 1.25


async def test_a_text_of_nothing_is_no_sound() -> None:
    assert await spoken(Flite(), " ") == b""


def test_voices_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one of slt"):
        Flite(voice="hal")
    with pytest.raises(ValueError, match="name of a voice"):
        EspeakNg(voice="-w/etc/passwd")


@pytest.mark.parametrize("voice", [Flite(), EspeakNg()], ids=["flite", "espeak-ng"])
async def test_a_program_that_is_not_installed_is_named_with_its_mend(
    voice: TextToSpeech, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineMissingError, match="install the system package") as caught:
        await spoken(voice, SENTENCE)
    assert caught.value.engine in voice.name


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo no such voice >&2; exit 3", "ended with 3: no such voice"),
        ("exit 0", "wrote no speech"),
        ("kill -9 $$", "ended with -9"),
        ("while [ $# -gt 1 ]; do shift; done; echo rubbish >$1", "wrote no speech"),
        ("exec sleep 30", "took longer than 0.5 s"),
        (
            "while [ $# -gt 1 ]; do shift; done; exec sox -n -r 8000 -c 2 -b 16 $1 trim 0 0.1",
            "not 16-bit, one channel",
        ),
    ],
)
async def test_a_program_that_fails_is_an_error_that_says_how(
    script: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "flite", script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(EngineFailedError, match=why):
        await spoken(Flite(within=0.5), SENTENCE)


async def test_a_machine_that_can_start_no_program_is_an_error_of_the_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "flite", "exit 0").chmod(0o600)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineFailedError, match="cannot be run: Permission denied"):
        await spoken(Flite(), SENTENCE)


async def test_a_disk_with_no_room_for_speech_is_an_error_of_the_voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(EngineFailedError, match="cannot be run: No such file"):
        await spoken(Flite(), SENTENCE)
