"""A brokerage whose links to Asterisk and to the SMSC can be cut, frozen and refused, and whose parts can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ari_app.data_folder import database_path
from tests.e2e.brokerage import SETTINGS, Brokerage, open_brokerage
from tests.support.ports import free_port
from tests.support.tcp_proxy import TcpProxy


@dataclass(frozen=True)
class Fragile:
    """ari: between Ringback and Asterisk's HTTP server. smsc: between Ringback and the SMSC."""

    brokerage: Brokerage
    ari: TcpProxy
    smsc: TcpProxy

    async def kill(self) -> None:
        """SIGKILL."""
        await self.brokerage.stop_ringback(signal.SIGKILL)

    def kill_asterisk(self) -> None:
        """As a power cut would; blocks until it is gone."""
        asterisk = self.brokerage.asterisk
        status = asterisk.status()
        assert status is not None
        descriptor = os.pidfd_open(status.pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            assert select.select([descriptor], [], [], 5.0)[0], "it outlived SIGKILL"
        finally:
            os.close(descriptor)
        asterisk.stop()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Ringback stands still while the block runs (SIGSTOP)."""
        process = self.brokerage.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection of somebody else to the books, in autocommit."""
        connection = sqlite3.connect(database_path(self.brokerage.settings), isolation_level=None, timeout=10)
        try:
            yield connection
        finally:
            connection.close()

    def said(self, event: str, *, after: int = 0) -> int:
        """How often the log has this event from a byte on."""
        return self.brokerage.log_path.read_bytes()[after:].count(f'"event": "{event}"'.encode())

    @property
    def log_end(self) -> int:
        """The byte at which the log ends now."""
        return self.brokerage.log_path.stat().st_size

    async def audit(self) -> dict[str, Any]:
        """``ringback audit`` over all calls so far."""
        _, said = await self.brokerage.ringback("audit", "--since", "1d", "--json")
        report: dict[str, Any] = json.loads(said)
        return report


@contextlib.asynccontextmanager
async def open_fragile(
    settings: str = SETTINGS,
    *,
    environment: Mapping[str, str] | None = None,
    link: type[TcpProxy] = TcpProxy,
    **words: Any,
) -> AsyncIterator[Fragile]:
    """One that runs. environment: of Ringback, besides ours. link: what stands before Asterisk's HTTP server."""
    async with TcpProxy("127.0.0.1", free_port()) as smsc:
        text = settings.replace("{smpp_port}", str(smsc.port))
        options = {"smsc": smsc.target_port, "environment": dict(environment or {}), **words}
        async with open_brokerage(text, ringback=False, **options) as brokerage:
            port = brokerage.ports["http_port"]
            async with link("127.0.0.1", port) as ari:
                brokerage.change((f"http: {{port: {port}}}", f"http: {{port: {ari.port}}}"))
                await brokerage.start_ringback()
                try:
                    yield Fragile(brokerage, ari, smsc)
                finally:
                    ari.thaw()
                    await asyncio.sleep(0)  # noqa: TID251 - the pumps let go
