"""The shell of one inbound call: feeds its machine with what Asterisk says, performs what the machine asks, arms one timer.

"Not found" from ARI means that a hang-up was first: for a hang-up that is success, for a ring or a bridge the event that
tells of it is on its way. No answer means that nobody knows: it is tried again, and nobody is missed on a guess. Facts for
the journal go through a queue of their own, so that a slow disk never holds up a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import assert_never

import structlog

from ari_app.calls.effects import (
    CallEffect,
    CancelLeg,
    Connect,
    FallThrough,
    HangUp,
    HangUpAs,
    Play,
    Record,
    RingBack,
    RingLeg,
    StopPlaying,
    Tell,
)
from ari_app.calls.events import (
    Arrived,
    CallerGone,
    CallEvent,
    DeadlinePassed,
    KeyHeard,
    LegAnswered,
    LegEnded,
    LegRinging,
    RecordingEnded,
)
from ari_app.calls.falling_through import fall_through
from ari_app.calls.legs import Legs, leg_end
from ari_app.calls.machine import step
from ari_app.calls.prompts import MomentFields, PromptPlayer, Prompts, moment_of
from ari_app.calls.state import TOLERANCE, Call, CallSetup, CallStage, Leg, LegState
from ari_app.clock import Clock
from ari_app.numbering import redacted
from ari_app.pbx.ari import Ari
from ari_app.pbx.channels import HangupReason
from ari_app.pbx.errors import AriError, NotFoundError, ServerFaultError, StateConflictError, UnavailableError
from ari_app.pbx.event_socket import Snapshot
from ari_app.pbx.messages import (
    AriEvent,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelEvent,
    ChannelHangupRequest,
    ChannelStateChange,
    Dial,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFailed,
    RecordingFinished,
    StasisEnd,
    StasisStart,
)
from ari_app.pbx.models import ChannelState
from ari_app.recovery.events import Event

log = structlog.get_logger("call")

LINGER_SECONDS = 5.0
"""How long strays of a call that is over are waited for."""
DOUBT_SECONDS = 0.5
"""How soon that is tried again, or asked again, to which Asterisk gave no answer."""
UNDONE_TRIES = 10
"""How often an end that Asterisk did not confirm is tried again after the call; then the next connection finds what is left."""
STALLED_SECONDS = 0.25
"""A deadline noticed so late was missed because the process stood still (a frozen machine, a debugger): what Asterisk has
told meanwhile is still unread, and an answer among it counts more than the clock. So long it is waited for."""


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((time for time in (one, other) if time is not None), default=None)


class CallSession:
    """One inbound call."""

    def __init__(
        self,
        setup: CallSetup,
        ari: Ari,
        clock: Clock,
        prompts: Prompts,
        tell: Callable[[Event], None],
        own: Callable[[str], None],
    ) -> None:
        """tell: takes facts for the journal, in order, without waiting. own: says that a channel's events are ours."""
        self.setup = setup
        self._ari = ari
        self._clock = clock
        self._tell = tell
        self._own = own
        self._call = Call(setup=setup)
        self._queue: asyncio.Queue[CallEvent | Snapshot] = asyncio.Queue()
        self._legs = Legs(setup, ari, clock, own, self._queue.put_nowait)
        self._prompter = PromptPlayer(setup.call_id, ari, clock, prompts, self._answer, self._queue.put_nowait)
        self._answered = False
        self._recording = False
        self._bridge: str | None = None
        self._apart = False
        self._again_at: float | None = None
        self._undone: list[CancelLeg | HangUp | FallThrough] = []
        self._log = log.bind(call_id=setup.call_id, caller=redacted(setup.caller))

    @property
    def live(self) -> bool:
        """Whether the caller is, as far as we know, on the line."""
        return self._call.stage is not CallStage.ENDED

    # --------------------------------------------------------------------------------------------------- what Asterisk says
    def deliver(self, event: AriEvent) -> None:
        """Take an event of one of our channels. Never waits."""
        translated = self._translate(event)
        if translated is not None:
            self._queue.put_nowait(translated)

    def compare(self, snapshot: Snapshot) -> None:
        """Take how things stand in Asterisk, after a time of which we may have heard nothing. Never waits."""
        self._queue.put_nowait(snapshot)

    def _translate(self, event: AriEvent) -> CallEvent | None:
        moment = self._moment()
        match event:
            case PlaybackStarted(playback=playback):
                self._prompter.started(playback)
                return None
            case PlaybackFinished(playback=playback):
                self._prompter.finished(playback)
                return None
            case RecordingFinished(recording=recording):
                self._recording = False
                return RecordingEnded(**moment, recording=recording.name, seconds=float(recording.seconds or 0))
            case RecordingFailed(recording=recording):
                self._recording = False
                return RecordingEnded(**moment, recording=recording.name, seconds=0.0)
            case Dial(peer=peer, status="RINGING" | "PROGRESS"):
                return LegRinging(**moment, leg=peer.id)
            case ChannelEvent(channel=channel) if channel.id == self.setup.call_id:
                return self._of_caller(event, moment)
            case ChannelEvent(channel=channel):
                return self._of_leg(event, channel.id, moment)
            case _:
                return None

    def _of_caller(self, event: ChannelEvent, moment: MomentFields) -> CallEvent | None:
        match event:
            case StasisEnd() | ChannelDestroyed() | ChannelHangupRequest():
                return CallerGone(**moment)
            case ChannelDtmfReceived(digit=digit):
                return KeyHeard(**moment, key=digit)
            case _:
                return None

    def _of_leg(self, event: ChannelEvent, leg: str, moment: MomentFields) -> CallEvent | None:
        match event:
            case StasisStart():
                return LegAnswered(**moment, leg=leg)
            case ChannelStateChange(channel=channel) if channel.state is ChannelState.RINGING:
                return LegRinging(**moment, leg=leg)
            case ChannelDestroyed(cause=cause):
                return LegEnded(**moment, leg=leg, end=leg_end(cause, answered=self._call.connected_to == leg))
            case _:
                return None

    def _moment(self) -> MomentFields:
        return moment_of(self._clock)

    # -------------------------------------------------------------------------------------------------------------- the loop
    async def run(self) -> None:
        """From the arrival until the call is over and nothing of it is left in Asterisk."""
        self._own(self.setup.call_id)
        self._log.info("call_arrived", dialled=self.setup.dialled)
        await self._handle(Arrived(**self._moment()))
        try:
            while self.live:
                await self._take(await self._next())
            verdict = self._call.verdict
            self._log.info("call_over", verdict=None if verdict is None else verdict.value)
            await self._linger()
        finally:
            await self._clear_up()

    async def _next(self) -> CallEvent | Snapshot | None:
        """What comes next; None when what is in doubt is to be tried again."""
        deadline = self._call.deadline
        try:
            async with asyncio.timeout_at(_earlier(deadline, self._again_at)):
                return await self._queue.get()
        except TimeoutError:
            late = asyncio.get_running_loop().time() - (math.inf if deadline is None else deadline)
        if late < -TOLERANCE:
            return None
        return await self._unread(late) or await self._overdue()

    async def _unread(self, late: float) -> CallEvent | Snapshot | None:
        """What happened while nobody could read it; None when the deadline passes as it should."""
        return None if late < STALLED_SECONDS else await self._within(STALLED_SECONDS)

    async def _within(self, seconds: float) -> CallEvent | Snapshot | None:
        try:
            async with asyncio.timeout(seconds):
                return await self._queue.get()
        except TimeoutError:
            return None

    async def _overdue(self) -> CallEvent | Snapshot | None:
        """The deadline, unless a phone has been answered, or rings, and we are deaf; None when Asterisk cannot be asked."""
        if self._call.stage in (CallStage.RINGING, CallStage.OVERFLOW):
            try:
                await self._legs.look(self._call.live_legs)
            except UnavailableError as error:
                self._log.info("verdict_waits", error=str(error))
                return await self._within(DOUBT_SECONDS)
            except AriError as error:
                self._log.warning("phones_not_seen", error=str(error))
        return DeadlinePassed(**self._moment()) if self._queue.empty() else self._queue.get_nowait()

    async def _take(self, news: CallEvent | Snapshot | None) -> None:
        match news:
            case None:
                await self._try_again()
            case Snapshot():
                await self._compare(news)
            case _:
                await self._handle(news)

    async def _try_again(self) -> None:
        """What Asterisk gave no answer to: phones that may not ring, or ring on, two people who may not hear each other."""
        self._again_at = None
        await self._end_what_is_undone()
        for leg in self._call.live_legs:
            if self._legs.doubtful(leg):
                await self._attempt(RingLeg(leg.leg, leg.phone))
        if self._apart and self._call.stage is CallStage.CONNECTED and self._call.connected_to is not None:
            await self._attempt(Connect(self._call.connected_to))

    async def _look_at(self, leg: Leg) -> None:
        try:
            await self._legs.look([leg], after_gap=True)
        except AriError as error:
            self._log.warning("phone_not_seen", leg=leg.leg, error=str(error))
        self._try_later(leg)

    async def _compare(self, snapshot: Snapshot) -> None:
        """Bring our belief in line with what Asterisk has. A leg that was rung since is not in ``snapshot``: it is asked for."""
        there = {channel.id: channel for channel in snapshot.channels}
        caller_gone = self.live and self.setup.call_id not in there
        for leg in self._call.legs:
            channel = there.get(leg.leg)
            if leg.state is LegState.ENDED:
                if channel is not None:
                    await self._attempt(CancelLeg(leg.leg, elsewhere=False))
            elif channel is not None:
                self._legs.seen(leg, channel)
            elif caller_gone:
                self._legs.ended(leg.leg)
            else:
                await self._look_at(leg)
        if caller_gone:
            self._queue.put_nowait(CallerGone(**self._moment()))
        elif self._apart:
            members = next((set(bridge.channels) for bridge in snapshot.bridges if bridge.id == self._bridge), set())
            self._apart = not members >= {self.setup.call_id, self._call.connected_to}
            await self._try_again()

    async def _linger(self) -> None:
        """Hear what is still to come of a call that is over: the end of a prompt or message, a phone that answered too late."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while self._prompter.playing or self._recording or self._call.live_legs or not self._queue.empty():
                    await self._take(await self._queue.get())
        except TimeoutError:
            pass

    async def _handle(self, event: CallEvent) -> None:
        result = step(self._call, event, self._prompter.digests)
        self._call = result.call
        # Facts first: they wait for nobody, and the text hangs on them; each phone that is called off is a round trip.
        for effect in sorted(result.effects, key=lambda effect: not isinstance(effect, Tell)):
            await self._attempt(effect)

    # ---------------------------------------------------------------------------------------------------- what is to be done
    async def _attempt(self, effect: CallEffect) -> None:
        try:
            await self._perform(effect)
        except AriError as error:
            self._log.warning("not_done", effect=type(effect).__name__, error=str(error))
            if isinstance(error, UnavailableError) and isinstance(effect, CancelLeg | HangUp | FallThrough):
                self._undone.append(effect)
                self._again_at = asyncio.get_running_loop().time() + DOUBT_SECONDS

    async def _end_what_is_undone(self) -> None:
        """A phone that rings on, a caller who hears nothing and is not let go: both are ended, or begun, again."""
        undone, self._undone = self._undone, []
        for effect in undone:
            await self._attempt(effect)

    async def _perform(self, effect: CallEffect) -> None:
        caller = self.setup.call_id
        match effect:
            case Tell(event=event):
                self._tell(event)
            case RingLeg(leg=leg, phone=phone):
                await self._ring(leg, phone)
            case CancelLeg(leg=leg, elsewhere=elsewhere):
                await self._hang_up(leg, HangupReason.ANSWERED_ELSEWHERE if elsewhere else HangupReason.NORMAL)
            case RingBack():
                await self._ari.channels.ring(caller)
            case Connect(leg=leg):
                await self._connect(leg)
            case Play(prompt=prompt):
                await self._prompter.play(prompt)
            case StopPlaying():
                await self._prompter.stop()
            case Record(longest_seconds=longest):
                await self._record(longest)
            case HangUp(cause=cause):
                reason = HangupReason.NO_ANSWER if cause is HangUpAs.NO_ANSWER else HangupReason.NORMAL
                await self._hang_up(caller, reason)
            case FallThrough():
                await fall_through(self._ari, self.setup.call_id, self.setup.dialled)
            case _:
                assert_never(effect)

    async def _hang_up(self, channel: str, reason: HangupReason) -> None:
        with contextlib.suppress(NotFoundError):  # it is gone already, which is what was wanted
            await self._ari.channels.hangup(channel, reason)

    async def _answer(self) -> None:
        if not self._answered:
            await self._ari.channels.answer(self.setup.call_id)
            self._answered = True

    async def _ring(self, leg: str, phone: str) -> None:
        await self._legs.ring(leg, phone)
        self._try_later(self._call.leg(leg))

    def _try_later(self, leg: Leg | None) -> None:
        if leg is not None and self._legs.doubtful(leg):
            self._again_at = asyncio.get_running_loop().time() + DOUBT_SECONDS

    async def _connect(self, leg: str) -> None:
        """Tried again until it is known to be done: or two people would hear nothing of each other for a whole call."""
        self._bridge, self._apart = f"{self.setup.call_id}-talk", False
        try:
            with contextlib.suppress(StateConflictError, ServerFaultError):  # it is there: 409, or 500 before
                await self._ari.bridges.create(self._bridge)
            await self._answer()
            await self._ari.bridges.add(self._bridge, self.setup.call_id, leg)
        except (UnavailableError, StateConflictError):  # or a phone that has not entered our application yet
            self._apart, self._again_at = True, asyncio.get_running_loop().time() + DOUBT_SECONDS
            raise

    async def _record(self, longest: float) -> None:
        name = f"message-{self.setup.call_id}"
        self._recording = True
        try:
            await self._ari.channels.record(
                self.setup.call_id, name, max_seconds=round(longest), max_silence_seconds=5, terminate_on="#"
            )
        except AriError as error:
            self._recording = False
            self._log.warning("message_not_recorded", error=str(error))
            self._queue.put_nowait(RecordingEnded(**self._moment(), recording=name, seconds=0.0))

    async def _clear_up(self) -> None:
        """Leave nothing of this call in Asterisk; but when we are stopped in its middle, leave the call to go on."""
        if self._call.stage is CallStage.CONNECTED:
            return  # whoever starts next finds the two in their bridge
        for _ in range(UNDONE_TRIES):
            if not self._undone:
                break
            await self._clock.pause(DOUBT_SECONDS)
            await self._end_what_is_undone()
        for leg in self._call.live_legs:
            await self._quietly(self._ari.channels.hangup(leg.leg))
        if self._call.stage in (CallStage.RINGING, CallStage.OVERFLOW):
            await self._quietly(fall_through(self._ari, self.setup.call_id, self.setup.dialled))
        if self._bridge is not None:
            await self._quietly(self._ari.bridges.destroy(self._bridge))

    async def _quietly(self, request: Awaitable[object]) -> None:
        try:
            await request
        except AriError as error:
            if not isinstance(error, NotFoundError):
                self._log.warning("not_cleared", error=str(error))
