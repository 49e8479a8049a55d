"""The shell of watching: feeds the board and each call's machine with what AMI tells, arms one timer, has facts written down.

It has no way to touch a channel: nothing here can ask Asterisk for anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

import structlog

from ari_app.calls.arrival import arrival
from ari_app.calls.callers import name_of
from ari_app.calls.events import DeadlinePassed
from ari_app.calls.state import CallSetup
from ari_app.calls.watch_board import Sighting, WatchBoard
from ari_app.calls.watch_events import WatchEvent
from ari_app.calls.watch_machine import step
from ari_app.calls.watch_state import WatchedCall, WatchRules, WatchStage
from ari_app.clock import Clock
from ari_app.numbering import canonical, redacted
from ari_app.pbx.ami_link import AmiConnected, AmiDisconnected, AmiEventRefused, LinkEvent
from ari_app.pbx.ami_messages import AmiChannel, ChannelEvent, ChannelRow, DialBegan, DialEnded
from ari_app.recovery.events import Event
from ari_app.recovery.values import E164, NumberKind
from ari_app.runtime.recorder import Recorder
from ari_app.settings.watching import WatchSection

log = structlog.get_logger("watch")

LINGER_SECONDS = 10.0
"""How long a call that is over is kept for what its mailbox has still to tell."""


@dataclass(slots=True)
class _Watched:
    """A call under way. leaves_at: when it is forgotten, in the loop's seconds."""

    call: WatchedCall
    caller: E164 | None
    leaves_at: float | None = None


class WatchSupervisor:
    """All inbound calls of a PBX that is not ours. ``deliver`` takes what the link hears; ``run`` writes down what came of it.

    arrived and left are told who comes on the line with us, and who goes.
    """

    def __init__(
        self,
        recorder: Recorder,
        clock: Clock,
        section: WatchSection,
        rules: WatchRules,
        *,
        arrived: Callable[[E164], None] = lambda _: None,
        left: Callable[[E164], None] = lambda _: None,
    ) -> None:
        self._recorder = recorder
        self._clock = clock
        self._section = section
        self._rules = rules
        self._arrived = arrived
        self._left = left
        self._board = WatchBoard(self._is_inbound, self._is_outside)
        self._calls: dict[str, _Watched] = {}
        self._facts: asyncio.Queue[tuple[str, Event]] = asyncio.Queue()
        self._unwritten: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self.connected = False
        self.refused: str | None = None
        self.version: str | None = None
        self.on_snapshot: Callable[[frozenset[str]], None] = lambda _: None
        """Is told which channels there are, by unique id, after each connection."""

    @property
    def calls(self) -> int:
        """Inbound calls whose caller is on the line."""
        return len(self.under_way)

    @property
    def under_way(self) -> tuple[WatchedCall, ...]:
        """The calls themselves, as they stand."""
        return tuple(watched.call for watched in self._calls.values() if watched.leaves_at is None)

    def holds(self, call_id: str) -> bool:
        """Whether this call is being watched, and will be judged by what is seen, or is still to be written down; true for a
        moment after its end."""
        return call_id in self._calls or call_id in self._unwritten

    async def run(self) -> NoReturn:
        """Writes facts into the journal, in their order, however long the store makes us wait. Until cancelled."""
        try:
            while True:
                call_id, fact = await self._facts.get()
                await self._recorder.insist(fact)
                self._unwritten[call_id] -= 1
                if not self._unwritten[call_id]:
                    del self._unwritten[call_id]
                self._facts.task_done()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    async def written(self) -> None:
        """Returns when every fact so far is in the journal."""
        await self._facts.join()

    # ------------------------------------------------------------------------------------------------------- what is heard
    def deliver(self, event: LinkEvent) -> None:
        """Take what comes from the link. Never waits."""
        match event:
            case AmiConnected(version=version, rows=rows, restarted=restarted):
                for row in rows:
                    self._learn(row.channel)
                self.connected, self.refused, self.version = True, None, version
                log.info("asterisk_connected", version=version, channels=len(rows), restarted=restarted)
                self._apply(self._board.resync(rows, restarted=restarted, adopt=self._is_call_under_way))
                self.on_snapshot(frozenset(row.channel.uniqueid for row in rows))
            case AmiDisconnected(why=why, retry_seconds=retry, refused=refused):
                if self.connected:
                    self._apply(self._board.blind())
                self.connected = False
                self.refused = why if refused else None
                log.warning("asterisk_lost", why=why, retry_seconds=round(retry, 1))
            case AmiEventRefused(why=why):
                log.warning("event_not_understood", why=why)
            case _:
                if isinstance(event, DialBegan | DialEnded):
                    if event.caller is not None:
                        self._learn(event.caller)
                elif isinstance(event, ChannelEvent):
                    self._learn(event.channel)
                self._apply(self._board.take(event))

    def _apply(self, sightings: list[Sighting]) -> None:
        now, at = asyncio.get_running_loop().time(), self._clock.now()
        for sighting in sightings:
            if sighting.arrival is not None:
                self._begin(sighting.call_id, sighting.arrival, sighting.dialled)
            if sighting.call_id in self._calls:
                self._step(sighting.call_id, sighting.event(now, at))
        self._arm()

    def _step(self, call_id: str, event: WatchEvent) -> None:
        watched = self._calls[call_id]
        result = step(watched.call, event)
        watched.call = result.call
        for fact in result.facts:
            self._unwritten[call_id] += 1
            self._facts.put_nowait((call_id, fact))
        if result.call.stage is WatchStage.ENDED and watched.leaves_at is None:
            watched.leaves_at = event.now + LINGER_SECONDS
            verdict = result.call.verdict
            log.info("call_over", call_id=call_id, verdict=None if verdict is None else verdict.value)
            if watched.caller is not None:
                self._left(watched.caller)

    # --------------------------------------------------------------------------------------------------------------- time
    def _arm(self) -> None:
        """One timer, to the nearest deadline of all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [end for watched in self._calls.values() for end in (watched.call.deadline, watched.leaves_at) if end]
        if due:
            self._timer = asyncio.get_running_loop().call_at(min(due), self._time_passed)

    def _time_passed(self) -> None:
        now, at = asyncio.get_running_loop().time(), self._clock.now()
        for call_id, watched in list(self._calls.items()):
            if watched.leaves_at is not None and watched.leaves_at <= now:
                del self._calls[call_id]
                self._board.forget(call_id)
            elif watched.call.deadline is not None and watched.call.deadline <= now:
                self._step(call_id, DeadlinePassed(now=now, at=at))
        self._arm()

    # ------------------------------------------------------------------------------------------------------------ arrivals
    def _begin(self, call_id: str, channel: AmiChannel, dialled: str) -> None:
        setup = self._setup(channel, dialled)
        log.info("call_arrived", call_id=call_id, dialled=setup.dialled, caller=redacted(setup.caller))
        if setup.entry is None:
            log.warning("number_not_in_settings", dialled=setup.dialled, caller=redacted(setup.caller))
        self._calls[call_id] = _Watched(WatchedCall(setup=setup, rules=self._rules), setup.caller)
        if setup.caller is not None:
            self._arrived(setup.caller)
        self._learn(channel)

    def _setup(self, channel: AmiChannel, dialled: str) -> CallSetup:
        return arrival(
            self._recorder.policy,
            channel.uniqueid,
            number="" if channel.withheld else channel.caller_number,
            dialled=dialled,
            at=self._clock.now(),
            name=None if channel.withheld else name_of(channel.caller_name, channel.caller_number),
        )

    def _is_inbound(self, channel: AmiChannel) -> bool:
        """A channel that comes in from a carrier: it stands in an inbound context before anything else."""
        incoming = channel.state == "Ring" and channel.uniqueid == channel.linkedid and not channel.is_local
        return incoming and self._section.is_inbound(channel.context)

    def _is_call_under_way(self, row: ChannelRow) -> bool:
        """The same of a channel that was found: its context is another one by now, the number that it came with is not."""
        channel = row.channel
        if channel.is_local or channel.state not in ("Ring", "Up"):
            return False
        policy = self._recorder.policy
        came_with = filter(None, (row.dialled, channel.did))
        return any(policy.entry_for(canonical(number, policy.region)) is not None for number in came_with)

    def _is_outside(self, endpoint: str) -> bool:
        return not self._section.is_desk_phone(endpoint)

    def _learn(self, channel: AmiChannel) -> None:
        """What shows only when the call is under way, as long as nothing is decided: that the caller withholds the number,
        which a channel says a moment after its birth; and what was dialled, where only the dialplan finds it."""
        watched = self._calls.get(channel.uniqueid)
        if watched is None or watched.call.verdict is not None:
            return
        setup = watched.call.setup
        if channel.withheld and watched.caller is not None:
            self._left(watched.caller)
            watched.caller = None
        if channel.withheld:
            setup = replace(setup, caller=None, kind=NumberKind.WITHHELD, caller_name=None)
        for number in (channel.did, "" if setup.entry is not None else channel.exten):
            found = self._setup(channel, number) if number else setup
            if found.entry is not None and found.dialled != setup.dialled:
                setup = replace(setup, entry=found.entry, dialled=found.dialled, is_open=found.is_open)
        watched.call = replace(watched.call, setup=setup)
