"""The journal's form: exact both ways, and refused with the place where it does not fit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ari_app.recovery import codec
from ari_app.recovery.codec import DecodeError
from ari_app.recovery.effects import Effect, LeadRecord
from ari_app.recovery.events import Event, Facts, LeadAcknowledged
from ari_app.recovery.lead import Lead
from ari_app.recovery.policy import PlanStep
from ari_app.recovery.values import E164, Line
from tests.ari_app.recovery.books import START

TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001
st.register_type_strategy(datetime, TIMES)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
STORED: tuple[type, ...] = (*get_args(Event), *get_args(Effect), *get_args(PlanStep), Facts, Lead, LeadRecord)


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.__name__)
def test_every_stored_type_comes_back_as_it_was(kind: type) -> None:
    @settings(max_examples=30, deadline=None)
    @given(st.from_type(kind))
    def come_back(value: object) -> None:
        assert codec.decode(kind, codec.encode(value)) == value

    come_back()


@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.__name__)
def test_no_stored_type_takes_a_field_that_it_does_not_have(kind: type) -> None:
    with pytest.raises(DecodeError, match=f"colour: unknown in {kind.__name__}"):
        codec.decode(kind, {"type": kind.__name__, "colour": "red"})


def test_type_names_tell_members_of_a_union_apart() -> None:
    names = [kind.__name__ for kind in (*get_args(Event), *get_args(Effect))]
    assert len(names) == len(set(names))


BODY: dict[str, codec.Json] = {
    "type": "LeadAcknowledged",
    "at": "2026-11-24T15:00:00+00:00",
    "source_id": "command:1",
    "by": "ana",
}


def test_an_event_is_an_object_with_its_type() -> None:
    assert codec.encode(LeadAcknowledged(at=START, source_id="command:1", by="ana")) == BODY
    assert codec.decode(Event, BODY) == LeadAcknowledged(at=START, source_id="command:1", by="ana")


def test_times_are_stored_in_utc_whatever_their_zone() -> None:
    miami = timezone(timedelta(hours=-5))
    assert codec.encode(datetime(2026, 11, 24, 10, tzinfo=miami)) == "2026-11-24T15:00:00+00:00"
    assert codec.decode(datetime, "2026-11-24T10:00:00-05:00") == START


def test_fields_that_an_old_entry_lacks_take_their_default() -> None:
    assert codec.decode(Facts, {"type": "Facts", "blocked": True}) == Facts(blocked=True)


def test_a_value_that_may_be_none_is_read_by_itself_too() -> None:
    assert codec.decode(Line | None, None) is None
    assert codec.decode(str | None, "yes") == "yes"
    assert codec.decode(tuple[Line | None, ...], [None]) == (None,)


def test_whole_numbers_serve_as_floats_and_nothing_else_is_bent() -> None:
    line: codec.Json = {"type": "Line", "speaker": "caller", "text": "yes", "at_seconds": 3, "confidence": None}
    found = codec.decode(Line, line)
    assert found == Line("caller", "yes", 3.0)
    assert isinstance(found.at_seconds, float)


@pytest.mark.parametrize(
    ("kind", "data", "path", "why"),
    [
        (Event, {**BODY, "type": "LeadVanished"}, "", "unknown type 'LeadVanished'"),
        (Event, {"at": "2026-11-24T15:00:00+00:00"}, "", "unknown type None"),
        (Event, {**BODY, "type": 7}, "", "unknown type 7"),
        (Event, "LeadAcknowledged", "", "expected an object with a type, found str"),
        (Event, {**BODY, "at": "2026-11-24T15:00:00"}, "at", "expected an ISO 8601 time with its zone, found "),
        (Event, {**BODY, "at": "yesterday"}, "at", "expected an ISO 8601 time with its zone, found 'yesterday'"),
        (Event, {**BODY, "at": 5}, "at", "expected an ISO 8601 time with its zone, found 5"),
        (Event, {**BODY, "by": None}, "by", "expected str, found NoneType"),
        (LeadAcknowledged, {"type": "LeadAcknowledged", "by": "ana"}, "", "missing 2 required keyword-only arguments"),
        (LeadAcknowledged, [], "", "expected an object, found list"),
        (LeadAcknowledged, {**BODY, "type": "LeadClosed"}, "", "expected type LeadAcknowledged, found 'LeadClosed'"),
        (Facts, {"type": "Facts", "callbacks": True}, "callbacks", "expected int, found bool"),
        (Facts, {"type": "Facts", "callbacks": 1.0}, "callbacks", "expected int, found float"),
        (Facts, {"type": "Facts", "kind": "martian"}, "kind", "'martian' is not a valid NumberKind"),
        (Facts, {"type": "Facts", "name": 5}, "name", "expected str, found int"),
        (Facts, {"type": "Facts", "text": {"type": "Consent", "state": "maybe"}}, "text.state", "'maybe' is not"),
        (tuple[E164, ...], "no", "", "expected a list, found str"),
        (tuple[E164, ...], ["a", 5], "1", "expected str, found int"),
        (tuple[Line, ...], [{"type": "Line", "speaker": 1}], "0.speaker", "expected str, found int"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(kind: Any, data: Any, path: str, why: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(kind, data)
    assert caught.value.path == path
    assert why in caught.value.why
    assert str(caught.value).startswith(f"{path or 'value'}: ")


def test_what_the_core_never_stores_cannot_be_stored() -> None:
    with pytest.raises(TypeError, match="a datetime without a zone is never stored"):
        codec.encode(datetime(2026, 11, 24))  # noqa: DTZ001
    for value in ({"a": 1}, {1}, b"x", object()):
        with pytest.raises(TypeError, match="cannot store"):
            codec.encode(value)


def test_an_entry_in_a_later_format_is_refused_by_its_number() -> None:
    codec.require_format(codec.FORMAT)
    with pytest.raises(DecodeError, match="version: found 2, this release reads 1"):
        codec.require_format(2)
