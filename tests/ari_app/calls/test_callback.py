"""One callback's shell, where Asterisk's REST interface does not answer: against a real HTTP server that keeps silent;
or where its events do not reach us."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web

from ari_app.calls import callback
from ari_app.calls.callback import CallbackSession, FateUnknownError, Route
from ari_app.clock import SystemClock
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import StateConflictError
from ari_app.pbx.event_socket import Snapshot
from ari_app.pbx.models import Application, AsteriskInfo
from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.events import CallbackEnded, Event
from ari_app.recovery.values import CallbackEnd, EffectId
from ari_app.speech import VoiceSoon
from tests.ari_app.pbx.events import CHANNEL
from tests.ari_app.pbx.test_ari_http import ari_of
from tests.support.books import CALLER, DIALLED, NOON
from tests.support.waiting import until

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


def session_with(ari: Ari, told: list[Event], route: Route = ROUTE) -> CallbackSession:
    return CallbackSession(
        EffectId("7.0"), ORDER, route, ari, VoiceSoon(), SystemClock(), told.append, own=lambda _: None
    )


async def ring(asterisk: Silent) -> tuple[bool, list[Event]]:
    """What ``ring`` returns, and what it tells."""
    told: list[Event] = []
    async with ari_of(asterisk.answer, within=0.5) as ari:
        return await session_with(ari, told).ring(), told


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


class Ringing(Silent):
    """Asterisk, which rings, and of which no event arrives."""

    def __init__(self) -> None:
        super().__init__(hangup=204)
        self.rings = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return await super().answer(request)
        self.rings.set()
        return web.json_response({**CHANNEL, "id": "callback-7.0", "state": "Down"})


def nothing_there(asked_at: float) -> Snapshot:
    """Asterisk has no channel."""
    info = AsteriskInfo("22.10.1", "0", NOON, NOON)
    return Snapshot(info, Application("ringback", (), (), ()), (), (), (), asked_at)


async def test_only_a_snapshot_of_after_it_rang_can_tell_that_it_rings_no_more() -> None:
    asterisk, told, now = Ringing(), list[Event](), asyncio.get_running_loop().time
    async with ari_of(asterisk.answer) as ari, asyncio.TaskGroup() as group:
        session = session_with(ari, told)

        def seen(at: float) -> bool:
            session.compare(nothing_there(at))
            return session.live

        before = now()
        assert seen(before), "it is not asked for yet"
        ringing = group.create_task(session.ring())
        await until(asterisk.rings.is_set)
        for _ in range(20):
            assert seen(before)
            await asyncio.sleep(0.005)  # noqa: TID251 - that nothing comes of it is what is shown
        assert not ringing.done()
        await until(lambda: not seen(now()))
        assert not await ringing
    assert [event.end for event in told if isinstance(event, CallbackEnded)] == [CallbackEnd.FAILED]


async def test_an_end_that_nobody_hears_of_does_not_hold_its_place_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "UNHEARD_SECONDS", 0.1)
    asterisk, told = Ringing(), list[Event]()
    async with ari_of(asterisk.answer) as ari:
        assert not await session_with(ari, told, replace(ROUTE, ring_seconds=0)).ring()
    assert [event.end for event in told if isinstance(event, CallbackEnded)] == [CallbackEnd.NO_ANSWER]
    assert asterisk.asked == ["DELETE /channels/callback-7.0"]


class Parting(Silent):
    """Asterisk, which has the desk phone in the bridge only when it is asked for the third time."""

    def __init__(self) -> None:
        super().__init__(hangup=204)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path.removeprefix('/ari')}")
        if len(self.asked) < 3:
            return web.json_response({"message": "Channel not in Stasis application"}, status=409)
        return web.Response(status=204)


async def test_two_people_who_have_picked_up_are_put_together_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "JOIN_WAITS", (0.01,) * 3)
    asterisk = Parting()
    async with ari_of(asterisk.answer) as ari:
        await session_with(ari, [])._join("callback-7.0-desk0")
    assert asterisk.asked == ["POST /bridges/callback-7.0-talk/addChannel"] * 3


async def test_a_phone_that_cannot_be_joined_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "JOIN_WAITS", (0.01,))
    asterisk = Parting()
    async with ari_of(asterisk.answer) as ari:
        with pytest.raises(StateConflictError):
            await session_with(ari, [])._join("callback-7.0-desk0")
