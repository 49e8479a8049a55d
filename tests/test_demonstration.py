"""The demonstration's last act: a person at a terminal is the caller."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import until_sync

ROOT = Path(__file__).parent.parent
PROMPT = """
import asyncio
from rich.console import Console
from scripts.demonstration.scene import Scene
from scripts.demonstration.timeline import Timeline

class AtThePrompt(Scene):
    def __init__(self):
        self._timeline = Timeline(Console())

    async def reply(self, text):
        print(f"texted: {text}", flush=True)

asyncio.run(AtThePrompt().take_replies())
print("all is stopped", flush=True)
"""


@contextmanager
def at_the_prompt(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """The process, its keyboard, and what it has printed."""
    keyboard, terminal = pty.openpty()
    said = tmp_path / "said"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", PROMPT], cwd=ROOT, stdin=terminal, stdout=out, stderr=out, env=environment
        )
    try:
        until_sync(lambda: b"caller>" in said.read_bytes(), within=20.0, what="the prompt")
        yield process, keyboard, said
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
        os.close(terminal)


def test_whatever_is_typed_is_texted_until_an_empty_line(tmp_path: Path) -> None:
    with at_the_prompt(tmp_path) as (process, keyboard, said):
        os.write(keyboard, "¿Sigue libre?’ 😀\n".encode())
        until_sync(lambda: "texted: ¿Sigue libre?’ 😀" in said.read_text(encoding="utf-8"), what="the text")
        os.write(keyboard, b"\n")
        assert process.wait(timeout=10) == 0
        assert "all is stopped" in said.read_text(encoding="utf-8")


@pytest.mark.parametrize("end", ["ctrl-c", "ctrl-d"])
def test_the_prompt_ends_at_once_when_the_person_has_had_enough(tmp_path: Path, end: str) -> None:
    with at_the_prompt(tmp_path) as (process, keyboard, said):
        if end == "ctrl-c":
            process.send_signal(signal.SIGINT)
        else:
            os.write(keyboard, b"\x04")
        assert process.wait(timeout=10) == 0, "without another line"
        assert "all is stopped" in said.read_text(encoding="utf-8")
