"""Text to speech: the Protocol, how texts are cut, and how loud all voices are made."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import Protocol

from voice_agent.audio import normalise, trim
from voice_agent.resample import to_telephone

FIRST_CLAUSE_WORDS = 8
"""The first piece of a text is no longer than this where a clause ends before, so that speech starts soon."""


class TextToSpeech(Protocol):
    """One voice. Safe to use for any number of callers from one event loop."""

    name: str
    """Engine, voice and everything else that changes the sound: two voices of one name sound the same."""

    def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        """Speech in our format, as it is made: one piece or several. Raises EngineError."""
        ...


def printable(text: str) -> str:
    """One line without control characters: what a program is given to read aloud."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def clauses(text: str) -> list[str]:
    """``text`` in the pieces in which it is spoken: a short first clause, then whole sentences.

    Nothing is lost: joined by spaces, they are ``text`` in one line.
    """
    sentences = re.split(r"(?<=[.!?…])\s+", printable(text))
    first = sentences[0]
    for gap in re.finditer(r"(?<=[,;:–—])\s+", first):
        if len(first[: gap.start()].split()) <= FIRST_CLAUSE_WORDS < len(first.split()):
            return [first[: gap.start()], first[gap.end() :], *sentences[1:]]
    return [sentence for sentence in sentences if sentence]


def finish(pcm: bytes, rate: int) -> bytes:
    """A voice's samples at ``rate`` hertz as we play them: 8 kHz, speech at -20 dBFS, without silence around it."""
    return normalise(trim(to_telephone(pcm, rate)))
