"""Fires durable timers. What fell due while nobody ran fires at once."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from ari_app.clock import Clock, backoff
from ari_app.errors import StoreError, StoreUnavailableError
from ari_app.recovery.effects import ArmTimer
from ari_app.recovery.events import TimerFired
from ari_app.runtime.recorded import Recorded
from ari_app.runtime.recorder import Recorder
from ari_app.runtime.wake import Wake
from ari_app.store import timers
from ari_app.store.db import Database
from ari_app.store.stores import Store
from ari_app.store.timers import Timer

log = structlog.get_logger("timers")

POLL_SECONDS = 5.0
"""The longest wait: wall time may jump, and due times are wall time."""
BATCH = 64


class TimerLoop:
    """Turns due timers into events."""

    def __init__(self, store: Store, recorder: Recorder, clock: Clock, poll_seconds: float = POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._wake = Wake()
        self._defective: set[int] = set()
        recorder.listen(self._hear)

    def _hear(self, recorded: Recorded) -> None:
        """An event that has armed no timer brings no time nearer."""
        if any(isinstance(effect, ArmTimer) for effect in recorded.step.effects):
            self._wake.ring()

    async def run(self) -> None:
        """Until cancelled."""
        waits = backoff(0.2, POLL_SECONDS)
        while True:
            try:
                wait = await self._fire_due()
                waits = backoff(0.2, POLL_SECONDS)
            except StoreUnavailableError as error:
                log.error("timers_wait_for_store", error=str(error))
                wait = next(waits)
            if wait > 0:
                await self._wake.wait(wait)

    async def _fire_due(self) -> float:
        """Fire what is due; seconds until the next look. Raises StoreUnavailableError: some are still to be fired."""
        now, without = self._clock.now(), frozenset(self._defective)

        def look(db: Database) -> tuple[list[Timer], datetime | None]:
            return timers.due(db, now, BATCH, without), timers.next_due(db, without)

        ripe, upcoming = await self._store.read(look)
        if ripe:
            async with asyncio.TaskGroup() as group:
                firing = [group.create_task(self._fire(timer)) for timer in ripe]
            for task in firing:
                if (error := task.result()) is not None:
                    raise error
            return 0.0
        if upcoming is None:
            return self._poll_seconds
        return min(self._poll_seconds, (upcoming - self._clock.now()).total_seconds())

    async def _fire(self, timer: Timer) -> StoreUnavailableError | None:
        fired = TimerFired(
            at=self._clock.now(), source_id=f"timer:{timer.timer_id}", timer_id=timer.timer_id, kind=timer.kind
        )
        try:
            await self._recorder.record(fired)
        except StoreUnavailableError as error:
            return error
        except StoreError:
            raise
        except Exception:
            # One lead's trouble must not stop the others' timers. It is tried again at the next start.
            log.exception("timer_defect", timer_id=timer.timer_id, lead_id=timer.lead_id, kind=timer.kind)
            self._defective.add(timer.timer_id)
        return None
