"""``ringback audit``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta

import click
from rich.table import Table

from ari_app.calls.audit import audit
from ari_app.calls.watch_setup import hindsight
from ari_app.cli.context import Cli, as_json, pass_cli, print_json
from ari_app.clock import SystemClock
from ari_app.errors import NotDoneError
from ari_app.numbering import redacted
from ari_app.pbx_setup import event_log
from ari_app.settings.model import parse_duration


@click.command("audit")
@click.option("--since", default="24h", show_default=True, help="How far back: 90m, 24h, 7d.")
@as_json
@pass_cli
def audit_command(cli: Cli, since: str, as_json: bool) -> None:
    """Prove that each inbound call in Asterisk's event log has exactly one outcome in the journal.

    Exit 0: every call has; 1: some have not, or the two books differ.
    """
    try:
        seconds = parse_duration(since)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    cel = event_log(cli.settings)
    if cel is None:
        raise NotDoneError(
            "nothing to compare with: pbx.watch.cel does not say where this PBX writes its channel events"
        )
    start = SystemClock().now() - timedelta(seconds=seconds)
    with cli.books() as db:
        report = audit(db, cel, start, hindsight(cli.settings), cli.settings.policy)
    if as_json:
        print_json(
            {
                **asdict(report),
                "since": start.isoformat(),
                "findings": [
                    {
                        "call_id": one.call.setup.call_id,
                        "at": one.call.started_at.isoformat(),
                        "caller": redacted(one.call.number),
                        "dialled": one.call.setup.dialled,
                        "why": one.why,
                    }
                    for one in report.findings
                ],
            }
        )
    else:
        click.echo(
            f"{report.calls} inbound calls since {start.astimezone(cli.zone):%Y-%m-%d %H:%M}, {report.under_way} under way, "
            f"{report.late} learned of from the ledger, {len(report.findings)} without their outcome."
        )
        if report.unreadable:
            click.echo(f"{report.unreadable} lines of the ledger could not be read.")
        if report.findings:
            table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
            for title in ("Call", "When", "Caller", "Called", "What is wrong"):
                table.add_column(title)
            for one in report.findings:
                when = f"{one.call.started_at.astimezone(cli.zone):%m-%d %H:%M:%S}"
                table.add_row(one.call.setup.call_id, when, redacted(one.call.number), one.call.setup.dialled, one.why)
            cli.console.print(table)
    sys.exit(1 if report.findings else 0)
