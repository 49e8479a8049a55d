"""The tests' SMSC brings whatever a person may type, as a carrier would."""

from __future__ import annotations

import pytest

from tests.bench.chaos_smsc import MoodySmsc
from tests.sms_gateway.scripted import CALLER, OFFICE, Inbox, gateway, options
from tests.support.ports import free_port
from tests.support.stage import Smsc
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until


@pytest.mark.parametrize(
    "body", ["STOP", "¿Cuánto cuesta? 100 € @ mediodía", "Don’t call 😀", "long " * 60, "länger 😀 " * 30]
)
async def test_every_text_arrives_as_it_was_typed(body: str) -> None:
    smsc, inbox = Smsc(free_port()), Inbox()
    await smsc.start()
    try:
        # This SMSC waits for each answer, which is held back while the rest of a long text may come.
        async with gateway(options(smsc.port, parts_hold_seconds=0.2), inbox) as client:
            await client.wait_bound(5.0)
            assert await smsc.offer(CALLER, OFFICE, body.strip()) == 0
            await until(lambda: "".join(text.body for text in inbox.texts) == body.strip(), what=f"it in {inbox.texts}")
            assert {text.source for text in inbox.texts} == {CALLER}
    finally:
        await smsc.stop()


async def test_who_was_bound_binds_again_after_a_goodbye() -> None:
    smsc = Smsc(free_port())
    await smsc.start()
    try:
        async with gateway(options(smsc.port), Inbox()) as client:
            await client.wait_bound(5.0)
            await until(lambda: smsc.binds == 1, what="the SMSC to know")
            await smsc.unbind_all()
            await until(lambda: smsc.binds == 2, what="the bind after the goodbye")
    finally:
        await smsc.stop()


async def test_who_was_bound_binds_again_after_a_restart_and_gets_what_is_owed() -> None:
    inbox = Inbox()
    async with TcpProxy("127.0.0.1", free_port()) as link:
        smsc = MoodySmsc(link.target_port, 1, link.cut, lambda text: None)
        await smsc.start()
        try:
            async with gateway(options(link.port), inbox) as client:
                await client.wait_bound(5.0)
                await until(lambda: smsc.binds == 1, what="the SMSC to know")
                await smsc.restart()
                smsc.bring(CALLER, OFFICE, "STOP")
                await until(lambda: inbox.texts and not smsc.owes, within=15.0, what="the text")
                await until(lambda: smsc.binds >= 2, what="the SMSC to know of the second bind")
        finally:
            await smsc.stop()
