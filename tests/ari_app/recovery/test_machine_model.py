"""The lead's machine under random stories: whatever happens in whatever order, what must hold holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ari_app.recovery import gate
from ari_app.recovery.commands import Acknowledge, Close, Drop, RecordOptOut, Resend
from ari_app.recovery.draft import Draft
from ari_app.recovery.events import (
    CallAnswered,
    CallClosed,
    CallerLeft,
    CallMissed,
    Facts,
    KeyPressed,
    PromptPlayed,
    VoicemailLeft,
)
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import CallbackEnd, Line, NumberKind, Stage, Verdict
from tests.ari_app.recovery.books import CALLER, KEYS, LISTED, MAIN, START, Books, policy

DIALLED = st.sampled_from([MAIN, LISTED, KEYS])
BODIES = st.sampled_from(["STOP", "stop please", "START", "HELP", "I am buying", "call me", "", "😀"])
OUTCOMES = st.sampled_from(["done", "failed", "in_doubt", "refused", "cancelled"])
VARIANTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("texts: hold", "texts: send"),),
    (('callback: {to: ["_1NXXNXXXXXX"]', 'callback: {consent: key, per_day: 3, to: ["_1NXXNXXXXXX"]'),),
    (("    - text: missed\n      after_hours: missed_after_hours\n    - call\n", "    - call\n    - text: missed\n"),),
    (("quiet_hours:", "texts: {hold: 0s, window: 10m}\nquiet_hours:"),),
    (("brief: [{text: missed}, push]", "brief: [{wait: 2m}, call, {text: missed}, {email: follow_up}]"),),
)


class Story(RuleBasedStateMachine):
    """One caller and two offices; every fact that can be recorded, in any order."""

    books: Books

    @initialize(
        variant=st.sampled_from(VARIANTS),
        hours_later=st.integers(0, 23),
        email=st.sampled_from([None, "caller@example.org"]),
        gateway=st.sampled_from(["sms", "sms", "sms", None]),
        kind=st.sampled_from([NumberKind.ORDINARY] * 4 + [NumberKind.FOREIGN, NumberKind.SPECIAL]),
    )
    def begin(self, variant: Any, hours_later: int, email: str | None, gateway: str | None, kind: NumberKind) -> None:
        self.books = Books(policy(*variant), email=email, gateway=gateway, kind=kind)
        self.books.at = START + timedelta(hours=hours_later)

    def _pick(self, data: st.DataObject, found: list[Any]) -> Any:
        return data.draw(st.sampled_from(found))

    # ------------------------------------------------------------------------------------------------------------ calls
    @rule(
        dialled=DIALLED,
        on_line=st.booleans(),
        verdict=st.sampled_from([Verdict.NO_ANSWER, Verdict.BUSY, Verdict.ABANDONED, Verdict.AFTER_HOURS]),
        gone=st.booleans(),
    )
    def miss(self, dialled: str, on_line: bool, verdict: Verdict, gone: bool) -> None:
        plan: dict[str, Any] = {"plan": "a plan that a reload removed"} if gone and not on_line else {}
        self.books.call(CallMissed, dialled=dialled, on_line=on_line, verdict=verdict, **plan)

    @rule(dialled=DIALLED)
    def close_a_call(self, dialled: str) -> None:
        self.books.call(CallClosed, dialled=dialled)

    @precondition(lambda self: self.books.calls)
    @rule(data=st.data(), dialled=DIALLED)
    def answer(self, data: st.DataObject, dialled: str) -> None:
        call_id = data.draw(st.sampled_from([*self.books.calls, "another"]))
        self.books.call(CallAnswered, dialled=dialled, call_id=call_id)

    @precondition(lambda self: self.books.calls)
    @rule(data=st.data(), whole=st.booleans())
    def hear_the_prompt(self, data: st.DataObject, whole: bool) -> None:
        self.books.call(PromptPlayed, call_id=self._pick(data, [*self.books.calls]), whole=whole)

    @precondition(lambda self: self.books.calls)
    @rule(data=st.data(), key=st.sampled_from("1195"))
    def press(self, data: st.DataObject, key: str) -> None:
        self.books.call(KeyPressed, call_id=self._pick(data, [*self.books.calls]), key=key)

    @precondition(lambda self: self.books.calls)
    @rule(data=st.data(), kind=st.sampled_from([CallerLeft, CallerLeft, VoicemailLeft]))
    def leave(self, data: st.DataObject, kind: type[CallerLeft | VoicemailLeft]) -> None:
        self.books.call(kind, call_id=self._pick(data, [*self.books.calls]))

    # ----------------------------------------------------------------------------------------------------- texts, orders
    @rule(body=BODIES, to=DIALLED)
    def write(self, body: str, to: str) -> None:
        self.books.text(body, to)

    @precondition(lambda self: self.books.orders)
    @rule(data=st.data(), outcome=OUTCOMES, rule_id=st.sampled_from([None, "REV-10"]))
    def settle(self, data: st.DataObject, outcome: str, rule_id: str | None) -> None:
        self.books.settle(self._pick(data, [*self.books.orders]), outcome, rule_id)

    @precondition(lambda self: self.books.orders)
    @rule(data=st.data(), delivered=st.booleans())
    def receipt(self, data: st.DataObject, delivered: bool) -> None:
        self.books.receipt(self._pick(data, [*self.books.orders]), delivered=delivered)

    @precondition(lambda self: self.books.orders)
    @rule(data=st.data())
    def take_the_callback(self, data: st.DataObject) -> None:
        self.books.callback_answered(self._pick(data, [*self.books.orders]))

    @precondition(lambda self: self.books.orders)
    @rule(data=st.data(), end=st.sampled_from(CallbackEnd), spoke=st.booleans(), keys=st.sampled_from(["", "9"]))
    def end_the_callback(self, data: st.DataObject, end: CallbackEnd, spoke: bool, keys: str) -> None:
        lines = (Line("agent", "Are you buying?", 0.5), *([Line("caller", "yes", 2.0, 0.9)] if spoke else []))
        self.books.callback_ended(self._pick(data, [*self.books.orders]), end, lines=lines, keys=keys)

    # ---------------------------------------------------------------------------------------------------- people and time
    @precondition(lambda self: self.books.leads)
    @rule(data=st.data(), by=st.sampled_from(["ana", "cleo", "nobody"]), close=st.booleans())
    def command(self, data: st.DataObject, by: str, close: bool) -> None:
        lead_id = self._pick(data, [*self.books.leads])
        self.books.ask(Close(lead_id, by, "done") if close else Acknowledge(lead_id, by))

    @rule(data=st.data(), again=st.booleans())
    def decide_about_an_order(self, data: st.DataObject, again: bool) -> None:
        orders = list(self.books.orders)
        if orders:
            effect_id = self._pick(data, orders)
            self.books.ask(Resend(effect_id, "ana") if again else Drop(effect_id, "ana", ""))

    @rule(data=st.data())
    def come_back_from_a_backup(self, data: st.DataObject) -> None:
        if self.books.leads:
            self.books.doubt_unbegun()
            for lead_id in self.books.leads:
                self.books.restored(lead_id)

    @rule(hours=st.sampled_from([0, 1]), noes=st.booleans())
    def lose_books(self, hours: int, noes: bool) -> None:
        self.books.books_lost_until = self.books.at + timedelta(hours=hours) if hours else None
        self.books.noes_lost = noes

    @rule(by=st.sampled_from(["ana", "nobody"]))
    def note_a_refusal(self, by: str) -> None:
        self.books.ask(RecordOptOut(CALLER, by, "asked at the door"))

    @precondition(lambda self: self.books.timers)
    @rule()
    def time_comes(self) -> None:
        (lead_id, kind), _ = min(self.books.timers.items(), key=lambda found: found[1])
        self.books.fire(lead_id, kind)

    @rule(seconds=st.sampled_from([1, 20, 130, 3600, 6 * 3600, 25 * 3600, 31 * 86400]))
    def time_passes(self, seconds: int) -> None:
        self.books.at += timedelta(seconds=seconds)

    # ---------------------------------------------------------------------------------------------------------- what holds
    @invariant()
    def holds(self) -> None:
        if hasattr(self, "books"):
            self.books.check()

    def teardown(self) -> None:
        """Time alone brings every plan to its end; and the journal alone makes the same leads."""
        if not hasattr(self, "books"):
            return
        for _ in range(60):
            if not self.books.timers:
                break
            self.time_comes()
            self.books.check()
        assert all(lead.stage is Stage.IDLE for lead in self.books.leads.values()), "a plan never ends"
        for lead_id, lead in self.books.leads.items():
            assert self.books.replayed(lead_id) == lead


Story.TestCase.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStory = Story.TestCase


def _deaf(state: object, channel: str) -> None:
    """A gate that forgets who said no."""


def _windowless(facts: Facts, rules: Policy, at: datetime) -> gate.Ruling:
    """A gate that texts whoever has a route, as often as they call."""
    return gate.Allow("CNS-01", "a fault") if facts.gateway is not None else gate.Refuse("GEO-07", "no route")


def _lazy(self: Draft, why: str) -> None:
    """A plan that nobody can stop."""


@pytest.mark.parametrize(
    ("place", "name", "fault", "found"),
    [
        (gate, "_no_consent", _deaf, "after a no"),
        (gate, "may_text_back", _windowless, "two text-backs|after a no|never ends"),
        (Draft, "stop_plan", _lazy, "reached a person|left in the outbox|nobody asked for"),
    ],
)
def test_these_stories_find_a_fault_that_is_planted(
    place: object, name: str, fault: object, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, fault)
    generate = settings(Story.TestCase.settings, phases=[Phase.generate], max_examples=1000, database=None)
    with pytest.raises(AssertionError, match=found):
        run_state_machine_as_test(Story, settings=generate)
