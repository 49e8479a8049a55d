"""Kaldi's MFCC features in numpy, for the two configurations that the small Vosk models have."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

BINS = CEPSTRA = 40
LOW = 20.0

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """For samples at ``rate`` hertz: 25 ms every 10 ms, in a transform of ``size``, up to ``high`` hertz."""

    rate: int
    size: int
    high: float

    @property
    def window(self) -> int:
        """Samples."""
        return self.rate // 40

    @property
    def shift(self) -> int:
        """Samples."""
        return self.rate // 100

    @property
    def conf(self) -> str:
        """``conf/mfcc.conf``."""
        options = {
            "sample-frequency": f"{self.rate}",
            "use-energy": "false",
            "num-mel-bins": f"{BINS}",
            "num-ceps": f"{CEPSTRA}",
            "low-freq": f"{LOW:g}",
            "high-freq": f"{self.high:g}",
            "dither": "0",
        }
        return "".join(f"--{name}={value}\n" for name, value in options.items())

    def mfcc(self, samples: npt.NDArray[np.int16]) -> Matrix:
        """One row of 40 for each whole window."""
        count = 1 + (len(samples) - self.window) // self.shift if len(samples) >= self.window else 0
        at = np.arange(count)[:, None] * self.shift + np.arange(self.window)
        frames = samples.astype(np.float64)[at]
        frames -= frames.mean(axis=1, keepdims=True)
        before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        frames = (frames - 0.97 * before) * self._taper
        power = np.abs(np.fft.rfft(frames, self.size)[:, : self.size // 2]) ** 2
        mel = np.log(np.maximum(power @ self._filters.T, np.finfo(np.float32).eps))
        return (mel @ _cosines().T).astype(np.float32)

    @cached_property
    def _taper(self) -> npt.NDArray[np.float64]:
        """Kaldi's own, "povey"."""
        turn = 2 * np.pi * np.arange(self.window) / (self.window - 1)
        return np.asarray((0.5 - 0.5 * np.cos(turn)) ** 0.85)

    @cached_property
    def _filters(self) -> npt.NDArray[np.float64]:
        """Triangles that are straight on the mel scale; the highest frequency has no part in them."""
        edges = np.linspace(_mel(LOW), _mel(self.high), BINS + 2)
        at = _mel(np.arange(self.size // 2) * self.rate / self.size)
        left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        up, down = (at - left) / (centre - left), (right - at) / (right - centre)
        return np.maximum(0.0, np.minimum(up, down))


NARROW = Features(8000, 256, 3960.0)
"""Of a model for telephones."""
WIDE = Features(16000, 512, 7600.0)
"""As Vosk's own small models have them."""


def _mel(hertz: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


def _cosines() -> npt.NDArray[np.float64]:
    """The orthonormal cosine transform, with a lifter of 22."""
    order, at = np.arange(CEPSTRA)[:, None], np.arange(BINS)
    rows = np.cos(np.pi / BINS * (at + 0.5) * order) * np.sqrt(2.0 / BINS)
    rows[0] = np.sqrt(1.0 / BINS)
    return np.asarray(rows * (1 + 11.0 * np.sin(np.pi * order / 22.0)))
