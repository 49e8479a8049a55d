"""The supervisor of all calls, and the placer of callbacks, before an HTTP server that stands in Asterisk's place: what only a
moment would bring about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from ari_app.adapters import callback_placer
from ari_app.calls.orphans import GONE_LOOKS, Orphans
from ari_app.calls.supervisor import CallSupervisor
from ari_app.clock import SystemClock
from ari_app.pbx.ari import Ari
from ari_app.pbx.event_socket import Connected, Snapshot
from ari_app.pbx.fields import Fields
from ari_app.pbx.models import Application, AsteriskInfo, Channel
from ari_app.recovery.values import EffectId
from ari_app.runtime.outcome import RetryAt
from ari_app.speech import VoiceSoon
from ari_app.store.outbox import Order
from tests.ari_app.calls.test_callback import ORDER
from tests.ari_app.pbx.events import CHANNEL
from tests.ari_app.pbx.test_ari_http import ari_of
from tests.support.books import CALLER, DIALLED, NOON, Books
from tests.support.waiting import until

INFO = AsteriskInfo("22.10.1", "0", NOON, NOON)


class Asterisk:
    """Notes what it is asked; ``channels`` are there, and ``meanwhile`` happens when they are asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.channels: list[dict[str, Any]] = []
        self.applications: list[dict[str, Any]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path.removeprefix('/ari')}")
        if request.path.endswith("/applications"):
            return web.json_response(self.applications, status=200 if self.applications else 500)
        if request.method == "GET" and request.path.endswith("/channels"):
            self.meanwhile()
            return web.json_response(self.channels)
        return web.Response(status=204)


@asynccontextmanager
async def supervised(folder: Path, asterisk: Asterisk) -> AsyncIterator[tuple[CallSupervisor, Ari, Books]]:
    books = Books(folder, clock=SystemClock())
    async with ari_of(asterisk.answer) as ari:
        prompt = books.settings.document.prompt
        supervisor = CallSupervisor(ari, books.store, books.recorder, SystemClock(), {}, prompt, life="9f03ac")
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run())
            try:
                yield supervisor, ari, books
            finally:
                running.cancel()
                books.close()


async def test_a_callback_s_leg_is_no_arrival_whatever_its_trunk_s_context_is_called(tmp_path: Path) -> None:
    asterisk = Asterisk()
    async with supervised(tmp_path, asterisk) as (supervisor, _, _):
        leg = Channel.read(Fields({**CHANNEL, "id": "callback-17.0"}))
        assert leg.place.context == "inbound"
        supervisor.deliver(
            Connected(Snapshot(INFO, Application("app", (leg.id,), (), ()), (leg,), (), (), asked_at=0.0))
        )
        await until(lambda: len(asterisk.asked) == 2, what="what becomes of it")
        assert asterisk.asked == ["GET /applications", "DELETE /channels/callback-17.0"]
        assert not supervisor.holds(leg.id)


async def test_what_another_application_holds_is_left_alone(tmp_path: Path) -> None:
    asterisk = Asterisk()
    theirs, orphan = (Channel.read(Fields({**CHANNEL, "id": f"callback-{number}.0"})) for number in (17, 18))
    nothing: dict[str, Any] = {"bridge_ids": [], "endpoint_ids": [], "device_names": []}
    asterisk.applications = [
        {"name": "app", "channel_ids": [orphan.id], **nothing},
        {"name": "another", "channel_ids": [theirs.id], **nothing},
    ]
    async with supervised(tmp_path, asterisk) as (supervisor, _, _):
        seen = Snapshot(INFO, Application("app", (orphan.id,), (), ()), (theirs, orphan), (), (), asked_at=0.0)
        supervisor.deliver(Connected(seen))
        await until(lambda: len(asterisk.asked) == 2, what="what becomes of them")
        assert asterisk.asked == ["GET /applications", "DELETE /channels/callback-18.0"]


async def test_phones_are_rung_anew_when_the_legs_of_a_dead_process_are_gone(tmp_path: Path) -> None:
    """A phone with one line says busy to a leg that comes while the one before still rings it."""
    asterisk = Asterisk()
    caller = Channel.read(Fields({**CHANNEL, "dialplan": {**CHANNEL["dialplan"], "exten": DIALLED}}))
    leg = Channel.read(Fields({**CHANNEL, "id": f"{caller.id}-leg0.0a_0"}))
    asterisk.channels = [{**CHANNEL, "id": leg.id}]
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            asterisk.channels = []

    asterisk.meanwhile = look
    async with supervised(tmp_path, asterisk) as (supervisor, _, _):
        found = Application("app", (caller.id, leg.id), (), ())
        supervisor.deliver(Connected(Snapshot(INFO, found, (caller, leg), (), (), asked_at=0.0)))
        assert await until(lambda: asterisk.asked[5:], what="something to be done for the caller")
        looks_first = ["GET /applications", f"DELETE /channels/{leg.id}", *["GET /channels"] * 3]
        assert asterisk.asked[:5] == looks_first
        assert "GET /channels" not in asterisk.asked[5:]


async def test_a_leg_that_does_not_go_keeps_nobody_waiting_for_long(tmp_path: Path) -> None:
    asterisk = Asterisk()
    leg = {**CHANNEL, "id": f"{CHANNEL['id']}-leg0.0a_0"}
    asterisk.channels = [leg]
    async with ari_of(asterisk.answer) as ari:
        orphans = Orphans(ari, SystemClock(), lambda _: False)
        await orphans.gone([leg["id"]])
        assert len(asterisk.asked) == GONE_LOOKS
        await orphans.gone([])
        assert len(asterisk.asked) == GONE_LOOKS


async def test_who_calls_while_asterisk_tells_who_is_on_the_line_is_not_rung(tmp_path: Path) -> None:
    asterisk = Asterisk()
    async with supervised(tmp_path, asterisk) as (supervisor, ari, books):
        asterisk.meanwhile = lambda: supervisor.enter(CALLER)
        supervisor.connected = True
        soon = VoiceSoon()
        soon.loaded = lambda: True  # type: ignore[method-assign]
        placer = callback_placer(books.settings, ari, supervisor, soon, SystemClock())
        assert placer is not None
        order = Order(EffectId("7.0"), None, "callback", ORDER, "doing", NOON, NOON, None, 1, None, None)
        outcome = await placer.act(order)
    assert isinstance(outcome, RetryAt)
    assert not any(asked.startswith("POST") for asked in asterisk.asked)
