"""The board: AMI's events in, what they mean for each inbound call out. Pure, and told twice without harm."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ari_app.calls.watch_board import REMEMBERED, Sighting, WatchBoard
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
    UserEvent,
)
from ari_app.recovery.transcript import snake

CALLER = "1.0"


def channel(uniqueid: str, name: str = "PJSIP/101-1", state: str = "Down", **changes: str) -> AmiChannel:
    """A leg of the call, unless ``changes`` say otherwise."""
    given = {"linkedid": CALLER, "context": "from-internal", "exten": "s", "caller_number": "101", "caller_name": ""}
    return AmiChannel(uniqueid=uniqueid, name=name, state=state, **{**given, **changes})


INBOUND = channel(
    CALLER, "PJSIP/carrier-0", "Ring", context="from-trunk", exten="13055550100", caller_number="+13055550123"
)
DESK = channel("1.1")
MOBILE = channel("1.2", "PJSIP/carrier-2")
HALVES = channel("1.3", "Local/101@ring-0;1"), channel("1.4", "Local/101@ring-0;2", "Ring")


class Board:
    """A board, and what it said."""

    def __init__(self, *events: AmiEvent) -> None:
        self.board = WatchBoard(
            is_inbound=lambda seen: seen.context == "from-trunk" and seen.state == "Ring",
            is_outside=lambda endpoint: endpoint == "carrier",
        )
        self.said: list[Sighting] = []
        self.hear(*events)

    def hear(self, *events: AmiEvent) -> str:
        """What the last of ``events`` means, in words."""
        said: list[Sighting] = []
        for event in events:
            said = self.board.take(event)
            self.said += said
        return words(said)

    def resync(self, *rows: ChannelRow, restarted: bool = False) -> str:
        said = self.board.resync(rows, restarted=restarted, adopt=lambda row: bool(row.dialled))
        self.said += said
        return words(said)


def words(said: list[Sighting]) -> str:
    return " · ".join(
        " ".join([snake(one.make.__name__), *(str(value) for value in one.arguments.values() if value != "")])
        for one in said
    )


def row(seen: AmiChannel, **changes: Any) -> ChannelRow:
    given: dict[str, Any] = {"dialled": "", "bridge": "", "application": "", "data": "", "seconds": 5}
    return ChannelRow(seen, **{**given, **changes})


def up(seen: AmiChannel) -> AmiChannel:
    return AmiChannel(**{**{name: getattr(seen, name) for name in seen.__slots__}, "state": "Up"})


def in_state(seen: AmiChannel, state: str) -> AmiChannel:
    return AmiChannel(**{**{name: getattr(seen, name) for name in seen.__slots__}, "state": state})


def ringing() -> Board:
    """A call whose desk phone rings."""
    return Board(NewChannel(INBOUND), DialBegan(INBOUND, DESK, "101"), NewState(in_state(DESK, "Ringing")))


# -------------------------------------------------------------------------------------------------------------- arrival
def test_a_call_from_outside_is_new_once() -> None:
    board = Board()
    assert board.hear(NewChannel(INBOUND)) == "call_seen"
    assert board.said[0].arrival is INBOUND
    assert board.said[0].dialled == "13055550100"
    assert board.hear(NewChannel(INBOUND)) == ""
    assert board.board.calls == (CALLER,)


@pytest.mark.parametrize(
    "seen",
    [
        channel("2.0", "PJSIP/102-9", "Ring", linkedid="2.0"),
        channel("2.0", "PJSIP/carrier-9", "Down", linkedid="2.0", context="from-trunk"),
    ],
    ids=["a desk phone that calls", "a leg to a trunk"],
)
def test_other_calls_are_none_of_ours(seen: AmiChannel) -> None:
    board = Board(NewChannel(seen))
    assert board.hear(NewState(in_state(seen, "Ringing")), QueueJoined(seen), HungUp(seen, 16)) == ""
    assert board.said == []


# ----------------------------------------------------------------------------------------------------------------- legs
def test_a_leg_is_announced_before_anything_is_told_of_it() -> None:
    board = Board(NewChannel(INBOUND), NewChannel(DESK))
    assert board.hear(NewState(in_state(DESK, "Ringing"))) == "leg_started 1.1 101 False · leg_ringing 1.1"
    assert board.hear(DialBegan(INBOUND, DESK, "101")) == ""
    assert board.hear(DialProgressed(DESK, "RINGING")) == "leg_ringing 1.1"
    assert board.hear(DialProgressed(DESK, "PROCEEDING")) == ""


def test_a_leg_through_a_trunk_is_outside_and_known_by_the_number_that_was_dialled() -> None:
    board = Board(NewChannel(INBOUND))
    assert board.hear(DialBegan(INBOUND, MOBILE, "+13055550177@carrier")) == "leg_started 1.2 +13055550177 True"
    unnamed = Board(NewChannel(INBOUND))
    assert unnamed.hear(DialBegan(INBOUND, MOBILE, "")) == "leg_started 1.2 carrier True"


def test_half_of_a_local_channel_is_nobodys_phone() -> None:
    board = Board(NewChannel(INBOUND))
    assert board.hear(DialBegan(INBOUND, HALVES[0], "101@ring")) == "leg_started 1.3 None"
    assert board.hear(NewState(up(HALVES[1]))) == ""


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("BUSY", "busy"),
        ("NOANSWER", "no_answer"),
        ("CANCEL", "cancelled"),
        ("CONGESTION", "unreachable"),
        ("CHANUNAVAIL", "unreachable"),
        ("CONTINUE", "no_answer"),
    ],
)
def test_how_a_dial_ended(status: str, end: str) -> None:
    assert ringing().hear(DialEnded(INBOUND, DESK, status)) == f"leg_ended 1.1 {end}"


@pytest.mark.parametrize(("cause", "end"), [(17, "busy"), (21, "rejected"), (26, "cancelled"), (0, "no_answer")])
def test_a_hang_up_cause_says_little(cause: int, end: str) -> None:
    board = ringing()
    assert board.hear(HungUp(DESK, cause)) == f"leg_ended 1.1 {end}"
    assert board.hear(HungUp(DESK, cause)) == ""


def test_a_leg_belongs_to_whoever_dials_it_whatever_its_linked_id() -> None:
    board = ringing()
    picker = channel("2.0", "PJSIP/102-9", "Up", linkedid="2.0")
    board.hear(NewChannel(in_state(picker, "Ring")))
    said = board.hear(DialEnded(INBOUND, picker, "ANSWER"))
    assert said == "leg_started 2.0 102 False · leg_answered 2.0"


def test_a_dial_from_nowhere_is_nobodys() -> None:
    board = Board(NewChannel(INBOUND))
    stranger = channel("3.0", linkedid="3.0")
    assert board.hear(DialBegan(None, stranger, "101")) == ""
    assert board.hear(DialEnded(None, stranger, "ANSWER")) == ""


# ------------------------------------------------------------------------------------------------------ who hears whom
def test_the_caller_hears_a_phone_that_is_in_the_same_bridge() -> None:
    board = ringing()
    assert board.hear(BridgeEntered(up(DESK), "b1")) == ""
    assert board.hear(BridgeEntered(up(INBOUND), "b1")) == "joined 1.1 101 False"
    assert board.hear(BridgeLeft(up(DESK), "b1"), BridgeEntered(up(DESK), "b1")) == "", "once is enough"


def test_the_caller_hears_a_phone_through_local_channels_and_none_before_both_bridges_stand() -> None:
    one, two = HALVES
    board = Board(
        NewChannel(INBOUND),
        NewChannel(one),
        NewChannel(two),
        LocalJoined("1.3", "1.4"),
        DialBegan(INBOUND, one, "101@ring"),
        DialBegan(two, DESK, "101"),
        BridgeEntered(up(INBOUND), "b1"),
        BridgeEntered(up(one), "b1"),
        BridgeEntered(up(DESK), "b2"),
    )
    assert board.hear(BridgeEntered(up(two), "b2")) == "joined 1.1 101 False"


def test_halves_that_are_told_of_late_lead_on_all_the_same() -> None:
    one, two = HALVES
    board = Board(NewChannel(INBOUND), NewChannel(one), NewChannel(two))
    board.hear(BridgeEntered(up(INBOUND), "b1"), BridgeEntered(up(one), "b1"))
    board.hear(BridgeEntered(up(DESK), "b2"), BridgeEntered(up(two), "b2"))
    assert board.hear(LocalJoined("1.3", "1.4")) == "joined 1.1 101 False"
    assert board.hear(LocalJoined("1.3", "9.9")) == ""


def test_announcers_recorders_and_other_callers_are_nobody() -> None:
    other = channel("5.0", "PJSIP/carrier-5", "Ring", linkedid="5.0", context="from-trunk")
    board = Board(NewChannel(INBOUND), NewChannel(other), BridgeEntered(up(INBOUND), "b1"))
    assert board.hear(BridgeEntered(channel("1.8", "Announcer/ARI-1", "Up"), "b1")) == ""
    assert board.hear(BridgeEntered(up(other), "b1")) == ""


def test_a_phone_in_another_bridge_is_not_heard() -> None:
    board = ringing()
    board.hear(BridgeEntered(up(INBOUND), "b1"))
    assert board.hear(BridgeEntered(up(DESK), "b2")) == ""
    assert board.hear(BridgeLeft(up(DESK), "another"), BridgeEntered(up(INBOUND), "b2")) == "joined 1.1 101 False"


# ------------------------------------------------------------------------------------------------------ the dialplan
@pytest.mark.parametrize(
    ("application", "data", "said"),
    [
        ("Dial", "PJSIP/101,20", "phones_tried"),
        ("Queue", "sales", "phones_tried"),
        ("FollowMe", "ana", "phones_tried True"),
        ("Read", "CHOICE,menu", ""),
        ("VoiceMail", "101@default&102@default,us", "mailbox_entered 101@default"),
        ("Playback", "hello", ""),
    ],
)
def test_what_an_application_means(application: str, data: str, said: str) -> None:
    assert Board(NewChannel(INBOUND)).hear(Executed(INBOUND, application, data)) == said


def test_a_leg_that_is_asked_for_a_key_is_told_of_and_a_caller_in_a_menu_is_not() -> None:
    board = Board(NewChannel(INBOUND), DialBegan(INBOUND, MOBILE, "+13055550177@carrier"), NewState(up(MOBILE)))
    assert board.hear(Executed(up(MOBILE), "Read", "ACCEPT,press-1,1")) == "key_asked 1.2"
    assert board.hear(Executed(INBOUND, "Read", "CHOICE,menu")) == ""


def test_queues_and_mailboxes_are_the_callers() -> None:
    board = Board(NewChannel(INBOUND))
    assert board.hear(QueueJoined(INBOUND)) == "queued"
    assert board.hear(QueueLeft(INBOUND)) == "unqueued"
    assert board.hear(MessageWaiting(CALLER, "101@default", 2)) == "message_left 101@default"
    assert board.hear(MessageWaiting(CALLER, "101@default", 0)) == "", "somebody listened to it"
    assert board.hear(MessageWaiting("", "101@default", 1)) == ""


def test_the_notice_is_what_the_dialplan_says_it_is() -> None:
    board = Board(NewChannel(INBOUND))
    headers = {"key": "9", "started": "1795487480", "whole": "no"}
    said = board.hear(UserEvent(INBOUND, "RingbackNotice", headers))
    assert said.startswith("notice_played 9 False 2026-11-24")
    assert board.hear(UserEvent(INBOUND, "RingbackNotice", {"started": "yesterday"})) == ""
    assert board.hear(UserEvent(INBOUND, "SomebodyElses", headers)) == ""


# ---------------------------------------------------------------------------------------------------------------- ends
def test_a_caller_who_hangs_up_is_told_once_and_a_pbx_that_does_is_told_apart() -> None:
    board = ringing()
    assert board.hear(HangupRequested(INBOUND)) == "caller_hung_up True"
    assert board.hear(HungUp(INBOUND, 16)) == ""
    assert ringing().hear(HungUp(INBOUND, 19)) == "caller_hung_up False"
    assert ringing().hear(HangupRequested(DESK)) == ""


def test_a_message_is_heard_of_after_the_caller_is_gone_and_not_once_the_call_is_forgotten() -> None:
    board = Board(NewChannel(INBOUND), HungUp(INBOUND, 16))
    assert board.hear(MessageWaiting(CALLER, "101@default", 1)) == "message_left 101@default"
    board.board.forget(CALLER)
    assert board.hear(MessageWaiting(CALLER, "101@default", 1)) == ""
    assert board.board.calls == ()


def test_stragglers_of_a_channel_that_is_over_bring_nothing_back() -> None:
    board = ringing()
    board.hear(HungUp(DESK, 16))
    assert board.hear(BridgeLeft(DESK, "b1")) == ""
    assert board.hear(NewState(in_state(DESK, "Ringing"))) == ""
    assert board.resync(row(INBOUND)) == "sight_regained"


def test_only_so_many_ended_channels_are_remembered() -> None:
    board = Board(NewChannel(INBOUND))
    for number in range(REMEMBERED + 1):
        board.hear(HungUp(channel(f"8.{number}", linkedid="8"), 16))
    first, last = channel("8.0", state="Ringing"), channel(f"8.{REMEMBERED}", state="Ringing")
    assert board.hear(NewState(last)) == ""
    assert board.hear(NewState(first)) == "leg_started 8.0 101 False · leg_ringing 8.0"


def test_a_phone_that_another_call_dials_is_not_ours() -> None:
    board = Board(NewChannel(INBOUND))
    stranger, desk = channel("6.0", "PJSIP/102-6", "Ring", linkedid="6.0"), channel("6.1", linkedid="6.0")
    assert board.hear(NewChannel(stranger), DialBegan(stranger, desk, "101")) == ""
    assert board.hear(NewState(in_state(desk, "Ringing"))) == ""


def test_a_row_means_something_in_a_snapshot_alone() -> None:
    assert ringing().hear(row(INBOUND)) == ""


def test_a_call_whose_linked_id_was_merged_with_an_older_one_keeps_its_legs() -> None:
    board = Board(NewChannel(INBOUND), NewChannel(channel("1.5", "PJSIP/102-5")))
    merged = channel("1.6", "PJSIP/103-6", "Ringing", linkedid="1.5")
    assert board.hear(NewState(merged)) == "leg_started 1.6 103 False · leg_ringing 1.6"


# ------------------------------------------------------------------------------------------------------------ blindness
def test_a_snapshot_tells_what_has_ended_and_what_has_begun_unseen() -> None:
    board = ringing()
    assert words(board.board.blind()) == "sight_lost"
    new = channel("1.7", "PJSIP/102-7", "Ringing")
    said = board.resync(row(INBOUND, application="Dial", seconds=9), row(new))
    assert said == (
        "leg_ended 1.1 no_answer · phones_tried · leg_started 1.7 102 False · leg_ringing 1.7 · sight_regained"
    )


def test_a_caller_who_is_not_in_the_snapshot_has_vanished_once() -> None:
    board = ringing()
    assert board.resync(row(DESK)) == "caller_vanished False"
    assert board.resync() == "leg_ended 1.1 no_answer"
    assert board.resync(row(channel("9.0", linkedid="9.0"))) == board.resync() == ""
    assert board.board.calls == ()


def test_nothing_survives_a_restart() -> None:
    board = ringing()
    assert board.resync(restarted=True) == "caller_vanished True"
    assert board.resync(restarted=True) == ""


def test_a_call_that_is_under_way_is_taken_up_with_all_that_can_be_seen_of_it() -> None:
    one, two = HALVES
    board = Board()
    said = board.resync(
        row(up(DESK), bridge="b2", seconds=4),
        row(up(INBOUND), dialled="13055550100", bridge="b1", application="Queue", data="sales", seconds=30),
        row(up(one), bridge="b1", seconds=5),
        row(up(two), bridge="b2", seconds=5),
    )
    assert said.startswith("call_seen 30.0 · phones_tried · queued · ")
    assert said.endswith("joined 1.1 101 False · sight_regained")
    assert board.said[0].dialled == "13055550100"


def test_a_leg_that_is_listed_before_its_caller_is_the_caller_s_all_the_same() -> None:
    said = Board().resync(
        row(in_state(DESK, "Ringing"), seconds=0), row(INBOUND, dialled="13055550100", application="Dial", seconds=0)
    )
    assert said == "call_seen 0.0 · phones_tried · leg_started 1.1 101 False · leg_ringing 1.1 · sight_regained"


def test_a_queue_is_left_only_by_whoever_waits_in_it() -> None:
    board = Board(NewChannel(INBOUND), QueueJoined(INBOUND), DialBegan(INBOUND, DESK, "101"))
    agent = row(in_state(DESK, "Ringing"), application="AppQueue", data="(Outgoing Line)")
    assert board.resync(row(INBOUND, application="Queue"), agent) == "phones_tried · leg_ringing 1.1 · sight_regained"
    assert board.resync(row(INBOUND, application="Wait"), agent) == "unqueued · leg_ringing 1.1 · sight_regained"


def test_a_channel_that_nobody_wants_is_not_taken_up() -> None:
    stranger = channel("7.0", "PJSIP/102-3", "Up", linkedid="7.0")
    assert Board().resync(row(stranger)) == ""


def test_a_sighting_gets_its_time_from_whoever_asks() -> None:
    board = Board(NewChannel(INBOUND))
    at = datetime(2026, 11, 24, 15, tzinfo=UTC)
    event = board.said[0].event(12.5, at)
    assert (event.now, event.at) == (12.5, at)
