"""The real Piper with a small voice of our own making."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.voice_agent.models.piper_voice import make_piper_voice
from voice_agent.audio import dbfs, peak, seconds_of, speech_level
from voice_agent.errors import EngineFailedError, EngineMissingError
from voice_agent.tts_piper import Piper, load_piper

TEXT = "Thank you for calling, I am an automated assistant for Sunshine Realty. Are you buying or selling?"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_piper_voice(tmp_path_factory.mktemp("voice"))


@pytest.fixture
def piper(path: Path) -> Iterator[Piper]:
    voice = load_piper(path)
    yield voice
    voice.close()


async def test_a_text_comes_clause_by_clause_at_our_rate_and_level(piper: Piper) -> None:
    pieces = [piece async for piece in piper.speak(TEXT)]
    assert len(pieces) == 3
    first, second, third = map(seconds_of, pieces)
    assert 1.0 < first < third < second < 4.0
    for piece in pieces:
        assert dbfs(speech_level(piece)) == pytest.approx(-20.0, abs=0.5)
        assert dbfs(peak(piece)) < -2.9


async def test_each_clause_starts_clean_of_the_one_before(piper: Piper) -> None:
    alone = [piece async for piece in piper.speak("Are you buying or selling?")]
    after = [piece async for piece in piper.speak(TEXT)]
    assert after[-1] == alone[0]


async def test_several_callers_are_spoken_to_at_a_time(piper: Piper) -> None:
    async def spoken() -> bytes:
        return b"".join([piece async for piece in piper.speak(TEXT)])

    assert len(set(await asyncio.gather(*(spoken() for _ in range(8))))) == 1


def test_its_name_tells_one_voice_from_another(path: Path, tmp_path: Path) -> None:
    other = make_piper_voice(tmp_path)
    assert load_piper(path).name == load_piper(path).name != load_piper(other).name
    assert load_piper(path).name.startswith("piper/tiny/")


async def test_a_voice_that_fails_is_an_engine_error(piper: Piper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piper._voice.config, "phoneme_id_map", None)
    with pytest.raises(EngineFailedError, match="piper: "):
        async for _ in piper.speak("Hello."):
            pass


async def test_a_voice_that_takes_too_long_is_an_engine_error(path: Path) -> None:
    voice = load_piper(path, threads=1, within=0.0)
    with pytest.raises(EngineFailedError, match="took longer than 0 s"):
        async for _ in voice.speak(TEXT):
            pass
    voice.close()


def test_a_voice_that_is_not_there_is_named_with_its_mend(tmp_path: Path) -> None:
    with pytest.raises(EngineMissingError, match=r"nobody\.onnx is not there; put a Piper voice there"):
        load_piper(tmp_path / "nobody.onnx")


def test_a_voice_without_its_settings_is_named_with_its_mend(tmp_path: Path) -> None:
    voice = make_piper_voice(tmp_path)
    voice.with_name("tiny.onnx.json").unlink()
    with pytest.raises(EngineMissingError, match=r"tiny\.onnx\.json is not there"):
        load_piper(voice)


@pytest.mark.parametrize("broken", ["tiny.onnx", "tiny.onnx.json"])
def test_a_broken_voice_is_an_error_that_names_it(broken: str, tmp_path: Path) -> None:
    voice = make_piper_voice(tmp_path)
    (tmp_path / broken).write_text("rubbish")
    with pytest.raises(EngineMissingError, match=r"tiny\.onnx cannot be used"):
        load_piper(voice)


def test_a_voice_whose_settings_are_of_something_else_is_an_error(tmp_path: Path) -> None:
    voice = make_piper_voice(tmp_path)
    (tmp_path / "tiny.onnx.json").write_text(json.dumps({"audio": {}}))
    with pytest.raises(EngineMissingError, match="KeyError"):
        load_piper(voice)


def test_without_the_package_the_error_says_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "piper", None)
    with pytest.raises(EngineMissingError, match="install the Python package piper-tts"):
        load_piper(path)
