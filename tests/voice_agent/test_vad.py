"""The two detectors of speech."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.support.tones import tone
from tests.voice_agent.voices import Voice, utterance
from voice_agent.audio import FRAME_BYTES, SAMPLE, SILENT_FRAME, FrameSplitter
from voice_agent.errors import EngineMissingError
from voice_agent.vad import EnergyDetector, VoiceDetector, WebRtcDetector


def noise(seconds: float, level: float, seed: int = 1) -> list[bytes]:
    samples = np.random.default_rng(seed).normal(0, level, int(seconds * 8000)).astype(SAMPLE)
    return FrameSplitter().push(samples.tobytes())


def share(detector: VoiceDetector, frames: list[bytes]) -> float:
    return sum(detector.is_speech(frame) for frame in frames) / len(frames)


DETECTORS = pytest.mark.parametrize("detector", [WebRtcDetector(), EnergyDetector()], ids=["webrtc", "energy"])


@DETECTORS
def test_speech_is_speech_and_line_noise_is_not(detector: VoiceDetector) -> None:
    assert share(detector, noise(2.0, 15)) < 0.02
    speech = FrameSplitter().push(utterance("I am looking to buy a house near the river.", Voice("flite", "rms")))
    assert share(detector, speech) > 0.6
    assert share(detector, noise(2.0, 15)) < 0.1


@DETECTORS
def test_digital_silence_is_not_speech(detector: VoiceDetector) -> None:
    assert share(detector, [SILENT_FRAME] * 100) == 0.0


@DETECTORS
@pytest.mark.parametrize("length", [0, FRAME_BYTES - 2, FRAME_BYTES + 2])
def test_only_whole_frames_are_taken(detector: VoiceDetector, length: int) -> None:
    with pytest.raises(ValueError, match=f"got {length}"):
        detector.is_speech(bytes(length))


def test_the_energy_detector_gets_used_to_noise_but_not_to_an_utterance() -> None:
    detector = EnergyDetector()
    fan = noise(30.0, 1500)
    assert share(detector, fan[:100]) == 1.0
    share(detector, fan[100:-100])
    assert share(detector, fan[-100:]) == 0.0
    shout = FrameSplitter().push(tone(300, 4.0, amplitude=12000))
    assert share(EnergyDetector(), shout) == 1.0


def test_a_detector_that_is_not_installed_is_an_error_and_never_just_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(EngineMissingError, match="install webrtcvad-wheels"):
        WebRtcDetector()


def test_what_is_quieter_than_the_gate_is_not_speech() -> None:
    whisper = utterance("Is anybody there?", Voice("flite", "slt"), gain_db=-36)
    assert share(WebRtcDetector(), FrameSplitter().push(whisper)) < 0.05
    assert share(WebRtcDetector(gate_dbfs=-90), FrameSplitter().push(whisper)) > 0.1
