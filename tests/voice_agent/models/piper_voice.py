"""A Piper voice made by hand: every phoneme is 67 ms of a buzz or a hiss through three resonances, one after another.

It has what a real voice has (an ONNX graph, its JSON file, phonemes, 22,050 Hz) and so runs Piper's whole way; it sounds
like a talking clock of the 1980s.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, checker, helper, numpy_helper, save

RATE = 22_050
PERIOD = 210
"""Samples of one pitch period: 105 Hz."""
LENGTH = 7 * PERIOD
"""Samples of a phoneme; whole periods, so that vowels run into one another without a click."""

VOWELS: dict[str, tuple[int, int, int]] = {
    "a": (760, 1450, 2500), "æ": (690, 1660, 2490), "ɐ": (640, 1190, 2390), "ɑ": (730, 1090, 2440),
    "ɔ": (570, 840, 2410), "ɒ": (600, 900, 2400), "o": (500, 900, 2300), "ʊ": (440, 1020, 2240), "u": (300, 870, 2240),
    "ʌ": (640, 1190, 2390), "ə": (500, 1500, 2500), "ɚ": (490, 1350, 1690), "ɜ": (490, 1350, 1690), "ɛ": (530, 1840, 2480),
    "e": (450, 2000, 2550), "ɪ": (390, 1990, 2550), "ᵻ": (400, 1900, 2500), "i": (270, 2290, 3010),
}  # fmt: skip
"""Resonances in hertz, about those of Peterson and Barney (1952)."""

SONORANTS: dict[str, tuple[int, int, int]] = {
    "m": (250, 1000, 2200), "n": (250, 1700, 2600), "ŋ": (250, 2000, 2800), "l": (360, 1100, 2600),
    "ɹ": (420, 1100, 1500), "ɾ": (300, 1700, 2600), "w": (300, 700, 2200), "j": (280, 2200, 3000),
    "v": (300, 1200, 2300), "ð": (300, 1400, 2500), "z": (250, 1700, 2600), "ʒ": (250, 1800, 2500),
    "b": (250, 900, 2200), "d": (250, 1700, 2600), "ɡ": (250, 2000, 2400),
}  # fmt: skip

HISSES: dict[str, tuple[int, int]] = {
    "s": (5500, 1800), "z": (5500, 1800), "ʃ": (3000, 1400), "ʒ": (3000, 1400), "f": (6000, 4000), "v": (6000, 4000),
    "θ": (6500, 4000), "ð": (6500, 4000), "h": (1500, 1500), "t": (4500, 2000), "d": (4500, 2000), "k": (2000, 900),
    "ɡ": (2000, 900), "p": (900, 900), "b": (900, 900),
}  # fmt: skip
"""Centre and width of the noise, in hertz."""

STOPS = "ptkbdɡ"
SILENCES = " ,.?!;:-'\"ˈˌːʲ"

Wave = npt.NDArray[np.float64]


def _buzz(resonances: tuple[int, ...]) -> Wave:
    """A voice: harmonics of the pitch, louder near the resonances."""
    time = np.arange(LENGTH) / RATE
    pitch = RATE / PERIOD
    harmonics = np.arange(1, int(5000 / pitch)) * pitch
    near = sum(1 / (1 + ((harmonics - centre) / 90) ** 2) for centre in resonances)
    weights = (near + 0.01) * (300 / (300 + harmonics)) ** 0.5
    return np.asarray((weights[:, None] * np.sin(2 * np.pi * harmonics[:, None] * time)).sum(axis=0))


def _hiss(centre: int, width: int, random: np.random.Generator) -> Wave:
    """Noise around ``centre``."""
    spectrum = np.fft.rfft(random.normal(size=LENGTH))
    hertz = np.fft.rfftfreq(LENGTH, 1 / RATE)
    return np.asarray(np.fft.irfft(spectrum * np.exp(-(((hertz - centre) / width) ** 2)), LENGTH))


def _sound(phoneme: str, random: np.random.Generator) -> Wave:
    """One phoneme; silence for what is none."""
    sound = np.zeros(LENGTH)
    if phoneme in VOWELS:
        sound += 0.5 * _level(_buzz(VOWELS[phoneme]))
    if phoneme in SONORANTS:
        sound += 0.25 * _level(_buzz(SONORANTS[phoneme]))
    if phoneme in HISSES:
        sound += (0.12 if phoneme in SONORANTS else 0.25) * _level(_hiss(*HISSES[phoneme], random))
    if phoneme in STOPS:
        sound[: LENGTH * 2 // 3] *= 0.02  # closed, then it bursts
    return sound


def _level(sound: Wave) -> Wave:
    return np.asarray(sound / np.sqrt(np.mean(sound**2)) * 0.3)


def make_piper_voice(folder: Path) -> Path:
    """Writes ``tiny.onnx`` and ``tiny.onnx.json``; returns the first."""
    phonemes = ["_", "^", "$", *dict.fromkeys([*SILENCES, *VOWELS, *SONORANTS, *HISSES])]
    random = np.random.default_rng(1)
    table = np.stack([_sound(phoneme, random) for phoneme in phonemes]).astype(np.float32)
    voiced = np.array([phoneme not in "_^$ˈˌːʲ'" for phoneme in phonemes])

    graph = helper.make_graph(
        [
            # Piper puts padding between phonemes: it has no sound, and neither have stress marks.
            helper.make_node("Squeeze", ["input"], ["ids"]),
            helper.make_node("Gather", ["voiced", "ids"], ["heard"]),
            helper.make_node("Compress", ["ids", "heard"], ["spoken"]),
            helper.make_node("Gather", ["table", "spoken"], ["rows"]),
            helper.make_node("Reshape", ["rows", "shape"], ["output"]),
        ],
        "tiny voice",
        [
            helper.make_tensor_value_info("input", TensorProto.INT64, [1, "phonemes"]),
            helper.make_tensor_value_info("input_lengths", TensorProto.INT64, [1]),
            helper.make_tensor_value_info("scales", TensorProto.FLOAT, [3]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, "time"])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(voiced, "voiced"),
            numpy_helper.from_array(np.array([1, 1, -1], np.int64), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    path = folder / "tiny.onnx"
    save(model, str(path))
    settings = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "num_symbols": len(phonemes),
        "num_speakers": 1,
        "phoneme_id_map": {phoneme: [number] for number, phoneme in enumerate(phonemes)},
    }
    path.with_name("tiny.onnx.json").write_text(json.dumps(settings), encoding="utf-8")
    return path
