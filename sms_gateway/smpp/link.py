"""One bind that is kept up: connecting, binding, pausing, and giving up only where trying again cannot help.

Knows neither texts nor queues; tells its owner what the session reports.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from datetime import datetime

from sms_gateway.errors import BindRefused
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp import status
from sms_gateway.smpp.connection import Connection
from sms_gateway.smpp.events import Accepted, Arrived, Bound, Closed, CloseReason, Event, Oddity, Queried, Refusal
from sms_gateway.smpp.health import BindStatus, LinkState
from sms_gateway.smpp.options import LinkOptions, TlsOptions
from sms_gateway.smpp.pace import pause
from sms_gateway.smpp.session import Session, State, Timing

_log = logging.getLogger(__name__)
_TLS_SHUTDOWN_SECONDS = 1.0


class Link:
    """Keeps one bind.

    role: the bind PDU to send. on_event: told every event with its connection.
    wall: the present, aware UTC, for ``bound_since``. random: from 0 to 1, for the pauses.
    """

    def __init__(
        self,
        options: LinkOptions,
        role: type[wire.Bind],
        on_event: Callable[[Connection, Event], None],
        *,
        wall: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._options = options
        self._role = role
        self._name = f"{options.host}:{options.port}"
        self._on_event = on_event
        self._wall = wall
        self._random = random
        self._tls = _context(options.tls) if options.tls else None
        self._connection: Connection | None = None
        self._connecting: asyncio.Timeout | None = None
        self._state = LinkState.IDLE
        self._bound_since: datetime | None = None
        self._attempts = 0
        self._useful = False
        self._last_error: str | None = None
        self._refusal: BindRefused | None = None
        self._stopping = False
        self._wake = asyncio.Event()
        self.changed = asyncio.Event()
        """Set, and replaced by another, whenever the state changes."""

    @property
    def status(self) -> BindStatus:
        """How the bind is now."""
        state = self._state
        if state is LinkState.BOUND and self._connection and self._connection.session.state is not State.BOUND:
            state = LinkState.DRAINING
        role = self._role.__name__.removeprefix("Bind").lower()
        return BindStatus(role, state, self._bound_since, self._attempts, self._last_error)

    @property
    def refusal(self) -> BindRefused | None:
        """Why a person must act; None unless the state is REFUSED."""
        return self._refusal

    async def run(self) -> None:
        """Keep the bind up until ``stop``, or cancellation, which leaves what is unanswered in doubt."""
        try:
            while not self._stopping:
                self._useful = False
                await self._live()
                await self._rest()
        finally:
            if self._connection is not None:
                self._connection.abandon("the gateway was cancelled")
            self._become(LinkState.STOPPED)

    def stop(self) -> None:
        """Drain, unbind, and let ``run`` end."""
        self._stopping = True
        self._wake.set()
        if self._connecting is not None:
            self._connecting.reschedule(asyncio.get_running_loop().time())
        if self._connection is not None:
            self._connection.unbind()

    def rebind(self) -> None:
        """Try again now, for a person who has mended what was refused."""
        self._refusal = None
        self._attempts = 0
        self._wake.set()

    async def _live(self) -> None:
        """From connecting to the end of the connection."""
        self._become(LinkState.CONNECTING)
        options, loop = self._options, asyncio.get_running_loop()
        connection = Connection(self._session(), self._event)
        try:
            async with asyncio.timeout(options.connect_seconds) as self._connecting:
                _, self._connection = await loop.create_connection(
                    lambda: connection,
                    options.host,
                    options.port,
                    ssl=self._tls,
                    server_hostname=(options.tls.server_name or options.host) if options.tls else None,
                    ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS if options.tls else None,
                )
        except TimeoutError:
            if self._stopping:
                return
            self._failed(f"no connection to {self._name} within {options.connect_seconds:g} s")
            return
        except (OSError, UnicodeError) as error:  # the latter for a host that can be no name
            self._failed(f"no connection to {self._name}: {error}")
            return
        finally:
            self._connecting = None
            if self._connection is None and connection.session.state is not State.CONNECTED:
                connection.abandon("given up as it was made")
        closed = await connection.closed
        self._connection = None
        self._bound_since = None
        if closed.reason is CloseReason.BIND_REFUSED:
            mend = status.meaning(closed.status).mend
            self._failed(f"bind refused: {closed.detail} (0x{closed.status:02X}): {mend}")
            if closed.status in status.BIND_FATAL:
                self._refusal = BindRefused(closed.status, closed.detail, mend)
        elif closed.reason is not CloseReason.STOPPED:
            self._failed(closed.detail)

    async def _rest(self) -> None:
        """Until the next attempt is due, or a person asks for it, or we stop."""
        if self._stopping:
            return
        seconds: float | None = None
        if self._refusal is not None:
            self._become(LinkState.REFUSED)
        else:
            self._become(LinkState.WAITING)
            options = self._options
            seconds = pause(
                self._attempts - 1, options.reconnect_seconds, options.reconnect_cap_seconds, self._random()
            )
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _failed(self, reason: str) -> None:
        # A bind that served for something was a good one: pauses grow only while there is none.
        self._attempts = 1 if self._useful else self._attempts + 1
        self._last_error = reason
        _log.warning("link=%s %s", self._name, reason)

    def _become(self, state: LinkState) -> None:
        self._state = state
        self.changed.set()
        self.changed = asyncio.Event()

    def _event(self, connection: Connection, event: Event) -> None:
        match event:
            case Bound(system_id):
                self._bound_since = self._wall()
                self._become(LinkState.BOUND)
                _log.info(
                    "link=%s bound as %s to %r", self._name, self._role.__name__.removeprefix("Bind").lower(), system_id
                )
            case Oddity(detail):
                _log.warning("link=%s %s", self._name, detail)
            case Closed(reason, detail, _, in_doubt, not_sent):
                counts = f"in_doubt={len(in_doubt)} not_sent={len(not_sent)}"
                _log.info("link=%s closed: %s: %s %s", self._name, reason.value, detail, counts)
            case Accepted() | Refusal() | Queried() | Arrived():
                self._useful = True
            case _:
                pass
        self._on_event(connection, event)

    def _session(self) -> Session:
        options = self._options
        bind = self._role(
            system_id=options.system_id,
            password=options.password,
            system_type=options.system_type,
            address_range=options.address_range,
        )
        timing = Timing(
            response=options.response_seconds,
            enquire=options.enquire_seconds,
            stop=options.stop_seconds,
            window=options.window,
        )
        return Session(bind, timing)


def _context(options: TlsOptions) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.ca_file)
    if options.certificate_file is not None:
        context.load_cert_chain(options.certificate_file, options.key_file)
    return context
