"""``ringback outbox``: what a person does about orders of which nobody knows whether they were carried out."""

from __future__ import annotations

import asyncio
import getpass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ari_app.data_folder import exclusive
from ari_app.recovery.values import e164
from ari_app.runtime.outcome import Done, Failed, InDoubt, RetryAt
from tests.ari_app.cli.ringback import Ringback, serving
from tests.support.books import Books

AWAKE = ("quiet_hours: {contact: 8:00-21:00", "quiet_hours: {contact: 0:00-24:00")
DOUBTFUL, WAITING, STRANGER = e164("+13055550160"), e164("+13055550161"), "+13055550162"


class Now:
    """The machine's clock: the command decides now, and what is to be sent again must not be too old."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - what the command sees, too

    async def pause(self, seconds: float) -> None:
        raise AssertionError("nothing waits")


@pytest.fixture
def doubtful(tmp_path: Path) -> Ringback:
    """A text in doubt (1.0), an alert that failed (2.0), a text that is out, and one that waits for its gateway."""

    async def story() -> None:
        books = Books(tmp_path, AWAKE, clock=Now())
        await books.miss("call-1", DOUBTFUL)
        await books.settle("text", InDoubt("the carrier did not answer in time"))
        await books.settle("alert", Failed("no e-mail address is on file"))
        await books.miss("call-2", e164("+13055550169"))
        await books.settle("text", Done("a1"))
        await books.miss("call-3", WAITING)
        await books.settle("text", RetryAt(books.clock.now(), "not bound"))
        books.close()

    asyncio.run(story())
    return Ringback(tmp_path / "ringback.yaml")


def order_of(ringback: Ringback, lead: int, kind: str) -> dict[str, object]:
    """The newest order of a kind for a lead."""
    orders: list[dict[str, object]] = ringback.json("lead", str(lead))["orders"]
    return [order for order in orders if order["kind"] == kind][-1]


def test_what_is_in_doubt_and_what_failed_is_listed(doubtful: Ringback) -> None:
    title, *rows, hint = doubtful.told("outbox")
    assert title.split() == ["Id", "Lead", "When", "Kind", "To", "Status", "Why"]
    assert [row.split()[0] for row in rows] == ["2.0", "1.0"]
    assert "…0160" in rows[1]
    assert rows[1].endswith("in_doubt  the carrier did not answer in time")
    assert hint == "ringback outbox resend ID | drop ID"
    listed = doubtful.json("outbox", "list")
    assert [(row["id"], row["status"], row["lead"]) for row in listed] == [("2.0", "failed", 1), ("1.0", "in_doubt", 1)]
    waiting = doubtful.json("outbox", "list", "--status", "todo")
    assert {row["kind"] for row in waiting} >= {"text"}


def test_where_nothing_is_wrong_nothing_is_listed(doubtful: Ringback) -> None:
    doubtful.told("outbox", "drop", "1.0")
    doubtful.told("outbox", "drop", "2.0")
    assert doubtful.told("outbox") == ["nothing is in doubt, and nothing failed"]
    assert doubtful.told("outbox", "list", "--status", "doing") == ["none"]


def test_a_text_is_sent_again_as_a_new_order_by_whoever_is_logged_in(doubtful: Ringback) -> None:
    done, hint = doubtful.told("outbox", "resend", "1.0")
    assert done == f"order_resent 1.0 by {getpass.getuser()}"
    assert hint.startswith("Ringback does not run")
    again = order_of(doubtful, 1, "text")
    assert (again["status"], again["purpose"]) == ("todo", "text_back")
    assert again["id"] != "1.0"
    story = doubtful.json("replay", "1")
    assert story["agrees"]
    assert any(line.endswith("< " + done) for line in story["story"])
    # Twice is not twice.
    result = doubtful("outbox", "resend", "1.0")
    assert result.exit_code == 1
    assert "order 1.0 is cancelled: only what failed or is in doubt can be sent again" in result.stderr


def test_a_failed_alert_is_sent_again(doubtful: Ringback) -> None:
    assert doubtful("outbox", "resend", "2.0", "--by", "ana").exit_code == 0
    again = order_of(doubtful, 1, "alert")
    assert again["status"] == "todo"


def test_what_is_dropped_is_journaled_and_still_bars_another_text(doubtful: Ringback, tmp_path: Path) -> None:
    (done,) = doubtful.told("outbox", "drop", "1.0", "--by", "bob", "--note", "called them")
    assert done == "order_dropped text 1.0 in_doubt by bob “called them”"

    async def again() -> str:
        books = Books(tmp_path, AWAKE, clock=Now())
        recorded = await books.miss("call-9", DOUBTFUL)
        books.close()
        return recorded.step.decisions[0].rule

    assert asyncio.run(again()) == "FRQ-03"


def test_a_text_that_waits_is_dropped_and_bars_nothing(doubtful: Ringback, tmp_path: Path) -> None:
    order = order_of(doubtful, 3, "text")
    assert order["status"] == "todo"
    doubtful.told("outbox", "drop", str(order["id"]))

    async def again() -> list[str]:
        books = Books(tmp_path, AWAKE, clock=Now())
        windows = await books.store.read(lambda db: db.execute("SELECT number FROM text_windows").fetchall())
        books.close()
        return [row[0] for row in windows]

    assert WAITING not in asyncio.run(again())


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("resend", "99.0"), "there is no order 99.0"),
        (("drop", "99.0"), "there is no order 99.0"),
        (("drop", "{out}"), "is done: there is nothing to drop"),
        (("resend", "{out}"), "is done: only what failed or is in doubt can be sent again"),
    ],
)
def test_what_makes_no_sense_is_declined(doubtful: Ringback, words: tuple[str, ...], why: str) -> None:
    out = str(order_of(doubtful, 2, "text")["id"])
    result = doubtful("outbox", *(word.format(out=out) for word in words))
    assert result.exit_code == 1
    assert why in result.stderr


def test_a_no_holds_for_what_a_person_sends_again(doubtful: Ringback, tmp_path: Path) -> None:
    with serving(tmp_path):
        assert doubtful("optout", DOUBTFUL, "--by", "ana").exit_code == 0
        result = doubtful("outbox", "resend", "1.0")
    assert result.exit_code == 1
    assert result.stderr == "ringback: not sent again: the person said no to texts (REV-10)\n"
    result = doubtful("outbox", "resend", "1.0")
    assert result.stderr == "ringback: not sent again: the person said no to texts (REV-10)\n"


def test_the_running_server_is_asked(doubtful: Ringback, tmp_path: Path) -> None:
    with serving(tmp_path):
        assert doubtful.told("outbox", "drop", "2.0", "--by", "bob") == ["order_dropped alert 2.0 failed by bob “”"]
        result = doubtful("outbox", "drop", "2.0")
    assert result.exit_code == 1
    assert "order 2.0 is cancelled" in result.stderr


def test_a_socket_that_a_killed_server_has_left_is_no_server(doubtful: Ringback, tmp_path: Path) -> None:
    socket = tmp_path / "var" / "run" / "control.sock"
    socket.parent.mkdir(exist_ok=True)
    socket.touch()
    assert doubtful("outbox", "drop", "2.0").exit_code == 0


def test_books_that_another_ringback_holds_are_left_to_it(doubtful: Ringback, tmp_path: Path) -> None:
    with exclusive(tmp_path / "var"):
        result = doubtful("outbox", "drop", "2.0")
    assert result.exit_code == 1
    assert "another Ringback runs with" in result.stderr


def test_without_books_there_is_no_order(ringback: Ringback) -> None:
    result = ringback("outbox", "drop", "1.0")
    assert result.exit_code == 1
    assert "there are no books yet" in result.stderr
