"""The caller's voice: synthetic speech as a WAV file that a phone can play."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from voice_agent.audio import silence
from voice_agent.tts_flite import Flite

RATE = 8000
AGAIN_SECONDS = 9.0
"""Whoever was not understood says it again; whoever was has been thanked by then."""
LOUD = 300
"""Of 32768: quieter than this is no speech."""


async def write_answer(path: Path, words: str) -> None:
    """``words``, once more after a pause, and silence until the call is over: the phone hangs up where the file ends."""
    spoken = b"".join([piece async for piece in Flite(voice="rms").speak(words)])
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(spoken + silence(AGAIN_SECONDS) + spoken + silence(120.0))


async def seconds_to_say(sentences: tuple[str, ...]) -> float:
    """How long Ringback's own voice takes for them."""
    total = 0
    for sentence in sentences:
        async for piece in Flite().speak(sentence):
            total += len(piece) // 2
    return total / RATE


def seconds_of_sound(path: Path) -> float:
    """How much of a recording (16 bits, one channel) is louder than silence, in steps of 20 ms."""
    with wave.open(str(path), "rb") as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    step = rate // 50
    frames = samples[: len(samples) // step * step].reshape(-1, step).astype(np.int32)
    return float((np.abs(frames).max(axis=1) > LOUD).sum() / 50)
