"""aiosmpplib: a queue in, a hook out. Its window is what its user makes of it."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiosmpplib import (  # type: ignore[import-not-found]
    ESME,
    AbstractHook,
    GenericNack,
    PhoneNumber,
    SubmitSm,
    SubmitSmResp,
)
from aiosmpplib.broker import SimpleBroker  # type: ignore[import-not-found]
from aiosmpplib.correlator import SimpleCorrelator  # type: ignore[import-not-found]

from tests.bench.meter import DESTINATION, SOURCE, Meter, Orders, drive


class Outcomes(AbstractHook):  # type: ignore[misc]
    """Gives each text the outcome that the hooks tell."""

    def __init__(self) -> None:
        self.open: dict[str, asyncio.Future[str]] = {}

    async def sending(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        """Nothing to do."""

    async def received(self, smpp_message: Any, pdu: bytes, client_id: str) -> None:
        """An answer."""
        if isinstance(smpp_message, SubmitSmResp | GenericNack):
            self._end(smpp_message.log_id, "refused" if int(smpp_message.command_status) else "accepted")

    async def send_error(self, smpp_message: Any, error: Exception, client_id: str) -> None:
        """No answer, or not sent."""
        self._end(smpp_message.log_id, "in doubt")

    def _end(self, log_id: str, outcome: str) -> None:
        future = self.open.pop(log_id, None)
        if future is not None and not future.done():
            future.set_result(outcome)


async def main() -> None:
    """Run."""
    orders = Orders.from_command_line()
    outcomes, broker = Outcomes(), SimpleBroker(maxsize=2500)
    esme = ESME(
        smsc_host="127.0.0.1",
        smsc_port=orders.port,
        system_id="bench",
        password="bench",
        hook=outcomes,
        broker=broker,
        correlator=SimpleCorrelator("bench", max_ttl_response=max(1.0, orders.response_seconds)),  # its least is 1 s
        log_level=logging.CRITICAL,
    )
    meter = Meter(orders)
    source, destination = PhoneNumber(SOURCE[1:]), PhoneNumber(DESTINATION[1:])

    async def send(body: str) -> str:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        outcomes.open[body] = future
        await broker.enqueue(SubmitSm(short_message=body, source=source, destination=destination, log_id=body))
        return await future

    async with asyncio.TaskGroup() as group:
        running = group.create_task(esme.start())
        await drive(meter, send)
        meter.report()
        await esme.stop()
        running.cancel()


asyncio.run(main())
