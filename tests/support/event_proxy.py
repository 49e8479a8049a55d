"""A TCP proxy between us and Asterisk's HTTP server that tells events twice, or in another order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from tests.support.tcp_proxy import TcpProxy

TEXT = 1
"""RFC 6455 section 5.2: the opcode of a text frame. Each of Asterisk's events is one."""
LATE_SECONDS = 0.1
"""An event waits so long for the one that overtakes it."""


def frames(buffer: bytearray) -> Iterator[bytes]:
    """The whole frames at the beginning of what a server sends, which is not masked; they are taken out of ``buffer``."""
    while len(buffer) >= 2:
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return
        yield bytes(buffer[: start + length])
        del buffer[: start + length]


class EventProxy(TcpProxy):
    """``twice``: each event comes two times. ``swapped``: an event is overtaken by the next one, where one follows soon."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.twice = False
        self.swapped = False
        self.disturbed = 0
        """Events that came twice or late."""

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False) -> None:
        if counted:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                raise ConnectionResetError("one side has closed") from None
            await self._pass(head, writer)
            if head.startswith(b"HTTP/1.1 101"):
                await self._events(reader, writer)
        await super()._pump(reader, writer, counted=counted)

    async def _events(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer, held = bytearray(), b""
        while True:
            try:
                async with asyncio.timeout(LATE_SECONDS if held else None):
                    data = await reader.read(65536)
            except TimeoutError:
                await self._pass(held, writer)
                held = b""
                continue
            if not data:
                return
            buffer += data
            for frame in frames(buffer):
                is_event = frame[0] & 0x0F == TEXT
                if is_event and self.swapped and not held:
                    held = frame
                    continue
                await self._pass(frame * 2 if is_event and self.twice else frame, writer)
                self.disturbed += is_event and (self.twice or bool(held))
                if is_event:
                    await self._pass(held, writer)
                    held = b""

    async def _pass(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        writer.write(data)
        await writer.drain()
        self.brought += len(data)
