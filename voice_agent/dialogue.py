"""What a conversation says and waits for: the seam between this package and whoever decides what is said.

Pure values and one Protocol. A dialogue is synchronous, does no I/O and knows no time: it is told what the caller did, and
answers with the next turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from voice_agent.heard import Heard

ALL_KEYS = "0123456789*#"


def is_key(digit: str) -> bool:
    """Whether it is one of a telephone's twelve keys."""
    return len(digit) == 1 and digit in ALL_KEYS


def plain(text: str) -> str:
    """Lower case, only letters, digits and apostrophes, single spaces: the form in which phrases are compared."""
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'")))


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait for an answer. seconds: of silence, after what was said, until ``Dialogue.silence``.

    phrases: what the caller is likely to say. They help the recogniser, and an utterance that holds one of them is taken
    as finished sooner. They are hints: whatever was understood is told.
    """

    phrases: tuple[str, ...] = ()
    seconds: float = 5.0
    _wanted: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"expected seconds above 0, got {self.seconds}")
        object.__setattr__(self, "_wanted", tuple(f" {plain(phrase)} " for phrase in self.phrases))

    def fulfilled_by(self, text: str) -> bool:
        """Whether one of the phrases is in ``text``, whole words only."""
        spoken = f" {plain(text)} "
        return any(wanted in spoken for wanted in self._wanted)


@dataclass(frozen=True, slots=True)
class HangUp:
    """The conversation is over once everything is said."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A person takes over once everything is said."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Say this, sentence by sentence, then do that.

    keys: those that act, at any moment of the turn, and silence the agent. protected: so many of the first sentences
    cannot be interrupted by speech (who is calling, and that it is a machine), only by keys.
    """

    say: tuple[str, ...]
    then: Listen | HangUp | Transfer
    keys: str = ALL_KEYS
    protected: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.say, str):
            raise ValueError("expected a tuple of sentences")
        if not set(self.keys) <= set(ALL_KEYS):
            raise ValueError(f"expected keys out of {ALL_KEYS}, got {self.keys!r}")


class Dialogue(Protocol):
    """Decides what comes next. Every method answers at once, with the next turn as a rule."""

    def open(self) -> Turn:
        """The first turn."""
        ...

    def heard(self, heard: Heard) -> Turn:
        """The caller said something. An empty text: they spoke, and nothing was understood."""
        ...

    def refuses(self, text: str) -> bool:
        """Whether who says this wants no more of the conversation. It is then told as ``heard`` whenever it was said: while
        nothing may interrupt, in a turn that waits for no answer, or as the last words before the call was hung up."""
        ...

    def key(self, digit: str) -> Turn:
        """The caller pressed one of the turn's keys."""
        ...

    def silence(self) -> Turn:
        """The caller said nothing for as long as the turn waits."""
        ...
