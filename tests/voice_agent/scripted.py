"""A conversation in virtual time: engines that do as the test says, and a caller who acts at given moments."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from dataclasses import dataclass, field

from tests.support import virtual
from tests.support.tones import tone
from voice_agent.agent import VoiceAgent
from voice_agent.audio import seconds_of
from voice_agent.beside import beside
from voice_agent.conversation import Conversation
from voice_agent.dialogue import Dialogue, HangUp, Listen, Transfer, Turn
from voice_agent.errors import EngineError, EngineFailedError
from voice_agent.heard import Heard
from voice_agent.media_loop import LoopMedia
from voice_agent.options import AgentOptions
from voice_agent.vad import EnergyDetector

WHO = "I am a machine."
HOW = "Press nine to stop."
QUESTION = "Buying or selling?"
SENTENCE_SECONDS = 2.0
ASKED_SECONDS = 3 * SENTENCE_SECONDS
"""When everything of the first turn has been said."""


async def pause(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - virtual


def speech(seconds: float, amplitude: int = 8000) -> bytes:
    """What the caller's detector takes for speech."""
    return tone(300, seconds, amplitude)


class ScriptedVoice:
    """Says every sentence as two seconds of tone, in two pieces. ``broken``: the sentence on which it fails."""

    def __init__(self, broken: str = "") -> None:
        self.name = "scripted"
        self._broken = broken

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        if text == self._broken:
            raise EngineFailedError(self.name, "lost its voice")
        for _ in range(2):
            yield tone(440, SENTENCE_SECONDS / 2, 3000)


@dataclass
class ScriptedRecogniser:
    """Understands the next text of ``texts`` in each utterance, one word every 0.2 s; an error is raised instead.

    ``thinks``: seconds that the final text takes. ``taken``: the audio of all utterances.
    """

    texts: Iterable[str | EngineError] = ()
    thinks: float = 0.05
    overloaded: bool = False
    expected: list[tuple[str, ...]] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    name: str = "scripted"

    def __post_init__(self) -> None:
        self._texts = iter(self.texts)
        self._now: str | EngineError | None = None

    def listen(self) -> ScriptedRecogniser:
        return self

    async def prepare(self, phrases: Iterable[str]) -> None: ...

    def expect(self, phrases: Iterable[str]) -> None:
        self.expected.append(tuple(phrases))

    def accept(self, pcm: bytes) -> None:
        if self.overloaded:
            raise EngineFailedError(self.name, "too busy")
        if self._now is None:
            self._now = next(self._texts, "")
            self.taken.append(b"")
        self.taken[-1] += pcm

    def partial(self) -> str:
        if not isinstance(self._now, str):
            return ""
        return " ".join(self._now.split()[: int(seconds_of(self.taken[-1]) / 0.2)])

    @property
    def listening(self) -> bool:
        """Whether an utterance is going on that nobody has ended."""
        return self._now is not None

    async def final(self) -> Heard:
        now, self._now = self._now, None
        await pause(self.thinks)
        if isinstance(now, EngineError):
            raise now
        return Heard(now or "")

    def abandon(self) -> None:
        self._now = None


class Question:
    """One question; ``told`` is what the dialogue was told, in words."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def open(self) -> Turn:
        return Turn((WHO, HOW, QUESTION), Listen(("buying", "selling"), seconds=4.0), protected=1, keys="0129")

    def heard(self, heard: Heard) -> Turn:
        self.told.append(f"heard {heard.text!r}")
        return self._ask_again() if not heard.text else Turn((f"Thanks, {heard.text}.",), HangUp())

    def refuses(self, text: str) -> bool:
        return "stop" in text.split()

    def key(self, digit: str) -> Turn:
        self.told.append(f"key {digit}")
        return Turn(("One moment.",), Transfer()) if digit == "0" else Turn((f"Thanks for {digit}.",), HangUp())

    def silence(self) -> Turn:
        self.told.append("silence")
        return self._ask_again()

    def _ask_again(self) -> Turn:
        if len(self.told) > 1:
            return Turn(("Goodbye.",), HangUp(), keys="9")
        return Turn((QUESTION,), Listen(("buying", "selling"), seconds=4.0))


@dataclass
class Held:
    """What happened."""

    conversation: Conversation
    told: list[str]
    media: LoopMedia
    recogniser: ScriptedRecogniser

    def said(self) -> list[str]:
        """The transcript, without times: ``agent: …`` and ``caller: …``, ``…`` at the end of what was cut."""
        return [
            f"{line.speaker.value}: {line.text}" + (" …" if line.cut else "") for line in self.conversation.transcript
        ]


Caller = Callable[[LoopMedia, VoiceAgent], Coroutine[object, object, None]]


async def nobody(media: LoopMedia, agent: VoiceAgent) -> None:
    """A caller who does nothing."""


def hold(
    caller: Caller = nobody,
    *,
    texts: Iterable[str | EngineError] = (),
    dialogue: Dialogue | None = None,
    voice: ScriptedVoice | None = None,
    recogniser: ScriptedRecogniser | None = None,
    options: AgentOptions | None = None,
) -> Held:
    """Holds a conversation from start to end in no time."""
    asking = dialogue or Question()
    ear = recogniser or ScriptedRecogniser(texts)

    async def held() -> Held:
        media = LoopMedia()
        agent = VoiceAgent(media, ear, voice or ScriptedVoice(), EnergyDetector(), options)
        async with beside(caller(media, agent)):
            conversation = await agent.converse(asking)
        with contextlib.suppress(AttributeError):
            return Held(conversation, asking.told, media, ear)  # type: ignore[attr-defined]
        return Held(conversation, [], media, ear)

    return virtual.run(held)
