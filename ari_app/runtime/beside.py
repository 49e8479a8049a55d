"""Long work on a thread of its own, which stands back behind all others and does not keep the process from ending."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

NICE = 10
"""How far it stands back behind calls, as nice(1) counts."""


async def beside(job: Callable[[], T], name: str) -> T:
    """Run ``job`` there, and return or raise what it does. Cancelled, it goes on, and nobody hears of it."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, trouble = None, None
        with contextlib.suppress(OSError):  # a sandbox may forbid it: better done beside the others than not at all
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)  # on Linux, of this thread alone
        try:
            result = job()
        except BaseException as error:  # noqa: BLE001 - it is handed to the caller
            trouble = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: whoever waited is gone
            loop.call_soon_threadsafe(settle, result, trouble)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
