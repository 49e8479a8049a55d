"""Short Python programs beside the test: a process of their own, with the project's code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def run_program(source: str, *arguments: object, within: float = 30.0) -> subprocess.CompletedProcess[str]:
    """Run ``source`` to its end."""
    command = [sys.executable, "-c", source, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=within, check=False)


@contextmanager
def beside(source: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """``source`` runs beside the test, once it has printed a line; it is killed at the end if it still runs."""
    command = [sys.executable, "-c", source, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), "it ended before it was ready"
            yield process
        finally:
            if process.poll() is None:
                process.kill()
