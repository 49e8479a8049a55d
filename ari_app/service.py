"""Telling systemd that the service is ready, alive, draining (sd_notify(3), sd_watchdog_enabled(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import NoReturn

from ari_app.clock import Clock


class ServiceManager:
    """Whoever started us, if it wants to be told. Without ``NOTIFY_SOCKET`` everything here does nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A name in the abstract namespace is written with an @ for its first octet, which is 0.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_seconds = int(environment.get("WATCHDOG_USEC", "0") or 0) / 1e6 if mine else 0.0

    def tell(self, state: str) -> None:
        """Send ``READY=1``, ``STOPPING=1``, ``STATUS=...``. A manager that does not listen is no reason to fail."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            try:
                out.connect(self._address)
                out.send(state.encode())
            except OSError:
                return

    async def stay_alive(self, clock: Clock) -> NoReturn:
        """Say that the loop turns, three times in the time after which systemd restarts us. Until cancelled."""
        while True:
            if self._watchdog_seconds:
                self.tell("WATCHDOG=1")
            await clock.pause(self._watchdog_seconds / 3 if self._watchdog_seconds else 3600.0)
