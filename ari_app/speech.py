"""The application's voice: prompts that callers hear, and the voice agent that calls them back."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import tzinfo
from pathlib import Path
from typing import NoReturn

import structlog

from ari_app.calls.effects import Prompt
from ari_app.calls.prompts import VoicePrompt
from ari_app.calls.voice import RtpEnd, Speaker, Talk, TalkEnd
from ari_app.conversation import qualify
from ari_app.conversation.intents import PHRASES, Meaning, meaning
from ari_app.conversation.qualify import Next, Outcome, Say, Subject, Talking
from ari_app.pbx.resources import resources
from ari_app.pbx.sounds import SoundFolder
from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.plan import clock_face
from ari_app.recovery.templates import clean
from ari_app.recovery.values import Intent, Line
from ari_app.runtime.recorder import Recorder
from ari_app.settings.calling import PromptSection, VoiceSection
from voice_agent import conversation as spoken
from voice_agent.agent import VoiceAgent
from voice_agent.dialogue import HangUp, Listen, Transfer, Turn
from voice_agent.engines import EngineOptions, Engines, open_engines
from voice_agent.errors import VoiceAgentError
from voice_agent.heard import Heard
from voice_agent.media import Media
from voice_agent.media_rtp import RtpMedia, open_rtp_media
from voice_agent.media_websocket import open_websocket_media
from voice_agent.tts import TextToSpeech

log = structlog.get_logger("speech")

AWAY_NOTICE = "missed_call_away"
"""What the dialplan plays by itself while Ringback is away."""


def engine_options(section: VoiceSection, base: Path, cache: Path) -> EngineOptions:
    """The engines that the settings ask for; relative paths count from ``base``."""
    return EngineOptions(
        stt=section.stt.value,
        vosk_model=None if section.vosk_model is None else base / section.vosk_model,
        tts=section.tts.value,
        piper_voice=None if section.piper_voice is None else base / section.piper_voice,
        language=section.language,
        cache=cache,
        lanes=section.lanes,
    )


# ------------------------------------------------------------------------------------------------------------- prompts
def prompt_texts(section: PromptSection, brokerage: str) -> dict[str, str]:
    """The text of every prompt, by name: the settings', or what ships in asterisk/prompts."""
    own = {
        Prompt.NOTICE.value: section.notice,
        Prompt.CALL_NOW.value: section.call_now,
        Prompt.NEVER.value: section.never,
    }
    texts: dict[str, str] = {}
    for path in sorted(resources("asterisk").joinpath("prompts").glob("*.txt")):
        text = own.get(path.stem) or path.read_text(encoding="utf-8")
        texts[path.stem] = " ".join(text.replace("{brokerage}", clean(brokerage, 80)).split())
    return texts


async def render_prompts(texts: dict[str, str], tts: TextToSpeech, folder: Path) -> dict[Prompt, VoicePrompt]:
    """Put every prompt into Asterisk's folder of sounds. Raises EngineError, OSError."""
    sounds = SoundFolder(folder)
    known = {prompt.value: prompt for prompt in Prompt}
    voiced: dict[Prompt, VoicePrompt] = {}
    for name, text in texts.items():
        sound = sounds.put(name, b"".join([piece async for piece in tts.speak(text)]))
        if name in known:
            voiced[known[name]] = VoicePrompt(sound, hashlib.sha256(text.encode()).hexdigest())
    return voiced


# ----------------------------------------------------------------------------------------------------------- callbacks
class CallbackVoice:
    """Implements calls' ``Voice`` with the voice agent."""

    def __init__(self, engines: Engines, recorder: Recorder) -> None:
        self._engines = engines
        self._recorder = recorder

    async def prepare(self, callback: PlaceCallback) -> None:
        """Make the speech of all that may be said; what was made before is there already."""
        for sentence in qualify.every_sentence(self._subject(callback)):
            async for _ in self._engines.tts.speak(sentence):
                pass

    @contextlib.asynccontextmanager
    async def over_websocket(self, callback: PlaceCallback, url: str) -> AsyncIterator[Speaker]:
        # Keys come through ARI for every kind of audio; from here as well they would count twice.
        async with open_websocket_media(url, keys=False) as media:
            yield self._speaker(callback, media)

    @contextlib.asynccontextmanager
    async def over_rtp(self, callback: PlaceCallback, host: str) -> AsyncIterator[_Rtp]:
        async with open_rtp_media(host) as media:
            yield _Rtp(media, self._speaker(callback, media))

    def _speaker(self, callback: PlaceCallback, media: Media) -> _Speaker:
        engines = self._engines
        agent = VoiceAgent(media, engines.stt, engines.tts, engines.detector())
        return _Speaker(agent, self._subject(callback))

    def _subject(self, callback: PlaceCallback) -> Subject:
        policy = self._recorder.policy
        office = policy.offices.get(callback.office)
        zone: tzinfo | None = None if office is None else office.hours.zone
        listing = None if callback.listing is None else clean(callback.listing, 40)
        return Subject(policy.brokerage, callback.name, listing, clock_face(callback.missed_at.astimezone(zone)))


class VoiceSoon:
    """Implements calls' ``Voice`` with engines that load beside everything else: a recogniser takes seconds, and calls are
    watched and texts go out meanwhile. Callbacks wait until ``loaded``."""

    def __init__(self) -> None:
        self._voice: CallbackVoice | None = None

    def loaded(self) -> bool:
        """Whether callbacks can be spoken."""
        return self._voice is not None

    async def run(self, options: EngineOptions, recorder: Recorder) -> NoReturn:
        """Load the engines, and keep them until cancelled. Raises EngineError."""
        async with open_engines(options) as engines:
            await engines.stt.prepare(PHRASES)
            self._voice = CallbackVoice(engines, recorder)
            log.info("voice_ready", stt=engines.stt.name)
            while True:
                await asyncio.Event().wait()

    async def prepare(self, callback: PlaceCallback) -> None:
        await self._there.prepare(callback)

    def over_websocket(self, callback: PlaceCallback, url: str) -> AbstractAsyncContextManager[Speaker]:
        return self._there.over_websocket(callback, url)

    def over_rtp(self, callback: PlaceCallback, host: str) -> AbstractAsyncContextManager[RtpEnd]:
        return self._there.over_rtp(callback, host)

    @property
    def _there(self) -> CallbackVoice:
        assert self._voice is not None, "a callback was placed before the engines were there"
        return self._voice


class _Rtp:
    def __init__(self, media: RtpMedia, speaker: Speaker) -> None:
        self._media = media
        self._speaker = speaker

    @property
    def port(self) -> int:
        return self._media.address[1]

    def connect(self, host: str, port: int) -> Speaker:
        self._media.connect(host, port)
        return self._speaker


class _Speaker:
    """Implements calls' ``Speaker``."""

    def __init__(self, agent: VoiceAgent, subject: Subject) -> None:
        self._agent = agent
        self._subject = subject
        self._gone = False

    async def talk(self, longest_seconds: float, said_no: Callable[[], None]) -> Talk:
        dialogue = _Qualifying(self._subject, said_no)
        try:
            held = await self._agent.converse(dialogue, longest_seconds)
        except VoiceAgentError as error:
            return Talk(TalkEnd.FAILED, dialogue.intent, (), f"{type(error).__name__}: {error}")
        for fault in held.faults:
            log.warning("engine_fault", fault=fault)
        first = next((timing.speak_seconds for timing in held.timings), None)
        log.info("conversation_held", ended_by=held.ended_by.value, first_words_seconds=first)
        return Talk(self._end(held, dialogue), dialogue.intent, tuple(_lines(held.transcript)), held.why or None)

    async def apologise(self, said_no: Callable[[], None]) -> tuple[Line, ...]:
        return await self._say(_Saying(qualify.APOLOGY, said_no))

    async def confirm_no(self) -> tuple[Line, ...]:
        return await self._say(_Saying(qualify.STOPPED))

    async def _say(self, saying: _Saying) -> tuple[Line, ...]:
        held = await self._agent.converse(saying)
        return tuple(_lines(held.transcript))

    def key(self, digit: str) -> None:
        with contextlib.suppress(ValueError):  # A to D: no keys of ours
            self._agent.press(digit)

    def caller_gone(self) -> None:
        self._agent.caller_gone()

    @staticmethod
    def _end(held: spoken.Conversation, dialogue: _Qualifying) -> TalkEnd:
        # A no counts however the call ended after it.
        if dialogue.outcome is Outcome.STOPPED:
            return TalkEnd.OPTED_OUT
        match held.ended_by:
            case spoken.EndedBy.TRANSFER:
                return TalkEnd.WANTS_PERSON
            case spoken.EndedBy.AGENT | spoken.EndedBy.TOO_LONG:
                return TalkEnd.COMPLETED
            case spoken.EndedBy.CALLER:
                return TalkEnd.COMPLETED if dialogue.outcome is not Outcome.OPEN else TalkEnd.CALLER_HUNG_UP
            case spoken.EndedBy.MEDIA_LOST | spoken.EndedBy.ERROR:
                return TalkEnd.FAILED


class _Qualifying:
    """Implements the voice agent's ``Dialogue`` with the pure conversation."""

    def __init__(self, subject: Subject, said_no: Callable[[], None]) -> None:
        self._talking, self._first = qualify.begin(subject)
        self._said_no = said_no

    @property
    def intent(self) -> Intent:
        return self._talking.intent

    @property
    def outcome(self) -> Outcome:
        return self._talking.outcome

    def open(self) -> Turn:
        return _turn(self._first)

    def heard(self, heard: Heard) -> Turn:
        return self._step(qualify.hear(self._talking, heard.text))

    def refuses(self, text: str) -> bool:
        return qualify.refuses(self._talking, text)

    def key(self, digit: str) -> Turn:
        return self._step(qualify.press(self._talking, digit))

    def silence(self) -> Turn:
        return self._step(qualify.wait(self._talking))

    def _step(self, result: tuple[Talking, Say]) -> Turn:
        self._talking, say = result
        if self._talking.outcome is Outcome.STOPPED:
            self._said_no()
        return _turn(say)


class _Saying:
    """A dialogue that says something and ends. said_no: called when the caller refuses meanwhile, which ends it at once."""

    def __init__(self, sentences: tuple[str, ...], said_no: Callable[[], None] | None = None) -> None:
        self._turn = Turn(sentences, HangUp(), keys="", protected=len(sentences))
        self._said_no = said_no

    def open(self) -> Turn:
        return self._turn

    def heard(self, heard: Heard) -> Turn:
        if self._said_no is not None:
            self._said_no()
        return Turn((), HangUp())

    def refuses(self, text: str) -> bool:
        return self._said_no is not None and meaning(text) is Meaning.STOP

    def key(self, digit: str) -> Turn:
        return Turn((), HangUp())

    def silence(self) -> Turn:
        return Turn((), HangUp())


def _turn(say: Say) -> Turn:
    match say.then:
        case Next.LISTEN:
            return Turn(say.sentences, Listen(PHRASES, qualify.LISTEN_SECONDS), protected=say.protected)
        case Next.TRANSFER:
            return Turn(say.sentences, Transfer(), keys="", protected=len(say.sentences))
        case Next.HANG_UP:
            # 9 still counts while we say goodbye.
            return Turn(say.sentences, HangUp(), keys="9" if say.protected == 0 else "", protected=say.protected)


def _lines(transcript: Iterable[spoken.Line]) -> Iterable[Line]:
    for line in transcript:
        if line.text:
            yield Line(line.speaker.value, line.text, round(line.started_seconds, 2), line.confidence)
