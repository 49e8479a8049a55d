"""Speech to text with pocketsphinx, the recogniser that brings its own English model. One process a lane."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator

from voice_agent.errors import EngineFailedError, EngineMissingError
from voice_agent.heard import Heard, Word, mean_confidence
from voice_agent.pocketsphinx_worker import HEADER
from voice_agent.stt import SpeechLanes, speech_lanes

log = logging.getLogger("voice_agent.stt")

_ENGINE = "pocketsphinx"
_ANSWER_SECONDS = 10.0
"""A worker that takes longer over one order is ended and replaced."""


class PocketsphinxDecoder:
    """Implements Decoder with a worker process; starts another one when it ended."""

    def __init__(self, warned: set[str] | None = None) -> None:
        """warned: phrases that nobody needs to be warned of again."""
        self._process: Process | None = None
        self._warned = set() if warned is None else warned

    async def start(self) -> None:
        """Raises EngineMissingError, EngineFailedError."""
        if importlib.util.find_spec("pocketsphinx") is None:
            raise EngineMissingError(_ENGINE, "is not installed", "install the Python package pocketsphinx")
        await self._ask(b"P", b"[]")

    async def prepare(self, phrases: tuple[str, ...]) -> None:
        unknown = set(json.loads(await self._ask(b"P", json.dumps(phrases).encode()))) - self._warned
        if unknown:
            self._warned |= unknown
            log.warning("pocketsphinx cannot pronounce %s: not expected", ", ".join(sorted(unknown)))

    async def begin(self, phrases: tuple[str, ...], memory: str) -> None:
        await self._ask(b"B", json.dumps({"phrases": phrases, "memory": memory}).encode())

    async def feed(self, pcm: bytes) -> str:
        return (await self._ask(b"A", pcm)).decode()

    async def finish(self) -> tuple[Heard, str]:
        told = json.loads(await self._ask(b"E"))
        words = tuple(Word(**word) for word in told["words"])
        return Heard(told["text"], mean_confidence(words), words), told["memory"]

    async def drop(self) -> None:
        await self._ask(b"X")

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._process = None

    async def _ask(self, order: bytes, body: bytes = b"") -> bytes:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                process = await self._running()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(HEADER.pack(order, len(body)) + body)
                await process.stdin.drain()
                letter, length = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
                answer = await process.stdout.readexactly(length)
        except TimeoutError as error:
            await self.close()
            raise EngineFailedError(_ENGINE, f"no answer within {_ANSWER_SECONDS:g} s") from error
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise EngineFailedError(_ENGINE, "the worker process ended") from error
        except OSError as error:  # no memory, no more processes
            raise EngineFailedError(_ENGINE, f"no worker process: {error.strerror or error}") from error
        except asyncio.CancelledError:
            await self.close()  # its next answer would be to this order
            raise
        if letter == b"!":
            raise EngineFailedError(_ENGINE, answer.decode())
        return answer

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voice_agent.pocketsphinx_worker"), stdin=PIPE, stdout=PIPE, stderr=DEVNULL
            )
        return self._process


@contextlib.asynccontextmanager
async def open_pocketsphinx(*, lanes: int = 0) -> AsyncIterator[SpeechLanes]:
    """``lanes`` utterances at a time, 0 for one a core. Each takes about 150 MB. Raises EngineError."""
    count = lanes or len(os.sched_getaffinity(0))
    warned: set[str] = set()
    async with speech_lanes(_ENGINE, [PocketsphinxDecoder(warned) for _ in range(count)]) as speech:
        yield speech
