"""Chooses the speech engines from the settings, and says what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from voice_agent.errors import EngineMissingError
from voice_agent.stt import SpeechToText
from voice_agent.stt_pocketsphinx import open_pocketsphinx
from voice_agent.stt_vosk import open_vosk
from voice_agent.tts import TextToSpeech
from voice_agent.tts_cache import CachedSpeech
from voice_agent.tts_espeak import EspeakNg
from voice_agent.tts_flite import Flite
from voice_agent.tts_piper import load_piper
from voice_agent.vad import EnergyDetector, VoiceDetector, WebRtcDetector

SttName = Literal["auto", "pocketsphinx", "vosk"]
TtsName = Literal["auto", "flite", "espeak-ng", "piper"]
VadName = Literal["webrtc", "energy"]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """language: ``en``, ``en-us``, ``es`` and so on; it has to be the models' language.

    stt ``auto``: Vosk when there is a ``vosk_model`` (a folder), otherwise pocketsphinx, which knows English only.
    tts ``auto``: Piper when there is a ``piper_voice`` (an .onnx file), otherwise flite for English where it is installed,
    otherwise espeak-ng. cache: a folder for speech that was made; None makes everything anew.
    vosk_strict: with a model that can, only expected phrases are understood: fewer errors, and nothing else comes through.
    vad: who tells speech from noise; ``energy`` needs no module and a quiet line.
    lanes: utterances that are recognised at a time, 0 as many as suits the machine.
    """

    stt: SttName = "auto"
    vosk_model: Path | None = None
    vosk_strict: bool = False
    tts: TtsName = "auto"
    piper_voice: Path | None = None
    vad: VadName = "webrtc"
    language: str = "en"
    cache: Path | None = None
    lanes: int = 0


@dataclass(frozen=True, slots=True)
class Engines:
    """What a VoiceAgent needs besides audio. detector: makes a new one for each call."""

    stt: SpeechToText
    tts: TextToSpeech
    detector: Callable[[], VoiceDetector]


@contextlib.asynccontextmanager
async def open_engines(options: EngineOptions) -> AsyncIterator[Engines]:
    """Loads and warms all engines; the end of the block stops them. Raises EngineError, before anything is half-used."""
    detector = WebRtcDetector if options.vad == "webrtc" else EnergyDetector
    detector()  # a missing module is found here, not in the first call
    async with open_tts(options) as tts, open_stt(options) as stt:
        yield Engines(stt, tts, detector)


@contextlib.asynccontextmanager
async def open_stt(options: EngineOptions) -> AsyncIterator[SpeechToText]:
    """The recogniser alone. Raises EngineError."""
    if options.stt == "vosk" or (options.stt == "auto" and options.vosk_model is not None):
        if options.vosk_model is None:
            raise EngineMissingError(
                "vosk", "no model is configured", "name the folder of a Vosk model, or choose pocketsphinx"
            )
        async with open_vosk(options.vosk_model, lanes=options.lanes, strict=options.vosk_strict) as vosk:
            yield vosk
    else:
        if not _english(options.language):
            mend = "name the folder of a Vosk model for that language"
            raise EngineMissingError("pocketsphinx", f"knows English, not {options.language!r}", mend)
        async with open_pocketsphinx(lanes=options.lanes) as pocketsphinx:
            yield pocketsphinx


@contextlib.asynccontextmanager
async def open_tts(options: EngineOptions) -> AsyncIterator[TextToSpeech]:
    """The voice alone, behind its cache if there is one. Raises EngineError."""
    async with contextlib.AsyncExitStack() as stack:
        voice: TextToSpeech
        if options.tts == "piper" or (options.tts == "auto" and options.piper_voice is not None):
            if options.piper_voice is None:
                raise EngineMissingError(
                    "piper", "no voice is configured", "name the .onnx file of a Piper voice, or choose flite"
                )
            voice = piper = await asyncio.to_thread(load_piper, options.piper_voice)
            stack.callback(piper.close)
        else:
            voice = _program_voice(options)
        yield voice if options.cache is None else CachedSpeech(voice, options.cache)


def _program_voice(options: EngineOptions) -> TextToSpeech:
    """flite or espeak-ng. Raises EngineMissingError when the program is not installed."""
    name = options.tts
    if name == "auto":
        name = "flite" if _english(options.language) and shutil.which("flite") else "espeak-ng"
    if name == "flite" and not _english(options.language):
        raise EngineMissingError(
            "flite", f"speaks English, not {options.language!r}", "choose espeak-ng, or name a Piper voice"
        )
    if shutil.which(name) is None:
        raise EngineMissingError(name, "is not installed", f"install the system package {name}")
    if name == "flite":
        return Flite()
    return EspeakNg(voice="en-us" if options.language == "en" else options.language)


def _english(language: str) -> bool:
    return language.lower().split("-")[0] == "en"


def available_engines() -> dict[str, bool]:
    """Which engines are installed, whether or not a model is there for them."""
    modules = {"pocketsphinx": "pocketsphinx", "vosk": "vosk", "piper": "piper", "webrtcvad": "webrtcvad"}
    programs = ("flite", "espeak-ng")
    return {name: importlib.util.find_spec(module) is not None for name, module in modules.items()} | {
        program: shutil.which(program) is not None for program in programs
    }
