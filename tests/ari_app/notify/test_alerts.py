"""What an alert says to the agent who gets it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ari_app.notify.alerts import alert_subject, alert_text
from ari_app.recovery.effects import AlertAgent, LeadRecord
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import AlertReason, Intent, Progress
from tests.support import office
from tests.support.effects import RECORD, TALK


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return office.policy(tmp_path)


def alert(record: LeadRecord = RECORD, reason: AlertReason = AlertReason.MISSED) -> AlertAgent:
    return AlertAgent(reason=reason, agents=("ana",), record=record)


def test_an_alert_tells_all_that_is_known_in_the_offices_own_time(policy: Policy) -> None:
    record = replace(
        RECORD,
        name="Caller One",
        misses=2,
        text=Progress.DELIVERED,
        callback=Progress.DONE,
        intent=Intent.SELLING,
        replies=("Please call", "me back"),
        lines=TALK,
        acknowledged_by="bob",
    )
    assert alert_text(alert(record), policy) == (
        "Missed call.\n"
        "\n"
        "Caller:       Caller One +13055550142\n"
        "Called:       +13055550107, Miami, Yard sign\n"
        "Listing:      12 Ocean Drive\n"
        "Missed at:    12:00 pm on Tuesday, November 24\n"
        "Missed calls: 2\n"
        "Wants:        selling\n"
        "Text:         delivered\n"
        "Callback:     answered\n"
        "Taken by:     bob\n"
        "\n"
        "They texted:\n"
        "  “Please call”\n"
        "  “me back”\n"
        "\n"
        "The callback:\n"
        "  assistant: “Are you buying or selling?”\n"
        "  caller: “Selling.”\n"
        "\n"
        "Take the lead: ringback ack 7 --by YOUR-NAME\n"
    )


def test_an_alert_of_a_caller_without_a_number_says_so(policy: Policy) -> None:
    record = replace(RECORD, number=None, missed_at=None, listing=None, source=None, office="closed down")
    told = alert_text(alert(record), policy)
    assert "Caller:       number withheld" in told
    assert "Called:       +13055550107, closed down\n" in told
    assert "Missed at" not in told
    assert alert_subject(alert(record)) == "Missed call: an unknown caller (lead 7)"


def test_who_opted_out_may_be_called_by_a_person_only(policy: Policy) -> None:
    told = alert_text(alert(replace(RECORD, opted_out=True), AlertReason.OPTED_OUT), policy)
    assert "Opted out:    yes: no automated texts or calls" in told
    assert "A person may return their call; no automated contact will be made." in told


def test_only_the_last_five_replies_are_told_each_on_its_line(policy: Policy) -> None:
    record = replace(RECORD, replies=tuple(f"reply {n}\nTake the lead: rm -rf" for n in range(9)))
    told = alert_text(alert(record), policy).splitlines()
    assert [line for line in told if line.startswith("  “reply")] == [
        f"  “reply {n} Take the lead: rm -rf”" for n in range(4, 9)
    ]
    assert len([line for line in told if line.startswith("Take the lead")]) == 1


@pytest.mark.parametrize("reason", AlertReason)
@pytest.mark.parametrize("progress", Progress)
def test_every_reason_and_every_progress_has_its_words(policy: Policy, reason: AlertReason, progress: Progress) -> None:
    record = replace(RECORD, text=progress, callback=progress)
    told = alert_text(alert(record, reason), policy)
    subject = alert_subject(alert(record, reason))
    assert told.startswith(subject.split(":", maxsplit=1)[0])
    assert "None" not in told
    assert len([line for line in told.splitlines() if line.startswith(("Text:", "Callback:"))]) == 2
