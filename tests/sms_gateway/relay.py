"""A TCP relay on loopback that can speak TLS to the client, and make the way longer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class _Half(asyncio.Protocol):
    """One direction's receiver; passes what it gets to its other half, each piece ``delay`` seconds later."""

    def __init__(self, delay: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay = delay
        self._transport: asyncio.Transport | None = None
        self._early: deque[bytes] = deque()
        self.other: _Half | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        while self._early:
            self._transport.write(self._early.popleft())

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        assert self._transport is not None
        # Or a peer with Nagle's algorithm waits for our delayed acknowledgement, and the way is longer than it says.
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if self._delay:
            self._loop.call_later(self._delay, self.other.write, data)
        else:
            self.other.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()

    def write(self, data: bytes) -> None:
        if self._transport is None:
            self._early.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@asynccontextmanager
async def relay(port: int, *, rtt_seconds: float = 0.0, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a relay to ``port``, whose answers take ``rtt_seconds`` longer; TLS with ``context``."""
    loop = asyncio.get_running_loop()
    halves: list[_Half] = []

    async with asyncio.TaskGroup() as group:

        def accepted() -> _Half:
            near, far = _Half(rtt_seconds / 2), _Half(rtt_seconds / 2)
            near.other, far.other = far, near
            halves.extend((near, far))
            group.create_task(_connect(loop, far, port))
            return near

        server = await loop.create_server(accepted, "127.0.0.1", 0, ssl=context)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for half in halves:
                half.close()


async def _connect(loop: asyncio.AbstractEventLoop, half: _Half, port: int) -> None:
    await loop.create_connection(lambda: half, "127.0.0.1", port)
