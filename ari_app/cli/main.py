"""The command's root: options that all share, and how errors are shown."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ari_app.cli.attach_command import attach
from ari_app.cli.audit_command import audit_command
from ari_app.cli.backup_commands import backup, downgrade, restore
from ari_app.cli.context import Cli
from ari_app.cli.doctor_command import doctor
from ari_app.cli.failures import sentences
from ari_app.cli.lead_commands import ack, close, lead, leads, optout, people, replay
from ari_app.cli.outbox_commands import outbox
from ari_app.cli.pbx_commands import pbx
from ari_app.cli.server_commands import reload, run, status
from ari_app.cli.settings_commands import check, explain, schema
from ari_app.settings.problem import SettingsError

PLACES = (Path("config/ringback.yaml"), Path("/etc/ringback/ringback.yaml"))
"""Where the settings are looked for: beside a checkout, and where scripts/install puts them."""
DEFAULT = next((path for path in PLACES if path.exists()), PLACES[0])


class Root(click.Group):
    """Shows our own errors as one sentence; anything else is a defect and keeps its traceback."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except SettingsError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            sys.exit(2)
        except Exception as error:
            told = sentences(error)
            if told is None:
                raise
            for sentence in told:
                click.echo(f"ringback: {sentence}", err=True)
            sys.exit(1)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="RINGBACK_CONFIG",
    default=DEFAULT,
    show_default=True,
    show_envvar=True,
    help="The settings.",
)
@click.version_option(package_name="ringback", message="ringback %(version)s")
@click.pass_context
def main(context: click.Context, config: Path) -> None:
    """Ringback: no caller is ever lost."""
    context.obj = Cli(config)


for command in (
    check,
    explain,
    schema,
    run,
    status,
    reload,
    pbx,
    leads,
    lead,
    replay,
    ack,
    close,
    optout,
    people,
    outbox,
    backup,
    restore,
    downgrade,
    audit_command,
    doctor,
    attach,
):
    main.add_command(command)
