"""The audio of a call through Asterisk's chan_websocket, with control messages in JSON (22.8+, 20.18+, 23.2+).

The channel is made by somebody else, with ``transport=websocket``, ``encapsulation=none``, ``format=slin`` and
``transport_data=f(json)``; we open the WebSocket that it waits for. Closing it ends the channel. Asterisk paces what we
send, so speech is sent ahead, and taken back (FLUSH_MEDIA) when it is cancelled.

What it does that its documentation does not say, or says in a corner:

* audio may come before MEDIA_START, more so under load (asterisk#1712): frames are taken as they come;
* a control message over 128 bytes is ignored, a piece of audio over 65,500 bytes ends the call;
* pieces that are no multiple of a frame lose their end: speech is sent in whole frames;
* FLUSH_MEDIA ends buffering and drops the notices that were waited for: we forget them ourselves;
* its queue holds 1,000 frames, and what comes after is dropped: we stay seconds, not frames, ahead, and obey MEDIA_XOFF;
* a reader that is slow stops Asterisk's own thread (asterisk#2140): a task of its own reads all the time;
* pings ended calls before 20.18 and 22.8 (asterisk#1722): none are sent;
* the far end sends nothing while it is silent: ``Inlet`` fills the gaps.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from typing import Any

import aiohttp

from voice_agent.audio import FRAME_BYTES, FrameSplitter, seconds_of
from voice_agent.beside import beside
from voice_agent.dialogue import is_key
from voice_agent.errors import MediaUnavailableError
from voice_agent.media import AudioFrame, Incoming, Inlet, KeyPressed

log = logging.getLogger("voice_agent.media")

AHEAD_SECONDS = 5.0
"""So much speech may wait in Asterisk's queue."""
PIECE_FRAMES = 50
"""So many frames are sent as one message: 16,000 bytes, a second."""
LONGEST_CONTROL = 128
"""Bytes."""

_QUIET_SECONDS = 5.0
"""After so long without a message we ask whether Asterisk is still there."""
_ANSWER_SECONDS = 2.0
_GRACE_SECONDS = 3.0
"""So long after speech should have been heard, the channel counts as stuck."""


class WebSocketMedia:
    """Implements Media. Made by ``open_websocket_media``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, keys: bool) -> None:
        self._socket = socket
        self._keys = keys
        self._loop = asyncio.get_running_loop()
        self._inlet = Inlet()
        self._frames = FrameSplitter()
        self._numbers = itertools.count(1)
        self._heard: dict[str, asyncio.Future[None]] = {}
        self._may_send = asyncio.Event()
        self._may_send.set()
        self._speaking = asyncio.Lock()

    async def receive(self) -> Incoming:
        return await self._inlet.get()

    async def play(self, speech: AsyncIterable[bytes]) -> bool:
        async with self._speaking:
            if self._inlet.ended is not None:
                return False
            name = f"s{next(self._numbers)}"
            heard = self._heard[name] = self._loop.create_future()
            try:
                await self._command("START_MEDIA_BUFFERING")
                heard_at = await self._send_speech(speech)
                await self._command("STOP_MEDIA_BUFFERING", correlation_id=name)
                try:
                    async with asyncio.timeout_at(heard_at + _GRACE_SECONDS):
                        await heard
                except TimeoutError:
                    self._end("speech was sent and not played")
            except BaseException:
                await self._command("FLUSH_MEDIA")
                self._may_send.set()
                raise
            finally:
                del self._heard[name]
            return self._inlet.ended is None

    async def _send_speech(self, speech: AsyncIterable[bytes]) -> float:
        """Sends all of it, never too far ahead. Returns when the last of it should be heard, in the loop's time."""
        frames = FrameSplitter()
        heard_at = self._loop.time()
        async for pcm in speech:
            heard_at = await self._send_frames(frames.push(pcm), heard_at)
        return await self._send_frames(frames.finish(), heard_at)

    async def _send_frames(self, frames: list[bytes], heard_at: float) -> float:
        for start in range(0, len(frames), PIECE_FRAMES):
            piece = b"".join(frames[start : start + PIECE_FRAMES])
            await self._room(heard_at)
            if self._inlet.ended is not None:
                break
            await self._send(self._socket.send_bytes(piece))
            heard_at = max(heard_at, self._loop.time()) + seconds_of(piece)
        return heard_at

    async def _room(self, heard_at: float) -> None:
        """Until Asterisk takes audio and what was sent is heard soon enough, at ``heard_at``, or the call ends."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(heard_at - AHEAD_SECONDS):
                await self._inlet.over.wait()
        try:
            async with asyncio.timeout_at(max(heard_at, self._loop.time()) + _GRACE_SECONDS):
                await self._may_send.wait()
        except TimeoutError:
            self._end("Asterisk takes no more audio")

    async def _command(self, command: str, **facts: str) -> None:
        text = json.dumps({"command": command, **facts}, separators=(",", ":"))
        assert len(text) <= LONGEST_CONTROL
        if self._inlet.ended is None:
            await self._send(self._socket.send_str(text))

    async def _send(self, message: Awaitable[None]) -> None:
        """Sends it. What fails is the end of the call, and told as such."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await message
        except TimeoutError:
            self._end("Asterisk takes no more audio")
        except ConnectionError:
            self._end("the connection to Asterisk broke off")

    # ------------------------------------------------------------------------------------------------------------- reading
    async def read(self) -> None:
        """Takes what Asterisk sends until the end."""
        asked = False
        while self._inlet.ended is None:
            try:
                message = await self._socket.receive(timeout=_ANSWER_SECONDS if asked else _QUIET_SECONDS)
            except TimeoutError:
                if asked:
                    self._end(f"nothing came for {_QUIET_SECONDS + _ANSWER_SECONDS:g} s")
                asked = True
                await self._command("GET_STATUS")
                continue
            asked = False
            self._take(message)

    def _take(self, message: aiohttp.WSMessage) -> None:
        match message.type:
            case aiohttp.WSMsgType.BINARY:
                for frame in self._frames.push(message.data):
                    self._inlet.put(AudioFrame(frame))
            case aiohttp.WSMsgType.TEXT:
                try:
                    event = json.loads(message.data)
                except ValueError:
                    event = None
                if isinstance(event, dict):
                    self._obey(event)
                else:
                    log.warning("not a control message in JSON: %.80r", message.data)
            case aiohttp.WSMsgType.CLOSE:
                self._end("Asterisk closed the socket", hung_up=True)
            case _:
                self._end("the connection to Asterisk broke off")

    def _obey(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "MEDIA_START":
                told = (event.get("format"), event.get("optimal_frame_size"))
                if told != ("slin", FRAME_BYTES):
                    self._end(
                        f"the channel was made for {told[0]} in frames of {told[1]} bytes, not slin and {FRAME_BYTES}"
                    )
            case "MEDIA_BUFFERING_COMPLETED":
                heard = self._heard.get(str(event.get("correlation_id")))
                if heard is not None and not heard.done():
                    heard.set_result(None)
            case "MEDIA_XOFF":
                self._may_send.clear()
            case "MEDIA_XON":
                self._may_send.set()
            case "DTMF_END" if self._keys and is_key(digit := str(event.get("digit"))):
                self._inlet.put(KeyPressed(digit))
            case _:
                pass  # STATUS and whatever newer versions tell

    def _end(self, why: str, *, hung_up: bool = False) -> None:
        self._inlet.end(why, hung_up=hung_up)
        self._may_send.set()
        for heard in self._heard.values():
            if not heard.done():
                heard.set_result(None)


@contextlib.asynccontextmanager
async def open_websocket_media(url: str, *, within: float = 3.0, keys: bool = True) -> AsyncIterator[WebSocketMedia]:
    """Opens ``ws://HOST:PORT/media/CONNECTION_ID``; the end of the block closes it, and with it the channel.

    keys: False when the caller's keys come another way (``VoiceAgent.press``). Raises MediaUnavailableError when it cannot
    be opened ``within`` seconds.
    """
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        try:
            async with asyncio.timeout(within):
                socket = await stack.enter_async_context(
                    # No heartbeat: that is a ping. No compression: audio does not shrink.
                    session.ws_connect(
                        url,
                        protocols=("media",),
                        heartbeat=None,
                        compress=0,
                        timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    )
                )
        except (aiohttp.ClientError, OSError) as error:
            raise MediaUnavailableError(url, str(error) or type(error).__name__) from error
        media = WebSocketMedia(socket, keys=keys)
        await stack.enter_async_context(beside(media.read()))
        yield media
