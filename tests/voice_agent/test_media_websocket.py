"""What goes over the WebSocket, message by message, and what is made of messages that come late, early or wrong."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.support.tones import tone
from tests.support.waiting import until
from tests.voice_agent.paper_channel import START, paper_channel
from voice_agent.audio import FRAME_BYTES, silence
from voice_agent.errors import EngineFailedError, MediaUnavailableError
from voice_agent.media import AudioFrame, KeyPressed, MediaEnded, whole
from voice_agent.media_websocket import AHEAD_SECONDS, LONGEST_CONTROL, WebSocketMedia, open_websocket_media

FRAME = tone(500, 0.02)


async def ended(media: WebSocketMedia) -> MediaEnded:
    async with asyncio.timeout(3.0):
        while not isinstance(incoming := await media.receive(), MediaEnded):
            pass
    return incoming


async def test_speech_goes_out_buffered_in_whole_frames_and_small_messages() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        speech = tone(500, 2.5)[:-100]
        assert await media.play(whole(speech))
        assert channel.commands == ["START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING"]
        assert b"".join(channel.audio) == speech + bytes(100)
        assert all(len(message) % FRAME_BYTES == 0 and len(message) <= 65_500 for message in channel.audio)
        assert all(len(text) <= LONGEST_CONTROL for text in channel.texts)
        assert channel.headers["Sec-WebSocket-Protocol"] == "media"
        assert "Sec-WebSocket-Extensions" not in channel.headers


async def test_each_speech_waits_for_its_own_notice() -> None:
    async with paper_channel(plays=False) as channel, open_websocket_media(channel.url) as media:
        async with asyncio.TaskGroup() as group:
            playing = group.create_task(media.play(whole(FRAME)))
            await until(lambda: "STOP_MEDIA_BUFFERING" in channel.commands)
            await channel.tell({"event": "MEDIA_BUFFERING_COMPLETED", "correlation_id": "another"})
            await channel.tell({"event": "MEDIA_BUFFERING_COMPLETED"})
            await channel.tell({"event": "DTMF_END", "digit": "1"})
            while not isinstance(await media.receive(), KeyPressed):
                pass
            assert not playing.done()
            stop = channel.sent[-1]
            assert isinstance(stop, dict)
            await channel.tell({"event": "MEDIA_BUFFERING_COMPLETED", "correlation_id": stop["correlation_id"]})
            await channel.tell({"event": "MEDIA_BUFFERING_COMPLETED", "correlation_id": stop["correlation_id"]})
        assert playing.result() is True


async def test_two_speeches_never_mix() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media, asyncio.TaskGroup() as group:
        group.create_task(media.play(whole(FRAME)))
        group.create_task(media.play(whole(FRAME)))
        await until(lambda: len(channel.commands) == 4)
        assert channel.commands == ["START_MEDIA_BUFFERING", "STOP_MEDIA_BUFFERING"] * 2


async def test_speech_is_never_far_ahead_of_what_can_be_heard() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await media.play(whole(tone(500, 60.0)))
        assert AHEAD_SECONDS <= sum(map(len, channel.audio)) / 16000 <= AHEAD_SECONDS + 2.0
        await until(lambda: channel.commands[-1] == "FLUSH_MEDIA")


async def test_a_full_queue_is_waited_for() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media, asyncio.TaskGroup() as group:
        await channel.tell({"event": "MEDIA_XOFF"})
        await channel.speak(FRAME)
        while await media.receive() != AudioFrame(FRAME):
            pass
        playing = group.create_task(media.play(whole(FRAME)))
        await until(lambda: channel.commands == ["START_MEDIA_BUFFERING"])
        assert channel.audio == []
        await channel.tell({"event": "MEDIA_XON"})
        assert await playing
        assert channel.audio == [FRAME]


async def test_a_queue_that_stays_full_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voice_agent.media_websocket._GRACE_SECONDS", 0.1)
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        await channel.tell({"event": "MEDIA_XOFF"})
        await channel.speak(FRAME)
        while await media.receive() != AudioFrame(FRAME):
            pass
        assert await media.play(whole(FRAME)) is False
        assert await ended(media) == MediaEnded("Asterisk takes no more audio")


async def test_after_a_flush_the_queue_is_not_full_any_more() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        await channel.tell({"event": "MEDIA_XOFF"})
        await channel.speak(FRAME)
        while await media.receive() != AudioFrame(FRAME):
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await media.play(whole(FRAME))
        assert await media.play(whole(FRAME))


async def test_speech_that_fails_while_it_is_made_is_silenced_and_the_error_comes_out() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield FRAME
        raise EngineFailedError("piper", "broke")

    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        with pytest.raises(EngineFailedError):
            await media.play(broken())
        await until(lambda: channel.commands == ["START_MEDIA_BUFFERING", "FLUSH_MEDIA"])


async def test_audio_before_the_first_control_message_is_heard() -> None:
    async with paper_channel(greets=False) as channel, open_websocket_media(channel.url) as media:
        await channel.speak(FRAME)
        await channel.tell(START)
        async with asyncio.timeout(1.0):
            while await media.receive() != AudioFrame(FRAME):
                pass
        assert await media.play(whole(FRAME))


async def test_audio_comes_in_frames_however_it_was_cut() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        await channel.speak(FRAME[:100])
        await channel.speak(FRAME[100:] + FRAME + FRAME[:2])
        heard = [await media.receive() for _ in range(20)]
        assert heard.count(AudioFrame(FRAME)) == 2


@pytest.mark.parametrize("text", ["MEDIA_START connection_id:1", "[]", "{", '{"event": "STATUS"}', '{"no": "event"}'])
async def test_control_messages_that_mean_nothing_do_no_harm(text: str) -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        await channel.tell(text)
        assert await media.play(whole(FRAME))


@pytest.mark.parametrize("digit", ['""', '"12"', "null", '"A"', "[]"])
async def test_what_is_no_key_is_not_told(digit: str) -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        await channel.tell('{"event": "DTMF_END", "digit": ' + digit + "}")
        await channel.speak(FRAME)
        while (incoming := await media.receive()) != AudioFrame(FRAME):
            assert not isinstance(incoming, KeyPressed)


async def test_keys_can_be_left_to_the_application() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url, keys=False) as media:
        await channel.tell({"event": "DTMF_END", "digit": "1"})
        await channel.speak(FRAME)
        while (incoming := await media.receive()) != AudioFrame(FRAME):
            assert not isinstance(incoming, KeyPressed)


async def test_speech_that_is_never_played_ends_the_call_instead_of_waiting_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("voice_agent.media_websocket._GRACE_SECONDS", 0.1)
    async with paper_channel(plays=False) as channel, open_websocket_media(channel.url) as media:
        assert await media.play(whole(FRAME)) is False
        assert await ended(media) == MediaEnded("speech was sent and not played")


async def test_a_far_end_that_takes_nothing_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("voice_agent.media_websocket._ANSWER_SECONDS", 0.1)
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        monkeypatch.setattr(aiohttp.ClientWebSocketResponse, "send_str", stuck)
        async with asyncio.timeout(1.0):
            assert await media.play(whole(FRAME)) is False
        assert await ended(media) == MediaEnded("Asterisk takes no more audio")


async def test_a_connection_that_breaks_off_while_we_speak_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        monkeypatch.setattr(aiohttp.ClientWebSocketResponse, "send_str", broken)
        assert await media.play(whole(FRAME)) is False
        assert await ended(media) == MediaEnded("the connection to Asterisk broke off")


async def test_a_channel_for_another_codec_ends_the_call_with_the_reason() -> None:
    async with paper_channel(greets=False) as channel, open_websocket_media(channel.url) as media:
        await channel.tell({**START, "format": "ulaw", "optimal_frame_size": 160})
        assert (await ended(media)).why == "the channel was made for ulaw in frames of 160 bytes, not slin and 320"


async def test_a_second_reader_is_not_needed_for_the_end_to_be_told_again() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        await (await channel.socket()).close()
        first = await ended(media)
        assert first == MediaEnded("Asterisk closed the socket", hung_up=True)
        assert await media.receive() == first
        assert await media.play(whole(FRAME)) is False


async def test_a_reader_that_does_not_keep_up_loses_the_oldest_and_keeps_the_keys() -> None:
    async with paper_channel() as channel, open_websocket_media(channel.url) as media:
        await channel.tell({"event": "DTMF_END", "digit": "1"})
        for _ in range(150):
            await channel.speak(silence(0.02))
        await channel.speak(FRAME)
        await channel.tell({"event": "MEDIA_XOFF"})
        await until(lambda: not media._may_send.is_set())
        first = await media.receive()
        assert first == KeyPressed("1")
        rest = [await media.receive() for _ in range(99)]
        assert rest[-1] == AudioFrame(FRAME)


async def test_nobody_listening_there_is_an_error_that_says_where() -> None:
    with pytest.raises(MediaUnavailableError, match=r"no audio from ws://127\.0\.0\.1:9/media/1"):
        async with open_websocket_media("ws://127.0.0.1:9/media/1"):
            raise AssertionError("it was opened")


async def test_somebody_who_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(MediaUnavailableError, match="TimeoutError"):
            async with open_websocket_media(f"ws://127.0.0.1:{port}/media/1", within=0.1):
                raise AssertionError("it was opened")
