"""The proxies do to a link what they say; what a fault does to Ringback shows only then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.event_proxy import EventProxy, frames
from tests.support.tcp_proxy import TcpProxy

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def event(text: str, opcode: int = 1) -> bytes:
    """A server's frame."""
    body = text.encode()
    length = bytes([len(body)]) if len(body) < 126 else bytes([126]) + len(body).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + body


@contextlib.asynccontextmanager
async def through(proxy: type[TcpProxy]) -> AsyncIterator[tuple[TcpProxy, asyncio.StreamWriter, asyncio.StreamReader]]:
    """The proxy, the server's writer, and the client's reader."""
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), "127.0.0.1", 0)
    async with server, proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        far = await accepted.get()
        try:
            yield link, far, reader
        finally:
            writer.close()
            far.close()


@pytest.mark.parametrize("size", [0, 5, 125, 126, 300])
def test_frames_are_taken_out_whole_however_they_come(size: int) -> None:
    sent, buffer, found = event("x" * size) + event("pong", 10), bytearray(), []
    for octet in sent:
        buffer.append(octet)
        found += list(frames(buffer))
    assert found == [event("x" * size), event("pong", 10)]
    assert not buffer


async def test_each_event_comes_twice_and_nothing_else_does() -> None:
    async with through(EventProxy) as (proxy, far, reader):
        assert isinstance(proxy, EventProxy)
        proxy.twice = True
        far.write(HEAD + event("one") + event("ping", 9) + event("two"))
        wanted = HEAD + event("one") * 2 + event("ping", 9) + event("two") * 2
        assert await reader.readexactly(len(wanted)) == wanted
        assert proxy.disturbed == 2


async def test_an_event_is_overtaken_by_the_next_one_or_comes_late_when_there_is_none() -> None:
    async with through(EventProxy) as (proxy, far, reader):
        assert isinstance(proxy, EventProxy)
        proxy.swapped = True
        far.write(HEAD + event("one") + event("two") + event("three"))
        wanted = HEAD + event("two") + event("one") + event("three")
        assert await reader.readexactly(len(wanted)) == wanted
        assert proxy.disturbed == 1


async def test_what_is_no_event_stream_is_left_alone() -> None:
    async with through(EventProxy) as (proxy, far, reader):
        assert isinstance(proxy, EventProxy)
        proxy.twice = proxy.swapped = True
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + event("one")
        far.write(answer)
        assert await reader.readexactly(len(answer)) == answer


async def test_octets_of_nobody_come_in_the_middle() -> None:
    async with through(TcpProxy) as (proxy, far, reader):
        far.write(b"half a ")
        assert await reader.readexactly(7) == b"half a "
        proxy.inject(b"\xff\xff")
        far.write(b"message")
        assert await reader.readexactly(9) == b"\xff\xffmessage"


async def test_a_slow_side_gives_an_octet_at_a_time() -> None:
    async with through(TcpProxy) as (proxy, far, reader):
        proxy.octet_seconds = 0.01
        far.write(b"slow")
        assert [await reader.read(100) for _ in range(4)] == [b"s", b"l", b"o", b"w"]
        proxy.octet_seconds = 0.0
        far.write(b"fast again")
        assert await reader.read(100) == b"fast again"
