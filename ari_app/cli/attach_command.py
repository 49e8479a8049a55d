"""``ringback attach``."""

from __future__ import annotations

import asyncio

import click

from ari_app.attach import check
from ari_app.attach_call import TestCall
from ari_app.cli.context import Cli, as_json, pass_cli
from ari_app.cli.durations import Duration
from ari_app.cli.findings import conclude


@click.command()
@click.option(
    "--check", "checking", is_flag=True, help="Say what is missing on the PBX, and prove that calls are seen."
)
@click.option("--ring", metavar="EXTENSION", help="Also ring this phone for a moment.")
@click.option("--context", default="from-internal", show_default=True, help="Where --ring finds the extension.")
@click.option(
    "--wait",
    type=Duration(),
    default=0.0,
    help="Without ARI: how long to wait for a test call started by hand: 60, 2m.",
)
@as_json
@pass_cli
def attach(cli: Cli, checking: bool, ring: str | None, context: str, wait: float, as_json: bool) -> None:
    """Attach to a PBX that is there already (pbx.mode: watch).

    What to add to the PBX is in asterisk/attach and docs/attach.md. Exit 0: well, 1: warnings, 2: failures.
    """
    if not checking:
        raise click.UsageError("asterisk/attach says what to add to the PBX; --check tells what is missing")
    call = TestCall(ring, context, wait)
    conclude(cli, asyncio.run(check(cli.settings, call)), as_json=as_json)
