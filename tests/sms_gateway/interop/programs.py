"""Programs of others that tests start: where they are kept, how they are installed, started and stopped."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.support.waiting import until

SMPP = "smpp@0.5.1"
"""The SMPP server from npm."""


def cache_folder(name: str) -> Path:
    """A folder for installed programs that outlives a run of the tests."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(home) / "ringback" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def program(name: str, package: str, *, also: Sequence[str] = ()) -> str:
    """The path of a program. Fails the test, naming the package to install, if it is not there."""
    found = next(filter(None, (shutil.which(candidate) for candidate in (name, *also))), None)
    if found is None:
        pytest.fail(f"the program {name} is missing: install the package {package}")
    return found


def npm_folder(*pinned: str) -> Path:
    """A folder whose node_modules hold the packages ``pinned``, as name@version."""
    npm = program("npm", "npm")
    folder = cache_folder("npm") / "+".join(pinned)
    with _installing(folder) as needed:
        if needed:
            command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", *pinned]
            _install(command, folder)
    return folder


def python_environment(name: str, *pinned: str) -> Path:
    """The interpreter of a virtual environment that holds ``pinned``, as name==version."""
    folder = cache_folder("python") / f"{name}-{hashlib.sha256(' '.join(pinned).encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    with _installing(folder) as needed:
        if needed:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            _install([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned], folder)
    return python


@contextmanager
def _installing(folder: Path) -> Iterator[bool]:
    """Whether it has yet to be installed; other workers wait meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not (folder / "installed").exists()


def _install(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
    (folder / "installed").touch()


@asynccontextmanager
async def running(
    command: Sequence[str | Path],
    log: Path,
    *,
    ready: str | None = None,
    within: float = 30.0,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program and its children, as a process group of its own, for as long as the block lasts.

    ready: words in its output that say that it can be used.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=cwd,
            start_new_session=True,
        )
    try:
        if ready is not None:
            said = log.read_text
            await until(
                lambda: process.returncode is not None or ready in said(errors="replace"),
                within=within,
                what=f"{command[0]} says {ready!r}, see {log}",
            )
            assert process.returncode is None, f"{command[0]} ended with {process.returncode}:\n{said()[-4000:]}"
        yield process
    finally:
        await _stop(process)


@asynccontextmanager
async def alone(name: str) -> AsyncIterator[None]:
    """No other test of this machine is inside a block of that name: for programs whose port is compiled in."""
    with (cache_folder("locks") / name).open("w") as file:
        await asyncio.to_thread(fcntl.flock, file, fcntl.LOCK_EX)
        yield


async def _stop(process: asyncio.subprocess.Process) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            async with asyncio.timeout(10.0):
                await process.wait()
        except TimeoutError:
            continue
