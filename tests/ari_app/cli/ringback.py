"""The ``ringback`` command on books of a test, and a server that answers it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from ari_app.cli.main import main
from ari_app.dashboard.control import Control
from ari_app.dashboard.health import Component, Health
from ari_app.dashboard.metrics import Metrics
from ari_app.dashboard.server import WebEdge
from ari_app.data_folder import socket_path
from ari_app.settings.delivery import WebSection
from ari_app.settings.problem import SettingsError
from tests.support.books import Books
from tests.support.ports import free_port
from tests.support.programs import ROOT


class Ringback:
    """Runs commands with the settings in a folder."""

    def __init__(self, config: Path) -> None:
        self.config = config

    def __call__(self, *words: str) -> Result:
        """A command's output and exit code. A defect is raised, not shown."""
        result = CliRunner().invoke(main, ["-c", str(self.config), *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def alone(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own, as a shell runs it."""
        command = [sys.executable, "-m", "ari_app", "-c", str(self.config), *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)

    def json(self, *words: str, code: int = 0) -> Any:
        """What a command with ``--json`` prints."""
        result = self(*words, "--json")
        assert result.exit_code == code, result.output
        return orjson.loads(result.stdout)

    def told(self, *words: str, code: int = 0) -> list[str]:
        """The lines that a command prints, without the spaces at their ends."""
        result = self(*words)
        assert result.exit_code == code, result.output
        return [line.rstrip() for line in result.output.splitlines()]


Change = Callable[[], dict[str, Any]]


class Server:
    """What ``ringback run`` offers to the command line, in a thread of its own. reload: the answer to that command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reload: dict[str, Any] | SettingsError = {}
        self.ok = True
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        books = Books(self.folder)
        health = Health()
        health.add(lambda: [Component("database", self.ok, "written" if self.ok else "cannot be written")])
        health.add(lambda: [Component("gateway sms", False, "not bound", needed=False)])

        async def reload() -> dict[str, Any]:
            if isinstance(self.reload, Exception):
                raise self.reload
            return self.reload

        control = Control(books.recorder, books.clock, health, reload)
        path = socket_path(books.settings.data_folder)
        edge = WebEdge(WebSection(port=free_port()), health, Metrics(health, dict), control, path)
        await edge.start()
        self._ready.set()
        await self._stop.wait()
        await edge.stop()
        books.close()

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(20)

    def stop(self) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    with capture_logs():  # its log is not the command's output
        server.start()
        try:
            yield server
        finally:
            server.stop()
