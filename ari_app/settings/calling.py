"""Sections ``cadence``, ``prompt``, ``callback`` and ``voice``: how calls ring, what callers hear, how they are called back."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from ari_app.recovery.policy import CallbackConsent
from ari_app.settings.model import Duration, Section
from ari_app.settings.numbers import DialPattern
from ari_app.settings.pbx import Name
from ari_app.settings.problem import nearest


class CadenceSection(Section):
    """The ring. Three rings of the United States' cadence (2 s on, 4 s off) are 18 s."""

    ring_seconds: float = Field(default=6.0, gt=0, le=10)
    first_ring: Duration = Field(default=5.0, ge=0.2, le=30)
    """When no phone rings by then, the group counts as unreachable."""
    dropped: Duration = Field(default=3.0, ge=0, le=60)
    """An answered call that is over sooner counts as dropped."""


def _check_braces(text: str) -> str:
    for found in re.findall(r"\{[^{}]*\}?|\}", text):
        if found != "{brokerage}":
            hint = nearest(found.strip("{}"), ["brokerage"])
            raise ValueError(
                f"found {found!r}, which would be spoken; expected {{brokerage}}" + (f"; {hint}" if hint else "")
            )
    return text


PromptText = Annotated[
    str,
    StringConstraints(min_length=10, max_length=600, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]+$"),
    AfterValidator(_check_braces),
]


class PromptSection(Section):
    """What a caller hears once the call is missed. ``{brokerage}`` is filled in. None: the text that ships with Ringback."""

    notice: PromptText | None = None
    """Says that nobody could take the call and that we text and call back; names the keys 1 and 9."""
    call_now: PromptText | None = None
    """After key 1."""
    never: PromptText | None = None
    """After key 9."""
    keys_after: Duration = Field(default=3.0, ge=0, le=15)
    """How long keys are heard after the notice."""
    voicemail_longest: Duration = Field(default=120.0, ge=5, le=600)


class CallbackSection(Section):
    """The callback by the voice agent."""

    consent: CallbackConsent = CallbackConsent.NOTICE
    trunk: Name | None = None
    """The trunk that it leaves through; none: the only one there is."""
    to: tuple[DialPattern, ...] = ()
    """Destinations that may be called. Nothing is allowed until it stands here."""
    ring: Duration = Field(default=30.0, ge=15, le=60)
    """How long the caller's phone rings. 16 CFR 310.4(b)(4)(ii): at least 15 s or four rings."""
    expires: Duration = Field(default=300.0, ge=30, le=3600)
    """A callback not placed this long after the miss is not placed at all."""
    longest: Duration = Field(default=240.0, ge=30, le=1800)
    """Ringing and talk together."""
    per_day: int = Field(default=1, ge=1, le=3)
    at_once: int = Field(default=4, ge=1, le=100)
    """Callbacks at one time, ringing or talking."""


class SpeechEngine(StrEnum):
    AUTO = "auto"
    POCKETSPHINX = "pocketsphinx"
    VOSK = "vosk"


class VoiceEngine(StrEnum):
    AUTO = "auto"
    FLITE = "flite"
    ESPEAK = "espeak-ng"
    PIPER = "piper"


class VoiceSection(Section):
    """Engines of the voice agent. ``auto``: Vosk and Piper when their model is configured, else what needs none."""

    stt: SpeechEngine = SpeechEngine.AUTO
    vosk_model: Path | None = None
    tts: VoiceEngine = VoiceEngine.AUTO
    piper_voice: Path | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    lanes: int = Field(default=0, ge=0, le=64)
    """Utterances recognised at the same time, 0: one a core with pocketsphinx, where each takes about 150 MB, eight with Vosk."""

    @property
    def hears_with(self) -> SpeechEngine:
        """The recogniser that is used."""
        if self.stt is not SpeechEngine.AUTO:
            return self.stt
        return SpeechEngine.POCKETSPHINX if self.vosk_model is None else SpeechEngine.VOSK

    @property
    def speaks_with(self) -> VoiceEngine:
        """The voice that is used; ``auto`` for whichever program is installed."""
        return VoiceEngine.PIPER if self.tts is VoiceEngine.AUTO and self.piper_voice is not None else self.tts
