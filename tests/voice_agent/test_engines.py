"""Which engines are chosen, and what is said when they cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.voice_agent.models.piper_voice import make_piper_voice
from voice_agent.engines import EngineOptions, available_engines, open_engines, open_stt, open_tts
from voice_agent.errors import EngineMissingError
from voice_agent.tts_cache import CachedSpeech
from voice_agent.vad import EnergyDetector, WebRtcDetector


async def voice_of(options: EngineOptions) -> str:
    async with open_tts(options) as voice:
        return voice.name


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (EngineOptions(), "flite/slt/1"),
        (EngineOptions(language="en-GB"), "flite/slt/1"),
        (EngineOptions(language="es"), "espeak-ng/es/160"),
        (EngineOptions(tts="espeak-ng"), "espeak-ng/en-us/160"),
        (EngineOptions(tts="espeak-ng", language="en-gb"), "espeak-ng/en-gb/160"),
        (EngineOptions(tts="flite"), "flite/slt/1"),
    ],
)
async def test_the_voice_suits_the_language(options: EngineOptions, name: str) -> None:
    assert await voice_of(options) == name


async def test_a_piper_voice_that_is_configured_is_taken(tmp_path: Path) -> None:
    voice = make_piper_voice(tmp_path)
    assert (await voice_of(EngineOptions(piper_voice=voice))).startswith("piper/tiny/")
    assert (await voice_of(EngineOptions(tts="piper", piper_voice=voice))).startswith("piper/tiny/")
    assert (await voice_of(EngineOptions(tts="flite", piper_voice=voice))).startswith("flite/")


async def test_without_flite_english_is_spoken_by_espeak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "espeak-ng").symlink_to("/usr/bin/espeak-ng")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await voice_of(EngineOptions()) == "espeak-ng/en-us/160"
    with pytest.raises(EngineMissingError, match="flite: is not installed; install the system package flite"):
        await voice_of(EngineOptions(tts="flite"))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (EngineOptions(tts="piper"), r"piper: no voice is configured; name the \.onnx file"),
        (EngineOptions(tts="flite", language="es"), "flite: speaks English, not 'es'; choose espeak-ng"),
        (EngineOptions(piper_voice=Path("/nowhere/x.onnx")), r"piper: /nowhere/x\.onnx is not there"),
    ],
)
async def test_a_voice_that_cannot_be_is_an_error_with_its_mend(options: EngineOptions, why: str) -> None:
    with pytest.raises(EngineMissingError, match=why):
        await voice_of(options)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (EngineOptions(stt="vosk"), "vosk: no model is configured; name the folder"),
        (EngineOptions(vosk_model=Path("/nowhere")), "vosk: no model in /nowhere"),
        (EngineOptions(language="es"), "pocketsphinx: knows English, not 'es'; name the folder of a Vosk model"),
        (EngineOptions(stt="pocketsphinx", language="fr"), "pocketsphinx: knows English"),
    ],
)
async def test_a_recogniser_that_cannot_be_is_an_error_with_its_mend(options: EngineOptions, why: str) -> None:
    with pytest.raises(EngineMissingError, match=why):
        async with open_stt(options):
            raise AssertionError("it was opened")


async def test_all_engines_together_with_a_cache(tmp_path: Path) -> None:
    async with open_engines(EngineOptions(cache=tmp_path / "speech", lanes=1)) as engines:
        assert engines.stt.name == "pocketsphinx"
        assert isinstance(engines.tts, CachedSpeech)
        assert isinstance(engines.detector(), WebRtcDetector)
        assert engines.detector() is not engines.detector()


async def test_the_detector_can_be_chosen_and_is_never_just_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_engines(EngineOptions(vad="energy", lanes=1)) as engines:
        assert isinstance(engines.detector(), EnergyDetector)
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(EngineMissingError, match="webrtcvad"):
        async with open_engines(EngineOptions()):
            raise AssertionError("it was opened")


def test_what_is_installed_can_be_told() -> None:
    assert available_engines() == {
        "pocketsphinx": True,
        "vosk": True,
        "piper": True,
        "webrtcvad": True,
        "flite": True,
        "espeak-ng": True,
    }
