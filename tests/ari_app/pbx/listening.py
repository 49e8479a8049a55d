"""An application's ear for tests: the event socket in the background, its events in a list."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import NotFoundError
from ari_app.pbx.event_socket import Connected, EventSocket, SocketEvent, SocketTiming
from tests.support.asterisk import TestPbx
from tests.support.waiting import until

E = TypeVar("E")

BRISK = SocketTiming(longest_delay=1.0, first_check=0.3, check_every=0.4, answer_within=0.4)


@dataclass
class Listener:
    """``events`` is everything delivered so far, in order."""

    ari: Ari
    events: list[SocketEvent] = field(default_factory=list)
    _seen: int = 0

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def next(self, kind: type[E], match: Callable[[E], bool] = lambda _: True, *, within: float = 5.0) -> E:
        """The next event of that kind after the last one returned by this."""

        def look() -> E | None:
            while self._seen < len(self.events):
                event = self.events[self._seen]
                self._seen += 1
                if isinstance(event, kind) and match(event):
                    return event
            return None

        try:
            found = await until(look, within=within, what=kind.__name__)
        except AssertionError as error:
            story = [type(event).__name__ for event in self.events]
            raise AssertionError(f"no {kind.__name__}; so far {story}") from error
        assert found is not None
        return found


@asynccontextmanager
async def listening(pbx: TestPbx, *, url: str | None = None, timing: SocketTiming = BRISK) -> AsyncIterator[Listener]:
    """Connected when it begins; at its end Asterisk has forgotten the application again."""
    async with pbx.ari(url=url) as ari:
        listener = Listener(ari)
        socket = EventSocket(ari, listener.events.append, chance=random.Random(7).random, timing=timing)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(socket.run())
            try:
                await listener.next(Connected)
                yield listener
            finally:
                task.cancel()
        async with pbx.ari() as direct:
            await until_forgotten(direct)


async def until_forgotten(ari: Ari) -> None:
    """Waits for Asterisk to clear up after a socket; the next one could lose its application to that.

    An application with calls is kept, without a socket, until they are gone; the shortest delay of ours is enough for it.
    """
    with contextlib.suppress(NotFoundError, TimeoutError):
        async with asyncio.timeout(SocketTiming().first_delay):
            while True:
                await ari.applications.get(ari.application)
                await asyncio.sleep(0.01)  # noqa: TID251 - Asterisk does not tell when it is done
