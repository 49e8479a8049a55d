"""The folder of prompts that Asterisk plays: 8 kHz, one channel, 16 bits, as ``NAME.wav``."""

from __future__ import annotations

import hashlib
import io
import os
import re
import wave
from dataclasses import dataclass
from pathlib import Path

RATE = 8000


@dataclass(frozen=True, slots=True)
class Sound:
    """A prompt on the disk. ``media`` is what ARI plays; ``digest`` the SHA-256 of its samples, in hexadecimal."""

    path: Path
    digest: str
    seconds: float

    @property
    def media(self) -> str:
        return f"sound:{self.path.with_suffix('')}"


class SoundFolder:
    """Puts prompts where Asterisk finds them. Names are letters, digits, ``_`` and ``-``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, samples: bytes) -> Sound:
        """Writes signed 16-bit little-endian samples at 8 kHz as one act; a call that plays the old one plays it out.

        Raises ValueError for another kind of name, or half a sample.
        """
        path = self._path(name)
        if len(samples) % 2:
            raise ValueError("16-bit samples come in pairs of bytes")
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples)
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(buffer.getvalue())
        draft.chmod(0o644)
        draft.replace(path)
        return _sound(path, samples)

    def get(self, name: str) -> Sound | None:
        """The prompt of that name, if it has been rendered. Raises ValueError when the file is no such sound."""
        path = self._path(name)
        try:
            with wave.open(str(path), "rb") as file:
                if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE):
                    raise ValueError(f"{path} is not 16 bits, one channel, {RATE} Hz")
                return _sound(path, file.readframes(file.getnframes()))
        except FileNotFoundError:
            return None
        except (wave.Error, EOFError) as error:
            raise ValueError(f"{path}: {error}") from error

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
            raise ValueError(f"{name!r} is no name for a sound")
        return (self._folder / f"{name}.wav").resolve()


def _sound(path: Path, samples: bytes) -> Sound:
    return Sound(path, hashlib.sha256(samples).hexdigest(), len(samples) / 2 / RATE)
