"""Requests on their way out: waiting in lanes, paced, on the wire, answered. One per gateway.

Knows PDUs, not texts. Every request that is put in gets exactly one outcome.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp import status
from sms_gateway.smpp.connection import Connection
from sms_gateway.smpp.events import Accepted, Closed, Event, Queried, Refusal, Unanswered
from sms_gateway.smpp.health import Counters
from sms_gateway.smpp.pace import TokenBucket, pause

_THROTTLE_CAP_SECONDS = 8.0
WITHDRAWN = "withdrawn"
"""Why a request was never sent that nobody wants any more."""


@dataclass(frozen=True, slots=True)
class NeverSent:
    """The request did not leave this machine."""

    reason: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """The request left and was not answered."""

    reason: str


Outcome = Accepted | Queried | Refusal | NeverSent | Doubt


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request without an outcome.

    place: lanes are served by priority, then in order of arrival; the third number only makes it unique.
    throttlings, refusal: how often it was throttled, and how the last time. timer: of what it waits for, its deadline
    or the end of its pause. withdrawn: while it was on the wire, so that it must not go there again.
    """

    place: tuple[int, int, int]
    body: wire.SubmitSm | wire.QuerySm
    deadline: float
    outcome: asyncio.Future[Outcome]
    throttlings: int = 0
    refusal: Refusal | None = None
    timer: asyncio.TimerHandle | None = None
    withdrawn: bool = False

    def __lt__(self, other: _Waiting) -> bool:
        return self.place < other.place


class Sender:
    """Hands requests to whichever connection is bound, as fast as window and rate allow.

    random: from 0 to 1, for the pauses after throttling. throttle_seconds: the first of them.
    """

    def __init__(self, rate: float, counters: Counters, random: Callable[[], float], throttle_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._bucket = TokenBucket(rate, self._loop.time())
        self._counters = counters
        self._random = random
        self._throttle_seconds = throttle_seconds
        self._connection: Connection | None = None
        self._lanes: list[_Waiting] = []
        self._pausing: set[_Waiting] = set()
        self._wire: dict[int, _Waiting] = {}
        self._turns = count()
        self._wake: asyncio.TimerHandle | None = None
        self._closed_for: str | None = None

    @property
    def rate(self) -> float:
        """Segments a second at present."""
        return self._bucket.rate_at(self._loop.time())

    @property
    def outstanding(self) -> int:
        """Requests on the wire."""
        return len(self._wire)

    @property
    def queued(self) -> int:
        """Requests that wait for their turn, or for the end of their pause."""
        return sum(not waiting.outcome.done() for waiting in (*self._lanes, *self._pausing))

    def turn(self) -> int:
        """A place in the order of arrival, which all segments of a text share."""
        return next(self._turns)

    async def request(self, body: wire.SubmitSm | wire.QuerySm, priority: int, turn: int, deadline: float) -> Outcome:
        """The outcome of ``body``, which is not handed to the network later than ``deadline``, in the loop's time.

        Cancelling leaves a request that is on the wire to itself, and takes any other out of its lane.
        """
        waiting = _Waiting((priority, turn, next(self._turns)), body, deadline, self._loop.create_future())
        self._enqueue(waiting)
        return await waiting.outcome

    def withdraw(self, turn: int) -> None:
        """What has this place in the order of arrival, and is not on the wire, is never sent.

        What is on the wire is not sent a second time if the carrier does not take it, or it turns out never to have left.
        """
        for waiting in (*self._lanes, *self._pausing):
            if waiting.place[1] == turn:
                self._forget_timer(waiting)
                self._pausing.discard(waiting)
                self._resolve(waiting, NeverSent(WITHDRAWN))
        for waiting in self._wire.values():
            if waiting.place[1] == turn:
                waiting.withdrawn = True

    def use(self, connection: Connection | None) -> None:
        """Submit on ``connection`` from now on; None while there is none."""
        self._connection = connection
        self.pump()

    def close(self, reason: str) -> None:
        """Nothing will be sent any more: what waits is never sent, and so is what comes."""
        self._closed_for = reason
        for waiting in (*self._lanes, *self._pausing):
            self._forget_timer(waiting)
            self._resolve(waiting, NeverSent(reason))
        self._lanes.clear()
        self._pausing.clear()

    def reopen(self) -> None:
        """Take requests again."""
        self._closed_for = None

    def on_event(self, event: Event) -> None:
        """What the session of the connection in use reports."""
        match event:
            case Accepted(sequence, _):
                self._counters.accepted += 1
                self._resolve(self._wire.pop(sequence), event)
            case Queried(sequence, _):
                self._resolve(self._wire.pop(sequence), event)
            case Refusal(sequence, code) if code in status.THROTTLING:
                self._throttled(self._wire.pop(sequence), event)
            case Refusal(sequence, code):
                self._counters.refused[code] += 1
                self._resolve(self._wire.pop(sequence), event)
            case Unanswered(sequence):
                self._counters.in_doubt += 1
                self._resolve(self._wire.pop(sequence), Doubt("the carrier did not answer in time"))
            case Closed():
                self._ended(event)
        self.pump()

    def pump(self) -> None:
        """Submit what may go now, and come back when the next may."""
        while self._next_waits() and self._connection is not None and self._connection.session.ready:
            now = self._loop.time()
            wait = self._bucket.take(now)
            if wait > 0.0:
                self._come_back(now + wait)
                return
            waiting = heapq.heappop(self._lanes)
            self._forget_timer(waiting)
            sequence = self._connection.session.request(waiting.body, now)
            self._wire[sequence] = waiting
            self._counters.submitted += 1
            self._connection.flush_soon()

    def _next_waits(self) -> bool:
        """Whether anything waits, once what has expired or was cancelled is taken off the top."""
        while self._lanes and self._lanes[0].outcome.done():
            heapq.heappop(self._lanes)
        return bool(self._lanes)

    def _enqueue(self, waiting: _Waiting) -> None:
        self._pausing.discard(waiting)
        if waiting.withdrawn:
            self._resolve(waiting, NeverSent(WITHDRAWN))
            return
        if self._closed_for is not None:
            self._resolve(waiting, NeverSent(self._closed_for))
            return
        waiting.timer = self._loop.call_at(waiting.deadline, self._expire, waiting)
        heapq.heappush(self._lanes, waiting)
        self.pump()

    def _come_back(self, at: float) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake = self._loop.call_at(at, self.pump)

    def _expire(self, waiting: _Waiting) -> None:
        self._resolve(waiting, waiting.refusal or NeverSent("its time ran out before its turn came"))
        self._next_waits()  # or a day without a bind would be a day's worth of dead requests

    def _throttled(self, waiting: _Waiting, event: Refusal) -> None:
        self._counters.throttled += 1
        now = self._loop.time()
        self._bucket.throttled(now)
        again = now + pause(waiting.throttlings, self._throttle_seconds, _THROTTLE_CAP_SECONDS, self._random())
        waiting.throttlings += 1
        waiting.refusal = event
        if waiting.withdrawn:
            self._resolve(waiting, NeverSent(WITHDRAWN))
        elif again < waiting.deadline and self._closed_for is None:
            self._pausing.add(waiting)
            waiting.timer = self._loop.call_at(again, self._enqueue, waiting)
        else:
            self._resolve(waiting, event)

    def _ended(self, event: Closed) -> None:
        for sequence in event.in_doubt:
            self._counters.in_doubt += 1
            self._resolve(self._wire.pop(sequence), Doubt(event.detail))
        for sequence in event.not_sent:
            self._counters.submitted -= 1
            self._enqueue(self._wire.pop(sequence))

    def _forget_timer(self, waiting: _Waiting) -> None:
        if waiting.timer is not None:
            waiting.timer.cancel()
            waiting.timer = None

    def _resolve(self, waiting: _Waiting, outcome: Outcome) -> None:
        if not waiting.outcome.done():
            waiting.outcome.set_result(outcome)
