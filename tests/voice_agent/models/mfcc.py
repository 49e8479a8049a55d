"""Kaldi's MFCC features in numpy, for the one configuration that the small Vosk model has (see ``CONF``)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 8000
WINDOW, SHIFT, SIZE = 200, 80, 256
"""Samples: 25 ms every 10 ms, in a transform of 256."""
BINS = CEPSTRA = 40
LOW, HIGH = 20.0, 3960.0

CONF = f"""\
--sample-frequency={RATE}
--use-energy=false
--num-mel-bins={BINS}
--num-ceps={CEPSTRA}
--low-freq={LOW:g}
--high-freq={HIGH:g}
--dither=0
"""

Matrix = npt.NDArray[np.float32]


def _mel(hertz: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(np.asarray(hertz) / 700.0))


def _filters() -> npt.NDArray[np.float64]:
    """Triangles that are straight on the mel scale; the highest frequency has no part in them."""
    edges = np.linspace(_mel(LOW), _mel(HIGH), BINS + 2)
    at = _mel(np.arange(SIZE // 2) * RATE / SIZE)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    up, down = (at - left) / (centre - left), (right - at) / (right - centre)
    return np.maximum(0.0, np.minimum(up, down))


def _cosines() -> npt.NDArray[np.float64]:
    """The orthonormal cosine transform, with a lifter of 22."""
    order, at = np.arange(CEPSTRA)[:, None], np.arange(BINS)
    rows = np.cos(np.pi / BINS * (at + 0.5) * order) * np.sqrt(2.0 / BINS)
    rows[0] = np.sqrt(1.0 / BINS)
    return np.asarray(rows * (1 + 11.0 * np.sin(np.pi * order / 22.0)))


_WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))) ** 0.85  # Kaldi's own, "povey"
_FILTERS, _COSINES = _filters(), _cosines()


def mfcc(samples: npt.NDArray[np.int16]) -> Matrix:
    """One row of 40 for each whole window."""
    count = 1 + (len(samples) - WINDOW) // SHIFT if len(samples) >= WINDOW else 0
    frames = samples.astype(np.float64)[np.arange(count)[:, None] * SHIFT + np.arange(WINDOW)]
    frames -= frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - 0.97 * before) * _WINDOW
    power = np.abs(np.fft.rfft(frames, SIZE)[:, : SIZE // 2]) ** 2
    mel = np.log(np.maximum(power @ _FILTERS.T, np.finfo(np.float32).eps))
    return (mel @ _COSINES.T).astype(np.float32)
