"""RTP on loopback: our clock, our packets, and what is made of theirs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from tests.support.tones import tone
from tests.support.waiting import until
from voice_agent.audio import SILENT_FRAME, decode_alaw, decode_ulaw, encode_alaw, encode_ulaw, silence
from voice_agent.errors import EngineFailedError, MediaUnavailableError
from voice_agent.media import AudioFrame, MediaEnded, whole
from voice_agent.media_rtp import RtpMedia, open_rtp_media
from voice_agent.rtp import PCMA, PCMU, RtpPacket

FRAME = decode_ulaw(encode_ulaw(tone(500, 0.02)))


@dataclass
class Peer(asyncio.DatagramProtocol):
    """Asterisk's port. ``packets``: what came, and when in the loop's time."""

    packets: list[tuple[float, RtpPacket]] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.packets.append((asyncio.get_running_loop().time(), RtpPacket.parse(data)))

    @property
    def address(self) -> tuple[str, int]:
        assert self.transport is not None
        host, port = self.transport.get_extra_info("sockname")
        return host, port

    def send(self, media: RtpMedia, sequence: int, pcm: bytes = FRAME, *, ssrc: int = 1, kind: int = PCMU) -> None:
        assert self.transport is not None
        packet = RtpPacket(kind, sequence, sequence * 160, ssrc, encode_ulaw(pcm) if kind == PCMU else encode_alaw(pcm))
        self.transport.sendto(packet.build(), media.address)

    def spoken(self) -> list[tuple[float, RtpPacket]]:
        """The packets that are not silence."""
        return [(at, packet) for at, packet in self.packets if any(decode_ulaw(packet.payload))]


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Peer, local_addr=("127.0.0.1", 0))
    try:
        yield protocol
    finally:
        transport.close()
        await asyncio.sleep(0)  # noqa: TID251 - the transport closes in the next round


@contextlib.asynccontextmanager
async def connected(payload_type: int = PCMU) -> AsyncIterator[tuple[RtpMedia, Peer]]:
    async with peer() as asterisk, open_rtp_media(payload_type=payload_type) as media:
        media.connect(*asterisk.address)
        yield media, asterisk


async def heard(media: RtpMedia, count: int) -> list[bytes]:
    """The next frames that are not silence."""
    frames: list[bytes] = []
    async with asyncio.timeout(3.0):
        while len(frames) < count:
            incoming = await media.receive()
            assert isinstance(incoming, AudioFrame)
            if incoming != AudioFrame(SILENT_FRAME):
                frames.append(incoming.pcm)
    return frames


async def test_packets_are_numbered_and_stamped_without_a_gap_speaking_or_not() -> None:
    async with connected() as (media, asterisk):
        assert await media.play(whole(FRAME * 5))
        await until(lambda: len(asterisk.packets) > 15)
        packets = [packet for _, packet in asterisk.packets]
        assert {packet.payload_type for packet in packets} == {PCMU}
        assert len({packet.ssrc for packet in packets}) == 1
        assert all((b.sequence - a.sequence) & 0xFFFF == 1 for a, b in pairwise(packets))
        assert all((b.timestamp - a.timestamp) & 0xFFFFFFFF == 160 for a, b in pairwise(packets))
        assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
        assert [decode_ulaw(packet.payload) for _, packet in asterisk.spoken()] == [FRAME] * 5


async def test_the_clock_does_not_drift() -> None:
    async with connected() as (media, asterisk):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert await media.play(whole(FRAME * 100))
        assert loop.time() - begun == pytest.approx(2.02, abs=0.06)
        spoken = asterisk.spoken()
        assert spoken[-1][0] - spoken[0][0] == pytest.approx(1.98, abs=0.04)


async def test_a_loop_that_was_held_up_goes_on_in_time_instead_of_catching_up() -> None:
    async with connected() as (media, asterisk):
        await until(lambda: len(asterisk.packets) > 3)
        media._due -= 1.0  # as if nothing had run for a second
        await until(lambda: len(asterisk.packets) > 20)
        gaps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for (_, a), (_, b) in pairwise(asterisk.packets)]
        assert len([gap for gap in gaps if gap > 160]) == 1
        assert max(gaps) == pytest.approx(8000, abs=1000)
        together = [b - a for (a, _), (b, _) in pairwise(asterisk.packets) if b - a < 0.002]
        assert len(together) <= 6


async def test_a_law_is_spoken_where_it_was_asked_for() -> None:
    async with connected(PCMA) as (media, asterisk):
        sound = decode_alaw(encode_alaw(tone(500, 0.02)))
        assert await media.play(whole(sound))
        asterisk.send(media, 1, sound, kind=PCMA)
        assert await heard(media, 1) == [sound]
        spoken = [packet for _, packet in asterisk.packets if packet.payload == encode_alaw(sound)]
        assert [packet.payload_type for packet in spoken] == [PCMA]


async def test_what_comes_in_disorder_is_heard_in_order() -> None:
    async with connected() as (media, asterisk):
        sounds = [decode_ulaw(encode_ulaw(tone(100 * number, 0.02))) for number in range(1, 6)]
        for number in (1, 3, 2, 5, 4):
            asterisk.send(media, number, sounds[number - 1])
        assert await heard(media, 5) == sounds


async def test_what_is_lost_is_a_silence_as_long() -> None:
    async with connected() as (media, asterisk):
        for number in (1, 4, 5, 6, 7):
            asterisk.send(media, number)
        incoming = [await media.receive() for _ in range(8)]
        start = incoming.index(AudioFrame(FRAME))
        assert incoming[start + 1 : start + 4] == [AudioFrame(SILENT_FRAME)] * 2 + [AudioFrame(FRAME)]


async def test_packets_of_another_length_are_cut_into_frames() -> None:
    async with connected() as (media, asterisk):
        asterisk.send(media, 1, FRAME * 3)
        asterisk.send(media, 2, FRAME[:160])
        asterisk.send(media, 3, FRAME[160:])
        assert await heard(media, 4) == [FRAME] * 4


async def test_the_first_packet_tells_where_to_speak_when_nobody_else_did() -> None:
    async with peer() as asterisk, open_rtp_media() as media:
        asterisk.send(media, 1)
        assert await media.play(whole(FRAME))
        assert len(asterisk.spoken()) == 1
        assert await heard(media, 1) == [FRAME]


async def test_strangers_and_what_is_no_audio_are_not_heard() -> None:
    async with connected() as (media, asterisk), peer() as stranger:
        stranger.send(media, 1)
        assert asterisk.transport is not None
        asterisk.transport.sendto(b"no packet", media.address)
        asterisk.send(media, 1, kind=PCMA)
        asterisk.send(media, 2, FRAME)
        assert await heard(media, 1) == [FRAME]
        assert (await media.receive()) == AudioFrame(SILENT_FRAME)


async def test_cancelled_speech_is_followed_by_silence_and_not_by_its_rest() -> None:
    async with connected() as (media, asterisk):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await media.play(whole(FRAME * 100))
        count = len(asterisk.spoken())
        assert 8 <= count <= 12
        assert await media.play(whole(silence(0.1)))
        assert len(asterisk.spoken()) - count <= 1


async def test_speech_that_fails_while_it_is_made_is_silenced_and_the_error_comes_out() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield FRAME * 100
        raise EngineFailedError("piper", "broke")

    async with connected() as (media, asterisk):
        with pytest.raises(EngineFailedError):
            await media.play(broken())
        assert await media.play(whole(silence(0.1)))
        assert len(asterisk.spoken()) <= 1


async def test_the_application_may_tell_of_the_end() -> None:
    async with connected() as (media, _), asyncio.TaskGroup() as group:
        playing = group.create_task(media.play(whole(FRAME * 500)))
        await heard_nothing(media)
        media.end("the channel was hung up", hung_up=True)
        media.end("again")
        assert await playing is False
        while isinstance(end := await media.receive(), AudioFrame):
            pass
        assert end == MediaEnded("the channel was hung up", hung_up=True)
        assert media.ended == end
        assert await media.play(whole(FRAME)) is False


async def heard_nothing(media: RtpMedia) -> None:
    assert await media.receive() == AudioFrame(SILENT_FRAME)


async def test_a_port_that_closes_at_the_other_end_ends_the_call() -> None:
    async with peer() as asterisk, open_rtp_media() as media:
        media.connect(*asterisk.address)
        await until(lambda: asterisk.packets)
        assert asterisk.transport is not None
        asterisk.transport.close()
        async with asyncio.timeout(2.0):
            while isinstance(end := await media.receive(), AudioFrame):
                pass
        assert end == MediaEnded("Asterisk has closed its port")


async def test_other_errors_of_the_network_do_not_end_the_call() -> None:
    async with connected() as (media, asterisk):
        media.error_received(OSError(101, "Network is unreachable"))
        assert await media.play(whole(FRAME))
        assert len(asterisk.spoken()) == 1


async def test_a_port_that_is_taken_is_an_error_that_says_which() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(MediaUnavailableError, match=f"no audio from 127.0.0.1:{port}: Address already in use"):
            async with open_rtp_media(port=port):
                raise AssertionError("it was opened")


async def test_ipv6_serves_as_well() -> None:
    async with open_rtp_media("::1") as media:
        assert media.address[0] == "::1"
