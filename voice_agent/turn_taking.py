"""One turn of the conversation: the agent speaks, the caller answers or interrupts.

What ends it, and silences the agent at once:

    a key of ``Turn.keys``                      always
    speech that means something                 once the protected sentences are said
    an expected phrase, said before that        as soon as the protected sentences are said
    a refusal (``Dialogue.refuses``)            the same; at once where no answer is waited for
    any speech, or none for ``Listen.seconds``  once everything is said
    the end of the call                         always, once the caller's last words are understood
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from voice_agent.beside import Side, beside
from voice_agent.conversation import EndedBy, Key, Line, Speaker, TurnTiming
from voice_agent.dialogue import Listen, Transfer, Turn, plain
from voice_agent.ear import Ear
from voice_agent.errors import EngineError
from voice_agent.inbox import Event, Frame, Inbox, Pressed, Said, Understood
from voice_agent.media import Media, MediaEnded
from voice_agent.options import AgentOptions
from voice_agent.tts import TextToSpeech
from voice_agent.turns import NoSpeech, TurnEnded

log = logging.getLogger("voice_agent.record")

Answer = Understood | Pressed | NoSpeech | EndedBy

_SHORTEST_WAIT_SECONDS = 1.0
"""After a noise the caller has so long at least."""
LAST_WORDS_SECONDS = 2.0
"""How long the last words before the end of a call are waited for: "don't call me" and a hang-up are one gesture."""


@dataclass(frozen=True, slots=True)
class Call:
    """What all turns of a call work with."""

    media: Media
    tts: TextToSpeech
    ear: Ear
    inbox: Inbox
    options: AgentOptions


@dataclass(slots=True)
class Record:
    """The conversation so far; see ``Conversation``. started: in the loop's time."""

    started: float
    lines: list[Line] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    timings: list[TurnTiming] = field(default_factory=list)
    why: str = ""

    def add(self, line: Line) -> None:
        """Something was said. What people say is for a log that was asked for all."""
        self.lines.append(line)
        log.debug("%s, for %.3f s: %s", line.speaker.value, line.ended_seconds - line.started_seconds, line.text)


class TurnTaking:
    """One turn. before: what the caller did that led to it; None for the first. refuses: ``Dialogue.refuses``."""

    def __init__(
        self,
        call: Call,
        turn: Turn,
        before: Answer | None,
        record: Record,
        refuses: Callable[[str], bool],
        side: Side,
    ) -> None:
        self._call = call
        self._turn = turn
        self._listen = turn.then if isinstance(turn.then, Listen) else None
        self._record = record
        self._refuses = refuses
        self._side = side
        self._loop = asyncio.get_running_loop()
        self._mouth = _Mouth(call, turn.say, before, record)
        self._saying = side.start(self._mouth.say())
        self._all_said = False
        self._answer_by = 0.0
        self._early: Understood | None = None
        self._understanding: set[asyncio.Task[None]] = set()

    @classmethod
    async def take(
        cls, call: Call, turn: Turn, before: Answer | None, record: Record, refuses: Callable[[str], bool]
    ) -> Answer:
        """Until the caller has answered, or, when nothing is to be answered, until everything is said."""
        call.ear.expect(turn.then if isinstance(turn.then, Listen) else None)
        async with beside() as side:
            taking = cls(call, turn, before, record, refuses, side)
            while True:
                answer = taking._react(await call.inbox.next()) or taking._ripe()
                if isinstance(answer, EndedBy) and answer is not EndedBy.TRANSFER:  # a person will hear the rest
                    return await taking._last_words(answer)
                if answer is not None:
                    return answer

    def _react(self, event: Event) -> Answer | None:
        match event:
            case Frame():
                return self._hear(event)
            case Understood():
                return self._weigh(event)
            case Pressed(digit, at):
                if digit not in self._turn.keys:
                    return None
                self._record.keys.append(Key(digit, at - self._record.started))
                return event
            case Said(fault):
                return self._fall_silent(fault)
            case MediaEnded(why, hung_up):
                self._record.why = why
                return EndedBy.CALLER if hung_up else EndedBy.MEDIA_LOST

    # ------------------------------------------------------------------------------------------------------------ speaking
    @property
    def _interruptible(self) -> bool:
        """Whether what the caller says now may end the agent's speech."""
        if self._all_said:
            return True
        return self._call.options.speech_barge_in and self._mouth.sentence >= self._turn.protected

    def _hush(self) -> None:
        """The caller interrupts. What they say is not over yet."""
        self._saying.cancel()
        self._wait_for_answer()

    def _fall_silent(self, fault: EngineError | None) -> Answer | None:
        if fault is not None:
            self._record.why = str(fault)
            return EndedBy.ERROR
        if self._listen is None:
            return EndedBy.TRANSFER if isinstance(self._turn.then, Transfer) else EndedBy.AGENT
        if not self._all_said:
            self._wait_for_answer()
            self._call.ear.await_answer(self._listen.seconds)
        return None

    def _wait_for_answer(self) -> None:
        assert self._listen is not None
        self._all_said = True
        self._answer_by = self._loop.time() + self._listen.seconds

    # ----------------------------------------------------------------------------------------------------------- listening
    def _hear(self, frame: Frame) -> Answer | None:
        gate = None if self._all_said else self._call.options.barge_in_dbfs
        event = self._call.ear.hear(frame.pcm, gate_dbfs=gate)
        match event:
            case NoSpeech():
                return event
            case TurnEnded():
                self._start_understanding(event, frame.at)
            case _ if self._listen is not None:
                long_enough = self._call.ear.speech_seconds >= self._call.options.barge_in_seconds
                if (
                    not self._all_said
                    and self._interruptible
                    and long_enough
                    and self._means_something(self._call.ear.partial)
                ):
                    self._hush()
        return None

    def _start_understanding(self, ended: TurnEnded, over: float) -> None:
        task = self._side.start(self._understand(ended, over))
        self._understanding.add(task)
        task.add_done_callback(self._understanding.discard)

    async def _understand(self, ended: TurnEnded, over: float) -> None:
        """Times in ``ended`` count audio; the last frame of it came at ``over``."""
        heard = await self._call.ear.final()
        began = over - (ended.at - ended.began)
        spoken_until = over - (ended.at - ended.spoken_until)
        self._call.inbox.put(Understood(heard, ended.voiced, began, spoken_until, over, self._loop.time()))

    def _weigh(self, said: Understood) -> Answer | None:
        text = said.heard.text
        if self._all_said and not text and said.voiced < self._call.options.noise_seconds:
            self._call.ear.await_answer(max(_SHORTEST_WAIT_SECONDS, self._answer_by - self._loop.time()))
            return None
        if text or self._all_said:
            self._write_down(said)
        if self._listen is None:
            return said if self._refuses(text) else None
        if self._all_said or (self._interruptible and self._means_something(text)):
            return said
        self._keep(said)
        return None

    def _write_down(self, said: Understood) -> None:
        begun, ended = said.began - self._record.started, said.spoken_until - self._record.started
        self._record.add(Line(Speaker.CALLER, said.heard.text, begun, ended, said.heard.confidence))

    def _keep(self, said: Understood) -> None:
        """For later, when it is an answer. After a no, no other words count."""
        if self._early is not None and self._refuses(self._early.heard.text):
            return
        text = said.heard.text
        if self._refuses(text) or (self._listen is not None and self._listen.fulfilled_by(text)):
            self._early = said

    async def _last_words(self, ended: EndedBy) -> Answer:
        """What the caller was still saying, or pressed, as everything ended, where that is an answer; otherwise the end."""
        cut = self._call.ear.cut()
        if cut is not None:
            self._start_understanding(cut, self._loop.time())
        if self._understanding:
            await asyncio.wait(self._understanding, timeout=LAST_WORDS_SECONDS)
        for event in self._call.inbox.rest():
            match event:
                case Pressed(digit) if digit in self._turn.keys:
                    return self._react(event) or ended
                case Understood(heard) if heard.text:
                    self._write_down(event)
                    self._keep(event)
                case _:
                    pass
        return self._early or ended

    def _means_something(self, text: str) -> bool:
        assert self._listen is not None
        return self._listen.fulfilled_by(text) or not set(plain(text).split()) <= self._call.options.backchannels

    def _ripe(self) -> Answer | None:
        """An answer that came while nothing could interrupt."""
        return self._early if self._interruptible else None


class _Mouth:
    """Says a turn's sentences, one after another."""

    def __init__(self, call: Call, sentences: tuple[str, ...], before: Answer | None, record: Record) -> None:
        self.sentence = 0
        """The number of the one that is being said, from 0."""
        self._call = call
        self._sentences = sentences
        self._before = before
        self._record = record
        self._loop = asyncio.get_running_loop()
        self._since = record.started if before is None else self._loop.time()
        self._timed = False

    async def say(self) -> None:
        fault = None
        try:
            for number, sentence in enumerate(self._sentences):
                self.sentence = number
                if not await self._say(sentence):
                    return  # the end of the call tells itself
        except EngineError as error:
            fault = error
        self._call.inbox.put(Said(fault))

    async def _say(self, sentence: str) -> bool:
        started: list[float] = []

        async def timed(speech: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
            async for pcm in speech:
                if not started:
                    started.append(self._loop.time())
                    self._note_timing(started[0])
                yield pcm

        heard = False
        try:
            async with aclosing(self._call.tts.speak(sentence)) as speech, aclosing(timed(speech)) as noted:
                heard = await self._call.media.play(noted)
        finally:
            if started:
                begun, ended = started[0] - self._record.started, self._loop.time() - self._record.started
                self._record.add(Line(Speaker.AGENT, sentence, begun, ended, cut=not heard))
        return heard

    def _note_timing(self, now: float) -> None:
        """Sound goes out."""
        if self._timed:
            return
        self._timed = True
        match self._before:
            case Understood(spoken_until=spoken_until, over=over, at=at):
                timing = TurnTiming("voice", over - spoken_until, at - over, now - at)
            case Pressed(at=at):
                timing = TurnTiming("key", 0.0, 0.0, now - at)
            case before:
                timing = TurnTiming("start" if before is None else "silence", 0.0, 0.0, now - self._since)
        self._record.timings.append(timing)
