"""``ringback check``, ``explain`` and ``schema``."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import click
import orjson
from rich.table import Table

from ari_app import numbering
from ari_app.calls.effects import Prompt
from ari_app.cli.context import Cli, as_json, pass_cli, print_json
from ari_app.clock import SystemClock
from ari_app.data_folder import database_path
from ari_app.recovery import transcript
from ari_app.recovery.plan import clock_face
from ari_app.recovery.policy import AfterMiss
from ari_app.rehearsal import Rehearsal, rehearse
from ari_app.runtime.facts import kind_of
from ari_app.settings.problem import SettingsError
from ari_app.settings.schema import json_schema


@click.command()
@as_json
@pass_cli
def check(cli: Cli, as_json: bool) -> None:
    """Say what is wrong in the settings: file, line, column, found, expected. Exit 0: usable, 2: not."""
    try:
        settings = cli.settings
    except SettingsError as error:
        if as_json:
            print_json({"ok": False, "problems": [problem.as_json() for problem in error.problems]})
        else:
            for problem in error.problems:
                click.echo(str(problem), err=True)
        sys.exit(2)
    if as_json:
        print_json({"ok": True, "problems": [problem.as_json() for problem in settings.warnings]})
        return
    for warning in settings.warnings:
        click.echo(str(warning), err=True)
    document = settings.document
    counted = [
        (len(document.numbers), "number entries"),
        (len(document.phones), "phones"),
        (len(document.plans), "plans"),
        (len(document.gateways), "gateways"),
    ]
    click.echo(f"{cli.config}: usable; {', '.join(f'{count} {what}' for count, what in counted)}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of the settings, for editors."""
    click.echo(orjson.dumps(json_schema(), option=orjson.OPT_INDENT_2).decode())


@click.command()
@click.argument("caller")
@click.option("--to", "dialled", required=True, help="The number that is called.")
@click.option("--at", "when", help='"2026-12-24 18:05" on the office\'s clock; now, if not given.')
@as_json
@pass_cli
def explain(cli: Cli, caller: str, dialled: str, when: str | None, as_json: bool) -> None:
    """Say what a call that nobody answers would lead to, when, and by which rule."""
    settings = cli.settings
    entry = settings.policy.entry_for(numbering.canonical(dialled, settings.policy.region))
    zone = cli.zone if entry is None else settings.policy.offices[entry.office].hours.zone
    at = SystemClock().now()
    if when is not None:
        try:
            at = datetime.fromisoformat(when).replace(tzinfo=zone).astimezone(UTC)
        except ValueError:
            raise click.BadParameter(f'found {when!r}, expected a time such as "2026-12-24 18:05"') from None
    books = database_path(settings)
    prompt = settings.document.prompt
    story = asyncio.run(rehearse(settings.policy, prompt, caller, dialled, at, books if books.exists() else None))
    lines = [line for step in story.steps for line in transcript.lines(step.event, step.step, zone)]
    if as_json:
        print_json(
            {
                "entry": None if story.entry is None else story.entry.key,
                "office": None if story.entry is None else story.entry.office,
                "open": story.is_open,
                "plan": _plan(story),
                "hears": [prompt.value for prompt in story.hears],
                "story": lines,
            }
        )
        return
    _show(cli, story, caller, dialled, at.astimezone(zone))
    for line in lines:
        click.echo(line)


def _plan(story: Rehearsal) -> str | None:
    if story.entry is None:
        return None
    return story.entry.plan if story.is_open else story.entry.after_hours_plan


def _show(cli: Cli, story: Rehearsal, caller: str, dialled: str, local: datetime) -> None:
    policy = cli.settings.policy
    party = numbering.classify(caller, policy.region)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("Caller", f"{caller} ({kind_of(party, policy).value})")
    table.add_row("Calls", dialled)
    table.add_row("At", f"{local:%A, %Y-%m-%d} {clock_face(local)}")
    entry = story.entry
    if entry is None:
        table.add_row("Entry", "none matches: the dialplan rings all phones, and nothing follows")
    else:
        written = next(text for text in cli.settings.document.numbers if _same(text, entry.key))
        place = cli.settings.source.mark(("numbers", written), key=True)
        table.add_row("Entry", f"{entry.key} ({place})")
        table.add_row("Office", f"{policy.offices[entry.office].name}, {'open' if story.is_open else 'closed'}")
        rings = "not rung" if not story.is_open and not entry.ring_after_hours else f"{entry.rings} rings"
        table.add_row("Phones", f"{entry.group}: {', '.join(policy.groups[entry.group].phones)} ({rings})")
        overflow = f" {entry.overflow}" if entry.after_miss is AfterMiss.OVERFLOW else ""
        table.add_row("Then", f"{entry.after_miss.value}{overflow}; plan {_plan(story)}")
        table.add_row("Hears", ", ".join(_PROMPTS[prompt] for prompt in story.hears) or "nothing")
    cli.console.print(table)
    click.echo("If nobody answers, and nobody does anything:")


_PROMPTS = {
    Prompt.NOTICE: "the notice",
    Prompt.SORRY: "that nobody can take the call (no text or callback is promised)",
    Prompt.MESSAGE: "that a message can be left",
}


def _same(text: str, key: str) -> bool:
    return text.replace("+", "", 1) == key
