"""A step of a watched call in the making: the call as it changes, and what the journal is told."""

from __future__ import annotations

from dataclasses import replace

from ari_app.calls.effects import Prompt
from ari_app.calls.events import LegEnd
from ari_app.calls.state import LegState
from ari_app.calls.verdicts import InboundFields, inbound_fields, verdict_event
from ari_app.calls.watch_events import NoticePlayed, WatchEvent
from ari_app.calls.watch_state import WatchedCall, WatchedLeg, WatchStage
from ari_app.recovery.events import CallAnswered, CallerLeft, CallMissed, Event, KeyPressed, PromptPlayed, VoicemailLeft
from ari_app.recovery.machine import KEY_CALL_NOW, KEY_NEVER
from ari_app.recovery.values import Verdict


class WatchDraft:
    """The pieces that transitions are made of. ``watch_machine.py`` says when."""

    def __init__(self, call: WatchedCall, event: WatchEvent) -> None:
        self.call = call
        self.setup = call.setup
        self.now = event.now
        self.at = event.at
        self.facts: list[Event] = []

    def enter(self, stage: WatchStage) -> None:
        self.call = replace(self.call, stage=stage)

    def put(self, leg: WatchedLeg) -> None:
        """Put ``leg`` in the place of the one with its id, or after the others."""
        known = self.call.leg(leg.leg) is not None
        legs = tuple(leg if other.leg == leg.leg else other for other in self.call.legs)
        self.call = replace(self.call, legs=legs if known else (*legs, leg))

    def tried(self) -> None:
        if self.call.tried_at is None:
            self.call = replace(self.call, tried_at=self.now)

    def ring(self) -> None:
        """The ring clock starts, once."""
        if self.call.ring_started is None:
            self.call = replace(self.call, ring_started=self.now)

    # ---------------------------------------------------------------------------------------------------------- journal
    def verdict(self, verdict: Verdict, *, on_line: bool, talk_seconds: float = 0.0) -> None:
        """Tell what became of the call. Once: a second verdict is a defect of the machine."""
        assert self.call.verdict is None
        event = verdict_event(
            self.setup,
            verdict,
            self.at,
            rings=self.call.rings(self.now),
            ring_seconds=round(self.call.ring_time(self.now), 3),
            on_line=on_line,
            talk_seconds=talk_seconds,
            by=self.call.joined_to if verdict in (Verdict.ANSWERED, Verdict.DROPPED) else None,
        )
        self.call = replace(self.call, verdict=verdict, missed=isinstance(event, CallMissed))
        self.facts.append(event)

    def why_nobody(self) -> Verdict:
        """The verdict on a caller whom nobody answered, and nobody will."""
        call = self.call
        if call.rang:
            return Verdict.NO_ANSWER
        if call.closed:
            return Verdict.AFTER_HOURS
        busy = any(leg.end is LegEnd.BUSY for leg in call.legs)
        return Verdict.BUSY if busy else Verdict.UNREACHABLE

    def missed(self, *, on_line: bool) -> None:
        if self.setup.entry is not None:
            self.verdict(self.why_nobody(), on_line=on_line)

    def reached(self, by: str) -> None:
        """A person of the brokerage talks with the caller."""
        self.call = replace(self.call, person=True, joined_to=by)
        if self.setup.entry is not None:
            self.facts.append(CallAnswered(**self.common(), source_id=f"answered:{self.setup.call_id}", by=by))

    def left(self) -> None:
        if self.call.missed:
            self.facts.append(CallerLeft(**self.common(), source_id=f"left:{self.setup.call_id}"))

    def message_left(self, mailbox: str) -> None:
        seconds = round(max(0.0, self.now - self.call.mailbox_at), 1)
        source_id = f"voicemail:{self.setup.call_id}"
        self.facts.append(
            VoicemailLeft(**self.common(), source_id=source_id, recording=f"mailbox {mailbox}", seconds=seconds)
        )

    def notice(self, event: NoticePlayed) -> None:
        """The evidence that a callback rests on (CNS-04), and what the caller said to it."""
        if not self.call.missed:
            return
        call_id = self.setup.call_id
        self.facts.append(
            PromptPlayed(
                **self.common(),
                source_id=f"prompt:{call_id}",
                prompt=Prompt.NOTICE.value,
                text_sha256=self.call.rules.text_sha256,
                audio_sha256=self.call.rules.audio_sha256,
                started_at=event.started_at,
                ended_at=event.at,
                whole=event.whole,
            )
        )
        if event.key in (KEY_CALL_NOW, KEY_NEVER):
            key = event.key
            self.facts.append(KeyPressed(**self.common(), source_id=f"key:{call_id}:{key}", key=key))

    def common(self) -> InboundFields:
        return inbound_fields(self.setup, self.at)

    def anybody_answered(self) -> bool:
        return any(leg.state is LegState.ANSWERED for leg in self.call.legs)
