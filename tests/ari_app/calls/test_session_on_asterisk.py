"""One call's shell on a real Asterisk: what only a race would bring about."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from ari_app.calls.session import CallSession
from ari_app.clock import SystemClock
from ari_app.pbx.channels import CallerId
from ari_app.pbx.messages import AriEvent, Dial, StasisStart
from ari_app.pbx.models import Channel
from ari_app.recovery.events import CallAnswered, Event
from tests.ari_app.calls.telling import setup
from tests.ari_app.pbx.listening import Listener, listening
from tests.support.asterisk import TestPbx, asterisk, shared_pbx
from tests.support.waiting import until

__all__ = ["asterisk", "shared_pbx"]

pytestmark = pytest.mark.e2e

MOBILE = "+13055550199"


class Running:
    """A session for ``caller``, fed with what the listener hears from now on."""

    def __init__(self, listener: Listener, caller: Channel) -> None:
        self.told: list[Event] = []
        self._listener = listener
        self._heard = len(listener.events)
        self.session = CallSession(
            setup(call_id=caller.id, phones=("101",), ring_seconds=30.0),
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
            await until(lambda: len(events) > self._heard, within=60.0)
            self.session.deliver(cast("AriEvent", events[self._heard]))
            self._heard += 1


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
        assert asterisk.channels() == []
