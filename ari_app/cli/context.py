"""What every command may need: the settings, the books, the running server."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import click
import orjson
from rich.console import Console

from ari_app.data_folder import BOOKS, database_path, socket_path
from ari_app.errors import NotDoneError, StoreError
from ari_app.settings.compiling import compile_policy
from ari_app.settings.document import Document
from ari_app.settings.loading import Settings, load
from ari_app.settings.problem import SettingsError
from ari_app.settings.yaml_source import Source
from ari_app.store import journal
from ari_app.store.db import Database, reading

_DATA = re.compile(r"""^data:[ ]+["']?([^"'#\n]*[^"'#\s])""", re.MULTILINE)
"""The data folder, in a file that may be no YAML at present."""


class Cli:
    """Built once for a command."""

    def __init__(self, config: Path) -> None:
        self.config = config
        # Into a file or a pipe a table is as wide as it needs to be. Names of callers are no markup.
        width = None if sys.stdout.isatty() else 200
        self.console = Console(highlight=False, markup=False, emoji=False, width=width)

    @cached_property
    def settings(self) -> Settings:
        """The settings. Raises SettingsError."""
        return load(self.config)

    @cached_property
    def in_force(self) -> Settings:
        """The settings; while they are invalid, those that the books were last kept by, and a line that says so: a no must
        not wait until somebody has mended a file. Raises SettingsError when there are neither."""
        try:
            return self.settings
        except SettingsError as error:
            found = _last_kept(self.config)
            if found is None:
                raise
            click.echo(f"{error.problems[0]}", err=True)
            click.echo("ringback: by the settings that were last in force; 'ringback check' tells all", err=True)
            return found

    @property
    def zone(self) -> ZoneInfo:
        """The zone that times are shown in."""
        return ZoneInfo(self.in_force.document.brokerage.time_zone)

    @contextlib.contextmanager
    def books(self) -> Iterator[Database]:
        """The books as they are now, read-only. Raises NotDoneError when there are none yet, and StoreError."""
        path = database_path(self.in_force)
        if not path.exists():
            raise NotDoneError(f"there are no books yet at {path}: start Ringback once")
        with reading(path) as db:
            yield db

    def ask_server(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """The running server's answer through its control socket. Raises NotDoneError when it does not run."""
        return asyncio.run(self._ask(method, path, body))

    async def _ask(self, method: str, path: str, body: object) -> tuple[int, dict[str, Any]]:
        socket = socket_path(self.in_force.data_folder)
        connector = aiohttp.UnixConnector(path=str(socket))
        timeout = aiohttp.ClientTimeout(total=30)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.request(method, f"http://ringback{path}", data=orjson.dumps(body)) as answer,
            ):
                status, content = answer.status, await answer.read()
        except (OSError, aiohttp.ClientError) as error:
            raise NotDoneError(f"Ringback does not run here: {socket} does not answer ({error})") from error
        try:
            return status, orjson.loads(content)
        except orjson.JSONDecodeError:
            raise NotDoneError(f"Ringback answers with HTTP {status}: its log tells why") from None

    def order(self, path: str, body: object) -> None:
        """Give the server an order and say what it did. Raises NotDoneError when it declined."""
        status, answer = self.ask_server("POST", path, body)
        if status != 200:
            raise NotDoneError(str(answer.get("error", answer)))
        click.echo(answer["done"])


def _last_kept(config: Path) -> Settings | None:
    """The settings of the newest event in the books, as far as those can be found without valid settings."""
    with contextlib.suppress(OSError, UnicodeDecodeError, StoreError, ValueError):
        stated = _DATA.search(config.read_text(encoding="utf-8"))
        data = Path(stated[1]) if stated else Document.model_fields["data"].default
        with reading(config.resolve().parent / data / BOOKS) as db:
            text = journal.last_settings(db)
        if text is not None:
            document = Document.model_validate_json(text)
            return Settings(config, document, compile_policy(document), (), Source(config))
    return None


def print_json(value: object) -> None:
    """For machines."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


pass_cli = click.make_pass_decorator(Cli)
as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")
