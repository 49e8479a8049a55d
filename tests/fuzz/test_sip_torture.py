"""SIP of strangers, at a real Asterisk with a running Ringback: nothing comes of it, and a good call goes on as ever."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from ari_app.pbx_setup import pbx_folders
from tests.e2e.brokerage import MAIN, Brokerage, open_brokerage
from tests.e2e.scenes import missed_call, settled, verdict
from tests.fuzz.sip_messages import SCANNERS, Writer, noise, torsos, wounded
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

STRANGER_IP = "127.0.0.7"
CARRIER_IP = "127.0.0.2"
_CALLERS = iter(range(7100, 7200))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def brokerage() -> AsyncIterator[Brokerage]:
    async with open_brokerage() as found:
        yield found


class Stranger:
    """A socket that sends datagrams to the PBX, and reads whatever is answered."""

    def __init__(self, ip: str, brokerage: Brokerage) -> None:
        self._target = ("127.0.0.1", brokerage.ports["sip_port"])
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ip, 0))
        self._socket.setblocking(False)
        self.answers: list[bytes] = []
        host, port = self._socket.getsockname()
        self.writer = Writer(f"{host}:{port}", f"127.0.0.1:{self._target[1]}", MAIN)

    async def send(self, *datagrams: bytes) -> None:
        """Send them one after the other, reading between; an own OPTIONS at the end shows that all were dealt with."""
        for datagram in datagrams:
            self._socket.sendto(datagram, self._target)
            self._read()
            await asyncio.sleep(0)  # noqa: TID251 - let the others run
        await self.is_answered()

    async def is_answered(self) -> None:
        """Asterisk is alive and takes its turn. A datagram may be lost in a flood, so it is asked again."""

        def probe() -> bool:
            self._socket.sendto(self.writer.request("OPTIONS", body="", User_Agent="probe"), self._target)
            self._read()
            return any(b"OPTIONS" in answer and b"SIP/2.0" in answer[:8] for answer in self.answers)

        self._read()
        self.answers.clear()
        await until(probe, within=20.0, what="an answer of Asterisk")

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.answers.append(self._socket.recv(65536))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def stranger(brokerage: Brokerage) -> Iterator[Stranger]:
    found = Stranger(STRANGER_IP, brokerage)
    yield found
    found.close()


@pytest.fixture
def carrier(brokerage: Brokerage) -> Iterator[Stranger]:
    """Somebody at the address from which the carrier's calls come."""
    found = Stranger(CARRIER_IP, brokerage)
    yield found
    found.close()


@contextlib.asynccontextmanager
async def nothing_comes_of_it(brokerage: Brokerage) -> AsyncIterator[None]:
    """Inside, no channel is made, nothing is recorded, nobody is texted or called; and a good call goes well afterwards."""
    pid, before, texts = _pid(brokerage), brokerage.now, len(brokerage.smsc.texts)
    channels = _channels_made(brokerage)
    assert brokerage.carrier is not None
    called = len(brokerage.carrier.invites)
    yield
    assert _pid(brokerage) == pid, "Asterisk is the same as before"
    assert _channels_made(brokerage) == channels
    # What the good call of the test before has ordered may still be settled meanwhile.
    later = [
        event for event in brokerage.events(after=before) if event.type not in ("EffectSettled", "ReceiptReceived")
    ]
    assert later == []
    assert len(brokerage.smsc.texts) == texts
    assert len(brokerage.carrier.invites) == called
    await _a_good_call_goes_well(brokerage)


async def _a_good_call_goes_well(brokerage: Brokerage) -> None:
    caller = f"+1305555{next(_CALLERS)}"
    async with missed_call(brokerage, caller) as mobile:
        mobile.hang_up()
        sent = await settled(brokerage, caller, "text")
        await brokerage.event("CallerLeft", caller=caller)
    assert sent.body["outcome"] == "done"
    assert verdict(brokerage, caller) == ["unreachable"], "no desk phone is there"
    assert len(brokerage.smsc.to(caller)) == 1
    await until(lambda: not brokerage.channels(), within=20.0, what="all channels to be gone")


def _pid(brokerage: Brokerage) -> int:
    status = brokerage.asterisk.status()
    assert status is not None
    return status.pid


def _channels_made(brokerage: Brokerage) -> int:
    """How many channels Asterisk has ever made, by its own ledger."""
    cel: Path = pbx_folders(brokerage.settings).cel
    return cel.read_bytes().count(b'"CHAN_START"') if cel.exists() else 0


# -------------------------------------------------------------------------------------------------------------- strangers
async def test_torture_messages_of_a_stranger_lead_to_nothing(brokerage: Brokerage, stranger: Stranger) -> None:
    messages = dict(stranger.writer.torture())
    assert len(messages) > 70
    async with nothing_comes_of_it(brokerage):
        await stranger.send(*messages.values())


async def test_garbage_leads_to_nothing(brokerage: Brokerage, stranger: Stranger) -> None:
    async with nothing_comes_of_it(brokerage):
        whole = stranger.writer.request()
        await stranger.send(*noise(), *torsos(whole), *wounded(whole))


async def test_a_flood_of_scanners_leads_to_nothing(brokerage: Brokerage, stranger: Stranger) -> None:
    assert len(set(SCANNERS)) == 100
    async with nothing_comes_of_it(brokerage):
        for index, agent in enumerate(SCANNERS):
            await stranger.send(*stranger.writer.scan(agent, str(100 + index)))


async def test_a_call_goes_well_in_the_midst_of_a_flood(brokerage: Brokerage, stranger: Stranger) -> None:
    async def flood() -> None:
        while True:
            for index, agent in enumerate(SCANNERS):
                await stranger.send(*stranger.writer.scan(agent, str(100 + index)))

    flooding = asyncio.get_running_loop().create_task(flood())
    try:
        await _a_good_call_goes_well(brokerage)
        assert not flooding.done()
    finally:
        flooding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await flooding


# ----------------------------------------------------------------------------------------------------- the carrier's address
async def test_garbage_from_the_carriers_own_address_leads_to_nothing(brokerage: Brokerage, carrier: Stranger) -> None:
    async with nothing_comes_of_it(brokerage):
        await carrier.send(*noise(), *torsos(carrier.writer.request()))


async def test_torture_from_the_carriers_address_has_one_verdict_for_each_call_and_no_text(
    brokerage: Brokerage, carrier: Stranger
) -> None:
    before, texts, pid = brokerage.now, len(brokerage.smsc.texts), _pid(brokerage)
    messages = dict(carrier.writer.torture())
    del messages["a text of a stranger"]  # from here it is a person's STOP, and confirmed
    for message in messages.values():
        await carrier.send(message)
    await until(lambda: not brokerage.channels(), within=90.0, what="all channels to be gone")
    assert _pid(brokerage) == pid
    calls = [event.body["call_id"] for event in brokerage.events(after=before) if "verdict" in event.body]
    assert calls, "some of it is odd and yet a call"
    assert len(set(calls)) == len(calls)
    # The number in their From is on the block list, and what else stands there is none: nobody is to be texted.
    assert len(brokerage.smsc.texts) == texts
    await _a_good_call_goes_well(brokerage)
