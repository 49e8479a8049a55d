"""Ringback's watching half, in the test's own process, before a PBX that runs: link, board, machines, recorder, books."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from ari_app.calls.judging import WatchHindsight
from ari_app.calls.watch_state import WatchRules
from ari_app.calls.watch_supervisor import WatchSupervisor
from ari_app.clock import SystemClock
from ari_app.data_folder import database_path
from ari_app.pbx.ami_link import AmiAddress, AmiLink, AmiTiming
from ari_app.recovery.events import CallAnswered, CallClosed, CallMissed, Event
from ari_app.recovery.policy import Policy
from ari_app.runtime.recorded import Recorded
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.settings.loading import load
from ari_app.settings.watching import WatchSection
from ari_app.store.db import prepare
from ari_app.store.stores import ThreadedStore
from tests.e2e.watch.foreign import SECRET, ForeignPbx
from tests.support.waiting import until

RING_SECONDS = 1.0
"""A ring of the tests. Three of them are the brokerage's."""

DEFAULTS = WatchSection()
JUDGED = WatchRules()
STEADY = AmiTiming()

SETTINGS = """\
version: 1
data: data
brokerage: {name: Harbor Realty, phone: "+13055550199", country: US, time_zone: America/New_York}
offices: {miami: {name: Miami, hours: always}, keys: {name: Keys, hours: never}}
hours: {always: {week: {mon-sun: 0:00-24:00}}, never: {}}
agents: {ana: {name: Ana, email: ana@harbor.example, phone: "101"}}
groups: {front: {phones: ["101", "102", "103"], agents: [ana]}}
number_defaults: {office: miami, group: front, plan: standard, rings: 3, abandoned_rings: 1}
numbers:
  _130555502XX: {source: The plain PBX}
  _130555503XX: {source: The FreePBX-shaped one}
  "13055550208": {office: keys}
  "13055550303": {office: keys}
plans: {standard: [push]}
cadence: {ring_seconds: 1, first_ring: 1.5s, dropped: 0.7s}
crm: {file: {type: jsonl, file: leads.jsonl}}
pbx: {mode: watch}
phones: {"101": {name: A}, "102": {name: B}, "103": {name: C}}
"""


@dataclass
class Watching:
    """What was seen. ``events`` in the order in which they were recorded; ``decided``: action, outcome and rule of all that
    they led to; ``leads``: whom they made one."""

    supervisor: WatchSupervisor
    hindsight: WatchHindsight
    policy: Policy
    events: list[Event] = field(default_factory=list)
    decided: list[tuple[str, str, str]] = field(default_factory=list)
    leads: set[int] = field(default_factory=set)

    def take(self, recorded: Recorded) -> None:
        self.events.append(recorded.event)
        if recorded.lead_id is not None:
            self.leads.add(recorded.lead_id)
        self.decided += [(one.action, one.outcome, one.rule) for one in recorded.step.decisions]

    def verdicts(self) -> list[CallMissed | CallClosed]:
        return [event for event in self.events if isinstance(event, CallMissed | CallClosed)]

    async def verdict(self, *, within: float = 15.0, count: int = 1) -> CallMissed | CallClosed:
        """The ``count``-th verdict, awaited."""
        found = await until(
            lambda: self.verdicts()[count - 1 : count], within=within, what=f"a verdict in {self.story()}"
        )
        return found[0]

    async def heard(self, kind: type[Event], *, within: float = 10.0) -> Event:
        """The first event of a kind, awaited."""
        found = await until(
            lambda: [event for event in self.events if isinstance(event, kind)],
            within=within,
            what=f"{kind.__name__} in {self.story()}",
        )
        return found[0]

    def ring_times(self) -> list[float]:
        """How long it has rung for each call under way, in seconds."""
        now = asyncio.get_running_loop().time()
        return [call.ring_time(now) for call in self.supervisor.under_way]

    def answered_by(self) -> list[str]:
        return [event.by for event in self.events if isinstance(event, CallAnswered)]

    async def over(self, *, within: float = 12.0) -> None:
        """Returns when no call is under way any more, and all of it is written down."""
        await until(lambda: not self.supervisor.calls, within=within, what="the end of all calls")
        await self.supervisor.written()

    def story(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


@contextlib.asynccontextmanager
async def watching(
    pbx: ForeignPbx,
    folder: Path,
    *,
    section: WatchSection = DEFAULTS,
    rules: WatchRules = JUDGED,
    port: int | None = None,
    timing: AmiTiming = STEADY,
) -> AsyncIterator[Watching]:
    """Ringback watches. port: of AMI, when something stands between."""
    path = folder / "ringback.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    settings = load(path)
    clock = SystemClock()
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    prepare(database_path(settings))
    async with ThreadedStore(database_path(settings)) as store:
        recorder = Recorder(store, clock, PolicyInForce(settings.policy, "{}"))
        hindsight = WatchHindsight(section, rules)
        seen = Watching(WatchSupervisor(recorder, clock, section, rules), hindsight, settings.policy)
        pbx.watched_by.append(seen)
        recorder.listen(seen.take)
        address = AmiAddress("127.0.0.1", port or pbx.ami, "ringback", SECRET)
        link = AmiLink(address, seen.supervisor.deliver, chance=random.Random(7).random, timing=timing)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(seen.supervisor.run()), group.create_task(link.run())]
            try:
                await until(lambda: seen.supervisor.connected, what="AMI")
                yield seen
            finally:
                for task in tasks:
                    task.cancel()
