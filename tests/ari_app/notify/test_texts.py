"""Texts out of the books to a real SMSC, and what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import smpp34

from ari_app.adapters import lanes
from ari_app.errors import StoreUnavailableError
from ari_app.notify.gateways import build_gateways, fixed_senders
from ari_app.notify.texts import (
    FINISH_SECONDS,
    HANDOVER_SECONDS,
    LONGEST_BODY,
    REDELIVERY,
    TextAdapter,
    TextInbox,
    withdrawing,
)
from ari_app.recovery.effects import AlertAgent, SendText, TextPurpose
from ari_app.recovery.events import CallAnswered, EffectSettled, Event, LeadClosed, ReceiptReceived, TextReceived
from ari_app.recovery.lead import Lead
from ari_app.recovery.values import E164, AlertReason, Channel, ConsentState, NumberKind, e164
from ari_app.runtime.outcome import Done, Failed, InDoubt, Outcome, RetryAt
from ari_app.runtime.recorded import Recorded
from ari_app.store import people
from ari_app.store.db import Database
from ari_app.store.outbox import Order
from ari_app.store.stores import Job, T
from sms_gateway.gateway import Gateway
from sms_gateway.messages import DeliveryState, InboundText, Receipt
from sms_gateway.smpp.client import SmppGateway
from tests.support.books import CALLER, DIALLED, NOON, Books, StandingClock, texted
from tests.support.effects import order
from tests.support.ports import free_port
from tests.support.stage import SMPP_PASSWORD, Smsc
from tests.support.waiting import until

OTHER = e164("+13055550143")
PASSWORD = "password: {env: RINGBACK_TEST_SMPP}"
QUICK = (PASSWORD, f"{PASSWORD}, response: 0.5s, per_second: 1000")


class NoMessenger:
    """No SIP here."""

    available = False

    async def send_message(self, to_uri: str, from_uri: str, body: str) -> None:
        raise AssertionError("nothing goes by SIP")


class Link:
    """Books, gateway and SMSC, connected."""

    def __init__(self, books: Books, smsc: Smsc) -> None:
        self.books = books
        self.smsc = smsc
        self.events: list[Event] = []
        books.recorder.listen(lambda recorded: self.events.append(recorded.event))
        senders = fixed_senders(books.settings)
        self.inbox = TextInbox(books.recorder, books.clock, senders)
        self.gateways: dict[str, Gateway] = build_gateways(
            books.settings, books.clock, NoMessenger(), self.inbox.take, books.store
        )
        self.adapter = TextAdapter(self.gateways, books.clock, senders)

    async def send(self) -> tuple[Order, Outcome]:
        """What becomes of the text-back of a missed call, settled."""
        await self.books.miss()
        found = (await self.books.claim("text"))[0]
        outcome = await self.adapter.act(found)
        await self.books.recorder.settle(found, outcome)
        return found, outcome

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def linked(folder: Path, *changes: tuple[str, str], receipts: bool = True) -> AsyncIterator[Link]:
    smsc = Smsc(free_port(), receipts=receipts)
    await smsc.start()
    books = Books(folder, ("port: 2775", f"port: {smsc.port}"), *(changes or [QUICK]))
    link = Link(books, smsc)
    gateway = link.gateways["sms"]
    assert isinstance(gateway, SmppGateway)
    try:
        async with gateway:
            await gateway.wait_bound(5.0)
            yield link
    finally:
        await smsc.stop()
        books.close()


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TEST_SMPP", SMPP_PASSWORD)


# ------------------------------------------------------------------------------------------------------------------- out
async def test_a_text_goes_out_and_its_receipt_finds_it(tmp_path: Path) -> None:
    async with linked(tmp_path) as link:
        found, outcome = await link.send()
        assert outcome == Done("a000", gateway="sms", message_ids=("a000",))
        [text] = link.smsc.texts
        assert isinstance(found.effect, SendText)
        assert (text.source, text.destination, text.body) == (DIALLED, CALLER, found.effect.body)
        await until(lambda: link.of(ReceiptReceived), what="the receipt in the journal")
        [event] = link.of(ReceiptReceived)
        assert isinstance(event, ReceiptReceived)
        assert (event.effect_id, event.delivered, event.state) == (found.effect_id, True, "delivered")
        lead = await link.books.lead(1)
        assert getattr(lead, "text", None) == "delivered"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0x0B, Failed), (0x45, RetryAt), (0x08, RetryAt)],
    ids=["no such number", "submit failed", "system error"],
)
async def test_what_the_carrier_says_decides_whether_it_is_tried_again(
    tmp_path: Path, status: int, expected: type[Outcome]
) -> None:
    async with linked(tmp_path) as link:
        link.smsc.answer = lambda _: status
        _, outcome = await link.send()
        assert isinstance(outcome, expected), outcome
        if isinstance(outcome, RetryAt):
            assert outcome.at == NOON + timedelta(seconds=2)
        assert f"0x{status:02X}" in getattr(outcome, "why", "")


async def test_a_carrier_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    async with linked(tmp_path) as link:
        link.smsc.answer = lambda _: 0x58
        found = order(text(expires_at=NOON + timedelta(seconds=1)))
        outcome = await link.adapter.act(found)
        assert isinstance(outcome, RetryAt), outcome
        assert NOON < outcome.at <= NOON + timedelta(seconds=60)


async def test_a_submit_without_an_answer_is_in_doubt_and_its_receipt_ends_the_doubt(tmp_path: Path) -> None:
    async with linked(tmp_path) as link:
        link.smsc.answer = lambda _: None
        _, outcome = await link.send()
        assert isinstance(outcome, InDoubt)
        assert (await link.books.order("1.0")).status == "in_doubt"
        await until(lambda: link.smsc.binds == 2, within=10.0, what="the link to be made anew")
        await link.smsc.receipt(link.smsc.texts[0])
        await until(lambda: link.of(ReceiptReceived), what="the receipt in the journal")
        found = await link.books.order("1.0")
        assert (found.status, found.ref) == ("done", "a000")
        settled = [event for event in link.of(EffectSettled) if isinstance(event, EffectSettled)]
        assert [event.outcome for event in settled] == ["in_doubt", "done"]
        assert getattr(await link.books.lead(1), "text", None) == "delivered"
        assert len(link.smsc.texts) == 1, "it was not sent again"


async def test_under_a_fixed_sender_the_doubt_ends_as_well(tmp_path: Path) -> None:
    fixed = (PASSWORD, f"{PASSWORD}, response: 0.5s, per_second: 1000, sender: HARBOR")
    async with linked(tmp_path, fixed) as link:
        link.smsc.answer = lambda _: None
        await link.send()
        assert link.smsc.texts[0].source == "HARBOR"
        await link.inbox.take("sms", receipt("a000", sender="HARBOR"))
        assert (await link.books.order("1.0")).status == "done"


async def test_a_text_that_the_gateway_could_not_hand_over_is_tried_again(tmp_path: Path) -> None:
    books = Books(tmp_path, ("port: 2775", f"port: {free_port()}"))
    link = Link(books, Smsc(0))
    link.adapter = TextAdapter(link.gateways, books.clock, {})
    effect = text(expires_at=NOON + timedelta(seconds=0.2))
    outcome = await link.adapter.act(order(effect, attempts=3))
    assert isinstance(outcome, RetryAt)
    assert outcome.at == NOON + timedelta(seconds=8)
    books.close()


async def test_a_text_for_a_gateway_that_is_gone_fails_and_names_it() -> None:
    outcome = await TextAdapter({}, StandingClock(), {}).act(order(text()))
    assert outcome == Failed("there is no gateway 'sms': it was taken out of the settings")


async def test_a_text_that_can_never_be_sent_fails(tmp_path: Path) -> None:
    async with linked(tmp_path) as link:
        outcome = await link.adapter.act(order(text(body=" ")))
        assert outcome == Failed("the body is empty")
        outcome = await link.adapter.act(order(text(body="x" * 5000)))
        assert isinstance(outcome, Failed)


async def test_a_long_text_whose_first_part_was_taken_is_in_doubt_not_tried_again(tmp_path: Path) -> None:
    async with linked(tmp_path, receipts=False) as link:
        link.smsc.answer = lambda event: "p1" if len(link.smsc.texts) == 1 else 0x0B
        outcome = await link.adapter.act(order(text(body="x" * 300)))
        assert isinstance(outcome, InDoubt), outcome
        assert outcome.ref == "p1"


async def test_on_a_slow_link_a_long_text_is_not_left_half_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ari_app.notify.texts.HANDOVER_SECONDS", 1.0)
    async with linked(tmp_path, (PASSWORD, f"{PASSWORD}, per_second: 0.7"), receipts=False) as link:
        outcome = await link.adapter.act(order(text(body="x" * 300)))
        assert isinstance(outcome, Done), outcome
        assert len(outcome.message_ids) == 2


def test_a_text_ends_before_the_dispatcher_gives_it_up(link: Link) -> None:
    books, response_seconds = link.books, 10.0
    built = lanes(books.settings, books.clock, books.recorder, link.gateways, {}, None)
    lease = next(lane.lease_seconds for lane in built if lane.kind == "text")
    assert HANDOVER_SECONDS + FINISH_SECONDS + 2 * response_seconds < lease


async def test_of_texts_that_wait_in_the_gateway_an_answer_to_stop_goes_first(tmp_path: Path) -> None:
    slow = (PASSWORD, f"{PASSWORD}, window: 1")
    async with linked(tmp_path, slow, receipts=False) as link:
        held: list[smpp34.SubmitSmEvent] = []

        def hold(event: smpp34.SubmitSmEvent) -> str | None:
            held.append(event)
            return None if len(held) == 1 else f"m{len(held)}"

        link.smsc.answer = hold
        purposes = [TextPurpose.HELP, TextPurpose.HELP, TextPurpose.TEXT_BACK, TextPurpose.STOP_CONFIRMATION]
        async with asyncio.TaskGroup() as group:
            for n, purpose in enumerate(purposes):
                group.create_task(link.adapter.act(order(text(purpose, body=f"{n} {purpose}"), f"{n}.0")))
                await until(lambda: held)
            held[0].accept("m1")
        assert [one.body.split()[0] for one in link.smsc.texts] == ["0", "3", "2", "1"]


async def test_a_text_back_that_waits_in_the_gateway_is_not_sent_to_a_caller_who_has_reached_a_person(
    tmp_path: Path,
) -> None:
    async with (
        linked(tmp_path, (PASSWORD, f"{PASSWORD}, window: 1"), receipts=False) as link,
        asyncio.TaskGroup() as group,
    ):
        link.books.recorder.listen(withdrawing(link.gateways))
        held: list[smpp34.SubmitSmEvent] = []
        link.smsc.answer = lambda event: held.append(event) if not held else "m2"
        group.create_task(link.adapter.act(order(text(body="on the wire", to=OTHER))))
        await until(lambda: held)
        await link.books.miss()
        await link.books.record(texted("HELP"))
        waiting = {str(found.effect_id): found for found in await link.books.claim("text")}
        acts = {name: group.create_task(link.adapter.act(found)) for name, found in waiting.items()}
        await until(lambda: link.gateways["sms"].status.queued == 2)  # type: ignore[attr-defined]
        await link.books.record(answered())
        outcome = await acts["1.0"]
        assert isinstance(outcome, RetryAt), outcome
        await link.books.recorder.settle(waiting["1.0"], outcome)
        assert (await link.books.order("1.0")).status == "cancelled"
        held[0].accept("m1")
        assert isinstance(await acts["2.0"], Done), "an answer to the person's own words"
        assert ["Reply STOP" in one.body for one in link.smsc.texts] == [False, True]


def answered() -> CallAnswered:
    """The caller has called again, and reached a person."""
    return CallAnswered(
        at=NOON,
        source_id="answered:call-2",
        call_id="call-2",
        caller=CALLER,
        kind=NumberKind.ORDINARY,
        dialled=DIALLED,
        office="miami",
        entry="_1305555010X",
        by="101",
    )


# -------------------------------------------------------------------------------------------------------------------- in
async def test_a_stop_is_in_the_books_before_the_carrier_hears_that_we_have_it(tmp_path: Path) -> None:
    async with linked(tmp_path) as link:
        await link.send()
        await link.smsc.text(CALLER, DIALLED, "Stop")

        def said(db: Database) -> ConsentState:
            return people.consent(db, CALLER, Channel.TEXT).state

        assert await link.books.store.read(said) is ConsentState.OPTED_OUT
        confirmation = (await link.books.orders("text"))[-1]
        assert isinstance(confirmation.effect, SendText)
        assert confirmation.effect.purpose is TextPurpose.STOP_CONFIRMATION


async def test_a_text_that_cannot_be_stored_is_refused_and_taken_when_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with linked(tmp_path) as link:
        write = link.books.store.write

        async def full(job: Job[T]) -> T:
            raise StoreUnavailableError("disk full")

        monkeypatch.setattr(link.books.store, "write", full)
        assert (await deliver(link.smsc, "Stop")).command_status == 0x08
        assert link.events == []
        monkeypatch.setattr(link.books.store, "write", write)
        assert (await deliver(link.smsc, "Stop")).is_success
        assert len(link.of(TextReceived)) == 1


async def deliver(smsc: Smsc, body: str) -> smpp34.DeliverSmResp:
    """Our answer to a text, as the SMSC sees it."""
    await until(lambda: smsc.bound)
    addresses = {"source_addr": CALLER[1:], "source_addr_ton": 1, "dest_addr_ton": 1}
    return await smsc._clients[-1].deliver_sm(DIALLED[1:], body.encode(), **addresses)  # type: ignore[arg-type]


def inbound(body: str = "yes", source_id: str = "1", **facts: object) -> InboundText:
    values = {"source": CALLER, "destination": DIALLED, "fingerprint": "f1", **facts}
    return InboundText(body=body, source_id=source_id, **values)  # type: ignore[arg-type]


@pytest.fixture
async def link(tmp_path: Path) -> AsyncIterator[Link]:
    """Without an SMSC: what the gateway would hand over is handed over by the test."""
    books = Books(tmp_path)
    yield Link(books, Smsc(0))
    books.close()


async def test_a_text_that_comes_again_after_a_restart_is_stored_once(link: Link) -> None:
    await link.inbox.take("sms", inbound())
    await link.inbox.take("sms", inbound(source_id="2", may_repeat=True))
    assert len(link.of(TextReceived)) == 1
    await link.inbox.take("sms", inbound(source_id="3", may_repeat=False))
    assert len(link.of(TextReceived)) == 2, "the gateway knows that it is another"


async def test_the_same_words_on_another_day_are_a_second_text(link: Link) -> None:
    assert isinstance(link.books.clock, StandingClock)
    await link.inbox.take("sms", inbound())
    link.books.clock.at += REDELIVERY
    await link.inbox.take("sms", inbound(source_id="2", may_repeat=True))
    assert len(link.of(TextReceived)) == 2


async def test_the_same_source_id_is_one_event(link: Link) -> None:
    await link.inbox.take("sms", inbound())
    await link.inbox.take("sms", inbound())
    await link.inbox.take("other", inbound())
    assert [event.source_id for event in link.of(TextReceived)] == ["sms:sms:1", "sms:other:1"]


async def test_a_text_in_any_spelling_of_the_numbers_finds_its_lead_and_office(link: Link) -> None:
    await link.books.miss()
    await link.inbox.take("sms", inbound(source="13055550142", destination="3055550100"))
    [event] = link.of(TextReceived)
    assert isinstance(event, TextReceived)
    assert (event.sender, event.recipient, event.office) == (CALLER, DIALLED, "miami")
    assert getattr(await link.books.lead(1), "replies", ()) == ("yes",)


async def test_a_text_from_or_to_something_that_is_no_number_is_stored_as_it_came(link: Link) -> None:
    await link.inbox.take("sms", inbound(source="BANK" * 20, destination="777"))
    [event] = link.of(TextReceived)
    assert isinstance(event, TextReceived)
    assert (event.sender, event.recipient, event.office) == (("BANK" * 20)[:40], "777", None)


@pytest.fixture
async def coded(tmp_path: Path) -> AsyncIterator[Link]:
    """All texts go out under a short code, which is nobody's number."""
    books = Books(tmp_path, ("port: 2775", 'port: 2775, sender: "55012"'))
    yield Link(books, Smsc(0))
    books.close()


def replied(recorded: Recorded) -> list[tuple[str, ...]]:
    """Who is told that a caller texted."""
    effects = recorded.step.effects
    return [one.agents for one in effects if isinstance(one, AlertAgent) and one.reason is AlertReason.REPLIED]


@pytest.mark.parametrize(("office", "group", "agents"), [("keys", "floor", "cleo"), ("of old", "front", "bob")])
async def test_a_reply_to_a_short_code_is_told_though_the_lead_was_closed(
    coded: Link, office: str, group: str, agents: str
) -> None:
    await coded.books.miss(office=office)
    await coded.books.record(LeadClosed(at=NOON, source_id="command:1", by="ana", note="sold"), 1)
    told: list[Recorded] = []
    coded.books.recorder.listen(told.append)
    await coded.inbox.take("sms", inbound("can I see it Saturday?", destination="55012"))
    lead = await coded.books.lead(2)
    assert isinstance(lead, Lead)
    assert (lead.number, lead.office, lead.group) == (CALLER, office.replace("of old", "miami"), group)
    assert lead.replies == ("can I see it Saturday?",)
    assert [replied(one) for one in told] == [[(agents,)]]
    await coded.inbox.take("sms", inbound("hello?", "2", destination="55012", fingerprint="f2"))
    assert [one.lead_id for one in told] == [2, 2], "the next one joins it"


async def test_whoever_writes_to_a_short_code_first_is_a_lead_of_the_first_office(coded: Link) -> None:
    told: list[Recorded] = []
    coded.books.recorder.listen(told.append)
    await coded.inbox.take("sms", inbound("I am selling", source=OTHER, destination="55012"))
    lead = await coded.books.lead(1)
    assert isinstance(lead, Lead)
    assert (lead.number, lead.office, lead.dialled) == (OTHER, "miami", "55012")
    assert [len(replied(one)) for one in told] == [1]


@pytest.mark.parametrize("body", ["", "a\ud83d", "\udc00", "x" * (LONGEST_BODY + 1), "a\x00b\r\nc", "😀"])
async def test_no_text_is_too_odd_to_be_stored(link: Link, body: str) -> None:
    await link.inbox.take("sms", inbound(body))
    [event] = link.of(TextReceived)
    assert isinstance(event, TextReceived)
    assert len(event.body) <= LONGEST_BODY
    assert event.body.isascii() or event.body == "😀"


# -------------------------------------------------------------------------------------------------------------- receipts
def receipt(message_id: str, *candidates: str, sender: str = DIALLED, **facts: object) -> Receipt:
    values = {
        "message_id": message_id,
        "candidates": candidates or (message_id,),
        "state": DeliveryState.DELIVERED,
        "error": None,
        "source": CALLER,
        "destination": sender,
        "done_at": None,
        **facts,
    }
    return Receipt(**values)  # type: ignore[arg-type]


async def settled(link: Link, *ids: str) -> Order:
    """A text that the carrier has taken under these ids."""
    await link.books.miss()
    found = (await link.books.claim("text"))[0]
    await link.books.recorder.settle(found, Done(ids[0], gateway="sms", message_ids=ids))
    return found


async def doubtful(link: Link) -> Order:
    await link.books.miss()
    found = (await link.books.claim("text"))[0]
    await link.books.recorder.settle(found, InDoubt("no answer"))
    return await link.books.order(found.effect_id)


@pytest.mark.parametrize("candidates", [("65",), ("101", "65"), ("65", "101")])
async def test_a_receipt_that_comes_before_the_answer_is_kept_for_it(link: Link, candidates: tuple[str, ...]) -> None:
    await link.inbox.take("sms", receipt("65", *candidates))
    assert link.of(ReceiptReceived) == []
    await settled(link, "65")
    assert len(link.of(ReceiptReceived)) == 1
    assert getattr(await link.books.lead(1), "text", None) == "delivered"


async def test_receipts_that_come_twice_are_one_event(link: Link) -> None:
    await settled(link, "65")
    for _ in range(2):
        await link.inbox.take("sms", receipt("65"))
    assert len(link.of(ReceiptReceived)) == 1


async def test_a_text_of_two_segments_is_delivered_with_its_second_receipt(link: Link) -> None:
    await settled(link, "65", "66")
    await link.inbox.take("sms", receipt("66"))
    assert link.of(ReceiptReceived) == []
    await link.inbox.take("sms", receipt("65"))
    assert len(link.of(ReceiptReceived)) == 1


async def test_a_receipt_of_failure_says_how(link: Link) -> None:
    await settled(link, "65")
    await link.inbox.take("sms", receipt("65", state=DeliveryState.UNDELIVERABLE, error="012"))
    [event] = link.of(ReceiptReceived)
    assert isinstance(event, ReceiptReceived)
    assert (event.delivered, event.state, event.error) == (False, "undeliverable", "012")
    assert getattr(await link.books.lead(1), "text", None) == "failed"


async def test_a_receipt_that_says_nothing_final_is_no_event(link: Link) -> None:
    await settled(link, "65")
    await link.inbox.take("sms", receipt("65", state=DeliveryState.ENROUTE))
    await link.inbox.take("sms", receipt("", state=DeliveryState.DELIVERED, candidates=()))
    assert link.of(ReceiptReceived) == []


async def test_a_receipt_is_not_taken_for_that_of_an_older_text_to_somebody_else(link: Link) -> None:
    older = await settled(link, "1000")
    await link.books.miss("call-2", OTHER)
    newer = (await link.books.claim("text"))[0]
    await link.inbox.take("sms", receipt("4096", "4096", "1000", source=OTHER, state=DeliveryState.REJECTED))
    [event] = link.of(ReceiptReceived)
    assert isinstance(event, ReceiptReceived)
    assert event.effect_id == newer.effect_id != older.effect_id, "0x1000 is 4096"
    assert [getattr(await link.books.lead(n), "text", None) for n in (1, 2)] == ["done", "failed"]


async def test_a_receipt_ends_the_doubt_of_a_text_with_what_word_processors_add(tmp_path: Path) -> None:
    books = Books(tmp_path, ("name: Harbor Realty", "name: D\u2019Arcy Realty"))
    link = Link(books, Smsc(0))
    await books.miss()
    found = (await books.claim("text"))[0]
    assert isinstance(found.effect, SendText)
    assert found.effect.body.startswith("D\u2019Arcy Realty"), "which goes out as a plain apostrophe"
    await books.recorder.settle(found, InDoubt("no answer"))
    await link.inbox.take("sms", receipt("a7", text="D'Arcy Realty (autom"))
    assert (await books.order(found.effect_id)).status == "done"
    books.close()


async def test_a_receipt_without_an_id_still_ends_a_doubt_by_people_and_words(link: Link) -> None:
    found = await doubtful(link)
    assert isinstance(found.effect, SendText)
    await link.inbox.take("sms", receipt("", candidates=(), text=found.effect.body[:20]))
    assert (await link.books.order(found.effect_id)).status == "done"


@pytest.mark.parametrize(
    "facts",
    [
        {"source": "+13055550143"},
        {"destination": "+13055550101"},
        {"text": "Other words"},
    ],
    ids=["another person", "another number of ours", "other words"],
)
async def test_a_receipt_that_does_not_fit_leaves_the_doubt(link: Link, facts: dict[str, Any]) -> None:
    found = await doubtful(link)
    await link.inbox.take("sms", receipt("a7", **facts))
    await link.inbox.take("other", receipt("a7"))
    assert (await link.books.order(found.effect_id)).status == "in_doubt"


def text(
    purpose: TextPurpose = TextPurpose.TEXT_BACK,
    *,
    body: str = "We missed you.",
    expires_at: object = None,
    to: E164 = CALLER,
) -> SendText:
    return SendText(
        purpose=purpose,
        to=to,
        sender=DIALLED,
        body=body,
        gateway="sms",
        office="miami",
        not_before=None,
        expires_at=expires_at or NOON + timedelta(minutes=15),  # type: ignore[arg-type]
        window_until=None,
    )
