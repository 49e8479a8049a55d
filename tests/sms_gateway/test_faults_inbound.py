"""What carriers do to texts on their way in: nothing is acknowledged that is not stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sms_gateway.messages import Parts
from sms_gateway.reassembly import Segment
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp import redelivery
from tests.sms_gateway.scripted import (
    CALLER,
    OFFICE,
    Inbox,
    Peer,
    ScriptedSmsc,
    attempt,
    gateway,
    mo,
    options,
    part,
    talking,
    text,
    until_stored,
)
from tests.support.waiting import until


async def answer_to(peer: Peer, sequence: int) -> int:
    """The status with which the message ``sequence`` is answered; a submit on the way would be a surprise."""
    received = await peer.receive()
    assert isinstance(received.body, wire.DeliverSmResp | wire.DataSmResp)
    assert received.sequence == sequence
    return received.status


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A carrier that waits before it sends again: what comes at once is known by that alone."""
    monkeypatch.setattr(redelivery, "_STUTTER_SECONDS", 0.0)


async def test_a_stop_is_acknowledged_only_after_it_is_stored() -> None:
    async with talking() as (_, peer, _, inbox):
        inbox.gate.clear()
        peer.send(mo(), 1)
        peer.send(wire.EnquireLink(), 2)
        await peer.expect(wire.EnquireLinkResp)  # the link is served, and the STOP is not acknowledged
        inbox.gate.set()
        assert await answer_to(peer, 1) == 0
        (stop,) = inbox.texts
        assert (stop.source, stop.destination, stop.body) == (CALLER, OFFICE, "STOP")


async def test_a_message_that_cannot_be_stored_comes_again_as_the_same_message() -> None:
    async with talking() as (_, peer, client, inbox):
        inbox.failures = 1
        peer.send(mo(), 1)
        assert await answer_to(peer, 1) == 0x08
        peer.send(mo(), 2)
        assert await answer_to(peer, 2) == 0
        assert len(inbox.texts) == 1
        assert client.status.counters.redelivery_asked == 1


async def test_the_answer_that_asks_for_redelivery_can_be_chosen() -> None:
    async with talking(redeliver_status=0x14) as (_, peer, _, inbox):
        inbox.failures = 1
        peer.send(mo(b"id:1 stat:DELIVRD", esm_class=4), 1)
        assert await answer_to(peer, 1) == 0x14


async def test_a_client_that_dies_before_it_has_stored_has_acknowledged_nothing() -> None:
    async with ScriptedSmsc() as smsc:
        inbox = Inbox()
        inbox.gate.clear()
        async with asyncio.TaskGroup() as group:
            client = gateway(options(smsc.port), inbox)
            running = group.create_task(client.run())
            peer = await smsc.bound_peer()
            peer.send(mo(), 1)
            await until(lambda: client.status.counters.texts == 1)
            running.cancel()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await peer.receive()
        assert inbox.messages == []


async def test_a_stored_message_whose_acknowledgement_was_lost_is_recognised_when_it_comes_again() -> None:
    async with talking() as (smsc, peer, client, inbox):
        inbox.gate.clear()
        peer.send(mo(), 1)
        await until(lambda: client.status.counters.texts == 1)
        peer.cut()
        again = await smsc.bound_peer()
        inbox.gate.set()
        again.send(mo(), 1)
        assert await answer_to(again, 1) == 0
        first, second = inbox.texts
        assert first.source_id == second.source_id


async def test_a_carrier_that_stutters_is_recognised() -> None:
    async with talking() as (_, peer, _, inbox):
        for sequence in (1, 2):
            peer.send(mo(), sequence)
            assert await answer_to(peer, sequence) == 0
        first, second = inbox.texts
        assert first.source_id == second.source_id


async def test_the_same_word_after_another_is_another_message() -> None:
    async with talking() as (_, peer, _, inbox):
        for sequence, word in enumerate([b"STOP", b"START", b"STOP"], start=1):
            peer.send(mo(word), sequence)
            assert await answer_to(peer, sequence) == 0
        first, _, last = inbox.texts
        assert first.fingerprint == last.fingerprint
        assert first.source_id != last.source_id


async def test_a_slow_store_holds_up_neither_texts_nor_the_link() -> None:
    async with talking() as (_, peer, client, inbox), asyncio.TaskGroup() as group:
        inbox.gate.clear()
        peer.send(mo(), 1)
        sending = group.create_task(attempt(client.send(text())))
        sequence, _ = await peer.expect(wire.SubmitSm)
        peer.send(wire.SubmitSmResp(message_id="a"), sequence)
        await sending
        inbox.gate.set()
        assert await answer_to(peer, 1) == 0


async def test_data_sm_is_a_message_too() -> None:
    async with talking() as (_, peer, _, inbox):
        peer.send(wire.DataSm(source_addr="77", tlvs=((0x0424, b"Hello"),)), 1)
        assert await answer_to(peer, 1) == 0
        assert inbox.texts[0].body == "Hello"


async def test_an_unreadable_message_is_refused_and_the_next_is_read() -> None:
    async with talking() as (_, peer, _, inbox):
        peer.send_octets(b"\x00\x00\x00\x12\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01xx")
        assert await answer_to(peer, 1) == 0x02
        peer.send(mo(), 2)
        assert await answer_to(peer, 2) == 0
        await until_stored(inbox, 1)


# ---------------------------------------------------------------------------------------------- long texts, nothing kept


async def test_without_a_store_the_segments_are_acknowledged_with_the_text() -> None:
    async with talking() as (_, peer, _, inbox):
        peer.send(part(2, 2, b"now"), 1)
        peer.send(wire.EnquireLink(), 9)
        await peer.expect(wire.EnquireLinkResp)
        peer.send(part(1, 2, b"STOP "), 2)
        assert {await answer_to(peer, sequence) for sequence in (2, 1)} == {0}
        (whole,) = inbox.texts
        assert (whole.body, whole.parts) == ("STOP now", Parts(7, 2, (1, 2)))


async def test_without_a_store_an_incomplete_text_is_delivered_before_the_carriers_patience_ends() -> None:
    async with talking(parts_hold_seconds=0.05) as (_, peer, _, inbox):
        peer.send(part(1, 3, b"STOP "), 1)
        assert await answer_to(peer, 1) == 0
        (partial,) = inbox.texts
        assert (partial.body, partial.parts) == ("STOP ", Parts(7, 3, (1,)))


async def test_without_a_store_a_text_that_cannot_be_stored_comes_again_as_a_whole() -> None:
    async with talking() as (_, peer, _, inbox):
        inbox.failures = 1
        for attempt_number in range(2):
            for index in (1, 2):
                peer.send(part(index, 2, b"x"), 10 * attempt_number + index)
            statuses = {await answer_to(peer, 10 * attempt_number + index) for index in (1, 2)}
            assert statuses == ({0x08} if attempt_number == 0 else {0})
        assert len(inbox.texts) == 1


async def test_without_a_store_stopping_lets_go_of_the_segments() -> None:
    async with talking() as (_, peer, client, inbox), asyncio.TaskGroup() as group:
        peer.send(part(1, 2, b"STOP"), 1)
        await until(lambda: client.status.counters.texts == 1)
        group.create_task(client.stop())
        assert await answer_to(peer, 1) == 0x08
        assert inbox.messages == []


async def test_without_a_store_segments_of_a_lost_link_are_left_to_the_redelivery() -> None:
    async with talking(parts_hold_seconds=0.1) as (smsc, peer, client, inbox):
        peer.send(part(1, 2, b"a"), 1)
        await until(lambda: client.status.counters.texts == 1)
        peer.cut()
        again = await smsc.bound_peer()
        await until(lambda: client.status.counters.redelivery_asked == 1)
        again.send(part(1, 2, b"a"), 1)
        again.send(part(2, 2, b"b"), 2)
        assert {await answer_to(again, sequence) for sequence in (1, 2)} == {0}
        assert [message.body for message in inbox.texts] == ["ab"]


async def test_without_a_store_a_segment_of_a_whole_text_that_comes_again_alone_is_no_second_text(
    patient: None,
) -> None:
    async with talking(parts_hold_seconds=0.3) as (smsc, peer, _, inbox):
        for index in (1, 2):
            peer.send(part(index, 2, b"%d" % index), index)
        await until_stored(inbox, 1)
        peer.cut()
        again = await smsc.bound_peer()
        again.send(part(2, 2, b"2"), 1)
        assert await answer_to(again, 1) == 0
        again.send(part(1, 2, b"later", reference=8), 2)
        assert await answer_to(again, 2) == 0
        assert [message.body for message in inbox.texts] == ["12", "later"]


# ------------------------------------------------------------------------------------------------- long texts, kept


class Shelf:
    """A store of segments that can fail, and that outlives a gateway."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.failures = 0

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("the disk is full")

    async def keep(self, segment: Segment) -> None:
        self._fail()
        if segment not in self.segments:
            self.segments.append(segment)

    async def discard(self, segments: Sequence[Segment]) -> None:
        self._fail()
        self.segments = [segment for segment in self.segments if segment not in segments]

    async def kept(self) -> Sequence[Segment]:
        return list(self.segments)


async def test_with_a_store_every_segment_is_acknowledged_at_once_and_the_text_delivered_when_whole() -> None:
    shelf = Shelf()
    async with talking(parts=shelf) as (_, peer, _, inbox):
        for index in (1, 2):
            peer.send(part(index, 2, b"%d" % index), index)
            assert await answer_to(peer, index) == 0
        await until_stored(inbox, 1)
        await until(lambda: not shelf.segments)
        assert [message.body for message in inbox.texts] == ["12"]


async def test_a_segment_that_cannot_be_stored_comes_again() -> None:
    shelf = Shelf()
    shelf.failures = 1
    async with talking(parts=shelf) as (_, peer, _, _):
        peer.send(part(1, 2, b"1"), 1)
        assert await answer_to(peer, 1) == 0x08
        assert shelf.segments == []


async def test_acknowledged_segments_survive_a_crash() -> None:
    shelf = Shelf()
    async with talking(parts=shelf) as (_, peer, _, _):
        peer.send(part(1, 2, b"STOP "), 1)
        assert await answer_to(peer, 1) == 0
    async with talking(parts=shelf) as (_, peer, _, inbox):
        peer.send(part(2, 2, b"now"), 1)
        assert await answer_to(peer, 1) == 0
        await until_stored(inbox, 1)
        assert inbox.texts[0].body == "STOP now"


async def test_kept_segments_whose_siblings_never_come_are_delivered_after_a_while() -> None:
    shelf = Shelf()
    async with talking(parts=shelf, parts_seconds=0.05) as (_, peer, _, inbox):
        peer.send(part(1, 2, b"STOP"), 1)
        await until_stored(inbox, 1)
        assert inbox.texts[0].parts == Parts(7, 2, (1,))
        await until(lambda: not shelf.segments)


async def test_a_whole_text_that_cannot_be_stored_is_tried_again_from_the_kept_segments() -> None:
    shelf = Shelf()
    async with talking(parts=shelf, parts_hold_seconds=0.05) as (_, peer, _, inbox):
        inbox.failures = 2
        for index in (1, 2):
            peer.send(part(index, 2, b"%d" % index), index)
        await until_stored(inbox, 1)
        await until(lambda: not shelf.segments)


@pytest.mark.parametrize("lost", [(1, 2), (2,)], ids=["both", "the last one"])
async def test_a_stored_text_whose_acknowledgements_were_lost_is_no_second_text(
    patient: None, lost: tuple[int, ...]
) -> None:
    async with talking(parts=Shelf(), parts_seconds=0.3) as (smsc, peer, _, inbox):
        for index in (1, 2):
            peer.send(part(index, 2, b"%d" % index), index)
        await until_stored(inbox, 1)
        for _ in range(2):  # and lost once more
            peer.cut()
            peer = await smsc.bound_peer()
            for sequence, index in enumerate(lost, start=1):
                peer.send(part(index, 2, b"%d" % index), sequence)
                assert await answer_to(peer, sequence) == 0
        peer.send(part(1, 2, b"later", reference=8), 9)
        await until_stored(inbox, 2)
        assert [message.body for message in inbox.texts] == ["12", "later"]


async def test_a_text_that_was_stored_in_parts_before_a_crash_is_no_second_text_when_it_comes_again(
    patient: None,
) -> None:
    shelf = Shelf()
    async with talking(parts=shelf) as (_, peer, _, inbox):
        inbox.failures = 1
        for index in (1, 2):
            peer.send(part(index, 2, b"%d" % index), index)
            assert await answer_to(peer, index) == 0
    async with talking(parts=shelf) as (_, peer, _, inbox):
        await until_stored(inbox, 1)
        for index in (1, 2):
            peer.send(part(index, 2, b"%d" % index), index)
            assert await answer_to(peer, index) == 0
        peer.send(mo(b"later"), 3)
        assert await answer_to(peer, 3) == 0
        assert [message.body for message in inbox.texts] == ["12", "later"]


async def test_an_incomplete_text_that_comes_again_is_the_same_text(patient: None) -> None:
    async with talking(parts=Shelf(), parts_seconds=0.05) as (smsc, peer, _, inbox):
        peer.send(part(1, 2, b"STOP"), 1)
        await until_stored(inbox, 1)
        peer.cut()
        again = await smsc.bound_peer()
        again.send(part(1, 2, b"STOP"), 1)
        await until_stored(inbox, 2)
        first, second = inbox.texts
        assert first.source_id == second.source_id


async def test_a_person_whose_phone_does_not_count_may_write_the_same_long_text_twice(patient: None) -> None:
    async with talking(parts=Shelf()) as (_, peer, _, inbox):
        for sequence, index in enumerate((1, 2, 1, 2), start=1):
            peer.send(part(index, 2, b"%d" % index), sequence)
            assert await answer_to(peer, sequence) == 0
        await until_stored(inbox, 2)
        first, second = inbox.texts
        assert (first.body, first.fingerprint) == (second.body, second.fingerprint)
        assert first.source_id != second.source_id


async def test_segments_that_cannot_be_discarded_stop_nothing() -> None:
    shelf = Shelf()
    async with talking(parts=shelf) as (_, peer, _, inbox):
        peer.send(part(1, 2, b"1"), 1)
        await answer_to(peer, 1)
        inbox.gate.clear()
        peer.send(part(2, 2, b"2"), 2)
        await answer_to(peer, 2)
        shelf.failures = 1
        inbox.gate.set()
        peer.send(mo(b"after"), 3)
        assert await answer_to(peer, 3) == 0
        assert [message.body for message in inbox.texts] == ["12", "after"]
        assert len(shelf.segments) == 2
