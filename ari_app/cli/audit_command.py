"""``ringback audit``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta

import click
from rich.table import Table

from ari_app.calls import audit as oracle
from ari_app.calls.watch_setup import hindsight
from ari_app.cli.context import Cli, as_json, pass_cli, print_json
from ari_app.cli.durations import Duration
from ari_app.clock import SystemClock
from ari_app.errors import NotDoneError
from ari_app.numbering import redacted
from ari_app.pbx_setup import event_log


@click.command()
@click.option("--since", type=Duration(), default="24h", show_default=True, help="How far back: 90m, 24h, 7d.")
@as_json
@pass_cli
def audit(cli: Cli, since: float, as_json: bool) -> None:
    """Prove that each inbound call in Asterisk's event log has exactly one outcome in the journal.

    Exit 0: every call has; 1: some have not, the two books differ, or the event log cannot tell.
    """
    cel = event_log(cli.settings)
    if cel is None:
        raise NotDoneError(
            "nothing to compare with: pbx.watch.cel does not say where this PBX writes its channel events"
        )
    start = SystemClock().now() - timedelta(seconds=since)
    with cli.books() as db:
        report = oracle.audit(db, cel, start, hindsight(cli.settings), cli.settings.policy)
    if as_json:
        print_json(
            {
                **asdict(report),
                "since": start.isoformat(),
                "findings": [
                    {
                        "call_id": one.call_id,
                        "at": one.at.isoformat(),
                        "caller": redacted(one.caller),
                        "dialled": one.dialled,
                        "why": one.why,
                    }
                    for one in report.findings
                ],
                "begins_at": None if report.begins_at is None else report.begins_at.isoformat(),
                "proves": report.proves,
            }
        )
    else:
        click.echo(
            f"{report.calls} inbound calls since {start.astimezone(cli.zone):%Y-%m-%d %H:%M}, {report.under_way} under way, "
            f"{report.late} learned of from the ledger, {len(report.findings)} without their outcome."
        )
        if report.begins_at is None:
            click.echo(
                f"Nothing is proved: there is no event in {cel}, and {report.unproved} calls are in the journal."
            )
        elif report.unproved:
            begins = f"{report.begins_at.astimezone(cli.zone):%Y-%m-%d %H:%M}"
            click.echo(f"The ledger begins at {begins}: nothing proves {report.unproved} older calls of the journal.")
        if report.unreadable:
            click.echo(f"{report.unreadable} lines of the ledger could not be read: calls may be missing here.")
        if report.findings:
            table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
            for title in ("Call", "When", "Caller", "Called", "What is wrong"):
                table.add_column(title)
            for one in report.findings:
                when = f"{one.at.astimezone(cli.zone):%m-%d %H:%M:%S}"
                table.add_row(one.call_id, when, redacted(one.caller), one.dialled, one.why)
            cli.console.print(table)
    sys.exit(0 if report.proves else 1)
