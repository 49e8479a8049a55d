"""WAV files, for whoever tries the engines without a telephone."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from voice_agent.audio import RATE, SAMPLE, samples_of
from voice_agent.errors import AudioFormatError
from voice_agent.resample import to_telephone


def read_wav(path: Path) -> bytes:
    """The audio in our format. Raises AudioFormatError when it is not a readable WAV file of 16-bit samples."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise AudioFormatError(path, str(error) or type(error).__name__) from error
    if width != 2:
        raise AudioFormatError(path, f"expected 16-bit samples, got {8 * width}-bit")
    whole = len(data) // (2 * channels) * 2 * channels  # a file that was cut off may end inside a sample
    mono = np.frombuffer(data[:whole], SAMPLE).reshape(-1, channels).mean(axis=1).astype(SAMPLE)
    return to_telephone(mono.tobytes(), rate)


def write_wav(path: Path, *tracks: bytes) -> None:
    """One channel for each of the equally long ``tracks``. Raises OSError."""
    with path.open("wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(len(tracks))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.stack([samples_of(track) for track in tracks], axis=1).tobytes())
