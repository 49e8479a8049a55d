"""``ringback reload``: a valid policy is taken over at once, and what only a restart can change is named."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from ari_app.pbx.errors import PbxError, UnsafeValueError
from ari_app.pbx_setup import ManagedPbx
from ari_app.runtime.recorder import PolicyInForce
from ari_app.settings.document import Document
from ari_app.settings.loading import Settings, load
from ari_app.settings.model import SecretUnavailableError
from ari_app.settings.problem import Problem, SettingsError, Severity
from ari_app.settings.texts import SipGateway
from sms_gateway.gateway import Gateway

log = structlog.get_logger("app")

RESTART_SECTIONS = (
    "data",
    "brokerage",
    "backup",
    "pbx",
    "phones",
    "trunks",
    "gateways",
    "email",
    "crm",
    "web",
    "log",
    "voice",
    "prompt",
    "callback",
)
"""Sections that are taken over at a restart only, as far as they are more than policy."""


async def reload(running: Settings, in_force: PolicyInForce, gateways: Mapping[str, Gateway]) -> dict[str, Any]:
    """Take a valid policy over at once; refuse an invalid one, and one that needs what is not running.

    Gateways whose carrier refused them try again: who says so may have mended the account there.
    """
    settings = await asyncio.to_thread(load, running.path)
    _refuse_unknown_gateways(settings, running)
    pbx, trouble = await _rewrite_pbx(settings, running)
    before = in_force.policy.version
    in_force.swap(settings.policy, settings.document.model_dump_json(exclude_unset=True))
    if pbx is not None:
        try:
            await asyncio.to_thread(pbx.take_over)
        except PbxError as error:
            trouble = str(error)
    if trouble is not None:
        log.error("pbx_not_reloaded", error=trouble)
    taken_over = pbx is not None and trouble is None
    tried_again = [name for name, gateway in gateways.items() if gateway.rebind()]
    if tried_again:
        log.info("gateways_try_again", gateways=tried_again)
    return {
        "before": before,
        "now": settings.policy.version,
        "pbx": [path.name for path in pbx.changed] if pbx is not None and taken_over else [],
        "pbx_trouble": trouble,
        "tried_again": tried_again,
        "after_restart": _after_restart(settings, running, pbx_has_it=taken_over),
        "warnings": [problem.as_json() for problem in settings.warnings],
    }


async def _rewrite_pbx(settings: Settings, running: Settings) -> tuple[ManagedPbx | None, str | None]:
    """The managed PBX's configuration for ``settings``, not yet read by it; or what kept us from writing it.

    Raises SettingsError for settings that cannot be written into Asterisk's files.
    """
    try:
        return await asyncio.to_thread(ManagedPbx.rewrite, settings, running), None
    except (UnsafeValueError, SecretUnavailableError) as error:
        raise SettingsError([Problem(Severity.ERROR, settings.place(("pbx",)), "pbx", str(error))]) from error
    except (PbxError, OSError) as error:
        return None, str(error)


def _after_restart(settings: Settings, running: Settings, *, pbx_has_it: bool) -> list[str]:
    """Sections that have changed and that nothing reads before the next start. pbx_has_it: phones and trunks are rendered."""
    new, old = settings.document, running.document
    changed = [section for section in RESTART_SECTIONS if _read_once(new, section) != _read_once(old, section)]
    if not pbx_has_it:
        return changed
    ours = {old.callback.trunk or next(iter(old.trunks), None)}
    ours |= {gateway.trunk for gateway in old.gateways.values() if isinstance(gateway, SipGateway)}
    waiting = {section for section in changed if section != "phones"}
    if all(name is None or new.trunks.get(name) == old.trunks.get(name) for name in ours):
        waiting.discard("trunks")
    return [section for section in changed if section in waiting]


def _read_once(document: Document, section: str) -> object:
    """What of a section is read at the start only. Of the brokerage: the name in the prompts, the address below e-mails, the
    clock of the nightly backup; its telephone and country are policy."""
    if section == "brokerage":
        brokerage = document.brokerage
        return (brokerage.name, brokerage.postal_address, brokerage.time_zone)
    return getattr(document, section)


def _refuse_unknown_gateways(settings: Settings, running: Settings) -> None:
    """Raises SettingsError for a route to a gateway that only a restart would start."""
    problems = [
        Problem(
            Severity.ERROR,
            settings.place(("text_routes", str(index), "via")),
            f"text_routes.{index}.via",
            f"the gateway {route.via!r} is not running: restart Ringback instead of reloading",
        )
        for index, route in enumerate(settings.document.text_routes)
        if route.via not in running.document.gateways
    ]
    if problems:
        raise SettingsError(problems)
