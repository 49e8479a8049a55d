"""May we contact this number, by this channel, now? Every rule, allowed, held and refused (docs/compliance.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ari_app.recovery.events import Facts
from ari_app.recovery.gate import (
    Allow,
    Hold,
    Refuse,
    Ruling,
    may_call_back,
    may_email,
    may_reply,
    may_text_back,
    no_lead,
)
from ari_app.recovery.policy import Limits
from ari_app.recovery.values import Consent, ConsentState, NumberKind
from tests.ari_app.recovery.books import START, policy

NO = Consent(ConsentState.OPTED_OUT, "sms:stop", START)
YES = Consent(ConsentState.OPTED_IN, "sms:start", START)
MORNING = START + timedelta(hours=15)
FREE = Facts(gateway="sms", may_call_back=True, email="caller@example.org")
"""Somebody whom nothing bars."""
SEND = (("texts: hold", "texts: send"),)
KEY = (("callback: {to", "callback: {consent: key, to"),)
NEVER = (("callback: {to", "callback: {consent: never, to"),)


def seen(ruling: Ruling | None) -> tuple[str, str] | None:
    """Which of the three, and by which rule."""
    return None if ruling is None else (type(ruling).__name__.lower(), ruling.rule)


@pytest.mark.parametrize(
    ("kind", "blocked", "expected"),
    [
        (NumberKind.ORDINARY, False, None),
        (NumberKind.FOREIGN, False, None),
        (NumberKind.SPECIAL, False, None),
        (NumberKind.ORDINARY, True, ("refuse", "ELG-02")),
        (NumberKind.WITHHELD, True, ("refuse", "ELG-02")),
        (NumberKind.INTERNAL, False, ("refuse", "ELG-01")),
        (NumberKind.WITHHELD, False, ("refuse", "ELG-04")),
        (NumberKind.MALFORMED, False, ("refuse", "ELG-04")),
    ],
)
def test_who_becomes_no_lead(kind: NumberKind, blocked: bool, expected: tuple[str, str] | None) -> None:
    assert seen(no_lead(kind, blocked=blocked)) == expected


BARRED = [
    (replace(FREE, blocked=True), ("refuse", "ELG-02")),
    (replace(FREE, kind=NumberKind.INTERNAL), ("refuse", "ELG-01")),
    (replace(FREE, kind=NumberKind.WITHHELD), ("refuse", "ELG-04")),
    (replace(FREE, kind=NumberKind.MALFORMED), ("refuse", "ELG-04")),
    (replace(FREE, kind=NumberKind.SPECIAL), ("refuse", "GEO-06")),
    (replace(FREE, kind=NumberKind.FOREIGN), ("refuse", "GEO-07")),
]


@pytest.mark.parametrize(
    ("facts", "changes", "expected"),
    [
        (FREE, (), ("allow", "CNS-01")),
        (replace(FREE, text=YES), (), ("allow", "CNS-01")),
        (replace(FREE, call=NO), (), ("allow", "CNS-01")),
        *[(facts, (), expected) for facts, expected in BARRED],
        (replace(FREE, text=NO), (), ("refuse", "REV-10")),
        (replace(FREE, gateway=None), (), ("refuse", "GEO-07")),
        (replace(FREE, text_window_until=START + timedelta(seconds=1)), (), ("refuse", "FRQ-01")),
        (replace(FREE, text_window_until=START), (), ("allow", "CNS-01")),
        (replace(FREE, contact_opens=MORNING), (), ("hold", "HRS-02")),
        (replace(FREE, contact_opens=MORNING), SEND, ("allow", "CNS-01")),
        (replace(FREE, never_contact_time=True), (), ("refuse", "HRS-06")),
        (replace(FREE, never_contact_time=True), SEND, ("allow", "CNS-01")),
        (replace(FREE, contact_opens=MORNING, text=NO), (), ("refuse", "REV-10")),
        (replace(FREE, contact_opens=MORNING, text=NO), SEND, ("refuse", "REV-10")),
    ],
)
def test_the_text_that_answers_a_missed_call(
    facts: Facts, changes: tuple[tuple[str, str], ...], expected: tuple[str, str]
) -> None:
    ruling = may_text_back(facts, policy(*changes), START)
    assert seen(ruling) == expected
    if isinstance(ruling, Hold):
        assert ruling.until == MORNING


@pytest.mark.parametrize(
    ("facts", "changes", "heard", "pressed_ago", "expected"),
    [
        (FREE, (), True, None, ("allow", "CNS-02")),
        (FREE, (), False, None, ("refuse", "CNS-02")),
        (FREE, (), True, 0, ("allow", "CNS-02")),
        (FREE, KEY, True, None, ("refuse", "CNS-02")),
        (FREE, KEY, True, 30, ("allow", "CNS-02")),
        (FREE, KEY, True, 600, ("allow", "CNS-02")),
        (FREE, NEVER, True, 0, ("refuse", "CNS-02")),
        *[(facts, (), True, 0, expected) for facts, expected in BARRED],
        (replace(FREE, call=NO), (), True, 0, ("refuse", "REV-10")),
        (replace(FREE, text=NO), (), True, None, ("allow", "CNS-02")),
        (replace(FREE, may_call_back=False), (), True, 0, ("refuse", "GEO-07")),
        (replace(FREE, callbacks=1), (), True, 0, ("refuse", "FRQ-04")),
        (replace(FREE, contact_opens=MORNING), (), True, None, ("refuse", "HRS-03")),
        (replace(FREE, contact_opens=MORNING), (), True, 120, ("allow", "CNS-02")),
        (replace(FREE, contact_opens=MORNING), (), True, 121, ("refuse", "HRS-03")),
        (replace(FREE, never_contact_time=True), (), True, None, ("refuse", "HRS-03")),
        (replace(FREE, never_contact_time=True), (), True, 5, ("allow", "CNS-02")),
    ],
)
def test_the_callback_by_the_voice_agent(
    facts: Facts,
    changes: tuple[tuple[str, str], ...],
    heard: bool,
    pressed_ago: float | None,
    expected: tuple[str, str],
) -> None:
    pressed: datetime | None = None if pressed_ago is None else START - timedelta(seconds=pressed_ago)
    ruling = may_call_back(facts, policy(*changes), START, notice_heard=heard, pressed_one_at=pressed)
    assert seen(ruling) == expected


def test_as_many_callbacks_a_day_as_the_settings_allow() -> None:
    twice = policy(("callback: {to", "callback: {per_day: 2, to"))
    for before, allowed in ((0, True), (1, True), (2, False)):
        ruling = may_call_back(replace(FREE, callbacks=before), twice, START, notice_heard=True, pressed_one_at=None)
        assert isinstance(ruling, Allow) is allowed


@pytest.mark.parametrize("rule", ["REV-04", "REV-08", "REV-09"])
@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (FREE, None),
        (replace(FREE, text=NO), None),
        (replace(FREE, contact_opens=MORNING), None),
        (replace(FREE, replies=4), None),
        (replace(FREE, replies=5), ("refuse", "FRQ-06")),
        (replace(FREE, gateway=None), ("refuse", "GEO-07")),
        *BARRED,
    ],
)
def test_an_answer_to_the_persons_own_text_goes_out_at_any_hour_until_two_machines_would_talk(
    rule: str, facts: Facts, expected: tuple[str, str] | None
) -> None:
    assert seen(may_reply(facts, policy(), rule)) == (expected or ("allow", rule))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (FREE, ("allow", "EML-01")),
        (replace(FREE, contact_opens=MORNING), ("allow", "EML-01")),
        (replace(FREE, email=None), ("refuse", "EML-01")),
        (replace(FREE, text=NO), ("refuse", "REV-10")),
        (replace(FREE, call=NO), ("refuse", "REV-10")),
        *BARRED,
    ],
)
def test_the_follow_up_email(facts: Facts, expected: tuple[str, str]) -> None:
    assert seen(may_email(facts)) == expected


def test_every_refusal_and_hold_says_why_in_words() -> None:
    for facts, _ in BARRED:
        ruling = may_text_back(facts, policy(), START)
        assert isinstance(ruling, Refuse)
        assert len(ruling.why.split()) > 3
    window = may_text_back(replace(FREE, text_window_until=MORNING), policy(), START)
    assert "none more before 2026-11-25 06:00 UTC" in window.why


@pytest.mark.parametrize(
    ("alike", "all_of_them", "expected"),
    [
        (0, 0, "allow"),
        (29, 299, "allow"),
        (30, 30, ("refuse", "ABU-01")),
        (0, 300, ("refuse", "ABU-02")),
    ],
)
def test_forged_caller_ids_cannot_turn_us_on_a_neighbourhood(
    alike: int, all_of_them: int, expected: str | tuple[str, str]
) -> None:
    facts = replace(FREE, contacts_alike=alike, contacts=all_of_them)
    limited = replace(policy(), limits=Limits(per_hour=300, alike_per_hour=30, alike_digits=7, per_number_per_day=3))
    text = seen(may_text_back(facts, limited, START))
    call = seen(may_call_back(facts, limited, START, notice_heard=True, pressed_one_at=START))
    assert text == (expected if isinstance(expected, tuple) else ("allow", "CNS-01"))
    assert call == (expected if isinstance(expected, tuple) else ("allow", "CNS-02"))
    for rule in ("REV-04", "REV-08", "REV-09"):
        reply = seen(may_reply(facts, limited, rule))
        assert reply == (expected if isinstance(expected, tuple) else ("allow", rule)), "a sender can be forged, too"


@pytest.mark.parametrize(("before", "allowed"), [(0, True), (2, True), (3, False), (9, False)])
def test_one_number_gets_so_many_texts_and_callbacks_a_day_from_all_offices(before: int, allowed: bool) -> None:
    facts = replace(FREE, contacts_same=before)
    limited = replace(policy(), limits=Limits(per_hour=300, alike_per_hour=30, alike_digits=7, per_number_per_day=3))
    text = seen(may_text_back(facts, limited, START))
    call = seen(may_call_back(facts, limited, START, notice_heard=True, pressed_one_at=START))
    assert text == (("allow", "CNS-01") if allowed else ("refuse", "ABU-03"))
    assert call == (("allow", "CNS-02") if allowed else ("refuse", "ABU-03"))
    assert seen(may_reply(facts, limited, "REV-08")) == ("allow", "REV-08"), "replies have a limit of their own"
