"""``ringback leads``, ``lead``, ``replay``, ``ack``, ``close``, ``optout`` and ``people``."""

from __future__ import annotations

import asyncio
import csv
from datetime import tzinfo
from pathlib import Path

import click
import orjson
from rich.table import Table

from ari_app import numbering
from ari_app.cli.context import Cli, as_json, pass_cli, print_json
from ari_app.clock import SystemClock
from ari_app.crm.port import payload
from ari_app.data_folder import backup_plan, database_path
from ari_app.errors import NotDoneError
from ari_app.notify.email import is_address
from ari_app.numbering import classify
from ari_app.recovery import transcript
from ari_app.recovery.policy import Policy
from ari_app.recovery.templates import clean
from ari_app.recovery.values import E164, Intent, LeadId, Progress
from ari_app.settings.compiling import compile_policy
from ari_app.settings.document import Document
from ari_app.store import journal, reports
from ari_app.store.backup import open_books
from ari_app.store.db import Database
from ari_app.store.people import Person, import_people
from ari_app.store.replay import rebuild
from ari_app.store.stores import InlineStore

_SHORT = {Progress.NONE: "-", Progress.IN_DOUBT: "IN DOUBT"}


@click.command()
@click.option("-n", "--limit", default=30, show_default=True, help="How many, the newest first.")
@click.option("--number", help="Only this person's.")
@click.option("--open", "open_only", is_flag=True, help="Only those whose plan is not over.")
@as_json
@pass_cli
def leads(cli: Cli, limit: int, number: str | None, open_only: bool, as_json: bool) -> None:
    """List the leads."""
    wanted: E164 | None = None
    if number is not None:
        wanted = classify(number, cli.in_force.policy.region).number
        if wanted is None:
            raise click.BadParameter(f"found {number!r}, expected a telephone number")
    with cli.books() as db:
        rows = reports.leads(db, limit=limit, number=wanted, open_only=open_only)
    if as_json:
        print_json([{**payload(row.lead.record()), "stage": row.lead.stage.value} for row in rows])
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Lead", "When", "Caller", "Called", "Missed", "Text", "Callback", "Wants", "Agent", "Stage"):
        table.add_column(title, no_wrap=True)
    for row in rows:
        one = row.lead
        when = (one.missed_at or one.opened_at).astimezone(cli.zone)
        table.add_row(
            str(one.lead_id),
            f"{when:%m-%d %H:%M:%S}",
            " ".join(filter(None, [one.number, clean(one.name or "", 20)])),
            one.listing or one.dialled,
            "-" if one.verdict is None else one.verdict.value,
            _SHORT.get(one.text, one.text.value),
            _SHORT.get(one.callback, one.callback.value),
            "-" if one.intent is Intent.UNSTATED else one.intent.value,
            one.acknowledged_by or (f"({one.agent})" if one.agent else "-"),
            "opted out" if one.opted_out else one.stage.value,
        )
    cli.console.print(table)
    if not rows:
        click.echo("no leads yet")


@click.command()
@click.argument("lead_id", type=int)
@as_json
@pass_cli
def lead(cli: Cli, lead_id: int, as_json: bool) -> None:
    """Show one lead: what is known, what was ordered, and why."""
    with cli.books() as db:
        found = journal.lead(db, LeadId(lead_id))
        if found is None:
            raise NotDoneError(f"there is no lead {lead_id}")
        orders = reports.orders(db, LeadId(lead_id))
        decisions = journal.decisions(db, LeadId(lead_id))
    if as_json:
        print_json(
            {
                **payload(found.record()),
                "stage": found.stage.value,
                "orders": [
                    {
                        "id": order.effect_id,
                        "kind": order.kind,
                        "purpose": order.purpose,
                        "status": order.status,
                        "attempts": order.attempts,
                        "created_at": order.created_at.isoformat(),
                        "settled_at": None if order.settled_at is None else order.settled_at.isoformat(),
                        "ref": order.ref,
                        "error": order.last_error,
                    }
                    for order in orders
                ],
                "decisions": [
                    {"action": one.action, "outcome": one.outcome, "rule": one.rule, "why": one.why}
                    for every in decisions.values()
                    for one in every
                ],
            }
        )
        return
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in payload(found.record()).items():
        if value not in (None, [], False) and name not in ("lines", "replies"):
            facts.add_row(name.replace("_", " "), clean(str(value), 100))
    cli.console.print(facts)
    for line in found.lines:
        click.echo(f"  {line.at_seconds:6.1f} s  {line.speaker}: {clean(line.text, 200)}")
    for reply in found.replies:
        click.echo(f"  texted: {clean(reply, 200)}")
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), title="Orders", title_justify="left")
    for title in ("Id", "Kind", "Status", "Attempts", "Settled", "Reference or reason"):
        table.add_column(title)
    for order in orders:
        settled = "-" if order.settled_at is None else f"{order.settled_at.astimezone(cli.zone):%H:%M:%S}"
        kind = f"{order.kind} {order.purpose}".strip()
        why = clean(order.last_error or order.ref or "", 70)
        table.add_row(order.effect_id, kind, order.status, str(order.attempts), settled, why)
    cli.console.print(table)
    click.echo("Why:")
    for every in decisions.values():
        for decision in every:
            click.echo(f"  {transcript.describe_decision(decision)}")


@click.command()
@click.argument("lead_id", type=int)
@as_json
@pass_cli
def replay(cli: Cli, lead_id: int, as_json: bool) -> None:
    """Tell a lead's story from the journal, and check that it leads to the lead as it stands. Exit 1 when it does not."""
    with cli.books() as db:
        if journal.lead(db, LeadId(lead_id)) is None:
            raise NotDoneError(f"there is no lead {lead_id}")
        policies: dict[str, Policy] = {}
        told = rebuild(db, LeadId(lead_id), lambda version: _policy(db, version, policies))
    zone: tzinfo = cli.zone
    lines = [line for event, step in told.steps for line in transcript.lines(event, step, zone)]
    if as_json:
        print_json({"lead": lead_id, "agrees": told.agrees, "story": lines})
    else:
        for line in lines:
            click.echo(line)
    if not told.agrees:
        raise NotDoneError(f"the journal leads to another state than lead {lead_id} is in: {told.difference}")


def _policy(db: Database, version: str, known: dict[str, Policy]) -> Policy:
    """The policy that was in force, built again from the settings that the books kept."""
    if version not in known:
        text = journal.policy_settings(db, version)
        if text is None:
            raise NotDoneError(f"the books do not hold policy {version}")
        try:
            known[version] = compile_policy(Document.model_validate(orjson.loads(text)))
        except ValueError as error:
            raise NotDoneError(
                f"the settings of policy {version} are of another version of Ringback: {error}"
            ) from None
    return known[version]


@click.command()
@click.argument("lead_id", type=int)
@click.option("--by", required=True, help="An agent's key in the settings.")
@pass_cli
def ack(cli: Cli, lead_id: int, by: str) -> None:
    """Take a lead: nobody else is told of it."""
    cli.order("/command/ack", {"lead": lead_id, "by": by})


@click.command()
@click.argument("lead_id", type=int)
@click.option("--by", required=True, help="An agent's key in the settings.")
@click.option("--note", default="", help="Why.")
@pass_cli
def close(cli: Cli, lead_id: int, by: str, note: str) -> None:
    """End a lead: nothing more is done for it."""
    cli.order("/command/close", {"lead": lead_id, "by": by, "note": note})


@click.command()
@click.argument("number")
@click.option("--by", required=True, help="The agent who was asked.")
@click.option("--note", default="", help="How they asked: in person, by voicemail.")
@pass_cli
def optout(cli: Cli, number: str, by: str, note: str) -> None:
    """Note that someone asked not to be texted or called, by whatever means."""
    found = classify(number, cli.in_force.policy.region).number
    if found is None:
        raise click.BadParameter(f"found {number!r}, expected a telephone number")
    cli.order("/command/optout", {"number": found, "by": by, "note": note})


@click.group()
def people() -> None:
    """The people list: names and addresses of callers, and numbers never to contact."""


@people.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@pass_cli
def import_command(cli: Cli, file: Path) -> None:
    """Take over a CSV with the columns number, name, email and blocked (yes or no). All of it, or nothing."""
    found = _read_people(file, cli.in_force.policy.region)
    path = database_path(cli.in_force)
    open_books(path, backup_plan(cli.in_force).folder, SystemClock().now())
    store = InlineStore(path)
    try:
        count = asyncio.run(store.write(lambda db: import_people(db, found)))
    finally:
        store.close()
    click.echo(f"{count} people taken over from {file}")


def _read_people(file: Path, region: str) -> list[Person]:
    """Raises NotDoneError that names file and line."""
    line = 1
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, strict=True)
            if "number" not in (reader.fieldnames or ()):
                found = f"the columns {', '.join(reader.fieldnames)}" if reader.fieldnames else "no columns"
                raise NotDoneError(f"{file}:1: found {found}; expected number among them")
            people = []
            for row in reader:
                line = reader.line_num
                people.append(_person(row, region))
            return people
    except UnicodeDecodeError:
        raise NotDoneError(f"{file}: expected UTF-8; save it from the spreadsheet as CSV UTF-8") from None
    except csv.Error as error:
        raise NotDoneError(f"{file}:{line + 1}: {error}") from None
    except ValueError as error:
        raise NotDoneError(f"{file}:{line}: {error}") from None


def _person(row: dict[str, str | None], region: str) -> Person:
    """Raises ValueError."""
    number = numbering.classify(row["number"], region).number
    if number is None:
        raise ValueError(f"found number {row['number']!r}, expected a telephone number")
    blocked = (row.get("blocked") or "no").strip().lower()
    if blocked not in ("yes", "no"):
        raise ValueError(f"found blocked {blocked!r}, expected yes or no")
    email = (row.get("email") or "").strip()
    if email and not is_address(email):
        raise ValueError(f"found email {email!r}, expected an address such as name@example.com")
    return Person(number, clean(row.get("name") or "", 80) or None, email or None, blocked == "yes")
