"""Telephone speech at twice the rate: the same speech, its mirror image above it, whatever the pieces it comes in."""

from __future__ import annotations

import numpy as np
import pytest

from voice_agent.audio import SAMPLE, samples_of
from voice_agent.wideband import RATE, Widener

TONE_HERTZ = 1000


def tone(seconds: float = 1.0) -> bytes:
    """At 8 kHz."""
    moments = np.arange(int(8000 * seconds)) / 8000
    return (8000 * np.sin(2 * np.pi * TONE_HERTZ * moments)).astype(SAMPLE).tobytes()


def test_a_tone_stays_and_has_its_faint_mirror_image() -> None:
    wide = samples_of(Widener().push(tone())).astype(np.float64)
    assert len(wide) == RATE
    loud = np.abs(np.fft.rfft(wide * np.hanning(len(wide))))
    assert int(np.argmax(loud)) == TONE_HERTZ
    image = 8000 - TONE_HERTZ
    assert loud[image] / loud[TONE_HERTZ] == pytest.approx(0.2, abs=0.02)
    loud[TONE_HERTZ - 5 : TONE_HERTZ + 6] = loud[image - 5 : image + 6] = 0.0
    assert loud[100:-100].max() < 0.01 * 8000 * RATE / 4, "nothing else is in it"


@pytest.mark.parametrize("samples", [1, 7, 160, 4000])
def test_in_pieces_it_is_the_same(samples: int) -> None:
    pcm, widener = tone(), Widener()
    pieces = [widener.push(pcm[start : start + 2 * samples]) for start in range(0, len(pcm), 2 * samples)]
    assert b"".join(pieces) == Widener().push(pcm)
