"""AMI's messages as typed values, and as what they are when they are not what AMI documents."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.pbx.ami_messages import (
    DID,
    HEARD,
    LONGEST_VALUE,
    PRESENTATION,
    AmiChannel,
    BridgeEntered,
    BridgeLeft,
    ChannelRow,
    DialBegan,
    DialEnded,
    DialProgressed,
    Executed,
    HangupRequested,
    Headers,
    HungUp,
    LocalJoined,
    MessageWaiting,
    NewChannel,
    NewState,
    QueueJoined,
    QueueLeft,
    UserEvent,
    parse_event,
)
from ari_app.pbx.errors import MalformedEventError

OF_CHANNEL = {
    "channel": "PJSIP/fpbx-carrier-0000000a",
    "channelstatedesc": "Ring",
    "calleridnum": "+13055550123",
    "calleridname": "<unknown>",
    "context": "from-pstn",
    "exten": "13055550100",
    "uniqueid": "1795487480.0",
    "linkedid": "1795487480.0",
}
OF_PEER = {
    "destchannel": "PJSIP/101-0000000b",
    "destchannelstatedesc": "Down",
    "destuniqueid": "1795487480.1",
    "destlinkedid": "1795487480.0",
}
CHANNEL = AmiChannel(
    uniqueid="1795487480.0",
    linkedid="1795487480.0",
    name="PJSIP/fpbx-carrier-0000000a",
    state="Ring",
    context="from-pstn",
    exten="13055550100",
    caller_number="+13055550123",
    caller_name="",
)
PEER = AmiChannel("1795487480.1", "1795487480.0", "PJSIP/101-0000000b", "Down", "", "", "", "")


@pytest.mark.parametrize(
    ("name", "more", "event"),
    [
        ("Newchannel", {}, NewChannel(CHANNEL)),
        ("Newstate", {}, NewState(CHANNEL)),
        ("HangupRequest", {"cause": "127"}, HangupRequested(CHANNEL)),
        ("Hangup", {"cause": "17"}, HungUp(CHANNEL, 17)),
        ("Newexten", {"application": "Dial", "appdata": "PJSIP/101,20"}, Executed(CHANNEL, "Dial", "PJSIP/101,20")),
        ("DialBegin", {**OF_PEER, "dialstring": "101"}, DialBegan(CHANNEL, PEER, "101")),
        ("DialState", {**OF_PEER, "dialstatus": "RINGING"}, DialProgressed(PEER, "RINGING")),
        ("DialEnd", {**OF_PEER, "dialstatus": "ANSWER"}, DialEnded(CHANNEL, PEER, "ANSWER")),
        ("LocalBridge", {"localoneuniqueid": "1.1", "localtwouniqueid": "1.2"}, LocalJoined("1.1", "1.2")),
        ("BridgeEnter", {"bridgeuniqueid": "b"}, BridgeEntered(CHANNEL, "b")),
        ("BridgeLeave", {"bridgeuniqueid": "b"}, BridgeLeft(CHANNEL, "b")),
        ("QueueCallerJoin", {}, QueueJoined(CHANNEL)),
        ("QueueCallerLeave", {}, QueueLeft(CHANNEL)),
        ("MessageWaiting", {"mailbox": "101@default", "new": "2"}, MessageWaiting("1795487480.0", "101@default", 2)),
        (
            "Status",
            {"dnid": "13055550100", "bridgeid": "b", "application": "Queue", "data": "400", "seconds": "12"},
            ChannelRow(CHANNEL, "13055550100", "b", "Queue", "400", 12),
        ),
    ],
)
def test_an_event_is_what_it_says(name: str, more: dict[str, str], event: object) -> None:
    assert parse_event({"event": name, **OF_CHANNEL, **more}) == event


@pytest.mark.parametrize(
    ("variables", "withheld", "did"),
    [
        ("CALLERID(num-pres)=allowed_not_screened\nCALLINGNUMPRES_SV=\nFROM_DID=", False, ""),
        ("CALLERID(num-pres)=prohib_passed_screen\nCALLINGNUMPRES_SV=\nFROM_DID=13055550100", True, "13055550100"),
        ("CALLERID(num-pres)=allowed_not_screened\nCALLINGNUMPRES_SV=prohib_not_screened", True, ""),
        ("CALLERID(num-pres)=unavailable", False, ""),
        ("X=prohib\nFROM_DID", False, ""),
    ],
)
def test_a_channel_says_whether_the_number_is_withheld_and_what_the_dialplan_found_out(
    variables: str, withheld: bool, did: str
) -> None:
    event = parse_event({"event": "DialBegin", **OF_CHANNEL, **OF_PEER, "chanvariable": variables})
    assert isinstance(event, DialBegan)
    assert event.caller is not None
    assert (event.caller.withheld, event.caller.did) == (withheld, did)
    assert not event.peer.presentation


def test_a_user_event_keeps_the_words_of_the_dialplan() -> None:
    event = parse_event({"event": "UserEvent", **OF_CHANNEL, "userevent": "RingbackNotice", "key": "9"})
    assert isinstance(event, UserEvent)
    assert (event.channel, event.name, event.headers["key"]) == (CHANNEL, "RingbackNotice", "9")


def test_a_dial_from_nowhere_has_no_caller() -> None:
    event = parse_event({"event": "DialBegin", **OF_PEER})
    assert event == DialBegan(None, PEER, "")


@pytest.mark.parametrize("headers", [{"event": "PeerStatus"}, {"response": "Success"}, {}])
def test_what_is_not_used_is_nothing(headers: Headers) -> None:
    assert parse_event(headers) is None


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"event": "Newchannel"}, "Newchannel: uniqueid: expected a value, got nothing"),
        ({"event": "Newchannel", "uniqueid": "1.1"}, "Newchannel: channel: expected a value, got nothing"),
        ({"event": "Hangup", **OF_CHANNEL, "cause": "gone"}, "Hangup: cause: expected a number, got 'gone'"),
        ({"event": "BridgeEnter", **OF_CHANNEL}, "BridgeEnter: bridgeuniqueid: expected a value, got nothing"),
        ({"event": "DialEnd", **OF_CHANNEL}, "DialEnd: destuniqueid: expected a value, got nothing"),
    ],
)
def test_what_is_missing_or_wrong_is_named(headers: Headers, why: str) -> None:
    with pytest.raises(MalformedEventError) as caught:
        parse_event(headers)
    assert str(caught.value) == why


def test_the_filter_that_we_hand_out_lets_everything_through_that_we_look_at() -> None:
    snippet = Path(__file__).parents[3] / "asterisk" / "attach" / "manager_custom.conf"
    filters = re.findall(r"^eventfilter = (.*)$", snippet.read_text(encoding="utf-8"), re.MULTILINE)
    for name in HEARD - {"newexten", "status"}:  # those by their application, and on request
        assert any(re.search(one, f"Event: {name}\r\n", re.IGNORECASE) for one in filters), name
    for application in ("Dial", "RetryDial", "Queue", "FollowMe", "VoiceMail", "Read"):
        newexten = f"Event: Newexten\r\nApplication: {application}\r\n"
        assert any(re.search(one, newexten) for one in filters), application
    [named] = re.findall(r"^channelvars = (.*)$", snippet.read_text(encoding="utf-8"), re.MULTILINE)
    assert named.split(",") == [*PRESENTATION, DID]
    assert not any(re.search(one, "Event: VarSet\r\nVariable: X\r\n") for one in filters)


def test_a_channel_knows_its_technology_and_endpoint() -> None:
    assert (CHANNEL.technology, CHANNEL.endpoint, CHANNEL.is_local) == ("PJSIP", "fpbx-carrier", False)
    local = AmiChannel("1", "1", "Local/101@from-queue-00000001;2", "Ring", "", "", "", "")
    assert (local.technology, local.is_local) == ("Local", True)


def test_a_value_that_a_caller_chose_is_cut_to_its_limit() -> None:
    event = parse_event({"event": "Newchannel", **OF_CHANNEL, "calleridname": "A" * 9999})
    assert isinstance(event, NewChannel)
    assert len(event.channel.caller_name) == LONGEST_VALUE


@given(
    st.dictionaries(
        st.sampled_from([*OF_CHANNEL, *OF_PEER, "event", "cause", "dialstatus", "bridgeuniqueid", "mailbox", "new"]),
        st.one_of(
            st.text(max_size=40), st.sampled_from(["Newchannel", "Hangup", "DialEnd", "Status", "MessageWaiting"])
        ),
    )
)
def test_whatever_comes_is_an_event_nothing_or_named(headers: Headers) -> None:
    with contextlib.suppress(MalformedEventError):
        parse_event(headers)
