"""Every stage × every event of the watched call's machine. ``watch_table.txt`` says what each pair does, and is read in
review; the pairs that change nothing stand here, on purpose. ``RINGBACK_GOLDEN=write`` writes the table anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from ari_app.calls.events import DeadlinePassed, LegEnd
from ari_app.calls.watch_events import WatchEvent
from ari_app.calls.watch_state import WatchStage
from ari_app.recovery.events import Event
from ari_app.recovery.transcript import snake
from tests.ari_app.calls.watch_telling import MOBILE, Watched, facts

TABLE = Path(__file__).parent / "watch_table.txt"
Happen = Callable[[Watched], tuple[Event, ...]]


# ------------------------------------------------------------------------------------------------------------- stages
def new() -> Watched:
    """Nobody has seen the call."""
    return Watched.of()


def dialplan() -> Watched:
    """The dialplan does something else."""
    return Watched.seen()


def calling() -> Watched:
    """A phone is called; it does not ring yet."""
    call = dialplan()
    call.starts("leg")
    return call


def ringing() -> Watched:
    """A phone rings."""
    call = calling()
    call.rings("leg")
    return call


def missed() -> Watched:
    """Three rings are over, and the phone rings on."""
    call = ringing()
    call.deadline()
    return call


def queued() -> Watched:
    """The caller waits in a queue, and an agent's phone rings."""
    call = dialplan()
    call.queues()
    call.starts("leg")
    call.rings("leg")
    return call


def mailbox() -> Watched:
    """The mailbox answered after a ring."""
    call = ringing()
    call.later(6).ends("leg")
    call.mailbox()
    return call


def talking() -> Watched:
    """A person took the call."""
    call = ringing()
    call.later(4).up("leg")
    call.joins("leg")
    return call


def forwarded() -> Watched:
    """A mobile answered, or its voicemail."""
    call = dialplan()
    call.starts("leg", MOBILE, outside=True)
    call.rings("leg")
    call.later(4).up("leg")
    call.joins("leg", MOBILE, outside=True)
    return call


def blind() -> Watched:
    """A phone rang when we went blind."""
    call = ringing()
    call.later(2).blind()
    return call


def ended() -> Watched:
    """The caller hung up on the mailbox."""
    call = mailbox()
    call.later(3).hangs_up()
    return call


STAGES: dict[str, tuple[WatchStage, Callable[[], Watched]]] = {
    "new": (WatchStage.NEW, new),
    "dialplan": (WatchStage.DIALPLAN, dialplan),
    "calling": (WatchStage.RINGING, calling),
    "ringing": (WatchStage.RINGING, ringing),
    "missed": (WatchStage.RINGING, missed),
    "queued": (WatchStage.QUEUED, queued),
    "mailbox": (WatchStage.MAILBOX, mailbox),
    "talking": (WatchStage.CONNECTED, talking),
    "forwarded": (WatchStage.CONNECTED, forwarded),
    "blind": (WatchStage.RINGING, blind),
    "ended": (WatchStage.ENDED, ended),
}


# ------------------------------------------------------------------------------------------------------------- events
def leg_ended(end: LegEnd) -> Happen:
    return lambda call: call.ends("leg", end)


def early(call: Watched) -> tuple[Event, ...]:
    return call.take(DeadlinePassed(now=call.now, at=call.at))


EVENTS: dict[str, Happen] = {
    "call_seen": lambda call: call.arrives(),
    "phones_tried": lambda call: call.tried(),
    "phones_tried, FollowMe": lambda call: call.tried(asking=True),
    "leg_started": lambda call: call.starts("another", "102"),
    "leg_started, again": lambda call: call.starts("leg"),
    "leg_started, a Local": lambda call: call.starts("local", None),
    "leg_ringing": lambda call: call.rings("leg"),
    "leg_ringing, unknown": lambda call: call.rings("unknown"),
    "leg_answered": lambda call: call.up("leg"),
    "leg_answered, unknown": lambda call: call.up("unknown"),
    **{f"leg_ended {end}": leg_ended(end) for end in LegEnd},
    "leg_ended, unknown": lambda call: call.ends("unknown"),
    "key_asked": lambda call: call.asked("leg"),
    "key_asked, unknown": lambda call: call.asked("unknown"),
    "joined": lambda call: call.joins("leg"),
    "joined, by a pick-up": lambda call: call.joins("another", "102"),
    "joined, a mobile": lambda call: call.joins("another", MOBILE, outside=True),
    "queued": lambda call: call.queues(),
    "unqueued": lambda call: call.leaves_queue(),
    "mailbox_entered": lambda call: call.mailbox(),
    "message_left": lambda call: call.message(),
    "notice_played": lambda call: call.notice(),
    "notice_played and 9": lambda call: call.notice("9", whole=False),
    "caller_hung_up": lambda call: call.hangs_up(),
    "caller_hung_up by the PBX": lambda call: call.is_hung_up(),
    "caller_vanished": lambda call: call.vanishes(),
    "caller_vanished, restart": lambda call: call.vanishes(restarted=True),
    "sight_lost": lambda call: call.blind(),
    "sight_regained": lambda call: call.sees_again(),
    "deadline_passed": lambda call: call.deadline(),
    "deadline_passed early": early,
}

ALL = frozenset(STAGES)
NOT_THERE = frozenset({"new", "ended"})
NO_LEG = frozenset({"new", "dialplan", "mailbox", "ended"})
CHANGES_NOTHING: dict[str, frozenset[str]] = {
    "call_seen": ALL - {"new"},
    # whoever has been tried has been tried
    "phones_tried": ALL - {"dialplan"},
    "phones_tried, FollowMe": NOT_THERE,
    "leg_started": NOT_THERE,
    "leg_started, again": ALL - {"dialplan"},
    "leg_started, a Local": NOT_THERE,
    # legs that we do not know, that are over, that ring or are up already
    "leg_ringing": ALL - {"calling"},
    "leg_ringing, unknown": ALL,
    "leg_answered": NO_LEG | {"talking", "forwarded"},
    "leg_answered, unknown": ALL,
    **dict.fromkeys([f"leg_ended {end}" for end in LegEnd], NO_LEG),
    "leg_ended, unknown": ALL,
    "key_asked": frozenset({"new", "dialplan", "ended"}),
    "key_asked, unknown": ALL,
    # told twice, or not seen
    "joined": NOT_THERE | {"talking"},
    "joined, by a pick-up": NOT_THERE | {"talking"},
    "joined, a mobile": NOT_THERE | {"talking", "forwarded"},
    # the hope is over, or has come true; or the caller waits there already
    "queued": NOT_THERE | {"queued", "mailbox", "talking", "forwarded"},
    "unqueued": ALL - {"queued"},
    "mailbox_entered": NOT_THERE | {"mailbox", "talking", "forwarded"},
    # no mailbox was entered
    "message_left": ALL - {"mailbox", "ended"},
    # who talked with somebody was not missed
    "notice_played": frozenset({"new", "talking", "forwarded"}),
    "notice_played and 9": frozenset({"new", "talking", "forwarded"}),
    # nobody is there any more, or was yet
    "caller_hung_up": NOT_THERE,
    "caller_hung_up by the PBX": NOT_THERE,
    "caller_vanished": NOT_THERE,
    "caller_vanished, restart": NOT_THERE,
    "sight_lost": NOT_THERE | {"blind"},
    "sight_regained": ALL - {"blind"},
    # no deadline is named: who is blind does not judge
    "deadline_passed": ALL - {"calling", "ringing", "forwarded"},
    "deadline_passed early": ALL,
}
"""Stages in which an event leaves the call as it is and tells nothing."""


# -------------------------------------------------------------------------------------------------------------- tests
def test_every_event_and_every_stage_stands_in_the_table() -> None:
    named = {name.split(" ")[0].rstrip(",") for name in EVENTS}
    assert named == {snake(kind.__name__) for kind in get_args(WatchEvent)}
    assert {stage for stage, _ in STAGES.values()} == set(WatchStage)


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


def outcome(call: Watched, happen: Happen) -> str:
    """The stage afterwards and what was told; ``-`` for nothing at all."""
    before = call.call
    told = happen(call)
    if call.call == before and not told:
        return "-"
    return " · ".join(filter(None, [call.call.stage.value, facts(told)]))
