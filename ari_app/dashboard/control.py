"""The control socket: a Unix socket in the data folder, for the command line on this machine. Whoever may open it may
give orders, so its folder belongs to us alone."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import structlog
from aiohttp import web

from ari_app.clock import Clock
from ari_app.dashboard.health import Health
from ari_app.errors import StoreError
from ari_app.recovery.commands import Acknowledge, Close, Command, Declined, Drop, RecordOptOut, Resend
from ari_app.recovery.transcript import describe_event
from ari_app.recovery.values import EffectId, LeadId, e164
from ari_app.runtime.asking import ask, refusal
from ari_app.runtime.recorder import Recorder
from ari_app.settings.problem import SettingsError

log = structlog.get_logger("control")

LONGEST_WORDS = 2000
"""Of a note that a person writes."""

Reload = Callable[[], Awaitable[dict[str, Any]]]
"""Takes the settings over from the disk; what changed. Raises SettingsError and keeps the old ones."""


class Control:
    """Answers the command line."""

    def __init__(self, recorder: Recorder, clock: Clock, health: Health, reload: Reload) -> None:
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
        try:
            done = await ask(self._recorder, self._clock, command, secrets.token_hex(8))
        except StoreError as error:
            return _answer(503, {"error": str(error)})
        if isinstance(done, Declined):
            return _answer(409, {"error": done.why})
        if isinstance(command, Resend) and (why := refusal(done)) is not None:
            return _answer(409, {"error": f"not sent again: {why}"})
        return _answer(200, {"done": describe_event(done.event), "seq": done.seq})


def _command(name: str, body: object) -> Command:
    """Raises ValueError, KeyError, TypeError."""
    if not isinstance(body, dict):
        raise TypeError("expected an object")
    match name:
        case "ack":
            return Acknowledge(_lead(body["lead"]), _words(body["by"]))
        case "close":
            return Close(_lead(body["lead"]), _words(body["by"]), _words(body.get("note", "")))
        case "optout":
            return RecordOptOut(e164(_words(body["number"])), _words(body["by"]), _words(body.get("note", "")))
        case "resend":
            return Resend(EffectId(_words(body["order"])), _words(body["by"]))
        case "drop":
            return Drop(EffectId(_words(body["order"])), _words(body["by"]), _words(body.get("note", "")))
    raise ValueError(f"no command is called {name}")


def _lead(value: object) -> LeadId:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise ValueError(f"expected a lead's number, found {value!r}")
    return LeadId(value)


def _words(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_WORDS:
        raise ValueError(f"expected text of at most {LONGEST_WORDS} characters")
    return value


def _answer(status: int, body: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
