"""Callers for tests: what a text-to-speech program says, as it comes through a telephone line. Kept in a cache."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voice_agent.audio import SAMPLE, decode_ulaw, encode_ulaw, samples_of, silence
from voice_agent.tts import TextToSpeech
from voice_agent.tts_espeak import EspeakNg
from voice_agent.tts_flite import Flite

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringback" / "test-voices"


@dataclass(frozen=True, slots=True)
class Voice:
    """``flite`` with slt, rms, awb or kal16, or ``espeak-ng`` with any of its voices."""

    program: str
    name: str

    def __str__(self) -> str:
        return f"{self.program}/{self.name}"

    def speaker(self) -> TextToSpeech:
        return Flite(voice=self.name) if self.program == "flite" else EspeakNg(voice=self.name)


FLITE = tuple(Voice("flite", name) for name in ("slt", "rms", "awb", "kal16"))
"""Made from recordings of people, and so nearer to what a recogniser was trained on."""
ESPEAK = tuple(Voice("espeak-ng", name) for name in ("en-us", "en-gb", "en-us+f3", "en-gb-scotland"))


@functools.cache
def _clean(text: str, voice: Voice) -> bytes:
    speaker = voice.speaker()
    path = CACHE / hashlib.sha256(f"{speaker.name}\0{text}".encode()).hexdigest()
    if path.exists():
        return path.read_bytes()

    async def make() -> bytes:
        return b"".join([piece async for piece in speaker.speak(text)])

    with ThreadPoolExecutor(1) as thread:  # the caller may have a loop of its own
        pcm = thread.submit(asyncio.run, make()).result()
    CACHE.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(pcm)
    part.replace(path)
    return pcm


def utterance(text: str, voice: Voice, *, gain_db: float = 0.0, before: float = 0.3, after: float = 0.3) -> bytes:
    """``text`` at -20 dBFS and ``gain_db``, with line noise around and under it, through mu-law."""
    pcm = silence(before) + _clean(text, voice) + silence(after)
    samples = samples_of(pcm) * 10 ** (gain_db / 20)
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])
    hiss = np.random.default_rng(seed).normal(0, 12, len(samples))
    return decode_ulaw(encode_ulaw(np.clip(samples + hiss, -32768, 32767).astype(SAMPLE).tobytes()))
