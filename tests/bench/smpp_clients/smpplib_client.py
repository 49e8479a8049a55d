"""smpplib: synchronous. Its window is what its user makes of it: so many sent before the answers are read."""

from __future__ import annotations

import time
from typing import Any

import smpplib.client  # type: ignore[import-not-found]

from tests.bench.meter import DESTINATION, SOURCE, Meter, Orders, body_of


def main() -> None:
    """Run."""
    orders = Orders.from_command_line()
    client = smpplib.client.Client("127.0.0.1", orders.port, timeout=orders.response_seconds)
    client.logger.disabled = True
    client.connect()
    client.bind_transceiver(system_id="bench", password="bench")
    meter = Meter(orders)
    open_texts: dict[int, tuple[int, float]] = {}

    def answered(pdu: Any) -> None:
        key, sent_at = open_texts.pop(pdu.sequence)
        meter.ended(key, sent_at, "accepted")

    client.set_message_sent_handler(answered)
    for key in meter.numbers():
        sent_at = time.perf_counter()
        pdu = client.send_message(
            source_addr=SOURCE[1:], destination_addr=DESTINATION[1:], short_message=body_of(key).encode()
        )
        open_texts[pdu.sequence] = (key, sent_at)
        while len(open_texts) >= orders.window:
            client.read_once()
    while open_texts:
        client.read_once()
    meter.report()


main()
