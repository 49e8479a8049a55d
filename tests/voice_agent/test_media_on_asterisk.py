"""Both media on a real Asterisk: what is played is heard, when it is said to be, and nothing else is."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from tests.ari_app.pbx.listening import listening
from tests.support.asterisk import TestPbx
from tests.support.tcp_proxy import TcpProxy
from tests.support.tones import tone
from tests.support.waiting import until
from tests.voice_agent.legs import FAR, OURS, amplitude, call, gone, need_websocket, our_leg
from voice_agent.audio import FRAME_SECONDS
from voice_agent.beside import beside
from voice_agent.errors import MediaUnavailableError
from voice_agent.media import AudioFrame, Incoming, KeyPressed, Media, MediaEnded, whole
from voice_agent.media_rtp import RtpMedia
from voice_agent.media_websocket import open_websocket_media

pytestmark = pytest.mark.e2e

BOTH = pytest.mark.parametrize("medium", ["websocket", "rtp"])


async def next_of(media: Media, kind: type[Incoming], within: float = 5.0) -> Incoming:
    async with asyncio.timeout(within):
        while True:
            incoming = await media.receive()
            if isinstance(incoming, kind):
                return incoming
            assert not isinstance(incoming, MediaEnded), incoming


@BOTH
async def test_three_seconds_of_speech_are_heard_whole_and_play_returns_when_they_were(
    asterisk: TestPbx, medium: str
) -> None:
    async with call(asterisk, medium) as phones:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert await phones.media.play(whole(tone(500, 3.0)))
        returned = loop.time()
        await phones.far.quiet()
        heard = phones.far.times_of(500)
        assert len(heard) == pytest.approx(150, abs=2)
        assert 0 <= heard[0] - begun < 0.12
        assert heard[-1] - heard[0] == pytest.approx(3.0 - FRAME_SECONDS, abs=0.1)
        assert returned == pytest.approx(heard[-1], abs=0.08)


@BOTH
async def test_speech_that_is_cancelled_is_silent_at_once_and_the_next_is_heard(asterisk: TestPbx, medium: str) -> None:
    async with call(asterisk, medium) as phones:
        loop = asyncio.get_running_loop()
        async with beside(_play(phones.media, tone(500, 8.0))):
            await phones.far.hears(500)
            await until(lambda: len(phones.far.times_of(500)) > 25)
        cancelled = loop.time()
        await phones.far.quiet()
        assert phones.far.times_of(500)[-1] - cancelled < 0.1
        begun = loop.time()
        assert await phones.media.play(whole(tone(900, 0.4)))
        assert loop.time() - begun == pytest.approx(0.4, abs=0.15)
        await phones.far.quiet()
        assert len(phones.far.times_of(900)) == pytest.approx(20, abs=1)
        assert phones.far.times_of(500)[-1] < begun


async def _play(media: Media, pcm: bytes) -> None:
    await media.play(whole(pcm))


@BOTH
async def test_speech_that_is_made_in_odd_pieces_is_heard_without_gaps(asterisk: TestPbx, medium: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        speech = tone(500, 1.0)
        for start in range(0, len(speech), 1234):
            yield speech[start : start + 1234]

    async with call(asterisk, medium) as phones:
        assert await phones.media.play(pieces())
        await phones.far.quiet()
        heard = phones.far.times_of(500)
        assert len(heard) == pytest.approx(50, abs=2)
        assert max(later - earlier for earlier, later in itertools.pairwise(heard)) < 0.08


async def test_speech_longer_than_asterisks_queue_arrives_whole(asterisk: TestPbx) -> None:
    async with call(asterisk, "websocket") as phones:
        assert await phones.media.play(whole(tone(500, 23.0)))
        await phones.far.quiet()
        assert len(phones.far.times_of(500)) == pytest.approx(23 * 50, abs=4)


@pytest.mark.parametrize("medium", ["websocket", "rtp", "rtp-learned"])
async def test_what_the_caller_says_arrives_while_nothing_is_played(asterisk: TestPbx, medium: str) -> None:
    async with call(asterisk, medium) as phones, beside(_play(phones.far.media, tone(700, 2.0))):
        loud = 0
        async with asyncio.timeout(5.0):
            while loud < 80:
                incoming = await phones.media.receive()
                assert isinstance(incoming, AudioFrame)
                loud += amplitude(incoming.pcm, 700) > 7000


@BOTH
async def test_there_is_a_frame_every_20_ms_while_the_caller_is_silent(asterisk: TestPbx, medium: str) -> None:
    async with call(asterisk, medium) as phones:
        loop = asyncio.get_running_loop()
        await phones.media.receive()
        begun = loop.time()
        for _ in range(100):
            assert isinstance(await phones.media.receive(), AudioFrame)
        assert loop.time() - begun == pytest.approx(2.0, abs=0.2)


async def test_keys_arrive_through_the_websocket(asterisk: TestPbx) -> None:
    async with call(asterisk, "websocket") as phones:
        await phones.listener.ari.channels.send_dtmf(FAR, "5")  # our far end is no telephone: this goes to it
        await phones.listener.ari.bridges.remove("voice-bridge", FAR)
        await phones.listener.ari.channels.send_dtmf(OURS, "7")
        assert await next_of(phones.media, KeyPressed) == KeyPressed("7")


async def test_a_hang_up_is_told_by_the_websocket_even_in_the_middle_of_speech(asterisk: TestPbx) -> None:
    async with call(asterisk, "websocket") as phones, asyncio.TaskGroup() as group:
        playing = group.create_task(phones.media.play(whole(tone(500, 5.0))))
        await phones.far.hears(500)
        await phones.listener.ari.channels.hangup(OURS)
        ended = await next_of(phones.media, MediaEnded)
        assert ended == MediaEnded("Asterisk closed the socket", hung_up=True)
        assert await phones.media.receive() == ended
        assert await playing is False
        assert await phones.media.play(whole(tone(500, 5.0))) is False


async def test_a_channel_that_is_gone_is_noticed_by_rtp_as_well(asterisk: TestPbx) -> None:
    async with call(asterisk, "rtp") as phones:
        await phones.listener.ari.channels.hangup(OURS)
        ended = await next_of(phones.media, MediaEnded)
        assert ended == MediaEnded("Asterisk has closed its port")
        assert await phones.media.play(whole(tone(500, 5.0))) is False


async def test_closing_our_end_ends_the_channel(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener:
        async with our_leg(asterisk, listener, "websocket"):
            pass
        await gone(listener, OURS)


async def test_a_link_that_is_half_open_is_noticed(asterisk: TestPbx, monkeypatch: pytest.MonkeyPatch) -> None:
    need_websocket(asterisk)
    monkeypatch.setattr("voice_agent.media_websocket._QUIET_SECONDS", 0.4)
    monkeypatch.setattr("voice_agent.media_websocket._ANSWER_SECONDS", 0.3)
    port = asterisk.telephony.pbx.http.port
    async with listening(asterisk) as listener, TcpProxy("127.0.0.1", port) as proxy:
        leg = await listener.ari.channels.external_media_websocket(OURS)
        async with open_websocket_media(proxy.url.replace("http", "ws") + leg.path) as media:
            with pytest.raises(TimeoutError):  # quiet, but there: it answers when it is asked
                await next_of(media, MediaEnded, within=1.5)
            proxy.freeze()
            ended = await next_of(media, MediaEnded, within=2.0)
            assert ended == MediaEnded("nothing came for 0.7 s")
            proxy.cut()
        await gone(listener, OURS)


async def test_a_connection_that_is_reset_is_no_hang_up(asterisk: TestPbx) -> None:
    need_websocket(asterisk)
    port = asterisk.telephony.pbx.http.port
    async with listening(asterisk) as listener, TcpProxy("127.0.0.1", port) as proxy:
        leg = await listener.ari.channels.external_media_websocket(OURS)
        async with open_websocket_media(proxy.url.replace("http", "ws") + leg.path) as media:
            proxy.cut()
            ended = await next_of(media, MediaEnded)
            assert ended == MediaEnded("the connection to Asterisk broke off")
        await gone(listener, OURS)


async def test_a_channel_made_for_another_codec_is_refused_with_a_reason(asterisk: TestPbx) -> None:
    need_websocket(asterisk)
    async with listening(asterisk) as listener:
        leg = await listener.ari.channels.external_media_websocket(OURS, codec="ulaw")
        async with open_websocket_media(asterisk.url.replace("http", "ws") + leg.path) as media:
            ended = await next_of(media, MediaEnded)
            assert isinstance(ended, MediaEnded)
            assert "made for ulaw" in ended.why
        await gone(listener, OURS)


async def test_a_socket_that_nobody_waits_for_cannot_be_opened(asterisk: TestPbx) -> None:
    url = asterisk.url.replace("http", "ws") + "/media/nobody"
    with pytest.raises(MediaUnavailableError, match="404") as caught:
        async with open_websocket_media(url):
            raise AssertionError("it was opened")
    assert caught.value.where == url


async def test_rtp_hears_nobody_but_the_peer_it_was_told_of(asterisk: TestPbx) -> None:
    async with call(asterisk, "rtp") as phones:
        assert isinstance(phones.media, RtpMedia)
        loop = asyncio.get_running_loop()
        stranger, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=phones.media.address)
        for number in range(50):
            header = bytes([0x80, 0]) + number.to_bytes(2, "big") + bytes(4) + b"evil"
            stranger.sendto(header + bytes([0x10] * 160))
        stranger.close()
        for _ in range(30):
            incoming = await phones.media.receive()
            assert isinstance(incoming, AudioFrame)
            assert not any(incoming.pcm)
