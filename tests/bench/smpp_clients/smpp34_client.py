"""smpp34's client: a Rust core under asyncio."""

from __future__ import annotations

import asyncio

import smpp34

from tests.bench.meter import DESTINATION, SOURCE, Meter, Orders, drive


async def main() -> None:
    """Run."""
    orders = Orders.from_command_line()
    client = smpp34.Client("127.0.0.1", orders.port, "bench", "bench", bind_type="TRX", window_size=orders.window)
    smsc = await client.connect()
    meter = Meter(orders)

    async def send(body: str) -> str:
        try:
            answer = await smsc.submit_sm(DESTINATION[1:], body.encode(), source_addr=SOURCE[1:])
        except Exception:  # noqa: BLE001 - its errors say no more than that there was no answer
            return "in doubt"
        return "accepted" if answer.is_success else "refused"

    await drive(meter, send)
    meter.report()
    await smsc.unbind()


asyncio.run(main())
