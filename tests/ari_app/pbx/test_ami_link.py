"""AMI for good: a snapshot at each connection, a dead link noticed, connected again, and nothing asked twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from ari_app.pbx.ami_link import (
    AmiAddress,
    AmiConnected,
    AmiDisconnected,
    AmiEventRefused,
    AmiLink,
    AmiTiming,
    LinkEvent,
)
from ari_app.pbx.ami_messages import NewChannel
from tests.ari_app.pbx.ami_server import SECRET, AmiServer, channel, message
from tests.support.ports import free_port
from tests.support.waiting import until

QUICK = AmiTiming(first_delay=0.02, longest_delay=0.1, refused_delay=0.2, ping_every=0.2, answer_within=0.3)


@contextlib.asynccontextmanager
async def linked(port: int, *, secret: str = SECRET) -> AsyncIterator[list[LinkEvent]]:
    """What a running link has delivered."""
    heard: list[LinkEvent] = []
    link = AmiLink(AmiAddress("127.0.0.1", port, "ringback", secret), heard.append, chance=lambda: 0.5, timing=QUICK)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(link.run())
        try:
            yield heard
        finally:
            running.cancel()


def kinds(heard: list[LinkEvent]) -> list[type[object]]:
    return [type(event) for event in heard]


async def test_the_first_thing_told_is_how_things_stand() -> None:
    async with AmiServer() as server:
        server.rows = [{**channel("1.1"), "DNID": "13055550100", "Seconds": 7}]
        async with linked(server.port) as heard:
            await until(lambda: heard, what="the snapshot")
            connected = heard[0]
            assert isinstance(connected, AmiConnected)
            assert (connected.version, connected.restarted) == ("22.10.1", False)
            assert [(row.channel.uniqueid, row.dialled, row.seconds) for row in connected.rows] == [
                ("1.1", "13055550100", 7)
            ]


async def test_what_comes_before_the_snapshot_is_told_after_it() -> None:
    async with AmiServer() as server:
        server.answers["CoreSettings"] = lambda action: (
            message(Event="Newchannel", **channel("2.2"))
            + message(Response="Success", Action_ID=action["ActionID"], AsteriskVersion="22.10.1")
        )
        async with linked(server.port) as heard:
            await until(lambda: len(heard) == 2, what="the snapshot and the event")
            assert kinds(heard) == [AmiConnected, NewChannel]


async def test_a_cut_link_is_told_and_mended_with_a_snapshot_of_its_own() -> None:
    async with AmiServer() as server, linked(server.port) as heard:
        await until(lambda: heard, what="the snapshot")
        server.cut()
        await until(lambda: len(heard) >= 3, what="the new connection")
        assert kinds(heard) == [AmiConnected, AmiDisconnected, AmiConnected]
        assert isinstance(heard[1], AmiDisconnected)
        assert not heard[1].refused


async def test_a_link_that_answers_nothing_any_more_is_noticed() -> None:
    async with AmiServer() as server, linked(server.port) as heard:
        await until(lambda: heard, what="the snapshot")
        server.mute = True
        await until(lambda: AmiDisconnected in kinds(heard), what="the silence to be noticed")
        server.mute = False
        await until(lambda: kinds(heard)[-1] is AmiConnected, what="to be back")


async def test_what_was_not_answered_is_not_asked_again_by_itself() -> None:
    async with AmiServer() as server:
        server.answers["CoreStatus"] = lambda action: server.cut()
        async with linked(server.port) as heard:
            await until(lambda: server.logins >= 4, what="some connections")
            assert AmiConnected not in kinds(heard)
            assert len(server.did("CoreStatus")) <= server.logins, "once for each connection"


async def test_an_asterisk_that_started_anew_is_told_as_such() -> None:
    async with AmiServer() as server, linked(server.port) as heard:
        await until(lambda: heard, what="the snapshot")
        server.started = "10:05:00"
        server.cut()
        await until(lambda: len(heard) >= 3, what="the new connection")
        connected = heard[-1]
        assert isinstance(connected, AmiConnected)
        assert connected.restarted


async def test_a_refusal_is_told_as_one_and_tried_again_later() -> None:
    async with AmiServer() as server, linked(server.port, secret="wrong") as heard:
        await until(lambda: len(heard) >= 2, what="two refusals")
        for event in heard:
            assert isinstance(event, AmiDisconnected)
            assert (event.refused, event.retry_seconds) == (True, QUICK.refused_delay)


async def test_delays_grow_to_their_limit_while_nobody_is_there() -> None:
    async with linked(free_port()) as heard:
        await until(lambda: len(heard) >= 5, what="five failures")
        delays = [event.retry_seconds for event in heard if isinstance(event, AmiDisconnected)]
    assert delays[:4] == pytest.approx([0.015, 0.03, 0.06, 0.075])


@pytest.mark.parametrize(("failures", "longest"), [(0, 0.25), (1, 0.5), (3, 2.0), (99, 2.0)])
def test_half_of_each_delay_is_chance(failures: int, longest: float) -> None:
    timing = AmiTiming()
    assert timing.delay(failures, 0.0) == pytest.approx(longest / 2)
    assert timing.delay(failures, 0.999) == pytest.approx(longest, rel=0.01)


def test_a_dead_link_is_noticed_within_ten_seconds() -> None:
    timing = AmiTiming()
    assert timing.ping_every + timing.answer_within <= 10


async def test_a_message_that_is_not_what_ami_documents_is_named_and_the_link_stays() -> None:
    async with AmiServer() as server, linked(server.port) as heard:
        await until(lambda: heard, what="the snapshot")
        server.say(message(Event="Hangup", **{**channel("1.1"), "Cause": "gone"}))
        server.say(message(Event="Newchannel", **channel("1.1")))
        await until(lambda: len(heard) >= 3, what="both")
        assert kinds(heard) == [AmiConnected, AmiEventRefused, NewChannel]
