"""One simulated world: a seed in, a verdict and a story out."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import structlog

from ari_app.recovery.commands import Acknowledge, Close, Command, Declined, Drop, RecordOptOut, Resend
from ari_app.recovery.events import Event
from ari_app.recovery.values import e164
from ari_app.runtime.asking import ask
from ari_app.store.db import prepare
from sms_gateway.messages import InboundText, OutboundText, Receipt
from tests.simulation import exchange as pbx
from tests.simulation import verdict
from tests.simulation.carrier import LATEST_RECEIPT, Carrier
from tests.simulation.exchange import Exchange
from tests.simulation.office import families
from tests.simulation.process import Composition, Process, Surroundings
from tests.simulation.targets import Ledger, PostOffice
from tests.simulation.universe import Universe
from tests.simulation.weather import Weather, forecast
from tests.simulation.witness import Witness
from tests.support.virtual import VirtualClock, run

QUIET_SECONDS = 3 * 86_400.0
"""By then everything has to have come to its end once nothing fails any more: a night's hold, and a plan after it."""
_WORDS = ("STOP", "stop please", "STOP", "START", "HELP", "I am buying", "Can I see it on Sunday?", "STOP")
_JUMPS = (-3600.0, 3600.0, -90.0, 90.0, 7200.0)
MEMORY = Path("/dev/shm")
"""A folder in memory, where a sync costs nothing; where there is none, the usual one for temporary files."""


@dataclass(frozen=True, slots=True)
class Day:
    """What became of a seed. story: None unless it was to be told. steps: events recorded. texts: taken by the carrier."""

    seed: int
    violations: tuple[str, ...]
    story: str | None
    steps: int
    texts: int
    processes: int


def simulate(seed: int, composition: Composition | None = None, *, telling: bool = False) -> Day:
    """Live through the day of ``seed``, up to the first violation."""
    rng = random.Random(seed)
    weather = forecast(rng)
    with _database() as path, contextlib.ExitStack() as stack:
        clock = VirtualClock(weather.start)
        witness = Witness(path, clock, telling=telling)
        stack.callback(witness.close)
        stack.enter_context(_listening_to_logs(witness))
        world = _World(rng, weather, clock, witness, path, composition or Composition())
        run(world.live, seed=None if weather.fifo else seed)
        story = f"# seed {seed}: {weather}\n" + "\n".join(witness.story) + "\n" if telling else None
        return Day(seed, tuple(witness.violations), story, witness.steps, witness.texts, world.processes)


@contextlib.contextmanager
def _database() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "ringback.db"
        path.write_bytes(_empty_books())
        yield path


@cache
def _empty_books() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ringback.db"
        prepare(path)
        return path.read_bytes()


@contextlib.contextmanager
def _listening_to_logs(witness: Witness) -> Iterator[None]:
    """The same list is changed in place: loggers that are bound already keep a reference to it."""
    processors = structlog.get_config()["processors"]
    before = list(processors)
    processors[:] = [witness.log]
    try:
        yield
    finally:
        processors[:] = before


class _World:
    def __init__(
        self,
        rng: random.Random,
        weather: Weather,
        clock: VirtualClock,
        witness: Witness,
        path: Path,
        composition: Composition,
    ) -> None:
        self._rng = rng
        self._weather = weather
        self._clock = clock
        self._witness = witness
        self._path = path
        self._composition = composition
        self._variant = families()[weather.family][0]
        self._process: Process | None = None
        self.processes = 0

    async def live(self) -> None:
        """The day, and then calm until everything has ended."""
        try:
            async with asyncio.TaskGroup() as group:
                universe = Universe(self._rng, self._weather, self._clock, self._witness, group)
                carrier = Carrier(universe, self._deliver)
                exchange = Exchange(universe, self._tell, lambda: self._variant.policy)
                post, ledger = PostOffice(universe), Ledger(universe)
                carrier.on_text = lambda text: self._read(universe, carrier, text)
                around = Surroundings(self._path, carrier, exchange, post, ledger, self._composition)
                day = group.create_task(self._day(universe, carrier, exchange, around))
                broken = group.create_task(self._witness.broken.wait())
                await asyncio.wait({day, broken}, return_when=asyncio.FIRST_COMPLETED)
                if day.done() and not self._witness.violations:
                    verdict.leads_agree(self._witness)
                    verdict.all_has_ended(self._witness, post, ledger)
                    verdict.nobody_is_lost(self._witness, exchange)
                if self._process is not None:
                    self._process.kill("at the end of the day")
                raise _Over
        except* _Over:
            pass

    async def _day(self, universe: Universe, carrier: Carrier, exchange: Exchange, around: Surroundings) -> None:
        weather = self._weather
        universe.spawn(self._keep_running(universe, around))
        for work in (
            universe.now_and_then(weather.kill_every, lambda: self._kill(universe)),
            universe.now_and_then(weather.full_every, lambda: self._fill_the_disk(universe)),
            universe.now_and_then(weather.carrier_down_every, carrier.go_down),
            universe.now_and_then(weather.pbx_down_every, exchange.go_away),
            universe.now_and_then(weather.jump_every, lambda: self._jump(universe)),
            universe.now_and_then(weather.reload_every, lambda: self._reload(universe)),
            universe.now_and_then(weather.agent_every, lambda: self._agent(universe)),
            universe.now_and_then(weather.clerk_every, lambda: self._clerk(universe)),
        ):
            universe.spawn(work)
        people = self._rng.sample(pbx.CALLERS[:4], k=min(weather.callers, 4))
        if self._rng.random() < 0.3:
            people[0] = self._rng.choice(pbx.CALLERS[4:])
        for raw in people:
            universe.spawn(self._person(universe, carrier, exchange, raw))
        await universe.sleep(weather.seconds)
        universe.calm = True
        self._witness.tell("world: nothing fails any more")
        await self._until_quiet(universe)

    async def _until_quiet(self, universe: Universe) -> None:
        """Until no order and no timer is left, QUIET_SECONDS at most."""
        end = universe.seconds + QUIET_SECONDS
        left = (
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE status IN ('todo', 'doing'))"
            " OR EXISTS (SELECT 1 FROM timers WHERE status = 'pending')"
        )
        await universe.sleep(LATEST_RECEIPT + 900.0)
        while universe.seconds < end and self._witness.books.execute(left).fetchone()[0]:
            await universe.sleep(900.0)

    # ------------------------------------------------------------------------------------------------------ our process
    async def _keep_running(self, universe: Universe, around: Surroundings) -> None:
        """As systemd does."""
        while True:
            self.processes += 1
            self._witness.tell(f"process: number {self.processes} starts")
            self._process = Process(self.processes, universe, around, self._variant)
            await asyncio.wait({universe.spawn(self._process.run())})
            verdict.leads_agree(self._witness)
            await universe.sleep(2.0 if universe.calm else self._rng.choice((0.1, 2.0, 2.0, 60.0, 1500.0)))

    async def _kill(self, universe: Universe) -> None:
        if self._process is not None:
            self._process.kill("out of the blue")

    async def _fill_the_disk(self, universe: Universe) -> None:
        process = self._process
        if process is None or process.dead:
            return
        self._witness.tell("disk: full")
        await process.disk.fill()
        await universe.sleep(self._rng.uniform(0.5, 90.0))
        if not process.dead:
            await process.disk.empty()
            self._witness.tell("disk: room again")

    def _tell(self, call_id: str, event: Event) -> None:
        if self._process is not None:
            self._process.tell(call_id, event)

    async def _deliver(self, message: InboundText | Receipt) -> bool:
        return self._process is not None and await self._process.take(message)

    # ------------------------------------------------------------------------------------------------ people and clocks
    async def _person(self, universe: Universe, carrier: Carrier, exchange: Exchange, raw: str | None) -> None:
        """Calls, calls again, and writes."""
        rng = universe.rng
        usual = rng.choice(pbx.DIALLED)
        for _ in range(rng.choice((1, 2, 3, 4))):
            pause = rng.choice((30.0, 300.0, self._weather.seconds / 2, self._weather.seconds / 2))
            await universe.sleep(rng.uniform(0.0, pause))
            if universe.calm:
                return
            dialled = usual if rng.random() < 0.3 else rng.choice(pbx.DIALLED)
            if raw is not None and rng.random() < 0.25:
                carrier.write(raw, dialled, rng.choice(_WORDS))
                continue
            if raw is not None and rng.random() < 0.15:  # a household, or an office, that has one number
                universe.spawn(exchange.call(raw, rng.choice((dialled, usual))))
            await exchange.call(raw, dialled)

    def _read(self, universe: Universe, carrier: Carrier, text: OutboundText) -> None:
        """The carrier has taken a text, and we may die before we hear so. Whoever gets a text may answer it."""
        if self._process is not None and universe.chance(self._weather.kill_when_taken):
            self._process.kill("when a text was taken")
        if universe.chance(0.35):
            universe.spawn(self._answer(universe, carrier, text))

    async def _answer(self, universe: Universe, carrier: Carrier, text: OutboundText) -> None:
        await universe.sleep(universe.rng.choice((2.0, 60.0, 3000.0)))
        carrier.write(text.destination, str(text.source), universe.rng.choice(_WORDS))

    async def _agent(self, universe: Universe) -> None:
        """Somebody of the brokerage takes a lead, ends one, or notes that a person said no."""
        process, rng = self._process, universe.rng
        leads = self._witness.lead_numbers()
        if process is None or process.dead or not leads:
            return
        lead_id, by, number = rng.choice(leads), "ana", e164(str(rng.choice(pbx.CALLERS[:4])))
        command: Command = rng.choice(
            (
                Acknowledge(lead_id, by),
                Close(lead_id, by, "sold"),
                RecordOptOut(number, by, "said so at the door"),
                RecordOptOut(number, by, "said so at the door"),
            )
        )
        await process.perform(self._ask(process, command, f"agent-{universe.seconds:.6f}"))

    async def _clerk(self, universe: Universe) -> None:
        """Somebody decides about an order that is in doubt, has failed or waits."""
        process, rng = self._process, universe.rng
        orders = self._witness.open_orders()
        if process is None or process.dead or not orders:
            return
        effect_id = rng.choice(orders)
        command: Command = rng.choice(
            (Resend(effect_id, "ana"), Resend(effect_id, "ana"), Drop(effect_id, "ana", "never mind"))
        )
        await process.perform(self._ask(process, command, f"clerk-{universe.seconds:.6f}"))

    async def _ask(self, process: Process, command: Command, request_id: str) -> None:
        """As the control socket does."""
        done = await ask(process.recorder, self._clock, command, request_id)
        if isinstance(done, Declined):
            self._witness.tell(f"declined: {done.why}")

    async def _reload(self, universe: Universe) -> None:
        self._variant = universe.rng.choice(families()[self._weather.family])
        self._witness.tell(f"settings: {self._variant.policy.version[:8]}")
        if self._process is not None and not self._process.dead:
            self._process.in_force.swap(self._variant.policy, self._variant.text)

    async def _jump(self, universe: Universe) -> None:
        seconds = universe.rng.choice(_JUMPS)
        self._clock.shift += timedelta(seconds=seconds)
        self._witness.jumped += timedelta(seconds=abs(seconds))
        self._witness.tell(f"clock: jumps by {seconds:+g} s")


class _Over(Exception):  # noqa: N818 - not an error: the end of a day
    """Ends everything that still goes on."""
