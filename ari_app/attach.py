"""``ringback attach --check``: what is missing on a PBX that Ringback shall watch, and the proof that it sees calls.

Nothing here rings a person's phone unless an extension to ring is given.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from ari_app.calls.watch_setup import ami_address
from ari_app.doctor import Finding, Grade
from ari_app.pbx.ami_link import AmiAddress
from ari_app.pbx.ami_messages import (
    AmiEvent,
    BridgeEntered,
    ChannelEvent,
    DialBegan,
    DialEnded,
    DialProgressed,
    Executed,
    Headers,
    HungUp,
    NewChannel,
    NewState,
    UserEvent,
    parse_event,
)
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
from ari_app.recovery.policy import CallbackConsent
from ari_app.settings.loading import Settings
from ari_app.settings.model import SecretUnavailableError

OLDEST = AsteriskVersion(16)
"""The oldest release that the watching is tried on."""
CHECK_CONTEXT, NOTICE_CONTEXT = "ringback-check", "ringback-notice"
TEST_CALL_SECONDS = 8.0
RING_SECONDS = 8.0
LIST_SECONDS = 20.0
"""How long Asterisk may take to list its whole dialplan."""
TOO_MUCH = ("Originate", "Command", "Redirect", "Hangup", "UpdateConfig", "Setvar", "ModuleLoad", "AGI")
"""Actions that a user who only watches must not have."""
_SNIPPETS = "asterisk/attach"


@dataclass(frozen=True, slots=True)
class TestCall:
    """How the proof is made. ring: an extension whose phone shall ring, in ``context``; None for nobody's.

    wait_seconds: how long to wait for a test call that a person starts on the PBX, where there is no ARI to start it.
    """

    ring: str | None = None
    context: str = "from-internal"
    wait_seconds: float = 0.0


_KINDS: tuple[tuple[str, type[ChannelEvent] | tuple[type, ...], str], ...] = (
    ("channels", (NewChannel, HungUp), "call"),
    ("dials", (DialBegan, DialEnded), "call"),
    ("ringing", (NewState, DialProgressed), "call"),
    ("bridges", (BridgeEntered,), "call"),
    ("applications", (Executed,), "dialplan"),
    ("the dialplan's own words", (UserEvent,), "user"),
)
"""What a call has to show, and the class of AMI events (``read =``) that brings it."""


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
            async for finding in _call_path(settings, call, _Ear(heard, arrived)):
                yield finding
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
        f"add {_SNIPPETS}/manager_custom.conf: [{address.user}] with the secret from {where} and a permit for this"
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
        yield Finding("inbound contexts", Grade.OK, _some(inbound))
    else:
        yield Finding(
            "inbound contexts",
            Grade.FAILURE,
            f"no context of the dialplan fits {_some(pbx.watch.contexts)}",
            "name the contexts that your trunks' calls enter in pbx.watch.contexts (asterisk -rx 'pjsip show endpoint"
            " TRUNK': context)",
        )
    mend = f"add {_SNIPPETS}/extensions_custom.conf, then asterisk -rx 'dialplan reload'"
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


# ------------------------------------------------------------------------------------------------------------ the proof
@dataclass(frozen=True, slots=True)
class _Ear:
    """What AMI has told so far, and the news that there is more."""

    heard: list[AmiEvent]
    arrived: asyncio.Event

    async def until(self, enough: Callable[[list[AmiEvent]], bool], within: float) -> bool:
        """Whether enough is heard in time."""
        try:
            async with asyncio.timeout(within):
                while not enough(self.heard):
                    self.arrived.clear()
                    await self.arrived.wait()
        except TimeoutError:
            return False
        return True


async def _call_path(settings: Settings, call: TestCall, ear: _Ear) -> AsyncIterator[Finding]:
    pbx = settings.document.pbx
    if not pbx.has_ari:
        if _calls_back(settings):
            found = "pbx.ari is not in the settings: missed callers are texted, and none is called back"
            yield Finding(
                "ARI", Grade.WARNING, found, f"see {_SNIPPETS}/ari_additional_custom.conf, or drop the call step"
            )
        else:
            yield Finding("ARI", Grade.OK, "not used: Ringback watches, and places no call")
        async for finding in _proof(None, call, ear):
            yield finding
        return
    try:
        password = settings.secrets().resolve("ari", pbx.ari.secret)
    except SecretUnavailableError as error:
        yield Finding("ARI", Grade.FAILURE, str(error), "put the ARI user's password where the settings say")
        return
    url = f"http://{pbx.http.host}:{pbx.http.port}"
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
                f"add {_SNIPPETS}/ari_additional_custom.conf: [{pbx.ari.user}] with the same password; then asterisk -rx"
                " 'module reload res_ari.so'"
            )
            yield Finding("ARI", Grade.FAILURE, f"{url} does not let {pbx.ari.user!r} in", mend)
            return
        except AriError as error:
            yield Finding("ARI", Grade.FAILURE, str(error), "see Asterisk's log")
            return
        yield Finding("ARI", Grade.OK, f"version {info.version} at {url}")
        async for finding in _proof(ari, call, ear):
            yield finding


async def _proof(ari: Ari | None, call: TestCall, ear: _Ear) -> AsyncIterator[Finding]:
    if ari is None:
        order = f"asterisk -rx 'channel originate Local/call@{CHECK_CONTEXT}/n extension caller@{CHECK_CONTEXT}'"
        if call.wait_seconds <= 0:
            mend = f"ringback attach --check --wait 60, and on the PBX meanwhile: {order}"
            yield Finding("test call", Grade.WARNING, "not tried: without ARI a person has to start it", mend)
            return
        await ear.until(_over, call.wait_seconds)
        yield _seen(ear.heard, order)
        return
    channel = f"ringback-check-{os.getpid()}"
    try:
        await _originate(ari, channel, f"Local/call@{CHECK_CONTEXT}/n")
        await ear.until(_over, TEST_CALL_SECONDS)
        yield _seen(ear.heard, None)
    except RefusedError:
        yield Finding(
            "test call", Grade.FAILURE, "the ARI user is read-only", "set read_only = no for it, then reload res_ari.so"
        )
        return
    except AriError as error:
        yield Finding("test call", Grade.FAILURE, str(error), f"[{CHECK_CONTEXT}] must be in the dialplan: see above")
        return
    finally:
        await _hang_up(ari, channel)
    if call.ring is not None:
        yield await _ring(ari, call, ear)


async def _ring(ari: Ari, call: TestCall, ear: _Ear) -> Finding:
    """Ring a phone for one ring, because somebody asked for it, and see whether AMI tells of it."""
    channel = f"ringback-ring-{os.getpid()}"
    what = f"phone {call.ring}"

    def rings(events: list[AmiEvent]) -> bool:
        return any(
            isinstance(event, NewState) and event.channel.state == "Ringing" and event.channel.endpoint == call.ring
            for event in events
        )

    try:
        await _originate(ari, channel, f"Local/{call.ring}@{call.context}")
        if await ear.until(rings, RING_SECONDS):
            return Finding(what, Grade.OK, "rings, and AMI tells of it")
    except AriError as error:
        return Finding(what, Grade.FAILURE, str(error), f"is there an extension {call.ring} in [{call.context}]?")
    finally:
        await _hang_up(ari, channel)
    mend = "is the phone registered? Is it an endpoint of that name (pbx.watch.desk_phones)?"
    return Finding(what, Grade.FAILURE, f"AMI told of no ringing within {RING_SECONDS:g} s", mend)


async def _originate(ari: Ari, channel: str, endpoint: str) -> None:
    """A call of ours into the dialplan, whose other end only waits. Raises a leaf of AriError."""
    body = {
        "endpoint": endpoint,
        "context": CHECK_CONTEXT,
        "extension": "caller",
        "priority": 1,
        "callerId": "Ringback <ringback>",
        "timeout": 20,
        "formats": "ulaw",
    }
    await ari.http.request("POST", ("channels", channel), body=body)


async def _hang_up(ari: Ari, channel: str) -> None:
    try:
        await ari.channels.hangup(channel)
    except NotFoundError:
        pass
    except AriError:
        return  # it ends by itself within seconds


def _of_test_call(event: AmiEvent) -> bool:
    match event:
        case DialBegan(peer=channel) | DialEnded(peer=channel) | DialProgressed(peer=channel):
            pass
        case ChannelEvent(channel=channel):
            pass
        case _:
            return False
    return channel.context == CHECK_CONTEXT or f"@{CHECK_CONTEXT}-" in channel.name


def _over(events: list[AmiEvent]) -> bool:
    """Whether everything that the test call has to show was seen."""
    return not _lacking(events)


def _lacking(events: list[AmiEvent]) -> list[tuple[str, str]]:
    """What was not seen of the test call, and the class that brings it."""
    ours = [event for event in events if _of_test_call(event)]
    return [(name, wanted) for name, kinds, wanted in _KINDS if not any(isinstance(event, kinds) for event in ours)]


def _seen(events: list[AmiEvent], order: str | None) -> Finding:
    lacking = _lacking(events)
    if not lacking:
        return Finding("test call", Grade.OK, "seen from beginning to end, and nobody's phone rang")
    if len(lacking) == len(_KINDS):
        mend = (
            order
            if order is not None
            else "read = call,dialplan,agent,user,system for the AMI user; no eventfilter but ours"
        )
        return Finding("test call", Grade.FAILURE, "nothing was seen of it", mend)
    names = ", ".join(name for name, _ in lacking)
    classes = ", ".join(dict.fromkeys(wanted for _, wanted in lacking))
    mend = f"the AMI user needs read = {classes} as well, and the eventfilter lines of {_SNIPPETS}/manager_custom.conf"
    return Finding("test call", Grade.FAILURE, f"AMI does not tell of: {names}", mend)


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
