"""Is this frame speech? Two detectors behind one Protocol. Never none: a detector that is not there is an error."""

from __future__ import annotations

from typing import Protocol

from voice_agent.audio import FRAME_BYTES, FRAME_SECONDS, RATE, dbfs, rms
from voice_agent.errors import EngineMissingError


class VoiceDetector(Protocol):
    """One caller's detector; it may remember what it heard before."""

    def is_speech(self, frame: bytes) -> bool:
        """``frame``: 20 ms. Raises ValueError on any other length."""
        ...


def _check(frame: bytes) -> None:
    if len(frame) != FRAME_BYTES:
        raise ValueError(f"expected a frame of {FRAME_BYTES} bytes, got {len(frame)}")


class WebRtcDetector:
    """The detector of the WebRTC project, behind a gate: what is quieter than ``gate_dbfs`` is a noisy line, not speech."""

    def __init__(self, *, aggressiveness: int = 2, gate_dbfs: float = -52.0) -> None:
        """aggressiveness: 0 lets most through, 3 least. Raises EngineMissingError when the module is not installed."""
        try:
            import webrtcvad
        except ImportError as error:
            raise EngineMissingError(
                "webrtcvad", f"cannot be imported ({error})", "install webrtcvad-wheels, or choose the energy detector"
            ) from error
        self._vad = webrtcvad.Vad(aggressiveness)
        self._gate_dbfs = gate_dbfs

    def is_speech(self, frame: bytes) -> bool:
        _check(frame)
        # Always asked, since it learns from what it hears.
        return bool(self._vad.is_speech(frame, RATE)) and dbfs(rms(frame)) > self._gate_dbfs


class EnergyDetector:
    """Louder than the noise by so much is speech. Pure; for quiet lines, and where nothing else can be installed."""

    def __init__(self, *, above_noise_db: float = 12.0, gate_dbfs: float = -50.0) -> None:
        self._above_noise_db = above_noise_db
        self._gate_dbfs = gate_dbfs
        self._noise_dbfs = gate_dbfs

    def is_speech(self, frame: bytes) -> bool:
        _check(frame)
        level = dbfs(rms(frame))
        # The floor falls at once, and rises by 3 dB a second, so that it does not learn an utterance.
        self._noise_dbfs = min(level, self._noise_dbfs + 3 * FRAME_SECONDS)
        return level > max(self._gate_dbfs, self._noise_dbfs + self._above_noise_db)
