"""Carries callbacks from the outbox to the phone. An order's act is the ringing; the conversation runs beside the calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from ari_app import numbering
from ari_app.calls.callback import CallbackSession, CallerOnLineError, FateUnknownError, Route
from ari_app.calls.supervisor import CallSupervisor
from ari_app.calls.voice import Voice
from ari_app.clock import Clock
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AriError
from ari_app.pbx.host import AsteriskVersion
from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.events import Event
from ari_app.recovery.values import E164
from ari_app.runtime.outcome import Done, InDoubt, Outcome, RetryAt
from ari_app.settings.calling import CallbackSection
from ari_app.settings.pbx import Trunk
from ari_app.store.outbox import Order

log = structlog.get_logger("callback")

AGAIN = timedelta(seconds=2)
"""How soon a callback is tried again whose person is on the line with us."""
LAST_WORDS_SECONDS = 2.0
"""How long a conversation that is broken off waits for the books."""
_WEBSOCKET_SINCE = {20: AsteriskVersion(20, 18), 22: AsteriskVersion(22, 8), 23: AsteriskVersion(23, 2)}
"""The first release of each branch whose media WebSocket can be relied on (JSON control, no calls ended by pings)."""


def has_media_websocket(version: str) -> bool:
    """Whether this Asterisk's chan_websocket serves; otherwise audio goes as RTP."""
    try:
        found = AsteriskVersion.parse(version)
    except ValueError:
        return False
    return found.major > 23 or (found.major in _WEBSOCKET_SINCE and found >= _WEBSOCKET_SINCE[found.major])


@dataclass(frozen=True, slots=True)
class CallbackOptions:
    """How callbacks leave. trunk: its name. media_url: ``ws://host:port`` of Asterisk's HTTP server. region: ISO 3166 country
    of national numbers.

    media_host: finds the address of ours that Asterisk is to send RTP to, as it is now; raises OSError.

    voice_loaded: whether the engines are there; they load beside everything else.
    """

    section: CallbackSection
    trunk_name: str
    trunk: Trunk
    media_url: str
    media_host: Callable[[], Awaitable[str]]
    region: str
    voice_loaded: Callable[[], bool] = lambda: True


class CallbackPlacer:
    """Implements the outbox's adapter for callbacks."""

    def __init__(
        self,
        ari: Ari,
        supervisor: CallSupervisor,
        voice: Voice,
        clock: Clock,
        options: CallbackOptions,
    ) -> None:
        self._ari = ari
        self._supervisor = supervisor
        self._voice = voice
        self._clock = clock
        self._options = options
        self._live: dict[E164, CallbackSession] = {}
        self._talking = 0
        supervisor.on_arrival = self._arrived

    def useful(self) -> int:
        """Callbacks that may ring now: who rings and who talks are counted together."""
        return self._options.section.at_once - self._talking

    async def act(self, order: Order) -> Outcome:
        """Ring the person, once. Done whether or not they answered: both are facts in the journal."""
        effect = order.effect
        assert isinstance(effect, PlaceCallback)
        if not self._supervisor.connected:
            return RetryAt(self._clock.now() + AGAIN, "Asterisk cannot be reached")
        if not self._options.voice_loaded():
            return RetryAt(self._clock.now() + AGAIN, "the speech engines are still loading")
        if effect.to in self._live or self._supervisor.on_line(effect.to):
            return RetryAt(self._clock.now() + AGAIN, "the person is on the line with us")
        try:
            media_host = await self._media_host()
        except OSError as error:
            # Now, before it rings: there would be no audio, and whoever picked up would hear nothing.
            why = f"no address of ours leads to Asterisk: {error.strerror or type(error).__name__}"
            return RetryAt(self._clock.now() + AGAIN, why)
        try:
            if await self._on_another_line(effect.to):
                return RetryAt(self._clock.now() + AGAIN, "the person is in a call with one of our phones")
        except AriError as error:
            return RetryAt(self._clock.now() + AGAIN, f"Asterisk does not tell who is on the line: {error}")
        if effect.to in self._live or self._supervisor.on_line(effect.to):  # since Asterisk was asked
            return RetryAt(self._clock.now() + AGAIN, "the person is on the line with us")
        facts: asyncio.Queue[Event | None] = asyncio.Queue()
        session = self._session(order, effect, media_host, facts.put_nowait)
        self._live[effect.to] = session
        answered = False
        try:
            answered = await session.ring()
        except CallerOnLineError:
            return RetryAt(self._clock.now() + AGAIN, "the person called us meanwhile")
        except FateUnknownError as error:
            return InDoubt(str(error))
        finally:
            if not answered:
                self._over(session)
        if answered:
            self._talking += 1
            self._supervisor.start(self._talk(session, facts))
        else:
            facts.put_nowait(None)
            self._supervisor.start(self._supervisor.write_down(facts))
        return Done(ref=session.leg)

    def _arrived(self, caller: E164) -> None:
        """Somebody calls us: if it is a person whose phone rings with our call, ours gives way."""
        session = self._live.get(caller)
        if session is not None and not session.answered:
            log.info("callback_gives_way")
            session.abort()

    def _over(self, session: CallbackSession) -> None:
        del self._live[session.order.to]
        self._supervisor.disown(session)

    async def _on_another_line(self, number: E164) -> bool:
        """Whether a channel is up or rings for the person that no session of ours holds: a call by the dialplan alone, or an
        agent who calls back by hand. Raises AriError."""
        for channel in await self._ari.channels.list():
            for known in (channel.caller.number, channel.connected.number, channel.place.extension):
                if known and numbering.canonical(known, self._options.region) == number:
                    return True
        return False

    async def _talk(self, session: CallbackSession, facts: asyncio.Queue[Event | None]) -> None:
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(self._supervisor.write_down(facts))
            try:
                await session.talk()
            except Exception:
                log.exception("callback_defect", outbox_id=session.effect_id)
            except asyncio.CancelledError:
                # Told to end in the middle of it: how it ended is still written down.
                facts.put_nowait(None)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_WORDS_SECONDS):
                        await asyncio.shield(writing)
                raise
            finally:
                facts.put_nowait(None)
                self._talking -= 1
                self._over(session)

    async def _media_host(self) -> str | None:
        """Where Asterisk is to send RTP; None: its audio goes over the WebSocket. Raises OSError."""
        if has_media_websocket(self._supervisor.version or ""):
            return None
        return await self._options.media_host()

    def _session(
        self, order: Order, effect: PlaceCallback, media_host: str | None, tell: Callable[[Event], None]
    ) -> CallbackSession:
        options = self._options
        number = options.trunk.international_prefix + effect.to.removeprefix("+")
        route = Route(
            endpoint=f"PJSIP/{number}@{options.trunk_name}",
            ring_seconds=round(options.section.ring),
            longest_seconds=options.section.longest,
            websocket_url=options.media_url if media_host is None else None,
            media_host=media_host or "",
        )
        session = CallbackSession(
            order.effect_id,
            effect,
            route,
            self._ari,
            self._voice,
            self._clock,
            tell,
            own=lambda channel_id: self._supervisor.own(channel_id, session),
        )
        return session
