"""A Vosk model of some sixty words, trained here in a quarter of a minute: real Kaldi, small enough for a test.

Speech comes from flite, which tells where every sound ends (``-psdur``). Features are Kaldi's (``mfcc``); the network is two
layers of 256 on eleven frames at a time, trained in numpy; the graph is a bigram of the training sentences over one state
a sound, since Vosk takes every third frame. All files but the graph are text, which Kaldi reads as well as binary.

Cached in ``$XDG_CACHE_HOME/ringback``, under a name that changes with this file.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
import re
import subprocess
import tempfile
import wave
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pocketsphinx
import soxr  # type: ignore[import-untyped]

from tests.voice_agent.models import mfcc, openfst
from tests.voice_agent.models.mfcc import NARROW, WIDE, Features, Matrix
from tests.voice_agent.models.openfst import EPSILON, Fst
from voice_agent.audio import decode_ulaw, encode_ulaw

VOICES = ("slt", "rms", "awb", "kal16")
SILENCE = "sil"
PHONES = (
    SILENCE,
    *"aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh".split(),
)
STATES = 1
"""Of a sound, each at least 30 ms long."""
CONTEXT = 5
"""Frames on each side that the network sees."""
HIDDEN = 256
EPOCHS = 4
COPIES = 2
"""Each recording is heard so many times, each time at another speed, level and noise."""


def sentences() -> list[str]:
    """What is trained: the answers to "are you buying or selling?", and little else."""
    wants = ("i want to", "i'd like to", "we want to", "i'm looking to", "we're looking to", "looking to")
    bought = ("buy", "buy a house", "buy a home", "buy something", "buy a place")
    sold = ("sell", "sell my house", "sell our home", "sell a house", "sell my place")
    talks = ("talk to", "speak to")
    people = ("a person", "someone", "an agent", "a human", "a real person")
    found = [f"{want} {what}" for want in wants for what in (*bought, *sold)]
    found += [f"{who} {what}" for who in ("i'm", "i am", "we're", "we are") for what in ("buying", "selling", "both")]
    found += [
        f"{what} {rest}" for what in ("buying", "selling") for rest in ("a house", "my home", "please", "i think")
    ]
    found += [f"thinking of {what}" for what in ("buying", "selling", "selling my house", "buying a home")]
    found += [f"{ask} {talk} {one}" for ask in ("can i", "let me", "i want to") for talk in talks for one in people]
    found += [f"{one} please" for one in (*people, "stop", "yes", "no", "operator")]
    found += [f"{stop} {rest}" for stop in ("stop calling", "don't call") for rest in ("me", "me again", "my number")]
    found += "take me off your list|take my number off|remove my number|remove me|please stop|stop|no stop".split("|")
    found += "buying|selling|both|a bit of both|both of them|selling and buying|yes|no|no thank you|operator".split("|")
    found += "are you a robot|is this a robot|are you a person|are you real|who is this|hello|good morning".split("|")
    found += "agent|human|an operator|i'm a seller|i am a buyer|we are buyers|uh buying|um selling|well both".split("|")
    return found


@dataclass(frozen=True)
class Recording:
    """Samples at ``rate`` hertz, and which sound ends when, in seconds."""

    samples: npt.NDArray[np.float32]
    rate: int
    sounds: tuple[tuple[str, float], ...]


def record(text: str, voice: str) -> Recording:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(path)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        with wave.open(str(path), "rb") as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
            rate = file.getframerate()
    sounds = tuple((_phone(name), float(end)) for name, end in re.findall(r"(\w+):([\d.]+)", told))
    return Recording(samples, rate, sounds)


def _phone(name: str) -> str:
    return {"pau": SILENCE, "ax": "ah"}.get(name, name)


def copies(
    recording: Recording, features: Features, random: np.random.Generator
) -> Iterator[tuple[Matrix, npt.NDArray[np.int64]]]:
    """Features and the state of each frame, heard through lines of different kinds: mu-law where they are narrow."""
    for _ in range(COPIES):
        speed = random.uniform(0.9, 1.12)
        samples = np.asarray(soxr.resample(recording.samples, recording.rate * speed, features.rate))
        level = 10 ** (random.uniform(-30, -14) / 20) * 32768 / max(1.0, float(np.sqrt(np.mean(samples**2))))
        noisy = samples * level + random.normal(0, 10 ** random.uniform(0.3, 1.8), len(samples))
        heard = np.clip(noisy, -32768, 32767).astype("<i2")
        if features is NARROW:
            heard = np.frombuffer(decode_ulaw(encode_ulaw(heard.tobytes())), "<i2")
        rows = features.mfcc(heard)
        middles = (np.arange(len(rows)) * features.shift + features.window / 2) / features.rate * speed
        ends = np.array([end for _, end in recording.sounds])
        begins = np.concatenate([[0.0], ends[:-1]])
        which = np.minimum(np.searchsorted(ends, middles), len(ends) - 1)
        part = (middles - begins[which]) / np.maximum(ends[which] - begins[which], 1e-3)
        states = np.clip((part * STATES).astype(int), 0, STATES - 1)
        yield rows, np.array([PHONES.index(recording.sounds[i][0]) for i in which]) * STATES + states


def spliced(features: Matrix) -> Matrix:
    """Each frame with those around it; the first and the last stand in for what is beyond them."""
    padded = np.concatenate([features[:1].repeat(CONTEXT, 0), features, features[-1:].repeat(CONTEXT, 0)])
    return np.concatenate([padded[at : at + len(features)] for at in range(2 * CONTEXT + 1)], axis=1)


Layers = list[tuple[Matrix, Matrix]]


def train(inputs: Matrix, states: npt.NDArray[np.int64], random: np.random.Generator) -> Layers:
    """Weights and biases, the first layer's for features as they are: cross entropy, Adam, ReLU."""
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0) + 1e-3
    inputs = (inputs - mean) / spread
    sizes = (inputs.shape[1], HIDDEN, HIDDEN, len(PHONES) * STATES)
    values = []
    for fan_in, fan_out in pairwise(sizes):
        values += [(random.normal(size=(fan_in, fan_out)) * np.sqrt(2 / fan_in)).astype(np.float32)]
        values += [np.zeros(fan_out, np.float32)]
    first, second = [np.zeros_like(value) for value in values], [np.zeros_like(value) for value in values]
    batch, step = 512, 0
    steps = EPOCHS * (len(inputs) // batch)
    for _ in range(EPOCHS):
        for chosen in random.permutation(len(inputs))[: len(inputs) // batch * batch].reshape(-1, batch):
            step += 1
            slopes = _slopes(values, inputs[chosen], states[chosen])
            rate = 2e-3 * (1 - step / (steps + 1))
            for value, slope, one, two in zip(values, slopes, first, second, strict=True):
                one += 0.1 * (slope - one)
                two += 0.01 * (slope * slope - two)
                value -= rate * (one / (1 - 0.9**step)) / (np.sqrt(two / (1 - 0.99**step)) + 1e-8)
    values[1] -= (mean / spread) @ values[0]
    values[0] /= spread[:, None]
    return list(zip(values[0::2], values[1::2], strict=True))


def _slopes(values: list[Matrix], inputs: Matrix, states: npt.NDArray[np.int64]) -> list[Matrix]:
    """The gradient of the cross entropy for each of ``values``."""
    seen = [inputs]
    for weights, bias in zip(values[0:-2:2], values[1:-2:2], strict=True):
        seen.append(np.maximum(seen[-1] @ weights + bias, 0))
    scores = seen[-1] @ values[-2] + values[-1]
    scores -= scores.max(axis=1, keepdims=True)
    error = np.exp(scores)
    error /= error.sum(axis=1, keepdims=True)
    error[np.arange(len(states)), states] -= 1
    error /= len(states)
    slopes: list[Matrix] = []
    for number in range(len(seen) - 1, -1, -1):
        slopes = [seen[number].T @ error, error.sum(axis=0), *slopes]
        if number:
            error = (error @ values[2 * number].T) * (seen[number] > 0)
    return slopes


# ----------------------------------------------------------------------------------------------------------------- files
def _vector(values: npt.NDArray[np.float32]) -> str:
    return " [ " + " ".join(f"{value:.6g}" for value in values) + " ]"


def _matrix(values: Matrix) -> str:
    return " [\n" + "\n".join(" ".join(f"{value:.6g}" for value in row) for row in values) + " ]"


def acoustic_model(layers: Layers, priors: npt.NDArray[np.float32]) -> str:
    """``am/final.mdl``: the transition model, then the network in nnet3's form."""
    phones = " ".join(str(number) for number in range(1, len(PHONES) + 1))
    states = [
        f"<State> {state} <PdfClass> {state} <Transition> {state} 0.5 <Transition> {state + 1} 0.5 </State>"
        for state in range(STATES)
    ]
    triples = [
        f"{phone + 1} {state} {phone * STATES + state}" for phone in range(len(PHONES)) for state in range(STATES)
    ]
    around = ", ".join(f"Offset(input, {offset})" if offset else "input" for offset in range(-CONTEXT, CONTEXT + 1))
    nodes = [f"input-node name=input dim={mfcc.CEPSTRA}"]
    parts, source = [], f"Append({around})"
    for number, (weights, bias) in enumerate(layers):
        last = number == len(layers) - 1
        after = "LogSoftmaxComponent" if last else "RectifiedLinearComponent"
        nodes += [f"component-node name=affine{number} component=affine{number} input={source}"]
        nodes += [f"component-node name=after{number} component=after{number} input=affine{number}"]
        source = f"after{number}"
        affine = f"<LinearParams> {_matrix(weights.T)} <BiasParams> {_vector(bias)}"
        counts = f"<Dim> {len(bias)} <ValueAvg>  [ ] <DerivAvg>  [ ] <Count> 0"
        parts += [f"<ComponentName> affine{number} <FixedAffineComponent> {affine} </FixedAffineComponent>"]
        parts += [f"<ComponentName> after{number} <{after}> {counts} </{after}>"]
    nodes += [f"output-node name=output input={source} objective=linear"]
    return "\n".join(
        [
            "<TransitionModel> <Topology> <TopologyEntry> <ForPhones>",
            f"{phones} </ForPhones>",
            *states,
            f"<State> {STATES} </State> </TopologyEntry> </Topology>",
            f"<Triples> {len(triples)}",
            *triples,
            "</Triples>",
            "<LogProbs>",
            _vector(np.array([0.0] + [math.log(0.5)] * (2 * len(triples)), np.float32)),
            "</LogProbs> </TransitionModel>",
            "<Nnet3> ",
            *nodes,
            "",
            f"<NumComponents> {len(parts)}",
            *parts,
            "</Nnet3>",
            f"<LeftContext> {CONTEXT} <RightContext> {CONTEXT} <Priors> {_vector(priors)}",
            "",
        ]
    )


def lexicon(words: set[str]) -> dict[str, list[list[str]]]:
    """How each word may be said, from the dictionary that comes with pocketsphinx."""
    ways: dict[str, list[list[str]]] = defaultdict(list)
    path = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *phones = line.split()
        if (word := name.split("(")[0]) in words:
            ways[word].append([phone.lower() for phone in phones])
    assert set(ways) == words, words - set(ways)
    return ways


def decoding_graph(texts: list[str], ways: dict[str, list[list[str]]], numbers: dict[str, int]) -> Fst:
    """A bigram of words that backs off to single words, with silence anywhere, down to the states of sounds."""
    follows: dict[str, Counter[str]] = defaultdict(Counter)
    alone: Counter[str] = Counter()
    for text in texts:
        words = text.split()
        alone.update(words)
        for word, after in pairwise(["<s>", *words, "</s>"]):
            follows[word][after] += 1
    graph = Fst()
    at = {word: graph.state() for word in ("<s>", *ways)}
    back = graph.state()

    def say(source: int, phones: list[str], word: int, cost: float, target: int) -> None:
        """One sound after another, each in states that may be held."""
        for position, phone in enumerate(phones):
            for state in range(STATES):
                pair = PHONES.index(phone) * STATES + state
                here, ends = graph.state(), position == len(phones) - 1 and state == STATES - 1
                first = position == 0 and state == 0
                graph.arc(source, EPSILON, word if first else EPSILON, cost if first else 0.0, here)
                graph.arc(here, 2 * pair + 1, EPSILON, 0.7, here)
                source = target if ends else graph.state()
                graph.arc(here, 2 * pair + 2, EPSILON, 0.7, source)

    for state in (back, *at.values()):
        say(state, [SILENCE], EPSILON, 1.0, state)
    total = sum(alone.values())
    for word, pronunciations in ways.items():
        for phones in pronunciations:
            say(back, phones, numbers[word], -math.log(alone[word] / total), at[word])
    for word, state in at.items():
        seen = sum(follows[word].values())
        graph.arc(state, EPSILON, EPSILON, -math.log(0.1), back)
        graph.finals[state] = -math.log(0.9 * max(follows[word]["</s>"], 0.05) / seen)
        for after, count in follows[word].items():
            for phones in ways.get(after, ()):
                say(state, phones, numbers[after], -math.log(0.9 * count / seen), at[after])
    return graph


MODEL_CONF = """\
--min-active=200
--max-active=3000
--beam=13.0
--lattice-beam=6.0
--acoustic-scale=0.3
--frame-subsampling-factor=3
--endpoint.silence-phones=1
--endpoint.rule2.min-trailing-silence=0.5
--endpoint.rule3.min-trailing-silence=1.0
--endpoint.rule4.min-trailing-silence=2.0
"""


def record_all() -> list[Recording]:
    """Every sentence in every voice."""
    with ThreadPoolExecutor(2) as pool:
        spoken = [(text, voice) for text in sentences() for voice in VOICES]
        return list(pool.map(lambda one: record(*one), spoken))


def make_vosk_model(folder: Path, recordings: list[Recording], features: Features) -> None:
    """Trains and writes."""
    random = np.random.default_rng(7)
    texts = sentences()
    heard = [copy for recording in recordings for copy in copies(recording, features, random)]
    inputs = np.concatenate([spliced(rows) for rows, _ in heard])
    states = np.concatenate([state for _, state in heard])
    layers = train(inputs, states, random)
    priors = np.bincount(states, minlength=len(PHONES) * STATES).astype(np.float32) + 50.0
    ways = lexicon({word for text in texts for word in text.split()})
    numbers = {word: number for number, word in enumerate(sorted(ways), start=1)}
    for name in ("am", "graph", "conf"):
        (folder / name).mkdir(parents=True)
    (folder / "am/final.mdl").write_text(acoustic_model(layers, priors / priors.sum()), encoding="utf-8")
    (folder / "graph/HCLG.fst").write_bytes(decoding_graph(texts, ways, numbers).to_bytes())
    symbols = {"<eps>": 0, **numbers}
    (folder / "graph/words.txt").write_text("".join(f"{word} {n}\n" for word, n in symbols.items()), encoding="utf-8")
    (folder / "conf/mfcc.conf").write_text(features.conf, encoding="utf-8")
    (folder / "conf/model.conf").write_text(MODEL_CONF, encoding="utf-8")


def cached_vosk_model(features: Features = NARROW) -> Path:
    """The model's folder, made with its sibling if it is not there. One process makes them, the others wait."""
    sources = b"".join(Path(str(module)).read_bytes() for module in (__file__, mfcc.__file__, openfst.__file__))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringback"
    family = cache / f"test-vosk-{hashlib.sha256(sources).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "test-vosk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not family.exists():
            recordings = record_all()
            with tempfile.TemporaryDirectory(dir=cache) as work:
                for one in (NARROW, WIDE):
                    make_vosk_model(Path(work, "made", f"{one.rate}"), recordings, one)
                Path(work, "made").rename(family)
    return family / f"{features.rate}"
