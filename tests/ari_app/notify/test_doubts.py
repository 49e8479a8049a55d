"""What ends the doubt about a text, and what does not: receipts of its parts, our own number for it, and asking the carrier."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ari_app.errors import StoreUnavailableError
from ari_app.notify.doubts import Doubts
from ari_app.notify.texts import TextAdapter, TextInbox, is_one_segment
from ari_app.runtime.outcome import InDoubt
from ari_app.store import outbox
from sms_gateway import errors
from sms_gateway.gateway import GatewayStatus
from sms_gateway.messages import DeliveryState, MessageState, OutboundText, Receipt, Submission
from sms_gateway.smpp.compose import user_reference
from tests.support.books import CALLER, DIALLED, NOON, Books, StandingClock

LONG = (
    "Are you buying or selling? STOP to opt out.\n",
    "Are you buying or selling? STOP to opt out." + "x" * 120 + "\n",
)


class Carrier:
    """A gateway that takes the first part of a text, and answers questions as a test says."""

    name = "sms"
    health = GatewayStatus("sms", True, "bound")

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: list[tuple[str, str]] = []
        self.answer: DeliveryState | Exception = DeliveryState.ENROUTE

    async def run(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(self, text: OutboundText, *, priority: int = 0, within_seconds: float = 30.0) -> Submission:
        raise self.error

    def withdraw(self, destination: str, reference: str | None = None) -> None: ...

    def rebind(self) -> bool:
        return False

    async def query(self, message_id: str, source: str) -> MessageState:
        self.asked.append((message_id, source))
        if isinstance(self.answer, Exception):
            raise self.answer
        return MessageState(self.answer, None, 0)


CUT_OFF = errors.InDoubt("no answer", accepted=("00A1",), in_doubt=(2,), not_sent=(3,))


class Doubtful:
    """A text in doubt, and who may end the doubt."""

    def __init__(self, books: Books, carrier: Carrier) -> None:
        self.books, self.carrier = books, carrier
        self.inbox = TextInbox(books.recorder, books.clock)
        self.doubts = Doubts(books.store, books.clock, {"sms": carrier}, {}, self.inbox.take)
        assert isinstance(books.clock, StandingClock)
        self.clock = books.clock

    async def send(self) -> None:
        await self.books.miss()
        order = (await self.books.claim("text"))[0]
        outcome = await TextAdapter({"sms": self.carrier}, self.books.clock, {}).act(order)
        assert isinstance(outcome, InDoubt)
        await self.books.recorder.settle(order, outcome)

    async def stands(self) -> tuple[str, str]:
        """The order's status, and the lead's text."""
        lead: Any = await self.books.lead(1)
        return (await self.books.order("1.0")).status, lead.text.value


@pytest_asyncio.fixture
async def make(tmp_path: Path) -> AsyncIterator[Callable[..., Doubtful]]:
    made: list[Books] = []

    def build(error: Exception = CUT_OFF, *changes: tuple[str, str]) -> Doubtful:
        made.append(Books(tmp_path, *changes))
        return Doubtful(made[0], Carrier(error))

    yield build
    made[0].close()


def receipt(state: DeliveryState, message_id: str = "a1", **facts: Any) -> Receipt:
    """What the carrier says of a part of the text-back."""
    return replace(Receipt(message_id, (message_id,), state, None, CALLER, DIALLED, None), **facts)


async def test_a_part_that_failed_ends_the_doubt_about_the_whole(make: Callable[..., Doubtful]) -> None:
    text = make()
    await text.send()
    assert await text.stands() == ("in_doubt", "in_doubt")
    await text.inbox.take("sms", receipt(DeliveryState.UNDELIVERABLE))
    assert await text.stands() == ("failed", "failed")
    assert (await text.books.order("1.0")).last_error == "a part of it was not delivered (undeliverable)"


async def test_a_part_that_arrived_proves_nothing_of_the_others(make: Callable[..., Doubtful]) -> None:
    text = make()
    await text.send()
    await text.inbox.take("sms", receipt(DeliveryState.DELIVERED))
    assert await text.stands() == ("in_doubt", "in_doubt")


async def test_a_part_that_the_carrier_refused_leaves_the_others_as_they_are(make: Callable[..., Doubtful]) -> None:
    text = make(errors.Refused(0x0B, "ESME_RINVDSTADR", permanent=True, accepted=("00A1",), not_sent=(3,)))
    await text.send()
    await text.inbox.take("sms", receipt(DeliveryState.DELIVERED))
    assert await text.stands() == ("in_doubt", "in_doubt")


async def test_a_receipt_without_a_known_id_speaks_of_a_text_of_one_part_only(make: Callable[..., Doubtful]) -> None:
    text = make(errors.InDoubt("no answer", in_doubt=(1,), not_sent=(2,)), LONG)
    await text.send()
    order = (await text.books.store.read(outbox.in_doubt))[0]
    assert not is_one_segment(getattr(order.effect, "body", ""))
    await text.inbox.take("sms", receipt(DeliveryState.DELIVERED, "b7"))
    assert await text.stands() == ("in_doubt", "in_doubt")


@pytest.mark.parametrize(("reference", "status"), [(user_reference("1.0"), "done"), (7, "in_doubt"), (None, "done")])
async def test_our_own_number_for_a_text_must_be_this_one_where_the_carrier_repeats_it(
    make: Callable[..., Doubtful], reference: int | None, status: str
) -> None:
    text = make(errors.InDoubt("no answer", in_doubt=(1,)))
    await text.send()
    await text.inbox.take("sms", receipt(DeliveryState.DELIVERED, "b7", user_reference=reference))
    assert (await text.stands())[0] == status


# ------------------------------------------------------------------------------------------------------------------ asking
async def test_a_carrier_is_asked_by_the_id_that_it_gave_until_it_knows(make: Callable[..., Doubtful]) -> None:
    text = make()
    await text.send()
    await text.doubts.look()
    assert text.carrier.asked == [("00A1", DIALLED)], "as the carrier wrote it"
    await text.doubts.look()
    assert len(text.carrier.asked) == 1, "not again at once"
    text.clock.at += timedelta(minutes=1)
    text.carrier.answer = DeliveryState.EXPIRED
    await text.doubts.look()
    assert await text.stands() == ("failed", "failed")
    text.clock.at += timedelta(hours=1)
    await text.doubts.look()
    assert len(text.carrier.asked) == 2


async def test_what_arrived_is_not_asked_for_again_and_proves_nothing(make: Callable[..., Doubtful]) -> None:
    text = make()
    await text.send()
    text.carrier.answer = DeliveryState.DELIVERED
    for _ in range(3):
        await text.doubts.look()
        text.clock.at += timedelta(hours=1)
    assert len(text.carrier.asked) == 1
    assert await text.stands() == ("in_doubt", "in_doubt")


async def test_a_text_without_an_id_cannot_be_asked_for(make: Callable[..., Doubtful]) -> None:
    text = make(errors.InDoubt("no answer", in_doubt=(1,)))
    await text.send()
    await text.doubts.look()
    assert text.carrier.asked == []


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (errors.Refused(0x03, "ESME_RINVCMDID", permanent=True), 1),
        (errors.Refused(0x0C, "ESME_RINVMSGID", permanent=True), 1),
        (errors.Refused(0x08, "ESME_RSYSERR", permanent=False), 3),
        (errors.NotSent("not bound"), 3),
    ],
    ids=["no such command", "unknown id", "out of order", "not bound"],
)
async def test_a_carrier_that_does_not_say_is_asked_again_only_where_that_can_help(
    make: Callable[..., Doubtful], answer: Exception, asked: int
) -> None:
    text = make()
    await text.send()
    text.carrier.answer = answer
    for _ in range(3):
        await text.doubts.look()
        text.clock.at += timedelta(hours=1)
    assert len(text.carrier.asked) == asked
    assert await text.stands() == ("in_doubt", "in_doubt")


async def test_old_doubts_are_left_to_persons(make: Callable[..., Doubtful]) -> None:
    text = make()
    await text.send()
    text.clock.at = NOON + timedelta(days=4)
    await text.doubts.look()
    assert text.carrier.asked == []


async def test_a_store_that_fails_delays_the_asking(
    make: Callable[..., Doubtful], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = make()
    await text.send()
    looks = 0

    class OverError(Exception):
        """The test has seen enough."""

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise OverError
        raise StoreUnavailableError("locked")

    monkeypatch.setattr(text.doubts, "look", look)
    with pytest.raises(OverError):
        await text.doubts.run()
    assert text.clock.at == NOON + timedelta(seconds=30)


async def test_a_gateway_that_cannot_be_asked_is_not(make: Callable[..., Doubtful]) -> None:
    text = make()
    await text.send()
    doubts = Doubts(text.books.store, text.clock, {}, {}, text.inbox.take)
    await doubts.look()
    assert await text.stands() == ("in_doubt", "in_doubt")
