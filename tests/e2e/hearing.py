"""Was a sentence really heard? Compares what a phone has recorded with what was to be said; knows no telephone."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.waiting import until

RATE = 8000
PIECE = 8000
"""Samples compared at a time: a second. A jitter buffer may shift what lies behind."""


def read(path: Path) -> NDArray[np.float64]:
    """The samples of a WAV file of 16 bits, one channel, 8 kHz."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1), path
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


def likeness(recording: Path, sound: Path | bytes) -> float:
    """How much of ``sound`` (a WAV file, or samples) is in ``recording``: 1 is all of it, in its order, and clearly.

    Each loud piece is looked for by correlation; what counts is the median of how well they are found.
    """
    heard = read(recording)
    said = read(sound) if isinstance(sound, Path) else np.frombuffer(sound, "<i2").astype(float)
    loud = np.abs(said).max() / 10
    pieces = [said[at : at + PIECE] for at in range(0, max(1, len(said) - PIECE), PIECE)]
    found = [_best(heard, piece) for piece in pieces if np.sqrt(np.mean(piece**2)) > loud / 2]
    return float(np.median(found)) if found else 0.0


def _best(long: NDArray[np.float64], short: NDArray[np.float64]) -> float:
    """The highest normalised correlation of ``short`` with a stretch of ``long``."""
    if len(long) < len(short):
        return 0.0
    size = len(long) + len(short)
    match = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size)), size)[: len(long) - len(short)]
    power = np.concatenate([[0.0], np.cumsum(long**2)])
    norms = np.sqrt(power[len(short) : len(short) + len(match)] - power[: len(match)]) * np.linalg.norm(short)
    return float(np.max(match / np.maximum(norms, 1.0)))


async def heard_whole(recording: Path, sound: Path | bytes) -> float:
    """``likeness`` once the phone has closed its file, which it does a moment after the call."""
    # The length in the header is written at the end.
    await until(lambda: any(recording.read_bytes()[4:8]), what=f"{recording} to be complete")
    return likeness(recording, sound)
