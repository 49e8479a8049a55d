"""Holds one conversation: says what the dialogue says, hears what the caller does, and tells the dialogue.

The shell around the pure parts. It knows no telephone and no engine, only their Protocols.
"""

from __future__ import annotations

import asyncio
import logging
from typing import assert_never

from voice_agent.beside import beside
from voice_agent.conversation import Conversation, EndedBy
from voice_agent.dialogue import Dialogue, Turn
from voice_agent.ear import Ear
from voice_agent.inbox import Inbox, Pressed, Understood
from voice_agent.media import Media, MediaEnded
from voice_agent.options import AgentOptions
from voice_agent.stt import SpeechToText
from voice_agent.tts import TextToSpeech
from voice_agent.turn_taking import Call, Record, TurnTaking
from voice_agent.turns import NoSpeech
from voice_agent.vad import VoiceDetector

log = logging.getLogger("voice_agent.agent")


class VoiceAgent:
    """One call's agent. Whoever opened ``media`` closes it; until then, ``converse`` may be called again."""

    def __init__(
        self,
        media: Media,
        stt: SpeechToText,
        tts: TextToSpeech,
        detector: VoiceDetector,
        options: AgentOptions | None = None,
    ) -> None:
        """detector: this call's own, since it remembers."""
        self._options = options = options or AgentOptions()
        self._inbox = Inbox()
        self._ear = Ear(detector, stt.listen(), options.turns)
        self._call = Call(media, tts, self._ear, self._inbox, options)

    def press(self, digit: str) -> None:
        """A key that the caller pressed, for media that do not tell. Raises ValueError when it is no key."""
        self._inbox.press(digit)

    def caller_gone(self) -> None:
        """The caller hung up, for media that do not tell."""
        self._inbox.put(MediaEnded("the caller hung up", hung_up=True))

    async def converse(self, dialogue: Dialogue, longest_seconds: float | None = None) -> Conversation:
        """Holds the conversation, for ``longest_seconds`` at most (None: as the options say). A call that ends meanwhile is
        an outcome and no error, and so is an engine that fails."""
        loop = asyncio.get_running_loop()
        record = Record(loop.time())
        ended_by = EndedBy.TOO_LONG
        try:
            async with beside(self._inbox.receive(self._call.media)):
                limit = asyncio.timeout(self._options.longest_seconds if longest_seconds is None else longest_seconds)
                try:
                    async with limit:
                        ended_by = await self._turns(dialogue, record)
                except TimeoutError:
                    if not limit.expired():
                        raise
        finally:
            # Also when we are cancelled: an utterance that nobody ends would hold its decoder for ever.
            self._ear.forget()
            self._inbox.clear()
            faults, self._ear.faults = tuple(self._ear.faults), []
        seconds = loop.time() - record.started
        log.info("conversation ended by %s after %.1f s", ended_by.value, seconds)
        return Conversation(
            transcript=tuple(sorted(record.lines, key=lambda line: line.started_seconds)),
            ended_by=ended_by,
            keys=tuple(record.keys),
            timings=tuple(record.timings),
            seconds=seconds,
            faults=faults,
            why=record.why,
        )

    async def _turns(self, dialogue: Dialogue, record: Record) -> EndedBy:
        turn, before = dialogue.open(), None
        while True:
            answer = await TurnTaking.take(self._call, turn, before, record, dialogue.refuses)
            if isinstance(answer, EndedBy):
                return answer
            turn, before = _next(dialogue, answer), answer


def _next(dialogue: Dialogue, answer: Understood | Pressed | NoSpeech) -> Turn:
    match answer:
        case Understood(heard):
            return dialogue.heard(heard)
        case Pressed(digit):
            return dialogue.key(digit)
        case NoSpeech():
            return dialogue.silence()
    assert_never(answer)
