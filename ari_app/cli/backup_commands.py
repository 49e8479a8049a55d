"""``ringback backup``, ``restore`` and ``downgrade``."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click

from ari_app.calls.catch_up import OLDEST
from ari_app.cli.context import Cli, as_json, pass_cli, print_json
from ari_app.clock import SystemClock
from ari_app.data_folder import backup_plan, database_path, exclusive
from ari_app.errors import NotDoneError, StoreError
from ari_app.pbx_setup import event_log
from ari_app.runtime.recorder import PolicyInForce
from ari_app.runtime.restoring import Restored, make_fit
from ari_app.store import backup as copies
from ari_app.store.backup import Backup, Contents
from ari_app.store.db import changes, go_back, prepare, restoring
from ari_app.store.salvage import salvage


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--list", "listing", is_flag=True, help="Only list the copies that are there.")
@as_json
@pass_cli
def backup(cli: Cli, folder: Path | None, listing: bool, as_json: bool) -> None:
    """Copy the database into FOLDER (default: as the settings say), also while the server runs, and check the copy.

    In the settings' folder the oldest copies are removed; in another one none are.
    """
    plan = backup_plan(cli.in_force)
    where = folder or plan.folder
    if listing:
        _list(cli, where, as_json=as_json)
        return
    path = database_path(cli.in_force)
    if not path.exists():
        raise NotDoneError(f"there are no books yet at {path}")
    taken, contents = copies.take(path, where, SystemClock().now())
    removed = [] if folder is not None else copies.prune(plan.folder, plan.keep)
    if as_json:
        print_json({**_facts(taken, contents), "removed": [str(one.path) for one in removed]})
        return
    click.echo(f"{taken.path}: {contents.octets / 1e6:.1f} MB, {_told(contents)}, checked")
    if removed:
        click.echo(f"removed: {', '.join(one.path.name for one in removed)}")


def _list(cli: Cli, folder: Path, *, as_json: bool) -> None:
    found = copies.in_folder(folder)
    if as_json:
        print_json([{"file": str(one.path), "taken_at": one.taken_at.isoformat()} for one in found])
        return
    for one in found:
        kind = ", before an upgrade" if one.before_upgrade else ""
        size = one.path.stat().st_size / 1e6
        click.echo(f"{one.taken_at.astimezone(cli.zone):%Y-%m-%d %H:%M:%S}  {size:8.1f} MB  {one.path}{kind}")
    if not found:
        click.echo(f"no backups in {folder}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@as_json
@pass_cli
def restore(cli: Cli, file: Path | None, as_json: bool) -> None:
    """Put a backup in the place of the database: FILE, or the last one that is sound. Ringback must not be running.

    The database that was there is kept under another name.
    """
    settings, clock = cli.settings, SystemClock()
    path = database_path(settings)
    with exclusive(settings.data_folder):
        if restoring(path).exists():
            _finish(path)
            return
        taken, contents, trouble = _choose(file, backup_plan(settings).folder)
        at = clock.now()
        if taken.taken_at > at:
            raise NotDoneError(f"{taken.path} is of a time that is still to come: set the clock right first")
        saved = salvage(path, taken.taken_at)
        # Under a name of its own until it is whole; then it holds everything else back until it is in its place.
        draft = restoring(path).with_suffix(".restoring-draft")
        copies.copy(taken.path, draft)
        prepare(draft)
        in_force = PolicyInForce(settings.policy, settings.document.model_dump_json(exclude_unset=True))
        done = make_fit(draft, in_force, clock, taken.taken_at, saved, has_ledger=event_log(settings) is not None)
        copies.finish(draft, restoring(path))
        kept = copies.put_in_place(path, _aside(at))
    if as_json:
        print_json(
            {
                **_facts(taken, contents),
                "kept_aside": None if kept is None else str(kept),
                "lost_seconds": round((at - taken.taken_at).total_seconds()),
                "in_doubt": done.doubtful,
                "interrupted": done.interrupted,
                "opt_outs_saved": done.said_no,
                "opt_outs_complete": saved.complete,
                "not_texted_for_now": done.barred,
                "passed_over": [str(error) for error in trouble],
            }
        )
        return
    for error in trouble:
        click.echo(f"passed over: {error}", err=True)
    for line in _story(cli, taken, contents, kept, at, done, complete=saved.complete):
        click.echo(line)


@click.command()
@click.option("--to", "name", help="The newest change that stays: its name, or the number that it begins with.")
@as_json
@pass_cli
def downgrade(cli: Cli, name: str | None, as_json: bool) -> None:
    """Make the tables again what an older Ringback knows, before that one is installed; nothing in them is lost.

    Without --to it only lists the changes that the tables have had. A backup is taken first. Ringback must not be running.
    """
    settings = cli.settings
    path = database_path(settings)
    if not path.exists():
        raise NotDoneError(f"there are no books yet at {path}")
    done = changes(path)
    if name is None:
        _show_changes(done, as_json=as_json)
        return
    to = next((one for one in done if name in (one, one.partition("_")[0])), name)
    with exclusive(settings.data_folder):
        taken, _ = copies.take(path, backup_plan(settings).folder, SystemClock().now())
        undone = go_back(path, to)
    if as_json:
        print_json({"schema": to, "undone": undone, "backup": str(taken.path)})
        return
    click.echo(f"the books of before: {taken.path}")
    click.echo(f"taken back: {', '.join(undone)}" if undone else "nothing was to be taken back")
    click.echo(
        f"now install the Ringback whose newest change is {to}; this one would change the tables again at its start"
    )


def _show_changes(done: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    for one in done:
        click.echo(one)


def _finish(path: Path) -> None:
    """A restore that was cut off between its last two steps."""
    copies.put_in_place(path, _aside(SystemClock().now()))
    click.echo(f"the restore that had begun is finished: {path}; now start Ringback")


def _aside(at: datetime) -> str:
    return f"broken-{at:%Y%m%dT%H%M%SZ}"


def _choose(file: Path | None, folder: Path) -> tuple[Backup, Contents, list[StoreError]]:
    """The backup to restore, proven sound. Raises NotDoneError, StoreError."""
    if file is not None:
        return copies.named(file), copies.inspect(file), []
    found, trouble = copies.last_good(folder)
    if found is None:
        about = "; ".join(str(error) for error in trouble)
        raise NotDoneError(f"there is no sound backup in {folder}" + (f": {about}" if about else ""))
    return found, copies.inspect(found.path), trouble


def _story(
    cli: Cli, taken: Backup, contents: Contents, kept: Path | None, at: datetime, done: Restored, *, complete: bool
) -> list[str]:
    """What a person must know now."""
    lost = at - taken.taken_at
    then = f"{taken.taken_at.astimezone(cli.zone):%Y-%m-%d %H:%M:%S}"
    lines = [f"restored: {taken.path}, {_told(contents)}"]
    if kept is not None:
        lines.append(f"the database of before is kept: {kept}")
    lines.append(f"lost: what happened between {then} and now ({_long(lost)}), inbound texts of that time among it")
    if event_log(cli.settings) is not None:
        lines.append(
            "calls of that time: judged again from Asterisk's ledger at the next start; nobody is texted for them, "
            "because somebody may have been: each missed one is an alert to a person"
        )
        if lost > OLDEST:
            lines.append(f"calls older than {_long(OLDEST)} are not judged again: 'ringback audit' lists them")
    else:
        lines.append(
            "calls of that time: nobody can tell them, because pbx.watch.cel names no event log of the PBX. For as long as "
            "a text bars the next, missed callers are alerts to persons, and are not texted"
        )
    if done.doubtful:
        lines.append(
            f"in doubt: {done.doubtful} text(s) or callback(s) that may have gone out since: 'ringback outbox'"
        )
    if done.interrupted:
        lines.append(f"{done.interrupted} lead(s) were being followed up: each is an alert to a person now")
    if done.said_no:
        lines.append(f"{done.said_no} person(s) said no since, as the damaged file tells: kept")
    if not complete:
        lines.append(
            "whether others said no since is unknown: "
            f"{done.barred} caller(s) who were texted in the month before get no text for 30 days, nor do callers of the lost "
            "time: a person is told instead"
        )
    lines.append("now start Ringback")
    return lines


def _told(contents: Contents) -> str:
    return f"{contents.rows['leads']} leads, {contents.rows['events']} events"


def _facts(taken: Backup, contents: Contents) -> dict[str, object]:
    return {
        "file": str(taken.path),
        "taken_at": taken.taken_at.isoformat(),
        "octets": contents.octets,
        "schema": contents.schema,
        "rows": contents.rows,
    }


def _long(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return (
        f"{minutes} min"
        if minutes < 120
        else f"{minutes / 60:.0f} h"
        if minutes < 2880
        else f"{minutes / 1440:.0f} days"
    )
