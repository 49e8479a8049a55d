"""What a recogniser made of one utterance. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """One word, in seconds from the start of the utterance."""

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance. ``text`` is lower case without punctuation, and empty when nothing was understood.

    ``confidence`` is 0 to 1, None when the engine has no opinion; engines mean different things by it.
    """

    text: str
    confidence: float | None = None
    words: tuple[Word, ...] = ()


def mean_confidence(words: Sequence[Word]) -> float | None:
    """That of the words together, each as much as it lasts; None when none of them has one."""
    told = [(word.end - word.start, word.confidence) for word in words if word.confidence is not None]
    lasted = sum(seconds for seconds, _ in told)
    return sum(seconds * confidence for seconds, confidence in told) / lasted if lasted > 0 else None
