"""One callback's shell, where Asterisk's REST interface does not answer: against a real HTTP server that keeps silent."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from aiohttp import web

from ari_app.calls.callback import CallbackSession, FateUnknownError, Route
from ari_app.clock import SystemClock
from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.events import CallbackEnded, Event
from ari_app.recovery.values import CallbackEnd, EffectId
from ari_app.speech import VoiceSoon
from tests.ari_app.pbx.test_ari_http import ari_of
from tests.support.books import CALLER, DIALLED, NOON

ORDER = PlaceCallback(
    to=CALLER,
    caller_id=DIALLED,
    missed_at=NOON,
    office="miami",
    name=None,
    listing=None,
    phones=("101",),
    expires_at=NOON + timedelta(minutes=5),
    by_request=False,
)
ROUTE = Route(f"PJSIP/{CALLER}@carrier", 30, 240.0, "ws://127.0.0.1:1", "127.0.0.1")


class Silent:
    """Asterisk, which takes the order to ring and says nothing; ``hangup`` is how it answers what takes that back."""

    def __init__(self, hangup: int | None) -> None:
        self._hangup = hangup
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path.removeprefix('/ari')}")
        if request.method == "DELETE" and self._hangup is not None:
            return web.json_response({"message": "Channel not found"}, status=self._hangup)
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


async def ring(asterisk: Silent) -> tuple[bool, list[Event]]:
    """What ``ring`` returns, and what it tells."""
    told: list[Event] = []
    async with ari_of(asterisk.answer, within=0.5) as ari:
        session = CallbackSession(
            EffectId("7.0"), ORDER, ROUTE, ari, VoiceSoon(), SystemClock(), told.append, own=lambda _: None
        )
        return await session.ring(), told


@pytest.mark.parametrize("status", [204, 404])
async def test_a_phone_that_may_ring_though_nobody_said_so_is_hung_up(status: int) -> None:
    asterisk = Silent(hangup=status)
    answered, told = await ring(asterisk)
    assert not answered
    assert asterisk.asked == ["POST /channels/callback-7.0", "DELETE /channels/callback-7.0"]
    assert [event.end for event in told if isinstance(event, CallbackEnded)] == [CallbackEnd.FAILED]


async def test_where_nobody_can_say_whether_it_rings_nothing_is_told_but_the_doubt() -> None:
    asterisk = Silent(hangup=None)
    with pytest.raises(FateUnknownError, match="no answer"):
        await ring(asterisk)
    assert asterisk.asked == ["POST /channels/callback-7.0", "DELETE /channels/callback-7.0"]
