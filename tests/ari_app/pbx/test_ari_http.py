"""ARI's HTTP: what each answer means, against a real HTTP server that gives it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import orjson
import pytest
from aiohttp import web

from ari_app.pbx.ari import Ari
from ari_app.pbx.channels import CallerId
from ari_app.pbx.errors import (
    AriError,
    BadRequestError,
    MalformedAnswerError,
    NotFoundError,
    RefusedError,
    ServerFaultError,
    StateConflictError,
    UnavailableError,
)
from tests.ari_app.pbx.events import CHANNEL
from tests.support.ports import free_port

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def ari_of(handler: Handler, *, within: float = 5.0, connections: int = 4) -> AsyncIterator[Ari]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with Ari(
            f"http://127.0.0.1:{port}", "us", "p:w", application="app", within=within, connections=connections
        ) as ari:
            yield ari
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "error", "builtin"),
    [
        (400, {"message": "Invalid parameter"}, BadRequestError, ValueError),
        (400, {"message": "Channel not found"}, NotFoundError, LookupError),
        (401, {"error": "Authentication required"}, RefusedError, PermissionError),
        (403, {"message": "read only"}, RefusedError, PermissionError),
        (404, {"message": "Channel not found"}, NotFoundError, LookupError),
        (409, {"message": "Channel not in Stasis"}, StateConflictError, AriError),
        (422, {"message": "Channel not in Stasis application"}, StateConflictError, AriError),
        (500, {"error": "Allocation failed"}, ServerFaultError, AriError),
    ],
)
async def test_each_refusal_is_an_error_of_its_own_that_keeps_asterisks_words(
    status: int, body: dict[str, str], error: type[AriError], builtin: type[Exception]
) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    async with ari_of(refuse) as ari:
        with pytest.raises(error) as caught:
            await ari.channels.answer("c 1/2")
    assert isinstance(caught.value, builtin)
    assert caught.value.status == status
    assert caught.value.reason == next(iter(body.values()))
    assert caught.value.request == "POST /channels/c 1/2/answer"


async def test_no_server_at_all_is_unavailable() -> None:
    async with Ari(f"http://127.0.0.1:{free_port()}", "u", "p", application="app") as ari:
        with pytest.raises(UnavailableError) as caught:
            await ari.server.ping()
    assert isinstance(caught.value, ConnectionError)


async def test_a_server_that_does_not_answer_in_time_is_unavailable_and_its_connection_is_not_used_again() -> None:
    peers = []

    async def stall(request: web.Request) -> web.Response:
        peers.append(request.transport)
        if len(peers) == 1:
            await asyncio.Event().wait()
        return web.json_response({})

    async with ari_of(stall, within=0.2) as ari:
        with pytest.raises(UnavailableError, match=r"no answer within 0\.2 s"):
            await ari.server.ping()
        await ari.server.ping()
    assert peers[0] is not peers[1]


async def test_a_server_that_hangs_up_is_unavailable() -> None:
    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with ari_of(drop) as ari:
        with pytest.raises(UnavailableError):
            await ari.channels.answer("c")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"id": 7}'])
async def test_an_answer_that_is_not_what_the_documents_promise_is_malformed(body: bytes) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body)

    async with ari_of(answer) as ari:
        with pytest.raises(MalformedAnswerError):
            await ari.channels.get("c")


async def test_requests_carry_the_password_and_ids_go_through_as_they_are() -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response(CHANNEL)

    async with ari_of(answer) as ari:
        channel = await ari.channels.get("a/b?c#d é")
    assert channel.id == CHANNEL["id"]
    assert base64.b64decode(seen[0].headers["Authorization"].removeprefix("Basic ")) == b"us:p:w"
    assert seen[0].raw_path == "/ari/channels/a%2Fb%3Fc%23d%20%C3%A9"


async def test_more_requests_than_connections_wait_their_turn() -> None:
    running = most = 0

    async def count(_request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)  # noqa: TID251 - the others have to find it busy
        running -= 1
        return web.json_response({})

    async with ari_of(count, connections=4) as ari, asyncio.TaskGroup() as group:
        for _ in range(40):
            group.create_task(ari.server.ping())
    assert most == 4


async def test_originate_says_what_it_was_told_and_no_more() -> None:
    bodies = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(orjson.loads(await request.read()))
        return web.json_response(CHANNEL)

    async with ari_of(answer) as ari:
        await ari.channels.originate(
            "PJSIP/101",
            channel="leg-1",
            args=("leg", "c-1"),
            caller=CallerId("+13055550199", "Buyer"),
            ring_seconds=18,
            formats=("ulaw",),
        )
    assert bodies == [
        {
            "endpoint": "PJSIP/101",
            "app": "app",
            "appArgs": "leg,c-1",
            "timeout": 18,
            "callerId": '"Buyer" <+13055550199>',
            "formats": "ulaw",
        }
    ]


async def test_a_leg_of_which_asterisk_has_nothing_to_tell_was_made_all_the_same() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(None)

    async with ari_of(answer) as ari:
        await ari.channels.originate("PJSIP/101", channel="leg-1")


async def test_what_asterisk_would_misread_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="caller id"):
        CallerId("1", 'x" <900')
    async with Ari("http://127.0.0.1:1", "u", "p", application="app") as ari:
        with pytest.raises(ValueError, match="comma"):
            await ari.channels.originate("PJSIP/101", channel="c", args=("a,b",))
        with pytest.raises(ValueError, match="exclude"):
            await ari.channels.originate("PJSIP/101", channel="c", formats=("ulaw",), originator="x")
