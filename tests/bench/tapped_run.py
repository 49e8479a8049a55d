"""``ringback run`` with a tap: ``python -m tests.bench.tapped_run --config FILE --report FILE``.

The application itself, built as the command builds it, with one listener more, which hears of each missed call right after
its commit. Prints ``ready``; at SIGTERM it stops as always and writes down what it heard, one JSON list.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop

from ari_app.app import Application
from ari_app.log import configure
from ari_app.recovery.events import CallMissed
from ari_app.runtime.recorded import Recorded
from ari_app.settings.delivery import LogFormat
from ari_app.settings.loading import load
from tests.bench.machine import wall


async def main(config: Path, report: Path) -> None:
    """Until SIGTERM."""
    settings = load(config)
    configure(settings.document.log.level.value, as_json=settings.document.log.format is LogFormat.JSON)
    rings = settings.policy.ring_seconds
    heard: list[dict[str, object]] = []

    def hear(recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, CallMissed):
            # The verdict fell at event.at, event.ring_seconds after the first RINGING was heard.
            third_ring = event.at.timestamp() - (event.ring_seconds - event.rings * rings)
            heard.append(
                {"caller": event.caller, "third_ring": third_ring, "decided": event.at.timestamp(), "committed": wall()}
            )

    application = Application(settings, [hear])
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, application.stop)
    async with asyncio.TaskGroup() as group:
        group.create_task(application.run())
        await application.ready.wait()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
    report.write_text(json.dumps(heard))  # noqa: ASYNC240 - nothing else runs any more


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(given.config, given.report))
