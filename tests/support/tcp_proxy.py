"""A TCP proxy between us and a server that can cut, freeze, refuse, slow down and garble, as networks do."""

from __future__ import annotations

import asyncio
import socket
import struct
from types import TracebackType
from typing import Self


class TcpProxy:
    """Forwards a loopback port to ``host``:``port``. Use it with ``async with``."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.target_port = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._near: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.refusing = False
        self.octet_seconds = 0.0
        """Above 0, what the far side sends comes octet by octet, each so long after the one before."""
        self.accepted = 0
        self.brought = 0
        """Octets that the far side has sent and that were handed on."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._open.set()
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Resets every connection, both ways (RST, as a crashed host's successor would)."""
        for writer in list(self._writers):
            raw = writer.get_extra_info("socket")
            if raw is not None and raw.fileno() != -1:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def freeze(self) -> None:
        """From now on nothing gets through and nobody is told: a half-open link."""
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def inject(self, octets: bytes) -> None:
        """Into every connection, as if the far side had sent them; also in the middle of what it sends."""
        for writer in self._near:
            writer.write(octets)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        self._near.add(writer)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer))
                group.create_task(self._pump(far_reader, writer, counted=True))
        except* OSError:
            pass
        finally:
            self._near.discard(writer)
            for each in (writer, far_writer):
                each.transport.abort()
                self._writers.discard(each)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            while counted and self.octet_seconds and data:
                writer.write(data[:1])
                data = data[1:]
                self.brought += 1
                await asyncio.sleep(self.octet_seconds)  # noqa: TID251 - this slowness is the fault
            writer.write(data)
            await writer.drain()
            self.brought += len(data) if counted else 0
        raise ConnectionResetError("one side has closed")
