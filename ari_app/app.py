"""The composition root: builds every object once, runs them in one TaskGroup, and takes them down in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import secrets
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NoReturn

import structlog

from ari_app.adapters import callback_placer, lanes, open_crms
from ari_app.calls.catch_up import CatchUp
from ari_app.calls.effects import Prompt
from ari_app.calls.supervisor import CallSupervisor
from ari_app.calls.watch_setup import Watch, hindsight, open_watch
from ari_app.clock import Clock, SystemClock
from ari_app.dashboard.control import Control
from ari_app.dashboard.health import Component, Health
from ari_app.dashboard.metrics import Metrics
from ari_app.dashboard.server import WebEdge
from ari_app.data_folder import backup_plan, database_path, exclusive, socket_path, speech_folder
from ari_app.errors import StoreUnavailableError
from ari_app.notify.doubts import Doubts
from ari_app.notify.gateways import build_gateways, fixed_senders
from ari_app.notify.texts import TextInbox, withdrawing
from ari_app.pbx.ari import Ari
from ari_app.pbx.event_socket import EventSocket, SocketEvent, SocketTiming
from ari_app.pbx.messages import TextMessageReceived
from ari_app.pbx.messenger import AriMessenger
from ari_app.pbx_setup import event_log, pbx_folders
from ari_app.reloading import reload
from ari_app.runtime.dispatcher import Dispatcher
from ari_app.runtime.nightly import NightlyBackup
from ari_app.runtime.recorded import Listener, Record, Recorded
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.runtime.soundness import Soundness
from ari_app.runtime.timer_loop import TimerLoop
from ari_app.service import ServiceManager
from ari_app.settings.loading import Settings
from ari_app.sip_texts import SipInbox
from ari_app.speech import VoiceSoon, engine_options, prompt_texts, render_prompts
from ari_app.store import bookmarks, outbox, pace, receipts
from ari_app.store.backup import open_books
from ari_app.store.db import Database
from ari_app.store.stores import Store, ThreadedStore
from sms_gateway.gateway import Gateway
from voice_agent.engines import open_tts
from voice_agent.errors import EngineError

log = structlog.get_logger("app")

DRAIN_SECONDS = 15.0
"""How long a stop waits for orders and calls that are under way."""
HOUSEKEEPING_SECONDS = 15.0
LOOK_SECONDS = 5.0
"""How long what is queued waits at the start for what the PBX's ledger tells of the time before."""
LOW_DISK_OCTETS = 200_000_000


class Application:
    """A running Ringback. ``listeners`` hear of everything that is recorded."""

    def __init__(self, settings: Settings, listeners: Sequence[Listener] = (), clock: Clock | None = None) -> None:
        self._settings = settings
        self._listeners = listeners
        self._clock = clock or SystemClock()
        self._stop = asyncio.Event()
        self._depths: Mapping[tuple[str, str], int] = {}
        self._watch: Watch | None = None
        self._backups: NightlyBackup | None = None
        self._soundness: Soundness | None = None
        self._catch_up: CatchUp | None = None
        self._mute: str | None = None
        self.ready = asyncio.Event()

    def stop(self) -> None:
        """Drain and end; ``run`` returns. A second call changes nothing."""
        self._stop.set()

    async def run(self) -> None:
        """Until ``stop``. Raises RingbackError, PbxError, SecretUnavailableError, EngineError or OSError at the start."""
        settings, clock = self._settings, self._clock
        with exclusive(settings.data_folder):
            path, plan = database_path(settings), backup_plan(settings)
            open_books(path, plan.folder, clock.now())
            self._backups = NightlyBackup(path, plan, clock)
            self._soundness = Soundness(path)
            async with ThreadedStore(path) as store:
                in_force = PolicyInForce(settings.policy, settings.document.model_dump_json(exclude_unset=True))
                recorder = Recorder(store, clock, in_force)
                for listener in self._listeners:
                    recorder.listen(listener)
                await self._serve(store, recorder, in_force)

    async def _serve(self, store: Store, recorder: Recorder, in_force: PolicyInForce) -> None:
        settings, clock = self._settings, self._clock
        document = settings.document
        health = Health()
        async with contextlib.AsyncExitStack() as stack:
            cache = speech_folder(settings.data_folder)
            engines = engine_options(document.voice, settings.base, cache)
            texts = prompt_texts(document.prompt, document.brokerage.name)
            async with open_tts(engines) as tts:
                prompts = await render_prompts(texts, tts, pbx_folders(settings).sounds)
            voice = VoiceSoon()

            password = settings.secrets().resolve("ari", document.pbx.ari.secret)
            http = document.pbx.http
            ari = Ari(f"http://{http.authority}", document.pbx.ari.user, password, application=document.pbx.app)
            await stack.enter_async_context(ari)
            life = secrets.token_hex(3)
            supervisor = CallSupervisor(ari, store, recorder, clock, prompts, document.prompt, life=life)
            if document.pbx.watches:
                notice = prompts.get(Prompt.NOTICE)
                self._watch = open_watch(
                    settings,
                    recorder,
                    clock,
                    None if notice is None else notice.digests,
                    chance=random.SystemRandom().random,
                    arrived=supervisor.enter,
                    left=supervisor.leave,
                )
            events = EventSocket(
                ari, supervisor.deliver, chance=random.SystemRandom().random, timing=SocketTiming(longest_delay=2.0)
            )

            inbox = TextInbox(recorder, clock, fixed_senders(settings))
            messenger = AriMessenger(ari, lambda: supervisor.connected)
            gateways = build_gateways(settings, clock, messenger, inbox.take, store)
            recorder.listen(withdrawing(gateways))
            doubts = Doubts(store, clock, gateways, fixed_senders(settings), inbox.take)
            sip_inbox = SipInbox(pbx_folders(settings).messages, store, inbox)
            supervisor.on_other = _waker(sip_inbox)

            crms = await stack.enter_async_context(open_crms(settings, clock))
            placer = callback_placer(settings, ari, supervisor, voice, clock)
            dispatcher = Dispatcher(store, recorder, clock, lanes(settings, clock, recorder, gateways, crms, placer))
            timers = TimerLoop(store, recorder, clock)
            metrics = Metrics(health, lambda: self._depths)
            recorder.listen(metrics.observe)
            health.add(lambda: self._components(recorder, supervisor, gateways, voice))
            control = Control(recorder, clock, health, lambda: reload(settings, in_force, gateways))
            edge = WebEdge(document.web, health, metrics, control, socket_path(settings.data_folder))

            cel = event_log(settings)
            if cel is not None:
                seen_by = supervisor if self._watch is None else self._watch.supervisor
                self._catch_up = CatchUp(store, recorder, clock, cel, seen_by.holds, hindsight(settings))
                seen_by.on_snapshot = self._catch_up.asterisk_has

            recovered = await dispatcher.recover()
            if recovered:
                log.warning("orders_left_by_a_dead_process", count=recovered)
            await edge.start()
            stack.push_async_callback(edge.stop)
            speaking = voice.run(engines, recorder)
            await self._run_all(recorder, supervisor, events, gateways, sip_inbox, dispatcher, timers, doubts, speaking)

    async def _run_all(
        self,
        recorder: Recorder,
        supervisor: CallSupervisor,
        events: EventSocket,
        gateways: Mapping[str, Gateway],
        sip_inbox: SipInbox,
        dispatcher: Dispatcher,
        timers: TimerLoop,
        doubts: Doubts,
        speaking: Coroutine[Any, Any, NoReturn],
    ) -> None:
        assert self._backups is not None
        assert self._soundness is not None
        manager = ServiceManager()
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(supervisor.run(), name="calls"),
                group.create_task(sip_inbox.run(), name="sip texts"),
                group.create_task(timers.run(), name="timers"),
                group.create_task(self._keep_house(recorder), name="housekeeping"),
                group.create_task(manager.stay_alive(self._clock), name="watchdog"),
                group.create_task(self._backups.run(), name="backups"),
                group.create_task(self._soundness.run(), name="soundness"),
                group.create_task(doubts.run(), name="doubts"),
                group.create_task(self._speak(speaking), name="voice"),
            ]
            if self._settings.document.pbx.has_ari:
                running.append(group.create_task(events.run(), name="ari"))
            if self._watch is not None:
                running.append(group.create_task(self._watch.supervisor.run(), name="watched calls"))
                running.append(group.create_task(self._watch.link.run(), name="ami"))
            sending = [group.create_task(gateway.run(), name=f"gateway:{name}") for name, gateway in gateways.items()]
            if self._catch_up is not None:
                await _look_first(self._catch_up)
                running.append(group.create_task(self._catch_up.run(), name="catch-up"))
            dispatching = group.create_task(dispatcher.run(), name="dispatcher")
            # What stands now stands to the end. Left out, a full collection is no pause of 50 ms, which callers could hear.
            gc.collect()
            gc.freeze()
            self.ready.set()
            manager.tell("READY=1")
            log.info("ready", policy=self._settings.policy.version)
            await self._stop.wait()
            manager.tell("STOPPING=1")
            log.info("draining", calls=supervisor.calls)
            dispatcher.drain()
            supervisor.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await dispatching  # a callback that is answered now is a conversation from here on
                    await supervisor.idle()
            dispatching.cancel()
            for gateway in gateways.values():
                await gateway.stop()
            for task in (*running, *sending):
                task.cancel()
        log.info("stopped")

    async def _keep_house(self, recorder: Recorder) -> None:
        """What has to be done now and then. It writes, so that health turns red, and green again, also while nothing happens."""
        while True:
            now = self._clock.now()
            with contextlib.suppress(StoreUnavailableError):
                self._depths = await _tidy(recorder, now)
            await self._clock.pause(HOUSEKEEPING_SECONDS)

    async def _speak(self, speaking: Coroutine[Any, Any, NoReturn]) -> None:
        """Without a voice nobody is called back: each callback expires, and a person is told. All else goes on."""
        try:
            await speaking
        except (EngineError, OSError) as error:
            self._mute = f"no callbacks: {error}"
            log.error("no_callbacks", error=str(error), mend="mend the voice section, and restart")

    def _components(
        self, recorder: Recorder, supervisor: CallSupervisor, gateways: Mapping[str, Gateway], voice: VoiceSoon
    ) -> list[Component]:
        free = shutil.disk_usage(self._settings.data_folder).free
        pbx = supervisor if self._watch is None else self._watch.supervisor
        parts = [
            _database(recorder, self._soundness),
            Component("disk", free > LOW_DISK_OCTETS, f"{free / 1e9:.1f} GB free"),
            Component(
                "asterisk",
                pbx.connected and supervisor.trouble is None,
                supervisor.trouble or (f"version {pbx.version}" if pbx.connected else "not connected"),
            ),
        ]
        for gateway in gateways.values():
            state = gateway.health
            parts.append(Component(f"gateway {state.name}", state.up, state.detail, needed=False))
        speaks = "ready" if voice.loaded() else "loading"
        parts.append(Component("voice", self._mute is None, self._mute or speaks, needed=False))
        parts += _outbox(self._depths)
        if self._catch_up is not None:
            trouble = self._catch_up.trouble
            parts.append(Component("event log", trouble is None, trouble or "read", needed=False))
        if self._backups is not None:
            parts.append(Component("backup", self._backups.ok, self._backups.detail, needed=False))
        return parts


def _outbox(depths: Mapping[tuple[str, str], int]) -> list[Component]:
    """What a person has to decide about, and leads of which nobody could be told."""
    doubtful = sum(count for (_, status), count in depths.items() if status == "in_doubt")
    unheard = depths.get(("alert", "failed"), 0)
    see = ": see 'ringback outbox'"
    return [
        Component("outbox", doubtful == 0, f"{doubtful} in doubt{see if doubtful else ''}", needed=False),
        Component("alerts", unheard == 0, f"{unheard} reached nobody{see if unheard else ''}", needed=False),
    ]


def _database(recorder: Recorder, soundness: Soundness | None) -> Component:
    damage = None if soundness is None else soundness.trouble
    return Component(
        "database",
        recorder.healthy and damage is None,
        damage or ("written" if recorder.healthy else "cannot be written"),
    )


async def _tidy(recorder: Recorder, now: datetime) -> Mapping[tuple[str, str], int]:
    """Forget what nobody will ask for any more; the outbox's depths. Raises StoreUnavailableError."""
    depths: dict[tuple[str, str], int] = {}

    def job(db: Database, _: Record) -> list[Recorded | None]:
        depths.clear()
        before = bookmarks.get(db, "alive")
        if before is not None and datetime.fromisoformat(before) > now:
            log.warning("clock_went_back", before=before, pulled_in=outbox.pull_in(db, now))
        bookmarks.put(db, "alive", now.isoformat())
        pace.forget(db, now)
        receipts.forget_parked(db, now - timedelta(days=2))
        depths.update(outbox.depths(db))
        return []

    await recorder.transact(job)
    return depths


async def _look_first(catch_up: CatchUp) -> None:
    """Who reached a person while we were away is known before anything queued goes out. A ledger that cannot be read, or is
    endless, holds up nobody: it is read on later."""
    with contextlib.suppress(StoreUnavailableError, OSError, TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await catch_up.look()


def _waker(sip_inbox: SipInbox) -> Callable[[SocketEvent], None]:
    def wake(event: SocketEvent) -> None:
        if isinstance(event, TextMessageReceived):
            sip_inbox.wake()

    return wake
