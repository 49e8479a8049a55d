"""When the caller starts to speak, and when their turn is over.

Pure. Time is the audio given: every frame says how long it is, and nothing here looks at a clock. A frame is speech or it
is not (``vad.py`` decides); the recogniser's partial text, when there is one, lets a finished answer end early.

    how long a silence ends the turn      when
    complete_stop_seconds   (0.2)         the partial text fulfils the question and has not changed for as long
    stop_seconds            (0.3)         it fulfils the question, but has only just changed
    unfinished_stop_seconds (0.7)         it does not, or there is none: the caller may be thinking
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_SLACK = 1e-6
"""Seconds. Sums of frame lengths are not exact."""


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """Everything in seconds of audio."""

    start_seconds: float = 0.08
    """So much speech, less what was not speech in between, starts a turn: a click does not."""
    resume_seconds: float = 0.04
    """So much speech on end undoes a silence: a crackle does not."""
    stop_seconds: float = 0.3
    complete_stop_seconds: float = 0.2
    unfinished_stop_seconds: float = 0.7
    longest_seconds: float = 20.0
    """A turn is ended when it has lasted so long."""

    def __post_init__(self) -> None:
        if not 0 < self.complete_stop_seconds <= self.stop_seconds <= self.unfinished_stop_seconds:
            raise ValueError("expected 0 < complete_stop_seconds <= stop_seconds <= unfinished_stop_seconds")
        if not 0 < self.start_seconds < self.longest_seconds or self.resume_seconds <= 0:
            raise ValueError("expected 0 < start_seconds < longest_seconds, and resume_seconds above 0")


class TurnReason(StrEnum):
    """Why a turn ended. ``complete``: the answer was there, so less silence was enough. ``cut``: there was no more audio."""

    SILENCE = "silence"
    COMPLETE = "complete"
    TOO_LONG = "too_long"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller speaks. ``at``: when that was certain; ``began``: since when."""

    at: float
    began: float


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller has finished. ``spoken_until``: the end of the last speech; ``voiced``: how much of it was speech."""

    at: float
    began: float
    spoken_until: float
    voiced: float
    reason: TurnReason


@dataclass(frozen=True, slots=True)
class NoSpeech:
    """The time to answer has passed."""

    at: float


TurnEvent = SpeechStarted | TurnEnded | NoSpeech


class TurnDetector:
    """One caller's turns. All times count from its first frame."""

    def __init__(self, options: TurnOptions = TurnOptions()) -> None:
        self.options = options
        self.now = 0.0
        self.speaking = False
        self._began = 0.0
        self._voiced = 0.0
        self._run = 0.0
        self._spoken_until = 0.0
        self._answer_by: float | None = None
        self._partial = ""
        self._fulfilled = False
        self._changed = 0.0

    @property
    def voiced(self) -> float:
        """Seconds of speech in the turn that is going on; 0 outside one."""
        return self._voiced if self.speaking else 0.0

    def await_answer(self, seconds: float | None) -> None:
        """From now on the caller has ``seconds`` to start speaking, or NoSpeech follows. None: all the time they like."""
        self._answer_by = None if seconds is None else self.now + seconds

    def note_partial(self, text: str, *, fulfilled: bool) -> None:
        """What the recogniser makes of the turn so far, and whether that answers the question."""
        if text != self._partial:
            self._partial = text
            self._changed = self.now
        self._fulfilled = fulfilled

    def hear(self, speech: bool, seconds: float) -> TurnEvent | None:
        """Take the next piece of audio, which lasts ``seconds``."""
        self.now += seconds
        self._run = self._run + seconds if speech else 0.0
        if self.speaking:
            return self._during_turn(speech, seconds)
        return self._before_turn(speech, seconds)

    def _before_turn(self, speech: bool, seconds: float) -> TurnEvent | None:
        if speech:
            if self._voiced <= 0:
                self._began = self.now - seconds
            self._voiced += seconds
            self._spoken_until = self.now
        else:
            self._voiced = max(0.0, self._voiced - seconds)
        if self._voiced >= self.options.start_seconds - _SLACK:
            self.speaking = True
            self._answer_by = None
            self._partial, self._fulfilled, self._changed = "", False, self.now
            return SpeechStarted(self.now, self._began)
        if self._answer_by is not None and self.now >= self._answer_by - _SLACK and self._voiced <= 0:
            self._answer_by = None
            return NoSpeech(self.now)
        return None

    def _during_turn(self, speech: bool, seconds: float) -> TurnEvent | None:
        if speech:
            self._voiced += seconds
        if self._run >= self.options.resume_seconds - _SLACK:
            self._spoken_until = self.now
        reason = self._why_over()
        return None if reason is None else self._over(reason)

    def cut(self) -> TurnEnded | None:
        """No more audio comes: the turn that is going on is over. None outside one."""
        return self._over(TurnReason.CUT) if self.speaking else None

    def _over(self, reason: TurnReason) -> TurnEnded:
        ended = TurnEnded(self.now, self._began, self._spoken_until, self._voiced, reason)
        self.speaking = False
        self._answer_by = None  # also when the waiting began after the speech
        self._voiced = self._run = 0.0
        return ended

    def _why_over(self) -> TurnReason | None:
        options = self.options
        silent = self.now - self._spoken_until + _SLACK
        if self._fulfilled:
            steady = self.now - self._changed + _SLACK >= options.complete_stop_seconds
            if silent >= (options.complete_stop_seconds if steady else options.stop_seconds):
                return TurnReason.COMPLETE
        elif silent >= options.unfinished_stop_seconds:
            return TurnReason.SILENCE
        if self.now - self._began + _SLACK >= options.longest_seconds:
            return TurnReason.TOO_LONG
        return None
