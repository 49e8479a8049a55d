"""A step of the inbound call in the making: the call as it changes, what is to be done, what the journal is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ari_app.calls.effects import CallEffect, CancelLeg, HangUp, HangUpAs, Play, Prompt, RingLeg, Tell
from ari_app.calls.events import CallEvent, LegEnd, PlayingEnded
from ari_app.calls.state import Call, CallStage, Leg, LegState
from ari_app.calls.verdicts import InboundFields, inbound_fields, verdict_event
from ari_app.recovery.events import CallerLeft, CallMissed, Event, PromptPlayed
from ari_app.recovery.policy import AfterMiss
from ari_app.recovery.values import Verdict


@dataclass(frozen=True, slots=True)
class PromptDigests:
    """SHA-256 of a prompt's text and samples, in hexadecimal: the evidence of what was played."""

    text: str
    audio: str


Digests = Mapping[Prompt, PromptDigests]


class CallDraft:
    """The pieces that transitions are made of. ``machine.py`` says when."""

    def __init__(self, call: Call, event: CallEvent, digests: Digests) -> None:
        self.call = call
        self.setup = call.setup
        self.now = event.now
        self.at = event.at
        self.digests = digests
        self.effects: list[CallEffect] = []

    # ------------------------------------------------------------------------------------------------------------- legs
    def ring(self, phones: Sequence[str]) -> None:
        life = f".{self.setup.life}" if self.setup.life else ""
        for phone in phones:
            leg = f"{self.setup.call_id}-leg{len(self.call.legs)}{life}"
            self.call = replace(self.call, legs=(*self.call.legs, Leg(leg, phone, self.now)))
            self.effects.append(RingLeg(leg, phone))

    def cancel(self, leg: Leg, *, elsewhere: bool = False, end: LegEnd = LegEnd.CANCELLED) -> None:
        self.effects.append(CancelLeg(leg.leg, elsewhere))
        self.change(replace(leg, state=LegState.ENDED, end=end))

    def cancel_all(self, *, but: str | None = None) -> None:
        for leg in self.call.live_legs:
            if leg.leg != but:
                self.cancel(leg, elsewhere=but is not None)

    def change(self, leg: Leg) -> None:
        """Put ``leg`` in the place of the one with its id."""
        legs = tuple(leg if other.leg == leg.leg else other for other in self.call.legs)
        self.call = replace(self.call, legs=legs)

    # ----------------------------------------------------------------------------------------------------------- caller
    @property
    def after_miss(self) -> AfterMiss:
        return AfterMiss.HANGUP if self.setup.entry is None else self.setup.entry.after_miss

    def enter(self, stage: CallStage) -> None:
        self.call = replace(self.call, stage=stage, stage_since=self.now)

    def play(self, prompt: Prompt) -> None:
        self.enter(CallStage.PROMPTING)
        self.call = replace(self.call, playing=prompt)
        self.effects.append(Play(prompt))

    def prompt(self) -> None:
        """The notice, for whom it is true; a plain apology for others."""
        self.play(Prompt.NOTICE if self.call.recovering else Prompt.SORRY)

    def finish(self) -> None:
        """Hang up on a caller who has been served."""
        self.effects.append(HangUp(HangUpAs.NO_ANSWER if self.after_miss is AfterMiss.HANGUP else HangUpAs.NORMAL))
        self.left()
        self.enter(CallStage.ENDED)

    # ---------------------------------------------------------------------------------------------------------- journal
    def tell(self, event: Event) -> None:
        self.effects.append(Tell(event))

    def verdict(self, verdict: Verdict, *, on_line: bool, talk_seconds: float = 0.0, by: str | None = None) -> None:
        """Tell the verdict: a miss that counts and starts a plan, or a call that is closed."""
        event = verdict_event(
            self.setup,
            verdict,
            self.at,
            rings=self.call.rings(self.now),
            ring_seconds=self.ring_seconds(),
            on_line=on_line and self.after_miss is not AfterMiss.HANGUP,
            talk_seconds=talk_seconds,
            by=by,
        )
        missed = isinstance(event, CallMissed)
        self.call = replace(self.call, verdict=verdict, recovering=missed and self.setup.contactable)
        self.tell(event)

    def left(self) -> None:
        self.tell(CallerLeft(**self.common(), source_id=f"left:{self.setup.call_id}"))

    def notice_played(self, event: PlayingEnded) -> None:
        """Tell how much of the notice was heard: the evidence that a callback rests on (CNS-04)."""
        digests = self.digests.get(Prompt.NOTICE, PromptDigests("", ""))
        self.tell(
            PromptPlayed(
                **self.common(),
                source_id=f"prompt:{self.setup.call_id}",
                prompt=event.prompt,
                text_sha256=digests.text,
                audio_sha256=digests.audio,
                started_at=event.started_at,
                ended_at=event.at,
                whole=event.whole,
            )
        )

    def ring_seconds(self) -> float:
        return round(self.call.ring_seconds(self.now), 3)

    def common(self) -> InboundFields:
        return inbound_fields(self.setup, self.at)
