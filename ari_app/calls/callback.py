"""One callback: rings the caller through the trunk, lets the voice agent speak, hands over to a desk phone when asked.

The ringing is the outbox's act, the conversation is not: an order is done when the phone was answered or was not. Whatever
happens after, ``CallbackEnded`` is told exactly once. A no, and the handing over to a person, are told at once: the end of
the call may be long in coming, or never be seen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from ari_app.calls.events import LegEnd
from ari_app.calls.legs import leg_end
from ari_app.calls.voice import Speaker, Talk, TalkEnd, Voice
from ari_app.clock import Clock
from ari_app.numbering import redacted
from ari_app.pbx.ari import Ari
from ari_app.pbx.channels import CallerId, HangupReason
from ari_app.pbx.errors import AriError, MalformedAnswerError, NotFoundError, StateConflictError, UnavailableError
from ari_app.pbx.event_socket import Snapshot
from ari_app.pbx.messages import (
    AriEvent,
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelEvent,
    StasisEnd,
    StasisStart,
)
from ari_app.pbx.models import ChannelState
from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.events import CallbackAnswered, CallbackEnded, CallbackHandedOver, CallbackOptedOut, Event
from ari_app.recovery.values import CallbackEnd, EffectId, Intent, Line

log = structlog.get_logger("callback")

MEDIA_SECONDS = 5.0
"""How long the audio may take to come about once the phone is answered."""
DESK_RING_SECONDS = 20.0
"""How long the desk phones ring for a caller who asked for a person."""
LAST_WORDS_SECONDS = 15.0
"""What an apology or a confirmation may take beyond the conversation's own time."""
UNHEARD_SECONDS = 10.0
"""How long after the last ring its end is waited for; then nobody has told us."""
JOIN_WAITS = (0.2, 0.5, 1.0, 1.0)
"""How often, and how soon, two people who have both picked up are put together again, in seconds."""
KEY_NEVER = "9"

_ENDS = {
    LegEnd.BUSY: CallbackEnd.BUSY,
    LegEnd.REJECTED: CallbackEnd.REJECTED,
    LegEnd.NO_ANSWER: CallbackEnd.NO_ANSWER,
    LegEnd.UNREACHABLE: CallbackEnd.FAILED,
}
_TALKS = {
    TalkEnd.COMPLETED: CallbackEnd.COMPLETED,
    TalkEnd.OPTED_OUT: CallbackEnd.OPTED_OUT,
    TalkEnd.CALLER_HUNG_UP: CallbackEnd.CALLER_HUNG_UP,
    TalkEnd.FAILED: CallbackEnd.FAILED,
}
NOTHING = Talk(TalkEnd.FAILED, Intent.UNSTATED, ())


@dataclass(frozen=True, slots=True)
class Route:
    """How a callback leaves. endpoint: ``PJSIP/<number>@<trunk>``. longest_seconds: ringing and talk together.
    websocket_url: of Asterisk's media sockets, None where they do not exist; then audio goes as RTP to ``media_host``."""

    endpoint: str
    ring_seconds: int
    longest_seconds: float
    websocket_url: str | None
    media_host: str


class CallerOnLineError(Exception):
    """The person called us while their phone was ringing with our call."""


class FateUnknownError(Exception):
    """Nobody can say whether the person's phone rings, or rang."""


class CallbackSession:
    """One callback. The supervisor delivers the events of its channels."""

    def __init__(
        self,
        effect_id: EffectId,
        order: PlaceCallback,
        route: Route,
        ari: Ari,
        voice: Voice,
        clock: Clock,
        tell: Callable[[Event], None],
        own: Callable[[str], None],
    ) -> None:
        self.effect_id = effect_id
        self.order = order
        self._route = route
        self._ari = ari
        self._voice = voice
        self._clock = clock
        self._tell = tell
        self._own = own
        self.leg = f"callback-{effect_id}"
        self._bridge = f"callback-{effect_id}-talk"
        self._bridged = False
        self._decided = asyncio.Event()
        self._taken = False
        self._over = asyncio.Event()
        self._aborted = asyncio.Event()
        self._end: LegEnd = LegEnd.UNREACHABLE
        self._media = ""
        self._media_ready = asyncio.Event()
        self._desks: dict[str, str] = {}
        self._there_since: dict[str, float] = {}
        self._desk_answered: asyncio.Queue[str] = asyncio.Queue()
        self._desks_left: set[str] = set()
        self._desk_change = asyncio.Event()
        self._speaker: Speaker | None = None
        self._limit: asyncio.Timeout | None = None
        self._ends_at = 0.0
        self._handed_over = False
        self._said_no = False
        self._keys: list[str] = []
        self._log = log.bind(outbox_id=effect_id, to=redacted(order.to))

    @property
    def live(self) -> bool:
        return not self._over.is_set()

    @property
    def answered(self) -> bool:
        """Whether the person took the call."""
        return self._taken

    def abort(self) -> None:
        """The person is calling us: stop ringing them. Nothing once they have answered."""
        self._aborted.set()
        self._decided.set()

    # ------------------------------------------------------------------------------------------------------------- events
    def deliver(self, event: AriEvent) -> None:
        """Take an event of one of our channels. Never waits."""
        if not isinstance(event, ChannelEvent):
            return
        channel = event.channel.id
        match event:
            case StasisStart():
                self._answered(channel)
            case ChannelDtmfReceived(digit=digit) if channel == self.leg and not self._handed_over:
                self._keys.append(digit)
                if digit == KEY_NEVER:
                    self._no(KEY_NEVER)
                if self._speaker is not None:
                    self._speaker.key(digit)
            case ChannelDestroyed(cause=cause):
                self._ended(channel, leg_end(cause, answered=False))
            case StasisEnd():
                self._ended(channel, LegEnd.HUNG_UP)
            case _:
                pass

    def _no(self, how: str) -> None:
        """The caller wants no more calls: kept now, whatever becomes of this one."""
        if not self._said_no:
            self._said_no = True
            source_id = f"callback:{self.effect_id}:no"
            self._tell(CallbackOptedOut(at=self._clock.now(), source_id=source_id, effect_id=self.effect_id, how=how))
            self._desk_change.set()

    def compare(self, snapshot: Snapshot) -> None:
        """Take how things stand in Asterisk, after a time of which we may have heard nothing. Never waits."""
        there = {channel.id: channel for channel in snapshot.channels}
        for channel, since in self._there_since.items():
            if channel not in there and since < snapshot.asked_at:
                self._ended(channel, LegEnd.UNREACHABLE)
        for channel, found in there.items():
            if found.state is ChannelState.UP and channel in snapshot.application.channels:
                self._answered(channel)

    def _answered(self, channel: str) -> None:
        if channel == self.leg:
            self._taken = True
            self._decided.set()
        elif channel == self._media:
            self._media_ready.set()
        elif channel in self._desks:
            self._desk_answered.put_nowait(channel)
            self._desk_change.set()

    def _ended(self, channel: str, end: LegEnd) -> None:
        if channel == self.leg:
            if not self._over.is_set():
                self._end = end
            self._over.set()
            self._decided.set()
            if self._speaker is not None:
                self._speaker.caller_gone()
        self._desks_left.discard(channel)
        self._desk_change.set()

    # ------------------------------------------------------------------------------------------------------------ ringing
    async def ring(self) -> bool:
        """Ring the caller. True: answered, ``talk`` is to follow, though they may have hung up again. False: not answered,
        and told.

        Raises CallerOnLineError when the person called us meanwhile; nothing is told then, and it may be tried again.
        Raises FateUnknownError when Asterisk did not answer; nothing is told then either.
        """
        self._own(self.leg)
        self._ends_at = asyncio.get_running_loop().time() + self._route.longest_seconds
        failure: AriError | None = None
        async with asyncio.TaskGroup() as group:
            preparing = group.create_task(self._prepare())
            try:
                await self._ari.channels.originate(
                    self._route.endpoint,
                    channel=self.leg,
                    args=("callback", self.effect_id),
                    caller=CallerId(self.order.caller_id),
                    ring_seconds=self._route.ring_seconds,
                )
            except AriError as error:
                failure = error
            else:
                self._there_since[self.leg] = asyncio.get_running_loop().time()
                self._log.info("callback_rings")
                await self._decided_or_late()
            preparing.cancel()  # what is ready is ready; whoever has answered does not wait for the rest
        if failure is not None:
            self._log.warning("callback_not_placed", error=str(failure))
            if isinstance(failure, UnavailableError | MalformedAnswerError):
                await self._take_back(failure)
            self._tell_end(CallbackEnd.FAILED, NOTHING, 0.0, why=str(failure)[:200])
            return False
        if not self._taken:
            if self._aborted.is_set() and not self._over.is_set():
                await self._hang_up(self.leg)
                raise CallerOnLineError
            self._tell_end(_ENDS.get(self._end, CallbackEnd.NO_ANSWER), NOTHING, 0.0)
            return False
        self._tell(
            CallbackAnswered(
                at=self._clock.now(), source_id=f"callback:{self.effect_id}:answered", effect_id=self.effect_id
            )
        )
        return True

    async def _decided_or_late(self) -> None:
        """Asterisk rings for so long and no longer; it may have told the end while nobody heard it."""
        try:
            async with asyncio.timeout(self._route.ring_seconds + UNHEARD_SECONDS):
                await self._decided.wait()
        except TimeoutError:
            self._log.warning("callback_end_not_heard")
            await self._quietly(self._ari.channels.hangup(self.leg))
            self._ended(self.leg, LegEnd.NO_ANSWER)

    async def _take_back(self, error: AriError) -> None:
        """The phone may ring all the same: hang up what nobody would answer for. Raises FateUnknownError."""
        try:
            await self._hang_up(self.leg)
        except AriError as unheard:
            raise FateUnknownError(f"{error}; {unheard}"[:200]) from unheard

    async def _prepare(self) -> None:
        """What will be said is made while the phone rings, first words first; without it the call goes on, only slower."""
        try:
            await self._voice.prepare(self.order)
        except Exception as error:  # noqa: BLE001 - an engine of somebody else's
            self._log.warning("voice_not_prepared", error=f"{type(error).__name__}: {error}")

    # ------------------------------------------------------------------------------------------------------------ talking
    async def talk(self) -> None:
        """Let the voice agent speak, and hand over when asked. Ends with everything hung up and told."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        end, talk, by, why = CallbackEnd.FAILED, NOTHING, None, None
        try:
            async with (
                asyncio.timeout_at(self._ends_at + LAST_WORDS_SECONDS) as self._limit,
                contextlib.AsyncExitStack() as audio,
            ):
                self._speaker = await self._open_audio(audio)
                for digit in self._keys:
                    self._speaker.key(digit)
                if self._over.is_set():
                    self._speaker.caller_gone()
                left = max(1.0, self._ends_at - loop.time())
                talk = await self._speaker.talk(left, lambda: self._no("spoken"))
                why = talk.why
                if talk.end is TalkEnd.WANTS_PERSON:
                    end = CallbackEnd.WANTED_PERSON
                    self._limit.reschedule(loop.time() + DESK_RING_SECONDS + LAST_WORDS_SECONDS)
                    end, by, talk = await self._hand_over(talk)
                else:
                    end = _TALKS[talk.end]
        except TimeoutError:
            late = self._limit is not None and self._limit.expired()
            why = f"longer than {self._route.longest_seconds:g} s" if late else f"no audio within {MEDIA_SECONDS:g} s"
        except (AriError, OSError) as error:
            why = f"{type(error).__name__}: {error}"[:200]
            if end is CallbackEnd.FAILED and self._over.is_set():
                end = CallbackEnd.CALLER_HUNG_UP
        except BaseException as error:
            # Stopped while two people talk: whoever starts next finds them in their bridge.
            if not (self._handed_over and isinstance(error, asyncio.CancelledError)):
                await self._finish(end, talk, loop.time() - started, by=by, why=type(error).__name__)
            raise
        await self._finish(end, talk, loop.time() - started, by=by, why=why)

    async def _finish(
        self, end: CallbackEnd, talk: Talk, seconds: float, *, by: str | None = None, why: str | None = None
    ) -> None:
        await self._clear_up()
        if self._said_no:
            end = CallbackEnd.OPTED_OUT
        self._tell_end(end, talk, seconds, by=by, why=why)
        self._log.info("callback_over", end=end.value, seconds=round(seconds, 1))

    async def _open_audio(self, audio: contextlib.AsyncExitStack) -> Speaker:
        """A leg of the call whose audio is ours, in one bridge with the caller's."""
        self._media = f"{self.leg}-media"
        self._own(self._media)
        await self._ari.bridges.create(self._bridge)
        self._bridged = True
        async with asyncio.timeout(MEDIA_SECONDS):
            if self._route.websocket_url is not None:
                media = await self._ari.channels.external_media_websocket(self._media)
                url = self._route.websocket_url + media.path
                speaker = await audio.enter_async_context(self._voice.over_websocket(self.order, url))
            else:
                host = self._route.media_host
                end = await audio.enter_async_context(self._voice.over_rtp(self.order, host))
                rtp = await self._ari.channels.external_media_rtp(self._media, host=host, port=end.port)
                speaker = end.connect(rtp.address, rtp.port)
            await self._media_ready.wait()
        # Only now: a channel can be bridged after its own StasisStart, and not before.
        await self._ari.bridges.add(self._bridge, self.leg, self._media)
        return speaker

    # --------------------------------------------------------------------------------------------------------- handing over
    async def _hand_over(self, talk: Talk) -> tuple[CallbackEnd, str | None, Talk]:
        """Ring the desk phones while the caller hears ringing; without an answer, apologise."""
        assert self._speaker is not None
        await self._ari.bridges.remove(self._bridge, self._media)
        with contextlib.suppress(AriError):
            await self._ari.channels.ring(self.leg)
        desk = None if self._said_no else await self._ring_desks(self.order.phones)
        with contextlib.suppress(AriError):
            await self._ari.channels.stop_ringing(self.leg)
        if desk is not None and not self._over.is_set() and not self._said_no:
            await self._connect(desk)
            return CallbackEnd.REACHED_PERSON, self._desks[desk], talk
        lines: list[Line] = []
        if not self._over.is_set():
            await self._ari.bridges.add(self._bridge, self._media)
            if not self._said_no:
                lines += await self._speaker.apologise(lambda: self._no("spoken"))
        if self._said_no and not self._over.is_set():
            lines += await self._speaker.confirm_no()
        return CallbackEnd.WANTED_PERSON, None, Talk(talk.end, talk.intent, (*talk.lines, *lines))

    async def _connect(self, desk: str) -> None:
        """Let the two talk, as long as they like; returns when one of them has hung up."""
        await self._quietly(self._ari.channels.hangup(self._media))
        await self._join(desk)
        self._handed_over = True
        if self._limit is not None:
            self._limit.reschedule(None)
        by, source_id = self._desks[desk], f"callback:{self.effect_id}:person"
        self._tell(CallbackHandedOver(at=self._clock.now(), source_id=source_id, effect_id=self.effect_id, by=by))
        self._log.info("callback_handed_over", phone=by)
        while desk in self._desks_left and not self._over.is_set():
            self._desk_change.clear()
            await self._desk_change.wait()

    async def _join(self, desk: str) -> None:
        """Put the desk phone into the caller's bridge: one request without an answer parts nobody who has picked up."""
        for wait in JOIN_WAITS:
            try:
                await self._ari.bridges.add(self._bridge, desk)
            except (UnavailableError, StateConflictError) as error:  # or its own StasisStart is still to come
                self._log.warning("desk_phone_not_joined", error=str(error))
                await self._clock.pause(wait)
            else:
                return
        await self._ari.bridges.add(self._bridge, desk)

    async def _ring_desks(self, phones: Sequence[str]) -> str | None:
        """The leg of the first desk phone that answers; the others are taken back. None also for a caller who says no."""
        for index, phone in enumerate(phones):
            leg = f"{self.leg}-desk{index}"
            self._own(leg)
            self._desks[leg] = phone
            self._desks_left.add(leg)  # before it is asked for: its end may be known before the answer
            try:
                await self._ari.channels.originate(
                    f"PJSIP/{phone}",
                    channel=leg,
                    args=("desk", self.effect_id),
                    caller=CallerId(self.order.to.removeprefix("+")),
                    ring_seconds=round(DESK_RING_SECONDS) + 10,
                    originator=self.leg,
                )
            except AriError as error:
                self._log.info("desk_phone_not_rung", phone=phone, error=str(error))
                await self._quietly(self._ari.channels.hangup(leg))
                self._desks_left.discard(leg)
            else:
                self._there_since[leg] = asyncio.get_running_loop().time()
        answered: str | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DESK_RING_SECONDS):
                while self._desks_left and not self._over.is_set() and not self._said_no and answered is None:
                    self._desk_change.clear()
                    if not self._desk_answered.empty():
                        answered = self._desk_answered.get_nowait()
                    else:
                        await self._desk_change.wait()
        for leg in list(self._desks_left):
            if leg != answered:
                await self._quietly(self._ari.channels.hangup(leg, HangupReason.ANSWERED_ELSEWHERE))
        return answered

    # ------------------------------------------------------------------------------------------------------------- the end
    async def _hang_up(self, channel: str, reason: HangupReason = HangupReason.NORMAL) -> None:
        with contextlib.suppress(NotFoundError):
            await self._ari.channels.hangup(channel, reason)

    async def _clear_up(self) -> None:
        """Leave nothing of this callback in Asterisk."""
        for channel in (self.leg, self._media, *self._desks_left):
            if channel:
                await self._quietly(self._ari.channels.hangup(channel))
        if self._bridged:
            await self._quietly(self._ari.bridges.destroy(self._bridge))
        self._over.set()

    async def _quietly(self, request: Awaitable[object]) -> None:
        try:
            await request
        except NotFoundError:
            pass
        except AriError as error:
            self._log.warning("not_cleared", error=str(error))

    def _tell_end(
        self, end: CallbackEnd, talk: Talk, seconds: float, *, by: str | None = None, why: str | None = None
    ) -> None:
        self._tell(
            CallbackEnded(
                at=self._clock.now(),
                source_id=f"callback:{self.effect_id}:ended",
                effect_id=self.effect_id,
                end=end,
                intent=talk.intent,
                lines=talk.lines,
                keys="".join(self._keys),
                seconds=round(seconds, 3),
                by=by,
                why=why,
            )
        )
