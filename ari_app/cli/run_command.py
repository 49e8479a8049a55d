"""``ringback run``."""

from __future__ import annotations

import asyncio
import signal

import click
import uvloop

from ari_app.app import Application
from ari_app.cli.context import Cli, pass_cli
from ari_app.data_folder import refuse_root
from ari_app.log import configure
from ari_app.settings.delivery import LogFormat


@click.command()
@pass_cli
def run(cli: Cli) -> None:
    """Serve until SIGTERM or Ctrl-C; what is under way is finished first."""
    settings = cli.settings
    refuse_root(settings.data_folder, "ringback")
    configure(settings.document.log.level.value, as_json=settings.document.log.format is LogFormat.JSON)
    for warning in settings.warnings:
        click.echo(str(warning), err=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Application(settings)))


async def _serve(application: Application) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, application.stop)
    await application.run()
