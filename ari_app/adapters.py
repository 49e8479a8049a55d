"""The adapters behind the dispatcher, built from the settings: one lane for each kind of order."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Mapping

from ari_app.calls.placer import CallbackOptions, CallbackPlacer
from ari_app.calls.supervisor import CallSupervisor
from ari_app.calls.watch_setup import NoCallbacks
from ari_app.clock import Clock
from ari_app.crm.jsonl import JsonLines
from ari_app.crm.port import Crm, CrmAdapter
from ari_app.crm.webhook import Webhook, signing_key
from ari_app.notify.email import EmailAdapter, Mailer, MailServer
from ari_app.notify.gateways import fixed_senders
from ari_app.notify.texts import TextAdapter
from ari_app.pbx.ari import Ari
from ari_app.pbx.own_address import own_address_towards
from ari_app.runtime.dispatcher import AfterCrash, Lane
from ari_app.runtime.outcome import Adapter
from ari_app.runtime.recorder import Recorder
from ari_app.settings.delivery import WebhookCrm
from ari_app.settings.loading import Settings
from ari_app.speech import VoiceSoon
from sms_gateway.gateway import Gateway


def callback_placer(
    settings: Settings, ari: Ari, supervisor: CallSupervisor, voice: VoiceSoon, clock: Clock
) -> CallbackPlacer | None:
    document = settings.document
    name = document.callback.trunk or next(iter(document.trunks), None)
    if name is None or not document.pbx.has_ari:
        return None
    http = document.pbx.http
    options = CallbackOptions(
        section=document.callback,
        trunk_name=name,
        trunk=document.trunks[name],
        media_url=f"ws://{http.authority}",
        media_host=functools.partial(own_address_towards, http.host, http.port),
        region=document.brokerage.country,
        voice_loaded=voice.loaded,
    )
    return CallbackPlacer(ari, supervisor, voice, clock, options)


def lanes(
    settings: Settings,
    clock: Clock,
    recorder: Recorder,
    gateways: Mapping[str, Gateway],
    crms: Mapping[str, Crm],
    callbacks: CallbackPlacer | None,
) -> list[Lane]:
    document = settings.document
    email: Adapter = EmailAdapter(_mailer(settings), recorder, clock, document.brokerage.postal_address)
    ring = document.callback.ring
    built = [
        Lane(
            "text",
            TextAdapter(gateways, clock, fixed_senders(settings)),
            AfterCrash.DOUBT,
            64,
            60.0,
            attempts=200,
            # Also with none: texts that wait for a gateway which was taken out of the settings have to be told of.
            useful=lambda: max(1, sum(gateway.health.at_once for gateway in gateways.values())),
        ),
        Lane("alert", email, AfterCrash.REPEAT, 4, 90.0, attempts=60),
        Lane("email", email, AfterCrash.REPEAT, 4, 90.0, attempts=60),
        Lane("push", CrmAdapter(crms, clock, lambda: recorder.policy.crm), AfterCrash.REPEAT, 8, 60.0, attempts=400),
    ]
    if callbacks is None:
        built.append(Lane("callback", NoCallbacks(), AfterCrash.REPEAT, 4, 10.0))
    else:
        built.append(
            Lane(
                "callback",
                callbacks,
                AfterCrash.DOUBT,
                document.callback.at_once,
                ring + 30.0,
                attempts=200,
                useful=callbacks.useful,
            )
        )
    return built


def _mailer(settings: Settings) -> Mailer | None:
    section = settings.document.email
    if section is None:
        return None
    password = None if section.password is None else section.password.read(settings.base)
    ca_file = None if section.ca_file is None else settings.base / section.ca_file
    installation = settings.secrets().resolve("installation", None)[:12]
    return Mailer(MailServer(section, password, ca_file, installation))


@contextlib.asynccontextmanager
async def open_crms(settings: Settings, clock: Clock) -> AsyncIterator[dict[str, Crm]]:
    """The CRMs of the settings. Raises SecretUnavailableError, WebhookSecretError."""
    built: dict[str, Crm] = {}
    for name, section in settings.document.crm.items():
        if isinstance(section, WebhookCrm):
            key = signing_key(section.secret.read(settings.base))
            installation = settings.secrets().resolve("installation", None)[:12]
            built[name] = Webhook(section.url, key, clock, section.timeout, installation)
        else:
            built[name] = JsonLines(settings.base / section.file, clock)
    try:
        yield built
    finally:
        for crm in built.values():
            await crm.close()
