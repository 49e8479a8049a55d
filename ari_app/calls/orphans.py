"""Channels that nobody holds: legs of a Ringback that is gone, which ring a phone on behalf of nobody for two minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import NoReturn

import structlog

from ari_app.calls.resumed import is_ours
from ari_app.clock import Clock
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AriError
from ari_app.pbx.models import Channel

log = structlog.get_logger("calls")

STRAY_SECONDS = 5.0
"""By then Asterisk has done what it was asked before we came, as a rule."""
GONE_SECONDS, GONE_LOOKS = 1.0, 20
"""How long, and how often, it is looked whether legs that were hung up are gone."""
SWEEP_SECONDS = 10.0
"""How often legs are looked for that nobody holds."""


class Orphans:
    """Finds them, again and again, and hangs them up. held: whether somebody of ours holds that channel."""

    def __init__(self, ari: Ari, clock: Clock, held: Callable[[str], bool]) -> None:
        self._ari = ari
        self._clock = clock
        self._held = held
        self._soon = asyncio.Event()

    def look_soon(self) -> None:
        """We have just come: what was asked for before may still come into being."""
        self._soon.set()

    async def without_those_of_others(self, channels: Iterable[Channel]) -> list[Channel]:
        """Not what another application holds, of a second Ringback on the same PBX: it names its channels as we do."""
        candidates = list(channels)
        if not candidates:
            return []
        try:
            registered = await self._ari.applications.list()
        except AriError as error:
            log.info("other_applications_not_known", error=str(error))
            return candidates
        theirs = {one for other in registered if other.name != self._ari.application for one in other.channels}
        return [channel for channel in candidates if channel.id not in theirs]

    async def hang_up(self, channel: Channel) -> None:
        """Nobody is behind it: whoever picked up would hear nothing, for as long as they like."""
        log.warning("orphan_hung_up", channel=channel.name)
        try:
            await self._ari.channels.hangup(channel.id)
        except AriError as error:
            log.info("orphan_gone", error=str(error))

    async def gone(self, legs: Collection[str]) -> None:
        """Until these are taken down, for a second at most: their phones are called off as they go."""
        left = set(legs)
        for _ in range(GONE_LOOKS):
            if not left:
                return
            try:
                left.intersection_update([channel.id for channel in await self._ari.channels.list()])
            except AriError as error:
                log.info("legs_not_looked_for", error=str(error))
                return
            if left:
                await self._clock.pause(GONE_SECONDS / GONE_LOOKS)

    async def sweep(
        self, connected: Callable[[], bool], take_over: Callable[[Sequence[Channel]], Awaitable[None]]
    ) -> NoReturn:
        """A leg that was asked for as its Ringback died can come into being after the snapshot, and no event tells us of it;
        nor of one that could not be called off. Later than at first, one is ours to hold, or just ending, when it is seen:
        only what is seen twice is a stray."""
        before: frozenset[str] = frozenset()
        while True:
            soon = await self._is_to_look_soon()
            if not connected():
                continue
            try:
                channels = await self._ari.channels.list()
            except AriError as error:
                log.info("strays_not_looked_for", error=str(error))
                continue
            strays = [one for one in channels if is_ours(one.id) and not self._held(one.id)]
            await take_over([one for one in strays if soon or one.id in before])
            before = frozenset(one.id for one in strays)

    async def _is_to_look_soon(self) -> bool:
        """Wait until strays are to be looked for; whether that is because we have just come."""
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._soon.wait()
        except TimeoutError:
            return False
        self._soon.clear()
        await self._clock.pause(STRAY_SECONDS)
        return True
