"""Text to speech with flite: English voices in a small program."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from voice_agent.speech_program import run_speech_program

VOICES = ("slt", "rms", "awb", "kal16")
"""Those of the Debian package that are worth hearing: slt is a woman's, American; the others are men's."""


class Flite:
    """Implements TextToSpeech. A sentence takes about 60 ms."""

    def __init__(self, *, voice: str = "slt", stretch: float = 1.0, within: float = 10.0) -> None:
        """stretch: 1.2 speaks that much slower. within: seconds for one text. Raises ValueError for another voice."""
        if voice not in VOICES:
            raise ValueError(f"expected one of {', '.join(VOICES)}, got {voice!r}")
        self.name = f"flite/{voice}/{stretch:g}"
        self._options = ("-voice", voice, "--setf", f"duration_stretch={stretch:g}")
        self._within = within

    async def speak(self, text: str) -> AsyncGenerator[bytes, None]:
        yield await run_speech_program(
            "flite",
            lambda script, sound: (*self._options, "-f", str(script), "-o", str(sound)),
            text,
            within=self._within,
        )
