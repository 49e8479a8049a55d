"""``ringback outbox``: orders that wait, failed, or of which nobody knows whether they were carried out."""

from __future__ import annotations

import asyncio
import getpass
import secrets

import click
from rich.table import Table

from ari_app.cli.context import Cli, as_json, pass_cli, print_json
from ari_app.clock import SystemClock
from ari_app.data_folder import backup_plan, database_path, exclusive, socket_path
from ari_app.errors import NotDoneError
from ari_app.numbering import redacted
from ari_app.recovery.commands import Declined, Drop, OrderCommand, Resend
from ari_app.recovery.templates import clean
from ari_app.recovery.transcript import describe_event
from ari_app.recovery.values import EffectId
from ari_app.runtime.asking import ask, refusal
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.store import reports
from ari_app.store.backup import open_books
from ari_app.store.stores import InlineStore

STANDINGS = ("in_doubt", "failed", "todo", "doing")


@click.group(invoke_without_command=True)
@click.pass_context
def outbox(context: click.Context) -> None:
    """Orders to the world that a person should look at; to send one again, or to drop it."""
    if context.invoked_subcommand is None:
        context.invoke(list_command)


@outbox.command("list")
@click.option("--status", type=click.Choice(STANDINGS), multiple=True, default=STANDINGS[:2], show_default=True)
@click.option("-n", "--limit", default=50, show_default=True, help="How many, the newest first.")
@as_json
@pass_cli
def list_command(cli: Cli, status: tuple[str, ...] = STANDINGS[:2], limit: int = 50, as_json: bool = False) -> None:
    """List orders in doubt and orders that failed."""
    with cli.books() as db:
        rows = reports.standing(db, status, limit)
    if as_json:
        print_json(
            [
                {
                    "id": row.order.effect_id,
                    "lead": row.lead_id,
                    "kind": row.order.kind,
                    "purpose": row.order.purpose,
                    "status": row.order.status,
                    "attempts": row.order.attempts,
                    "created_at": row.order.created_at.isoformat(),
                    "why": row.order.last_error,
                }
                for row in rows
            ]
        )
        return
    if not rows:
        click.echo("nothing is in doubt, and nothing failed" if status == STANDINGS[:2] else "none")
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("Id", "Lead", "When", "Kind", "To", "Status", "Why"):
        table.add_column(title, no_wrap=title != "Why")
    for row in rows:
        order = row.order
        table.add_row(
            order.effect_id,
            "-" if row.lead_id is None else str(row.lead_id),
            f"{order.created_at.astimezone(cli.zone):%m-%d %H:%M:%S}",
            f"{order.kind} {order.purpose}".strip(),
            "-" if row.number is None else redacted(row.number),
            order.status,
            clean(order.last_error or "", 100),
        )
    cli.console.print(table)
    click.echo("ringback outbox resend ID | drop ID")


_by = click.option("--by", default=getpass.getuser, show_default="the login name", help="Who decides.")


@outbox.command()
@click.argument("order_id", metavar="ID")
@_by
@pass_cli
def resend(cli: Cli, order_id: str, by: str) -> None:
    """Carry an order out once more that failed or is in doubt. A text that did go out comes a second time."""
    _decide(cli, "resend", Resend(EffectId(order_id), by))


@outbox.command()
@click.argument("order_id", metavar="ID")
@_by
@click.option("--note", default="", help="Why.")
@pass_cli
def drop(cli: Cli, order_id: str, by: str, note: str) -> None:
    """Do nothing more about an order. A caller whose text may have gone out still gets no other for as long as it bars one."""
    _decide(cli, "drop", Drop(EffectId(order_id), by, note))


def _decide(cli: Cli, name: str, command: OrderCommand) -> None:
    """Through the server if it runs, else in the books themselves. Raises NotDoneError, StoreError."""
    if socket_path(cli.in_force.data_folder).exists() and _runs(cli):
        body = {"order": command.effect_id, "by": command.by}
        cli.order(f"/command/{name}", body if isinstance(command, Resend) else {**body, "note": command.note})
        return
    settings, clock = cli.settings, SystemClock()
    with exclusive(settings.data_folder):
        path = database_path(settings)
        if not path.exists():
            raise NotDoneError(f"there are no books yet at {path}")
        open_books(path, backup_plan(settings).folder, clock.now())
        store = InlineStore(path)
        try:
            in_force = PolicyInForce(settings.policy, settings.document.model_dump_json(exclude_unset=True))
            done = asyncio.run(ask(Recorder(store, clock, in_force), clock, command, secrets.token_hex(8)))
        finally:
            store.close()
    if isinstance(done, Declined):
        raise NotDoneError(done.why)
    if isinstance(command, Resend) and (why := refusal(done)) is not None:
        raise NotDoneError(f"not sent again: {why}")
    click.echo(describe_event(done.event))
    if isinstance(command, Resend):
        click.echo("Ringback does not run: it goes out at the next start, if that is soon")


def _runs(cli: Cli) -> bool:
    """Whether a server answers; a killed one leaves its socket behind."""
    try:
        cli.ask_server("GET", "/status")
    except NotDoneError:
        return False
    return True
