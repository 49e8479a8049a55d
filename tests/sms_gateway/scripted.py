"""An SMSC that does exactly what a test says, and a gateway bound to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from sms_gateway.errors import SmsError
from sms_gateway.messages import InboundText, OutboundText, Receipt
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.client import SmppGateway
from sms_gateway.smpp.inbox import PartStore
from sms_gateway.smpp.options import LinkOptions
from tests.support.waiting import until

OFFICE, CALLER = "+13055550100", "+13055550123"
T = TypeVar("T")
B = TypeVar("B", bound=wire.Body)


class Peer:
    """One connection of a client, seen from the SMSC. Nothing is answered unless the test says so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def receive(self) -> wire.Pdu:
        """The next PDU, within five seconds. Raises IncompleteReadError when the client has closed."""
        async with asyncio.timeout(5.0):
            head = await self._reader.readexactly(16)
            return wire.decode(head + await self._reader.readexactly(wire.read_header(head).length - 16))

    async def expect(self, kind: type[B]) -> tuple[int, B]:
        """The sequence number and body of the next PDU, which is of ``kind``."""
        received = await self.receive()
        assert isinstance(received.body, kind), received
        return received.sequence, received.body

    def send(self, body: wire.Body, sequence: int, status: int = 0) -> None:
        """Send a PDU."""
        self.send_octets(wire.encode(body, sequence, status))

    def send_octets(self, octets: bytes) -> None:
        """Send anything."""
        self._writer.write(octets)

    async def accept_bind(self) -> wire.Body:
        """Receive any bind and say yes."""
        received = await self.receive()
        answers = {0x01: wire.BindReceiverResp, 0x02: wire.BindTransmitterResp, 0x09: wire.BindTransceiverResp}
        self.send(answers[received.command_id](system_id="scripted"), received.sequence)
        return received.body

    async def closed(self) -> None:
        """Wait until the client has closed; what it still sends is ignored."""
        async with asyncio.timeout(5.0):
            try:
                while await self._reader.read(65_536):
                    pass
            except ConnectionError:
                pass

    def cut(self) -> None:
        """Reset the connection."""
        self._writer.transport.abort()

    def stop_reading(self) -> None:
        """Be half open: still there for TCP, deaf for SMPP."""
        cast(asyncio.Transport, self._writer.transport).pause_reading()


class ScriptedSmsc:
    """Listens on a free port of loopback."""

    def __init__(self) -> None:
        self.peers: asyncio.Queue[Peer] = asyncio.Queue()
        self.accepted = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.append(writer)
        self.peers.put_nowait(Peer(reader, writer))

    async def peer(self) -> Peer:
        """The next client that connects."""
        async with asyncio.timeout(5.0):
            return await self.peers.get()

    async def bound_peer(self) -> Peer:
        """The next client that connects, its bind accepted."""
        peer = await self.peer()
        await peer.accept_bind()
        return peer


@dataclass
class Inbox:
    """Stores what comes in, or fails to, as the test says."""

    messages: list[InboundText | Receipt] = field(default_factory=list)
    failures: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def store(self, message: InboundText | Receipt) -> None:
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the disk is full")
        self.messages.append(message)

    @property
    def texts(self) -> list[InboundText]:
        return [message for message in self.messages if isinstance(message, InboundText)]

    @property
    def receipts(self) -> list[Receipt]:
        return [message for message in self.messages if isinstance(message, Receipt)]


def options(port: int, **change: Any) -> LinkOptions:
    """Patience fit for a test."""
    facts: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "system_id": "ringback",
        "password": "secret",
        "response_seconds": 2.0,
        "stop_seconds": 0.05,
        "reconnect_seconds": 0.02,
        "reconnect_cap_seconds": 0.1,
        "throttle_seconds": 0.02,
        "rate_per_second": 10_000.0,
        **change,
    }
    return LinkOptions(**facts)


def gateway(link: LinkOptions, inbox: Inbox, parts: PartStore | None = None) -> SmppGateway:
    """Not started. Randomness is half."""
    return SmppGateway(
        link,
        inbox.store,
        wall=lambda: datetime(2026, 11, 23, 14, 5, 6, tzinfo=UTC),
        random=lambda: 0.5,
        parts=parts,
    )


@asynccontextmanager
async def talking(
    *, parts: PartStore | None = None, **change: Any
) -> AsyncIterator[tuple[ScriptedSmsc, Peer, SmppGateway, Inbox]]:
    """An SMSC, the client bound to it as the SMSC sees it, the gateway, and what it stores."""
    async with ScriptedSmsc() as smsc:
        inbox = Inbox()
        async with gateway(options(smsc.port, **change), inbox, parts) as client:
            peer = await smsc.bound_peer()
            await client.wait_bound(5.0)
            yield smsc, peer, client, inbox


async def attempt(sending: Awaitable[T]) -> T | SmsError:
    """What ``sending`` gives, or raises."""
    try:
        return await sending
    except SmsError as error:
        return error


def text(
    body: str = "Sorry we missed you", reference: str = "r1", destination: str = CALLER, **change: Any
) -> OutboundText:
    """A text to the caller."""
    return OutboundText(OFFICE, destination, body, reference, **change)


def mo(message: bytes = b"STOP", **change: Any) -> wire.DeliverSm:
    """A text from the caller."""
    return wire.DeliverSm(
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr=CALLER[1:],
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=OFFICE[1:],
        short_message=message,
        **change,
    )


def part(index: int, total: int, message: bytes, reference: int = 7) -> wire.DeliverSm:
    """A segment of a long text from the caller."""
    return mo(bytes([5, 0, 3, reference, total, index]) + message, esm_class=0x40)


async def until_stored(inbox: Inbox, count: int) -> None:
    """Wait until ``count`` messages are stored."""
    await until(lambda: len(inbox.messages) >= count, what=f"{count} messages stored")
