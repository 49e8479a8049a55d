"""Speech to text with Vosk, for whoever has put a model into a folder. One model for all, one thread a lane."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from voice_agent.audio import RATE
from voice_agent.dialogue import plain
from voice_agent.errors import EngineFailedError, EngineMissingError
from voice_agent.heard import Heard, Word, mean_confidence
from voice_agent.stt import SpeechLanes, speech_lanes
from voice_agent.wideband import RATE as WIDE_RATE
from voice_agent.wideband import Widener

T = TypeVar("T")

_ENGINE = "vosk"
_UNKNOWN = "[unk]"
"""Vosk's name for speech that is none of a grammar's phrases."""


class VoskModel:
    """A model in memory, shared by all lanes (Vosk says that it may be). Loading takes a second or more."""

    def __init__(self, folder: Path) -> None:
        """Raises EngineMissingError when vosk is not installed or ``folder`` holds no model."""
        mend = "unpack a model from Vosk's list there, or name no model"
        if not any((folder / part).is_file() for part in ("am/final.mdl", "final.mdl")):
            raise EngineMissingError(_ENGINE, f"no model in {folder} (am/final.mdl is not there)", mend)
        try:
            import vosk
        except ImportError as error:
            why = f"cannot be imported ({error})"
            raise EngineMissingError(_ENGINE, why, "install the Python package vosk") from error
        self.rate = _rate(folder)
        """Hertz, of the samples that a recogniser takes: 8,000, or 16,000 as Vosk's own small models do."""
        if self.rate not in (RATE, WIDE_RATE):
            raise EngineMissingError(
                _ENGINE, f"the model in {folder} wants {self.rate} Hz, not {RATE} or {WIDE_RATE}", mend
            )
        self._library = vosk
        vosk.SetLogLevel(-1)
        try:
            self._model = vosk.Model(str(folder))
        except Exception as error:  # vosk raises a bare Exception and has told why on standard error
            raise EngineMissingError(_ENGINE, f"the model in {folder} cannot be loaded", mend) from error
        # A grammar is compiled into a look-ahead graph; a model with one fixed graph ignores it, with a warning each time.
        self.takes_grammar = any((folder / part).is_file() for part in ("graph/HCLr.fst", "HCLr.fst"))

    def knows(self, phrase: str) -> bool:
        """Whether all words of the phrase are in the model's vocabulary."""
        return all(self._model.vosk_model_find_word(word) >= 0 for word in phrase.split())

    def recogniser(self, grammar: str | None) -> Any:
        """A new KaldiRecognizer for one utterance, which takes samples at ``rate``."""
        limits = () if grammar is None else (grammar,)
        recogniser = self._library.KaldiRecognizer(self._model, self.rate, *limits)
        recogniser.SetWords(True)
        return recogniser


class VoskDecoder:
    """Implements Decoder in a thread: Vosk's C code lets go of Python's interpreter lock."""

    def __init__(self, model: VoskModel, *, strict: bool) -> None:
        self._model = model
        self._strict = strict
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vosk")
        self._recogniser: Any = None
        self._widener: Widener | None = None
        self._said: list[dict[str, Any]] = []

    async def start(self) -> None:
        """Nothing: the model is loaded."""

    async def prepare(self, phrases: tuple[str, ...]) -> None:
        """Nothing: a grammar is compiled for each utterance, in a few milliseconds."""

    async def begin(self, phrases: tuple[str, ...], memory: str) -> None:
        await self._run(lambda: self._begin(phrases))

    async def feed(self, pcm: bytes) -> str:
        return await self._run(lambda: self._feed(pcm))

    async def finish(self) -> tuple[Heard, str]:
        return await self._run(self._finish), ""

    async def drop(self) -> None:
        self._recogniser = None

    async def close(self) -> None:
        self._thread.shutdown(wait=False)

    def _begin(self, phrases: tuple[str, ...]) -> None:
        known = [text for text in dict.fromkeys(map(plain, phrases)) if text and self._model.knows(text)]
        use_grammar = self._strict and known and self._model.takes_grammar
        self._recogniser = self._model.recogniser(json.dumps([*known, _UNKNOWN]) if use_grammar else None)
        self._widener = Widener() if self._model.rate == WIDE_RATE else None
        self._said = []

    def _feed(self, pcm: bytes) -> str:
        if self._widener is not None:
            pcm = self._widener.push(pcm)
        # True: Vosk's own end-pointing closed a sentence. The turn is ours to end; we go on, and keep what was said.
        if self._recogniser.AcceptWaveform(pcm):
            self._keep(self._recogniser.Result())
        going_on = _clean(json.loads(self._recogniser.PartialResult()).get("partial", ""))
        return " ".join([*(_clean(word["word"]) for word in self._said), going_on]).strip()

    def _finish(self) -> Heard:
        self._keep(self._recogniser.FinalResult())
        self._recogniser = None
        words = tuple(
            Word(_clean(word["word"]), word["start"], word["end"], word.get("conf"))
            for word in self._said
            if _clean(word["word"])
        )
        return Heard(" ".join(word.text for word in words), mean_confidence(words), words)

    def _keep(self, result: str) -> None:
        self._said += json.loads(result).get("result", [])

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception as error:  # vosk raises bare Exceptions
            raise EngineFailedError(_ENGINE, f"{type(error).__name__}: {error}") from error


def _rate(folder: Path) -> int:
    """Hertz, of the samples that the model takes. Given any other, it fails at every utterance."""
    conf = next((path for path in (folder / "conf/mfcc.conf", folder / "mfcc.conf") if path.is_file()), None)
    options = (
        {} if conf is None else dict(re.findall(r"^--([\w-]+)=(\S+)", conf.read_text(encoding="utf-8"), re.MULTILINE))
    )
    if options.get("allow-upsample") == "true":  # its maker trained it on telephone speech as well
        return RATE
    return int(options.get("sample-frequency", WIDE_RATE))  # Kaldi's default


def _clean(text: str) -> str:
    """Without Vosk's marks for noise and for what it does not know."""
    return " ".join(word for word in text.split() if word[0] not in "[<")


@contextlib.asynccontextmanager
async def open_vosk(folder: Path, *, lanes: int = 0, strict: bool = False) -> AsyncIterator[SpeechLanes]:
    """``lanes`` utterances at a time, 0 for eight a core: a caller who speaks holds a lane, and computing is a small part.

    strict: where the model allows it, only the expected phrases can be understood, and everything else comes out empty.
    Raises EngineMissingError.
    """
    model = await asyncio.to_thread(VoskModel, folder)
    count = lanes or 8 * len(os.sched_getaffinity(0))
    async with speech_lanes(_ENGINE, [VoskDecoder(model, strict=strict) for _ in range(count)]) as speech:
        yield speech
