"""What comes in: each message acknowledged to the carrier only once the application has stored it.

A long text comes in segments, each of which must be acknowledged, often before the carrier sends the next. So either

* the application gives a `PartStore`: a segment is stored, acknowledged, and joined when all are there; or
* it gives none: the answers are held back until the text is complete, or the carrier's patience is nearly over
  (`parts_hold_seconds`), when what is there is delivered as a part. Slower with a carrier that sends one at a time.

Either way a crash loses no acknowledged segment, and a STOP in an incomplete text arrives. A segment of a whole text that
comes once more, because its acknowledgement was lost, is acknowledged again and dropped: alone, it would wait for siblings
that the carrier knows to be here, and become a second text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import NamedTuple, Protocol

from sms_gateway.messages import InboundText, Receipt, redacted
from sms_gateway.reassembly import Joined, Reassembler, Segment
from sms_gateway.smpp import status
from sms_gateway.smpp.arrival import fingerprint_of, interpret, text_of
from sms_gateway.smpp.connection import Connection
from sms_gateway.smpp.events import Arrived
from sms_gateway.smpp.health import Counters
from sms_gateway.smpp.options import LinkOptions
from sms_gateway.smpp.redelivery import Redeliveries, Segments

_log = logging.getLogger(__name__)

Handler = Callable[[InboundText | Receipt], Awaitable[None]]
"""Stores what came in, durably, before it returns. Raising anything asks the carrier to send it again."""


class PartStore(Protocol):
    """Durable memory for segments of long texts that are not complete yet."""

    async def keep(self, segment: Segment) -> None:
        """Store ``segment`` durably. The same one may come twice."""
        ...

    async def discard(self, segments: Sequence[Segment]) -> None:
        """Forget ``segments``: their text has been delivered."""
        ...

    async def kept(self) -> Sequence[Segment]:
        """All that is stored, oldest first; asked once, at the start. Raising ends the gateway."""
        ...


class _Ack(NamedTuple):
    """An answer that is owed. since: when, in the loop's time."""

    connection: Connection
    arrived: Arrived
    since: float


class Inbox:
    """Handles messages one at a time, in order of arrival, beside the link.

    wall: the present, aware UTC, for source ids.
    """

    def __init__(
        self,
        options: LinkOptions,
        handler: Handler,
        parts: PartStore | None,
        counters: Counters,
        wall: Callable[[], datetime],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._options = options
        self._handler = handler
        self._parts = parts
        self._counters = counters
        self._wall = wall
        self._queue: asyncio.Queue[_Ack] = asyncio.Queue()
        self._reassembler = Reassembler(options.parts_seconds if parts else options.parts_hold_seconds)
        self._held: dict[Segment, list[_Ack]] = {}
        self._again: list[Joined] = []
        self._again_at = 0.0
        self._redeliveries = Redeliveries(options.redelivery_seconds, self._loop.time())
        self._segments = Segments(options.redelivery_seconds)
        self._arrivals = count()
        self._busy = False
        self._idle_since = self._loop.time()

    def idle_seconds(self) -> float:
        """How long nothing has arrived, and nothing has been left to do; 0 while there is."""
        return 0.0 if self._busy or not self._queue.empty() else self._loop.time() - self._idle_since

    def put(self, connection: Connection, arrived: Arrived) -> None:
        """Take over what has arrived on ``connection``."""
        self._queue.put_nowait(_Ack(connection, arrived, self._loop.time()))

    async def run(self) -> None:
        """Handle what arrives, until cancelled."""
        if self._parts is not None:
            for segment in await self._parts.kept():
                now = self._loop.time()
                # Acknowledged, if at all, on a connection that went with the process that had stored it.
                self._segments.took(segment.fingerprint, now, now, lambda: False)
                await self._join(segment)
        while True:
            deadline = self._next_deadline()
            if deadline is not None and deadline <= self._loop.time():
                await self._overdue()
                continue
            try:
                async with asyncio.timeout_at(deadline):
                    ack = await self._queue.get()
            except TimeoutError:
                continue
            self._busy = True
            try:
                await self._handle(ack)
            finally:
                self._busy = False
                self._idle_since = self._loop.time()

    def release(self) -> None:
        """Let go of segments whose answers are held back: they shall come again."""
        held, self._held = self._held, {}
        for ack in (ack for acks in held.values() for ack in acks):
            self._reply(ack, stored=False)

    def _next_deadline(self) -> float | None:
        due = [self._reassembler.next_deadline(), self._again_at if self._again else None]
        return min((each for each in due if each is not None), default=None)

    async def _handle(self, ack: _Ack) -> None:
        message = interpret(ack.arrived.body, self._options)
        if isinstance(message, Receipt):
            self._counters.receipts += 1
            stored = await self._store(message)
            self._reply(ack, stored=stored)
            return
        self._counters.texts += 1
        now = self._loop.time()
        if message.key is not None and self._segments.comes_again(message.fingerprint, now):
            self._reply(ack, stored=True)
            self._segments.took(message.fingerprint, ack.since, now, _standing(ack), whole=True)
        elif message.key is None or self._parts is None:
            self._held.setdefault(message, []).append(ack)
            await self._join(message)
        else:
            await self._keep(message, self._parts, ack)

    async def _keep(self, segment: Segment, parts: PartStore, ack: _Ack) -> None:
        try:
            await parts.keep(segment)
        except Exception:  # noqa: BLE001 - whatever the application raises, the segment is not stored
            _log.exception("a segment from %s was not stored", redacted(segment.source))
            self._reply(ack, stored=False)
            return
        self._reply(ack, stored=True)
        self._segments.took(segment.fingerprint, ack.since, self._loop.time(), _standing(ack))
        await self._join(segment)

    async def _join(self, segment: Segment) -> None:
        for joined in self._reassembler.add(segment, self._loop.time()):
            await self._deliver(joined)

    async def _overdue(self) -> None:
        now = self._loop.time()
        again: list[Joined] = []
        if now >= self._again_at:
            again, self._again = self._again, []
        for joined in (*again, *self._reassembler.expire(now)):
            await self._deliver(joined)

    async def _deliver(self, joined: Joined) -> None:
        if joined.complete:
            self._segments.completed(segment.fingerprint for segment in joined.segments)
        answers = {segment: self._held.pop(segment, []) for segment in joined.segments}
        held = [ack for acks in answers.values() for ack in acks]
        if held and not joined.complete and all(ack.connection.closed.done() for ack in held):
            stored = False  # the carrier was not answered and will send all of them again
        else:
            stored = await self._recognise_and_store(joined, held)
        for ack in held:
            self._reply(ack, stored=stored)
        if joined.segments[0].key is None:
            return
        if self._parts is None:
            if stored and joined.complete:
                self._remember(answers)
        elif stored:
            await self._discard(joined, self._parts)
        else:
            self._again.append(joined)
            self._again_at = self._loop.time() + self._options.parts_hold_seconds

    def _remember(self, answers: Mapping[Segment, Sequence[_Ack]]) -> None:
        """The segments of a whole text, which were answered together."""
        now = self._loop.time()
        for segment, acks in answers.items():
            came_at = min((ack.since for ack in acks), default=now)
            self._segments.took(segment.fingerprint, came_at, now, _standing(*acks), whole=True)

    async def _recognise_and_store(self, joined: Joined, held: Sequence[_Ack]) -> bool:
        first = joined.segments[0]
        sighting = self._redeliveries.see(
            (first.source, first.destination),
            fingerprint := fingerprint_of(joined),
            self._loop.time(),
            name=lambda: f"{fingerprint}@{self._wall():%Y%m%dT%H%M%S.%f}.{next(self._arrivals)}",
            stands=_standing(*held) if held else self._segments.standing(each.fingerprint for each in joined.segments),
        )
        stored = await self._store(text_of(joined, sighting.source_id, may_repeat=sighting.may_repeat))
        sighting.answered_at = self._loop.time() if stored else None
        return stored

    async def _discard(self, joined: Joined, parts: PartStore) -> None:
        try:
            await parts.discard(joined.segments)
        except Exception:  # noqa: BLE001 - they are delivered again at the next start, under the same fingerprint
            _log.exception("segments from %s were not discarded", redacted(joined.segments[0].source))

    async def _store(self, message: InboundText | Receipt) -> bool:
        try:
            await self._handler(message)
        except Exception:  # noqa: BLE001 - whatever the application raises, the message is not stored
            _log.exception("a message from %s was not stored", redacted(message.source))
            return False
        return True

    def _reply(self, ack: _Ack, *, stored: bool) -> None:
        if not stored:
            self._counters.redelivery_asked += 1
        ack.connection.answer(ack.arrived, status.OK if stored else self._options.redeliver_status)


def _standing(*acks: _Ack) -> Callable[[], bool]:
    """Tells whether the connections of all these stand."""
    return lambda: not any(ack.connection.closed.done() for ack in acks)
