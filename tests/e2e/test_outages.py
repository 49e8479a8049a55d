"""What is due while the SMSC or the mail server cannot be reached goes when it is back, once."""

from __future__ import annotations

import pytest

from tests.e2e.brokerage import MAIN, SETTINGS, open_brokerage
from tests.e2e.scenes import missed_call, settled
from tests.support.ports import free_port
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_a_text_waits_for_the_smsc_and_a_mail_for_its_server(caller: str) -> None:
    async with TcpProxy("127.0.0.1", free_port()) as link:
        settings = SETTINGS.replace("{smpp_port}", str(link.port))
        async with open_brokerage(settings, smsc=link.target_port) as brokerage:
            brokerage.stop_mail()
            link.refusing = True
            link.cut()
            await until(lambda: "gateway sms" not in brokerage.well(), within=15.0, what="the gateway to be down")
            async with missed_call(brokerage, caller) as mobile:
                mobile.hang_up()
                text, _ = (await until(lambda: brokerage.orders(caller, "text"), what="the text's order"))[0]
                await until(lambda: brokerage.attempts(text) >= 1, what="an attempt at the text")
                # The alert goes out when the text has had its time, and finds no server.
                await until(lambda: brokerage.tried("alert"), within=15.0, what="an attempt at the alert")
                assert brokerage.smsc.to(caller) == []
                link.refusing = False
                brokerage.start_mail()
                sent = await settled(brokerage, caller, "text", within=30.0)
                await brokerage.mail(caller, "Missed call", within=30.0)
            assert sent.body["outcome"] == "done"
            assert len(brokerage.smsc.to(caller)) == 1
            assert len(brokerage.mails(caller)) == 1


async def test_a_stop_that_waited_at_the_carrier_is_heard_before_the_text_that_waited_here(caller: str) -> None:
    async with TcpProxy("127.0.0.1", free_port()) as link:
        settings = SETTINGS.replace("{smpp_port}", str(link.port))
        async with open_brokerage(settings, smsc=link.target_port) as brokerage:
            link.refusing = True
            link.cut()
            await until(lambda: "gateway sms" not in brokerage.well(), within=15.0, what="the gateway to be down")
            brokerage.smsc.forget_clients()
            async with missed_call(brokerage, caller) as mobile:
                mobile.hang_up()
                text, _ = (await until(lambda: brokerage.orders(caller, "text"), what="the text's order"))[0]
                await until(lambda: brokerage.attempts(text) >= 1, what="an attempt at the text")
                link.refusing = False
                await brokerage.smsc.text(caller, MAIN, "STOP")  # as soon as anybody is bound
                await brokerage.event("TextReceived", within=30.0)
            await until(lambda: brokerage.smsc.to(caller), within=15.0, what="the confirmation")
            [only] = brokerage.smsc.to(caller)
            assert "Are you buying" not in only.body
            [(status,)] = brokerage.query("SELECT status FROM outbox WHERE id = ?", [text])
            assert status in ("cancelled", "refused")
