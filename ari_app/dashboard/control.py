"""The control socket: a Unix socket in the data folder, for the command line on this machine. Whoever may open it may
give orders, so its folder belongs to us alone."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import structlog
from aiohttp import web

from ari_app.clock import Clock
from ari_app.dashboard.health import Health
from ari_app.errors import StoreUnavailableError
from ari_app.recovery.commands import Acknowledge, Close, Command, Declined, RecordOptOut, decide
from ari_app.recovery.transcript import describe_event
from ari_app.recovery.values import LeadId, e164
from ari_app.runtime.recorder import Recorder
from ari_app.settings.problem import SettingsError
from ari_app.store import journal
from ari_app.store.db import Store

log = structlog.get_logger("control")

Reload = Callable[[], Awaitable[dict[str, Any]]]
"""Takes the settings over from the disk; what changed. Raises SettingsError and keeps the old ones."""


class Control:
    """Answers the command line."""

    def __init__(self, store: Store, recorder: Recorder, clock: Clock, health: Health, reload: Reload) -> None:
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._health = health
        self._reload = reload

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_get("/status", self._status)
        app.router.add_post("/reload", self._do_reload)
        app.router.add_post("/command/{name}", self._command)
        return app

    async def _status(self, _: web.Request) -> web.Response:
        return _answer(200, {**self._health.as_json(), "policy": self._recorder.policy.version})

    async def _do_reload(self, _: web.Request) -> web.Response:
        try:
            changed = await self._reload()
        except SettingsError as error:
            log.warning("reload_refused", problems=len(error.problems))
            return _answer(409, {"error": "refused", "problems": [problem.as_json() for problem in error.problems]})
        log.info("reloaded", policy=self._recorder.policy.version)
        return _answer(200, changed)

    async def _command(self, request: web.Request) -> web.Response:
        try:
            command = _command(request.match_info["name"], orjson.loads(await request.read()))
        except (ValueError, KeyError, TypeError) as error:
            return _answer(400, {"error": f"not understood: {error}"})
        lead_id = None if isinstance(command, RecordOptOut) else command.lead_id
        try:
            lead = None if lead_id is None else await self._store.read(lambda db: journal.lead(db, lead_id))
            event = decide(lead, command, self._recorder.policy, self._clock.now(), secrets.token_hex(8))
            if isinstance(event, Declined):
                return _answer(409, {"error": event.why})
            recorded = await self._recorder.record(event, lead_id)
        except StoreUnavailableError as error:
            return _answer(503, {"error": str(error)})
        assert recorded is not None
        return _answer(200, {"done": describe_event(recorded.event), "seq": recorded.seq})


def _command(name: str, body: dict[str, Any]) -> Command:
    match name:
        case "ack":
            return Acknowledge(LeadId(int(body["lead"])), str(body["by"]))
        case "close":
            return Close(LeadId(int(body["lead"])), str(body["by"]), str(body.get("note", "")))
        case "optout":
            return RecordOptOut(e164(str(body["number"])), str(body["by"]), str(body.get("note", "")))
    raise ValueError(f"no command is called {name}")


def _answer(status: int, body: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def socket_path(data_folder: Path) -> Path:
    """Where the control socket is."""
    return data_folder / "run" / "control.sock"
