"""The audio of a call as RTP, for every Asterisk from 16.6 on: G.711 in frames of 20 ms, and a clock of our own.

``externalMedia`` with ``format=ulaw`` sends to the port that is opened here, and tells where it listens in
UNICASTRTP_LOCAL_ADDRESS and UNICASTRTP_LOCAL_PORT: give those to ``connect``, or let the first packet tell. Keys do not
come this way, nor does the end of the call always: pass on what ARI tells (``VoiceAgent.press``, ``end``).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from typing import cast

from voice_agent.audio import (
    FRAME_SAMPLES,
    FRAME_SECONDS,
    SILENT_FRAME,
    FrameSplitter,
    decode_alaw,
    decode_ulaw,
    encode_alaw,
    encode_ulaw,
)
from voice_agent.errors import MediaUnavailableError
from voice_agent.media import AudioFrame, Incoming, Inlet, MediaEnded
from voice_agent.rtp import PCMA, PCMU, Reorderer, RtpPacket

_CODECS = {PCMU: (encode_ulaw, decode_ulaw), PCMA: (encode_alaw, decode_alaw)}

_MOST_LATE_SECONDS = 0.1
"""A clock that is later than this starts anew, instead of sending all that it missed at once."""
_MOST_CONCEALED = 5
"""Lost packets in a row that are replaced by silence; a longer gap is closed up."""

Address = tuple[str, int]


class RtpMedia(asyncio.DatagramProtocol):
    """Implements Media. Made by ``open_rtp_media``."""

    def __init__(self, sock: socket.socket, payload_type: int) -> None:
        self._sock = sock
        self._payload_type = payload_type
        self._encode, self._decode = _CODECS[payload_type]
        self._loop = asyncio.get_running_loop()
        self._inlet = Inlet()
        self._order = Reorderer()
        self._frames = FrameSplitter()
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()
        self._peer: Address | None = None
        self._outgoing: deque[bytes | asyncio.Future[None]] = deque()
        self._speaking = asyncio.Lock()
        # RFC 3550 section 5.1: all three start at random values.
        self._ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._first = True
        self._due = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def address(self) -> Address:
        """Where Asterisk has to send."""
        host, port = self._sock.getsockname()[:2]
        return str(host), int(port)

    @property
    def ended(self) -> MediaEnded | None:
        """Why there is no audio any more; None while there is."""
        return self._inlet.ended

    def connect(self, host: str, port: int) -> None:
        """Asterisk listens there; nobody else is heard from now on, and speech starts to flow."""
        # Connected, the socket also tells us when nobody listens there any more (ICMP).
        self._sock.connect((host, port))
        self._peer = (host, port)
        self._due = self._loop.time()
        self._schedule()

    def end(self, why: str, *, hung_up: bool = False) -> None:
        """The call is over, as ARI tells."""
        self._inlet.end(why, hung_up=hung_up)
        self._forget_speech()

    async def receive(self) -> Incoming:
        return await self._inlet.get()

    async def play(self, speech: AsyncIterable[bytes]) -> bool:
        async with self._speaking:
            frames = FrameSplitter()
            heard: asyncio.Future[None] = self._loop.create_future()
            try:
                async for pcm in speech:
                    if self._inlet.ended is not None:
                        return False
                    self._outgoing.extend(frames.push(pcm))
                self._outgoing.extend(frames.finish())
                # Taken a frame's length after the last frame was sent: then it has been played.
                self._outgoing.append(heard)
                if self._inlet.ended is None:
                    await heard
            except BaseException:
                self._forget_speech()
                raise
            return self._inlet.ended is None

    async def close(self) -> None:
        """Ends it; the port is free afterwards."""
        self.end("closed")
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def _forget_speech(self) -> None:
        for item in self._outgoing:
            if isinstance(item, asyncio.Future) and not item.done():
                item.set_result(None)
        self._outgoing.clear()

    # ------------------------------------------------------------------------------------------------------------- sending
    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        """Sends the frame that is due. Silence is sent as well: it keeps the far end's clock and any NAT alive."""
        if self._inlet.ended is not None:
            return
        item = self._outgoing.popleft() if self._outgoing else SILENT_FRAME
        while isinstance(item, asyncio.Future):
            if not item.done():
                item.set_result(None)
            item = self._outgoing.popleft() if self._outgoing else SILENT_FRAME
        self._send(item)
        self._due += FRAME_SECONDS
        late = self._loop.time() - self._due
        if late > _MOST_LATE_SECONDS:
            # The timestamp goes on as if we had been silent meanwhile (RFC 3550 section 5.1).
            missed = int(late / FRAME_SECONDS)
            self._timestamp = (self._timestamp + missed * FRAME_SAMPLES) & 0xFFFFFFFF
            self._due += missed * FRAME_SECONDS
        self._schedule()

    def _send(self, frame: bytes) -> None:
        packet = RtpPacket(
            self._payload_type, self._sequence, self._timestamp, self._ssrc, self._encode(frame), marker=self._first
        )
        assert self._transport is not None
        self._transport.sendto(packet.build(), self._peer)
        self._first = False
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + FRAME_SAMPLES) & 0xFFFFFFFF

    # ----------------------------------------------------------------------------------------------------------- receiving
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # asyncio's own is no subclass of it

    def connection_lost(self, error: Exception | None) -> None:
        self._closed.set()

    def datagram_received(self, data: bytes, source: Address) -> None:
        try:
            packet = RtpPacket.parse(data)
        except ValueError:
            return
        if packet.payload_type != self._payload_type or (self._peer is not None and source[:2] != self._peer):
            return
        if self._peer is None:
            self.connect(*source[:2])
        for ordered in self._order.push(packet):
            for _ in range(min(ordered.lost, _MOST_CONCEALED)):
                self._inlet.put(AudioFrame(SILENT_FRAME))
            for frame in self._frames.push(self._decode(ordered.packet.payload)):
                self._inlet.put(AudioFrame(frame))

    def error_received(self, error: Exception) -> None:
        if isinstance(error, ConnectionRefusedError):
            self.end("Asterisk has closed its port")


@contextlib.asynccontextmanager
async def open_rtp_media(
    host: str = "127.0.0.1", port: int = 0, *, payload_type: int = PCMU
) -> AsyncIterator[RtpMedia]:
    """Opens a UDP port at ``host``, any free one by default; the end of the block closes it.

    payload_type: PCMU or PCMA. Raises MediaUnavailableError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise MediaUnavailableError(f"{host}:{port}", error.strerror or str(error)) from error
    media = RtpMedia(sock, payload_type)
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: media, sock=sock)
    try:
        yield media
    finally:
        await media.close()
