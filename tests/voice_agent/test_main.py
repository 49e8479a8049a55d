"""The package used alone, as a command."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.voice_agent.voices import Voice, utterance
from voice_agent.__main__ import describe, main
from voice_agent.audio import RATE, rms, seconds_of
from voice_agent.conversation import Conversation, EndedBy, Key, Line, Speaker, TurnTiming
from voice_agent.errors import AudioFormatError
from voice_agent.wav import read_wav


def write_wav(path: Path, pcm: bytes, *, rate: int = RATE, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(pcm)
    return path


def test_a_wav_file_is_answered_and_the_conversation_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = write_wav(tmp_path / "answer.wav", utterance("I'm selling my house", Voice("flite", "rms")))
    recording = tmp_path / "conversation.wav"
    assert main(["talk", "--wav", str(answer), "--out", str(recording)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "agent   Thank you, you are selling. Goodbye." in told.out
    assert "ended by agent after" in told.out
    assert "after voice" in told.out
    with wave.open(str(recording), "rb") as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    caller, agent = both[:, 0].tobytes(), both[:, 1].tobytes()
    assert rms(caller) > 100
    assert rms(agent) > 1000
    assert seconds_of(agent) > 8


def test_what_is_said_is_heard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wav = tmp_path / "said.wav"
    assert main(["say", "Good morning.", "--out", str(wav)]) == 0
    assert capsys.readouterr().out.startswith("flite/slt/1: ")
    assert seconds_of(read_wav(wav)) > 0.5
    assert main(["hear", str(wav)]) == 0
    text, timing = capsys.readouterr().out.splitlines()
    assert text.startswith("good morning  [")
    assert timing.startswith("pocketsphinx: ")


def test_silence_is_not_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wav = write_wav(tmp_path / "silence.wav", bytes(16000))
    assert main(["hear", str(wav)]) == 0
    assert capsys.readouterr().out.startswith("(not understood)\n")


def test_the_command_lists_the_engines(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "voice_agent", "engines"], capture_output=True, text=True, check=True)
    assert "pocketsphinx installed" in done.stdout
    assert main(["engines"]) == 0
    assert capsys.readouterr().out == done.stdout


def test_a_recording_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say", "Hello.", "--out", str(tmp_path / "nowhere" / "hello.wav")]) == 4
    assert "No such file" in capsys.readouterr().err


def test_a_missing_model_is_told_and_not_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["talk", "--stt", "vosk", "--model", str(tmp_path)]) == 3
    assert "vosk: no model in" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"RIFF", b"no sound at all"])
def test_a_file_that_is_no_wav_is_told(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "answer.wav"
    if content is not None:
        path.write_bytes(content)
    assert main(["talk", "--wav", str(path)]) == 4
    assert str(path) in capsys.readouterr().err


def test_wrong_arguments_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "required: command" in capsys.readouterr().err


def test_stereo_at_another_rate_becomes_our_format(tmp_path: Path) -> None:
    samples = np.zeros((44_100, 2), "<i2")
    samples[:, 0] = 2000
    pcm = read_wav(write_wav(tmp_path / "stereo.wav", samples.tobytes(), rate=44_100, channels=2))
    assert seconds_of(pcm) == pytest.approx(1.0, abs=0.01)
    assert rms(pcm) == pytest.approx(1000, rel=0.05)


def test_a_file_that_was_cut_off_is_heard_up_to_there(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "cut.wav", bytes(4 * 8000), channels=2)
    path.write_bytes(path.read_bytes()[:-3])
    assert seconds_of(read_wav(path)) == pytest.approx(1.0, abs=0.01)


def test_other_sample_widths_are_refused(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "eight.wav", bytes(800), width=1)
    with pytest.raises(AudioFormatError, match="expected 16-bit samples, got 8-bit") as caught:
        read_wav(path)
    assert caught.value.path == path


def test_a_conversation_is_told_with_cuts_keys_and_faults() -> None:
    told = describe(
        Conversation(
            (
                Line(Speaker.AGENT, "Hello.", 0.0, 1.5, cut=True),
                Line(Speaker.CALLER, "", 1.2, 1.5),
                Line(Speaker.CALLER, "yes", 3.0, 3.5, 0.75),
            ),
            EndedBy.CALLER,
            (Key("9", 4.0),),
            (TurnTiming("voice", 0.2, 0.1, 0.05),),
            5.0,
            ("vosk: broke",),
        )
    )
    assert told.splitlines() == [
        "  0.00   1.50  agent   Hello. (cut)",
        "  1.20   1.50  caller  (not understood)",
        "  3.00   3.50  caller  yes  [0.75]",
        "  4.00         caller  pressed 9",
        "ended by caller after 5.0 s",
        "spoke 0.350 s after voice (end of turn 0.200 + 0.100 + 0.050)",
        "fault: vosk: broke",
    ]
