"""The prompts of an inbound call: one at a time, and how much of it the caller heard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

import structlog

from ari_app.calls.draft import PromptDigests
from ari_app.calls.effects import Prompt
from ari_app.calls.events import CallEvent, PlayingEnded
from ari_app.clock import Clock
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AriError, NotFoundError
from ari_app.pbx.models import Playback
from ari_app.pbx.sounds import Sound

log = structlog.get_logger("call")

WHOLE_TOLERANCE_SECONDS = 0.4
"""A prompt counts as heard to its end if at most this much of it is missing: Asterisk reports its last packet, not sample."""


@dataclass(frozen=True, slots=True)
class VoicePrompt:
    """A prompt as it can be played, and the digest of its text."""

    sound: Sound
    text_sha256: str

    @property
    def digests(self) -> PromptDigests:
        return PromptDigests(self.text_sha256, self.sound.digest)


Prompts = Mapping[Prompt, VoicePrompt]


class MomentFields(TypedDict):
    """Both clocks."""

    now: float
    at: datetime


def moment_of(clock: Clock) -> MomentFields:
    """This moment on the loop's clock and on the wall's."""
    return {"now": asyncio.get_running_loop().time(), "at": clock.now()}


class PromptPlayer:
    """Plays to one channel. answer: has it answered first. ended: takes the end of each prompt, without waiting."""

    def __init__(
        self,
        channel: str,
        ari: Ari,
        clock: Clock,
        prompts: Prompts,
        answer: Callable[[], Awaitable[None]],
        ended: Callable[[CallEvent], None],
    ) -> None:
        self._channel = channel
        self._ari = ari
        self._clock = clock
        self._prompts = prompts
        self._answer = answer
        self._ended = ended
        self._count = 0
        self._current: tuple[str, Prompt] | None = None
        self._started: MomentFields | None = None
        self.digests = {prompt: voiced.digests for prompt, voiced in prompts.items()}

    @property
    def playing(self) -> bool:
        """Whether a prompt has been asked for whose end has not been told."""
        return self._current is not None

    async def play(self, prompt: Prompt) -> None:
        """Ask for ``prompt``. One that cannot be played ends at once, unheard."""
        self._count += 1
        playback = f"{self._channel}-play{self._count}"
        self._current, self._started = (playback, prompt), None
        voiced = self._prompts.get(prompt)
        try:
            if voiced is None:
                raise NotFoundError(f"prompt {prompt}", 0, "it has not been rendered")
            await self._answer()
            await self._ari.channels.play(self._channel, [voiced.sound.media], playback=playback)
        except AriError as error:
            log.warning("prompt_not_played", call_id=self._channel, prompt=prompt.value, error=str(error))
            self._over(playback, failed=True)

    async def stop(self) -> None:
        """Cut short what plays. Its end is told at once, and before whatever plays next: it is never taken for a whole one."""
        if self._current is None:
            return
        playback, prompt = self._current
        self._over(playback)
        try:
            await self._ari.playbacks.stop(playback)
        except NotFoundError:
            log.debug("prompt_ended_before", call_id=self._channel, prompt=prompt.value)

    def started(self, playback: Playback) -> None:
        """Asterisk has begun to play it."""
        if self._current is not None and playback.id == self._current[0]:
            self._started = moment_of(self._clock)

    def finished(self, playback: Playback) -> None:
        """Asterisk has ended it. The end of something earlier is no news."""
        self._over(playback.id, failed=playback.state == "failed")

    def _over(self, playback: str, *, failed: bool = False) -> None:
        if self._current is None or self._current[0] != playback:
            return
        (_, prompt), started = self._current, self._started
        self._current = self._started = None
        moment = moment_of(self._clock)
        voiced = self._prompts.get(prompt)
        heard = 0.0 if started is None else moment["now"] - started["now"]
        whole = not failed and voiced is not None and heard >= voiced.sound.seconds - WHOLE_TOLERANCE_SECONDS
        since = moment["at"] if started is None else started["at"]
        self._ended(PlayingEnded(**moment, prompt=prompt.value, whole=whole, started_at=since))
