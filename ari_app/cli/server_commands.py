"""``ringback status`` and ``reload``."""

from __future__ import annotations

import sys

import click

from ari_app.cli.context import Cli, as_json, pass_cli, print_json


@click.command()
@as_json
@pass_cli
def status(cli: Cli, as_json: bool) -> None:
    """How the running server is. Exit 0: well, 1: something that calls need is not."""
    _, answer = cli.ask_server("GET", "/status")
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer['status']}, policy {answer['policy']}")
        for part in answer["components"]:
            mark = "ok     " if part["ok"] else ("FAILING" if part["needed"] else "warning")
            click.echo(f"  {mark}  {part['name']}: {part['detail']}")
    sys.exit(0 if answer["status"] == "ok" else 1)


@click.command()
@as_json
@pass_cli
def reload(cli: Cli, as_json: bool) -> None:
    """Have the server take over the settings, and the managed PBX its numbers, groups, phones and trunks.

    Valid ones count at once; invalid ones are refused, and the old ones stay. Exit 0: taken over, 1: not by the PBX,
    2: refused.
    """
    status, answer = cli.ask_server("POST", "/reload")
    if as_json:
        print_json(answer)
    elif status == 200:
        same = answer["before"] == answer["now"]
        click.echo("nothing has changed" if same else f"policy {answer['now']} is in force")
        if answer["pbx"]:
            click.echo(f"the PBX has read anew: {', '.join(answer['pbx'])}")
        if answer["pbx_trouble"]:
            click.echo(f"the PBX has not: {answer['pbx_trouble']}; ringback pbx up tells more", err=True)
        if answer["tried_again"]:
            click.echo(f"refused by the carrier before, tried again now: {', '.join(answer['tried_again'])}")
        if answer["after_restart"]:
            click.echo(f"taken over at the next start only: {', '.join(answer['after_restart'])}")
    else:
        click.echo("refused; the settings of before stay in force:", err=True)
        for problem in answer.get("problems", []):
            place = f"{problem['file']}:{problem['line']}:{problem['column']}"
            click.echo(f"{place}: {problem['severity']}: {problem['where']}: {problem['what']}", err=True)
    sys.exit(2 if status != 200 else 1 if answer["pbx_trouble"] else 0)
