"""AMI for good: connected, watched, connected again, and never silently deaf.

At each connection the order is: logged in (events flow from then on), then a snapshot, so that nothing falls between. What
arrives before the snapshot is delivered after it: take it as a repetition where the snapshot knows better.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from ari_app.pbx.ami_messages import AmiEvent, ChannelRow, Headers, parse_event
from ari_app.pbx.ami_session import AmiSession
from ari_app.pbx.errors import AmiError, AmiLostError, AmiRefusedError, MalformedEventError


@dataclass(frozen=True, slots=True)
class AmiAddress:
    """Where AMI is, and as whom."""

    host: str
    port: int
    user: str
    secret: str


@dataclass(frozen=True, slots=True)
class AmiTiming:
    """All in seconds. A dead link is noticed within ``ping_every + answer_within``; delays double, and half of each is
    random. ``refused_delay``: after a wrong password, which only a person can mend, and which Asterisk may ban us for."""

    first_delay: float = 0.25
    longest_delay: float = 2.0
    refused_delay: float = 30.0
    ping_every: float = 4.0
    answer_within: float = 4.0

    def delay(self, failures: int, chance: float) -> float:
        """How long to wait after so many failures in a row; ``chance`` is in [0, 1)."""
        return min(self.longest_delay, self.first_delay * 2.0 ** min(failures, 20)) / 2 * (1 + chance)


@dataclass(frozen=True, slots=True)
class AmiConnected:
    """We hear events from now on. Compare ``rows``, all channels that there are, with what you believe, before anything
    else. restarted: it is another Asterisk than before, and every channel of then is gone."""

    version: str
    rows: tuple[ChannelRow, ...]
    restarted: bool


@dataclass(frozen=True, slots=True)
class AmiDisconnected:
    """We are blind. refused: by Asterisk, which a person has to mend. The next try is in ``retry_seconds``."""

    why: str
    retry_seconds: float
    refused: bool


@dataclass(frozen=True, slots=True)
class AmiEventRefused:
    """A message was not what AMI documents; ``why`` names the header."""

    why: str


LinkEvent = AmiEvent | AmiConnected | AmiDisconnected | AmiEventRefused


class AmiLink:
    """Delivers the events of one Asterisk, and what becomes of the connection."""

    def __init__(
        self,
        address: AmiAddress,
        deliver: Callable[[LinkEvent], None],
        *,
        chance: Callable[[], float],
        timing: AmiTiming = AmiTiming(),
    ) -> None:
        """``deliver`` must not wait and must not raise. ``chance`` gives numbers in [0, 1) for the jitter."""
        self._address = address
        self._deliver = deliver
        self._chance = chance
        self._timing = timing
        self._started: str | None = None
        self._failures = 0

    async def run(self) -> NoReturn:
        """Connects and stays connected until cancelled."""
        while True:
            refused = False
            try:
                why = await self._session()
            except AmiError as error:
                why = str(error)
                refused = isinstance(error, AmiRefusedError)
            delay = self._timing.refused_delay if refused else self._timing.delay(self._failures, self._chance())
            self._failures += 1
            self._deliver(AmiDisconnected(why, delay, refused))
            await asyncio.sleep(delay)  # noqa: TID251 - this is what waiting on time is for

    async def _session(self) -> str:
        """One connection from its opening to its end; returns why it ended. Raises AmiError."""
        held: list[LinkEvent] = []
        live = False

        def heard(headers: Headers) -> None:
            event = _parse(headers)
            if event is None:
                return
            if live:
                self._deliver(event)
            else:
                held.append(event)

        address = self._address
        session = AmiSession(
            address.host, address.port, address.user, address.secret, heard, within=self._timing.answer_within
        )
        async with session:
            connected = await self._look(session)
            live = True
            for event in (connected, *held):
                self._deliver(event)
            self._failures = 0
            return await self._watch(session)

    async def _look(self, session: AmiSession) -> AmiConnected:
        settings = await session.ask({"Action": "CoreSettings"})
        status = await session.ask({"Action": "CoreStatus"})
        started = f"{status.get('corestartupdate', '')} {status.get('corestartuptime', '')}".strip()
        rows = []
        for headers in await session.ask_list({"Action": "Status"}):
            row = _parse(headers)
            if isinstance(row, ChannelRow):
                rows.append(row)
        before, self._started = self._started, started
        return AmiConnected(
            version=settings.get("asteriskversion", ""),
            rows=tuple(rows),
            restarted=before is not None and before != started,
        )

    async def _watch(self, session: AmiSession) -> str:
        """Asks again and again whether Asterisk is there: a link that was cut without a word tells nothing by itself."""
        while True:
            try:
                async with asyncio.timeout(self._timing.ping_every):
                    await session.lost()
            except TimeoutError:
                try:
                    await session.ping()
                except AmiLostError as error:
                    return str(error)
            else:
                return "Asterisk closed the connection"


def _parse(headers: Headers) -> AmiEvent | AmiEventRefused | None:
    try:
        return parse_event(headers)
    except MalformedEventError as error:
        return AmiEventRefused(str(error))
