"""The inbound call's machine under random stories: one verdict, one conversation, no leg left ringing, no end without one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from ari_app.calls import machine
from ari_app.calls.draft import CallDraft
from ari_app.calls.effects import (
    Connect,
    FallThrough,
    HangUp,
    Play,
    Prompt,
    Record,
    RingLeg,
    StopPlaying,
    Tell,
)
from ari_app.calls.events import LegEnd
from ari_app.calls.state import CallStage, LegState
from ari_app.recovery.events import CallAnswered, CallerLeft, CallMissed, PromptPlayed
from ari_app.recovery.policy import AfterMiss, Strategy
from ari_app.recovery.values import Verdict
from tests.ari_app.calls.telling import Telling

LEGS = st.one_of(st.integers(0, 4), st.just("another"))


class Story(RuleBasedStateMachine):
    """Everything that Asterisk may report, in any order, twice, late."""

    call: Telling

    @initialize(
        after_miss=st.sampled_from(AfterMiss),
        strategy=st.sampled_from(Strategy),
        phones=st.sampled_from([(), ("101",), ("101", "102"), ("101", "102", "103")]),
        more=st.fixed_dictionaries(
            {}, optional={"is_open": st.just(False), "contactable": st.just(False), "overflow": st.just(("104",))}
        ),
        counted=st.sampled_from([frozenset(Verdict), frozenset({Verdict.BUSY})]),
    )
    def begin(self, after_miss: AfterMiss, strategy: Strategy, phones: Any, more: Any, counted: Any) -> None:
        self.call = Telling.of(after_miss, strategy=strategy, phones=phones, of_entry={"counts": counted}, **more)
        self.call.arrived()

    @rule(seconds=st.sampled_from([0.0, 0.4, 3.0, 7.0]))
    def later(self, seconds: float) -> None:
        self.call.later(seconds)

    @rule()
    def arrived(self) -> None:
        assert self.call.arrived() == ()

    @rule(leg=LEGS)
    def asked(self, leg: int | str) -> None:
        self.call.asked(leg)

    @rule(leg=LEGS)
    def ringing(self, leg: int | str) -> None:
        self.call.ringing(leg)

    @rule(leg=LEGS)
    def answered(self, leg: int | str) -> None:
        self.call.answered(leg)

    @rule(leg=LEGS, end=st.sampled_from(LegEnd))
    def leg_ended(self, leg: int | str, end: LegEnd) -> None:
        self.call.ended(leg, end)

    @rule()
    def gone(self) -> None:
        self.call.gone()

    @rule(key=st.sampled_from("159"))
    def key(self, key: str) -> None:
        self.call.key(key)

    @rule(prompt=st.one_of(st.none(), st.sampled_from(Prompt)), whole=st.booleans())
    def played(self, prompt: Prompt | None, whole: bool) -> None:
        self.call.played(prompt, whole=whole)

    @rule(seconds=st.sampled_from([0.0, 12.0]))
    def recorded(self, seconds: float) -> None:
        self.call.recorded(seconds)

    @rule()
    def deadline(self) -> None:
        self.call.deadline()

    @invariant()
    def holds(self) -> None:
        if not hasattr(self, "call"):
            return
        call, told = self.call.call, self.call.told
        assert len(self.call.verdicts()) == (0 if call.verdict is None else 1)
        assert sum(isinstance(effect, Connect) for effect in told) <= 1
        assert (call.deadline is None) == (call.stage in (CallStage.CONNECTED, CallStage.ENDED))
        if call.stage is CallStage.ENDED:
            assert call.verdict is not None
            assert not call.live_legs or call.connected_to is not None
        assert all((leg.end is not None) == (leg.state is LegState.ENDED) for leg in call.legs)
        if any(isinstance(effect, Connect) for effect in told):
            after = told[[isinstance(effect, Connect) for effect in told].index(True) + 1 :]
            assert not any(isinstance(effect, RingLeg | Play | Record | StopPlaying) for effect in after)
        if call.recovering is False:
            assert not any(isinstance(fact, PromptPlayed) for fact in self.call.facts())

    def teardown(self) -> None:
        """The deadlines alone bring every call without a conversation to its end, and the lead hears of it."""
        if not hasattr(self, "call"):
            return
        for _ in range(60):
            if self.call.call.deadline is None:
                break
            self.call.deadline()
        if self.call.call.stage is CallStage.CONNECTED:
            self.call.later(10).gone()
        self.holds()
        assert self.call.call.stage is CallStage.ENDED
        facts = self.call.facts()
        (verdict,) = self.call.verdicts()
        if isinstance(verdict, CallMissed) and verdict.on_line:
            assert any(isinstance(fact, CallerLeft | CallAnswered) for fact in facts)
        ends = sum(isinstance(effect, HangUp | FallThrough) for effect in self.call.told)
        assert ends <= 1
        ids = [effect.event.source_id for effect in self.call.told if isinstance(effect, Tell)]
        lasting = [source_id for source_id in ids if not source_id.startswith(("prompt:", "voicemail:"))]
        assert len(lasting) == len(set(lasting))


Story.TestCase.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
TestStory = Story.TestCase


def _forgetful(self: CallDraft, *, but: str | None = None) -> None:
    """Phones that ring on for ever."""


def _eager(draft: CallDraft, leg_id: str) -> None:
    """Whoever answers is connected, even if somebody has been."""
    draft.effects.append(Connect(leg_id))


@pytest.mark.parametrize(
    ("place", "name", "fault"), [(CallDraft, "cancel_all", _forgetful), (machine, "_answered", _eager)]
)
def test_these_stories_find_a_fault_that_is_planted(
    place: object, name: str, fault: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, fault)
    generate = settings(Story.TestCase.settings, phases=[Phase.generate], max_examples=500, database=None)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Story, settings=generate)
