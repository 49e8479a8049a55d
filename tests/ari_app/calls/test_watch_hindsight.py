"""What became of a call on a watched PBX, from events that Asterisk 22 wrote: ``watched_calls.csv``, at rings of one second.

The end-to-end tests compare each of their calls with what watching it told; these are sixteen of those, kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ari_app.calls.hindsight import ChannelEvent
from ari_app.calls.judging import Judged, WatchHindsight, channel_event
from ari_app.calls.watch_state import WatchRules
from ari_app.pbx.ledger import read_cel
from ari_app.recovery.policy import Forwarded, Policy
from ari_app.recovery.values import NumberKind, Verdict
from ari_app.settings.loading import load
from ari_app.settings.watching import WatchSection
from tests.e2e.watch.watching import SETTINGS

GAVE_UP, PICKED_UP, ANSWERED_LATE, BUSY, LEFT_QUEUE, QUEUE_GAVE_UP, EMPTY_QUEUE, FOLLOWED_LATE = range(8)
AGENT, MAILBOX, CLOSED, MOBILE_FAILED, MOBILE, LOCAL_PICKED_UP, LOCAL_BUSY, UNLISTED = range(8, 16)

Change = Callable[[Sequence[ChannelEvent]], Sequence[ChannelEvent]]


@pytest.fixture(scope="module")
def calls() -> list[list[ChannelEvent]]:
    """The events of each call."""
    found: dict[str, list[ChannelEvent]] = {}
    for row in read_cel(Path(__file__).with_name("watched_calls.csv")).rows:
        found.setdefault(row.linkedid, []).append(channel_event(row))
    return list(found.values())


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    path = tmp_path / "ringback.yaml"
    path.write_text(SETTINGS, encoding="utf-8")
    return load(path).policy


def judged(events: Sequence[ChannelEvent], policy: Policy, **rules: object) -> Judged:
    found = WatchHindsight(WatchSection(), WatchRules(**rules)).judge(events, policy)  # type: ignore[arg-type]
    assert found is not None
    return found


def without_applications(events: Sequence[ChannelEvent]) -> list[ChannelEvent]:
    """As Asterisk writes it where ``apps`` in cel.conf names nothing."""
    return [event for event in events if event.kind not in ("APP_START", "APP_END")]


@pytest.mark.parametrize(
    ("index", "verdict", "rings", "by"),
    [
        (GAVE_UP, Verdict.ABANDONED, 2, None),
        (PICKED_UP, Verdict.ANSWERED, 0, "102"),
        (ANSWERED_LATE, Verdict.NO_ANSWER, 3, "101"),
        (BUSY, Verdict.BUSY, 0, None),
        (LEFT_QUEUE, Verdict.ABANDONED, 2, None),
        (QUEUE_GAVE_UP, Verdict.NO_ANSWER, 5, None),
        (EMPTY_QUEUE, Verdict.UNREACHABLE, 0, None),
        (FOLLOWED_LATE, Verdict.NO_ANSWER, 3, "carrier"),
        (AGENT, Verdict.ANSWERED, 0, "101"),
        (MAILBOX, Verdict.NO_ANSWER, 3, None),
        (CLOSED, Verdict.AFTER_HOURS, 0, None),
        (MOBILE_FAILED, Verdict.NO_ANSWER, 0, None),
        (MOBILE, Verdict.ANSWERED, 1, "fpbx-carrier"),
        (LOCAL_PICKED_UP, Verdict.ANSWERED, 0, "102"),
        (LOCAL_BUSY, Verdict.BUSY, 0, None),
        (UNLISTED, Verdict.UNROUTED, 0, None),
    ],
)
def test_each_call_is_judged_as_watching_it_judged_it(
    calls: list[list[ChannelEvent]], policy: Policy, index: int, verdict: Verdict, rings: int, by: str | None
) -> None:
    call = judged(calls[index], policy)
    assert (call.verdict, call.rings, call.answered_by) == (verdict, rings, by)
    assert call.setup.caller == "+13055550123"
    assert call.started_at <= call.at <= call.ended_at


@pytest.mark.parametrize("index", [index for index in range(16) if index not in (LEFT_QUEUE, QUEUE_GAVE_UP)])
def test_without_events_of_applications_the_verdict_is_the_same_but_in_a_queue(
    calls: list[list[ChannelEvent]], policy: Policy, index: int
) -> None:
    whole, bare = judged(calls[index], policy), judged(without_applications(calls[index]), policy)
    assert (bare.verdict, bare.answered_by) == (whole.verdict, whole.answered_by)


def test_a_call_that_asterisk_took_with_it_ended_as_it_was_last_seen(
    calls: list[list[ChannelEvent]], policy: Policy
) -> None:
    cut = [event for event in calls[GAVE_UP] if event.kind not in ("APP_END", "HANGUP", "CHAN_END", "LINKEDID_END")]
    last = replace(cut[-1], kind="DTMF", at=cut[0].at + timedelta(seconds=1.2))
    call = judged([*cut, last], policy)
    assert (call.verdict, call.rings) == (Verdict.ABANDONED, 1)


def hung_up(source: str, cause: int, after: float) -> Change:
    """The phone's leg ends by ``source`` with ``cause``, ``after`` seconds."""

    def change(events: Sequence[ChannelEvent]) -> Sequence[ChannelEvent]:
        leg = next(event for event in events if event.kind == "CHAN_START" and event.uniqueid != event.linkedid)
        extra = json.dumps({"hangupcause": cause, "hangupsource": leg.channel if source == "phone" else source})
        ended = [
            replace(event, extra=extra, at=leg.at + timedelta(seconds=after))
            if event.uniqueid == leg.uniqueid and event.kind == "HANGUP"
            else event
            for event in events
        ]
        return sorted(ended, key=lambda event: event.at)

    return change


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (hung_up("phone", 20, 2.0), Verdict.UNREACHABLE),
        (hung_up("phone", 21, 0.01), Verdict.UNREACHABLE),
        (hung_up("phone", 17, 0.01), Verdict.BUSY),
        (hung_up("phone", 21, 1.5), Verdict.ABANDONED),
        (hung_up("", 20, 0.01), Verdict.NO_ANSWER),
    ],
)
def test_how_a_leg_ended_tells_whether_its_phone_rang(
    calls: list[list[ChannelEvent]], policy: Policy, change: Change, verdict: Verdict
) -> None:
    assert judged(change(calls[GAVE_UP]), policy).verdict is verdict


def test_a_caller_hung_up_by_the_pbx_has_not_given_up(calls: list[list[ChannelEvent]], policy: Policy) -> None:
    extra = json.dumps({"hangupcause": 16, "hangupsource": "dialplan/builtin"})
    by_pbx = [
        replace(event, extra=extra) if event.uniqueid == event.linkedid and event.kind == "HANGUP" else event
        for event in calls[GAVE_UP]
    ]
    assert judged(by_pbx, policy).verdict is Verdict.NO_ANSWER


@pytest.mark.parametrize(
    ("forwarded", "verdict"),
    [(Forwarded.TRUST, Verdict.ANSWERED), (Forwarded.TALK, Verdict.NO_ANSWER), (Forwarded.DISTRUST, Verdict.NO_ANSWER)],
)
def test_an_answer_on_a_mobile_is_worth_what_the_settings_say(
    calls: list[list[ChannelEvent]], policy: Policy, forwarded: Forwarded, verdict: Verdict
) -> None:
    # Nobody was asked for a key: the mobile is bridged as soon as it is up.
    answered = next(
        e for e in calls[MOBILE] if e.kind == "BRIDGE_ENTER" and "fpbx-carrier" in e.channel and not is_caller(e)
    )
    at_once = [
        replace(event, at=answered.at) if event.kind == "ANSWER" and event.uniqueid == answered.uniqueid else event
        for event in calls[MOBILE]
        if event.application != "Read"
    ]
    assert judged(at_once, policy, forwarded=forwarded).verdict is verdict


def test_a_mobile_that_was_up_for_a_while_was_not_asked_for_a_key_by_that(
    calls: list[list[ChannelEvent]], policy: Policy
) -> None:
    assert judged(calls[MOBILE], policy, forwarded=Forwarded.DISTRUST).verdict is Verdict.ANSWERED
    announced = [event for event in calls[MOBILE] if event.application != "Read"]
    assert judged(announced, policy, forwarded=Forwarded.DISTRUST).verdict is Verdict.NO_ANSWER


def is_caller(event: ChannelEvent) -> bool:
    return event.uniqueid == event.linkedid


def test_a_long_talk_on_a_mobile_was_with_a_person_by_the_clock_alone(
    calls: list[list[ChannelEvent]], policy: Policy
) -> None:
    answered = next(
        e for e in calls[MOBILE] if e.kind == "BRIDGE_ENTER" and "fpbx-carrier" in e.channel and not is_caller(e)
    )
    longer = timedelta(seconds=95)
    late = [
        replace(event, at=event.at + longer if event.at > answered.at + timedelta(seconds=0.1) else event.at)
        for event in calls[MOBILE]
    ]
    call = judged(late, policy, forwarded=Forwarded.TALK)
    assert call.verdict is Verdict.ANSWERED
    assert call.talk_seconds > 95


def test_a_number_that_only_the_dialplan_knows_is_found(calls: list[list[ChannelEvent]], policy: Policy) -> None:
    first, *rest = calls[GAVE_UP]
    assert judged([replace(first, dialled="s"), *rest], policy).setup.dialled == "+13055550201"


def test_what_the_dialplan_found_out_is_what_was_dialled_though_the_carrier_named_another_number(
    calls: list[list[ChannelEvent]], policy: Policy
) -> None:
    first, *rest = calls[GAVE_UP]
    own = [replace(event, did="13055550202") if event.uniqueid == first.uniqueid else event for event in rest]
    call = judged([replace(first, dialled="13055550208"), *own], policy)
    assert call.setup.dialled == "+13055550202"
    assert call.setup.is_open


def test_a_number_that_the_caller_withholds_is_not_used(calls: list[list[ChannelEvent]], policy: Policy) -> None:
    first, *rest = calls[GAVE_UP]
    own = next(index for index, event in enumerate(rest) if event.uniqueid == first.uniqueid)
    call = judged([first, *rest[:own], replace(rest[own], withheld=True), *rest[own + 1 :]], policy)
    assert (call.setup.kind, call.setup.caller, call.number) == (NumberKind.WITHHELD, None, "")
    of_a_phone = [replace(event, withheld=event.uniqueid != first.uniqueid) for event in rest]
    assert judged([first, *of_a_phone], policy).setup.caller == "+13055550123"


@pytest.mark.parametrize(
    "change",
    [
        {"context": "from-internal"},
        {"uniqueid": "1.2"},
        {"kind": "HANGUP"},
        {"channel": "Local/13055550201@from-trunk-0;2"},
        {"linkedid": "callback-4.0", "uniqueid": "callback-4.0"},
    ],
)
def test_what_did_not_come_in_from_outside_is_no_call(
    calls: list[list[ChannelEvent]], policy: Policy, change: dict[str, Any]
) -> None:
    first, *rest = calls[GAVE_UP]
    hindsight = WatchHindsight(WatchSection(), WatchRules())
    assert hindsight.judge([replace(first, **change), *rest], policy) is None
