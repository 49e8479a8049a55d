"""Carries orders from the outbox to their adapters: a lane for each kind, so that a slow target holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto

import structlog

from ari_app.clock import Clock, backoff
from ari_app.errors import StoreError, StoreUnavailableError
from ari_app.recovery.effects import KINDS, WorldEffect
from ari_app.runtime.outcome import Adapter, Done, Failed, InDoubt, Outcome, Refused, RetryAt
from ari_app.runtime.recorded import Recorded
from ari_app.runtime.recorder import Recorder
from ari_app.runtime.settling import barred
from ari_app.runtime.wake import Wake
from ari_app.store import outbox
from ari_app.store.db import Database
from ari_app.store.outbox import Order
from ari_app.store.stores import Store

log = structlog.get_logger("dispatcher")

POLL_SECONDS = 5.0
FEW = 8
"""A lane that is busy takes orders when this part of its places is free: a transaction for each would be a waste."""


class AfterCrash(Enum):
    """What becomes of an order that was begun by a process that died."""

    REPEAT = auto()
    """The target knows the effect's id, or a second time does no harm."""
    DOUBT = auto()
    """It may have happened, and must not happen twice."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of order. at_once: acts under way at one time. lease_seconds: the longest act.

    attempts: tries before an order that keeps failing is given up. useful: how many acts the target can use now; an order
    that only waits for its turn is better left ``todo``, because a crash would leave it in doubt.
    """

    kind: str
    adapter: Adapter
    after_crash: AfterCrash
    at_once: int
    lease_seconds: float
    attempts: int = 12
    useful: Callable[[], int] | None = None

    def limit(self) -> int:
        """Acts that may be under way now."""
        return self.at_once if self.useful is None else min(self.at_once, self.useful())


class Dispatcher:
    """Runs the lanes."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        lanes: Sequence[Lane],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """poll_seconds: how long a lane that nobody wakes waits before it looks again."""
        self._store = store
        self._poll_seconds = poll_seconds
        self._recorder = recorder
        self._clock = clock
        self._lanes = {lane.kind: lane for lane in lanes}
        self._wakes = {lane.kind: Wake() for lane in lanes}
        self._draining = False
        recorder.listen(self._hear)

    def wake(self) -> None:
        """Look for work now."""
        for wake in self._wakes.values():
            wake.ring()

    def _hear(self, recorded: Recorded) -> None:
        """Wake the lanes that the event has given work; the others would only ask the books in vain."""
        effects = recorded.step.effects
        # In their order, not in a set's: a simulation has to go the same way every time.
        for kind in dict.fromkeys(KINDS[type(effect)] for effect in effects if isinstance(effect, WorldEffect)):
            if kind in self._wakes:
                self._wakes[kind].ring()

    def drain(self) -> None:
        """Begin nothing more; ``run`` returns when what is under way has ended."""
        self._draining = True
        self.wake()

    async def recover(self) -> int:
        """Deal with what a process that is gone had begun. Before ``run``. How many orders there were."""
        orders = await self._store.read(outbox.unfinished)
        for order in orders:
            lane = self._lanes.get(order.kind)
            if lane is not None and lane.after_crash is AfterCrash.REPEAT:
                outcome: Outcome = RetryAt(self._clock.now(), "the process that had begun it is gone")
            else:
                outcome = InDoubt("the process that had begun it is gone")
            try:
                await self._recorder.settle(order, outcome)
            except StoreError:
                raise
            except Exception:
                # One lead's trouble must not keep us from starting. The row stays "doing": nothing is sent of it.
                log.exception("outcome_defect", outbox_id=order.effect_id, kind=order.kind)
        return len(orders)

    async def run(self) -> None:
        """Until cancelled, or drained."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes.values():
                group.create_task(self._run_lane(lane), name=f"lane:{lane.kind}")

    async def _run_lane(self, lane: Lane) -> None:
        wake = self._wakes[lane.kind]
        under_way: set[asyncio.Task[None]] = set()
        waits = backoff(0.2, POLL_SECONDS)
        async with asyncio.TaskGroup() as group:
            while not self._draining:
                limit = lane.limit()
                try:
                    orders, wait = await self._claim(lane, limit - len(under_way), limit)
                    waits = backoff(0.2, POLL_SECONDS)
                except StoreUnavailableError as error:
                    log.error("lane_waits_for_store", kind=lane.kind, error=str(error))
                    orders, wait = [], next(waits)
                except StoreError:
                    raise
                except Exception:
                    log.exception("lane_defect", kind=lane.kind)
                    orders, wait = [], next(waits)
                for order, refused in orders:
                    task = group.create_task(self._carry_out(lane, order, refused), name=f"order:{order.effect_id}")
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                    task.add_done_callback(lambda _: wake.ring())
                if not orders or len(under_way) >= limit:
                    await wake.wait(wait)

    async def _claim(self, lane: Lane, room: int, limit: int) -> tuple[list[tuple[Order, Refused | None]], float]:
        """Orders to carry out now; and, if there are none, how long to wait for the next, in seconds."""
        if room < max(1, limit // FEW):
            return [], self._poll_seconds  # the end of any act rings the bell
        now = self._clock.now()
        upcoming = await self._store.read(lambda db: outbox.next_todo(db, lane.kind))
        if upcoming is None:
            return [], self._poll_seconds
        wait = (upcoming - now).total_seconds()
        if wait > 0:
            return [], min(self._poll_seconds, wait)
        lease_until = now + timedelta(seconds=lane.lease_seconds)

        def job(db: Database) -> list[tuple[Order, Refused | None]]:
            return [(order, barred(db, order)) for order in outbox.claim(db, lane.kind, now, lease_until, room)]

        # A row that is due and is not claimed waits for an earlier one of its lead: the bell rings when that has ended.
        return await self._store.write(job), self._poll_seconds

    async def _carry_out(self, lane: Lane, order: Order, refused: Refused | None) -> None:
        about = {"outbox_id": order.effect_id, "lead_id": order.lead_id, "kind": order.kind, "attempt": order.attempts}
        outcome = refused or self._out_of_time(order) or await self._act(lane, order)
        if isinstance(outcome, RetryAt) and order.attempts >= lane.attempts:
            outcome = Failed(f"given up after {order.attempts} attempts: {outcome.why}")
        match outcome:
            case Done():
                log.info("order_done", **about)
            case RetryAt(why=why):
                log.warning("order_tried_again", why=why, **about)
            case Failed(why=why) | InDoubt(why=why) | Refused(why=why):
                log.warning("order_ended", outcome=type(outcome).__name__, why=why, **about)
        waits = backoff(0.2, POLL_SECONDS)
        while True:
            try:
                await self._recorder.settle(order, outcome)
            except StoreUnavailableError as error:
                # The act has happened; only its mark is missing. Until it is written the row stays "doing".
                log.error("outcome_waits_for_store", error=str(error), **about)
                await self._clock.pause(next(waits))
            except StoreError:
                raise
            except Exception:
                # The row stays "doing", and the next start deals with it as with one that a crash has left.
                log.exception("outcome_defect", outbox_id=order.effect_id, kind=order.kind)
                return
            else:
                return

    def _out_of_time(self, order: Order) -> Failed | None:
        if order.expires_at is not None and self._clock.now() >= order.expires_at:
            return Failed("its time was over before it could be carried out")
        return None

    async def _act(self, lane: Lane, order: Order) -> Outcome:
        """The adapter's answer; a defect or an endless act becomes one, too."""
        try:
            async with asyncio.timeout(lane.lease_seconds):
                return await lane.adapter.act(order)
        except TimeoutError:
            why = f"no end after {lane.lease_seconds:g} s"
        except Exception as error:
            log.exception("adapter_defect", outbox_id=order.effect_id, kind=order.kind)
            why = f"{type(error).__name__}: {error}"
        if lane.after_crash is AfterCrash.DOUBT:
            return InDoubt(why)
        return RetryAt(self._clock.now() + retry_wait(order.attempts), why)


def retry_wait(attempts: int) -> timedelta:
    """The wait after the n-th failed attempt: 2 s, doubling, five minutes at most."""
    return timedelta(seconds=min(300.0, 2.0 * 2 ** min(attempts - 1, 10)))
