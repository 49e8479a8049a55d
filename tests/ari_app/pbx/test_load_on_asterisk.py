"""Many callers at once: each told apart, none lost, nothing left behind."""

from __future__ import annotations

import asyncio

import pytest

from ari_app.pbx.ledger import read_cdr
from ari_app.pbx.messages import StasisEnd, StasisStart
from tests.ari_app.pbx.listening import listening
from tests.support.asterisk import CARRIER_IP, TestPbx
from tests.support.sipp import Sipp
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

CALLS = 100


async def test_a_hundred_callers_who_give_up_are_a_hundred_calls_with_an_end(asterisk: TestPbx) -> None:
    offset = read_cdr(asterisk.folders.cdr).offset
    async with listening(asterisk) as listener:
        callers = Sipp(
            "caller_cancels",
            asterisk.sip,
            service="+13055550101",
            ip=CARRIER_IP,
            calls=CALLS,
            rate=25,
            pause_seconds=3.0,  # a busy machine needs a second to take a call
        )
        async with callers, asyncio.TaskGroup() as group:
            for _ in range(CALLS):
                start = await listener.next(StasisStart, within=20.0)
                group.create_task(listener.ari.channels.ring(start.channel.id))
            assert (await callers.result()).ok
        await until(lambda: len(listener.of(StasisEnd)) == CALLS, within=20.0, what="the end of every call")
        started = [event.channel.id for event in listener.of(StasisStart)]
        assert len(set(started)) == CALLS
        assert {event.channel.id for event in listener.of(StasisEnd)} == set(started)
    rows = await until(
        lambda: (r := read_cdr(asterisk.folders.cdr, offset).rows)[CALLS - 1 :] and r, what="every record"
    )
    assert sorted(row.linkedid for row in rows) == sorted(started)
    assert {row.disposition for row in rows} == {"NO ANSWER"}
