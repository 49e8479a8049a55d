"""A proxy between us and Asterisk whose event socket tells everything twice, late, and in another order."""

from __future__ import annotations

import asyncio

from tests.support.tcp_proxy import TcpProxy

HELD_SECONDS = 0.15
"""How long an event is kept back for the next one to overtake it."""
_TEXT = 0x81
"""First octet of a whole text message (RFC 6455 section 5.2)."""


class EventMeddler(TcpProxy):
    """Of two events in a row the second comes first, and each comes twice. All else goes through as it is."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.doubled = 0
        self.swapped = 0

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool = False) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            if counted and data.startswith(b"HTTP/1.1 101"):
                head, _, rest = data.partition(b"\r\n\r\n")
                writer.write(head + b"\r\n\r\n")
                await self._meddle(reader, writer, bytearray(rest))
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError("one side has closed")

    async def _meddle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, waiting: bytearray) -> None:
        held: bytes | None = None
        while True:
            while (frame := _frame(waiting)) is not None:
                if frame[0] != _TEXT:
                    writer.write(frame)
                elif held is None:
                    held = frame
                else:
                    writer.writelines([frame, held, held, frame])
                    self.swapped, self.doubled, held = self.swapped + 1, self.doubled + 2, None
            try:
                async with asyncio.timeout(None if held is None else HELD_SECONDS):
                    data = await reader.read(65536)
            except TimeoutError:
                assert held is not None
                writer.writelines([held, held])
                self.doubled, held = self.doubled + 1, None
                continue
            if not data:
                raise ConnectionResetError("one side has closed")
            waiting += data


def _frame(waiting: bytearray) -> bytes | None:
    """The first whole frame, taken out; None while there is none. A server's frames are not masked."""
    if len(waiting) < 2:
        return None
    size, at = waiting[1], 2
    if size >= 126:
        at = 4 if size == 126 else 10
        size = int.from_bytes(waiting[2:at], "big")
    if len(waiting) < at + size:
        return None
    frame = bytes(waiting[: at + size])
    del waiting[: at + size]
    return frame
