"""Examining everything that Ringback needs. Each finding says what was found and, if it is bad, what mends it."""

from __future__ import annotations

import asyncio
import ctypes
import random
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum

import aiohttp
import aiosmtplib
import orjson

from ari_app.app import LOW_DISK_OCTETS
from ari_app.calls.watch_setup import ami_address
from ari_app.clock import SystemClock
from ari_app.data_folder import backup_plan, database_path, socket_path, speech_folder
from ari_app.errors import StoreDamagedError, StoreError, StoreVersionError
from ari_app.notify.email import Mailer, MailServer
from ari_app.notify.gateways import link_options
from ari_app.pbx.ami_session import AmiSession
from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AmiError, AriError, RefusedError, UnavailableError
from ari_app.runtime.nightly import STALE
from ari_app.settings.loading import Settings
from ari_app.settings.model import SecretUnavailableError
from ari_app.settings.texts import SmppGateway
from ari_app.speech import engine_options
from ari_app.store.backup import in_folder
from ari_app.store.db import require_sound
from sms_gateway.errors import SmsError
from sms_gateway.smpp.client import SmppGateway as SmppClient
from voice_agent.engines import open_engines
from voice_agent.errors import EngineError

BIND_SECONDS = 8.0


class Grade(IntEnum):
    """How bad; also the exit code."""

    OK = 0
    WARNING = 1
    FAILURE = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One examination. mend: what to do, None when all is well."""

    what: str
    grade: Grade
    found: str
    mend: str | None = None


async def examine(settings: Settings) -> list[Finding]:
    """All examinations, in the order in which they depend on each other."""
    findings = [Finding("settings", Grade.WARNING, str(warning), "see ringback check") for warning in settings.warnings]
    if not findings:
        findings.append(Finding("settings", Grade.OK, f"policy {settings.policy.version}"))
    for part in (_disk, _database, _backup, _clock, _voice, _watched, _asterisk, _gateways, _mail):
        findings += [finding async for finding in part(settings)]
    return findings


async def _disk(settings: Settings) -> AsyncIterator[Finding]:
    folder = settings.data_folder
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        probe = folder / ".probe"
        await asyncio.to_thread(probe.write_bytes, b"x" * 4096)
        await asyncio.to_thread(probe.unlink)
    except OSError as error:
        yield Finding(
            "disk", Grade.FAILURE, f"{folder}: {error.strerror or error}", "make the data folder writable for us"
        )
        return
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free in {folder}"
    if free < LOW_DISK_OCTETS:
        yield Finding("disk", Grade.FAILURE, found, "make room: a full disk loses nothing, but stops everything")
    else:
        yield Finding("disk", Grade.OK, found)


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    path = database_path(settings)
    if not path.exists():
        yield Finding("database", Grade.WARNING, f"{path} is not there yet", "Ringback makes it at its start")
        return

    try:
        await asyncio.to_thread(require_sound, path)
    except StoreDamagedError as error:
        yield Finding("database", Grade.FAILURE, str(error), "stop Ringback, then ringback restore")
    except StoreVersionError as error:
        yield Finding("database", Grade.FAILURE, str(error), "run the Ringback that wrote it, or a newer one")
    except StoreError as error:
        yield Finding(
            "database", Grade.FAILURE, str(error), "make it readable and writable for us, and end what locks it"
        )
    else:
        yield Finding("database", Grade.OK, f"{path} is sound")


async def _backup(settings: Settings) -> AsyncIterator[Finding]:
    plan = backup_plan(settings)
    try:
        kept = await asyncio.to_thread(in_folder, plan.folder)
    except StoreError as error:
        yield Finding("backup", Grade.WARNING, str(error), "make the folder readable and writable for us")
        return
    if not kept:
        when = "never by itself" if plan.hour is None else f"at {plan.hour:%H:%M}"
        yield Finding("backup", Grade.OK, f"none yet in {plan.folder}; taken {when}")
        return
    newest = kept[0].taken_at
    found = f"{len(kept)} in {plan.folder}, the newest of {newest.astimezone(plan.zone):%Y-%m-%d %H:%M}"
    if plan.hour is not None and SystemClock().now() - newest > STALE:
        yield Finding("backup", Grade.WARNING, found, "does Ringback run at night? 'ringback backup' takes one now")
    else:
        yield Finding("backup", Grade.OK, found)


async def _clock(settings: Settings) -> AsyncIterator[Finding]:
    """The kernel's own opinion: it knows whether a time service disciplines it (adjtimex(2))."""
    del settings
    synchronised = await asyncio.to_thread(_kernel_synchronised)
    now = SystemClock().now()
    if synchronised is False:
        yield Finding(
            "clock",
            Grade.WARNING,
            f"{now:%Y-%m-%d %H:%M:%S} UTC, not synchronised",
            "install chrony or enable systemd-timesyncd: quiet hours and windows need the right time",
        )
    else:
        yield Finding("clock", Grade.OK, f"{now:%Y-%m-%d %H:%M:%S} UTC" + (", synchronised" if synchronised else ""))


def _kernel_synchronised() -> bool | None:
    """None when the kernel does not tell."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state = int(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_OCTETS)))  # modes 0: only look
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


_TIMEX_OCTETS = 256
"""More than struct timex has on any architecture."""
_TIME_ERROR = 5


async def _voice(settings: Settings) -> AsyncIterator[Finding]:
    try:
        cache = await asyncio.to_thread(speech_folder, settings.data_folder)
        options = engine_options(settings.document.voice, settings.base, cache)
        async with open_engines(options) as engines:
            yield Finding("voice", Grade.OK, f"{engines.stt.name} hears, {engines.tts.name} speaks")
    except (EngineError, OSError) as error:
        mend = getattr(error, "mend", "see docs/voice-agent.md")
        yield Finding("voice", Grade.FAILURE, str(error), mend)


async def _watched(settings: Settings) -> AsyncIterator[Finding]:
    """AMI, where calls are watched. ``ringback attach --check`` goes deeper."""
    if not settings.document.pbx.watches:
        return
    mend = "ringback attach --check says what is missing"
    try:
        at = ami_address(settings)
        async with AmiSession(at.host, at.port, at.user, at.secret, lambda _: None, within=5.0) as session:
            version = (await session.ask({"Action": "CoreSettings"})).get("asteriskversion", "")
    except (AmiError, SecretUnavailableError) as error:
        yield Finding("AMI", Grade.FAILURE, str(error), mend)
    else:
        yield Finding("AMI", Grade.OK, f"version {version} at {at.host}:{at.port}")


async def _asterisk(settings: Settings) -> AsyncIterator[Finding]:
    document = settings.document
    if not document.pbx.has_ari:
        return
    http, user = document.pbx.http, document.pbx.ari.user
    url = f"http://{http.authority}"
    try:
        password = settings.secrets().resolve("ari", document.pbx.ari.secret)
    except SecretUnavailableError as error:
        yield Finding("asterisk", Grade.FAILURE, str(error), "put the secret where the settings say")
        return
    async with Ari(url, user, password, application=document.pbx.app, within=5.0) as ari:
        try:
            info = await ari.server.info()
        except UnavailableError:
            mend = "ringback pbx up" if document.pbx.managed else "start Asterisk; http.conf must listen there"
            yield Finding("asterisk", Grade.FAILURE, f"nothing answers at {url}", mend)
            return
        except RefusedError:
            mend = f"the user {user!r} and its password must stand in Asterisk's ari.conf"
            yield Finding("asterisk", Grade.FAILURE, f"{url} does not let {user!r} in", mend)
            return
        except AriError as error:
            yield Finding("asterisk", Grade.FAILURE, str(error), "see Asterisk's log")
            return
        yield Finding("asterisk", Grade.OK, f"version {info.version} at {url}")
        async for finding in _ari_rights(ari):
            yield finding
        async for finding in _phones(settings, ari):
            yield finding


async def _ari_rights(ari: Ari) -> AsyncIterator[Finding]:
    """A bridge, made and taken down again: a read-only user may not."""
    name = "ringback-doctor"
    try:
        await ari.bridges.create(name)
        await ari.bridges.destroy(name)
    except RefusedError:
        yield Finding("ARI rights", Grade.FAILURE, "the user is read-only", "set read_only=no for it in ari.conf")
    except AriError as error:
        yield Finding("ARI rights", Grade.FAILURE, str(error), "see Asterisk's log")
    else:
        yield Finding("ARI rights", Grade.OK, "calls can be handled")


async def _phones(settings: Settings, ari: Ari) -> AsyncIterator[Finding]:
    try:
        states = {endpoint.resource: endpoint for endpoint in await ari.endpoints.list()}
    except AriError as error:
        yield Finding("phones", Grade.FAILURE, str(error), "see Asterisk's log")
        return
    managed = settings.document.pbx.managed
    unknown = "ringback pbx up" if managed else "name it as its endpoint is called on your PBX"
    for extension, phone in settings.document.phones.items():
        state = states.get(extension)
        what = f"phone {extension} ({phone.name})"
        if state is None:
            yield Finding(what, Grade.FAILURE, "Asterisk does not know it", unknown)
        elif not state.online:
            password = f"; its password is in {settings.data_folder}/secrets/phone-{extension}" if managed else ""
            mend = f"register it at the PBX{password}"
            yield Finding(what, Grade.WARNING, "not registered: it cannot ring", mend)
        else:
            yield Finding(what, Grade.OK, "registered")
    for name, trunk in settings.document.trunks.items():
        state = states.get(name)
        if state is None:
            yield Finding(f"trunk {name}", Grade.FAILURE, "Asterisk does not know it", unknown)
        elif not state.online:
            found = f"{trunk.host}:{trunk.port} does not answer OPTIONS"
            yield Finding(f"trunk {name}", Grade.WARNING, found, "check host, port and firewall with the carrier")
        else:
            yield Finding(f"trunk {name}", Grade.OK, f"{trunk.host}:{trunk.port} answers")


async def _gateways(settings: Settings) -> AsyncIterator[Finding]:
    running = await _ask_running(settings)
    for name, section in settings.document.gateways.items():
        what = f"gateway {name}"
        if not isinstance(section, SmppGateway):
            yield Finding(what, Grade.OK, f"SIP MESSAGE through trunk {section.trunk}")
        elif what in running:
            # A second bind might throw the first one out, and would be given texts and receipts that are not for it.
            ok, detail = running[what]
            mend = None if ok else "check host, port, system_id and password"
            yield Finding(what, Grade.OK if ok else Grade.FAILURE, f"the running Ringback says: {detail}", mend)
        else:
            yield await _try_bind(what, section, settings)


async def _ask_running(settings: Settings) -> dict[str, tuple[bool, str]]:
    """The parts of the Ringback that runs with these settings, with how they are; empty when none runs."""
    connector = aiohttp.UnixConnector(path=str(socket_path(settings.data_folder)))
    timeout = aiohttp.ClientTimeout(total=5.0)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get("http://ringback/status") as answer,
        ):
            parts = orjson.loads(await answer.read())["components"]
            return {part["name"]: (part["ok"], part["detail"]) for part in parts}
    except (OSError, aiohttp.ClientError, ValueError, LookupError, TypeError):
        return {}


async def _try_bind(what: str, section: SmppGateway, settings: Settings) -> Finding:
    try:
        options = link_options(section, settings)
    except SecretUnavailableError as error:
        return Finding(what, Grade.FAILURE, str(error), "put the password where the settings say")
    except ValueError as error:
        return Finding(what, Grade.FAILURE, str(error), "correct the gateway's section")
    client = SmppClient(options, _ignore, wall=SystemClock().now, random=random.SystemRandom().random, name=what)
    try:
        async with client:
            await client.wait_bound(BIND_SECONDS, persist=False)
    except (SmsError, OSError) as error:
        return Finding(what, Grade.FAILURE, str(error), "check host, port, system_id and password")
    return Finding(what, Grade.OK, f"bound at {section.host}:{section.port} as {section.system_id}")


async def _ignore(message: object) -> None:
    """A text that comes while we only try the bind has to come again: raising asks the carrier for that."""
    raise RuntimeError("the doctor stores nothing")


async def _mail(settings: Settings) -> AsyncIterator[Finding]:
    section = settings.document.email
    if section is None:
        yield Finding("e-mail", Grade.WARNING, "there is no email section", "without it nobody is told of missed calls")
        return
    try:
        password = None if section.password is None else section.password.read(settings.base)
        ca_file = None if section.ca_file is None else settings.base / section.ca_file
        await Mailer(MailServer(section, password, ca_file, "doctor")).probe()
    except SecretUnavailableError as error:
        yield Finding("e-mail", Grade.FAILURE, str(error), "put the password where the settings say")
    except (aiosmtplib.SMTPException, OSError) as error:
        where = f"{section.host}:{section.port}"
        yield Finding("e-mail", Grade.FAILURE, f"{where}: {error}", "check host, port, security, user and password")
    else:
        yield Finding("e-mail", Grade.OK, f"{section.host}:{section.port} takes mail from us")
