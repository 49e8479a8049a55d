"""``python -m scripts.demonstration``: see ``scripts/demo``."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
from rich.console import Console
from rich.markup import escape

from ari_app.errors import RingbackError
from ari_app.pbx.errors import PbxError
from scripts.demonstration.scene import RING_SECONDS, Scene
from scripts.demonstration.timeline import Timeline
from tests.support.stage import Stage

SETTINGS = Path(__file__).with_name("ringback.yaml")


def main() -> int:
    """0: all happened. 1: something did not, and is named. 2: it could not begin."""
    options = _options()
    console = Console(highlight=False)
    timeline = Timeline(console)
    folder = Path(tempfile.mkdtemp(prefix="ringback-demo-"))
    folder.chmod(0o711)  # Asterisk's account goes through it
    try:
        try:
            stage = Stage(folder, _settings(options), ring_seconds=RING_SECONDS)
            asyncio.run(_play(stage, timeline, options.reply))
        except (RingbackError, PbxError, OSError, BeginError) as error:
            console.print(f"[bold red]The demonstration could not begin:[/] {error}", soft_wrap=True)
            return 2
        except KeyboardInterrupt:
            console.print("\nStopped; nothing is left running.")
            return 1
        if options.json is not None:
            _write(options.json, stage, timeline)
        if not timeline.kept and (folder / "ringback.log").exists():
            console.print("Ringback's log, its last lines:")
            told = [
                line for line in (folder / "ringback.log").read_text().splitlines() if '"level": "debug"' not in line
            ]
            console.print("\n".join(told[-15:]), soft_wrap=True, markup=False)
    finally:
        if options.keep is not None:
            shutil.copytree(
                folder, options.keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run", "*.ctl", "*.sock")
            )
            console.print(f"Settings, database, recordings and log are kept in {options.keep}")
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if timeline.kept else 1


class BeginError(Exception):
    """A part did not come up."""


async def _play(stage: Stage, timeline: Timeline, replies: Sequence[str]) -> None:
    say = timeline.console.print
    loop = asyncio.get_running_loop()
    began = loop.time()
    say("[b]One missed call, on real parts.[/] Starting Asterisk, an SMSC (smpp34), a mail server and Ringback ...")
    try:
        try:
            await stage.start(lambda line: say(f"[dim]  {line}[/]", soft_wrap=True))
        except AssertionError as late:
            raise BeginError(str(late)) from late
        say(f"[dim]  Asterisk {_version(stage)}, all parts up after {loop.time() - began:.1f} s; all on loopback[/]\n")
        scene = Scene(stage, timeline)
        try:
            await scene.play()
            await scene.judge_replay()
        except* (AssertionError, TimeoutError) as group:
            for error in _leaves(group):
                timeline.check("everything happens in its time", False, str(error).splitlines()[0][:160])
        say()
        timeline.show_checks()
        shown = len(timeline.checks)
        for text in replies:
            await scene.reply(text)
        if timeline.kept and sys.stdin.isatty() and not replies:
            await scene.take_replies()
        for broken in [check for check in timeline.checks[shown:] if not check.kept]:
            say(f"[bold red]BROKEN[/]  {escape(broken.promise)}: {escape(broken.measured)}", soft_wrap=True)
    finally:
        await stage.stop()
    say(f"\n[b]{'All of it happened.' if timeline.kept else 'Not all of it happened.'}[/] Nothing is left running.")


def _version(stage: Stage) -> str | None:
    return None if stage.pbx is None else str(stage.pbx.host.version)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return leaves


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="One missed call on real parts: Asterisk, SIP phones, an SMSC, a mail server, Ringback. Under two minutes.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the timeline and the promises as JSON")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="keep the database, the recordings and the log there"
    )
    parser.add_argument(
        "--reply", action="append", default=[], metavar="TEXT", help="text this as the caller at the end"
    )
    parser.add_argument("--vosk-model", type=Path, metavar="FOLDER", help="hear with Vosk and this model")
    parser.add_argument("--piper-voice", type=Path, metavar="FILE", help="speak with Piper and this voice (.onnx)")
    return parser.parse_args()


def _settings(options: argparse.Namespace) -> str:
    voice = {"vosk_model": options.vosk_model, "piper_voice": options.piper_voice}
    chosen = {name: str(path.resolve()) for name, path in voice.items() if path is not None}
    section = orjson.dumps(chosen).decode().replace("{", "{{").replace("}", "}}")
    return SETTINGS.read_text(encoding="utf-8").replace("{voice}", section)


def _write(path: Path, stage: Stage, timeline: Timeline) -> None:
    content = {
        "kept": timeline.kept,
        "asterisk": _version(stage),
        "moments": [asdict(moment) for moment in sorted(timeline.moments, key=lambda moment: moment.at)],
        "promises": [asdict(check) for check in timeline.checks],
    }
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
