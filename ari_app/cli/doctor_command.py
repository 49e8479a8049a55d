"""``ringback doctor``."""

from __future__ import annotations

import asyncio
import sys

import click

from ari_app.cli.context import Cli, as_json, pass_cli, print_json
from ari_app.doctor import Grade, examine


@click.command()
@as_json
@pass_cli
def doctor(cli: Cli, as_json: bool) -> None:
    """Examine everything that Ringback needs, and say how to mend what fails. Exit 0: well, 1: warnings, 2: failures."""
    findings = asyncio.run(examine(cli.settings))
    worst = max((finding.grade for finding in findings), default=Grade.OK)
    if as_json:
        print_json(
            [
                {"what": one.what, "grade": one.grade.name.lower(), "found": one.found, "mend": one.mend}
                for one in findings
            ]
        )
    else:
        for one in findings:
            style = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.FAILURE: "red"}[one.grade]
            cli.console.print(f"[{style}]{one.grade.name.lower():8}[/] {one.what}: ", end="")
            click.echo(one.found)
            if one.mend:
                click.echo(f"         mend: {one.mend}")
    sys.exit(int(worst))
