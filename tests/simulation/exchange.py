"""The simulated PBX: calls of every verdict, and callbacks that end in each way. It goes on while our process is dead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ari_app import numbering
from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.events import (
    CallAnswered,
    CallbackAnswered,
    CallbackEnded,
    CallbackHandedOver,
    CallbackOptedOut,
    CallClosed,
    CallerLeft,
    CallMissed,
    Event,
    KeyPressed,
    PromptPlayed,
    VoicemailLeft,
)
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import CallbackEnd, Intent, Line, Verdict
from ari_app.runtime.facts import kind_of
from ari_app.runtime.outcome import Done, Outcome, RetryAt
from ari_app.store.outbox import Order
from tests.simulation.universe import Universe

_MISSES = (
    Verdict.NO_ANSWER,
    Verdict.NO_ANSWER,
    Verdict.BUSY,
    Verdict.UNREACHABLE,
    Verdict.AFTER_HOURS,
    Verdict.ABANDONED,
)
_ENDS = (
    CallbackEnd.COMPLETED,
    CallbackEnd.COMPLETED,
    CallbackEnd.REACHED_PERSON,
    CallbackEnd.WANTED_PERSON,
    CallbackEnd.OPTED_OUT,
    CallbackEnd.OPTED_OUT,
    CallbackEnd.CALLER_HUNG_UP,
    CallbackEnd.FAILED,
)
_UNANSWERED = (CallbackEnd.NO_ANSWER, CallbackEnd.BUSY, CallbackEnd.REJECTED, CallbackEnd.FAILED)

Tell = Callable[[str, Event], None]
"""Hands a fact of the call named first to our process, if it lives; facts of one call are written down in their order."""


@dataclass(frozen=True, slots=True)
class Attended:
    """A call that is over, as CDR and CEL keep it for whoever was away. events: its verdict, and the answer before it.

    seconds: when the verdict was, since the beginning, whatever the wall clock says.
    """

    events: tuple[Event, ...]
    seconds: float


class Exchange:
    """calls: what its own ledger says of every call. talks: who has reached a person, and when, in seconds as there."""

    def __init__(self, universe: Universe, tell: Tell, policy: Callable[[], Policy]) -> None:
        self._universe = universe
        self._tell = tell
        self._policy = policy
        self._count = 0
        self._on_line: Counter[str] = Counter()
        self._connected = True
        self.calls: list[Attended] = []
        self.talks: list[tuple[str, float]] = []

    # --------------------------------------------------------------------------------------------------------- inbound
    async def call(self, raw: str | None, dialled: str) -> None:
        """Somebody calls."""
        universe, rng, policy = self._universe, self._universe.rng, self._policy()
        party = numbering.classify(raw, policy.region)
        entry = policy.entry_for(dialled)
        assert entry is not None
        self._count += 1
        call_id = f"pbx-{self._count}"
        caller = party.number or f"unknown-{self._count}"
        common: dict[str, Any] = {
            "call_id": call_id,
            "caller": party.number,
            "kind": kind_of(party, policy),
            "dialled": dialled,
            "office": entry.office,
            "entry": entry.key,
        }
        self._on_line[caller] += 1
        try:
            ring = rng.uniform(0.0, 18.0)
            await universe.sleep(ring)
            outcome = rng.random()
            if outcome < 0.25:
                await self._answered(common, ring)
            elif outcome < 0.35:
                verdict = rng.choice((Verdict.ABANDONED, Verdict.DROPPED, Verdict.UNROUTED, Verdict.UNKNOWN))
                self._closed(common, verdict, ring, None)
            else:
                missed = CallMissed(
                    **common,
                    at=universe.clock.now(),
                    source_id=f"call:{call_id}",
                    verdict=rng.choice(_MISSES),
                    rings=3,
                    ring_seconds=18.0,
                    on_line=rng.random() < 0.6,
                    plan=entry.plan,
                    source=entry.source,
                    listing=entry.listing,
                    caller_name=None,
                )
                self._over(call_id, missed)
                if missed.on_line:
                    await self._after_miss(common, call_id)
        finally:
            self._on_line[caller] -= 1

    async def _answered(self, common: dict[str, Any], ring: float) -> None:
        at, began = self._universe.clock.now(), self._universe.seconds
        self._talks_with(common["caller"])
        answered = CallAnswered(**common, at=at, source_id=f"answered:{common['call_id']}", by="101")
        self._tell(common["call_id"], answered)
        await self._universe.sleep(self._universe.rng.uniform(5.0, 200.0))
        self._closed(common, Verdict.ANSWERED, ring, answered)
        self._universe.witness.reached(answered.caller, since=began)

    def _talks_with(self, caller: str | None) -> None:
        if caller is not None:
            self.talks.append((caller, self._universe.seconds))

    def _closed(self, common: dict[str, Any], verdict: Verdict, ring: float, answered: CallAnswered | None) -> None:
        closed = CallClosed(
            **common,
            at=self._universe.clock.now(),
            source_id=f"call:{common['call_id']}",
            verdict=verdict,
            rings=int(ring // 6),
            ring_seconds=ring,
            talk_seconds=0.0 if answered is None else 5.0,
            answered_by=None if answered is None else answered.by,
        )
        self._over(common["call_id"], *([] if answered is None else [answered]), closed)

    def _over(self, call_id: str, *events: Event) -> None:
        self.calls.append(Attended(events, self._universe.seconds))
        verdict = events[-1]
        assert isinstance(verdict, CallMissed | CallClosed)
        if verdict.office is not None and verdict.verdict in _MISSES:
            self._universe.witness.missed(verdict.caller)
        for event in events:  # an answer that was told before is known
            self._tell(call_id, event)

    async def _after_miss(self, common: dict[str, Any], call_id: str) -> None:
        """The caller hears the notice, or a part of it; keys; voicemail; or a phone of the overflow group answers."""
        universe, rng = self._universe, self._universe.rng
        started = universe.clock.now()
        await universe.sleep(rng.uniform(0.5, 12.0))

        def fact(kind: type[Any], source: str, **more: Any) -> None:
            self._tell(call_id, kind(**common, at=universe.clock.now(), source_id=f"{source}:{call_id}", **more))

        key = rng.choice((None, None, None, "1", "1", "9", "5"))
        if key is not None:
            fact(KeyPressed, f"key{key}", key=key)
        if rng.random() < 0.15:
            self._talks_with(common["caller"])
            fact(CallAnswered, "answered", by="103")
            await universe.sleep(rng.uniform(1.0, 60.0))
        else:
            fact(
                PromptPlayed,
                "prompt",
                prompt="notice",
                text_sha256="0" * 64,
                audio_sha256="0" * 64,
                started_at=started,
                ended_at=universe.clock.now(),
                whole=rng.random() < 0.8,
            )
            if rng.random() < 0.15:
                await universe.sleep(rng.uniform(1.0, 60.0))
                fact(VoicemailLeft, "voicemail", recording="message.wav", seconds=9.0)
        if rng.random() < 0.9:  # sometimes nobody tells that they left
            fact(CallerLeft, "left")

    def catch_up(self) -> list[Event]:
        """Every call that is over, as someone tells it who was away: learned of now, happened then."""
        events: list[Event] = []
        now = self._universe.clock.now()
        for attended in self.calls:
            for event in attended.events:
                if isinstance(event, CallMissed):
                    since = self._reached_since(event)
                    event = replace(event, at=now, occurred_at=event.at, on_line=False, reached_since=since)
                elif isinstance(event, CallAnswered | CallClosed):
                    event = replace(event, at=now, occurred_at=event.at)
                events.append(event)
        return events

    def _reached_since(self, missed: CallMissed) -> str | None:
        """By the times that stand in the ledger, as in ``ari_app.calls.catch_up``."""
        if missed.caller is None:
            return None
        for attended in self.calls:
            for event in attended.events:
                if isinstance(event, CallAnswered) and event.caller == missed.caller and event.at > missed.at:
                    return event.by
        return None

    def has_reached(self, caller: str, since: float) -> bool:
        """Whether that caller has reached a person after ``since``, in seconds from the beginning."""
        return any(number == caller and seconds > since for number, seconds in self.talks)

    # ------------------------------------------------------------------------------------------------------- callbacks
    async def go_away(self) -> None:
        """Asterisk cannot be reached for a while."""
        self._universe.witness.tell("pbx: cannot be reached")
        self._connected = False
        await self._universe.sleep(self._universe.rng.uniform(5.0, 120.0))
        self._connected = True

    def cannot_call(self, order: Order, effect: PlaceCallback) -> Outcome | None:
        """Why the person is not rung now."""
        again = self._universe.clock.now() + timedelta(seconds=2)
        if not self._connected:
            return RetryAt(again, "Asterisk cannot be reached")
        if self._on_line[effect.to]:
            return RetryAt(again, "the person is on the line with us")
        return None

    async def ring(self, order: Order, effect: PlaceCallback) -> bool:
        """Ring the person; whether they answered."""
        self._universe.witness.dialled(order, effect)
        await self._universe.sleep(self._universe.rng.uniform(1.0, 30.0))
        return self._universe.rng.random() < 0.6


class Callbacks:
    """One process's way of calling back. Implements Adapter: the ringing is the act, the conversation is not."""

    def __init__(self, exchange: Exchange, universe: Universe, tell: Tell, start: Callable[[Any], None]) -> None:
        self._exchange = exchange
        self._universe = universe
        self._tell = tell
        self._start = start

    async def act(self, order: Order) -> Outcome:
        effect = order.effect
        assert isinstance(effect, PlaceCallback)
        why_not = self._exchange.cannot_call(order, effect)
        if why_not is not None:
            return why_not
        if await self._exchange.ring(order, effect):
            at = self._universe.clock.now()
            source = f"callback:{order.effect_id}:answered"
            self._tell(source, CallbackAnswered(at=at, source_id=source, effect_id=order.effect_id))
            self._start(self._talk(order, source))
        else:
            self._end(order, self._universe.rng.choice(_UNANSWERED), f"callback:{order.effect_id}")
        return Done(ref=f"callback-{order.effect_id}")

    async def _talk(self, order: Order, facts: str) -> None:
        rng = self._universe.rng
        await self._universe.sleep(rng.uniform(2.0, 120.0))
        end = rng.choice(_ENDS)
        at, effect_id = self._universe.clock.now(), order.effect_id
        if end is CallbackEnd.OPTED_OUT:
            said = CallbackOptedOut(at=at, source_id=f"callback:{effect_id}:no", effect_id=effect_id, how="spoken")
            self._tell(facts, said)
            await self._universe.sleep(rng.uniform(0.0, 8.0))
        elif end is CallbackEnd.REACHED_PERSON:
            person = f"callback:{effect_id}:person"
            self._tell(facts, CallbackHandedOver(at=at, source_id=person, effect_id=effect_id, by="103"))
            await self._universe.sleep(rng.uniform(5.0, 3600.0))
        self._end(order, end, facts)

    def _end(self, order: Order, end: CallbackEnd, facts: str) -> None:
        spoke = end not in _UNANSWERED
        event = CallbackEnded(
            at=self._universe.clock.now(),
            source_id=f"callback:{order.effect_id}:ended",
            effect_id=order.effect_id,
            end=end,
            intent=Intent.BUYING if spoke else Intent.UNSTATED,
            lines=(Line("agent", "Buying or selling?", 0.5), Line("caller", "Buying", 2.0)) if spoke else (),
            keys="",
            seconds=10.0 if spoke else 0.0,
            by="103" if end is CallbackEnd.REACHED_PERSON else None,
            why=None,
        )
        self._tell(facts, event)


CALLERS: tuple[str | None, ...] = (
    "+13055550141",
    "+13055550142",
    "+13055550143",
    "+12135550144",  # Los Angeles: three hours behind
    "+13055550181",  # an agent's own mobile
    "+18005550145",  # toll-free
    "+442079460146",  # abroad
    "+13055550666",  # blocked
    None,
)
DIALLED = ("+13055550100", "+13055550107", "+13055550109", "+13055550109")  # two of each office
