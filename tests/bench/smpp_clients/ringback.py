"""Our gateway: from the text to the answer, with alphabet, sanitising, pacing and all."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sms_gateway.errors import InDoubt, SmsError
from sms_gateway.messages import InboundText, OutboundText, Receipt
from sms_gateway.smpp.client import SmppGateway
from sms_gateway.smpp.options import LinkOptions
from tests.bench.meter import DESTINATION, SOURCE, Meter, Orders, drive


async def ignore(message: InboundText | Receipt) -> None:
    """Nothing comes in."""


async def main() -> None:
    """Run."""
    orders = Orders.from_command_line()
    options = LinkOptions(
        host="127.0.0.1",
        port=orders.port,
        system_id="bench",
        password="bench",
        window=orders.window,
        rate_per_second=1e9,
        response_seconds=orders.response_seconds,
        reconnect_seconds=0.05,
        stop_seconds=0.5,
    )
    meter = Meter(orders)
    async with SmppGateway(
        options, ignore, wall=lambda: datetime(2026, 1, 1, tzinfo=UTC), random=lambda: 0.5
    ) as gateway:
        await gateway.wait_bound(10.0)

        async def send(body: str) -> str:
            try:
                await gateway.send(OutboundText(SOURCE, DESTINATION, body, "bench"))
            except InDoubt:
                return "in doubt"
            except SmsError:
                return "refused"
            return "accepted"

        await drive(meter, send)
    meter.report()


asyncio.run(main())
