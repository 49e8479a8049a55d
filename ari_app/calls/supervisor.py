"""All calls under way: takes Asterisk's events, starts a session for each arrival, and knows who is on the line with us."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

import structlog

from ari_app.calls.arrival import arrival
from ari_app.calls.callers import name_of
from ari_app.calls.falling_through import fall_through
from ari_app.calls.orphans import Orphans
from ari_app.calls.promises import NOTHING, Promises, promises
from ari_app.calls.prompts import Prompts
from ari_app.calls.resumed import FoundTalk, ResumedTalk, call_over, callback_over, found_talks, is_ours
from ari_app.calls.session import CallSession
from ari_app.calls.state import CallSetup
from ari_app.clock import Clock
from ari_app.errors import StoreUnavailableError
from ari_app.numbering import redacted
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AriError
from ari_app.pbx.event_socket import (
    AsteriskRestarted,
    Connected,
    Disconnected,
    EventRefused,
    Snapshot,
    SocketEvent,
    TakenOver,
)
from ari_app.pbx.messages import (
    AriEvent,
    ChannelEvent,
    Dial,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFailed,
    RecordingFinished,
    StasisStart,
)
from ari_app.pbx.models import Channel
from ari_app.recovery.events import Event
from ari_app.recovery.policy import NumberEntry, Policy, Strategy
from ari_app.recovery.rotation import rotated
from ari_app.recovery.values import E164
from ari_app.runtime.recorder import Recorder
from ari_app.settings.calling import PromptSection
from ari_app.store.stores import Store

log = structlog.get_logger("calls")

INBOUND = "inbound"
"""The first argument that the dialplan gives to Stasis; the second is the number dialled."""


class Session(Protocol):
    """Something that owns channels: an inbound call, a callback."""

    @property
    def live(self) -> bool: ...

    def deliver(self, event: AriEvent) -> None: ...

    def compare(self, snapshot: Snapshot) -> None: ...


class Arriving:
    """A call whose caller is still being looked up: keeps what happens meanwhile, so that a hang-up is not missed."""

    live = True

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._news: list[AriEvent | Snapshot] = []

    def deliver(self, event: AriEvent) -> None:
        self._news.append(event)

    def compare(self, snapshot: Snapshot) -> None:
        self._news.append(snapshot)

    def hand_over(self, session: Session) -> None:
        """``session`` hears of it all."""
        for one in self._news:
            if isinstance(one, Snapshot):
                session.compare(one)
            else:
                session.deliver(one)


class CallSupervisor:
    """Routes events to sessions. ``run`` holds every task that a call needs."""

    def __init__(
        self,
        ari: Ari,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        prompts: Prompts,
        options: PromptSection,
        *,
        life: str,
    ) -> None:
        """life: a word that no other process has used; see ``CallSetup``."""
        self._ari = ari
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._prompts = prompts
        self._options = options
        self._life = life
        self._arrivals = itertools.count()
        self._owners: dict[str, Session] = {}
        self._unwritten: set[str] = set()
        self._callers: dict[E164, int] = {}
        self._turns: dict[str, int] = {}
        self._starting: asyncio.Queue[Coroutine[Any, Any, None]] = asyncio.Queue()
        self._under_way: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self._orphans = Orphans(ari, clock, self._owners.__contains__)
        self.connected = False
        self.version: str | None = None
        self.trouble: str | None = None
        """What a person has to mend before calls can reach us."""
        self.on_other: Callable[[SocketEvent], None] = lambda _: None
        """Told of events that are of no call."""
        self.on_snapshot: Callable[[frozenset[str]], None] = lambda _: None
        """Told all channels that Asterisk has, after each connection."""
        self.on_arrival: Callable[[E164], None] = lambda _: None
        """Told who calls us."""

    # ------------------------------------------------------------------------------------------------------------ asked
    def on_line(self, number: E164) -> bool:
        """Whether the person is on an inbound call with us now."""
        return number in self._callers

    @property
    def calls(self) -> int:
        """Inbound calls under way."""
        return sum(self._callers.values())

    def enter(self, caller: E164) -> None:
        """A call of this person has come in, by whatever way."""
        self._callers[caller] = self._callers.get(caller, 0) + 1
        self.on_arrival(caller)

    def leave(self, caller: E164) -> None:
        """A call that was told to ``enter`` is over."""
        count = self._callers.pop(caller) - 1
        if count:
            self._callers[caller] = count

    def holds(self, call_id: str) -> bool:
        """Whether a session judges that call, or is still to write its verdict down."""
        return call_id in self._owners or call_id in self._unwritten

    def own(self, channel_id: str, session: Session) -> None:
        """From now on the events of this channel go to ``session``."""
        self._owners[channel_id] = session

    def disown(self, session: Session) -> None:
        """Its events go nowhere any more."""
        for channel_id in [known for known, owner in self._owners.items() if owner is session]:
            del self._owners[channel_id]

    # ------------------------------------------------------------------------------------------------------------ events
    async def run(self) -> None:
        """Until cancelled; calls that are under way end with it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._orphans.sweep(lambda: self.connected, self._take_over))
            while True:
                task = group.create_task(await self._starting.get())
                self._under_way.add(task)
                task.add_done_callback(self._ended)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` beside the calls."""
        self._idle.clear()
        self._starting.put_nowait(work)

    def drain(self) -> None:
        """Leave what arrives from now on to the dialplan: calls would come for ever, and each would be cut off in its ringing."""
        self._draining = True

    async def idle(self) -> None:
        """Return when no call and no callback is under way."""
        await self._idle.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not self._under_way and self._starting.empty():
            self._idle.set()

    def deliver(self, event: SocketEvent) -> None:
        """Take what comes from the event socket. Never waits."""
        match event:
            case StasisStart(args=(first, *rest), channel=channel) if first == INBOUND:
                self._arrived(channel, rest[0] if rest else "")
            case StasisStart(channel=channel) if is_ours(channel.id) and channel.id not in self._owners:
                self.start(self._orphans.hang_up(channel))  # a phone that was called off in vain
            case ChannelEvent(channel=channel):
                self._route(channel.id, event)
            case Dial(peer=peer):
                self._route(peer.id, event)
            case PlaybackStarted(playback=playback) | PlaybackFinished(playback=playback):
                self._route(playback.target.removeprefix("channel:"), event)
            case RecordingFinished(recording=recording) | RecordingFailed(recording=recording):
                self._route(recording.target.removeprefix("channel:"), event)
            case Connected(snapshot=snapshot):
                self._connected(snapshot)
            case Disconnected(why=why, retry_seconds=retry):
                self.connected = False
                log.warning("asterisk_lost", why=why, retry_seconds=round(retry, 1))
            case TakenOver(application=application):
                self.connected = False
                self.trouble = (
                    f"another client has taken the Stasis application {application}: is Ringback running twice?"
                )
                log.error("stasis_application_taken", application=application, mend="stop the other client")
            case AsteriskRestarted():
                log.warning("asterisk_restarted")
            case EventRefused(why=why):
                log.warning("event_not_understood", why=why)
            case _:
                self.on_other(event)

    def _route(self, channel_id: str, event: AriEvent) -> None:
        owner = self._owners.get(channel_id)
        if owner is not None:
            owner.deliver(event)

    def _connected(self, snapshot: Snapshot) -> None:
        """Bring our belief in line with what Asterisk has: answered or ended unheard, or arrived while we were away."""
        self.connected, self.trouble = True, None
        self.version = snapshot.info.version
        log.info("asterisk_connected", version=snapshot.info.version, channels=len(snapshot.channels))
        there = frozenset(channel.id for channel in snapshot.channels)
        for session in {id(owner): owner for owner in self._owners.values()}.values():
            session.compare(snapshot)
        self.on_snapshot(there)
        known = set(snapshot.application.channels)
        ours = [channel for channel in snapshot.channels if channel.id in known or is_ours(channel.id)]
        found = [channel for channel in ours if channel.id not in self._owners]
        talks = found_talks(found, snapshot.bridges)
        for talk in talks:
            session = ResumedTalk(talk, self._ari)
            for channel_id in talk.channels:
                self.own(channel_id, session)
            self.start(self._until_written(talk.owner.id, self._resume(talk, session)))
        self.start(self._take_over([channel for channel in found if channel.id not in self._owners]))
        self._orphans.look_soon()

    async def _take_over(self, channels: Sequence[Channel]) -> None:
        """Calls of a Ringback that is gone. Its legs first: a phone with one line is busy while the old leg rings it."""
        left = await self._orphans.without_those_of_others(channels)
        arrivals = [one for one in left if one.place.context == INBOUND and not is_ours(one.id)]
        legs = [one for one in left if one not in arrivals]
        for channel in legs:
            await self._orphans.hang_up(channel)
        for channel in arrivals:
            self._arrived(channel, channel.place.extension, after=[leg.id for leg in legs])

    async def _resume(self, talk: FoundTalk, session: ResumedTalk) -> None:
        """See a conversation to its end, and tell the journal. Its transcript, if there was one, died with the process."""
        setup = None if talk.effect_id else await self._setup(talk.owner, talk.owner.place.extension)
        caller = None if setup is None else setup.caller
        if caller is not None:
            self.enter(caller)
        try:
            await session.run()
        finally:
            self.disown(session)
            if caller is not None:
                self.leave(caller)
        at = self._clock.now()
        await self._recorder.insist(callback_over(talk, at) if setup is None else call_over(talk, setup, at))

    # ------------------------------------------------------------------------------------------------------------ arrival
    def _arrived(self, channel: Channel, dialled: str, after: Collection[str] = ()) -> None:
        """after: channels that have to be gone before phones are rung."""
        if channel.id in self._owners:
            return
        if self._draining:
            self.start(self._decline(channel, dialled))
            return
        waiting = Arriving(channel.id)
        self.own(channel.id, waiting)
        self.start(self._until_written(channel.id, self._call(channel, dialled, waiting, after)))

    async def _until_written(self, call_id: str, work: Coroutine[Any, Any, None]) -> None:
        """A call that is over may wait for the store: what the event log says of it must not overtake what its caller said."""
        self._unwritten.add(call_id)
        try:
            await work
        finally:
            self._unwritten.discard(call_id)

    async def _decline(self, channel: Channel, dialled: str) -> None:
        """Its verdict is read from Asterisk's event log at the next start."""
        log.info("call_left_to_the_dialplan", call_id=channel.id, caller=redacted(channel.caller.number))
        try:
            await fall_through(self._ari, channel.id, dialled)
        except AriError as error:
            log.info("caller_gone", error=str(error))

    async def _call(self, channel: Channel, dialled: str, waiting: Arriving, after: Collection[str]) -> None:
        facts: asyncio.Queue[Event | None] = asyncio.Queue()
        await self._orphans.gone(after)
        setup = await self._setup(channel, dialled)
        session = CallSession(
            setup,
            self._ari,
            self._clock,
            self._prompts,
            tell=facts.put_nowait,
            own=lambda channel_id: self.own(channel_id, session),
        )
        waiting.hand_over(session)
        caller = setup.caller
        if caller is not None:
            self.enter(caller)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.write_down(facts))
            try:
                await session.run()
            except Exception:
                log.exception("call_defect", call_id=setup.call_id)
            finally:
                facts.put_nowait(None)
                self.disown(session)
                if caller is not None:
                    self.leave(caller)

    async def write_down(self, facts: asyncio.Queue[Event | None]) -> None:
        """Facts of one call into the journal, in their order, however long the store makes us wait. None ends it."""
        while (event := await facts.get()) is not None:
            await self._recorder.insist(event)

    async def _setup(self, channel: Channel, dialled: str) -> CallSetup:
        policy = self._recorder.policy
        name = name_of(channel.caller.name, channel.caller.number)
        at = self._clock.now()
        common = arrival(policy, channel.id, number=channel.caller.number, dialled=dialled, at=at, name=name)
        if common.entry is None:
            log.warning("number_not_in_settings", dialled=common.dialled, caller=redacted(common.caller))
            return common
        promised = await self._promises(common, policy, at)
        return replace(
            common,
            keys_after_seconds=self._options.keys_after,
            message_seconds=self._options.voicemail_longest,
            contactable=promised.notice(policy, own_words=self._options.notice is not None),
            may_call=promised.call,
            life=f"{self._life}_{next(self._arrivals)}",  # the same call may arrive twice
            **self._phones(common.entry, policy),
        )

    def _phones(self, entry: NumberEntry, policy: Policy) -> dict[str, Any]:
        group = policy.groups[entry.group]
        phones = group.phones
        if group.strategy is Strategy.ROUND_ROBIN:
            turn = self._turns.get(group.key, -1) + 1
            self._turns[group.key] = turn
            phones = tuple(rotated(phones, turn))
        overflow = () if entry.overflow is None else policy.groups[entry.overflow].phones
        strategy = Strategy.ALL if len(phones) == 1 else group.strategy
        return {"strategy": strategy, "phones": phones, "each_seconds": group.each_seconds, "overflow": overflow}

    async def _promises(self, setup: CallSetup, policy: Policy, at: datetime) -> Promises:
        try:
            return await self._store.read(lambda db: promises(db, policy, setup, at))
        except StoreUnavailableError:
            return NOTHING
