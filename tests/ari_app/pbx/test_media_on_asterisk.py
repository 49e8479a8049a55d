"""External media in both forms: the channel, its way in, and its audio."""

from __future__ import annotations

import asyncio
import socket
from itertools import count

import aiohttp
import pytest

from ari_app.pbx.host import AsteriskVersion
from ari_app.pbx.messages import ChannelDestroyed, StasisStart
from tests.ari_app.pbx.listening import listening
from tests.support.asterisk import TestPbx
from tests.support.tones import tone

pytestmark = pytest.mark.e2e


async def test_a_websocket_leg_waits_for_us_where_it_says_and_carries_audio(asterisk: TestPbx) -> None:
    if asterisk.host.version < AsteriskVersion(22, 8):
        pytest.skip("chan_websocket is of use from 22.8 on")
    async with listening(asterisk) as listener, aiohttp.ClientSession() as session:
        ari = listener.ari
        media = await ari.channels.external_media_websocket("media-1", codec="slin", variables={"RINGBACK": "c-1"})
        async with session.ws_connect(asterisk.url + media.path, protocols=("media",), autoping=True) as leg:
            begun = await leg.receive_json(timeout=3.0)
            assert begun["event"] == "MEDIA_START"
            assert begun["channel_id"] == "media-1"
            assert begun["format"] == "slin"
            assert begun["optimal_frame_size"] == 320  # 20 ms of 16 bits at 8 kHz
            start = await listener.next(StasisStart)
            assert start.channel.id == "media-1"
            await ari.channels.originate("Local/echo@self-test", channel="echo-1", formats=("slin",))
            await listener.next(StasisStart)
            await ari.bridges.create("media-bridge")
            await ari.bridges.add("media-bridge", "media-1", "echo-1")
            await leg.send_bytes(tone(500, 0.2))
            heard = 0
            async with asyncio.timeout(3.0):
                while heard < 1600:
                    message = await leg.receive()
                    if message.type is aiohttp.WSMsgType.BINARY and any(message.data):
                        heard += len(message.data)
            await ari.channels.hangup("echo-1")
            await ari.bridges.destroy("media-bridge")
        destroyed = await listener.next(ChannelDestroyed, lambda event: event.channel.id == "media-1")
        assert destroyed.channel.id == "media-1"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_rtp_leg_sends_to_us_and_hears_us_where_it_says(asterisk: TestPbx, host: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind((host, 0))
        ours.setblocking(False)
        async with listening(asterisk) as listener:
            ari = listener.ari
            media = await ari.channels.external_media_rtp("media-2", host=host, port=ours.getsockname()[1])
            assert media.address == host
            assert 1024 < media.port < 65536
            await listener.next(StasisStart)
            await ari.channels.originate("Local/echo@self-test", channel="echo-2", formats=("ulaw",))
            await listener.next(StasisStart)
            await ari.bridges.create("media-bridge")
            await ari.bridges.add("media-bridge", "media-2", "echo-2")
            loop = asyncio.get_running_loop()

            async def speak() -> None:
                for number in count():
                    header = bytes([0x80, 0]) + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big") + b"ring"
                    await loop.sock_sendto(ours, header + bytes([0x55] * 160), (media.address, media.port))
                    await asyncio.sleep(0.02)  # noqa: TID251 - a frame lasts that long

            async with asyncio.timeout(5.0), asyncio.TaskGroup() as group:
                speaking = group.create_task(speak())
                packet, source = await loop.sock_recvfrom(ours, 2048)
                speaking.cancel()
            assert source[:2] == (media.address, media.port)
            assert (packet[0], packet[1] & 0x7F) == (0x80, 0)  # RTP version 2, PCMU (RFC 3551)
            await ari.channels.hangup("media-2")
            await ari.channels.hangup("echo-2")
            await ari.bridges.destroy("media-bridge")
