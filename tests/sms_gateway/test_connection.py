"""A connection's one timer, also where the whole process stood still."""

from __future__ import annotations

import asyncio

import pytest

from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.connection import Connection
from sms_gateway.smpp.events import Accepted, Event, Unanswered
from sms_gateway.smpp.session import Session, Timing
from tests.support import virtual

BIND = wire.BindTransceiver(system_id="ringback", password="secret")
TEXT = wire.SubmitSm(source_addr="100", destination_addr="200", short_message=b"hi")
TIMING = Timing(response=0.5, enquire=30.0, stop=5.0, window=3, inbound_window=2)


class Wire(asyncio.Transport):
    """Takes what is written; nobody reads it."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


class Line:
    """A bound connection with a text on the wire. told: what it reported since, and when."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.told: list[tuple[Event, float]] = []
        session = Session(BIND, TIMING)
        self._connection = Connection(session, lambda _, event: self.told.append((event, self._loop.time())))
        self._connection.connection_made(Wire())
        self.hear(wire.BindTransceiverResp(system_id="smsc"), 1)
        self.told.clear()
        self.ask()

    def ask(self) -> None:
        """Put another text on the wire."""
        self.sequence = self._connection.session.request(TEXT, self._loop.time())
        self._connection.flush()

    def hear(self, body: wire.Body, sequence: int) -> None:
        """The carrier's octets are read now."""
        self._connection.data_received(wire.encode(body, sequence))


def stand_still(seconds: float) -> None:
    """Time goes on and nothing is done."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, virtual.VirtualLoop)
    loop.advance(seconds)


async def pass_time(seconds: float) -> None:
    await asyncio.sleep(seconds)  # noqa: TID251 - virtual


def test_an_answer_that_came_while_we_stood_still_is_an_answer() -> None:
    async def main() -> None:
        line = Line()
        stand_still(10.0)
        await pass_time(0.1)
        line.hear(wire.SubmitSmResp(message_id="a1"), line.sequence)
        await pass_time(5.0)
        assert [event for event, _ in line.told] == [Accepted(line.sequence, "a1")]

    virtual.run(main)


@pytest.mark.parametrize("standstills", [1, 2])
def test_a_carrier_that_goes_on_talking_does_not_put_off_what_is_overdue(standstills: int) -> None:
    async def main() -> None:
        line = Line()
        stand_still(1.0)
        for number in range(100):
            await pass_time(0.1)
            if line.told:
                break
            if number == 0 and standstills == 2:
                stand_still(1.0)
            line.hear(wire.EnquireLink(), 900 + number)
        (event, at), *_ = line.told
        assert isinstance(event, Unanswered)
        assert event.sequence == line.sequence
        # A grace of a quarter of a second after the first standstill, and no more.
        assert at == pytest.approx(1.25 if standstills == 1 else 2.1, abs=0.01)

    virtual.run(main)


def test_a_later_text_has_a_grace_of_its_own() -> None:
    async def main() -> None:
        line = Line()
        for number in (1, 2):
            stand_still(1.0)
            await pass_time(0.1)
            line.hear(wire.SubmitSmResp(message_id=f"a{number}"), line.sequence)
            assert line.told[-1][0] == Accepted(line.sequence, f"a{number}")
            await pass_time(1.0)
            line.ask()

    virtual.run(main)
