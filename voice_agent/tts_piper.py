"""Text to speech with Piper, for whoever has put a voice (``NAME.onnx`` and ``NAME.onnx.json``) somewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from voice_agent.errors import EngineFailedError, EngineMissingError
from voice_agent.tts import clauses, finish

if TYPE_CHECKING:
    from piper import PiperVoice

_ENGINE = "piper"
_MEND = "put a Piper voice there, NAME.onnx with NAME.onnx.json beside it, or name none"


class Piper:
    """Implements TextToSpeech with one voice in memory. Made by ``load_piper``."""

    def __init__(self, voice: PiperVoice, name: str, *, threads: int, within: float) -> None:
        self.name = name
        self._voice = voice
        self._within = within
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="piper")

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        for clause in clauses(text):
            try:
                async with asyncio.timeout(self._within):
                    pcm = await loop.run_in_executor(self._threads, self._synthesise, clause)
            except TimeoutError as error:
                raise EngineFailedError(_ENGINE, f"took longer than {self._within:g} s") from error
            except Exception as error:  # onnxruntime and piper raise what they please
                raise EngineFailedError(_ENGINE, f"{type(error).__name__}: {error}") from error
            yield pcm

    def close(self) -> None:
        """No more speech; what is being made is let go of."""
        self._threads.shutdown(wait=False)

    def _synthesise(self, clause: str) -> bytes:
        rate = self._voice.config.sample_rate
        return finish(b"".join(chunk.audio_int16_bytes for chunk in self._voice.synthesize(clause)), rate)


def load_piper(path: Path, *, threads: int = 2, within: float = 10.0) -> Piper:
    """Loads a voice and speaks once, since the first time is slow. Takes a second or two: call it off the event loop.

    threads: clauses that are made at a time, each on one core. within: seconds for one clause, the wait for a thread
    included. Raises EngineMissingError.
    """
    settings = path.with_name(path.name + ".json")
    for needed in (path, settings):
        if not needed.is_file():
            raise EngineMissingError(_ENGINE, f"{needed} is not there", _MEND)
    try:
        import onnxruntime  # type: ignore[import-untyped]
        from piper import PiperVoice
        from piper.config import PiperConfig
    except ImportError as error:
        raise EngineMissingError(
            _ENGINE, f"cannot be imported ({error})", "install the Python package piper-tts"
        ) from error
    options = onnxruntime.SessionOptions()
    # Piper's own loader leaves these alone: all cores for one clause, and threads that spin while they wait.
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        config = PiperConfig.from_dict(json.loads(settings.read_text(encoding="utf-8")))
        session = onnxruntime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])
        name = f"{_ENGINE}/{path.stem}/{path.stat().st_mtime_ns}"
        piper = Piper(PiperVoice(session, config), name, threads=threads, within=within)
        piper._synthesise("Ready.")
    except Exception as error:  # onnxruntime and piper raise what they please
        raise EngineMissingError(_ENGINE, f"{path} cannot be used ({type(error).__name__}: {error})", _MEND) from error
    return piper
