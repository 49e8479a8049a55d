"""What people ask is decided into an event, or declined with a reason that they can act on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ari_app.recovery.commands import Acknowledge, Close, Command, Declined, RecordOptOut, decide
from ari_app.recovery.events import CallMissed, LeadAcknowledged, LeadClosed, OptOutRecorded
from ari_app.recovery.lead import Lead
from ari_app.recovery.values import LeadId
from tests.ari_app.recovery.books import CALLER, START, Books, policy

LEAD = LeadId(1)


def lead(**changes: object) -> Lead:
    books = Books()
    books.call(CallMissed)
    return replace(books.lead(), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "of", "why"),
    [
        (Acknowledge(LEAD, "zoe"), lead(), "there is no agent 'zoe'; known: ana, bob, cleo"),
        (RecordOptOut(CALLER, "zoe", ""), None, "there is no agent 'zoe'; known: ana, bob, cleo"),
        (Acknowledge(LEAD, "ana"), None, "there is no lead 1"),
        (Close(LEAD, "ana", ""), None, "there is no lead 1"),
        (Acknowledge(LEAD, "ana"), lead(closed_by="bob"), "lead 1 was closed by bob"),
        (Close(LEAD, "ana", ""), lead(closed_by="bob"), "lead 1 was closed by bob"),
        (Acknowledge(LEAD, "ana"), lead(acknowledged_by="bob"), "lead 1 was taken by bob"),
    ],
)
def test_a_command_that_cannot_be_done_is_declined_with_the_reason(command: Command, of: Lead | None, why: str) -> None:
    assert decide(of, command, policy(), START, "r1") == Declined(why)


def test_without_agents_the_reason_says_so() -> None:
    nobody = replace(policy(), agents={})
    assert decide(lead(), Acknowledge(LEAD, "ana"), nobody, START, "r1") == Declined(
        "there is no agent 'ana'; known: none"
    )


def test_a_command_that_can_be_done_becomes_an_event_named_after_the_request() -> None:
    assert decide(lead(), Acknowledge(LEAD, "ana"), policy(), START, "r1") == LeadAcknowledged(
        at=START, source_id="command:r1", by="ana"
    )
    assert decide(lead(acknowledged_by="bob"), Close(LEAD, "ana", "sold"), policy(), START, "r2") == LeadClosed(
        at=START, source_id="command:r2", by="ana", note="sold"
    )
    assert decide(None, RecordOptOut(CALLER, "ana", "by e-mail"), policy(), START, "r3") == OptOutRecorded(
        at=START, source_id="command:r3", number=CALLER, by="ana", note="by e-mail"
    )
