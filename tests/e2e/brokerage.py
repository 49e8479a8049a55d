"""The brokerage that the end-to-end tests call: one number for each way in which calls are treated, and quick rings."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import math
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ClientSession, web
from standardwebhooks import Webhook

from ari_app.pbx_setup import pbx_folders
from tests.support.ports import free_port
from tests.support.stage import JournalEvent, MailServer, Stage
from tests.support.waiting import until

RING_SECONDS = 0.8
"""One ring. Long enough that a phone can answer in a given one on a busy machine."""
RINGS = 3
PAUSE_SECONDS = 5.0
"""Longer than this and links may have died meanwhile."""

MAIN = "+13055550100"
ALL_PHONES = "+13055550101"
IN_ORDER = "+13055550102"
ROUND_ROBIN = "+13055550103"
OVERFLOW = "+13055550104"
VOICEMAIL = "+13055550105"
HANGUP = "+13055550106"
LISTING = "+13055550107"
CLOSED = "+13055550108"
NO_TEXT = "+13055550109"
ESCALATING = "+13055550110"
TEXTED_LATER = "+13055550117"
"""The text waits long enough for a person to type a command meanwhile, on a busy machine, too."""
LONG_RINGING = "+13055550116"
"""Six rings, so that a caller can give up in the third on a busy machine, too."""
PATIENT = "+13055550111"
"""Six rings; whoever gives up before the fourth is over is not followed up."""
DROPPED_COUNTS = "+13055550112"
OTHER_OFFICE = "+13055550113"
NEVER_OPEN_BUT_RINGS = "+13055550114"
SECOND_DESK = "+13055550115"
UNLISTED = "+13055550177"

SETTINGS = """\
version: 1
data: data
brokerage: {{name: Harbor Realty, phone: "+13055550199", country: US, time_zone: America/New_York}}
offices:
  miami: {{name: Miami, hours: always}}
  coral: {{name: Coral Gables, hours: always}}
  keys: {{name: Keys, hours: never}}
hours:
  always: {{week: {{mon-sun: 0:00-24:00}}}}
  never: {{}}
agents:
  ana: {{name: Ana, email: ana@harbor.example, phone: "101"}}
  bob: {{name: Bob, email: bob@harbor.example, phone: "102", mobile: "+13055550181"}}
  cleo: {{name: Cleo, email: cleo@harbor.example, phone: "103"}}
groups:
  front: {{phones: ["101"], agents: [ana]}}
  all: {{phones: ["101", "102", "103"], agents: [ana, bob]}}
  ordered: {{phones: ["101", "102"], agents: [bob], strategy: in_order, each: 1s}}
  turns: {{phones: ["101", "102"], agents: [bob], strategy: round_robin, each: 20s}}
  second: {{phones: ["102"], agents: [bob]}}
  floor: {{phones: ["103"], agents: [cleo]}}
number_defaults: {{office: miami, group: front, plan: standard, rings: 3, abandoned_rings: 1}}
numbers:
  "13055550100": {{source: Main line}}
  "13055550101": {{group: all}}
  "13055550102": {{group: ordered}}
  "13055550103": {{group: turns}}
  "13055550104": {{after_miss: overflow, overflow: floor}}
  "13055550105": {{after_miss: voicemail}}
  "13055550106": {{after_miss: hangup}}
  "13055550107": {{source: Yard sign, listing: 12 Ocean Drive}}
  "13055550108": {{office: keys}}
  "13055550109": {{plan: textless}}
  "13055550110": {{plan: escalating}}
  "13055550111": {{rings: 6, abandoned_rings: 4}}
  "13055550112": {{counts: [no_answer, dropped]}}
  "13055550113": {{office: coral}}
  "13055550115": {{office: coral, group: second}}
  "13055550116": {{rings: 6}}
  "13055550117": {{plan: later}}
  "13055550114": {{office: keys, ring_after_hours: true}}
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
  textless: [call, alert: agent, push]
  escalating:
    - alert: agent
    - push
    - wait: 6s unless acknowledged
    - alert: floor
    - push
  later: [push, wait: 8s, text: missed, push]
templates:
  texts:
    missed: >-
      {{brokerage}} (automated): sorry we missed your {{time}} call[ on {{listing}}].
      Are you buying or selling? STOP to opt out.
    after_hours: "{{brokerage}} (automated): closed now.[ Back {{open_time}}.] Buying or selling? STOP to opt out."
cadence: {{ring_seconds: {ring_seconds}, first_ring: 4s, dropped: 1.5s}}
prompt:
  notice: "We missed you. Press 9 for no texts, 1 for a call."
  call_now: "We call you now."
  never: "We will not text or call you."
  keys_after: 0.5s
  voicemail_longest: 10s
callback: {{to: [_1NXXNXXXXXX], trunk: carrier, ring: 15s, per_day: 3}}
voice: {{lanes: 1}}
limits: {{alike_per_hour: 1000000, per_hour: 1000000, per_number_per_day: 1000000}}
quiet_hours: {{contact: 0:00-24:00, texts: send}}
texts: {{hold: 5s, outcome: 4s}}
gateways:
  sms:
    type: smpp
    host: 127.0.0.1
    port: {smpp_port}
    system_id: ringback
    password: {{env: RINGBACK_STAGE_SMPP}}
    per_second: 1000
    response: 2s
    enquire: 5s
  sip: {{type: sip, trunk: carrier}}
text_routes:
  - {{to: _1NXXNXXXXXX, via: sms}}
  - {{to: _1786NXXXXXX, via: sip}}
email:
  host: localhost
  port: {smtp_port}
  security: starttls
  ca_file: mail.pem
  user: ringback
  password: {{env: RINGBACK_STAGE_SMTP}}
  sender: ringback@harbor.example
crm:
  file: {{type: jsonl, file: leads.jsonl}}
  hook: {{type: webhook, url: "http://127.0.0.1:{hook_port}/leads", secret: {{env: RINGBACK_STAGE_HOOK}}}}
web: {{port: {web_port}}}
log: {{format: json, level: debug}}
pbx:
  http: {{port: {http_port}}}
  ami: {{port: {ami_port}}}
  sip: {{port: {sip_port}}}
  rtp: {{first: {rtp}, last: {rtp_last}}}
  dial_out: [1NXXNXXXXXX]
phones: {{"101": {{name: A}}, "102": {{name: B}}, "103": {{name: C, voicemail: true}}}}
trunks: {{carrier: {{host: 127.0.0.2, port: {carrier_port}, match: [127.0.0.2], qualify: false}}}}
"""

MAIL_PASSWORD = "mail-secret"
HOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two octets...").decode()


@dataclass
class Receiver:
    """A CRM's webhook: verifies what comes as Standard Webhooks has it, with somebody else's implementation."""

    port: int = field(default_factory=free_port)
    taken: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Why something did not verify."""
    status: Callable[[], int] = lambda: 204
    """What a verified push is answered with."""

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/leads", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            Webhook(HOOK_SECRET).verify(body, dict(request.headers))
        except Exception as error:  # noqa: BLE001 - whatever its reason, it is kept for the test
            self.refused.append(repr(error))
            return web.Response(status=401)
        status = self.status()
        if status < 300:
            self.ids.append(request.headers["webhook-id"])
            self.taken.append(orjson.loads(body))
        return web.Response(status=status)

    def about(self, number: str) -> list[dict[str, Any]]:
        """The leads pushed about a caller, in order."""
        return [push["data"] for push in self.taken if push["data"]["number"] == number]


class Brokerage(Stage):
    """The stage with that brokerage on it. hook: its CRM."""

    def __init__(self, folder: Path, settings_text: str = SETTINGS, **options: Any) -> None:
        self.hook = Receiver()
        self._left_at = math.inf
        options.setdefault("ring_seconds", RING_SECONDS)
        environment = {"RINGBACK_STAGE_SMTP": MAIL_PASSWORD, "RINGBACK_STAGE_HOOK": HOOK_SECRET}
        super().__init__(
            folder,
            settings_text,
            carrier=True,
            mail=MailServer(_certificate(folder / "mail.pem"), "ringback", MAIL_PASSWORD),
            environment=environment | options.pop("environment", {}),
            hook_port=self.hook.port,
            **options,
        )

    async def start(self, say: Callable[[str], None] = lambda line: None, *, ringback: bool = True) -> None:
        await self.hook.start()
        await super().start(say, ringback=ringback)

    async def stop(self) -> None:
        await super().stop()
        await self.hook.stop()

    def leave(self) -> None:
        """A test is done with it; the next may come soon, or after others with loops of their own."""
        self._left_at = asyncio.get_running_loop().time()

    async def go_on(self) -> None:
        """Have Ringback run with all its links. While tests with a loop of their own run, ours stands still, and with it the
        SMSC and the proxies: links die, and Ringback would only try again when its back-off says so."""
        if self.process is not None and self.process.returncode is None:
            if asyncio.get_running_loop().time() - self._left_at <= PAUSE_SECONDS:
                return
            await self.stop_ringback(signal.SIGKILL)
        await self.start_ringback()

    def change(self, *changes: tuple[str, str]) -> None:
        """Replace pieces of the YAML, each by another."""
        text = self.path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        self.path.write_text(text, encoding="utf-8")

    @property
    def sounds(self) -> Path:
        """Where the prompts are that callers hear."""
        return pbx_folders(self.settings).sounds

    async def ask(self, *words: str) -> Any:
        """What a command prints with ``--json``; it has to succeed."""
        status, said = await self.ringback(*words, "--json")
        assert status == 0, said
        return orjson.loads(said)

    async def page(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the web edge."""
        async with (
            ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.ports['web_port']}{path}") as answer,
        ):
            return answer.status, await answer.text()

    async def mail(self, number: str, subject: str, *, count: int = 1, within: float = 10.0) -> EmailMessage:
        """The ``count``-th mail about a caller with these words in its subject, awaited."""

        def probe() -> list[EmailMessage]:
            return [mail for mail in self.mailbox_about(number) if subject in str(mail["Subject"])][count - 1 : count]

        found = await until(probe, within=within, what=f"mail {subject!r}; there are {self.mails(number)}")
        return found[0]

    def mailbox_about(self, number: str) -> list[EmailMessage]:
        """The mails about a caller."""
        return [mail for mail in self.mailbox.messages if number in mail.get_content()]

    def mails(self, number: str) -> list[str]:
        """The subjects of the mails about a caller, in order."""
        return [str(mail["Subject"]) for mail in self.mailbox_about(number)]

    async def recording(self, folder: Path, *, seconds: float) -> None:
        """Wait until a recording of 16-bit samples at 8 kHz in a folder is so long."""
        octets = int(seconds * 16000)
        await until(
            lambda: any(path.stat().st_size > octets for path in folder.glob("*.wav")), within=20.0, what="a recording"
        )

    async def talk(self, seconds: float) -> bool:
        """Let people talk for a while."""
        await asyncio.sleep(seconds)  # noqa: TID251 - what is awaited is the time itself
        return True

    def channels(self) -> list[str]:
        """The names of all channels, by Asterisk's own list."""
        rows = self.asterisk.cli("core show channels concise").splitlines()
        return [row.split("!")[0] for row in rows if "!" in row and not row.startswith("Message/")]

    def bridges(self) -> list[str]:
        """The bridges that there are."""
        return [row.split()[0] for row in self.asterisk.cli("bridge show all").splitlines()[1:] if row.strip()]

    @property
    def now(self) -> int:
        """The number of the newest event in the journal."""
        newest = self.query("SELECT coalesce(max(seq), 0) FROM events")[0][0]
        assert isinstance(newest, int)
        return newest

    def ordered_by(self, event: JournalEvent) -> list[str]:
        """The kinds of what an event ordered."""
        return [kind for (kind,) in self.query("SELECT kind FROM outbox WHERE id LIKE ?", [f"{event.seq}.%"])]

    def reasons(self, event: JournalEvent) -> list[tuple[str, str, str]]:
        """Action, outcome and rule of everything that an event decided."""
        rows = self.query("SELECT action, outcome, rule FROM decisions WHERE seq = ? ORDER BY n", [event.seq])
        return [(action, outcome, rule) for action, outcome, rule in rows]

    def lead_of(self, number: str, office: str = "miami") -> int | None:
        """The newest lead of a caller."""
        rows = self.query("SELECT max(id) FROM leads WHERE number = ? AND office = ?", [number, office])
        return rows[0][0] if rows else None

    def decisions(self, lead: int) -> list[tuple[str, str, str]]:
        """Action, outcome and rule of everything that was decided about a lead."""
        rows = self.query("SELECT action, outcome, rule FROM decisions WHERE lead_id = ? ORDER BY seq, n", [lead])
        return [(action, outcome, rule) for action, outcome, rule in rows]

    def open_orders(self, lead: int) -> list[str]:
        """What is ordered for a lead and not yet settled."""
        rows = self.query("SELECT id FROM outbox WHERE lead_id = ? AND status IN ('todo', 'doing')", [lead])
        return [effect_id for (effect_id,) in rows]

    def well(self) -> set[str]:
        """The components that Ringback's health page calls well. Blocks for a moment."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['web_port']}/health", timeout=5) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            body = error.read()
        return {part["name"] for part in orjson.loads(body)["components"] if part["ok"]}

    def tried(self, kind: str) -> bool:
        """Whether an order of this kind was tried in vain and waits to be tried again."""
        query = "SELECT id FROM outbox WHERE kind = ? AND status = 'todo' AND attempts > 0"
        return bool(self.query(query, [kind]))

    def attempts(self, effect_id: str) -> int:
        """How often an order has been begun."""
        found = self.query("SELECT attempts FROM outbox WHERE id = ?", [effect_id])[0][0]
        assert isinstance(found, int)
        return found

    def orders(self, number: str, kind: str) -> list[tuple[str, str]]:
        """Id and status of what was ordered for a caller."""
        rows = self.query("SELECT id, status FROM outbox WHERE number = ? AND kind = ? ORDER BY n", [number, kind])
        return [(effect_id, status) for effect_id, status in rows]


@contextlib.asynccontextmanager
async def open_brokerage(
    settings_text: str = SETTINGS, *, ringback: bool = True, **options: Any
) -> AsyncIterator[Brokerage]:
    """A brokerage in a folder of its own, with a short path because of sockets; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-e2e-"))
    folder.chmod(0o711)  # noqa: ASYNC240 - Asterisk's account goes through it; nothing else runs yet
    brokerage = Brokerage(folder, settings_text, **options)
    try:
        await brokerage.start(ringback=ringback)
        yield brokerage
    finally:
        await brokerage.stop()
        if not os.environ.get("RINGBACK_KEEP_STAGE"):
            shutil.rmtree(folder, ignore_errors=True)


def _certificate(path: Path) -> ssl.SSLContext:
    """A certificate for localhost that is its own authority, and a server's context with it."""
    key = path.with_suffix(".key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(path)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return context
