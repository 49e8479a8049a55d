"""Work that runs beside a block of code, for no longer than the block."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any


class Side:
    """Starts more work beside the block."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The task; it may be cancelled."""
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """All of it, without waiting for its end."""
        for task in self._tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[Side]:
    """Runs ``work`` while the block runs, then cancels it and waits for its end.

    What the block raises comes out as it is, not in the ExceptionGroup that a bare TaskGroup makes of it. A failure of
    ``work`` cancels the block and comes out in an ExceptionGroup: it is a defect.
    """
    raised: Exception | None = None
    async with asyncio.TaskGroup() as group:
        side = Side(group)
        for one in work:
            side.start(one)
        try:
            yield side
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group
            raised = error
        finally:
            side.cancel()
    if raised is not None:
        raise raised
