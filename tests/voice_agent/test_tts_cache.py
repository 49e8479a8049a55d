"""Speech that was made before."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from voice_agent.errors import EngineFailedError
from voice_agent.tts_cache import CachedSpeech


class CountingVoice:
    """Says a text as its own bytes, in two pieces, and remembers what it was asked."""

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.asked: list[str] = []

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        self.asked.append(text)
        yield text.encode()
        if text == "broken":
            raise EngineFailedError(self.name, "broke")
        yield b"!" * 10


class SilentVoice:
    """Says nothing, without an error."""

    name = "silent"

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        yield b""


def files(folder: Path) -> set[Path]:
    return set(folder.iterdir())


async def spoken(cache: CachedSpeech, text: str) -> list[bytes]:
    return [piece async for piece in cache.speak(text)]


async def test_a_text_is_made_once_and_streams_the_first_time(tmp_path: Path) -> None:
    voice = CountingVoice()
    assert await spoken(CachedSpeech(voice, tmp_path), "hello") == [b"hello", b"!!!!!!!!!!"]
    assert await spoken(CachedSpeech(voice, tmp_path), "hello") == [b"hello!!!!!!!!!!"]
    assert voice.asked == ["hello"]


async def test_texts_that_sound_the_same_are_the_same(tmp_path: Path) -> None:
    cache = CachedSpeech(CountingVoice(), tmp_path)
    assert cache.path("one\n two") == cache.path("one two")
    assert cache.path("one") != cache.path("two")


async def test_another_voice_has_its_own_speech(tmp_path: Path) -> None:
    first, second = CountingVoice("first"), CountingVoice("second")
    for voice in (first, second, first, second):
        await spoken(CachedSpeech(voice, tmp_path), "hello")
    assert (first.asked, second.asked) == (["hello"], ["hello"])


async def test_preparing_makes_what_is_missing(tmp_path: Path) -> None:
    voice = CountingVoice()
    cache = CachedSpeech(voice, tmp_path / "new" / "folder")
    await cache.prepare(["one", "two"])
    await cache.prepare(["two", "three"])
    assert voice.asked == ["one", "two", "three"]
    assert cache.name == "counting"


async def test_speech_that_broke_off_is_not_kept(tmp_path: Path) -> None:
    cache = CachedSpeech(CountingVoice(), tmp_path)
    with pytest.raises(EngineFailedError):
        await spoken(cache, "broken")
    assert files(tmp_path) == set()


async def test_speech_that_nobody_heard_to_its_end_is_not_kept(tmp_path: Path) -> None:
    cache = CachedSpeech(CountingVoice(), tmp_path)
    speech = cache.speak("hello")
    assert await anext(speech) == b"hello"
    await speech.aclose()
    assert files(tmp_path) == set()


async def test_a_disk_that_is_full_leaves_no_half_of_a_file_and_the_caller_hears_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert await spoken(CachedSpeech(CountingVoice(), tmp_path), "hello") == [b"hello", b"!" * 10]
    assert files(tmp_path) == set()
    assert "No space left" in caplog.text


async def test_speech_that_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    cache = CachedSpeech(CountingVoice(), tmp_path)
    cache.path("hello").mkdir()
    assert b"".join(await spoken(cache, "hello")) == b"hello!!!!!!!!!!"


async def test_a_voice_that_said_nothing_is_asked_again(tmp_path: Path) -> None:
    cache = CachedSpeech(SilentVoice(), tmp_path)
    assert b"".join(await spoken(cache, "hello")) == b""
    assert files(tmp_path) == set()


async def test_a_file_without_sound_is_not_taken_for_speech(tmp_path: Path) -> None:
    cache = CachedSpeech(CountingVoice(), tmp_path)
    cache.path("hello").touch()
    assert b"".join(await spoken(cache, "hello")) == b"hello!!!!!!!!!!"
    assert cache.path("hello").read_bytes() == b"hello!!!!!!!!!!"


async def test_what_was_not_used_for_longest_goes_when_there_is_too_much(tmp_path: Path) -> None:
    cache = CachedSpeech(CountingVoice(), tmp_path, most_bytes=40)
    for age, text in enumerate(("one", "two", "six"), start=1):
        await spoken(cache, text)
        os.utime(cache.path(text), ns=(age, age))
    await spoken(cache, "one")  # used again: now "two" is the oldest
    await spoken(cache, "ten")
    assert files(tmp_path) == {cache.path(text) for text in ("one", "six", "ten")}


async def test_the_newest_is_kept_even_when_it_alone_is_too_much(tmp_path: Path) -> None:
    cache = CachedSpeech(CountingVoice(), tmp_path, most_bytes=3)
    await spoken(cache, "enormous")
    assert cache.path("enormous").exists()
