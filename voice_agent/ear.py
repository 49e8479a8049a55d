"""Hears one caller: which frames are speech, when a turn is over, what was said."""

from __future__ import annotations

from collections import deque

from voice_agent.audio import FRAME_SECONDS, dbfs, rms
from voice_agent.dialogue import Listen
from voice_agent.errors import EngineError
from voice_agent.heard import Heard
from voice_agent.stt import Recogniser
from voice_agent.turns import SpeechStarted, TurnDetector, TurnEnded, TurnEvent, TurnOptions
from voice_agent.vad import VoiceDetector

LOOK_BACK_SECONDS = 0.3
"""So much of what came before speech was certain goes to the recogniser as well, or the first sound would be lost."""


class Ear:
    """Detector, turns and recogniser of one caller. An engine that fails is a fault, noted, and an utterance not understood."""

    def __init__(self, detector: VoiceDetector, recogniser: Recogniser, options: TurnOptions) -> None:
        self.faults: list[str] = []
        self.partial = ""
        """What has been understood of the utterance that is going on."""
        self._detector = detector
        self._recogniser = recogniser
        self._turns = TurnDetector(options)
        self._before: deque[bytes] = deque(maxlen=round(LOOK_BACK_SECONDS / FRAME_SECONDS))
        self._expected: Listen | None = None
        self._failed = False

    @property
    def speech_seconds(self) -> float:
        """How much speech the utterance that is going on has; 0 when there is none."""
        return self._turns.voiced

    def expect(self, listen: Listen | None) -> None:
        """From the next utterance on, the caller is likely to say this; nobody waits for an answer yet."""
        self._expected = listen
        self._recogniser.expect(listen.phrases if listen else ())
        self._turns.await_answer(None)

    def await_answer(self, seconds: float) -> None:
        """NoSpeech follows when the caller says nothing for ``seconds``."""
        self._turns.await_answer(seconds)

    def hear(self, pcm: bytes, *, gate_dbfs: float | None = None) -> TurnEvent | None:
        """Takes one frame. gate_dbfs: only what is louder counts as speech."""
        speech = self._detector.is_speech(pcm) and (gate_dbfs is None or dbfs(rms(pcm)) > gate_dbfs)
        if self._turns.speaking:
            self._feed(pcm)
            self._read()
        else:
            self._before.append(pcm)
        event = self._turns.hear(speech, FRAME_SECONDS)
        if isinstance(event, SpeechStarted):
            self._failed = False
            self.partial = ""
            self._feed(b"".join(self._before))
            self._before.clear()
        return event

    def cut(self) -> TurnEnded | None:
        """No more audio comes: the utterance that is going on is over. None when there is none."""
        return self._turns.cut()

    async def final(self) -> Heard:
        """What the utterance was that has just ended."""
        if self._failed:
            return Heard("")
        try:
            return await self._recogniser.final()
        except EngineError as error:
            self._note(error)
            return Heard("")

    def forget(self) -> None:
        """The utterance that is going on, or has just ended, is of no interest."""
        self._recogniser.abandon()

    def _feed(self, pcm: bytes) -> None:
        if not self._failed:
            try:
                self._recogniser.accept(pcm)
            except EngineError as error:
                self._note(error)

    def _read(self) -> None:
        partial = self._recogniser.partial()
        if partial != self.partial:
            self.partial = partial
            fulfilled = self._expected is not None and self._expected.fulfilled_by(partial)
            self._turns.note_partial(partial, fulfilled=fulfilled)

    def _note(self, error: EngineError) -> None:
        self.faults.append(str(error))
        self._failed = True
