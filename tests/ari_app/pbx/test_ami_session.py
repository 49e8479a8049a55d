"""One connection to AMI: what panoramisk leaves open is closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from ari_app.pbx.ami_messages import Headers
from ari_app.pbx.ami_session import LONGEST_MESSAGE_OCTETS, AmiSession
from ari_app.pbx.errors import AmiLostError, AmiRefusedError, AmiUnsafeError
from tests.ari_app.pbx.ami_server import SECRET, AmiServer, channel, message
from tests.support.ports import free_port
from tests.support.waiting import until


@contextlib.asynccontextmanager
async def logged_in(server: AmiServer, *, within: float = 2.0) -> AsyncIterator[tuple[AmiSession, list[Headers]]]:
    """A session, and the events that it heard."""
    heard: list[Headers] = []
    async with AmiSession("127.0.0.1", server.port, "ringback", SECRET, heard.append, within=within) as session:
        yield session, heard


async def test_it_logs_in_asks_and_hears() -> None:
    async with AmiServer() as server, logged_in(server) as (session, heard):
        assert (await session.ask({"Action": "CoreSettings"}))["asteriskversion"] == "22.10.1"
        server.say(message(Event="Newchannel", **channel("1.1")))
        await until(lambda: heard, what="the event")
        assert heard[0]["event"] == "Newchannel"
        assert heard[0]["calleridname"] == "José"


async def test_a_wrong_password_is_an_error_and_not_a_silence() -> None:
    async with AmiServer() as server:
        with pytest.raises(AmiRefusedError) as caught:
            async with AmiSession("127.0.0.1", server.port, "ringback", "wrong", lambda _: None):
                pass
        assert caught.value.said == "Authentication failed"
        assert "wrong" not in str(caught.value)


async def test_nothing_that_listens_is_a_lost_connection() -> None:
    with pytest.raises(AmiLostError):
        async with AmiSession("127.0.0.1", free_port(), "ringback", SECRET, lambda _: None):
            pass


async def test_a_server_that_never_answers_the_login_is_given_up() -> None:
    async with AmiServer() as server:
        server.mute = True
        with pytest.raises(AmiLostError):
            async with logged_in(server, within=0.2):
                pass


@pytest.mark.parametrize("value", ["1\r\nAction: Originate", "1\nX: 2", "1\r"])
@pytest.mark.parametrize("header", ["value", "name"])
async def test_a_line_end_is_refused_before_it_can_become_another_action(value: str, header: str) -> None:
    async with AmiServer() as server, logged_in(server) as (session, _):
        action = {"Action": "Ping", "Channel": value} if header == "value" else {"Action": "Ping", value: "1"}
        with pytest.raises(AmiUnsafeError):
            await session.ask(action)
        await session.ping()
        assert [action["Action"] for action in server.actions] == ["Login", "Ping"]


async def test_an_action_that_is_never_answered_has_its_time() -> None:
    async with AmiServer() as server, logged_in(server, within=0.2) as (session, _):
        server.answers["CoreStatus"] = lambda action: None
        with pytest.raises(AmiLostError):
            await session.ask({"Action": "CoreStatus"})


async def test_a_refused_action_is_told_and_so_is_a_refused_list() -> None:
    async with AmiServer() as server, logged_in(server, within=0.3) as (session, _):
        with pytest.raises(AmiRefusedError, match="Permission denied"):
            await session.ask({"Action": "Originate"})
        with pytest.raises(AmiRefusedError, match="Permission denied"):
            await session.ask_list({"Action": "QueueStatus"})


async def test_events_that_come_in_the_middle_of_a_list_are_events_and_not_rows() -> None:
    async with AmiServer() as server, logged_in(server) as (session, heard):
        server.answers["Status"] = lambda action: (
            message(Response="Success", Action_ID=action["ActionID"], EventList="start", Message="will follow")
            + message(Event="Status", Action_ID=action["ActionID"], **channel("1.1"))
            + message(Event="Newchannel", **channel("9.9"))
            + message(Event="Status", Action_ID=action["ActionID"], **channel("1.2"))
            + message(Event="StatusComplete", Action_ID=action["ActionID"], EventList="Complete")
        )
        rows = await session.ask_list({"Action": "Status"})
        assert [row["uniqueid"] for row in rows] == ["1.1", "1.2"]
        assert [event["uniqueid"] for event in heard] == ["9.9"]


async def test_a_message_may_come_byte_by_byte_and_no_character_is_lost() -> None:
    async with AmiServer() as server, logged_in(server) as (_, heard):
        octets = (message(Event="Newchannel", **channel("1.1")) * 3).encode()
        for octet in octets:
            server.say(bytes([octet]))
            await server.flushed()
        await until(lambda: len(heard) == 3, what="three events")
        assert {event["calleridname"] for event in heard} == {"José"}


async def test_octets_that_are_no_text_do_not_end_the_connection() -> None:
    async with AmiServer() as server, logged_in(server) as (session, heard):
        server.say(b"Event: Newchannel\r\nCallerIDName: \xff\xfe\r\nUniqueid: 1.1\r\n\r\n")
        await until(lambda: heard, what="the event")
        await session.ping()


async def test_a_message_without_end_is_a_lost_connection() -> None:
    async with AmiServer() as server, logged_in(server) as (session, _):
        server.say(b"Event: " + b"x" * (LONGEST_MESSAGE_OCTETS + 1))
        async with asyncio.timeout(5):
            await session.lost()
        with pytest.raises(AmiLostError):
            await session.ping()


async def test_a_cut_connection_ends_what_waits_for_an_answer() -> None:
    async with AmiServer() as server, logged_in(server, within=30.0) as (session, _):
        server.answers["CoreStatus"] = lambda action: server.cut()
        with pytest.raises(AmiLostError):
            await session.ask({"Action": "CoreStatus"})
        await session.lost()


async def test_a_header_that_comes_twice_counts_as_its_last_value() -> None:
    async with AmiServer() as server, logged_in(server) as (_, heard):
        server.say("Event: UserEvent\r\nUserEvent: X\r\nUniqueid: 1.1\r\nKey: 1\r\nKey: 2\r\n\r\n")
        await until(lambda: heard, what="the event")
        assert heard[0]["key"] == "2"


async def test_of_a_channel_s_variables_all_are_kept() -> None:
    async with AmiServer() as server, logged_in(server) as (_, heard):
        variables = "ChanVariable: CALLERID(num-pres)=prohib_not_screened\r\nChanVariable: FROM_DID=\r\n"
        server.say(f"Event: Newstate\r\nUniqueid: 1.1\r\n{variables}\r\n")
        await until(lambda: heard, what="the event")
        assert heard[0]["chanvariable"] == "CALLERID(num-pres)=prohib_not_screened\nFROM_DID="


async def test_nothing_of_a_call_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with AmiServer() as server, logged_in(server) as (session, heard):
        server.say(message(Event="Newchannel", **channel("1.1")))
        await until(lambda: heard, what="the event")
        await session.ping()
        server.cut()
        await session.lost()
    assert not [record for record in caplog.records if "+1305" in record.getMessage() or record.name != "asyncio"]
