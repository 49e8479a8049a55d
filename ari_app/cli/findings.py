"""Findings of an examination, shown to a person or a machine; the worst one is the exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from ari_app.cli.context import Cli, print_json
from ari_app.doctor import Finding, Grade

_STYLES = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.FAILURE: "red"}


def conclude(cli: Cli, findings: Sequence[Finding], *, as_json: bool) -> NoReturn:
    """Show them and exit. 0: well, 1: warnings, 2: failures."""
    if as_json:
        print_json(
            [
                {"what": one.what, "grade": one.grade.name.lower(), "found": one.found, "mend": one.mend}
                for one in findings
            ]
        )
    else:
        for one in findings:
            grade = click.style(f"{one.grade.name.lower():8}", fg=_STYLES[one.grade])
            click.echo(f"{grade} {one.what}: {one.found}")
            if one.mend:
                click.echo(f"         mend: {one.mend}")
    sys.exit(int(max((finding.grade for finding in findings), default=Grade.OK)))
