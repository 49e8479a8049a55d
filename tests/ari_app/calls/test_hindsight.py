"""What became of a call, from channel events that Asterisk 22 wrote: ``six_calls.csv``, recorded at rings of one second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ari_app.calls.hindsight import Account, ChannelEvent, account, phone_of, verdict
from ari_app.calls.judging import channel_event
from ari_app.pbx.ledger import read_cel
from ari_app.recovery.policy import NumberEntry
from ari_app.recovery.values import Verdict
from tests.support import office

SIX_CALLS = Path(__file__).with_name("six_calls.csv")
AWAY_NO_ANSWER, AWAY_GAVE_UP, AWAY_ANSWERED, AWAY_BUSY, MISSED, ANSWERED = range(6)


def calls() -> list[list[ChannelEvent]]:
    """The events of each call."""
    found: dict[str, list[ChannelEvent]] = {}
    for row in read_cel(SIX_CALLS).rows:
        found.setdefault(row.linkedid, []).append(channel_event(row))
    return list(found.values())


def told(index: int) -> Account:
    found = account(calls()[index], "from-trunk")
    assert found is not None
    return found


@pytest.fixture
def entry(tmp_path: Path) -> NumberEntry:
    found = office.policy(tmp_path).entry_for("+13055550107")
    assert found is not None
    return found


def judged(call: Account, entry: NumberEntry | None, *, is_open: bool = True) -> tuple[Verdict, int]:
    return verdict(call, entry, is_open=is_open, ring_seconds=1.0, dropped_seconds=0.5)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (AWAY_NO_ANSWER, (Verdict.NO_ANSWER, 3)),
        (AWAY_GAVE_UP, (Verdict.ABANDONED, 1)),
        (AWAY_ANSWERED, (Verdict.ANSWERED, 0)),
        (AWAY_BUSY, (Verdict.BUSY, 0)),
        (MISSED, (Verdict.NO_ANSWER, 3)),
        (ANSWERED, (Verdict.ANSWERED, 0)),
    ],
)
def test_each_call_has_the_verdict_that_watching_it_would_have_given(
    index: int, expected: tuple[Verdict, int], entry: NumberEntry
) -> None:
    assert judged(told(index), entry) == expected


@pytest.mark.parametrize("called", ["trunk-carrier", "s"])
def test_a_number_that_the_carrier_named_in_to_only_is_what_the_dialplan_went_to(called: str) -> None:
    first, *rest = calls()[AWAY_NO_ANSWER]
    assert told(AWAY_NO_ANSWER).dialled == "13055550107"
    found = account([replace(first, dialled=called), *rest], "from-trunk")
    assert found is not None
    assert found.dialled == "13055550107"


def test_a_call_that_ended_before_the_dialplan_went_on_has_the_number_that_it_came_with() -> None:
    first = calls()[AWAY_NO_ANSWER][0]
    found = account([first, replace(first, kind="HANGUP")], "from-trunk")
    assert found is not None
    assert found.dialled == first.dialled


def prompted(*legs: ChannelEvent) -> Account:
    """A call that we took ourselves: the prompt was played to the caller."""
    first, *rest = calls()[MISSED]
    caller = [event for event in (first, *rest) if event.uniqueid == first.uniqueid]
    assert any(event.kind == "ANSWER" and event.application == "Stasis" for event in caller)
    found = account(sorted([*caller, *legs], key=lambda event: event.at), "from-trunk")
    assert found is not None
    return found


def test_a_caller_who_heard_the_prompt_was_missed_also_where_no_phone_could_ring(entry: NumberEntry) -> None:
    assert judged(prompted(), entry) == (Verdict.UNREACHABLE, 0)


def test_a_caller_who_heard_the_prompt_was_missed_however_short_the_phones_rang(entry: NumberEntry) -> None:
    ring = next(event for event in calls()[MISSED] if event.uniqueid != event.linkedid and event.kind == "CHAN_START")
    gone = replace(ring, kind="HANGUP", at=ring.at + timedelta(seconds=1.1))
    assert judged(prompted(ring, gone), entry) == (Verdict.NO_ANSWER, 1)


def test_our_own_callbacks_are_no_calls_that_came_in() -> None:
    ours = [replace(event, linkedid="callback-4.0", uniqueid="callback-4.0") for event in calls()[MISSED]]
    assert account(ours, "from-trunk") is None


def test_the_numbers_are_those_that_came_with_the_call() -> None:
    assert (told(AWAY_GAVE_UP).number, told(AWAY_GAVE_UP).dialled) == ("+13055550124", "13055550107")


def test_a_number_that_was_removed_because_its_owner_withholds_it_stays_removed() -> None:
    first, *rest = calls()[AWAY_NO_ANSWER]
    hidden = [first, *(replace(event, number="") if event.uniqueid == first.uniqueid else event for event in rest)]
    found = account(hidden, "from-trunk")
    assert found is not None
    assert found.number == ""


@pytest.mark.parametrize("index", [AWAY_ANSWERED, ANSWERED])
def test_who_answered_and_for_how_long_they_talked_is_told(index: int) -> None:
    call = told(index)
    assert call.answered_by == "101"
    assert 0.9 < call.talk_seconds < 1.5
    assert call.rang_until < call.ended_at


def test_an_answer_of_a_moment_is_a_dropped_call(entry: NumberEntry) -> None:
    found = verdict(told(ANSWERED), entry, is_open=True, ring_seconds=1.0, dropped_seconds=3.0)
    assert found == (Verdict.DROPPED, 0)


def test_after_hours_a_call_that_nobody_took_is_after_hours(entry: NumberEntry) -> None:
    assert judged(told(AWAY_NO_ANSWER), entry, is_open=False)[0] is Verdict.AFTER_HOURS
    assert judged(told(AWAY_ANSWERED), entry, is_open=False)[0] is Verdict.ANSWERED
    rings = replace(entry, ring_after_hours=True)
    assert judged(told(AWAY_NO_ANSWER), rings, is_open=False)[0] is Verdict.NO_ANSWER


def test_a_number_that_is_not_in_the_settings_is_unrouted_unless_somebody_answered() -> None:
    assert judged(told(AWAY_NO_ANSWER), None)[0] is Verdict.UNROUTED
    assert judged(told(AWAY_ANSWERED), None)[0] is Verdict.ANSWERED


def test_phones_that_nobody_reached_are_unreachable(entry: NumberEntry) -> None:
    for status in ("CHANUNAVAIL", "CONGESTION"):
        assert judged(replace(told(AWAY_NO_ANSWER), dial_status=status), entry)[0] is Verdict.UNREACHABLE


def test_a_dial_that_found_no_phone_to_call_is_unreachable(entry: NumberEntry) -> None:
    caller = [event for event in calls()[AWAY_NO_ANSWER] if event.uniqueid == event.linkedid]
    call = account([replace(event, extra="") for event in caller], "from-trunk")
    assert call is not None
    assert judged(call, entry) == (Verdict.UNREACHABLE, 0)


def test_a_phone_that_rings_on_after_the_caller_has_gone_counts_no_rings(entry: NumberEntry) -> None:
    *events, last = calls()[AWAY_GAVE_UP]
    leg = next(event for event in events if event.uniqueid != event.linkedid and event.kind == "HANGUP")
    long = [*(event for event in events if event is not leg), replace(leg, at=leg.at + timedelta(minutes=1)), last]
    call = account(long, "from-trunk")
    assert call is not None
    assert judged(call, entry) == (Verdict.ABANDONED, 1)


def test_a_call_that_we_lost_while_its_phones_were_busy_is_busy(entry: NumberEntry) -> None:
    assert judged(replace(told(MISSED), busy=True), entry)[0] is Verdict.BUSY


def test_a_call_that_we_lost_before_any_phone_was_called_was_given_up(entry: NumberEntry) -> None:
    caller = [event for event in calls()[MISSED] if "leg" not in event.uniqueid and event.kind != "ANSWER"]
    call = account(caller, "from-trunk")
    assert call is not None
    assert call.ring_seconds == 0.0
    assert judged(call, entry) == (Verdict.ABANDONED, 0)


def test_other_channels_are_no_calls_from_outside() -> None:
    events = calls()[ANSWERED]
    assert account(events, "from-internal") is None
    assert account(events[1:], "from-trunk") is None
    desk = [replace(event, linkedid="another") for event in events]
    assert account(desk, "from-trunk") is None


def test_a_phone_that_was_joined_with_somebody_else_did_not_answer_the_caller(entry: NumberEntry) -> None:
    events = calls()[ANSWERED]
    alone = [e for e in events if not (e.uniqueid == events[0].uniqueid and e.kind == "BRIDGE_ENTER")]
    call = account(alone, "from-trunk")
    assert call is not None
    assert call.answered_by is None


def test_a_conversation_that_was_cut_with_the_pbx_lasted_to_the_last_event() -> None:
    events = [event for event in calls()[ANSWERED] if event.kind != "BRIDGE_EXIT"]
    last = replace(events[-1], at=events[-1].at + timedelta(seconds=5))
    call = account([*events[:-1], last], "from-trunk")
    assert call is not None
    assert call.talk_seconds > 5.0


@pytest.mark.parametrize("extra", ["", "{", "[]", "17", '{"hangupcause": "17"}'])
def test_what_a_hangup_tells_in_another_form_is_not_read(extra: str) -> None:
    events: Sequence[ChannelEvent] = [replace(event, extra=extra) for event in calls()[AWAY_BUSY]]
    call = account(events, "from-trunk")
    assert call is not None
    assert (call.busy, call.dial_status) == (False, "")


@pytest.mark.parametrize(
    ("channel", "phone"), [("PJSIP/101-00000003", "101"), ("PJSIP/a-b-0001", "a-b"), ("odd", "odd")]
)
def test_a_phone_is_named_as_in_the_settings(channel: str, phone: str) -> None:
    assert phone_of(channel) == phone
