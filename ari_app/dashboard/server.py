"""Serves the web edge: ``/health`` and ``/metrics`` on TCP, the control socket on Unix."""

from __future__ import annotations

from pathlib import Path

import orjson
from aiohttp import web

from ari_app.dashboard.control import Control
from ari_app.dashboard.health import Health
from ari_app.dashboard.metrics import Metrics
from ari_app.settings.delivery import WebSection


def public_app(health: Health, metrics: Metrics) -> web.Application:
    """What monitoring may see: no numbers, no texts."""

    async def show_health(_: web.Request) -> web.Response:
        body = health.as_json()
        status = 200 if body["status"] == "ok" else 503
        return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

    async def show_metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        return web.Response(body=metrics.render(), headers=headers)

    app = web.Application()
    app.router.add_get("/health", show_health)
    app.router.add_get("/metrics", show_metrics)
    return app


class WebEdge:
    """Both servers. Use ``start`` and ``stop``."""

    def __init__(self, options: WebSection, health: Health, metrics: Metrics, control: Control, socket: Path) -> None:
        self._options = options
        self._public = web.AppRunner(public_app(health, metrics), access_log=None)
        self._control = web.AppRunner(control.app(), access_log=None)
        self._socket = socket

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken or the socket's path is too long."""
        await self._public.setup()
        await web.TCPSite(self._public, self._options.host, self._options.port).start()
        await self._control.setup()
        self._socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket.parent.chmod(0o700)  # nobody else comes as far as the socket, whatever its own mode is at first
        self._socket.unlink(missing_ok=True)
        await web.UnixSite(self._control, str(self._socket)).start()
        self._socket.chmod(0o600)

    async def stop(self) -> None:
        await self._control.cleanup()
        await self._public.cleanup()
        self._socket.unlink(missing_ok=True)
