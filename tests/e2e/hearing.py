"""Was a sentence really heard? Compares what a phone has recorded with what was to be said; knows no telephone."""

from __future__ import annotations

import hashlib
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.waiting import until
from tests.voice_agent.voices import Voice, utterance
from voice_agent.engines import EngineOptions, open_engines

RATE = 8000
HEADER = 44
"""Octets of a WAV file before its samples."""
LOUD = 500
"""Of 32,767: above line noise, below speech."""
PIECE = 1600
"""Samples compared at a time: a fifth of a second."""
SLACK = 4800
"""Samples by which a piece may stand earlier or later than the others say."""


def read(path: Path) -> NDArray[np.float64]:
    """The samples of a WAV file of 16 bits, one channel, 8 kHz."""
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1), path
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)


def likeness(recording: Path, sound: Path | bytes) -> float:
    """How much of ``sound`` (a WAV file, or samples) is in ``recording``, in its order: 1 is all of it.

    It is looked for in pieces of a fifth of a second, each near where the others say that it should be: a phone's jitter
    buffer stretches silence and drops packets. What counts is the median correlation of the loud ones.
    """
    heard = read(recording)
    said = read(sound) if isinstance(sound, Path) else np.frombuffer(sound, "<i2").astype(float)
    loud = np.abs(said).max() / 20
    pieces = {
        at: _correlation(heard, said[at : at + PIECE])
        for at in range(0, len(said) - PIECE, PIECE)
        if np.sqrt(np.mean(said[at : at + PIECE] ** 2)) > loud
    }
    return max((_score(pieces, int(match.argmax()) - at) for at, match in pieces.items()), default=0.0)


def _score(pieces: dict[int, NDArray[np.float64]], start: int) -> float:
    """How well the pieces are found when the sound begins at ``start``, give or take the slack."""
    found = []
    for at, match in pieces.items():
        near = match[max(0, start + at - SLACK) : max(0, start + at + SLACK)]
        found.append(float(near.max()) if len(near) else 0.0)
    return float(np.median(found))


def _correlation(long: NDArray[np.float64], short: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normalised correlation of ``short`` with each stretch of ``long``."""
    size = len(long) + len(short)
    count = max(1, len(long) - len(short))
    match = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size)), size)[:count]
    power = np.concatenate([[0.0], np.cumsum(long**2), np.full(len(short), np.sum(long**2))])
    norms = np.sqrt(power[len(short) : len(short) + count] - power[:count]) * np.linalg.norm(short)
    return np.asarray(match / np.maximum(norms, 1.0), dtype=np.float64)


async def heard_whole(recording: Path, sound: Path | bytes) -> float:
    """``likeness`` once the phone has closed its file, which it does a moment after the call."""
    # The length in the header is written at the end.
    await until(lambda: any(recording.read_bytes()[4:8]), what=f"{recording} to be complete")
    return likeness(recording, sound)


async def agent_pauses(recording: Path, seconds: float = 1.0, *, within: float = 40.0) -> None:
    """Wait until somebody has spoken at the far end and then been silent for so long, as the recording grows."""

    def paused() -> bool:
        octets = recording.read_bytes()[HEADER:]
        samples = np.frombuffer(octets[: len(octets) // 2 * 2], "<i2")
        loud = np.flatnonzero(np.abs(samples.astype(int)) > LOUD)
        return len(loud) > RATE and len(samples) - loud[-1] > seconds * RATE

    await until(lambda: recording.exists() and paused(), within=within, what="the far end to speak and to pause")


async def spoken(sentence: str, piper_voice: Path | None = None) -> bytes:
    """A sentence as Ringback's own voice says it: the engine that its settings lead to."""
    async with open_engines(EngineOptions(piper_voice=piper_voice)) as engines:
        return b"".join([piece async for piece in engines.tts.speak(sentence)])


def saying(folder: Path, text: str) -> Path:
    """A WAV file in which a synthetic caller says something, with line noise."""
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:8]}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(utterance(text, Voice("flite", "rms")))
    return path
