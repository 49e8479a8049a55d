"""The board and the machines under random AMI: whatever comes, in any order, one verdict a call, and every call ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ari_app.calls.watch_board import Sighting, WatchBoard
from ari_app.calls.watch_machine import step
from ari_app.calls.watch_state import WatchedCall, WatchStage
from ari_app.pbx.ami_messages import (
    AmiChannel,
    AmiEvent,
    BridgeEntered,
    BridgeLeft,
    ChannelRow,
    DialBegan,
    DialEnded,
    DialProgressed,
    Executed,
    HangupRequested,
    HungUp,
    LocalJoined,
    MessageWaiting,
    NewChannel,
    NewState,
    QueueJoined,
    QueueLeft,
)
from ari_app.recovery.events import CallClosed, CallMissed, Event
from tests.ari_app.calls.telling import setup
from tests.ari_app.recovery.books import START

NAMES = {
    "1.0": "PJSIP/carrier-0",
    "1.1": "PJSIP/101-1",
    "1.2": "Local/101@ring-0;1",
    "1.3": "Local/101@ring-0;2",
    "1.4": "PJSIP/102-4",
    "2.0": "PJSIP/carrier-5",
    "2.1": "PJSIP/carrier-6",
}
CHANNELS = st.builds(
    lambda uniqueid, state, linked, inside: AmiChannel(
        uniqueid=uniqueid,
        linkedid=f"{uniqueid[0]}.0" if linked else uniqueid,
        name=NAMES[uniqueid],
        state=state,
        context="from-internal" if inside else "from-trunk",
        exten="13055550100",
        caller_number="+13055550123",
        caller_name="",
    ),
    st.sampled_from(sorted(NAMES)),
    st.sampled_from(["Ring", "Down", "Ringing", "Up"]),
    st.booleans(),
    st.booleans(),
)
BRIDGES = st.sampled_from(["b1", "b2"])
EVENTS: st.SearchStrategy[AmiEvent] = st.one_of(
    st.builds(NewChannel, CHANNELS),
    st.builds(NewState, CHANNELS),
    st.builds(HangupRequested, CHANNELS),
    st.builds(HungUp, CHANNELS, st.sampled_from([0, 16, 17, 21, 26])),
    st.builds(Executed, CHANNELS, st.sampled_from(["Dial", "Queue", "VoiceMail", "Wait"]), st.just("101@default,u")),
    st.builds(DialBegan, st.none() | CHANNELS, CHANNELS, st.just("101")),
    st.builds(DialProgressed, CHANNELS, st.sampled_from(["RINGING", "PROGRESS", "PROCEEDING"])),
    st.builds(DialEnded, st.none() | CHANNELS, CHANNELS, st.sampled_from(["ANSWER", "BUSY", "NOANSWER", "CANCEL"])),
    st.builds(LocalJoined, st.sampled_from(sorted(NAMES)), st.sampled_from(sorted(NAMES))),
    st.builds(BridgeEntered, CHANNELS, BRIDGES),
    st.builds(BridgeLeft, CHANNELS, BRIDGES),
    st.builds(QueueJoined, CHANNELS),
    st.builds(QueueLeft, CHANNELS),
    st.builds(MessageWaiting, st.sampled_from(["", *sorted(NAMES)]), st.just("101@default"), st.integers(0, 2)),
)
ROWS = st.builds(
    ChannelRow,
    CHANNELS,
    st.sampled_from(["", "13055550100"]),
    st.sampled_from(["", "b1", "b2"]),
    st.sampled_from(["", "Dial", "Queue", "VoiceMail", "AppDial"]),
    st.just("101@default,u"),
    st.integers(0, 90),
)


class Story(RuleBasedStateMachine):
    """A PBX that says anything."""

    def __init__(self) -> None:
        super().__init__()
        self.board = WatchBoard(
            is_inbound=lambda seen: (
                seen.context == "from-trunk" and seen.state == "Ring" and seen.uniqueid == seen.linkedid
            ),
            is_outside=lambda endpoint: endpoint == "carrier",
        )
        self.now = 100.0
        self.calls: dict[str, WatchedCall] = {}
        self.told: dict[str, list[Event]] = {}

    def apply(self, sightings: list[Sighting]) -> None:
        for one in sightings:
            if one.arrival is not None:
                assert one.call_id not in self.calls, "a call arrives once"
                self.calls[one.call_id] = WatchedCall(setup=setup(call_id=one.call_id))
                self.told[one.call_id] = []
            found = step(self.calls[one.call_id], one.event(self.now, START + timedelta(seconds=self.now)))
            self.calls[one.call_id] = found.call
            self.told[one.call_id] += found.facts

    @rule(event=EVENTS)
    def hears(self, event: Any) -> None:
        self.apply(self.board.take(event))

    @rule(seconds=st.sampled_from([0.1, 3.0, 20.0]))
    def later(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def goes_blind(self) -> None:
        self.apply(self.board.blind())

    @rule(rows=st.lists(ROWS, max_size=4), restarted=st.booleans())
    def sees_again(self, rows: list[ChannelRow], restarted: bool) -> None:
        over = self.calls.keys() - self.board.calls  # their unique ids never come again
        there = [row for row in rows if row.channel.uniqueid not in over and not restarted]
        self.apply(self.board.resync(there, restarted=restarted, adopt=lambda row: bool(row.dialled)))

    @invariant()
    def one_verdict_a_call(self) -> None:
        for call_id, call in self.calls.items():
            verdicts = [fact for fact in self.told[call_id] if isinstance(fact, CallMissed | CallClosed)]
            assert len(verdicts) == (0 if call.verdict is None else 1)
            assert (call_id in self.board.calls) == (call.stage is not WatchStage.ENDED)

    def teardown(self) -> None:
        """When nothing is left on the PBX, every call has its verdict."""
        self.apply(self.board.resync([], restarted=False, adopt=lambda row: False))
        self.one_verdict_a_call()
        assert all(call.verdict is not None for call in self.calls.values())
        assert self.board.calls == ()


TestWhateverComes = Story.TestCase
TestWhateverComes.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
