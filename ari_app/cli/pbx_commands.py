"""``ringback pbx up|down|status|cli``: the PBX that Ringback manages."""

from __future__ import annotations

import sys

import click

from ari_app.cli.context import Cli, as_json, pass_cli, print_json
from ari_app.data_folder import refuse_root
from ari_app.errors import NotDoneError
from ari_app.pbx.host import find_ready
from ari_app.pbx.process import AsteriskProcess
from ari_app.pbx_setup import ManagedPbx, pbx_folders


def _say(line: str) -> None:
    click.echo(f"  {line}", err=True)


def _managed(cli: Cli) -> None:
    if not cli.settings.document.pbx.managed:
        raise NotDoneError("pbx.managed is false in the settings: this PBX is looked after by somebody else")


def _process(cli: Cli) -> AsteriskProcess:
    host = find_ready()
    if host is None:
        raise NotDoneError("no Asterisk has been fetched yet: 'ringback pbx up' does it")
    return AsteriskProcess(host, pbx_folders(cli.settings))


@click.group()
def pbx() -> None:
    """The PBX: its configuration is rendered from the settings."""


@pbx.command()
@pass_cli
def up(cli: Cli) -> None:
    """Find or fetch an Asterisk, render its configuration, start it (or have it reload)."""
    _managed(cli)
    host = find_ready()
    if host is None or AsteriskProcess(host, pbx_folders(cli.settings)).status() is None:
        refuse_root(cli.settings.data_folder, "ringback-pbx")  # a running one only reads what is written anew
    managed = ManagedPbx.prepare(cli.settings, _say)
    status = managed.up(cli.settings, _say)
    sip, http = cli.settings.document.pbx.sip, cli.settings.document.pbx.http
    click.echo(
        f"Asterisk {managed.host.version} runs (pid {status.pid}), SIP on {sip.authority},"
        f" ARI on {http.authority}, configuration in {managed.folders.etc}"
    )


@pbx.command()
@pass_cli
def down(cli: Cli) -> None:
    """Stop it, and the calls in it."""
    _managed(cli)
    click.echo("Asterisk has stopped" if _process(cli).stop() else "Asterisk did not run")


@pbx.command()
@as_json
@pass_cli
def status(cli: Cli, as_json: bool) -> None:
    """Whether it runs. Exit 0: yes, 1: no."""
    found = _process(cli).status()
    if as_json:
        print_json({"running": found is not None, "pid": None if found is None else found.pid})
    else:
        click.echo("Asterisk does not run" if found is None else f"Asterisk runs (pid {found.pid})")
    sys.exit(0 if found is not None else 1)


@pbx.command("cli")
@click.argument("words", nargs=-1, required=True)
@pass_cli
def console(cli: Cli, words: tuple[str, ...]) -> None:
    """Give Asterisk's console a command: ringback pbx cli core show channels."""
    click.echo(_process(cli).cli(" ".join(words)).rstrip())
