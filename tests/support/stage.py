"""A whole brokerage on loopback: an Asterisk, an SMSC that nobody here wrote, a mail server, ``ringback run``, phones.

The demo and the end-to-end tests play on it. Everything real, everything on free ports, everything stopped by its own pid.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import orjson
import smpp34
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from ari_app.data_folder import database_path
from ari_app.pbx.process import AsteriskProcess
from ari_app.pbx_setup import ManagedPbx
from ari_app.settings.loading import Settings, load
from sms_gateway.encoding import Alphabet, alphabet_for, encode
from sms_gateway.segments import Concatenation, header, measure, split
from tests.support.carrier import Carrier
from tests.support.phones import Phone
from tests.support.ports import free_port
from tests.support.waiting import until

CARRIER_IP = "127.0.0.2"
"""Calls from this address are the carrier's; desk phones register from 127.0.0.1."""
SMPP_PASSWORD = "secret08"
START_SECONDS = 30.0
USER_DATA_HEADER = 0x40
"""SMPP 3.4 section 5.2.12: the message begins with a user data header."""

SETTINGS = """\
version: 1
data: data
brokerage: {{name: Harbor Realty, phone: "+13055550199", country: US, time_zone: America/New_York}}
offices: {{miami: {{name: Miami, hours: always}}, keys: {{name: Keys, hours: never}}}}
hours:
  always: {{week: {{mon-sun: 0:00-24:00}}}}
  never: {{}}
agents:
  ana: {{name: Ana, email: ana@harbor.example, phone: "101"}}
  bob: {{name: Bob, email: bob@harbor.example, phone: "102"}}
  cleo: {{name: Cleo, email: cleo@harbor.example, phone: "103"}}
groups:
  front: {{phones: ["101"], agents: [ana]}}
  all: {{phones: ["101", "102", "103"], agents: [ana, bob]}}
  ordered: {{phones: ["101", "102"], agents: [bob], strategy: in_order, each: 1s}}
  floor: {{phones: ["103"], agents: [cleo]}}
number_defaults: {{office: miami, group: front, plan: standard, rings: 3, abandoned_rings: 1}}
numbers:
  _1305555010X: {{source: Main line}}
  "13055550102": {{group: all}}
  "13055550103": {{group: ordered}}
  "13055550104": {{after_miss: overflow, overflow: floor}}
  "13055550105": {{after_miss: voicemail}}
  "13055550106": {{after_miss: hangup}}
  "13055550107": {{source: Yard sign, listing: 12 Ocean Drive}}
  "13055550108": {{office: keys}}
  "13055550109": {{plan: textless}}
blocked: ["13055550666"]
plans:
  standard:
    - text: missed
      after_hours: after_hours
    - call
    - alert: agent
    - push
    - wait: 1h unless acknowledged
    - alert: floor
  textless: [call, push]
templates:
  texts:
    missed: >-
      {{brokerage}} (automated): sorry we missed your {{time}} call[ on {{listing}}].
      Are you buying or selling? STOP to opt out.
    after_hours: "{{brokerage}} (automated): closed now.[ Back {{open_time}}.] Buying or selling? STOP to opt out."
cadence: {{ring_seconds: {ring_seconds}, first_ring: 1.5s, dropped: 1s}}
prompt:
  notice: "We missed you. Press 9 for no texts, 1 for a call."
  call_now: "We call you now."
  never: "We will not."
  keys_after: 0.5s
callback: {{to: [_1NXXNXXXXXX], trunk: carrier, ring: 15s, per_day: 3}}
voice: {{lanes: 1}}
limits: {{alike_per_hour: 1000000, per_hour: 1000000, per_number_per_day: 1000000}}
quiet_hours: {{contact: 0:00-24:00, texts: send}}
texts: {{hold: 5s}}
gateways:
  sms:
    type: smpp
    host: 127.0.0.1
    port: {smpp_port}
    system_id: ringback
    password: {{env: RINGBACK_STAGE_SMPP}}
    per_second: 1000
    response: 3s
text_routes: [{{to: _1NXXNXXXXXX, via: sms}}]
email: {{host: 127.0.0.1, port: {smtp_port}, security: none, sender: ringback@harbor.example}}
crm: {{file: {{type: jsonl, file: leads.jsonl}}}}
web: {{port: {web_port}}}
log: {{format: json, level: debug}}
pbx:
  http: {{port: {http_port}}}
  ami: {{port: {ami_port}}}
  sip: {{port: {sip_port}}}
  rtp: {{first: {rtp}, last: {rtp_last}}}
phones: {{"101": {{name: A}}, "102": {{name: B}}, "103": {{name: C}}}}
trunks: {{carrier: {{host: 127.0.0.2, port: {carrier_port}, match: [127.0.0.2], qualify: false}}}}
"""


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """A row of the journal. body: the event's fields."""

    seq: int
    lead_id: int | None
    type: str
    at: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WireText:
    """A submit_sm that the SMSC got. at: the loop's time."""

    message_id: str
    source: str
    destination: str
    body: str
    at: float


class Smsc:
    """smpp34's server with a memory, and the receipts and texts that a carrier would send."""

    def __init__(self, port: int, *, receipts: bool = True) -> None:
        self.port = port
        self.texts: list[WireText] = []
        self.answer: Callable[[smpp34.SubmitSmEvent], str | int | None] | None = None
        """Decides about a submit: a message id, a status, None for no answer. By default every text is accepted."""
        self.undeliverable: set[str] = set()
        """Numbers whose texts are accepted and then not delivered."""
        self.binds = 0
        """How often a client has bound."""
        self._receipts = receipts
        self._server = smpp34.Server("127.0.0.1", port, system_id="smsc")
        self._clients: list[smpp34.Esme] = []
        self._unanswered: list[tuple[WireText, smpp34.SubmitSmEvent]] = []
        self._reference = 0
        self._serving: asyncio.Task[None] | None = None
        self._receipting: set[asyncio.Task[None]] = set()

    @property
    def bound(self) -> bool:
        """Whether a client is bound."""
        return bool(self._clients)

    def forget_clients(self) -> None:
        """Clients of before count as gone, whether or not they said goodbye."""
        self._clients = []

    async def start(self) -> None:
        self._server = smpp34.Server("127.0.0.1", self.port, system_id="smsc")
        await self._server.start()
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    async def stop(self) -> None:
        if self._serving is not None:
            self._serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._serving
        await self._server.stop()

    async def unbind_all(self) -> None:
        """Say goodbye to every client."""
        clients, self._clients = self._clients, []
        for client in clients:
            await client.unbind()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            event = await self._server.next()
            if isinstance(event, smpp34.Esme):
                self._clients.append(event)
                self.binds += 1
            elif isinstance(event, smpp34.Unbound):
                self._clients = [client for client in self._clients if client.session_id != event.session_id]
            else:
                self._take(event, loop.time())

    def _take(self, event: smpp34.SubmitSmEvent, at: float) -> None:
        message_id = f"{0xA000 + len(self.texts):x}"
        text = WireText(
            message_id,
            _plus(event.source_addr),
            _plus(event.destination_addr),
            _text(event),
            at,
        )
        self.texts.append(text)
        answer = message_id if self.answer is None else self.answer(event)
        if isinstance(answer, str):
            event.accept(answer)
            if self._receipts:
                self._later(self.receipt(text))
        elif isinstance(answer, int):
            event.reject(answer)
        else:
            self._unanswered.append((text, event))

    def accept_all(self) -> None:
        """Answer late what has had no answer."""
        for text, event in self._unanswered:
            event.accept(text.message_id)
            if self._receipts:
                self._later(self.receipt(text))
        self._unanswered = []

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside the serving: a receipt is answered when Ringback has stored it, and texts go on meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._receipting.add(task)
        task.add_done_callback(self._receipting.discard)

    async def receipt(self, text: WireText) -> None:
        """Say what became of a text."""
        arrived = text.destination not in self.undeliverable
        body = (
            f"id:{text.message_id} sub:001 dlvrd:{int(arrived):03} submit date:2611241500 done date:2611241500"
            f" stat:{'DELIVRD err:000' if arrived else 'UNDELIV err:012'} text:{text.body[:20]}"
        )
        with contextlib.suppress(Exception):
            await self._submit(text.destination, text.source, body, esm_class=0x04)

    async def text(self, sender: str, recipient: str, body: str) -> None:
        """A person texts the brokerage."""
        await self.offer(sender, recipient, body)

    async def offer(self, sender: str, recipient: str, body: str) -> int:
        """As ``text``: the status of the answer, 0 when Ringback has taken it."""
        await until(lambda: self._clients, what="a bound client")
        return await self._submit(sender, recipient, body)

    async def _submit(self, sender: str, recipient: str, body: str, esm_class: int = 0) -> int:
        """One message, or as many as the body takes; the first status that is not 0."""
        alphabet = alphabet_for(body)
        pieces = split(body, alphabet) if measure(body).segments > 1 else [body]
        self._reference = (self._reference + 1) % 256
        for number, piece in enumerate(pieces, start=1):
            head = header(Concatenation(self._reference, len(pieces), number)) if len(pieces) > 1 else b""
            octets, flags = head + encode(piece, alphabet), esm_class | (USER_DATA_HEADER if head else 0)
            status = await self._deliver(sender, recipient, octets, flags, 8 if alphabet is Alphabet.UCS2 else 0)
            if status != 0:
                return status
        return 0

    async def _deliver(self, sender: str, recipient: str, octets: bytes, esm_class: int, data_coding: int) -> int:
        answer = await self._clients[-1].deliver_sm(
            recipient.removeprefix("+"),
            octets,
            data_coding=data_coding,
            source_addr=sender.removeprefix("+"),
            source_addr_ton=1,
            source_addr_npi=1,
            dest_addr_ton=1,
            dest_addr_npi=1,
            esm_class=esm_class,
        )
        return answer.command_status

    def to(self, number: str) -> list[WireText]:
        """The texts that a number got."""
        return [text for text in self.texts if text.destination == number]


@dataclass(frozen=True, slots=True)
class MailServer:
    """How the mail server wants to be spoken to. tls: it takes mail only after STARTTLS. password: and a log-in."""

    tls: ssl.SSLContext | None = None
    user: str = "ringback"
    password: str | None = None

    def check(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        """aiosmtpd's authenticator."""
        right = (self.user.encode(), (self.password or "").encode())
        return AuthResult(success=(given.login, given.password) == right)


@dataclass
class Mailbox:
    """A real SMTP server's inbox."""

    messages: list[EmailMessage] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    """Of each, when, in the loop's time."""
    secured: list[bool] = field(default_factory=list)
    """Of each, whether it came over TLS, from somebody who had logged in."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        from email import message_from_bytes, policy

        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.arrived.append(time.monotonic())  # noqa: TID251 - what the loop's time() reads; this is another thread
        self.messages.append(message)
        self.secured.append(session.ssl is not None and bool(session.authenticated))
        return "250 taken"


class Stage:
    """Everything, running."""

    def __init__(
        self,
        folder: Path,
        settings_text: str = SETTINGS,
        *,
        ring_seconds: float = 1.0,
        carrier: bool = False,
        mail: MailServer | None = None,
        environment: Mapping[str, str] | None = None,
        smsc: int | None = None,
        own_smsc: bool = True,
        launch: Callable[..., list[str]] | None = None,
        **words: object,
    ) -> None:
        """``settings_text``: the YAML, with ``{smpp_port}`` and the like in it; ``words`` are further ones. ``carrier``: the
        trunk leads to every phone by its number, and not to one that listens where the trunk leads. ``mail``: how the mail
        server wants to be spoken to. ``environment``: of Ringback, besides ours. ``smsc``: the port of the SMSC, where
        something stands between and the settings lead there. ``own_smsc``: whether Ringback binds at our SMSC, and not at
        one of somebody else's. ``launch``: what a command of Ringback is started by, given that command."""
        self.folder = folder
        self.ports = {
            "smpp_port": free_port(),
            "smtp_port": free_port(),
            "web_port": free_port(),
            "http_port": free_port(),
            "ami_port": free_port(),
            "sip_port": free_port(socket.SOCK_DGRAM, also=socket.SOCK_STREAM),
            "carrier_port": free_port(socket.SOCK_DGRAM),
        }
        if smsc is not None:
            self.ports["smpp_port"] = smsc
        rtp = 20000 + (os.getpid() * 200) % 12000
        self.path = folder / "ringback.yaml"
        self.path.write_text(
            settings_text.format(**self.ports, rtp=rtp, rtp_last=rtp + 199, ring_seconds=ring_seconds, **words),
            encoding="utf-8",
        )
        self.settings: Settings = load(self.path)
        self.smsc = Smsc(self.ports["smpp_port"])
        self._own_smsc = own_smsc
        self._launch = launch or _as_it_is
        self.mailbox = Mailbox()
        self._mail_server = mail or MailServer()
        self._mail: Controller | None = None
        self.carrier = Carrier(CARRIER_IP, self.ports["carrier_port"]) if carrier else None
        self.pbx: ManagedPbx | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.log_path = folder / "ringback.log"
        self._log_from = 0
        self.environment = {
            **os.environ,
            "RINGBACK_STAGE_SMPP": SMPP_PASSWORD,
            "RINGBACK_CONFIG": str(self.path),
            **(environment or {}),
        }

    # ---------------------------------------------------------------------------------------------------------- lifetime
    async def start(self, say: Callable[[str], None] = lambda line: None, *, ringback: bool = True) -> None:
        """Start all, Ringback last."""
        await self.start_pbx(say)
        if self.carrier is not None:
            await self.carrier.start()
        await self.smsc.start()
        self.start_mail()
        if ringback:
            await self.start_ringback()

    async def start_pbx(self, say: Callable[[str], None] = lambda line: None) -> None:
        # On this thread, not another: the kernel kills a child with the thread that started it.
        self.pbx = ManagedPbx.prepare(self.settings, say)
        self.pbx.up(self.settings, say, child=True)

    async def start_ringback(self) -> None:
        """Start ``ringback run``, and wait until it is ready."""
        if self._own_smsc:
            self.smsc.forget_clients()
        with self.log_path.open("ab") as log:
            self._log_from = log.tell()
            self.process = await asyncio.create_subprocess_exec(
                *self._launch(sys.executable, "-m", "ari_app", "run"),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parent.parent.parent,
            )
        await until(self._is_ready, within=START_SECONDS, what=f"ringback to be ready; its log: {self.log_path}")

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.returncode is not None:
            raise AssertionError(f"ringback ended with {self.process.returncode}:\n{self.log_path.read_text()[-3000:]}")
        log = self.log_path.read_bytes()[self._log_from :]
        return b'"event": "ready"' in log and b'"event": "asterisk_connected"' in log and self._bound()

    def _bound(self) -> bool:
        return b" bound as " in self.log_path.read_bytes()[self._log_from :] and (self.smsc.bound or not self._own_smsc)

    async def stop_ringback(self, how: signal.Signals = signal.SIGTERM, within: float = 25.0) -> int:
        """Stop it; its exit status."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def stop(self) -> None:
        """Stop all."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self.smsc.stop()
        self.stop_mail()
        if self.carrier is not None:
            self.carrier.stop()
        if self.pbx is not None:
            self.pbx.process.stop()

    def start_mail(self) -> None:
        """Start the mail server."""
        server = self._mail_server
        self._mail = Controller(
            self.mailbox,
            hostname="127.0.0.1",
            port=self.ports["smtp_port"],
            authenticator=server.check,
            auth_required=server.password is not None,
            require_starttls=server.tls is not None,
            tls_context=server.tls,
        )
        self._mail.start()

    def stop_mail(self) -> None:
        """Stop it."""
        if self._mail is not None:
            self._mail.stop()
            self._mail = None

    # ------------------------------------------------------------------------------------------------------------ phones
    @property
    def sip(self) -> str:
        return f"127.0.0.1:{self.ports['sip_port']}"

    @property
    def asterisk(self) -> AsteriskProcess:
        assert self.pbx is not None
        return self.pbx.process

    def desk_phone(self, extension: str, **options: Any) -> Phone:
        """A desk phone that registers; ``answer_after`` None rings for ever."""
        secret = self.settings.secrets().resolve(f"phone-{extension}", None)
        return Phone(extension, password=secret, registrar=self.sip, **options)

    def mobile(self, number: str, *, called_back: bool = False, **options: Any) -> Phone:
        """A caller's phone in the outside world. called_back: it gets the calls that leave through the trunk, all of them;
        with a carrier, every phone gets its own anyway."""
        port = {"port": self.ports["carrier_port"]} if called_back else {}
        phone = Phone(number, ip=CARRIER_IP, **port, **options)
        if self.carrier is not None:
            self.carrier.connect(number, lambda: phone.address if phone.address and not phone.ended else None)
        return phone

    def dial(self, number: str) -> str:
        """The URI by which the outside world reaches a number of the brokerage."""
        return f"sip:{number}@{self.sip}"

    # ------------------------------------------------------------------------------------------------------------- books
    def events(self, kind: str | None = None, *, after: int = 0, lead: int | None = None) -> list[JournalEvent]:
        """The journal, in order."""
        path = database_path(self.settings)
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            rows = connection.execute(
                "SELECT seq, lead_id, type, at, body FROM events WHERE seq > ? ORDER BY seq", [after]
            ).fetchall()
        except sqlite3.OperationalError:
            return []  # the tables are not there yet
        finally:
            connection.close()
        found = [JournalEvent(seq, lead_id, name, at, orjson.loads(body)) for seq, lead_id, name, at, body in rows]
        return [event for event in found if kind in (None, event.type) and lead in (None, event.lead_id)]

    async def event(
        self,
        kind: str,
        /,
        *,
        within: float = 10.0,
        count: int = 1,
        after: int = 0,
        lead: int | None = None,
        **facts: Any,
    ) -> JournalEvent:
        """The ``count``-th event of a kind (of a lead, after another) with these facts in its body, awaited."""

        def probe() -> list[JournalEvent]:
            fitting = [
                event
                for event in self.events(kind, after=after, lead=lead)
                if all(event.body.get(name) == value for name, value in facts.items())
            ]
            return fitting[count - 1 : count]

        found = await until(
            probe, within=within, what=f"{kind} {facts}; there are {[e.type for e in self.events(lead=lead)][-40:]}"
        )
        return found[0]

    def query(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of the books."""
        connection = sqlite3.connect(f"file:{database_path(self.settings)}?mode=ro", uri=True, timeout=5)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def pushed(self) -> list[dict[str, Any]]:
        """The lines of the embedded CRM."""
        path = self.folder / "leads.jsonl"
        return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    async def ringback(self, *words: str) -> tuple[int, str]:
        """The command's exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self._launch(sys.executable, "-m", "ari_app", *words),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=Path(__file__).parent.parent.parent,
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()


@contextlib.asynccontextmanager
async def running_stage(
    settings_text: str = SETTINGS, *, ringback: bool = True, **options: Any
) -> AsyncIterator[Stage]:
    """A stage in a folder of its own, with a short path because of sockets; removed at the end. ``options``: see Stage."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-stage-"))
    folder.chmod(0o711)  # noqa: ASYNC240 - Asterisk's account goes through it; nothing else runs yet
    stage = Stage(folder, settings_text, **options)
    try:
        await stage.start(ringback=ringback)
        yield stage
    finally:
        await stage.stop()
        if not os.environ.get("RINGBACK_KEEP_STAGE"):
            shutil.rmtree(folder, ignore_errors=True)


def _as_it_is(*command: str) -> list[str]:
    return list(command)


def _plus(address: str) -> str:
    return f"+{address}" if address.isdecimal() and len(address) > 6 else address


def _text(event: smpp34.SubmitSmEvent) -> str:
    raw = bytes(event.short_message)
    return raw.decode("utf-16-be") if event.data_coding == 8 else raw.decode("latin-1")
