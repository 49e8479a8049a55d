"""Which lead an event belongs to: a known one, a new one, or none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ari_app.recovery import intake
from ari_app.recovery.effects import Decision
from ari_app.recovery.events import CallAnswered, CallMissed, Facts, TextReceived
from ari_app.recovery.intake import LEAD_LASTS, Known
from ari_app.recovery.values import LeadId, NumberKind
from tests.ari_app.recovery.books import CALLER, KEYS, LISTED, MAIN, START, Books, policy


def missed(kind: NumberKind = NumberKind.ORDINARY, dialled: str = MAIN) -> CallMissed:
    books = Books(kind=kind)
    books.call(CallMissed, dialled=dialled, caller_name="ANA CALLER")
    event = books.told[0].event
    assert isinstance(event, CallMissed)
    return event


def text(body: str, office: str | None = "miami", recipient: str = MAIN) -> TextReceived:
    return TextReceived(at=START, source_id="sms:1", sender=CALLER, recipient=recipient, body=body, office=office)


@pytest.mark.parametrize(
    ("days", "closed_by", "joined"),
    [(0, None, True), (30, None, True), (30.01, None, False), (0, "ana", False)],
)
def test_a_person_who_comes_back_within_a_month_is_the_same_lead(
    days: float, closed_by: str | None, joined: bool
) -> None:
    books = Books()
    books.call(CallMissed)
    known = Known(replace(books.lead(), closed_by=closed_by), START)
    assert intake.joins(known, START + timedelta(days=days)) is joined
    assert timedelta(days=30) == LEAD_LASTS


def test_nobody_known_joins_nothing() -> None:
    assert not intake.joins(None, START)


@pytest.mark.parametrize(
    ("kind", "blocked", "opened"),
    [
        (NumberKind.ORDINARY, False, True),
        (NumberKind.FOREIGN, False, True),
        (NumberKind.SPECIAL, False, True),
        (NumberKind.ORDINARY, True, False),
        (NumberKind.INTERNAL, False, False),
        (NumberKind.WITHHELD, False, False),
        (NumberKind.MALFORMED, False, False),
    ],
)
def test_a_miss_opens_a_lead_for_whoever_can_be_called_back(kind: NumberKind, blocked: bool, opened: bool) -> None:
    facts = Facts(kind=kind, blocked=blocked)
    assert intake.opens(missed(kind), facts) is opened
    why = intake.why_no_lead(missed(kind), facts)
    assert (why is None) is opened
    if why is not None:
        assert (why.action, why.outcome) == ("plan", "refused")


@pytest.mark.parametrize(
    ("event", "facts", "opened"),
    [
        (text("I want to sell"), Facts(), True),
        (text("I want to sell"), Facts(kind=NumberKind.FOREIGN), True),
        (text("STOP"), Facts(), False),
        (text("HELP"), Facts(), False),
        (text("I want to sell", office=None), Facts(), False),
        (text("your parcel waits"), Facts(kind=NumberKind.SPECIAL), False),
        (text("I want to sell"), Facts(blocked=True), False),
        (text("I want to sell"), Facts(kind=NumberKind.INTERNAL), False),
    ],
)
def test_a_text_opens_a_lead_when_a_person_writes_to_an_office(event: TextReceived, facts: Facts, opened: bool) -> None:
    assert intake.opens(event, facts) is opened


def test_nothing_else_opens_a_lead_or_needs_a_reason() -> None:
    books = Books()
    books.call(CallAnswered)
    event = books.told[0].event
    assert not intake.opens(event, Facts())
    assert intake.why_no_lead(event, Facts(blocked=True)) is None
    assert books.leads == {}


def test_a_lead_from_a_missed_call_knows_what_the_number_says() -> None:
    lead = intake.new_lead(LeadId(7), missed(dialled=LISTED), policy(), Facts(email="caller@example.org"))
    assert (lead.office, lead.group, lead.source, lead.listing) == ("miami", "front", "Yard sign", "12 Ocean Drive")
    assert (lead.number, lead.dialled, lead.name, lead.email) == (CALLER, LISTED, "ANA CALLER", "caller@example.org")
    named = intake.new_lead(LeadId(7), missed(), policy(), Facts(name="Somebody Known"))
    assert named.name == "Somebody Known", "the people list knows better than the network"


def test_a_lead_from_a_text_knows_what_the_number_says() -> None:
    lead = intake.new_lead(LeadId(8), text("hello", "keys", KEYS), policy(), Facts(name="Somebody Known"))
    assert (lead.office, lead.group, lead.entry, lead.name) == ("keys", "floor", "13055550109", "Somebody Known")
    stranger = intake.new_lead(LeadId(9), text("hello", "miami", "+13055559999"), policy(), Facts())
    assert (stranger.entry, stranger.group, stranger.source) == (None, "front", None)


@pytest.mark.parametrize(
    ("recipient", "office", "group"),
    [(KEYS, "miami", "floor"), ("55012", "miami", "front"), ("55012", "keys", "floor"), ("55012", "of old", "front")],
)
def test_a_text_to_a_number_without_an_entry_is_for_the_offices_agents(recipient: str, office: str, group: str) -> None:
    assert policy().group_of_text(recipient, office) == group
    assert replace(policy(), entries=()).group_of_text(recipient, office) is None


def test_a_call_to_a_number_that_left_the_settings_still_makes_a_lead() -> None:
    event = replace(missed(), dialled="+13055559999")
    assert intake.new_lead(LeadId(1), event, policy(), Facts()).group is None


def test_a_refused_caller_is_explained_by_rule() -> None:
    found = intake.why_no_lead(missed(NumberKind.WITHHELD), Facts(kind=NumberKind.WITHHELD))
    assert found == Decision(action="plan", outcome="refused", rule="ELG-04", why="the caller withheld the number")
