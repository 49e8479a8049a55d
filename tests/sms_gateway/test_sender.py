"""Requests in their lanes, without a socket."""

from __future__ import annotations

import asyncio

from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.connection import Connection
from sms_gateway.smpp.events import Accepted, Refusal
from sms_gateway.smpp.health import Counters
from sms_gateway.smpp.sender import Doubt, NeverSent, Outcome, Sender
from sms_gateway.smpp.session import Session, Timing


class Bench:
    """A sender, and a connection whose octets go nowhere."""

    def __init__(self, throttle_seconds: float = 0.01) -> None:
        self.loop = asyncio.get_running_loop()
        self.counters = Counters()
        self.sender = Sender(1e6, self.counters, lambda: 0.5, throttle_seconds)
        self.connection = self.connect()

    def connect(self) -> Connection:
        session = Session(wire.BindTransceiver(system_id="a", password="b"), Timing())
        connection = Connection(session, lambda _, event: self.sender.on_event(event))
        session.start(self.loop.time())
        self.receive(connection, wire.BindTransceiverResp(), 1)
        self.sender.use(connection)
        return connection

    @staticmethod
    def receive(connection: Connection, body: wire.Body, sequence: int, status: int = 0) -> None:
        connection.data_received(wire.encode(body, sequence, status))

    async def ask(self, message: bytes, within: float = 5.0, turn: int | None = None) -> Outcome:
        body = wire.SubmitSm(short_message=message)
        place = self.sender.turn() if turn is None else turn
        return await self.sender.request(body, 0, place, self.loop.time() + within)


async def test_what_was_queued_but_never_handed_out_goes_over_the_next_connection() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as group:
        first, second = (group.create_task(bench.ask(message)) for message in (b"1", b"2"))

        async def cut() -> None:
            # Runs after both requests, and before the turn of the loop in which the second one is flushed.
            bench.connection.abandon("cut")
            bench.sender.use(None)
            again = bench.connect()
            bench.receive(again, wire.SubmitSmResp(message_id="a"), 2)

        group.create_task(cut())
    assert first.result() == Doubt("cut")
    assert second.result() == Accepted(2, "a")
    assert (bench.counters.submitted, bench.counters.accepted, bench.counters.in_doubt) == (2, 1, 1)


async def test_a_pausing_text_is_never_sent_once_the_sender_is_closed() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(bench.ask(b"1"))

        async def throttle_and_close() -> None:
            bench.receive(bench.connection, wire.SubmitSmResp(), 2, 0x58)
            bench.sender.close("closed")

        group.create_task(throttle_and_close())
    assert sending.result() == NeverSent("closed")


async def test_a_text_that_is_throttled_after_the_sender_was_closed_is_told_so() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(bench.ask(b"1"))

        async def close_and_throttle() -> None:
            bench.sender.close("closed")
            bench.receive(bench.connection, wire.SubmitSmResp(), 2, 0x58)

        group.create_task(close_and_throttle())
    assert sending.result() == Refusal(2, 0x58)


async def test_a_closed_sender_does_not_wait_for_a_pause_to_end() -> None:
    bench = Bench(throttle_seconds=3600.0)
    async with asyncio.timeout(2.0), asyncio.TaskGroup() as group:
        sending = group.create_task(bench.ask(b"1", within=1e6))

        async def throttle_and_close() -> None:
            bench.receive(bench.connection, wire.SubmitSmResp(), 2, 0x58)
            assert bench.sender.queued == 1
            bench.sender.close("closed")

        group.create_task(throttle_and_close())
    assert sending.result() == NeverSent("closed")


async def test_what_is_withdrawn_on_the_wire_is_not_sent_again_when_the_carrier_throttles_it() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as group:
        unwanted, other = (group.create_task(bench.ask(b"1", turn=turn)) for turn in (1, 2))

        async def withdraw_and_throttle() -> None:
            bench.sender.withdraw(1)
            for sequence in (2, 3):
                bench.receive(bench.connection, wire.SubmitSmResp(), sequence, 0x58)
            assert bench.sender.queued == 1, "the other comes again"
            bench.sender.close("closed")

        group.create_task(withdraw_and_throttle())
    assert unwanted.result() == NeverSent("withdrawn")
    assert other.result() == NeverSent("closed")


async def test_what_is_withdrawn_before_it_was_handed_out_does_not_go_over_the_next_connection() -> None:
    bench = Bench()
    async with asyncio.TaskGroup() as group:
        first, second = (group.create_task(bench.ask(b"1", turn=turn)) for turn in (1, 2))

        async def withdraw_and_cut() -> None:
            # Runs after both requests, and before the turn of the loop in which the second one is flushed.
            bench.sender.withdraw(1)
            bench.sender.withdraw(2)
            bench.connection.abandon("cut")

        group.create_task(withdraw_and_cut())
    assert first.result() == Doubt("cut"), "it may have arrived, and nothing takes that back"
    assert second.result() == NeverSent("withdrawn")
    assert bench.counters.submitted == 1


async def test_one_outcome_each_whatever_is_closed_meanwhile() -> None:
    bench = Bench()
    bench.sender.use(None)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(bench.ask(b"1"))

        async def close_and_reopen() -> None:
            bench.sender.close("closed")
            assert await bench.ask(b"2") == NeverSent("closed")
            bench.sender.reopen()
            bench.connect()

        group.create_task(close_and_reopen())
    assert waiting.result() == NeverSent("closed")
    assert bench.sender.queued == 0


async def test_texts_whose_time_is_over_before_the_bind_are_never_sent_and_not_kept() -> None:
    bench = Bench()
    bench.sender.use(None)
    outcomes = await asyncio.gather(*(bench.ask(b"1", within=0.0) for _ in range(5)))
    assert outcomes == [NeverSent("its time ran out before its turn came")] * 5
    assert bench.sender._lanes == []
