"""ARI's event socket, for good: connected, watched, connected again, and never silently deaf.

The reader only parses and delivers; nothing that it calls may wait. At each connection the order is: socket open, then
subscriptions, then a snapshot, so that nothing falls between. What arrives before the snapshot is delivered after it:
events carry the whole channel as it was, so take them as repetitions where the snapshot knows better.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import aiohttp

from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AriError, MalformedEventError, NotFoundError, TakenOverError
from ari_app.pbx.messages import ApplicationReplaced, AriEvent, UserEvent, parse_event
from ari_app.pbx.models import Application, AsteriskInfo, Bridge, Channel, Endpoint

NOISE = (
    "ChannelVarset",
    "ChannelDialplan",
    "ChannelCallerId",
    "ChannelConnectedLine",
    "ChannelCreated",
    "BridgeCreated",
    "BridgeMerged",
    "BridgeVideoSourceChanged",
    "DeviceStateChanged",
    "RecordingStarted",
    "PlaybackContinuing",
)
"""Events that nobody here uses, and that Asterisk is asked not to send."""

ENDPOINT_EVENTS = ("TextMessageReceived", "ContactStatusChange", "PeerStatusChange", "ChannelUserevent")
"""What is wanted of endpoints. It comes through an application of its own on the same socket: an endpoint's events hold
those of its channels, and would bring each key press twice."""


_PROBE = "RingbackProbe"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand, read after the subscriptions were in force.

    asked_at: in the loop's time, before the first question. What came into being later need not be in it.
    """

    info: AsteriskInfo
    application: Application
    channels: tuple[Channel, ...]
    bridges: tuple[Bridge, ...]
    endpoints: tuple[Endpoint, ...]
    asked_at: float


@dataclass(frozen=True, slots=True)
class Connected:
    """We hear events from now on. Compare ``snapshot`` with what you believe, before anything else."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Disconnected:
    """We are deaf: calls go to the dialplan's fall-back. The next try is in ``retry_seconds``."""

    why: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Another client has connected as our application. It is not fought: we are deaf until it has gone, or has had it for
    a while."""

    application: str


@dataclass(frozen=True, slots=True)
class AsteriskRestarted:
    """It is not the Asterisk of before: every channel and bridge of then is gone. Comes before its Connected."""

    before: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class EventRefused:
    """A message was not what the API documents promise; ``why`` names the field, and holds nothing of the call."""

    why: str


SocketEvent = AriEvent | Connected | Disconnected | TakenOver | AsteriskRestarted | EventRefused


@dataclass(frozen=True, slots=True)
class SocketTiming:
    """All in seconds. A dead link is noticed within ``check_every + answer_within``.

    ``first_delay`` must not be shorter than 0.5: Asterisk clears up after a dropped socket, and one that comes at once
    can lose its application to that. Delays double up to ``longest_delay``; half of each is random.
    A client that took our application has it for ``rival_keeps``; each time that it takes it again before we have had it
    for ``ours_after``, for twice as long: two that both live must not hang up each other's calls every minute.
    """

    first_delay: float = 0.5
    longest_delay: float = 30.0
    first_check: float = 1.0
    check_every: float = 4.0
    answer_within: float = 4.0
    close_within: float = 0.5
    rival_keeps: float = 45.0
    ours_after: float = 600.0

    def rival_time(self, taken: int) -> float:
        """How long a client keeps our application that took it so often before, half an hour at most."""
        return min(1800.0, self.rival_keeps * 2.0 ** min(taken, 20))

    def delay(self, failures: int, chance: float) -> float:
        """How long to wait after so many failures in a row; ``chance`` is in [0, 1)."""
        longest = min(self.longest_delay, 2 * self.first_delay * 2.0 ** min(failures, 20))
        return max(self.first_delay, longest / 2 * (1 + chance))


class _LostError(Exception):
    """The socket is of no use any more."""


class EventSocket:
    """Delivers the events of ``ari``'s application, and what becomes of the connection, to ``deliver``."""

    def __init__(
        self,
        ari: Ari,
        deliver: Callable[[SocketEvent], None],
        *,
        chance: Callable[[], float],
        timing: SocketTiming = SocketTiming(),
    ) -> None:
        """``deliver`` must not wait and must not raise: put the event into the queue of its call and return.

        ``chance`` gives numbers in [0, 1) for the jitter (``random.Random(...).random``).
        """
        self._ari = ari
        self._deliver = deliver
        self._chance = chance
        self._timing = timing
        self._applications = (ari.application, f"{ari.application}-endpoints")
        self._started: datetime | None = None
        self._failures = 0
        self._taken = 0
        self._probed: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> NoReturn:
        """Connects and stays connected until cancelled, unless another client has the application."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                why = await self._session()
            except TakenOverError as error:
                self._deliver(TakenOver(error.application))
                if loop.time() - began >= self._timing.ours_after:
                    self._taken = 0
                await self._until_free(self._timing.rival_time(self._taken))
                self._taken += 1
                continue
            delay = self._timing.delay(self._failures, self._chance())
            self._failures += 1
            self._deliver(Disconnected(why, delay))
            await asyncio.sleep(delay)  # noqa: TID251 - this is what waiting on time is for

    async def _until_free(self, longest: float) -> None:
        """Wait until the other client has left: to take the application back at once would begin a fight without an end.

        An application that has calls stays registered when its client has left, and nothing tells it from one whose client
        is there: after ``longest`` seconds it is ours again. A client that lives takes it back, and we are told.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                while await self._is_registered():  # noqa: ASYNC110 - nothing tells when it is free
                    await asyncio.sleep(self._timing.check_every)  # noqa: TID251 - Asterisk is asked, it does not tell

    async def _is_registered(self) -> bool:
        """Whether Asterisk knows our application, with a client or without; True where it cannot be asked."""
        try:
            await self._ari.applications.get(self._ari.application)
        except NotFoundError:
            return False
        except AriError:
            return True
        return True

    async def _session(self) -> str:
        """One connection from its opening to its end; returns why it ended. Raises TakenOverError."""
        try:
            socket = await self._ari.http.open_events(*self._applications, close_within=self._timing.close_within)
        except AriError as error:
            return str(error)
        self._probed = asyncio.Queue()  # without what the connection before may still have told
        why = "closed"
        held: list[SocketEvent] = []
        try:
            async with socket, asyncio.TaskGroup() as group:
                live = asyncio.Event()
                group.create_task(self._read(socket, held, live))
                for event in (*await self._resync(), *held):
                    self._deliver(event)
                live.set()
                self._failures = 0
                await self._watch()
        except* TakenOverError:
            raise TakenOverError(self._ari.application) from None
        except* (_LostError, AriError, OSError, aiohttp.ClientError) as errors:
            why = _first_words(errors)
        return why

    async def _read(
        self, socket: aiohttp.ClientWebSocketResponse, held: list[SocketEvent], live: asyncio.Event
    ) -> NoReturn:
        """Delivers what comes, or holds it while we are not ``live`` yet."""
        while True:
            message = await socket.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    event = _parse(message.data)
                    if isinstance(event, ApplicationReplaced):
                        self._deliver(event)
                        raise TakenOverError(event.application)
                    if isinstance(event, UserEvent) and event.name == _PROBE:
                        self._probed.put_nowait(event.application)
                    elif live.is_set():
                        self._deliver(event)
                    else:
                        held.append(event)
                case aiohttp.WSMsgType.PING:
                    await socket.pong(message.data)
                case aiohttp.WSMsgType.ERROR:
                    raise _LostError(f"the event socket broke: {socket.exception()}")
                case aiohttp.WSMsgType.CLOSE | aiohttp.WSMsgType.CLOSING | aiohttp.WSMsgType.CLOSED:
                    raise _LostError(f"the event socket was closed (code {socket.close_code})")
                case _:
                    raise _LostError(f"a {message.type.name} message came through the event socket")

    async def _resync(self) -> list[SocketEvent]:
        """Subscribes first, looks second."""
        ari = self._ari
        calls, endpoints = self._applications
        try:
            await ari.applications.filter(calls, refuse=NOISE)
            await ari.applications.filter(endpoints, allow=ENDPOINT_EVENTS)
            await ari.applications.subscribe(endpoints, "endpoint:PJSIP")
            asked_at = asyncio.get_running_loop().time()
            info = await ari.server.info()
            snapshot = Snapshot(
                info=info,
                application=await ari.applications.get(calls),
                channels=await ari.channels.list(),
                bridges=await ari.bridges.list(),
                endpoints=await ari.endpoints.list(),
                asked_at=asked_at,
            )
        except NotFoundError as error:
            raise _LostError(f"not registered after connecting: {error}") from error
        before, self._started = self._started, info.started
        if before is None or before == info.started:
            return [Connected(snapshot)]
        return [AsteriskRestarted(before, info.started), Connected(snapshot)]

    async def _watch(self) -> NoReturn:
        """Has Asterisk say something to each application, again and again, and hears whether it arrives.

        That finds a link that was cut without a word, an application that Asterisk has forgotten although the socket is
        open, and one that it remembers without a socket; a ping of the socket would find only the first.
        """
        delay = self._timing.first_check
        while True:
            await asyncio.sleep(delay)  # noqa: TID251 - a heartbeat is a wait on time
            for application in self._applications:
                await self._probe(application)
            delay = self._timing.check_every

    async def _probe(self, application: str) -> None:
        try:
            async with asyncio.timeout(self._timing.answer_within):
                await self._ari.applications.probe(application, _PROBE)
                while await self._probed.get() != application:
                    continue
        except TimeoutError as error:
            raise _LostError(f"Asterisk was not heard within {self._timing.answer_within:g} s") from error
        except NotFoundError as error:
            raise _LostError("Asterisk has forgotten our application, and left its socket open") from error


def _parse(text: str) -> SocketEvent:
    try:
        return parse_event(text)
    except MalformedEventError as error:
        return EventRefused(str(error))


def _first_words(errors: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
