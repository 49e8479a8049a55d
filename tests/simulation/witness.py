"""Sees the outside world and every commit, and says what must never be: the invariants that hold at each step."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from ari_app import numbering
from ari_app.recovery import codec, transcript
from ari_app.recovery.effects import PlaceCallback, SendText, TextPurpose
from ari_app.recovery.events import Event, TextReceived
from ari_app.recovery.hours import contact_opens
from ari_app.recovery.keywords import keyword
from ari_app.recovery.policy import QuietAnswer
from ari_app.recovery.values import Channel, ConsentState, EffectId, Keyword, LeadId, Stage
from ari_app.runtime.recorded import Recorded
from ari_app.store import journal, outbox
from ari_app.store.db import connect
from ari_app.store.outbox import Order
from ari_app.store.rows import parse
from sms_gateway.messages import OutboundText
from tests.simulation.office import policy_of
from tests.support.virtual import VirtualClock

ZONE = ZoneInfo("America/New_York")
DAY_SECONDS = 86_400.0
SLACK_SECONDS = 20 * 60.0
"""How much later than planned a text may leave; so much closer two may come."""
UNDER_WAY_SECONDS = 1.0
"""The longest that a text is under way from our link to the carrier: what was said in that time came too late."""
HEARD_SECONDS = 10.0
"""By then we have to know that a person was reached: from the call itself, or from the PBX's ledger."""
_REPLIES = {TextPurpose.STOP_CONFIRMATION: Keyword.STOP, TextPurpose.START_CONFIRMATION: Keyword.START}


@dataclass(frozen=True, slots=True)
class Taken:
    """A text-back that the carrier took. seconds: since the beginning, whatever the wall clock says."""

    effect_id: EffectId
    seconds: float
    created_at: datetime
    window_until: datetime
    miss: int


class Witness:
    """broken: set by the first violation. story: lines as ``ringback replay`` prints them, when it is to be told."""

    def __init__(self, path: Path, clock: VirtualClock, *, telling: bool) -> None:
        self._db = connect(path, readonly=True)
        self._clock = clock
        self._telling = telling
        self.story: list[str] = []
        self.violations: list[str] = []
        self.broken = asyncio.Event()
        self.jumped = timedelta()
        self.steps = 0
        self._followed = 0
        self._heard = 0
        self._told: set[int] = set()
        self._began: dict[EffectId, float] = {}
        self._said_no: dict[tuple[str, Channel], float] = {}
        self._reached: dict[LeadId, float] = {}
        self._missed: dict[str, float] = {}
        self._talked: dict[str, float] = {}
        self._texts: dict[tuple[str, str], list[Taken]] = {}
        self._all_texts: set[str] = set()
        self._dials: dict[str, list[tuple[EffectId, float]]] = {}
        self._words: dict[tuple[str, Keyword], int] = {}

    @property
    def texts(self) -> int:
        """Texts that the carrier took."""
        return len(self._all_texts)

    def close(self) -> None:
        self._db.close()

    # ---------------------------------------------------------------------------------------------------------- telling
    def tell(self, words: str) -> None:
        """A line of the story that is not in the journal."""
        if self._telling:
            self.story.append(f"{self._clock.now().astimezone(ZONE):%H:%M:%S}   ~ {words}")

    def violated(self, words: str) -> None:
        """Something that must never be."""
        self.violations.append(words)
        self.tell(f"VIOLATION: {words}")
        self.broken.set()

    def log(self, _: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """A processor of structlog: production code tells of defects that it survives, and here each is a violation."""
        name = str(event.get("event"))
        if method == "exception" or name.endswith("_defect") or name == "text_refused_by_key":
            self.violated(f"{name}: {traceback.format_exc()}")
        raise structlog.DropEvent

    # ----------------------------------------------------------------------------------------------------- every commit
    def recorded(self, recorded: Recorded) -> None:
        """A listener of the recorder."""
        self.steps += 1
        if self._telling:
            self.story += transcript.lines(recorded.event, recorded.step, ZONE)
        self._told.add(recorded.seq)
        self.follow()
        step = recorded.step
        if step.lead is not None and (step.lead.stage is Stage.IDLE or step.lead.closed_by is not None):
            self._no_timers(step.lead.lead_id)

    def follow(self) -> None:
        """Read what is new in the journal: also what a process had committed that died before it could tell anybody."""
        now = self._seconds
        query = "SELECT seq, type, lead_id, body FROM events WHERE seq > ? ORDER BY seq"
        for seq, kind, lead_id, body in self._db.execute(query, [self._followed]).fetchall():
            self._followed = seq
            if seq not in self._told:
                self.tell(f"journal: {kind} was committed, and nobody could be told")
            if kind == "TextReceived":
                event = codec.decode(Event, parse(body))
                assert isinstance(event, TextReceived)
                key = (event.sender, keyword(event.body))
                self._words[key] = self._words.get(key, 0) + 1
            elif kind == "CallMissed":
                self._reached.pop(lead_id, None)
            elif kind == "CallAnswered" and lead_id is not None:
                self._reached[lead_id] = now
            elif kind == "KeyPressed" and '"key":"1"' in body:
                # Whoever asks for a call gets one, though another at the same number has spoken with us meanwhile.
                self._reached.pop(lead_id, None)
                self.missed(codec.decode(Event, parse(body)).caller)
        for row in self._db.execute(
            "SELECT rowid, number, channel, state FROM consent_log WHERE rowid > ?", [self._heard]
        ):
            self._heard, number, channel, state = row
            if state == ConsentState.OPTED_OUT.value:
                self._said_no.setdefault((number, Channel(channel)), now)
            else:
                self._said_no.pop((number, Channel(channel)), None)

    def _no_timers(self, lead_id: LeadId) -> None:
        # A look at what others see: what is not committed is not there.
        query = (
            "SELECT kind FROM timers AS t JOIN leads AS l ON l.id = t.lead_id"
            " WHERE t.lead_id = ? AND t.status = 'pending' AND l.stage = 'idle'"
        )
        for (kind,) in self._db.execute(query, [lead_id]).fetchall():
            self.violated(f"the timer {kind} is pending for lead {lead_id}, whose plan is over")

    # -------------------------------------------------------------------------------------------------- every act outside
    def missed(self, number: str | None) -> None:
        """Nobody answered the person: what they themselves know of it."""
        if number is not None:
            self._missed[number] = self._seconds
            self._talked.pop(number, None)

    def reached(self, number: str | None, *, since: float) -> None:
        """A talk with an office of ours, whichever, is over. since: when it began; later misses are another matter."""
        if number is not None and self._missed.get(number, since) <= since:
            self._talked[number] = self._seconds

    def began(self, order: Order) -> None:
        """An adapter is given an order."""
        row = self._db.execute("SELECT status, attempts FROM outbox WHERE id = ?", [order.effect_id]).fetchone()
        self.follow()
        if row is None or row[0] != "doing" or row[1] != order.attempts:
            self.violated(f"{order.kind} {order.effect_id} was handed out, and is not committed as being done: {row}")
        self._began[order.effect_id] = self._seconds

    def text_taken(self, text: OutboundText) -> None:
        """The carrier took a text: this is what people get."""
        self.follow()
        order = outbox.order(self._db, EffectId(text.reference))
        if order is None or not isinstance(order.effect, SendText):
            self.violated(f"a text of which the books know nothing was sent: {text.reference}")
            return
        effect = order.effect
        self.tell(f"carrier: took {effect.purpose} {text.reference} to {text.destination}")
        if text.reference in self._all_texts:
            self.violated(f"text {text.reference} was sent twice")
        self._all_texts.add(text.reference)
        if effect.purpose is TextPurpose.TEXT_BACK:
            self._heeds_no(order, effect.to, Channel.TEXT)
            self._one_text_for_each_miss(order, effect)
            self._not_in_the_night(order, effect)
            self._not_after_an_answer(order, effect)
        else:
            self._answers_a_word(effect)

    def dialled(self, order: Order, effect: PlaceCallback) -> None:
        """A person's phone rings with our callback."""
        self.follow()
        self.tell(f"pbx: rings {effect.to} for {order.effect_id}")
        self._heeds_no(order, effect.to, Channel.CALL)
        if not effect.by_request:
            self._not_in_the_night(order, effect)
        self._not_after_an_answer(order, effect)
        before = self._dials.setdefault(effect.to, [])
        for effect_id, seconds in before:
            if effect_id == order.effect_id:
                self.violated(f"callback {order.effect_id} was placed twice")
            elif self._seconds - seconds + self.jumped.total_seconds() < DAY_SECONDS - SLACK_SECONDS:
                self.violated(f"{effect.to} was called back twice within a day: {effect_id}, {order.effect_id}")
        before.append((order.effect_id, self._seconds))

    def _heeds_no(self, order: Order, number: str, channel: Channel) -> None:
        said = self._said_no.get((number, channel))
        began = self._began.get(order.effect_id)
        if began is None:
            self.violated(f"{order.kind} {order.effect_id} went out, and no adapter was given it")
        elif said is not None and said < max(began, self._seconds - UNDER_WAY_SECONDS):
            self.violated(f"{order.kind} {order.effect_id} went to {number}, who had said no before")

    def _one_text_for_each_miss(self, order: Order, effect: SendText) -> None:
        assert order.lead_id is not None
        assert effect.window_until is not None
        window = (effect.window_until - (effect.not_before or order.created_at)).total_seconds()
        seq = int(order.effect_id.partition(".")[0])
        miss = self._miss_before(order.lead_id, seq)
        if miss is None:
            self.violated(f"text {order.effect_id} went to {effect.to}, who was never missed")
            return
        taken = self._texts.setdefault((effect.to, effect.office), [])
        for one in taken:
            if self._is_sent_again(one.effect_id):
                continue  # a person took the risk
            if one.miss == miss:
                self.violated(f"two texts for one miss (event {miss}): {one.effect_id} and {order.effect_id}")
            if order.created_at < one.window_until:
                self.violated(f"text {order.effect_id} was ordered inside the window of {one.effect_id}")
            if self._seconds - one.seconds + self.jumped.total_seconds() < window - SLACK_SECONDS:
                self.violated(f"texts {one.effect_id} and {order.effect_id} are too close")
        taken.append(Taken(order.effect_id, self._seconds, order.created_at, effect.window_until, miss))

    def _is_sent_again(self, effect_id: EffectId) -> bool:
        query = "SELECT 1 FROM events WHERE type = 'OrderResent' AND json_extract(body, '$.effect_id') = ?"
        return self._db.execute(query, [effect_id]).fetchone() is not None

    def _miss_before(self, lead_id: LeadId, seq: int) -> int | None:
        """The miss that an order of this event answers: the one that began the plan."""
        query = (
            "SELECT max(e.seq) FROM events AS e WHERE e.lead_id = ? AND e.seq <= ? AND e.type = 'CallMissed' AND NOT EXISTS"
            " (SELECT 1 FROM decisions AS d WHERE d.seq = e.seq AND d.action = 'plan' AND d.outcome = 'skipped')"
        )
        found: int | None = self._db.execute(query, [lead_id, seq]).fetchone()[0]
        return found

    def _not_after_an_answer(self, order: Order, effect: SendText | PlaceCallback) -> None:
        began = self._began.get(order.effect_id, 0.0)
        known = None if order.lead_id is None else self._reached.get(order.lead_id)
        if known is not None and known < began:
            self.violated(f"{order.kind} {order.effect_id} was begun after the caller had reached a person")
        at = self._talked.get(effect.to)
        if at is not None and at + HEARD_SECONDS < began:
            self.violated(
                f"{order.kind} {order.effect_id} was begun {began - at:.0f} s after a talk that nobody told us of"
            )

    def _not_in_the_night(self, order: Order, effect: SendText | PlaceCallback) -> None:
        """By the caller's own clock, and the settings by which it was ordered."""
        seq = int(order.effect_id.partition(".")[0])
        version = self._db.execute("SELECT policy FROM events WHERE seq = ?", [seq]).fetchone()[0]
        quiet = policy_of(version).quiet
        if isinstance(effect, SendText) and quiet.texts is QuietAnswer.SEND:
            return
        zones, now = numbering.zones(effect.to), self._clock.now()
        for at in (now, now - timedelta(seconds=UNDER_WAY_SECONDS)):
            if contact_opens(at, zones, quiet.first_minute, quiet.end_minute) == at:
                return
        self.violated(f"{order.kind} {order.effect_id} went out in the quiet hours of {effect.to}")

    def _answers_a_word(self, effect: SendText) -> None:
        """Whoever said no still hears that we heard it, and what HELP and START ask for: one text for each of their own."""
        word = _REPLIES.get(effect.purpose, Keyword.HELP)
        left = self._words.get((effect.to, word), 0) - 1
        if left < 0:
            self.violated(f"{effect.purpose} went to {effect.to} without a word of theirs")
        self._words[effect.to, word] = left

    @property
    def _seconds(self) -> float:
        return asyncio.get_running_loop().time()

    # ------------------------------------------------------------------------------------------------------------ at last
    @property
    def books(self) -> Any:
        """The committed database, to be read."""
        return self._db

    def lead_numbers(self) -> list[LeadId]:
        return [LeadId(row[0]) for row in self._db.execute("SELECT id FROM leads ORDER BY id").fetchall()]

    def open_orders(self) -> list[EffectId]:
        """What a person may decide about, and what only waits."""
        query = "SELECT id FROM outbox WHERE status IN ('todo', 'failed', 'in_doubt') ORDER BY n"
        return [EffectId(row[0]) for row in self._db.execute(query).fetchall()]

    def event_number(self, source_id: str) -> tuple[int, LeadId | None] | None:
        """Number and lead of an event of the journal."""
        row = self._db.execute("SELECT seq FROM events WHERE source_id = ?", [source_id]).fetchone()
        return None if row is None else (row[0], journal.lead_of(self._db, source_id))
