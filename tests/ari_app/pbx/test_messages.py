"""ARI's events: each kind, and each way to be wrong."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.pbx.errors import MalformedEventError
from ari_app.pbx.messages import (
    KNOWN_TYPES,
    ChannelDestroyed,
    ChannelHangupRequest,
    ContactStatusChange,
    Dial,
    RecordingFailed,
    StasisEnd,
    StasisStart,
    TextMessageReceived,
    UnknownEvent,
    parse_event,
)
from ari_app.pbx.models import ChannelState
from tests.ari_app.pbx.events import CHANNEL, EVENTS, event


@pytest.mark.parametrize("sent", EVENTS, ids=[sent["type"] for sent in EVENTS])
def test_each_event_that_we_use_becomes_a_value_of_its_name(sent: dict[str, Any]) -> None:
    parsed = parse_event(orjson.dumps(sent))
    assert type(parsed).__name__ == {"ChannelUserevent": "UserEvent"}.get(sent["type"], sent["type"])
    assert parsed.at == datetime(2026, 11, 24, 0, 6, 18, 123000, UTC)
    assert parsed.application == "ringback"


def test_no_event_that_we_use_goes_untested() -> None:
    assert {sent["type"] for sent in EVENTS} == KNOWN_TYPES


def test_a_caller_arrives_with_all_that_the_call_needs() -> None:
    start = parse_event(orjson.dumps(EVENTS[0]))
    assert isinstance(start, StasisStart)
    assert start.args == ("inbound", "+13055550101")
    assert start.channel.caller.number == "+13055550199"
    assert start.channel.state is ChannelState.RING
    assert start.channel.created == datetime(2026, 11, 24, 0, 6, 17, 293000, UTC)
    assert start.channel.endpoint == "PJSIP/carrier"
    assert start.channel.place.extension == "+13055550101"


def test_what_asterisk_may_leave_out_has_a_plain_absence() -> None:
    parsed = [parse_event(orjson.dumps(sent)) for sent in EVENTS]
    assert [each.cause for each in parsed if isinstance(each, ChannelHangupRequest)] == [16, None]
    assert [each.caller is None for each in parsed if isinstance(each, Dial)] == [False, True]
    assert [each.endpoint is None for each in parsed if isinstance(each, TextMessageReceived)] == [False, True]


def test_causes_and_reasons_come_through() -> None:
    parsed = [parse_event(orjson.dumps(sent)) for sent in EVENTS]
    assert [(each.cause, each.cause_text) for each in parsed if isinstance(each, ChannelDestroyed)] == [
        (16, "Normal Clearing")
    ]
    assert [each.recording.cause for each in parsed if isinstance(each, RecordingFailed)] == ["disk full"]
    assert [each.status for each in parsed if isinstance(each, ContactStatusChange)] == ["Reachable"]


def test_an_event_of_a_later_asterisk_is_unknown_and_no_error() -> None:
    parsed = parse_event(orjson.dumps(event("ChannelToneDetected", channel=CHANNEL)))
    assert parsed == UnknownEvent(datetime(2026, 11, 24, 0, 6, 18, 123000, UTC), "ringback", "ChannelToneDetected")


def test_a_state_of_a_later_asterisk_is_unknown_and_no_error() -> None:
    parsed = parse_event(orjson.dumps(event("StasisEnd", channel={**CHANNEL, "state": "Levitating"})))
    assert isinstance(parsed, StasisEnd)
    assert parsed.channel.state is ChannelState.UNKNOWN


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "message: no JSON"),
        ("[]", "message: message: expected an object, got a list"),
        ("{}", "message: type: expected text, got nothing"),
        ('{"type": 7}', "message: type: expected text, got an integer"),
        ('{"type": "StasisEnd"}', "StasisEnd: timestamp: expected text, got nothing"),
    ],
)
def test_a_message_that_is_no_event_is_refused_in_exact_words(text: str, why: str) -> None:
    with pytest.raises(MalformedEventError) as caught:
        parse_event(text)
    assert str(caught.value).startswith(why)


def test_the_error_names_the_field_however_deep_it_lies() -> None:
    broken = event("StasisStart", args=[], channel={**CHANNEL, "caller": {"name": "", "number": 305}})
    with pytest.raises(
        MalformedEventError, match=r"StasisStart: channel\.caller\.number: expected text, got an integer"
    ):
        parse_event(orjson.dumps(broken))


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(MalformedEventError, match="expected a time with an offset"):
        parse_event(orjson.dumps({**event("ApplicationReplaced"), "timestamp": "2026-11-24T00:06:18"}))


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


@given(st.sampled_from(EVENTS), st.data())
def test_damage_anywhere_is_understood_or_refused_and_never_anything_else(
    sent: dict[str, Any], data: st.DataObject
) -> None:
    damaged = copy.deepcopy(sent)
    path = data.draw(st.sampled_from([path for path in _paths(sent) if path]))
    junk: Any = data.draw(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.just([]) | st.just({"a": 1})
    )
    target: Any = damaged
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = junk
    with contextlib.suppress(MalformedEventError):
        assert parse_event(orjson.dumps(damaged)).at.tzinfo is UTC


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_never_anything_else(garbage: bytes) -> None:
    with pytest.raises(MalformedEventError):
        parse_event(garbage)
