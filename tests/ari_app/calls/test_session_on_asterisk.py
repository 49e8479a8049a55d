"""One call's shell on a real Asterisk: what only a race would bring about."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest

from ari_app.calls.session import CallSession
from ari_app.clock import SystemClock
from ari_app.pbx.channels import CallerId
from ari_app.pbx.errors import UnavailableError
from ari_app.pbx.event_socket import Snapshot
from ari_app.pbx.messages import AriEvent, ChannelDestroyed, Dial, StasisStart
from ari_app.pbx.models import Channel
from ari_app.recovery.events import CallAnswered, CallClosed, CallMissed, Event
from ari_app.recovery.policy import AfterMiss, Strategy
from ari_app.recovery.values import Verdict
from tests.ari_app.calls.telling import setup
from tests.ari_app.pbx.listening import Listener, listening
from tests.support.asterisk import TestPbx, asterisk, shared_pbx
from tests.support.phones import Phone
from tests.support.waiting import until

__all__ = ["asterisk", "shared_pbx"]

pytestmark = pytest.mark.e2e

MOBILE = "+13055550199"


class Running:
    """A session for ``caller``, fed with what the listener hears from now on, unless it is ``deaf``."""

    def __init__(self, listener: Listener, caller: Channel, *, deaf: bool = False, **changes: Any) -> None:
        self.told: list[Event] = []
        self._listener = listener
        self._heard = len(listener.events)
        self.deaf = deaf
        self.session = CallSession(
            setup(call_id=caller.id, **{"phones": ("101",), "ring_seconds": 30.0, **changes}),
            listener.ari,
            SystemClock(),
            {},
            tell=self.told.append,
            own=lambda _: None,
        )

    async def run(self) -> None:
        """Until the call is over."""
        async with asyncio.TaskGroup() as group:
            feeding = group.create_task(self._feed())
            await self.session.run()
            feeding.cancel()

    async def _feed(self) -> None:
        events = self._listener.events
        while True:
            await until(lambda: len(events) > self._heard and not self.deaf, within=60.0)
            self.session.deliver(cast("AriEvent", events[self._heard]))
            self._heard += 1

    async def look(self) -> None:
        """What comes with a new connection."""
        ari = self._listener.ari
        self.session.compare(
            Snapshot(
                info=await ari.server.info(),
                application=await ari.applications.get(ari.application),
                channels=await ari.channels.list(),
                bridges=await ari.bridges.list(),
                endpoints=(),
                asked_at=asyncio.get_running_loop().time(),
            )
        )

    async def answered_by(self) -> str:
        """Who answered, awaited."""
        [answered] = await until(lambda: [one for one in self.told if isinstance(one, CallAnswered)], within=10.0)
        return answered.by

    async def together(self) -> None:
        """Return when caller and phone are in one bridge."""
        async with asyncio.timeout(10.0):
            while sorted(len(bridge.channels) for bridge in await self._listener.ari.bridges.list()) != [2]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # noqa: TID251 - Asterisk is asked, it does not tell

    def verdicts(self) -> list[Verdict]:
        return [one.verdict for one in self.told if isinstance(one, CallMissed | CallClosed)]


@contextlib.asynccontextmanager
async def call_in(
    asterisk: TestPbx, *, answer_after: float | None = None
) -> AsyncIterator[tuple[Listener, Channel, Phone]]:
    """A caller, in our hands, and the phone 101; at the end nothing of it is left."""
    async with (
        listening(asterisk) as listener,
        asterisk.desk_phone("101", answer_after=answer_after),
        asterisk.mobile(MOBILE) as mobile,
    ):
        mobile.call(asterisk.dial_in("+13055550101"))
        yield listener, (await listener.next(StasisStart)).channel, mobile
        await until(lambda: asterisk.channels() == [], what="the legs to be gone")


@contextlib.asynccontextmanager
async def under_way(running: Running) -> AsyncIterator[None]:
    """While its session runs, which has to end by itself."""
    async with asyncio.TaskGroup() as group:
        group.create_task(running.run())
        yield


def break_once(part: object, name: str, *, done: bool) -> None:
    """The connection breaks at the first of such requests: when Asterisk has done what it asks, or before."""
    request: Callable[..., Awaitable[Any]] = getattr(part, name)

    async def broken(*words: Any, **options: Any) -> None:
        setattr(part, name, request)
        if done:
            await request(*words, **options)
        raise UnavailableError(name, 0, "the connection was reset")

    setattr(part, name, broken)


@pytest.mark.parametrize("done", [True, False])
async def test_a_phone_that_was_asked_to_ring_without_an_answer_of_asterisk_is_not_unreachable(
    asterisk: TestPbx, done: bool
) -> None:
    async with call_in(asterisk, answer_after=1.0) as (listener, caller, mobile):
        break_once(listener.ari.channels, "originate", done=done)
        running = Running(listener, caller)
        async with under_way(running):
            assert await running.answered_by() == "101"
            await running.together()
            assert len(asterisk.channels()) == 2
            mobile.hang_up()
    assert len(running.verdicts()) == 1


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("step", ["create", "answer", "add"])
async def test_two_people_whose_connection_asterisk_did_not_confirm_hear_each_other_all_the_same(
    asterisk: TestPbx, step: str, done: bool
) -> None:
    async with call_in(asterisk, answer_after=0.5) as (listener, caller, mobile):
        place = listener.ari.channels if step == "answer" else listener.ari.bridges
        break_once(place, step, done=done)
        running = Running(listener, caller)
        async with under_way(running):
            assert await running.answered_by() == "101"
            await mobile.heard("answered")
            await running.together()
            mobile.hang_up()


async def test_a_phone_that_was_answered_unheard_is_seen_with_the_next_connection(asterisk: TestPbx) -> None:
    async with call_in(asterisk, answer_after=0.5) as (listener, caller, mobile):
        running = Running(listener, caller, deaf=True, first_ring_seconds=60.0)
        async with under_way(running):
            await listener.next(StasisStart, lambda start: start.channel.id != caller.id)
            assert running.told == []
            await running.look()
            assert await running.answered_by() == "101"
            await running.together()
            mobile.hang_up()
            await until(lambda: len(asterisk.channels()) < 2, what="the caller to be gone")
            await running.look()
    assert running.verdicts() == [Verdict.DROPPED]


async def test_a_phone_that_rings_unheard_is_seen_with_the_next_connection(asterisk: TestPbx) -> None:
    async with call_in(asterisk) as (listener, caller, mobile):
        running = Running(listener, caller, deaf=True, first_ring_seconds=60.0, ring_seconds=0.3)
        async with under_way(running):
            await listener.next(Dial, lambda dial: dial.status == "RINGING")
            await running.look()
            await until(running.verdicts, what="the verdict")
            mobile.hang_up()
    assert running.verdicts() == [Verdict.NO_ANSWER]


async def test_a_phone_whose_leg_ended_unheard_is_rung_again_for_the_caller_who_still_waits(asterisk: TestPbx) -> None:
    async with call_in(asterisk, answer_after=1.5) as (listener, caller, mobile):
        running = Running(listener, caller, deaf=True, first_ring_seconds=60.0)
        async with under_way(running):
            ringing = await listener.next(Dial, lambda dial: dial.status == "RINGING")
            await listener.ari.channels.hangup(ringing.peer.id)
            await listener.next(ChannelDestroyed)
            assert running.told == []
            await running.look()
            await listener.next(StasisStart)
            await running.look()
            assert await running.answered_by() == "101"
            await running.together()
            mobile.hang_up()
            await until(lambda: len(asterisk.channels()) < 2, what="the caller to be gone")
            await running.look()


async def test_a_conversation_whose_end_was_not_heard_is_over_with_the_next_connection(asterisk: TestPbx) -> None:
    async with call_in(asterisk, answer_after=0.2) as (listener, caller, mobile):
        running = Running(listener, caller)
        async with under_way(running):
            await running.together()
            running.deaf = True
            await listener.ari.channels.hangup(f"{caller.id}-leg0")
            await until(lambda: len(asterisk.channels()) < 2, what="the phone to be gone")
            assert running.verdicts() == []
            await running.look()
            await mobile.heard("ended")
    assert running.verdicts() == [Verdict.DROPPED]


@pytest.mark.parametrize(("answer_after", "verdict"), [(None, Verdict.NO_ANSWER), (0.3, Verdict.DROPPED)])
async def test_nobody_is_missed_before_asterisk_was_asked_what_the_phones_do(
    asterisk: TestPbx, answer_after: float | None, verdict: Verdict
) -> None:
    """A link that is cut without a word is only noticed after seconds; deadlines pass meanwhile."""
    async with call_in(asterisk, answer_after=answer_after) as (listener, caller, mobile):
        running = Running(listener, caller, deaf=True, first_ring_seconds=1.5, ring_seconds=0.3)
        async with under_way(running):
            if answer_after is None:
                await until(running.verdicts, what="the verdict")
            else:
                await running.together()
            mobile.hang_up()
            await until(lambda: len(asterisk.channels()) < 2, what="the caller to be gone")
            await running.look()
    assert running.verdicts() == [verdict]


async def test_a_verdict_waits_while_asterisk_cannot_be_asked(asterisk: TestPbx) -> None:
    async with call_in(asterisk, answer_after=1.0) as (listener, caller, mobile):
        channels = listener.ari.channels
        get = channels.get
        asked = itertools.count()

        async def away(channel: str) -> Channel:
            next(asked)
            raise UnavailableError("GET", 0, "the connection was refused")

        channels.get = away  # type: ignore[method-assign]
        running = Running(listener, caller, deaf=True, first_ring_seconds=0.2)
        async with under_way(running):
            await listener.next(StasisStart, lambda start: start.channel.id != caller.id)
            await until(lambda: next(asked) > 3, what="some tries")
            assert running.told == []
            channels.get = get  # type: ignore[method-assign]
            assert await running.answered_by() == "101"
            mobile.hang_up()
            await until(lambda: len(asterisk.channels()) < 2, what="the caller to be gone")
            await running.look()


async def test_a_phone_that_was_called_off_in_vain_is_called_off_with_the_next_connection(asterisk: TestPbx) -> None:
    async with asterisk.desk_phone("102"), call_in(asterisk) as (listener, caller, mobile):
        break_once(listener.ari.channels, "hangup", done=False)
        turns: dict[str, Any] = {"strategy": Strategy.IN_ORDER, "phones": ("101", "102"), "each_seconds": 1.0}
        running = Running(listener, caller, **turns)
        async with under_way(running):
            await until(lambda: len(asterisk.channels()) == 3, what="the second phone's turn, beside the first")
            await running.look()
            first = f"{caller.id}-leg0"
            await listener.next(ChannelDestroyed, lambda event: event.channel.id == first)
            assert len(asterisk.channels()) == 2
            mobile.hang_up()


async def test_a_phone_that_was_called_off_in_vain_is_called_off_again_while_the_two_talk(asterisk: TestPbx) -> None:
    async with (
        asterisk.desk_phone("102"),
        call_in(asterisk, answer_after=1.0) as (listener, caller, mobile),
    ):
        break_once(listener.ari.channels, "hangup", done=False)
        running = Running(listener, caller, phones=("101", "102"))
        async with under_way(running):
            assert await running.answered_by() == "101"
            await running.together()
            await until(lambda: len(asterisk.channels()) == 2, what="the other phone to be called off")
            mobile.hang_up()


@pytest.mark.parametrize("done", [True, False])
async def test_a_caller_whom_asterisk_did_not_let_go_is_let_go_again(asterisk: TestPbx, *, done: bool) -> None:
    async with call_in(asterisk) as (listener, caller, mobile):
        running = Running(listener, caller, ring_seconds=0.3, of_entry={"rings": 1}, after_miss=AfterMiss.HANGUP)
        async with under_way(running):
            await until(lambda: len(asterisk.channels()) == 2, what="the ringing")
            original = listener.ari.channels.hangup

            async def hangup(channel: str, *reason: Any) -> None:
                if channel == caller.id:
                    listener.ari.channels.hangup = original  # type: ignore[method-assign]
                    if done:
                        await original(channel, *reason)
                    raise UnavailableError("hangup", 0, "no answer")
                await original(channel, *reason)

            listener.ari.channels.hangup = hangup  # type: ignore[method-assign,assignment]
            await mobile.heard("ended", within=15.0)
        assert running.verdicts() == [Verdict.NO_ANSWER]


async def test_a_leg_that_a_dead_ringback_had_just_asked_for_is_taken_over_not_taken_for_unreachable(
    asterisk: TestPbx,
) -> None:
    async with (
        listening(asterisk) as listener,
        asterisk.desk_phone("101", answer_after=2.0) as desk,
        asterisk.mobile(MOBILE) as mobile,
    ):
        mobile.call(asterisk.dial_in("+13055550101"))
        caller = (await listener.next(StasisStart)).channel
        leg = f"{caller.id}-leg0"
        await listener.ari.channels.originate(
            "PJSIP/101", channel=leg, args=("leg",), caller=CallerId("13055550199"), originator=caller.id
        )
        await listener.next(Dial, lambda dial: dial.peer.id == leg and dial.status == "RINGING")
        running = Running(listener, caller)
        async with asyncio.TaskGroup() as group:
            group.create_task(running.run())
            await desk.heard("answered")
            answered = await until(lambda: [one for one in running.told if isinstance(one, CallAnswered)])
            assert [one.by for one in answered] == ["101"]
            assert len(asterisk.channels()) == 2
            mobile.hang_up()
        await until(lambda: asterisk.channels() == [], what="the legs to be gone")
