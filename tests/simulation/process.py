"""One life of our process: composed as in ``ari_app.app``, from its start over recovery to its death."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ari_app.crm.port import CrmAdapter
from ari_app.errors import StoreUnavailableError
from ari_app.notify.email import EmailAdapter
from ari_app.notify.texts import TextAdapter, TextInbox, withdrawing
from ari_app.recovery.events import Event
from ari_app.runtime.dispatcher import AfterCrash, Dispatcher, Lane
from ari_app.runtime.outcome import Adapter, Outcome
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.runtime.timer_loop import TimerLoop
from ari_app.store.outbox import Order
from sms_gateway.messages import InboundText, Receipt
from tests.simulation.carrier import GATEWAY, Carrier, Doorman, Link
from tests.simulation.disk import Disk
from tests.simulation.exchange import Callbacks, Exchange
from tests.simulation.office import Variant
from tests.simulation.targets import Ledger, PostOffice
from tests.simulation.universe import Universe


class Composition:
    """How a process is put together. Tests that plant a bug override a piece."""

    texts_after_crash = AfterCrash.DOUBT
    dispatcher: type[Dispatcher] = Dispatcher

    def texts(self, universe: Universe, adapter: Adapter) -> Adapter:
        return adapter


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process finds when it starts. path: of the database."""

    path: Path
    carrier: Carrier
    exchange: Exchange
    post: PostOffice
    ledger: Ledger
    composition: Composition


class _Watched:
    """An adapter, and a witness who sees what it is given."""

    def __init__(self, inner: Adapter, universe: Universe) -> None:
        self._inner = inner
        self._universe = universe

    async def act(self, order: Order) -> Outcome:
        self._universe.witness.began(order)
        return await self._inner.act(order)


class Process:
    """number: the how-manieth. ``run`` ends with its death, by whatever cause."""

    def __init__(self, number: int, universe: Universe, around: Surroundings, variant: Variant) -> None:
        self._universe = universe
        self._around = around
        self._doorman = Doorman(number, universe.seconds)
        self._root: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._facts: dict[str, asyncio.Queue[Event]] = {}
        self.dead = False
        self.disk = Disk(around.path, universe, self.kill, lambda: self.dead)
        self.in_force = PolicyInForce(variant.policy, variant.text)
        clock = universe.clock
        self.recorder = Recorder(self.disk, clock, self.in_force)
        self.recorder.listen(universe.witness.recorded)
        self._inbox = TextInbox(self.recorder, clock)
        self._links = {GATEWAY: Link(around.carrier)}
        self.recorder.listen(withdrawing(self._links))
        poll = universe.weather.poll_seconds
        self._dispatcher = around.composition.dispatcher(self.disk, self.recorder, clock, self._lanes(), poll)
        self._timers = TimerLoop(self.disk, self.recorder, clock, poll)

    def _lanes(self) -> list[Lane]:
        """As in ``ari_app.app``."""
        universe, around = self._universe, self._around
        clock, composition = universe.clock, around.composition
        texts = composition.texts(universe, _Watched(TextAdapter(self._links, clock, {}), universe))
        email = _Watched(EmailAdapter(around.post, self.recorder, clock, None), universe)
        crm = _Watched(CrmAdapter({"file": around.ledger}, clock, lambda: self.recorder.policy.crm), universe)
        callbacks = _Watched(Callbacks(around.exchange, universe, self.tell, self._start), universe)
        return [
            Lane("text", texts, composition.texts_after_crash, 64, 60.0, attempts=200),
            Lane("alert", email, AfterCrash.REPEAT, 4, 90.0, attempts=60),
            Lane("email", email, AfterCrash.REPEAT, 4, 90.0, attempts=60),
            Lane("push", crm, AfterCrash.REPEAT, 8, 60.0, attempts=400),
            Lane("callback", callbacks, AfterCrash.DOUBT, 4, 60.0, attempts=200),
        ]

    # ------------------------------------------------------------------------------------------------------ life, death
    async def run(self) -> None:
        """Recover, catch up with what the PBX saw meanwhile, and work. A full disk at the start ends it, as in production."""
        self._root = asyncio.current_task()
        try:
            left = await self._dispatcher.recover()
            if left:
                self._universe.witness.tell(f"process: {left} orders were under way when the last one died")
            async with asyncio.TaskGroup() as group:
                self._group = group  # calls come in from here on, also while we catch up
                for event in self._around.exchange.catch_up():
                    await self.recorder.insist(event)
                group.create_task(self._dispatcher.run())
                group.create_task(self._timers.run())
        except asyncio.CancelledError:
            if not self.dead:
                raise
        except StoreUnavailableError as error:
            self._universe.witness.tell(f"process: cannot start: {error}")
        except Exception as error:  # noqa: BLE001 - nothing may end the process but us
            self._universe.witness.violated(f"the process died of {error!r}")
        finally:
            self.dead = True
            self.disk.close()

    def kill(self, when: str) -> None:
        """SIGKILL. What is not committed is gone; nothing of it acts any more, though its objects are still to go."""
        if self.dead or self._root is None:
            return
        self._universe.witness.follow()
        self._universe.witness.tell(f"process: killed {when}")
        self.dead = True
        self._root.cancel()

    # ---------------------------------------------------------------------------------------------------- what comes in
    def tell(self, call_id: str, event: Event) -> None:
        """A fact of a call; those of one call are written down in their order, however long the store makes them wait."""
        if self.dead or self._group is None:
            return
        queue = self._facts.get(call_id)
        if queue is None:
            queue = self._facts[call_id] = asyncio.Queue()
            self._group.create_task(self._write_down(queue))
        queue.put_nowait(event)

    async def _write_down(self, facts: asyncio.Queue[Event]) -> None:
        while True:
            await self.recorder.insist(await facts.get())

    async def take(self, message: InboundText | Receipt) -> bool:
        """A message of the carrier; whether it was acknowledged."""
        if isinstance(message, InboundText):
            message = self._doorman.seen(message, self._universe.seconds)
        return await self.perform(self._inbox.take(GATEWAY, message))

    async def perform(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Do something inside the process; False if the store or the process failed meanwhile."""
        if self.dead or self._group is None:
            work.close()
            return False
        task = self._group.create_task(self._stored(work))
        await asyncio.wait({task})
        return not task.cancelled() and task.result()

    async def _stored(self, work: Coroutine[Any, Any, Any]) -> bool:
        try:
            await work
        except StoreUnavailableError:
            return False
        except Exception:  # noqa: BLE001 - whatever it is, it is a defect
            self._universe.witness.violated(f"what came in was answered by a defect: {traceback.format_exc()}")
            return False
        return True

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._group is not None
        self._group.create_task(work)
