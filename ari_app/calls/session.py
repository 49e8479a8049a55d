"""The shell of one inbound call: feeds its machine with what Asterisk says, performs what the machine asks, arms one timer.

"Not found" from ARI means that a hang-up was first: for a hang-up that is success, for a ring or a bridge the event that
tells of it is on its way. Facts for the journal go through a queue of their own, so that a slow disk never holds up a call.
"""

from __future__ import annotations

import asyncio
import contextlib
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
    LegEnd,
    LegEnded,
    LegRinging,
    RecordingEnded,
)
from ari_app.calls.machine import step
from ari_app.calls.prompts import MomentFields, PromptPlayer, Prompts, moment_of
from ari_app.calls.state import Call, CallSetup, CallStage
from ari_app.clock import Clock
from ari_app.numbering import redacted
from ari_app.pbx.ari import Ari
from ari_app.pbx.channels import CallerId, HangupReason
from ari_app.pbx.errors import AriError, NotFoundError, StateConflictError
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
LONGEST_RING_SECONDS = 120
STALLED_SECONDS = 0.25
"""A deadline noticed so late was missed because the process stood still (a frozen machine, a debugger): what Asterisk has
told meanwhile is still unread, and an answer among it counts more than the clock. So long it is waited for."""


_ENDS = {
    17: LegEnd.BUSY,  # user busy
    21: LegEnd.REJECTED,  # call rejected
    16: LegEnd.NO_ANSWER,  # normal call clearing
    18: LegEnd.NO_ANSWER,  # no user responding
    19: LegEnd.NO_ANSWER,  # no answer from user
    26: LegEnd.NO_ANSWER,  # non-selected user clearing
    0: LegEnd.NO_ANSWER,  # what a time-out of the dial reports before 20.14 and 22.4
}


def leg_end(cause: int, *, answered: bool) -> LegEnd:
    """How a leg ended, by its cause (Q.850 section 2.2.5). Only busy and rejected carry weight: others are not reliable."""
    return LegEnd.HUNG_UP if answered else _ENDS.get(cause, LegEnd.UNREACHABLE)


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
        self._queue: asyncio.Queue[CallEvent] = asyncio.Queue()
        self._prompter = PromptPlayer(setup.call_id, ari, clock, prompts, self._answer, self._queue.put_nowait)
        self._answered = False
        self._recording = False
        self._bridge: str | None = None
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

    def gone(self, channel_ids: frozenset[str]) -> None:
        """These channels are all that Asterisk still has: ours that are not among them have ended unheard."""
        moment = self._moment()
        for leg in self._call.live_legs:
            if leg.leg not in channel_ids:
                self._queue.put_nowait(LegEnded(**moment, leg=leg.leg, end=LegEnd.UNREACHABLE))
        if self.live and self.setup.call_id not in channel_ids:
            self._queue.put_nowait(CallerGone(**moment))

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
                await self._handle(await self._next(self._call.deadline))
            verdict = self._call.verdict
            self._log.info("call_over", verdict=None if verdict is None else verdict.value)
            await self._linger()
        finally:
            await self._clear_up()

    async def _next(self, deadline: float | None) -> CallEvent:
        try:
            async with asyncio.timeout_at(deadline):
                return await self._queue.get()
        except TimeoutError:
            return await self._unread(deadline) or DeadlinePassed(**self._moment())

    async def _unread(self, deadline: float | None) -> CallEvent | None:
        """What happened while nobody could read it; None when the deadline passes as it should."""
        if deadline is None or asyncio.get_running_loop().time() - deadline < STALLED_SECONDS:
            return None
        try:
            async with asyncio.timeout(STALLED_SECONDS):
                return await self._queue.get()
        except TimeoutError:
            return None

    async def _linger(self) -> None:
        """Hear what is still to come of a call that is over: the end of a prompt or message, a phone that answered too late."""
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while self._prompter.playing or self._recording or self._call.live_legs or not self._queue.empty():
                    await self._handle(await self._queue.get())
        except TimeoutError:
            pass

    async def _handle(self, event: CallEvent) -> None:
        result = step(self._call, event, self._prompter.digests)
        self._call = result.call
        # Facts first: they wait for nobody, and the text hangs on them; each phone that is called off is a round trip.
        for effect in sorted(result.effects, key=lambda effect: not isinstance(effect, Tell)):
            try:
                await self._perform(effect)
            except AriError as error:
                self._log.warning("not_done", effect=type(effect).__name__, error=str(error))

    # ---------------------------------------------------------------------------------------------------- what is to be done
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
                await self._fall_through()
            case _:
                assert_never(effect)

    async def _fall_through(self) -> None:
        """The dialplan rings the phones by itself."""
        digits = self.setup.dialled.removeprefix("+")
        extension = digits if digits.isdecimal() else "s"
        await self._ari.channels.continue_in_dialplan(
            self.setup.call_id, context="ring-groups", extension=extension, priority=1
        )

    async def _ring(self, leg: str, phone: str) -> None:
        self._own(leg)
        shown = self.setup.caller or "anonymous"
        try:
            await self._ari.channels.originate(
                f"PJSIP/{phone}",
                channel=leg,
                args=("leg", self.setup.call_id),
                caller=CallerId(shown.removeprefix("+")),
                ring_seconds=LONGEST_RING_SECONDS,
                originator=self.setup.call_id,
            )
        except StateConflictError:
            await self._adopt(leg)
        except AriError as error:
            # 500 "Allocation failed" is a phone that is not registered; 400, most often, a caller who is not there any more.
            self._log.info("phone_unreachable", phone=phone, error=str(error))
            if await self._caller_has_gone():
                self._queue.put_nowait(CallerGone(**self._moment()))
            self._queue.put_nowait(LegEnded(**self._moment(), leg=leg, end=LegEnd.UNREACHABLE))

    async def _adopt(self, leg: str) -> None:
        """Take over a leg that is there already: a Ringback that died had just asked for it, too late to be seen by us."""
        try:
            await self._ari.applications.subscribe(self._ari.application, f"channel:{leg}")
            channel = await self._ari.channels.get(leg)
        except AriError as error:
            self._log.info("leg_gone", leg=leg, error=str(error))
            self._queue.put_nowait(LegEnded(**self._moment(), leg=leg, end=LegEnd.UNREACHABLE))
            return
        self._log.info("leg_adopted", leg=leg, state=channel.state.value)
        if channel.state is ChannelState.RINGING:
            self._queue.put_nowait(LegRinging(**self._moment(), leg=leg))
        elif channel.state is ChannelState.UP:
            self._queue.put_nowait(LegAnswered(**self._moment(), leg=leg))

    async def _caller_has_gone(self) -> bool:
        """Whether a hang-up is on its way to us: who gave up is not to be taken for one whom no phone could be rung for."""
        try:
            await self._ari.channels.get(self.setup.call_id)
        except NotFoundError:
            return True
        except AriError:
            return False
        return False

    async def _hang_up(self, channel: str, reason: HangupReason) -> None:
        with contextlib.suppress(NotFoundError):  # it is gone already, which is what was wanted
            await self._ari.channels.hangup(channel, reason)

    async def _answer(self) -> None:
        if not self._answered:
            await self._ari.channels.answer(self.setup.call_id)
            self._answered = True

    async def _connect(self, leg: str) -> None:
        self._bridge = f"{self.setup.call_id}-talk"
        await self._ari.bridges.create(self._bridge)
        await self._answer()
        await self._ari.bridges.add(self._bridge, self.setup.call_id, leg)

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
        for leg in self._call.live_legs:
            await self._quietly(self._ari.channels.hangup(leg.leg))
        if self._call.stage in (CallStage.RINGING, CallStage.OVERFLOW):
            await self._quietly(self._fall_through())
        if self._bridge is not None:
            await self._quietly(self._ari.bridges.destroy(self._bridge))

    async def _quietly(self, request: Awaitable[object]) -> None:
        try:
            await request
        except AriError as error:
            if not isinstance(error, NotFoundError):
                self._log.warning("not_cleared", error=str(error))
