"""The one format of audio in here, and arithmetic on it: signed 16-bit little-endian samples, one channel, 8 kHz.

Pure. Sound travels as ``bytes`` in that format, in frames of 20 ms where a clock is involved.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE = 8000
"""Hertz."""
FRAME_SECONDS = 0.02
FRAME_SAMPLES = 160
FRAME_BYTES = 320
SILENT_FRAME = bytes(FRAME_BYTES)

BYTES_A_SECOND = RATE * 2
QUIETEST_DBFS = -100.0
"""What silence measures, so that levels can be compared without infinities."""

Samples = npt.NDArray[np.int16]
SAMPLE: np.dtype[np.int16] = np.dtype("<i2")


def samples_of(pcm: bytes) -> Samples:
    """The samples, as a read-only view. Raises ValueError when ``pcm`` ends inside a sample."""
    return np.frombuffer(pcm, SAMPLE)


def seconds_of(pcm: bytes) -> float:
    return len(pcm) / BYTES_A_SECOND


def silence(seconds: float) -> bytes:
    """Rounded to whole samples."""
    return bytes(round(seconds * RATE) * 2)


# ------------------------------------------------------------------------------------------------------------------ G.711
def _ulaw_values() -> Samples:
    """The 256 values of mu-law (ITU-T G.711 table 2a, scaled to 16 bits). On the line the bits are inverted."""
    code = ~np.arange(256) & 0xFF
    exponent, mantissa = (code >> 4) & 7, code & 15
    magnitude = ((mantissa * 8 + 132) << exponent) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_values() -> Samples:
    """The 256 values of A-law (ITU-T G.711 table 1a, scaled to 16 bits). On the line every second bit is inverted."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    steps = np.where(exponent == 0, mantissa * 16 + 8, (mantissa * 16 + 264) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, steps, -steps).astype(np.int16)


def _nearest_code(values: Samples) -> npt.NDArray[np.uint8]:
    """For each of the 65,536 samples, in the order of their unsigned bit patterns, the code whose value is nearest."""
    order = np.argsort(values, kind="stable")
    ladder = values[order].astype(np.int32)
    wanted = np.arange(-32768, 32768)
    middles = (ladder[:-1] + ladder[1:]) / 2
    codes = order[np.searchsorted(middles, wanted)].astype(np.uint8)
    return np.roll(codes, -32768)


_ULAW_VALUES = _ulaw_values()
_ALAW_VALUES = _alaw_values()
_ULAW_CODES = _nearest_code(_ULAW_VALUES)
_ALAW_CODES = _nearest_code(_ALAW_VALUES)

ULAW_SILENCE = 0xFF
"""The code of zero. (So is 0x7F, which some equipment takes for a fault.)"""
ALAW_SILENCE = 0xD5
"""The code of the smallest positive value: A-law has no zero."""
_ULAW_CODES[0] = ULAW_SILENCE
_ALAW_CODES[0] = ALAW_SILENCE


def decode_ulaw(codes: bytes) -> bytes:
    return _ULAW_VALUES.take(np.frombuffer(codes, np.uint8)).astype(SAMPLE).tobytes()


def encode_ulaw(pcm: bytes) -> bytes:
    """The nearest mu-law code of each sample."""
    return _ULAW_CODES.take(np.frombuffer(pcm, "<u2")).tobytes()


def decode_alaw(codes: bytes) -> bytes:
    return _ALAW_VALUES.take(np.frombuffer(codes, np.uint8)).astype(SAMPLE).tobytes()


def encode_alaw(pcm: bytes) -> bytes:
    """The nearest A-law code of each sample."""
    return _ALAW_CODES.take(np.frombuffer(pcm, "<u2")).tobytes()


# ----------------------------------------------------------------------------------------------------------------- levels
def rms(pcm: bytes) -> float:
    """Root mean square of the samples, 0 to 32768; 0 of no samples."""
    if not pcm:
        return 0.0
    values = samples_of(pcm).astype(np.float64)
    return float(np.sqrt(np.mean(values * values)))


def peak(pcm: bytes) -> int:
    """The largest magnitude, 0 to 32768."""
    return int(np.abs(samples_of(pcm).astype(np.int32)).max(initial=0))


def dbfs(level: float) -> float:
    """A level of 0 to 32768 as decibels below full scale, QUIETEST_DBFS at least."""
    return max(QUIETEST_DBFS, float(20 * np.log10(max(level, 1e-9) / 32768)))


def from_dbfs(decibels: float) -> float:
    """The level of 0 to 32768 that ``decibels`` below full scale means."""
    return float(32768 * 10 ** (decibels / 20))


def _frame_levels(pcm: bytes) -> npt.NDArray[np.float64]:
    """The RMS of each whole frame."""
    whole = samples_of(pcm[: len(pcm) // FRAME_BYTES * FRAME_BYTES]).reshape(-1, FRAME_SAMPLES).astype(np.float64)
    return np.asarray(np.sqrt(np.mean(whole * whole, axis=1)))


def trim(pcm: bytes, *, below_dbfs: float = -45.0, keep_seconds: float = 0.06) -> bytes:
    """Without the silence at both ends, but for ``keep_seconds`` of it. Nothing but silence gives no sound at all."""
    loud = np.flatnonzero(_frame_levels(pcm) > from_dbfs(below_dbfs))
    if not len(loud):
        return b""
    keep = round(keep_seconds * BYTES_A_SECOND / 2) * 2
    return pcm[max(0, int(loud[0]) * FRAME_BYTES - keep) : (int(loud[-1]) + 1) * FRAME_BYTES + keep]


def speech_level(pcm: bytes) -> float:
    """The RMS of the part that is speech: of the frames within 25 dB of the loudest. 0 when there is no whole frame."""
    levels = _frame_levels(pcm)
    if not len(levels) or levels.max() == 0:
        return 0.0
    loud = levels[levels > levels.max() * 10 ** (-25 / 20)]
    return float(np.sqrt(np.mean(loud * loud)))


def normalise(pcm: bytes, *, speech_dbfs: float = -20.0, peak_dbfs: float = -3.0) -> bytes:
    """The same sound with speech at ``speech_dbfs``, or less where its peaks would pass ``peak_dbfs``. Never clips."""
    level = speech_level(pcm)
    if level == 0:
        return pcm
    gain = min(from_dbfs(speech_dbfs) / level, from_dbfs(peak_dbfs) / peak(pcm))
    return np.asarray(np.rint(samples_of(pcm) * gain), SAMPLE).tobytes()


# ----------------------------------------------------------------------------------------------------------------- frames
class FrameSplitter:
    """Cuts a stream that comes in pieces of any size into frames of 20 ms."""

    def __init__(self) -> None:
        self._rest = b""

    def push(self, pcm: bytes) -> list[bytes]:
        """The frames that ``pcm`` completes."""
        data = self._rest + pcm
        whole = len(data) // FRAME_BYTES * FRAME_BYTES
        self._rest = data[whole:]
        return [data[start : start + FRAME_BYTES] for start in range(0, whole, FRAME_BYTES)]

    def finish(self) -> list[bytes]:
        """The last frame, filled up with silence, if anything is left."""
        rest, self._rest = self._rest, b""
        return [rest.ljust(FRAME_BYTES, b"\0")] if rest else []
