"""Runs a program that writes speech into a WAV file."""

from __future__ import annotations

import asyncio
import tempfile
import wave
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Callable
from pathlib import Path

from voice_agent.errors import EngineFailedError, EngineMissingError
from voice_agent.tts import finish, printable


async def run_speech_program(
    program: str, arguments: Callable[[Path, Path], tuple[str, ...]], text: str, *, within: float
) -> bytes:
    """Speech in our format. ``arguments`` tells those of ``program``, given the file to read and the WAV file to write.

    The text goes through a file, so that none of it can be taken for an option; no shell sees it. ``within``: seconds.
    Raises EngineMissingError when ``program`` is not installed, EngineFailedError when it fails or cannot be run.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="ringback-speech-") as folder:
            script, sound = Path(folder, "text"), Path(folder, "speech.wav")
            await asyncio.to_thread(script.write_text, printable(text) + "\n", encoding="utf-8")
            await _run(program, arguments(script, sound), within)
            return await asyncio.to_thread(_read, program, sound)
    except OSError as error:  # no room on the disk, no memory for a process
        raise EngineFailedError(program, f"cannot be run: {error.strerror or error}") from error


async def _run(program: str, arguments: tuple[str, ...], within: float) -> None:
    try:
        process = await asyncio.create_subprocess_exec(program, *arguments, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    except FileNotFoundError as error:
        raise EngineMissingError(program, "is not installed", f"install the system package {program}") from error
    try:
        async with asyncio.timeout(within):
            _, complaint = await process.communicate()
    except TimeoutError as error:
        raise EngineFailedError(program, f"took longer than {within:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        why = complaint.decode(errors="replace").strip()[-200:]
        raise EngineFailedError(program, f"ended with {process.returncode}: {why}")


def _read(program: str, sound: Path) -> bytes:
    try:
        with wave.open(str(sound), "rb") as file:
            if (file.getsampwidth(), file.getnchannels()) != (2, 1):
                raise EngineFailedError(program, "wrote audio that is not 16-bit, one channel")
            return finish(file.readframes(file.getnframes()), file.getframerate())
    except (OSError, EOFError, wave.Error) as error:
        raise EngineFailedError(program, f"wrote no speech ({error})") from error
