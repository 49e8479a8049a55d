"""What carriers do to texts on their way out, one fault at a time."""

from __future__ import annotations

import asyncio

import pytest

from sms_gateway.errors import BindRefused, InDoubt, NotSent, Refused, TextInvalid, Throttled
from sms_gateway.gateway import Lane
from sms_gateway.messages import DeliveryState, MessageState, Submission
from sms_gateway.receipts import canonical_id
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.health import LinkState
from sms_gateway.smpp.options import BindMode, TlsOptions
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
    talking,
    text,
    until_stored,
)
from tests.support.ports import free_port
from tests.support.waiting import until

LONG = "x" * 400  # three segments


async def accept(peer: Peer, message_id: str = "a1", status: int = 0) -> wire.SubmitSm:
    """Answer the next submit."""
    sequence, submit = await peer.expect(wire.SubmitSm)
    peer.send(wire.SubmitSmResp(message_id=message_id), sequence, status)
    return submit


# ---------------------------------------------------------------------------------------------------------- throttling


@pytest.mark.parametrize("status", [0x58, 0x14])
async def test_a_throttled_text_is_sent_again_after_a_pause_and_more_slowly(status: int) -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        for _ in range(3):
            await accept(peer, status=status)
        await accept(peer)
        assert await sending == Submission(("a1",), 1)
        assert client.status.counters.throttled == 3
        assert client.status.rate_per_second < 10_000.0


async def test_a_burst_of_throttling_loses_and_doubles_nothing() -> None:
    async with talking(window=5) as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = [group.create_task(attempt(client.send(text(f"text {n}")))) for n in range(5)]
        for _ in range(5):
            await accept(peer, status=0x58)
        again = [(await accept(peer, f"id-{n}")).short_message for n in range(5)]
        assert sorted(again) == [f"text {n}".encode() for n in range(5)]
        assert set(await asyncio.gather(*sending)) == {Submission((f"id-{n}",), 1) for n in range(5)}


async def test_throttling_beyond_the_deadline_is_raised_and_safe_to_retry() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        answering = group.create_task(answer_all(peer, 0x58))
        with pytest.raises(Throttled) as error:
            await client.send(text(), within_seconds=0.1)
        assert error.value.retry_after > 0
        answering.cancel()


async def answer_all(peer: Peer, status: int) -> None:
    while True:
        await accept(peer, status=status)


async def test_a_text_that_waits_for_its_turn_after_throttling_is_raised_as_throttled() -> None:
    async with talking(rate_per_second=0.5) as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(), within_seconds=0.2)))
        await accept(peer, status=0x58)
        error = await sending
        assert isinstance(error, Throttled)


async def test_a_long_text_throttled_in_the_middle_for_too_long_is_in_doubt() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG, finish_seconds=0.1))))
        await accept(peer, "a1")
        answering = group.create_task(answer_all(peer, 0x58))
        error = await sending
        assert isinstance(error, InDoubt)
        assert (error.accepted, error.in_doubt, error.not_sent) == (("a1",), (), (2, 3))
        answering.cancel()


# ------------------------------------------------------------------------------------------------------------ withdrawn


async def test_a_text_that_is_withdrawn_on_the_wire_and_then_throttled_does_not_go_out_again() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        sequence, _ = await peer.expect(wire.SubmitSm)
        client.withdraw(CALLER)
        peer.send(wire.SubmitSmResp(), sequence, 0x58)
        outcome = await sending
        assert isinstance(outcome, NotSent)
        assert "withdrawn" in str(outcome)
        assert client.status.queued == 0
        group.create_task(attempt(client.send(text("a later one"))))
        assert (await accept(peer)).short_message == b"a later one"


async def test_after_a_no_the_rest_of_a_long_text_does_not_follow() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG))))
        await accept(peer, "a1")
        sequence, _ = await peer.expect(wire.SubmitSm)
        client.withdraw(CALLER)
        peer.send(wire.SubmitSmResp(message_id="a2"), sequence)
        error = await sending
        assert isinstance(error, InDoubt)
        assert (error.reason, error.accepted, error.in_doubt, error.not_sent) == ("withdrawn", ("a1", "a2"), (), (3,))
        assert client.status.counters.submitted == 2


async def test_after_a_no_the_rest_of_a_long_text_that_was_throttled_does_not_follow() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG))))
        await accept(peer, "a1")
        sequence, _ = await peer.expect(wire.SubmitSm)
        client.withdraw(CALLER)
        peer.send(wire.SubmitSmResp(), sequence, 0x58)
        error = await sending
        assert isinstance(error, InDoubt)
        assert (error.reason, error.accepted, error.not_sent) == ("withdrawn", ("a1",), (2, 3))


@pytest.mark.parametrize(
    ("lane", "reference"),
    [(Lane.FIRST_TEXT, "r1"), (Lane.OPT_OUT_CONFIRMATION, None)],
    ids=["needless", "the answer to the no"],
)
async def test_a_long_text_that_has_begun_is_not_left_half_sent_without_need(lane: Lane, reference: str | None) -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG), priority=lane)))
        await accept(peer, "a1")
        sequence, _ = await peer.expect(wire.SubmitSm)
        client.withdraw(CALLER, reference)
        peer.send(wire.SubmitSmResp(), sequence, 0x58)
        for message_id in ("a2", "a3"):
            await accept(peer, message_id)
        assert await sending == Submission(("a1", "a2", "a3"), 3)


async def test_a_long_text_whose_first_segment_is_withdrawn_on_the_wire_and_throttled_is_not_sent() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG))))
        sequence, _ = await peer.expect(wire.SubmitSm)
        client.withdraw(CALLER, "r1")
        peer.send(wire.SubmitSmResp(), sequence, 0x58)
        assert isinstance(await sending, NotSent)


# -------------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(("status", "permanent"), [(0x0B, True), (0x08, False), (0x400, True)])
async def test_a_refusal_without_a_body_tells_whether_it_is_for_good(status: int, permanent: bool) -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        sequence, _ = await peer.expect(wire.SubmitSm)
        peer.send_octets(wire.encode(wire.SubmitSmResp(), sequence, status))
        error = await sending
        assert isinstance(error, Refused)
        assert (error.status, error.permanent, error.accepted) == (status, permanent, ())
        assert client.status.counters.refused == {status: 1}


async def test_a_refusal_in_the_middle_of_a_long_text_tells_what_was_accepted() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG))))
        await accept(peer, "a1")
        await accept(peer, status=0x45)
        error = await sending
        assert isinstance(error, Refused)
        assert (error.accepted, error.not_sent, error.permanent) == (("a1",), (3,), False)


# -------------------------------------------------------------------------------------------------------------- in doubt


async def test_no_answer_is_in_doubt_and_the_connection_is_replaced() -> None:
    async with talking(response_seconds=0.5) as (smsc, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        await peer.expect(wire.SubmitSm)
        error = await sending
        assert isinstance(error, InDoubt)
        assert (error.accepted, error.in_doubt, error.not_sent) == ((), (1,), ())
        await peer.closed()
        again = await smsc.bound_peer()
        group.create_task(accept(again, "b1"))
        assert await client.send(text()) == Submission(("b1",), 1)
        assert client.status.counters.in_doubt == 1


async def test_one_lost_answer_does_not_put_the_others_in_doubt() -> None:
    async with talking(response_seconds=0.2) as (_, peer, client, _), asyncio.TaskGroup() as group:
        lost = group.create_task(attempt(client.send(text("lost"))))
        await peer.expect(wire.SubmitSm)
        halfway = asyncio.get_running_loop().time() + 0.1
        await until(lambda: asyncio.get_running_loop().time() > halfway)
        kept = group.create_task(attempt(client.send(text("kept"))))
        sequence, _ = await peer.expect(wire.SubmitSm)
        error = await lost
        assert isinstance(error, InDoubt)
        peer.send(wire.SubmitSmResp(message_id="k"), sequence)
        assert await kept == Submission(("k",), 1)


async def test_a_lost_answer_in_the_middle_of_a_long_text_says_which_segment() -> None:
    async with talking(response_seconds=0.5) as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG))))
        await accept(peer, "a1")
        error = await sending
        assert isinstance(error, InDoubt)
        assert (error.accepted, error.in_doubt, error.not_sent) == (("a1",), (2,), (3,))


async def test_an_smsc_that_restarts_leaves_the_unanswered_in_doubt_and_sends_none_of_them_again() -> None:
    async with talking() as (smsc, peer, client, _), asyncio.TaskGroup() as group:
        sending = [group.create_task(attempt(client.send(text(f"text {n}")))) for n in range(3)]
        for _ in range(3):
            await peer.expect(wire.SubmitSm)
        peer.cut()
        outcomes = await asyncio.gather(*sending)
        assert [type(outcome) for outcome in outcomes] == [InDoubt] * 3
        again = await smsc.bound_peer()
        group.create_task(accept(again, "new"))
        assert (await client.send(text("fresh"))).message_ids == ("new",)


async def test_what_waits_for_the_window_when_the_link_breaks_is_sent_on_the_next_one() -> None:
    async with talking(window=1) as (smsc, peer, client, _), asyncio.TaskGroup() as group:
        first = group.create_task(attempt(client.send(text("first"))))
        second = group.create_task(attempt(client.send(text("second"))))
        await peer.expect(wire.SubmitSm)
        peer.cut()
        error = await first
        assert isinstance(error, InDoubt)
        assert (await accept(await smsc.bound_peer(), "s")).short_message == b"second"
        assert await second == Submission(("s",), 1)


async def test_the_rest_of_a_long_text_goes_on_over_the_next_link() -> None:
    async with talking() as (smsc, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG))))
        await accept(peer, "a1")
        sequence, _ = await peer.expect(wire.SubmitSm)
        peer.send(wire.Unbind(), 1)
        peer.send(wire.SubmitSmResp(message_id="a2"), sequence)
        await peer.expect(wire.UnbindResp)
        await accept(await smsc.bound_peer(), "a3")
        assert await sending == Submission(("a1", "a2", "a3"), 3)


async def test_a_long_text_whose_rest_finds_no_link_in_time_is_in_doubt() -> None:
    async with talking(reconnect_seconds=60.0, reconnect_cap_seconds=60.0) as (_, peer, client, _):
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(attempt(client.send(text(LONG, finish_seconds=0.2))))
            await accept(peer, "a1")
            sequence, _ = await peer.expect(wire.SubmitSm)
            peer.send(wire.Unbind(), 1)
            peer.send(wire.SubmitSmResp(message_id="a2"), sequence)
        error = sending.result()
        assert isinstance(error, InDoubt)
        assert (error.accepted, error.in_doubt, error.not_sent) == (("a1", "a2"), (), (3,))


@pytest.mark.parametrize("change", [{}, {"validity_seconds": None}], ids=["told", "left to the carrier"])
async def test_on_a_slow_link_a_long_text_that_has_begun_is_sent_to_its_end(change: dict[str, None]) -> None:
    async with talking(rate_per_second=10.0, **change) as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text(LONG), within_seconds=0.05)))
        for message_id in ("a1", "a2", "a3"):
            await accept(peer, message_id)
        assert await sending == Submission(("a1", "a2", "a3"), 3)


async def test_a_long_text_that_cannot_be_sent_to_its_end_in_time_is_not_begun() -> None:
    async with talking(rate_per_second=0.15) as (_, _, client, _):
        with pytest.raises(NotSent, match="3 segments take 13 s; it has 10 s"):
            await client.send(text(LONG, finish_seconds=10.0))
        assert client.status.counters.submitted == 0


async def test_a_cancelled_send_leaves_the_session_whole() -> None:
    async with talking(window=2) as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text("cancelled"))))
        sequence, _ = await peer.expect(wire.SubmitSm)
        sending.cancel()
        await asyncio.wait([sending])
        other = group.create_task(attempt(client.send(text("other"))))
        other_sequence, _ = await peer.expect(wire.SubmitSm)
        peer.send(wire.SubmitSmResp(message_id="late"), sequence)
        peer.send(wire.SubmitSmResp(message_id="mine"), other_sequence)
        assert await other == Submission(("mine",), 1)
        assert client.status.outstanding == 0
        assert client.status.state is LinkState.BOUND


async def test_a_send_cancelled_in_the_queue_is_never_sent() -> None:
    async with talking(window=1) as (_, peer, client, _), asyncio.TaskGroup() as group:
        first = group.create_task(attempt(client.send(text("first"))))
        sequence, _ = await peer.expect(wire.SubmitSm)
        waiting = group.create_task(attempt(client.send(text("cancelled"))))
        last = group.create_task(attempt(client.send(text("last"))))
        await until(lambda: client.status.queued == 2)
        waiting.cancel()
        await asyncio.wait([waiting])
        peer.send(wire.SubmitSmResp(message_id="a"), sequence)
        assert (await accept(peer)).short_message == b"last"
        await first
        await last


# ------------------------------------------------------------------------------------------------------------- not sent


async def test_a_host_that_can_be_no_name_is_told_and_tried_again() -> None:
    async with gateway(options(1, host="a..b"), Inbox()) as client:
        with pytest.raises(NotSent, match="label"):
            await client.wait_bound(5.0, persist=False)


async def test_without_a_bind_a_text_is_not_sent_and_the_error_says_why() -> None:
    port = free_port()
    async with gateway(options(port), Inbox()) as client:
        with pytest.raises(NotSent, match=f"no connection to 127.0.0.1:{port}"):
            await client.send(text(), within_seconds=0.1)
        with pytest.raises(NotSent, match="no connection"):
            await client.wait_bound(0.05)
        with pytest.raises(NotSent, match="no connection"):
            await client.wait_bound(5.0, persist=False)


async def test_a_text_waits_for_the_bind_within_its_time() -> None:
    async with ScriptedSmsc() as smsc, gateway(options(smsc.port), Inbox()) as client, asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        peer = await smsc.bound_peer()
        await accept(peer)
        assert await sending == Submission(("a1",), 1)


async def test_after_stopping_nothing_is_sent() -> None:
    async with talking() as (_, _, client, _):
        await client.stop()
        with pytest.raises(NotSent, match="stopp"):
            await client.send(text())
        with pytest.raises(NotSent):
            await client.wait_bound(1.0)


async def test_a_text_that_can_never_be_sent_does_not_reach_the_wire() -> None:
    async with talking(max_segments=1) as (_, _, client, _):
        with pytest.raises(TextInvalid):
            await client.send(text(LONG))
        assert client.status.counters.submitted == 0


# ------------------------------------------------------------------------------------------------------------- priority


async def test_when_texts_wait_the_urgent_go_first_and_the_rest_in_order_of_arrival() -> None:
    async with talking(window=1) as (_, peer, client, _), asyncio.TaskGroup() as group:
        group.create_task(attempt(client.send(text("on the wire"))))
        sequence, _ = await peer.expect(wire.SubmitSm)
        group.create_task(attempt(client.send(text("ordinary 1"))))
        group.create_task(attempt(client.send(text("ordinary 2"))))
        group.create_task(attempt(client.send(text("first text"), priority=Lane.FIRST_TEXT)))
        group.create_task(attempt(client.send(text("opted out"), priority=Lane.OPT_OUT_CONFIRMATION)))
        await until(lambda: client.status.queued == 4)
        peer.send(wire.SubmitSmResp(message_id="a"), sequence)
        order = [(await accept(peer)).short_message for _ in range(4)]
        assert order == [b"opted out", b"first text", b"ordinary 1", b"ordinary 2"]


async def test_a_later_segment_waits_behind_no_text_that_came_after_its_own() -> None:
    async with talking(window=1) as (_, peer, client, _), asyncio.TaskGroup() as group:
        group.create_task(attempt(client.send(text("L" * 200))))
        others = [group.create_task(attempt(client.send(text(f"{n}")))) for n in range(9)]
        order = [(await accept(peer)).short_message[-1:] for _ in range(11)]
        assert order.index(b"L", 1) <= 2
        await asyncio.gather(*others)


async def test_the_rate_is_kept_on_the_wire() -> None:
    async with talking(rate_per_second=50.0) as (_, peer, client, _), asyncio.TaskGroup() as group:
        loop = asyncio.get_running_loop()
        began = loop.time()
        sending = [group.create_task(attempt(client.send(text(f"{n}")))) for n in range(11)]
        for _ in range(11):
            await accept(peer)
        await asyncio.gather(*sending)
        assert 0.19 <= loop.time() - began < 2.0  # ten intervals of 20 ms


# ----------------------------------------------------------------------------------------------------------------- link


async def test_a_half_open_connection_is_noticed_and_replaced() -> None:
    async with talking(enquire_seconds=0.05, response_seconds=0.5) as (smsc, peer, client, _):
        peer.stop_reading()
        await smsc.bound_peer()
        await until(lambda: client.status.counters.binds == 2)


async def test_a_slow_loris_is_noticed_and_replaced() -> None:
    async with talking(enquire_seconds=0.05, response_seconds=0.5) as (smsc, peer, client, _):
        octets = iter(wire.encode(mo(b"x" * 200), 1))

        def drip() -> bool:
            peer.send_octets(bytes([next(octets)]))
            return smsc.accepted == 2

        await until(drip, what="a second connection while the first drips")
        assert client.status.counters.texts == 0


async def test_garbage_ends_the_connection_and_not_the_client() -> None:
    async with talking() as (smsc, peer, client, _), asyncio.TaskGroup() as group:
        peer.send_octets(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.expect(wire.GenericNack)
        again = await smsc.bound_peer()
        await until(lambda: client.status.state is LinkState.BOUND)
        assert "command_length" in (client.status.binds[0].last_error or "")
        group.create_task(accept(again))
        await client.send(text())


async def test_after_the_peers_unbind_we_bind_again() -> None:
    async with talking() as (smsc, peer, client, _):
        peer.send(wire.Unbind(), 5)
        assert await peer.expect(wire.UnbindResp) == (5, wire.UnbindResp())
        await smsc.bound_peer()
        await until(lambda: client.status.counters.binds == 2)


async def test_frames_may_be_split_and_merged() -> None:
    async with talking() as (_, peer, client, inbox), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        sequence, _ = await peer.expect(wire.SubmitSm)
        answer = wire.encode(wire.SubmitSmResp(message_id="a1"), sequence)
        peer.send_octets(answer[:7])
        peer.send_octets(answer[7:] + wire.encode(mo(b"one"), 1) + wire.encode(mo(b"two"), 2)[:30])
        assert await sending == Submission(("a1",), 1)
        peer.send_octets(wire.encode(mo(b"two"), 2)[30:])
        await until_stored(inbox, 2)
        assert [message.body for message in inbox.texts] == ["one", "two"]


async def test_an_answer_to_nothing_and_an_unknown_command_harm_nobody() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        peer.send(wire.SubmitSmResp(message_id="stray"), 4711)
        peer.send_octets(b"\x00\x00\x00\x10\x00\x00\x00\x21\x00\x00\x00\x00\x00\x00\x00\x07")
        received = await peer.receive()
        assert (received.command_id, received.status, received.sequence) == (0x80000000, 0x03, 7)
        group.create_task(accept(peer))
        await client.send(text())


async def test_silence_is_broken_and_the_peers_question_answered() -> None:
    async with talking(enquire_seconds=0.05) as (_, peer, _, _):
        peer.send(wire.EnquireLink(), 77)
        assert (await peer.receive()).sequence == 77
        sequence, _ = await peer.expect(wire.EnquireLink)
        peer.send(wire.EnquireLinkResp(), sequence)
        await peer.expect(wire.EnquireLink)


# ----------------------------------------------------------------------------------------------------------------- bind


@pytest.mark.parametrize(
    ("status", "name"), [(0x0E, "ESME_RINVPASWD"), (0x0D, "ESME_RBINDFAIL"), (0x0F, "ESME_RINVSYSID")]
)
async def test_a_bind_refused_for_good_stops_until_a_person_acts(status: int, name: str) -> None:
    async with ScriptedSmsc() as smsc, gateway(options(smsc.port), Inbox()) as client:
        peer = await smsc.peer()
        sequence, _ = await peer.expect(wire.BindTransceiver)
        peer.send(wire.BindTransceiverResp(), sequence, status)
        with pytest.raises(BindRefused, match=name):
            await client.wait_bound(5.0)
        assert client.status.state is LinkState.REFUSED
        assert not client.health.up
        assert name in client.health.detail
        with pytest.raises(NotSent, match=name):
            await client.send(text())
        await peer.closed()
        assert smsc.accepted == 1
        assert client.rebind()
        await smsc.bound_peer()
        await client.wait_bound(5.0)
        assert client.health.up
        assert not client.rebind(), "nothing is refused any more"


@pytest.mark.parametrize("status", [0x05, 0x08, 0x58])
async def test_a_bind_refused_for_now_is_tried_again_after_a_pause(status: int) -> None:
    async with ScriptedSmsc() as smsc, gateway(options(smsc.port), Inbox()) as client:
        for _ in range(2):
            peer = await smsc.peer()
            sequence, _ = await peer.expect(wire.BindTransceiver)
            peer.send(wire.BindTransceiverResp(), sequence, status)
        await smsc.bound_peer()
        await client.wait_bound(5.0)
        assert client.status.binds[0].attempts == 2
        assert client.status.binds[0].bound_since is not None


async def test_a_bind_that_is_not_answered_is_tried_again() -> None:
    async with ScriptedSmsc() as smsc, gateway(options(smsc.port, response_seconds=0.05), Inbox()) as client:
        await (await smsc.peer()).closed()
        await smsc.bound_peer()
        await client.wait_bound(5.0)


async def test_split_binds_submit_on_one_and_receive_on_the_other() -> None:
    async with ScriptedSmsc() as smsc:
        inbox = Inbox()
        async with (
            gateway(options(smsc.port, bind=BindMode.SPLIT), inbox) as client,
            asyncio.TaskGroup() as group,
        ):
            peers = {}
            for _ in range(2):
                peer = await smsc.peer()
                peers[type(await peer.accept_bind())] = peer
            await client.wait_bound(5.0)
            assert [bind.role for bind in client.status.binds] == ["transmitter", "receiver"]
            group.create_task(accept(peers[wire.BindTransmitter]))
            await client.send(text())
            peers[wire.BindReceiver].send(mo(), 1)
            await peers[wire.BindReceiver].expect(wire.DeliverSmResp)
            assert len(inbox.texts) == 1
            peers[wire.BindReceiver].cut()
            await until(lambda: client.status.state is not LinkState.BOUND)
            assert "receiver" in client.health.detail


# ------------------------------------------------------------------------------------------------------------- stopping


async def test_stopping_waits_for_the_open_answers_and_unbinds() -> None:
    async with talking(stop_seconds=5.0) as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        sequence, _ = await peer.expect(wire.SubmitSm)
        stopping = group.create_task(client.stop())
        await until(lambda: client.status.state is LinkState.DRAINING)
        peer.send(wire.SubmitSmResp(message_id="a"), sequence)
        assert await sending == Submission(("a",), 1)
        sequence, _ = await peer.expect(wire.Unbind)
        peer.send(wire.UnbindResp(), sequence)
        await stopping
        assert client.status.state is LinkState.STOPPED


async def test_stopping_does_not_wait_for_ever() -> None:
    async with talking(stop_seconds=0.05) as (_, peer, client, _), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        await peer.expect(wire.SubmitSm)
        await client.stop()
        error = await sending
        assert isinstance(error, InDoubt)


async def test_stopping_while_connecting_and_while_pausing_ends_at_once() -> None:
    async with asyncio.timeout(2.0):
        async with gateway(options(free_port(), reconnect_seconds=60.0, reconnect_cap_seconds=60.0), Inbox()) as client:
            await until(lambda: client.status.state is LinkState.WAITING)
        async with ScriptedSmsc() as smsc, gateway(options(smsc.port), Inbox()):
            pass  # the bind is still unanswered


async def test_a_cancelled_gateway_leaves_what_is_open_in_doubt() -> None:
    async with ScriptedSmsc() as smsc, asyncio.TaskGroup() as group:
        client = gateway(options(smsc.port), Inbox())
        running = group.create_task(client.run())
        peer = await smsc.bound_peer()
        sending = group.create_task(attempt(client.send(text())))
        await peer.expect(wire.SubmitSm)
        running.cancel()
        error = await sending
        assert isinstance(error, InDoubt)
        assert "cancelled" in str(error)
        await peer.closed()


# ---------------------------------------------------------------------------------------------------------------- query


async def test_a_query_asks_with_the_id_as_it_was_given() -> None:
    async with talking() as (_, peer, client, _), asyncio.TaskGroup() as group:
        asking = group.create_task(attempt(client.query("00AB", OFFICE)))
        sequence, query = await peer.expect(wire.QuerySm)
        assert (query.message_id, query.source_addr, query.source_addr_ton) == ("00AB", OFFICE[1:], 1)
        peer.send(wire.QuerySmResp(message_id="00AB", message_state=5, error_code=9), sequence)
        assert await asking == MessageState(DeliveryState.UNDELIVERABLE, None, 9)
        asking = group.create_task(attempt(client.query("00AB", OFFICE)))
        sequence, _ = await peer.expect(wire.QuerySm)
        peer.send(wire.QuerySmResp(), sequence, 0x0C)
        error = await asking
        assert isinstance(error, Refused)
        assert "ESME_RINVMSGID" in str(error)
        with pytest.raises(TextInvalid, match="message_id"):
            await client.query("x" * 65, OFFICE)


# ------------------------------------------------------------------------------------------------------------- receipts


async def test_a_receipt_before_the_answer_is_delivered_and_matches_later() -> None:
    async with talking() as (_, peer, client, inbox), asyncio.TaskGroup() as group:
        sending = group.create_task(attempt(client.send(text())))
        sequence, _ = await peer.expect(wire.SubmitSm)
        peer.send(mo(b"id:0000000031 stat:DELIVRD err:0A1 text:", esm_class=0x04), 1)
        await until_stored(inbox, 1)
        peer.send(wire.SubmitSmResp(message_id="1F"), sequence)
        assert await sending == Submission(("1F",), 1)
        (receipt,) = inbox.receipts
        assert canonical_id("1F") in receipt.candidates  # hexadecimal here, decimal with zeros there
        assert (receipt.state, receipt.error) == (DeliveryState.DELIVERED, "0A1")
        await peer.expect(wire.DeliverSmResp)


# ------------------------------------------------------------------------------------------------------------ handshake


async def test_a_tls_handshake_that_never_ends_is_given_up_and_can_be_stopped() -> None:
    async with ScriptedSmsc() as smsc, asyncio.timeout(3.0):
        async with gateway(options(smsc.port, tls=TlsOptions(), connect_seconds=0.05), Inbox()) as client:
            with pytest.raises(NotSent, match=r"within 0\.05 s"):
                await client.wait_bound(5.0, persist=False)
        first = smsc.accepted
        async with gateway(options(smsc.port, tls=TlsOptions(), connect_seconds=60.0), Inbox()):
            await until(lambda: smsc.accepted > first)


@pytest.mark.parametrize(("useful", "attempts"), [(True, 1), (False, 4)])
async def test_pauses_grow_only_while_no_bind_serves_for_anything(useful: bool, attempts: int) -> None:
    async with talking() as (smsc, peer, client, inbox):
        for number in range(4):
            if useful:
                peer.send(mo(b"%d" % number), 1)
                await until_stored(inbox, number + 1)
            peer.cut()
            peer = await smsc.bound_peer()
        assert client.status.binds[0].attempts == attempts


async def test_the_bodys_cancellation_stops_the_gateway_in_order() -> None:
    async with ScriptedSmsc() as smsc:
        stopped: list[LinkState] = []
        bound = asyncio.Event()

        async def live() -> None:
            client = gateway(options(smsc.port), Inbox())
            try:
                async with client:
                    await client.wait_bound(5.0)
                    bound.set()
                    await asyncio.Event().wait()
            finally:
                stopped.append(client.status.state)

        async with asyncio.TaskGroup() as group:
            living = group.create_task(live())
            peer = await smsc.bound_peer()
            await bound.wait()
            living.cancel()
            await peer.expect(wire.Unbind)
        assert stopped == [LinkState.STOPPED]


async def test_an_unanswered_query_is_in_doubt() -> None:
    async with talking(response_seconds=0.05) as (_, peer, client, _), asyncio.TaskGroup() as group:
        asking = group.create_task(attempt(client.query("1", OFFICE)))
        await peer.expect(wire.QuerySm)
        assert isinstance(await asking, InDoubt)
