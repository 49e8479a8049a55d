"""The command's root: options that all share, and how errors are shown."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from ari_app.cli.context import Cli
from ari_app.cli.failures import sentences
from ari_app.settings.problem import SettingsError

PLACES = (Path("config/ringback.yaml"), Path("/etc/ringback/ringback.yaml"))
"""Where the settings are looked for: beside a checkout, and where scripts/install puts them."""
DEFAULT = next((path for path in PLACES if path.exists()), PLACES[0])


COMMANDS = {
    "check": "settings_commands",
    "explain": "settings_commands",
    "schema": "settings_commands",
    "run": "run_command",
    "status": "server_commands",
    "reload": "server_commands",
    "pbx": "pbx_commands",
    "leads": "lead_commands",
    "lead": "lead_commands",
    "replay": "lead_commands",
    "ack": "lead_commands",
    "close": "lead_commands",
    "optout": "lead_commands",
    "people": "lead_commands",
    "outbox": "outbox_commands",
    "backup": "backup_commands",
    "restore": "backup_commands",
    "downgrade": "backup_commands",
    "audit": "audit_command",
    "doctor": "doctor_command",
    "attach": "attach_command",
}
"""The module of each command. It is read when its command is called: to read all of them takes a small machine two seconds."""


class Root(click.Group):
    """Shows our own errors as one sentence; anything else is a defect and keeps its traceback."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"ari_app.cli.{COMMANDS[name]}"), name)
        assert isinstance(command, click.Command)
        return command

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
