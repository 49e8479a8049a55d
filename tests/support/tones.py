"""Tones to speak into calls, and a measure of how loudly one is heard at the other end."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

RATE = 8000


def tone(hertz: float, seconds: float, amplitude: int = 8000) -> bytes:
    """A sine as signed 16-bit samples at 8 kHz."""
    time = np.arange(int(RATE * seconds)) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()


def write_tone(path: Path, hertz: float, seconds: float = 1.0) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(tone(hertz, seconds))
    return path


def loudness(path: Path, hertz: float) -> float:
    """The amplitude of that frequency in a recording (Goertzel's sum, over windows of 0.1 s; the median of them)."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    window = RATE // 10
    count = len(samples) // window
    if count == 0:
        return 0.0
    turn = np.exp(-2j * np.pi * hertz * np.arange(window) / RATE)
    heard = np.abs(samples[: count * window].reshape(count, window) @ turn) * 2 / window
    return float(np.median(heard))
