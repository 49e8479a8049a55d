"""Every stage × every event of the inbound call's machine. ``machine_table.txt`` says what each pair does, and is read in
review; the pairs that change nothing stand here, on purpose. ``RINGBACK_GOLDEN=write`` writes the table anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from ari_app.calls.effects import CallEffect, Prompt
from ari_app.calls.events import CallEvent, DeadlinePassed, LegEnd
from ari_app.calls.state import CallStage
from ari_app.recovery.policy import AfterMiss
from ari_app.recovery.transcript import snake
from tests.ari_app.calls.telling import Telling, words

TABLE = Path(__file__).parent / "machine_table.txt"
Happen = Callable[[Telling], tuple[CallEffect, ...]]


# ------------------------------------------------------------------------------------------------------------- stages
def new() -> Telling:
    """The call is not ours yet."""
    return Telling.of()


def calling() -> Telling:
    """Two phones are called; none rings yet."""
    call = new()
    call.arrived()
    return call


def ringing() -> Telling:
    """Two phones ring."""
    call = calling()
    call.ringing(0)
    call.later(0.1).ringing(1)
    return call


def overflow() -> Telling:
    """Three rings are over; the overflow phone rings on."""
    call = Telling.of(AfterMiss.OVERFLOW)
    call.arrived()
    call.ringing(0)
    call.deadline()
    call.later(0.5).ringing(2)
    return call


def notice() -> Telling:
    """Three rings are over; the notice plays."""
    call = ringing()
    call.deadline()
    return call


def keys() -> Telling:
    """The notice is over; keys are heard a little longer."""
    call = notice()
    call.later(12).played()
    return call


def recording() -> Telling:
    """The caller leaves a message."""
    call = Telling.of(AfterMiss.VOICEMAIL)
    call.arrived()
    call.ringing(0)
    call.deadline()
    call.played()
    call.later(3).played()
    return call


def connected() -> Telling:
    """A person took the call."""
    call = ringing()
    call.later(4).answered(1)
    return call


def ended() -> Telling:
    """The caller hung up while the notice played."""
    call = notice()
    call.later(2).gone()
    return call


STAGES: dict[str, tuple[CallStage, Callable[[], Telling]]] = {
    "new": (CallStage.NEW, new),
    "calling": (CallStage.RINGING, calling),
    "ringing": (CallStage.RINGING, ringing),
    "overflow": (CallStage.OVERFLOW, overflow),
    "notice": (CallStage.PROMPTING, notice),
    "keys": (CallStage.PROMPTING, keys),
    "recording": (CallStage.RECORDING, recording),
    "connected": (CallStage.CONNECTED, connected),
    "ended": (CallStage.ENDED, ended),
}


# ------------------------------------------------------------------------------------------------------------- events
def live(call: Telling) -> str:
    """The leg that matters: the one that talks, else the last that lives, else the last that was."""
    legs = call.call.live_legs or call.call.legs
    return call.call.connected_to or (legs[-1].leg if legs else "none")


def leg_ended(end: LegEnd) -> Happen:
    return lambda call: call.ended(live(call), end)


def early(call: Telling) -> tuple[CallEffect, ...]:
    return call.take(DeadlinePassed(now=call.now, at=call.at))


EVENTS: dict[str, Happen] = {
    "arrived": lambda call: call.arrived(),
    "leg_asked": lambda call: call.later(1).asked(live(call)),
    "leg_ringing": lambda call: call.ringing(live(call)),
    "leg_ringing, another": lambda call: call.ringing("another"),
    "leg_answered": lambda call: call.answered(live(call)),
    "leg_answered, first": lambda call: call.answered(0),
    "leg_answered, another": lambda call: call.answered("another"),
    **{f"leg_ended {end}": leg_ended(end) for end in LegEnd},
    "leg_ended, another": lambda call: call.ended("another"),
    "caller_gone": lambda call: call.gone(),
    "key_heard 1": lambda call: call.key("1"),
    "key_heard 9": lambda call: call.key("9"),
    "key_heard 5": lambda call: call.key("5"),
    "playing_ended": lambda call: call.played(),
    "playing_ended in part": lambda call: call.played(whole=False),
    "playing_ended, the notice": lambda call: call.played(Prompt.NOTICE),
    "recording_ended": lambda call: call.recorded(),
    "recording_ended at the beep": lambda call: call.recorded(0.4),
    "deadline_passed": lambda call: call.deadline(),
    "deadline_passed early": early,
}

ALL = frozenset(STAGES)
NO_LEGS = frozenset({"new", "notice", "keys", "recording", "ended"})
PROMPTED = frozenset({"notice", "keys"})
CHANGES_NOTHING: dict[str, frozenset[str]] = {
    "arrived": ALL - {"new"},
    # legs that we do not know, that are over, or that ring already
    "leg_asked": ALL - {"calling", "ringing", "overflow"},
    "leg_ringing": ALL - {"calling"},
    "leg_ringing, another": ALL,
    "leg_answered": frozenset({"connected"}),  # told twice
    "leg_ended, another": ALL,
    **dict.fromkeys([f"leg_ended {end}" for end in LegEnd], NO_LEGS),
    # nobody is there any more
    "caller_gone": frozenset({"ended"}),
    # keys count while the notice plays or has just been heard, and only those that it names
    "key_heard 1": ALL - PROMPTED,
    "key_heard 9": ALL - PROMPTED,
    "key_heard 5": ALL,
    # nothing plays
    "playing_ended": ALL - {"notice", "ended"},
    "playing_ended in part": ALL - {"notice", "ended"},
    "playing_ended, the notice": frozenset({"new", "calling", "ringing", "connected"}),
    # nothing that could be called a message
    "recording_ended at the beep": ALL - {"recording"},
    # no deadline is named; or it is not yet
    "deadline_passed": frozenset({"new", "connected", "ended"}),
    "deadline_passed early": ALL,
}
"""Stages in which an event leaves the call as it is and orders nothing."""


# -------------------------------------------------------------------------------------------------------------- tests
def test_every_event_and_every_stage_stands_in_the_table() -> None:
    assert {name.split(" ")[0].rstrip(",") for name in EVENTS} == {snake(kind.__name__) for kind in get_args(CallEvent)}
    assert {stage for stage, _ in STAGES.values()} == set(CallStage)


@pytest.mark.parametrize("name", STAGES)
def test_each_story_leads_to_its_stage(name: str) -> None:
    stage, story = STAGES[name]
    assert story().call.stage is stage


def test_the_table_of_transitions_stands_as_reviewed() -> None:
    rows = []
    for name, (_, story) in STAGES.items():
        rows += [f"# {name}: {story.__doc__}"]
        rows += [f"{name} < {label:<28} {outcome(story(), happen)}" for label, happen in EVENTS.items()]
        rows += [""]
    table = "\n".join(rows)
    if os.environ.get("RINGBACK_GOLDEN") == "write":
        TABLE.write_text(table, encoding="utf-8")
    assert table == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("label", EVENTS)
def test_what_changes_nothing_changes_nothing_on_purpose(label: str) -> None:
    nothing = {name for name, (_, story) in STAGES.items() if outcome(story(), EVENTS[label]) == "-"}
    assert nothing == CHANGES_NOTHING.get(label, frozenset())


def outcome(call: Telling, happen: Happen) -> str:
    """The stage afterwards and the orders; ``-`` for nothing at all."""
    before = call.call
    effects = happen(call)
    if call.call == before and not effects:
        return "-"
    return " · ".join(filter(None, [call.call.stage.value, words(effects)]))
