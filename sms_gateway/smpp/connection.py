"""One TCP or TLS connection under one session: octets in and out, one timer armed to the session's deadline.

Knows neither texts nor reconnecting.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import cast

from sms_gateway.smpp import status
from sms_gateway.smpp.events import Arrived, Closed, CloseReason, Event
from sms_gateway.smpp.session import Session

_FLUSH_SECONDS = 1.0  # for a peer that does not read; then the connection is dropped
_STALLED_SECONDS = 0.25
"""A timer this late fired because the whole process stood still: answers that came meanwhile are still in the socket, and
without them a text would be in doubt for nothing. They are given this long to be read, once."""
_NO_LINGERING = {CloseReason.SILENT, CloseReason.UNANSWERED, CloseReason.LOST}


class Connection(asyncio.Protocol):
    """Made by ``loop.create_connection``; lives as long as its session.

    on_event: told everything that the session reports, in order, with this connection.
    """

    def __init__(self, session: Session, on_event: Callable[[Connection, Event], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.session = session
        self.closed: asyncio.Future[Closed] = self._loop.create_future()
        self._on_event = on_event
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = 0.0  # kept here: uvloop's handle of a time that has passed does not tell it
        self._grace_until = -math.inf
        self._flushing = False

    # ------------------------------------------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it
        self.session.start(self._loop.time())
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.session.receive_data(data, self._loop.time())
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.session.connection_lost(str(exc) if exc else "the carrier closed the connection")
        self.flush()

    # ---------------------------------------------------------------------------------------------------------- to us

    def flush_soon(self) -> None:
        """Send what the session has, together with what else comes up in this turn of the loop."""
        if self.session.outstanding <= 1:
            self.flush()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Report, send, and arm the timer."""
        self._flushing = False
        while events := self.session.events():
            for event in events:
                if isinstance(event, Closed):
                    self._end(event)
                self._on_event(self, event)
        self._send()
        self._arm()

    def answer(self, arrived: Arrived, code: int = status.OK) -> None:
        """Acknowledge an inbound message, or refuse it with ``code``. Harmless once the session is closed."""
        self.session.answer(arrived.sequence, code, self._loop.time())
        self.flush()

    def unbind(self) -> None:
        """Drain, unbind and close, within the session's limits."""
        self.session.unbind(self._loop.time())
        self.flush()

    def abandon(self, reason: str) -> None:
        """Close at once; what was asked and not answered is in doubt."""
        self.session.connection_lost(reason)
        self.flush()
        if self._transport is not None:
            self._transport.abort()

    # -------------------------------------------------------------------------------------------------------- private

    def _send(self) -> None:
        data = self.session.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _arm(self) -> None:
        deadline = self.session.next_deadline()
        if deadline is None:
            return
        due_at = max(deadline, self._grace_until)  # what is read in a time of grace neither ends it nor begins another
        if self._timer is not None and self._due_at <= due_at:
            return  # a timer that fires early finds nothing due, and is armed anew
        if self._timer is not None:
            self._timer.cancel()
        self._due_at = due_at
        self._timer = self._loop.call_at(due_at, self._due)

    def _due(self) -> None:
        now = self._loop.time()
        self._timer = None
        if now - self._due_at > _STALLED_SECONDS and self._due_at > self._grace_until:
            self._grace_until = now + _STALLED_SECONDS
            self._arm()
            return
        self.session.handle_timer(now)
        self.flush()

    def _end(self, event: Closed) -> None:
        self._send()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            if event.reason in _NO_LINGERING:
                self._transport.abort()
            else:
                self._transport.close()
                self._loop.call_later(_FLUSH_SECONDS, self._transport.abort)
        if not self.closed.done():
            self.closed.set_result(event)
