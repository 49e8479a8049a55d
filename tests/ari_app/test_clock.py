"""The one reader of the clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import islice

from ari_app.clock import SystemClock, backoff
from tests.support import virtual


def test_the_time_is_aware_and_the_machines() -> None:
    before = datetime.now(UTC)  # noqa: TID251 - what it is compared with
    found = SystemClock().now()
    assert found.tzinfo is UTC
    assert timedelta() <= found - before < timedelta(minutes=1)


def test_a_pause_lets_so_much_of_the_loops_time_go_by() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        await SystemClock().pause(90)
        await SystemClock().pause(-5)
        return loop.time()

    assert virtual.run(main) == 90


def test_waits_double_up_to_their_cap_and_never_end() -> None:
    assert list(islice(backoff(0.2, 5.0), 8)) == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
