"""A chan_websocket made of paper: does what a test says, and remembers what it was sent."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.waiting import until

START: dict[str, Any] = {"event": "MEDIA_START", "format": "slin", "optimal_frame_size": 320}


@dataclass
class PaperChannel:
    """``sent`` is everything from us in order: bytes, or the parsed command. ``plays``: says at once that it was heard."""

    greets: bool = True
    plays: bool = True
    sent: list[bytes | dict[str, Any]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    _socket: web.WebSocketResponse | None = None

    @property
    def commands(self) -> list[str]:
        return [message["command"] for message in self.sent if isinstance(message, dict)]

    @property
    def audio(self) -> list[bytes]:
        return [message for message in self.sent if isinstance(message, bytes)]

    async def tell(self, event: str | dict[str, Any]) -> None:
        """Sends a control message, or a text that is none."""
        await (await self.socket()).send_str(event if isinstance(event, str) else json.dumps(event))

    async def speak(self, pcm: bytes) -> None:
        await (await self.socket()).send_bytes(pcm)

    async def socket(self) -> web.WebSocketResponse:
        await until(lambda: self._socket)
        assert self._socket is not None
        return self._socket

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("media",), autoping=False)
        await socket.prepare(request)
        self.headers = dict(request.headers)
        if self.greets:
            await socket.send_str(json.dumps(START))
        self._socket = socket
        async for message in socket:
            assert message.type in (WSMsgType.BINARY, WSMsgType.TEXT), message
            if message.type is WSMsgType.BINARY:
                self.sent.append(message.data)
                continue
            command = json.loads(message.data)
            self.texts.append(message.data)
            self.sent.append(command)
            if self.plays and command["command"] == "STOP_MEDIA_BUFFERING":
                await self.tell({"event": "MEDIA_BUFFERING_COMPLETED", "correlation_id": command["correlation_id"]})
        return socket


@contextlib.asynccontextmanager
async def paper_channel(*, greets: bool = True, plays: bool = True) -> AsyncIterator[PaperChannel]:
    channel = PaperChannel(greets=greets, plays=plays)
    application = web.Application()
    application.router.add_get("/media/{id}", channel.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        channel.url = f"ws://127.0.0.1:{runner.addresses[0][1]}/media/1"
        yield channel
    finally:
        await runner.cleanup()
