"""Speech that was made before, on disk. What is asked is cheap, what is answered is 8 kHz samples and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from voice_agent.audio import RATE
from voice_agent.tts import TextToSpeech, printable

log = logging.getLogger("voice_agent.tts")

_SUFFIX = ".s16"


class CachedSpeech:
    """Implements TextToSpeech on top of another voice.

    Speech of one text, voice and rate is one file, named by their SHA-256. It appears whole or not at all; when the
    folder grows beyond ``most_bytes``, what was not used for longest goes. A disk that fails costs time, never speech.
    """

    def __init__(self, voice: TextToSpeech, folder: Path, *, most_bytes: int = 200_000_000) -> None:
        """folder: made when it is missing. Raises OSError when that fails."""
        self.name = voice.name
        self._voice = voice
        self._folder = folder
        self._most_bytes = most_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, text: str) -> Path:
        """Where speech of ``text`` is kept once it was made."""
        key = "\0".join((printable(text), self.name, str(RATE)))
        return self._folder / (hashlib.sha256(key.encode()).hexdigest() + _SUFFIX)

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """From the disk when it is there; otherwise as it is made, and then kept."""
        path = self.path(text)
        kept = await asyncio.to_thread(_read, path)
        if kept is not None:
            yield kept
            return
        pieces = []
        async with contextlib.aclosing(self._voice.speak(text)) as speech:
            async for piece in speech:
                pieces.append(piece)
                yield piece
        pcm = b"".join(pieces)
        if not pcm:
            return  # a voice that said nothing this time may speak the next
        try:
            await asyncio.to_thread(self._keep, path, pcm)
        except OSError as error:
            log.warning("speech cannot be kept in %s: %s", self._folder, error)

    async def prepare(self, texts: Iterable[str]) -> None:
        """Makes the speech of all ``texts`` that is not there. Raises EngineError."""
        for text in texts:
            if not self.path(text).exists():
                async for _ in self.speak(text):
                    pass

    def _keep(self, path: Path, pcm: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(pcm)
                file.flush()
                os.fsync(file.fileno())  # or a power failure leaves the name without the sound
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._prune(path)

    def _prune(self, newest: Path) -> None:
        found = []
        for path in self._folder.glob("*" + _SUFFIX):
            with contextlib.suppress(FileNotFoundError):  # another process may prune as well
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, path))
        size = sum(size for _, size, _ in found)
        for _, bytes_, path in sorted(found):
            if size <= self._most_bytes:
                break
            if path != newest:
                path.unlink(missing_ok=True)
                size -= bytes_


def _read(path: Path) -> bytes | None:
    try:
        pcm = path.read_bytes()
    except OSError:  # most often, it was never made
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it was used
    return pcm or None
