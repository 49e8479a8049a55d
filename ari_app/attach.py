"""``ringback attach --check``: what is missing on a PBX that Ringback shall watch, and the proof that it sees calls.

Nothing here rings a person's phone unless an extension to ring is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ari_app.attach_call import CHECK_CONTEXT, SNIPPETS, Ear, EventLog, TestCall, prove
from ari_app.calls.watch_setup import ami_address
from ari_app.doctor import Finding, Grade
from ari_app.pbx.ami_link import AmiAddress
from ari_app.pbx.ami_messages import AmiEvent, Headers, parse_event
from ari_app.pbx.ami_session import AmiSession
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import (
    AmiLostError,
    AmiRefusedError,
    AriError,
    MalformedEventError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)
from ari_app.pbx.host import AsteriskVersion
from ari_app.pbx_setup import event_log
from ari_app.recovery.policy import CallbackConsent
from ari_app.settings.loading import Settings
from ari_app.settings.model import SecretUnavailableError
from ari_app.settings.watching import WatchSection

OLDEST = AsteriskVersion(16)
"""The oldest release that the watching is tried on."""
NOTICE_CONTEXT = "ringback-notice"
LIST_SECONDS = 20.0
"""How long Asterisk may take to list its whole dialplan."""
TOO_MUCH = (
    *("Originate", "Command", "Redirect", "Atxfer", "Hangup", "UpdateConfig", "Setvar", "ModuleLoad", "AGI"),
    *("QueueAdd", "QueuePause", "MessageSend", "DBPut"),
)
"""Actions that a user who only watches must not have."""


async def check(settings: Settings, call: TestCall) -> list[Finding]:
    """All findings, in the order in which they depend on each other."""
    return [finding async for finding in _check(settings, call)]


async def _check(settings: Settings, call: TestCall) -> AsyncIterator[Finding]:
    pbx = settings.document.pbx
    if not pbx.watches:
        yield Finding(
            "settings", Grade.WARNING, f"pbx.mode is {pbx.mode.value}", "set pbx.mode: watch to attach to this PBX"
        )
    try:
        address = ami_address(settings)
    except SecretUnavailableError as error:
        yield Finding("AMI", Grade.FAILURE, str(error), "put the AMI user's secret where the settings say")
        return
    heard: list[AmiEvent] = []
    arrived = asyncio.Event()

    def hear(headers: Headers) -> None:
        try:
            event = parse_event(headers)
        except MalformedEventError:
            return
        if event is not None:
            heard.append(event)
            arrived.set()

    session = AmiSession(address.host, address.port, address.user, address.secret, hear, within=LIST_SECONDS)
    try:
        async with session:
            async for finding in _ami(session, address):
                yield finding
            async for finding in _dialplan(session, settings):
                yield finding
            log = await _event_log(settings)
            if isinstance(log, Finding):
                yield log
            queues = await _has_queues(session)
            async for finding in _call_path(settings, call, Ear(heard, arrived), queues=queues):
                yield finding
                if isinstance(log, EventLog) and finding.what == "test call" and finding.grade is Grade.OK:
                    yield await log.told()
    except AmiRefusedError as error:
        yield _not_let_in(settings, address, error)
    except AmiLostError as error:
        mend = (
            "manager.conf: enabled = yes, and bindaddr and port as in pbx.ami; no firewall between; asterisk -rx"
            " 'manager show settings'"
        )
        yield Finding("AMI", Grade.FAILURE, str(error), mend)


def _not_let_in(settings: Settings, address: AmiAddress, error: AmiRefusedError) -> Finding:
    generated = settings.data_folder / "secrets" / "manager"
    where = "pbx.manager.secret" if settings.document.pbx.manager.secret is not None else str(generated)
    mend = (
        f"add {SNIPPETS}/manager_custom.conf: [{address.user}] with the secret from {where} and a permit for this"
        " machine; then asterisk -rx 'manager reload'"
    )
    return Finding("AMI", Grade.FAILURE, f"Asterisk does not let {address.user!r} in ({error.said})", mend)


# ----------------------------------------------------------------------------------------------------------------- AMI
async def _ami(session: AmiSession, address: AmiAddress) -> AsyncIterator[Finding]:
    where = f"{address.host}:{address.port}"
    try:
        settings = await session.ask({"Action": "CoreSettings"})
        await session.ask({"Action": "CoreStatus"})
        await session.ask_list({"Action": "Status"})
    except AmiRefusedError as error:
        yield Finding(
            "AMI", Grade.FAILURE, f"{where}: {error}", "the user needs write = reporting in manager_custom.conf"
        )
        return
    yield _version(settings.get("asteriskversion", ""), where)
    try:
        actions = await session.ask({"Action": "ListCommands"})
    except AmiRefusedError:
        actions = {}
    too_much = [name for name in TOO_MUCH if name.lower() in actions]
    if too_much:
        found = f"the user {address.user!r} may also {', '.join(too_much)}"
        yield Finding("AMI rights", Grade.WARNING, found, "write = reporting, and nothing else: Ringback only watches")
    else:
        yield Finding("AMI rights", Grade.OK, "may look, and change nothing")


def _version(text: str, where: str) -> Finding:
    found = f"Asterisk {text} at {where}"
    try:
        old = AsteriskVersion.parse(f"Asterisk {text}") < OLDEST
    except ValueError:
        old = False
    if old:
        return Finding("AMI", Grade.WARNING, found, f"Ringback is tried on Asterisk {OLDEST.major} and newer")
    return Finding("AMI", Grade.OK, found)


# ------------------------------------------------------------------------------------------------------------ dialplan
async def _dialplan(session: AmiSession, settings: Settings) -> AsyncIterator[Finding]:
    pbx = settings.document.pbx
    try:
        rows = await session.ask_list({"Action": "ShowDialPlan"})
    except AmiRefusedError as error:
        yield Finding("dialplan", Grade.WARNING, f"cannot be listed ({error})", "the user needs write = reporting")
        return
    contexts = {row.get("context", "") for row in rows} - {""}
    inbound = sorted(context for context in contexts if pbx.watch.is_inbound(context))
    if inbound:
        yield Finding("inbound contexts", Grade.OK, f"{_some(inbound)}; what your trunks say has to be one of these")
    else:
        yield Finding(
            "inbound contexts",
            Grade.FAILURE,
            f"no context of the dialplan fits {_some(pbx.watch.contexts)}",
            "name the contexts that your trunks' calls enter in pbx.watch.contexts (asterisk -rx 'pjsip show endpoint"
            " TRUNK': context)",
        )
    mend = f"add {SNIPPETS}/extensions_custom.conf, then asterisk -rx 'dialplan reload'"
    if CHECK_CONTEXT in contexts:
        yield Finding("test context", Grade.OK, f"[{CHECK_CONTEXT}] is there")
    else:
        yield Finding("test context", Grade.FAILURE, f"there is no [{CHECK_CONTEXT}]", mend)
    if pbx.has_ari and _calls_back(settings):
        if NOTICE_CONTEXT in contexts:
            yield Finding("notice", Grade.OK, f"[{NOTICE_CONTEXT}] is there: send missed calls to it")
        else:
            found = f"there is no [{NOTICE_CONTEXT}]: callers hear no notice, so none is called back (CNS-02)"
            yield Finding("notice", Grade.WARNING, found, mend)


def _calls_back(settings: Settings) -> bool:
    document = settings.document
    calls = any(step.call for steps in document.plans.values() for step in steps)
    return calls and bool(document.callback.to) and document.callback.consent is not CallbackConsent.NEVER


async def _has_queues(session: AmiSession) -> bool:
    try:
        rows = await session.ask_list({"Action": "QueueSummary"})
    except AmiRefusedError:  # the PBX has no app_queue
        return False
    return any(row.get("queue") not in (None, CHECK_CONTEXT) for row in rows)


async def _call_path(settings: Settings, call: TestCall, ear: Ear, *, queues: bool) -> AsyncIterator[Finding]:
    pbx = settings.document.pbx
    if not pbx.has_ari:
        if _calls_back(settings):
            found = "pbx.ari is not in the settings: missed callers are texted, and none is called back"
            yield Finding(
                "ARI", Grade.WARNING, found, f"see {SNIPPETS}/ari_additional_custom.conf, or drop the call step"
            )
        else:
            yield Finding("ARI", Grade.OK, "not used: Ringback watches, and places no call")
        async for finding in prove(None, call, ear, queues=queues):
            yield finding
        return
    try:
        password = settings.secrets().resolve("ari", pbx.ari.secret)
    except SecretUnavailableError as error:
        yield Finding("ARI", Grade.FAILURE, str(error), "put the ARI user's password where the settings say")
        return
    url = f"http://{pbx.http.authority}"
    async with Ari(url, pbx.ari.user, password, application=pbx.app, within=5.0) as ari:
        try:
            info = await ari.server.info()
        except UnavailableError:
            mend = (
                "http.conf: enabled = yes, bindaddr and bindport as in pbx.http (FreePBX: Advanced Settings, Asterisk"
                " Builtin mini-HTTP server); ari.conf: enabled = yes"
            )
            yield Finding("ARI", Grade.FAILURE, f"nothing answers at {url}", mend)
            return
        except RefusedError:
            mend = (
                f"add {SNIPPETS}/ari_additional_custom.conf: [{pbx.ari.user}] with the same password; then asterisk -rx"
                " 'module reload res_ari.so'"
            )
            yield Finding("ARI", Grade.FAILURE, f"{url} does not let {pbx.ari.user!r} in", mend)
            return
        except AriError as error:
            yield Finding("ARI", Grade.FAILURE, str(error), "see Asterisk's log")
            return
        yield Finding("ARI", Grade.OK, f"version {info.version} at {url}")
        for trunk in settings.document.trunks:
            yield await _trunk(ari, trunk, pbx.watch)
        async for finding in prove(ari, call, ear, queues=queues):
            yield finding


async def _trunk(ari: Ari, trunk: str, watch: WatchSection) -> Finding:
    """Whether the calls of a trunk enter where we look for them. AMI would tell that only to a user with more rights."""
    what = f"trunk {trunk}"
    try:
        fields = await ari.endpoints.settings(trunk)
    except NotFoundError:
        mend = "the key of the trunk in Ringback's settings has to be its endpoint's name: asterisk -rx 'pjsip show endpoints'"
        return Finding(what, Grade.FAILURE, f"this PBX has no endpoint {trunk!r}", mend)
    except AriError as error:
        return Finding(what, Grade.WARNING, str(error), "asterisk -rx 'module load res_ari_asterisk.so'")
    context = fields.get("context", "")
    if watch.is_inbound(context):
        return Finding(what, Grade.OK, f"its calls enter [{context}]")
    found = f"its calls enter [{context}], which is none of {_some(watch.contexts)}: they are not judged"
    return Finding(what, Grade.FAILURE, found, f"add {context} to pbx.watch.contexts")


# ----------------------------------------------------------------------------------------------------------- the event log
async def _event_log(settings: Settings) -> EventLog | Finding:
    """Where the PBX writes its channel events, to be looked at after the test call; or why not."""
    path = event_log(settings)
    if path is None:
        found = "not used: calls that come while Ringback does not run are not seen (pbx.watch.cel)"
        return Finding("event log", Grade.OK, found)
    try:
        return await asyncio.to_thread(EventLog, path)
    except OSError as error:
        mend = "let Ringback's account read it: the three lines with setfacl in docs/attach.md"
        return Finding("event log", Grade.FAILURE, f"{path}: {error.strerror or error}", mend)


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
