"""The scene: a caller rings, nobody answers, and Ringback does what it is for. Told from outside, by what its parts see."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import smpp34

from ari_app.clock import SystemClock
from ari_app.conversation import qualify
from ari_app.recovery.plan import clock_face
from scripts.demonstration.timeline import Timeline
from scripts.demonstration.voice import seconds_of_sound, seconds_to_say, write_answer
from tests.support.baresip import Baresip
from tests.support.stage import CARRIER_IP, JournalEvent, Stage

CALLER = "+13055550123"
DIALLED = "+13055550107"
LISTING = "12 Ocean Drive"
ANSWER = "I am looking to buy a house."
RING_SECONDS = 6.0
PICKS_UP_AFTER_SECONDS = 2.0
THINKS_SECONDS = 0.7
TEXT_PROMISE_SECONDS = 10.0
CALLBACK_PROMISE_SECONDS = 30.0
REPLY_PROMISE_SECONDS = 10.0
ENOUGH_SPEECH_SECONDS = 6.0
_SAID = re.compile(r"(?P<speaker>\w+), for (?P<seconds>[\d.]+) s: (?P<text>.*)", re.DOTALL)
"""As the voice agent's log has it."""


class Scene:
    """One missed call on a stage that is up."""

    def __init__(self, stage: Stage, timeline: Timeline) -> None:
        self._stage = stage
        self._timeline = timeline
        self._recordings = stage.folder / "recordings"
        self._answer = stage.folder / "answer.wav"
        self._clock_offset = 0.0

    async def play(self) -> None:
        """Everything, until the CRM has the lead. Raises AssertionError when something did not come in its time."""
        loop = asyncio.get_running_loop()
        # The journal has the wall clock, phones and SMSC have the loop's: one subtraction makes them comparable.
        self._clock_offset = SystemClock().now().timestamp() - loop.time()
        self._recordings.mkdir()
        await write_answer(self._answer, ANSWER)
        async with self._phones() as (desk, caller), asyncio.TaskGroup() as group:
            watches = (self._watch_journal(), self._watch_texts(), self._watch_conversation())
            watching = [group.create_task(watch) for watch in watches]
            try:
                await self._call(desk, caller)
                await self._talk(caller)
                await self._rest()
            finally:
                for task in watching:
                    task.cancel()
        self._judge()

    @asynccontextmanager
    async def _phones(self) -> AsyncIterator[tuple[Baresip, Baresip]]:
        secret = self._stage.settings.secrets().resolve("phone-101", None)
        desk = Baresip("101", secret, self._stage.sip)
        caller = Baresip(CALLER, ip=CARRIER_IP, port=self._stage.ports["carrier_port"], record=self._recordings)
        async with desk, caller:
            yield desk, caller

    # ------------------------------------------------------------------------------------------------------------- the acts
    async def _call(self, desk: Baresip, caller: Baresip) -> None:
        """The phone rings three times, and nobody answers."""
        loop = asyncio.get_running_loop()
        self._timeline.begin(loop.time())
        self._note("caller", f"{CALLER} dials {DIALLED}, the number on the yard sign of {LISTING}")
        caller.call(self._stage.dial(DIALLED))
        await desk.heard("CALL_INCOMING")
        started = loop.time()
        async with asyncio.TaskGroup() as group:
            rings = group.create_task(self._count_rings(started))
            await desk.heard("CALL_CLOSED", within=3 * RING_SECONDS + 5.0)
            rings.cancel()
        self._note("desk phone", "stops ringing")
        await caller.heard("CALL_CLOSED", within=30.0)
        self._note("caller", "the call is over; the caller has heard what happens next")

    async def _count_rings(self, started: float) -> None:
        clock = SystemClock()
        for ring in range(1, 4):
            await clock.pause(max(0.0, started + (ring - 1) * RING_SECONDS - asyncio.get_running_loop().time()))
            self._note("desk phone", f"ring {ring}")
        await clock.pause(10 * RING_SECONDS)

    async def _talk(self, caller: Baresip) -> None:
        """Ringback calls back, and the caller says what they want."""
        clock = SystemClock()
        invited = await caller.heard("CALL_INCOMING", within=CALLBACK_PROMISE_SECONDS)
        shown = str(invited.get("peeruri", "")).removeprefix("sip:").partition("@")[0]
        self._note("callback", f"INVITE reaches the caller's phone; it shows {shown}")
        await clock.pause(PICKS_UP_AFTER_SECONDS)
        caller.answer()
        await caller.heard("CALL_ESTABLISHED")
        self._note("caller", "answers")
        missed = (await self._stage.event("CallMissed")).body
        called_at = clock_face(datetime.fromisoformat(missed["at"]).astimezone(self._zone))
        subject = qualify.Subject(self._stage.settings.policy.brokerage, None, LISTING, called_at)
        await clock.pause(await seconds_to_say(qualify.begin(subject)[1].sentences) + THINKS_SECONDS)
        caller.speak(self._answer)
        self._note("caller", f"says: “{ANSWER}”")
        await self._stage.event("CallbackEnded", within=60.0)
        await caller.heard("CALL_CLOSED", within=10.0)

    async def _rest(self) -> None:
        await self._stage.event("EffectSettled", kind="alert", outcome="done", within=15.0)
        await self._stage.event("EffectSettled", kind="push", outcome="done", within=15.0)
        for message, at in zip(self._stage.mailbox.messages, self._stage.mailbox.arrived, strict=True):
            self._timeline.note(at, "alert", f"e-mail to {message['To']}: {message['Subject']}")
        for record in self._stage.pushed():
            lead = record["lead"]
            facts = ", ".join(
                f"{name} {lead[name]}" for name in ("number", "intent", "source", "listing") if lead.get(name)
            )
            self._timeline.note(self._loop_time(record["at"]), "crm", f"lead {lead['lead_id']} written: {facts}")

    # ----------------------------------------------------------------------------------------------------------- watching
    async def _watch_journal(self) -> None:
        seen = 0
        while True:
            for event in self._stage.events(after=seen):
                seen = event.seq
                self._tell(event)
            await SystemClock().pause(0.02)

    async def _watch_texts(self) -> None:
        seen = 0
        while True:
            for text in self._stage.smsc.texts[seen:]:
                seen += 1
                self._timeline.note(
                    text.at, "text", f"submit_sm reaches the SMSC for {text.destination}: “{text.body}”"
                )
            await SystemClock().pause(0.01)

    async def _watch_conversation(self) -> None:
        """What is said, from Ringback's log: the journal has it when the call is over."""
        with self._stage.log_path.open("rb") as log:
            line = b""
            while True:
                line += log.readline()
                if not line.endswith(b"\n"):
                    await SystemClock().pause(0.02)
                    continue
                if b'"voice_agent.record"' in line:
                    self._tell_said(orjson.loads(line))
                line = b""

    def _tell_said(self, entry: dict[str, str]) -> None:
        said = _SAID.fullmatch(entry["event"])
        assert said is not None, entry["event"]
        who = "says" if said["speaker"] == "agent" else "understands"
        began = self._loop_time(entry["timestamp"]) - float(said["seconds"])
        self._timeline.note(began, "conversation", f"Ringback {who}: “{said['text']}”")

    def _tell(self, event: JournalEvent) -> None:
        body = event.body
        at = self._loop_time(event.at)
        match event.type:
            case "CallMissed":
                self._timeline.note(
                    at, "verdict", f"missed: {body['verdict']} after {body['rings']} rings; caller on the line"
                )
            case "PromptPlayed":
                self._timeline.note(at, "caller", f"has heard the prompt{' to its end' if body['whole'] else ''}")
            case "ReceiptReceived":
                state = "delivered" if body["delivered"] else body["state"]
                self._timeline.note(at, "text", f"delivery receipt: {state}")
            case "TextReceived":
                self._timeline.note(at, "text", f"from {body['sender']}: “{body['body']}”")
            case "CallbackEnded":
                self._timeline.note(
                    at, "callback", f"over after {body['seconds']:.0f} s: {body['end']}, wish: {body['intent']}"
                )
            case "EffectSettled" if body["outcome"] != "done":
                self._timeline.note(at, body["kind"], f"{body['outcome']}: {body['why']}")
            case _:
                pass

    def _note(self, who: str, what: str) -> None:
        self._timeline.note(asyncio.get_running_loop().time(), who, what)

    def _loop_time(self, at: str) -> float:
        return datetime.fromisoformat(at).timestamp() - self._clock_offset

    @property
    def _zone(self) -> tzinfo:
        return ZoneInfo(self._stage.settings.document.brokerage.time_zone)

    # ------------------------------------------------------------------------------------------------------------- judging
    def _judge(self) -> None:
        check, stage = self._timeline.check, self._stage
        missed = self._stage.events("CallMissed")
        check("the call is missed at three rings, once", [event.body["rings"] for event in missed] == [3])
        ring_seconds = missed[0].body["ring_seconds"] if missed else 0.0
        check("three rings are 18 s", 17.9 <= ring_seconds <= 18.5, f"{ring_seconds:.3f} s")
        miss = self._loop_time(missed[0].at) if missed else 0.0
        texts = stage.smsc.to(CALLER)
        check("exactly one text", len(texts) == 1, f"{len(texts)}")
        if texts:
            late = texts[0].at - miss
            check("the text is on the wire within 10 s of the miss", late <= TEXT_PROMISE_SECONDS, f"{late:.3f} s")
        check(
            "the SMSC's receipt is in the journal",
            any(event.body["delivered"] for event in stage.events("ReceiptReceived")),
        )
        invited = next((m.at for m in self._timeline.moments if m.who == "callback"), None)
        wait = None if invited is None else invited + self._timeline.zero - miss
        check(
            "the callback rings within 30 s of the miss",
            wait is not None and wait <= CALLBACK_PROMISE_SECONDS,
            "" if wait is None else f"{wait:.3f} s",
        )
        heard = sum(seconds_of_sound(path) for path in _last_call(self._recordings.glob("*-dec.wav")))
        check("the caller hears it speak", heard >= ENOUGH_SPEECH_SECONDS, f"{heard:.1f} s of speech")
        ends = stage.events("CallbackEnded")
        check("the spoken answer is understood: buying", [event.body["intent"] for event in ends] == ["buying"])
        check("the agent is alerted by e-mail", len(stage.mailbox.messages) >= 1, f"{len(stage.mailbox.messages)}")
        records = stage.pushed()
        known = bool(records) and records[-1]["lead"]["intent"] == "buying"
        check("the CRM has the lead and its answer", known, f"{len(records)} record")

    async def judge_replay(self) -> None:
        """The journal alone gives the lead's state again."""
        status, _ = await self._stage.ringback("replay", "1")
        self._timeline.check("replaying the journal gives the same lead", status == 0)

    # ------------------------------------------------------------------------------------------------------------- replies
    async def reply(self, text: str) -> None:
        """The caller texts back; what comes of it is printed. A text that is not taken is a promise broken."""
        stage, loop = self._stage, asyncio.get_running_loop()
        known = stage.events()[-1].seq
        answered = len(stage.smsc.texts)
        self._timeline.note(loop.time(), "text", f"the caller replies: “{text}”")
        try:
            async with asyncio.timeout(REPLY_PROMISE_SECONDS):
                await stage.smsc.text(CALLER, DIALLED, text)
                received = await stage.event("TextReceived", after=known, within=REPLY_PROMISE_SECONDS)
        except (TimeoutError, AssertionError, smpp34.SmppError) as error:
            why = str(error).partition("\n")[0][:80] or "no answer"
            self._timeline.check(f"a reply is taken within {REPLY_PROMISE_SECONDS:g} s: “{text[:40]}”", False, why)
            return
        await SystemClock().pause(1.0)
        for event in stage.events(after=received.seq - 1):
            self._tell(event)
        for answer in stage.smsc.texts[answered:]:
            self._timeline.note(answer.at, "text", f"Ringback answers: “{answer.body}”")
        rows = stage.query("SELECT channel, state FROM consent WHERE number = ?", [CALLER])
        if rows:
            wishes = ", ".join(f"{channel}: {state}" for channel, state in rows)
            self._timeline.note(loop.time(), "text", f"what the caller allows is now: {wishes}")

    async def take_replies(self) -> None:
        """At a terminal: whatever the person types, until an empty line, the end of the input, or Ctrl-C."""
        loop = asyncio.get_running_loop()
        self._timeline.console.print(
            "\nYou are the caller now. Type a text, for instance [b]STOP[/], [b]HELP[/] or a question; an empty line ends."
        )
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        terminal = sys.stdin.fileno()
        # Not a thread that reads: nobody could end it before the next line. A terminal is readable when a line is there.
        loop.add_reader(terminal, lambda: lines.put_nowait(os.read(terminal, 4096)))
        loop.add_signal_handler(signal.SIGINT, lines.put_nowait, b"")
        try:
            while True:
                self._timeline.console.print("[cyan]caller>[/] ", end="")
                text = (await lines.get()).decode("utf-8", "replace").strip()
                if not text:
                    return
                await self.reply(text[:300])
        finally:
            loop.remove_reader(terminal)
            loop.remove_signal_handler(signal.SIGINT)


def _last_call(recordings: Iterable[Path]) -> list[Path]:
    return sorted(recordings)[-1:]
