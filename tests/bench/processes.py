"""Processes that help a bench: each prints its port first, and answers a line with a line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.figures import Spread
from tests.bench.machine import ROOT


def command_line(python: Path | str, module: str, **options: object) -> list[str]:
    """The command of a module; options that are None are left out, ``True`` is a flag."""
    command = [str(python), "-m", module]
    for name, value in options.items():
        if value is True:
            command.append(f"--{name.replace('_', '-')}")
        elif value is not None and value is not False:
            command += [f"--{name.replace('_', '-')}", str(value)]
    return command


@dataclass
class Helper:
    """A running one."""

    process: subprocess.Popen[str]
    port: int

    def ask(self, line: str = "report") -> dict[str, Any]:
        """One line for one line."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def helper(module: str, **options: object) -> Iterator[Helper]:
    """A helper that lives as long as the block. Raises RuntimeError when it does not start."""
    command = command_line(sys.executable, module, **options)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            if not first.strip().isdecimal():
                raise RuntimeError(f"{module} did not start: {first!r}")
            yield Helper(process, int(first))
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Control:
    """What the machine itself did meanwhile, in seconds. late: a timer of 5 ms. sync: fdatasync of 4 KiB."""

    late: Spread
    sync: Spread

    @classmethod
    def ask(cls, probe: Helper) -> Control:
        """Since the question before. Raises ValueError when that was a moment ago."""
        found = probe.ask()
        return cls(Spread.of(found["late"]), Spread.of(found["sync"]))

    def sentence(self) -> str:
        """For people."""
        return f"Control probe: timer late by {self.late.milliseconds()}; fdatasync {self.sync.milliseconds()}."
