"""From the rate of a voice to ours."""

from __future__ import annotations

import numpy as np
import soxr  # type: ignore[import-untyped]

from voice_agent.audio import RATE, SAMPLE, samples_of


def to_telephone(pcm: bytes, rate: int) -> bytes:
    """One whole utterance of signed 16-bit samples at ``rate`` hertz, at 8 kHz.

    Whole, because a resampler remembers: what is left of one utterance must not be heard at the start of the next.
    """
    if rate == RATE:
        return pcm
    samples = np.asarray(soxr.resample(samples_of(pcm), rate, RATE), SAMPLE)
    return samples.tobytes()
