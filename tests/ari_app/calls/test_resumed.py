"""Finding the conversations that an earlier Ringback has connected, by the names of its channels and bridges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from ari_app.calls.resumed import ResumedTalk, call_over, callback_over, found_talks, is_ours
from ari_app.pbx.ari import Ari
from ari_app.pbx.models import Bridge, Channel, ChannelState, Party, Place
from ari_app.recovery.values import CallbackEnd, Verdict
from tests.ari_app.calls.telling import setup

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
NOBODY = Party("", "")


def channel(channel_id: str, name: str = "PJSIP/carrier-00000001") -> Channel:
    return Channel(channel_id, name, ChannelState.UP, NOBODY, NOBODY, Place("inbound", "+13055550100", 1), START)


def bridge(bridge_id: str, *channels: str) -> Bridge:
    return Bridge(bridge_id, "simple_bridge", "mixing", "", channels)


CALLER, LEG = channel("pbx-1.0"), channel("pbx-1.0-leg2", "PJSIP/102-00000007")
CALLED_BACK, DESK = channel("callback-17.0"), channel("callback-17.0-desk0", "PJSIP/101-00000009")
MEDIA = channel("callback-17.0-media", "WebSocket/1")


def test_a_caller_and_the_phone_that_answered_are_a_conversation() -> None:
    [talk] = found_talks([CALLER, LEG], [bridge("pbx-1.0-talk", LEG.id, CALLER.id)])
    assert (talk.owner, talk.desk, talk.bridge) == (CALLER, LEG, "pbx-1.0-talk")
    assert (talk.phone, talk.effect_id) == ("102", None)
    assert talk.channels == ("pbx-1.0", "pbx-1.0-leg2")
    assert talk.seconds(START + timedelta(seconds=90)) == 90.0


@pytest.mark.parametrize(
    "leg_id", ["pbx-1.0-leg0", "pbx-1.0-leg12.9f03ac", "callback-17.0-desk1", "callback-17.0-media"]
)
def test_what_any_ringback_made_is_known_by_its_id(leg_id: str) -> None:
    assert is_ours(leg_id)
    assert not is_ours(f"{leg_id}.x.y")


def test_a_phone_that_another_process_rang_is_its_caller_s() -> None:
    leg = channel("pbx-1.0-leg2.9f03ac", "PJSIP/102-00000007")
    [talk] = found_talks([CALLER, leg], [bridge("pbx-1.0-talk", leg.id, CALLER.id)])
    assert talk.desk == leg


def test_a_callback_that_a_person_has_taken_over_is_one_and_ends_as_such() -> None:
    [talk] = found_talks([CALLED_BACK, DESK], [bridge("callback-17.0-talk", CALLED_BACK.id, DESK.id)])
    assert (talk.phone, talk.effect_id) == ("101", "17.0")
    event = callback_over(talk, START + timedelta(minutes=3))
    assert (event.source_id, event.end, event.by, event.seconds) == (
        "callback:17.0:ended",
        CallbackEnd.REACHED_PERSON,
        "101",
        180.0,
    )


@pytest.mark.parametrize(
    ("channels", "bridges"),
    [
        ([CALLER, LEG], []),
        ([CALLED_BACK], [bridge("callback-17.0-talk", CALLED_BACK.id)]),
        ([LEG], [bridge("pbx-1.0-talk", LEG.id)]),
        ([CALLER, LEG], [bridge("pbx-1.0-talk", LEG.id)]),
        ([CALLED_BACK, MEDIA], [bridge("callback-17.0-talk", CALLED_BACK.id, MEDIA.id)]),
        ([CALLER, DESK], [bridge("pbx-1.0-talk", CALLER.id, DESK.id)]),
        ([CALLER, LEG], [bridge("somebody-else-s", CALLER.id, LEG.id)]),
    ],
    ids=[
        "no bridge",
        "a callback's phone has gone",
        "the caller has gone",
        "the caller is not in it",
        "with the assistant",
        "another call's phone",
        "another's bridge",
    ],
)
def test_anything_less_is_none(channels: list[Channel], bridges: list[Bridge]) -> None:
    assert found_talks(channels, bridges) == []


async def test_a_caller_whose_phone_hung_up_while_nobody_was_there_has_been_answered_and_is_let_go() -> None:
    [talk] = found_talks([CALLER], [bridge("pbx-1.0-talk", CALLER.id)])
    assert (talk.desk, talk.phone, talk.channels) == (None, None, (CALLER.id,))
    assert not ResumedTalk(talk, cast("Ari", None)).live
    over = call_over(talk, setup(call_id=CALLER.id), START)
    assert (over.source_id, over.verdict, over.talk_seconds, over.answered_by) == (
        "call:pbx-1.0",
        Verdict.ANSWERED,
        0.0,
        None,
    )
