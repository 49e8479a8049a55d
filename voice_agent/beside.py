"""Work that runs beside a block of code, for exactly as long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs ``work`` while the block runs, then cancels it and waits for its end.

    What the block raises comes out as it is, not in the ExceptionGroup that a bare TaskGroup makes of it. A failure of
    ``work`` cancels the block and comes out in an ExceptionGroup: it is a defect.
    """
    raised: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group
            raised = error
        finally:
            for task in tasks:
                task.cancel()
    if raised is not None:
        raise raised
