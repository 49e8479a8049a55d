"""The event socket against everything that breaks it: cuts, silence, restarts, rivals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ari_app.pbx.event_socket import AsteriskRestarted, Connected, Disconnected, EventSocket, SocketEvent, TakenOver
from ari_app.pbx.messages import ApplicationReplaced, ContactStatusChange, StasisEnd, StasisStart, TextMessageReceived
from ari_app.pbx.models import AsteriskInfo
from tests.ari_app.pbx.listening import BRISK, listening, until_forgotten
from tests.support.asterisk import TestPbx, running_pbx
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NUMBER = "+13055550101"


def _proxy(pbx: TestPbx) -> TcpProxy:
    return TcpProxy(pbx.telephony.pbx.http.host, pbx.telephony.pbx.http.port)


async def test_a_snapshot_comes_with_the_connection_and_holds_what_is_going_on(asterisk: TestPbx) -> None:
    async with asterisk.desk_phone("101"), asterisk.mobile() as mobile:
        mobile.call(asterisk.dial_in(NUMBER))  # rings 101 by the dialplan, as we are away
        await mobile.heard("progress")
        async with listening(asterisk) as listener:
            snapshot = listener.of(Connected)[0].snapshot
            assert (
                snapshot.info.version == str(asterisk.host.version)
                or str(asterisk.host.version) in snapshot.info.version
            )
            assert {channel.endpoint for channel in snapshot.channels} == {"PJSIP/carrier", "PJSIP/101"}
            assert {each.resource: each.online for each in snapshot.endpoints} == {
                "101": True,
                "102": False,
                "103": False,
                "carrier": True,
            }
            assert snapshot.application.name == asterisk.app
        mobile.hang_up()
        await mobile.heard("ended")


async def test_a_call_that_was_ours_when_we_died_is_found_again(asterisk: TestPbx) -> None:
    async with asterisk.mobile() as mobile:
        async with listening(asterisk) as before:
            mobile.call(asterisk.dial_in(NUMBER))
            call = (await before.next(StasisStart)).channel
            await before.ari.channels.ring(call.id)
            await mobile.heard("progress")
        async with listening(asterisk) as after:
            snapshot = after.of(Connected)[0].snapshot
            assert [(channel.id, channel.created) for channel in snapshot.channels] == [(call.id, call.created)]
            await after.ari.channels.hangup(call.id)
            await mobile.heard("ended")


async def test_phones_that_come_and_go_are_reported(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener:
        async with asterisk.desk_phone("103"):
            came = await listener.next(ContactStatusChange, lambda event: event.status == "Reachable")
            assert came.endpoint.resource == "103"
        gone = await listener.next(ContactStatusChange, lambda event: event.status == "Removed")
        assert gone.endpoint.resource == "103"


async def test_texts_come_and_go(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener, asterisk.desk_phone("101") as desk:
        desk.send_message(asterisk.dial_in("ringback"), "Is the house still there?")
        received = await listener.next(TextMessageReceived)
        assert received.message.body == "Is the house still there?"
        assert len(listener.of(TextMessageReceived)) == 1
        await listener.ari.endpoints.send_message("pjsip:101", f"sip:ringback@{asterisk.sip}", "Yes; it's {here} é")
        assert (await desk.heard("message")).facts["body"] == "Yes; it's {here} é"


async def test_twenty_five_cuts_in_a_row_are_each_noticed_and_mended(asterisk: TestPbx) -> None:
    loop = asyncio.get_running_loop()
    async with _proxy(asterisk) as proxy, listening(asterisk, url=proxy.url) as listener, asterisk.ari() as direct:
        for _ in range(25):
            cut_at = loop.time()
            proxy.cut()
            lost = await listener.next(Disconnected, within=2.0)
            assert loop.time() - cut_at < 0.5
            assert 0.5 <= lost.retry_seconds <= 1.0
            await listener.next(Connected, within=3.0)
            assert (await direct.applications.get(asterisk.app)).name == asterisk.app
        async with asterisk.mobile() as mobile:
            mobile.call(asterisk.dial_in(NUMBER))
            start = await listener.next(StasisStart)
            await direct.channels.hangup(start.channel.id)


async def test_a_link_that_goes_silent_is_noticed_and_mended(asterisk: TestPbx) -> None:
    loop = asyncio.get_running_loop()
    async with _proxy(asterisk) as proxy, listening(asterisk, url=proxy.url) as listener:
        proxy.freeze()
        frozen_at = loop.time()
        lost = await listener.next(Disconnected, within=5.0)
        assert "not heard" in lost.why
        assert loop.time() - frozen_at < BRISK.check_every + BRISK.answer_within + BRISK.close_within + 0.3
        proxy.cut()
        proxy.thaw()
        await listener.next(Connected, within=10.0)


async def test_an_application_that_asterisk_has_forgotten_is_registered_anew(asterisk: TestPbx) -> None:
    """The race that loses an application for ever: its name goes while the socket stays open."""
    async with listening(asterisk) as listener:
        real = listener.ari.applications.probe

        async def forgotten(application: str, name: str) -> None:
            listener.ari.applications.probe = real  # type: ignore[method-assign]
            await real("no-such-application", name)

        listener.ari.applications.probe = forgotten  # type: ignore[method-assign]
        lost = await listener.next(Disconnected, within=3.0)
        assert "forgotten" in lost.why
        await listener.next(Connected, within=3.0)


async def test_an_application_whose_events_go_nowhere_is_registered_anew(asterisk: TestPbx) -> None:
    """Asterisk keeps an application that has calls without its socket, and still calls it registered."""
    async with listening(asterisk) as listener:
        real = listener.ari.applications.probe

        async def unheard(application: str, name: str) -> None:
            listener.ari.applications.probe = real  # type: ignore[method-assign]

        listener.ari.applications.probe = unheard  # type: ignore[method-assign]
        lost = await listener.next(Disconnected, within=3.0)
        assert "not heard" in lost.why
        await listener.next(Connected, within=3.0)


async def test_a_call_that_arrives_while_we_look_is_delivered_after_what_we_saw(asterisk: TestPbx) -> None:
    events: list[SocketEvent] = []
    async with asterisk.mobile() as mobile, asterisk.ari() as ari:
        look = ari.server.info

        async def look_while_a_call_comes() -> AsteriskInfo:
            mobile.call(asterisk.dial_in(NUMBER))
            async with asyncio.timeout(5.0):
                while not await ari.channels.list():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)  # noqa: TID251 - Asterisk is asked, it does not tell
            return await look()

        ari.server.info = look_while_a_call_comes  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            task = group.create_task(EventSocket(ari, events.append, chance=lambda: 0.5, timing=BRISK).run())
            await until(lambda: len(events) >= 2, what="the snapshot and the call")
            connected, start = events[:2]
            assert isinstance(connected, Connected)
            assert isinstance(start, StasisStart)
            assert [channel.id for channel in connected.snapshot.channels] == [start.channel.id]
            await ari.channels.hangup(start.channel.id)
            await mobile.heard("ended")
            task.cancel()
        await until_forgotten(ari)


async def test_a_rival_that_takes_the_application_is_reported_and_not_fought(asterisk: TestPbx) -> None:
    events: list[SocketEvent] = []
    async with asterisk.ari() as ours, asterisk.ari() as rivals, asyncio.TaskGroup() as group:
        task = group.create_task(EventSocket(ours, events.append, chance=lambda: 0.5, timing=BRISK).run())
        await until(lambda: events, what="ours to be connected")
        async with await rivals.http.open_events(asterisk.app, close_within=0.5) as socket:
            await until(lambda: TakenOver(asterisk.app) in events, what="ours to notice")
            with pytest.raises(TimeoutError):  # nobody takes it back
                await socket.receive(timeout=5 * BRISK.check_every)
        await until(lambda: isinstance(events[-1], Connected), within=15.0, what="ours again, when the rival has gone")
        assert [type(event) for event in events] == [Connected, ApplicationReplaced, TakenOver, Connected]
        task.cancel()
        await until_forgotten(rivals)


async def test_a_rival_that_came_and_went_during_a_call_does_not_leave_us_deaf_until_its_end(asterisk: TestPbx) -> None:
    events: list[SocketEvent] = []
    timing = replace(BRISK, rival_keeps=1.5)
    async with (
        asterisk.ari() as ours,
        asterisk.ari() as rivals,
        asterisk.mobile() as mobile,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(EventSocket(ours, events.append, chance=lambda: 0.5, timing=timing).run())
        await until(lambda: events, what="ours to be connected")
        mobile.call(asterisk.dial_in(NUMBER))
        await until(lambda: isinstance(events[-1], StasisStart), what="the call")
        async with await rivals.http.open_events(asterisk.app, close_within=0.5):
            await until(lambda: TakenOver(asterisk.app) in events, what="ours to notice")
        assert (await rivals.applications.get(asterisk.app)).channels, "the call keeps it registered"
        await until(lambda: isinstance(events[-1], Connected), within=5.0, what="ours again")
        [call] = (await rivals.applications.get(asterisk.app)).channels
        await rivals.channels.hangup(call)
        await until(lambda: isinstance(events[-1], StasisEnd), what="its end to be heard")
        task.cancel()
        await until_forgotten(rivals)


async def test_a_wrong_password_is_said_and_tried_again(asterisk: TestPbx) -> None:
    events: list[SocketEvent] = []
    async with asterisk.ari(password="wrong") as ari, asyncio.TaskGroup() as group:
        task = group.create_task(EventSocket(ari, events.append, chance=lambda: 0.0, timing=BRISK).run())
        await until(lambda: len(events) >= 2, what="two tries")
        task.cancel()
    for event in events:
        assert isinstance(event, Disconnected)
        assert "401" in event.why


@pytest.fixture
def own_pbx() -> Iterator[TestPbx]:
    """One that may be killed."""
    with running_pbx() as pbx:
        yield pbx


async def test_an_asterisk_that_was_killed_and_started_again_is_told_from_the_one_before(own_pbx: TestPbx) -> None:
    async with listening(own_pbx) as listener:
        first = listener.of(Connected)[0].snapshot.info
        own_pbx.kill()
        await listener.next(Disconnected, within=2.0)
        await asyncio.sleep(1.0)  # noqa: TID251 - Asterisk tells its start in whole seconds
        await asyncio.to_thread(own_pbx.start, child=False)  # a thread of the pool may end before it
        restarted = await listener.next(AsteriskRestarted, within=8.0)
        assert restarted.before == first.started
        assert restarted.now > restarted.before
        await listener.next(Connected)
