"""``ringback doctor``."""

from __future__ import annotations

import asyncio

import click

from ari_app.cli.context import Cli, as_json, pass_cli
from ari_app.cli.findings import conclude
from ari_app.doctor import examine


@click.command()
@as_json
@pass_cli
def doctor(cli: Cli, as_json: bool) -> None:
    """Examine everything that Ringback needs, and say how to mend what fails. Exit 0: well, 1: warnings, 2: failures."""
    conclude(cli, asyncio.run(examine(cli.settings)), as_json=as_json)
