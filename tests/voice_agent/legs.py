"""Two legs in one bridge of a real Asterisk: ours over the medium under test, the far one listened to frame by frame."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from ari_app.pbx.host import AsteriskVersion
from ari_app.pbx.messages import ChannelDestroyed, StasisStart
from tests.ari_app.pbx.listening import Listener, listening
from tests.support.asterisk import TestPbx
from tests.support.waiting import until
from voice_agent.audio import FRAME_SECONDS, RATE, samples_of
from voice_agent.beside import beside
from voice_agent.media import AudioFrame, Media, MediaEnded
from voice_agent.media_rtp import RtpMedia, open_rtp_media
from voice_agent.media_websocket import open_websocket_media

OURS, FAR, BRIDGE = "ours", "far", "voice-bridge"


def amplitude(pcm: bytes, hertz: float) -> float:
    """How much of that frequency is in a frame or more."""
    samples = samples_of(pcm).astype(float)
    turn = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / RATE)
    return float(abs(samples @ turn)) * 2 / max(1, len(samples))


@dataclass
class FarEnd:
    """The caller's side, as it hears us: each frame and when it came, in the loop's time."""

    media: Media
    frames: list[tuple[float, bytes]] = field(default_factory=list)

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        while not isinstance(incoming := await self.media.receive(), MediaEnded):
            if isinstance(incoming, AudioFrame):
                self.frames.append((loop.time(), incoming.pcm))

    def times_of(self, hertz: float, louder_than: float = 1000.0) -> list[float]:
        """When frames with that tone came."""
        return [at for at, pcm in self.frames if amplitude(pcm, hertz) > louder_than]

    async def hears(self, hertz: float) -> None:
        await until(lambda: self.times_of(hertz), within=3.0, what=f"{hertz} Hz at the far end")

    async def hears_speech(self) -> None:
        await until(lambda: self.frames and any(self.frames[-1][1]), within=10.0, what="speech at the far end")

    async def quiet(self, seconds: float = 0.3) -> None:
        """Until nothing has been heard for so long."""
        count = round(seconds / FRAME_SECONDS)
        await until(
            lambda: len(self.frames) >= count and not any(any(pcm) for _, pcm in self.frames[-count:]),
            within=15.0,
            what="silence at the far end",
        )


@dataclass
class Call:
    """``media`` is the medium under test; ``far`` hears it and can play to it."""

    media: Media
    far: FarEnd
    listener: Listener


def need_websocket(pbx: TestPbx) -> None:
    """chan_websocket is what our leg is made of, or the far end of these tests."""
    if pbx.host.version < AsteriskVersion(22, 8):
        pytest.skip("chan_websocket is of use from 22.8 on")


@contextlib.asynccontextmanager
async def our_leg(pbx: TestPbx, listener: Listener, medium: str) -> AsyncIterator[Media]:
    """A leg in Stasis whose audio is ours: ``websocket``, ``rtp``, or ``rtp-learned``, where the first packet tells."""
    if medium == "websocket":
        need_websocket(pbx)
        leg = await listener.ari.channels.external_media_websocket(OURS)
        async with open_websocket_media(pbx.url.replace("http", "ws") + leg.path) as media:
            yield media
        return
    async with open_rtp_media() as rtp:
        host, port = rtp.address
        answer = await listener.ari.channels.external_media_rtp(OURS, host=host, port=port)
        if medium == "rtp":
            rtp.connect(answer.address, answer.port)
        yield rtp


@contextlib.asynccontextmanager
async def call(pbx: TestPbx, medium: str) -> AsyncIterator[Call]:
    """Ours and the far leg, bridged."""
    need_websocket(pbx)
    async with contextlib.AsyncExitStack() as stack:
        listener = await stack.enter_async_context(listening(pbx))
        media = await stack.enter_async_context(our_leg(pbx, listener, medium))
        far_leg = await listener.ari.channels.external_media_websocket(FAR)
        url = pbx.url.replace("http", "ws") + far_leg.path
        far = FarEnd(await stack.enter_async_context(open_websocket_media(url)))
        for _ in range(2):
            await listener.next(StasisStart)
        await listener.ari.bridges.create(BRIDGE)
        stack.push_async_callback(listener.ari.bridges.destroy, BRIDGE)
        await listener.ari.bridges.add(BRIDGE, OURS, FAR)
        await stack.enter_async_context(beside(far.listen()))
        try:
            yield Call(media, far, listener)
        finally:
            if isinstance(media, RtpMedia) and media.ended is None:
                await listener.ari.channels.hangup(OURS)


async def gone(listener: Listener, channel: str) -> None:
    await listener.next(ChannelDestroyed, lambda event: event.channel.id == channel)
