"""A PBX of somebody else's, in two shapes (plain, and FreePBX's), with what ``asterisk/attach`` says to add to it."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ari_app.pbx.account import choose_account
from ari_app.pbx.folders import PbxFolders
from ari_app.pbx.host import AsteriskHost, find_asterisk
from ari_app.pbx.modules import GROUPS
from ari_app.pbx.process import AsteriskProcess
from ari_app.settings.pbx import Pbx
from tests.support.phones import Phone
from tests.support.ports import free_port

if TYPE_CHECKING:
    from tests.e2e.watch.watching import Watching

TEMPLATES = Path(__file__).parent / "pbx"
ATTACH = Path(__file__).parents[3] / "asterisk" / "attach"
PHONES = ("101", "102", "103")
SECRET = "a-secret-of-the-tests"
PLAIN, FREEPBX = "127.0.0.2", "127.0.0.3"
"""The carrier's addresses: calls from the first enter the plain dialplan, from the second the FreePBX-shaped one."""
FREEPBX_ACCOUNT = "127.0.0.4"
"""The same, of a carrier that names the number dialled in To, and the account in the request."""
MODULES = (
    *("app_queue", "app_stack", "app_voicemail", "app_userevent", "app_read", "res_musiconhold", "bridge_holding"),
    *(
        "bridge_builtin_features",
        "pbx_config",
        "func_cut",
        "func_db",
        "func_import",
        "func_global",
        "func_timeout",
        "app_verbose",
    ),
    *(
        "app_cdr",
        "res_pjsip_mwi",
        "app_directed_pickup",
        "app_exec",
        "res_pjsip_mwi_body_generator",
        "res_clioriginate",
        "app_followme",
    ),
)


@dataclass
class ForeignPbx:
    """One running PBX. Start it with ``start``; ``ami``, ``http`` and ``sip`` are its ports on loopback."""

    host: AsteriskHost
    folders: PbxFolders
    ami: int = field(default_factory=free_port)
    http: int = field(default_factory=free_port)
    sip: int = field(default_factory=lambda: free_port(socket.SOCK_DGRAM))
    carrier: int = field(default_factory=lambda: free_port(socket.SOCK_DGRAM))
    sounds: Path = Path("custom")
    """Where Ringback's prompts are."""
    watched_by: list[Watching] = field(default_factory=list)
    """Who watches it, or did, in this test."""

    def __post_init__(self) -> None:
        self.process = AsteriskProcess(self.host, self.folders)

    @property
    def section(self) -> Pbx:
        return Pbx.model_validate(
            {"managed": False, "http": {"port": self.http}, "ami": {"port": self.ami}, "sip": {"port": self.sip}}
        )

    def render(self, *, attach: bool = True) -> None:
        """Writes its files. ``attach``: with what ``asterisk/attach`` adds."""
        rtp = 20000 + (os.getpid() * 200) % 12000
        words = {
            **{name: str(getattr(self.folders, name)) for name in ("etc", "lib", "db", "spool", "run", "log")},
            **{name: str(getattr(self, name)) for name in ("ami", "http", "sip", "carrier")},
            "modules": str(self.host.modules),
            "data": str(self.host.data),
            "rtp": str(rtp),
            "rtp_last": str(rtp + 199),
            "phones": "\n".join(_phone(number) for number in PHONES),
            "manager": _snippet("manager_custom.conf") if attach else "",
            "ari": _snippet("ari_additional_custom.conf") if attach else "",
            "queues": _snippet("queues_custom.conf") if attach else "",
            "attach": _snippet("extensions_custom.conf").replace("custom/", f"{self.sounds}/") if attach else "",
        }
        self.folders.etc.mkdir(parents=True, exist_ok=True)
        for template in TEMPLATES.glob("*.conf"):
            text = template.read_text(encoding="utf-8")
            for word, value in words.items():
                text = text.replace(f"@{word}@", value)
            (self.folders.etc / template.name).write_text(text, encoding="utf-8")
        names = dict.fromkeys((*(name for group in GROUPS for name in group.names), *MODULES))
        loads = "".join(f"load = {name}.so\n" for name in names if self.host.has_module(name))
        (self.folders.etc / "modules.conf").write_text(f"[modules]\nautoload = no\n{loads}", encoding="utf-8")
        # As FreePBX writes it, time format and all; the second half is what it includes.
        general = "enable=yes\napps=confbridge,mixmonitor,queue,voicemail\nevents=all\ndateformat=%F %T\n"
        (self.folders.etc / "cel.conf").write_text(
            f"[general]\n{general}{_snippet('cel_general_custom.conf') if attach else ''}", encoding="utf-8"
        )
        (self.folders.etc / "cel_custom.conf").write_text(
            _snippet("cel_custom.conf") if attach else "", encoding="utf-8"
        )
        for empty in ("musiconhold.conf", "cdr.conf", "indications.conf", "acl.conf", "udptl.conf"):
            (self.folders.etc / empty).write_text("[general]\n", encoding="utf-8")

    @property
    def cel(self) -> Path:
        """The event log that ``asterisk/attach`` has it write."""
        return self.folders.log / "cel-custom" / "ringback.csv"

    def start(self) -> None:
        account = choose_account((self.folders.base, self.host.modules), print)
        self.process.start(self.section, account, child=True)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        status = self.process.status()
        assert status is not None
        descriptor = os.pidfd_open(status.pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            assert select.select([descriptor], [], [], 5.0)[0], "it outlived SIGKILL"
        finally:
            os.close(descriptor)
        self.process.stop()

    # ------------------------------------------------------------------------------------------------------------ phones
    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.sip}"

    def dial(self, number: str) -> str:
        return f"sip:{number}@{self.address}"

    def desk_phone(self, number: str, **settings: Any) -> Phone:
        return Phone(number, password=f"{SECRET}-{number}", registrar=self.address, **settings)

    def caller(self, ip: str, number: str = "+13055550123", **settings: Any) -> Phone:
        """A caller from outside. ``ip``: PLAIN or FREEPBX."""
        return Phone(number, ip=ip, **settings)

    def mobile(self, ip: str, number: str = "+13055550177", **settings: Any) -> Phone:
        """The agent's mobile: what the PBX reaches through its carrier."""
        return Phone(number, ip=ip, port=self.carrier, **settings)

    def channels(self) -> list[str]:
        rows = self.process.cli("core show channels concise").splitlines()
        return [row for row in rows if "!" in row]


def _phone(number: str) -> str:
    return (
        f"[{number}](phone)\nauth = {number}-auth\naors = {number}\nmailboxes = {number}@default\n"
        f'callerid = "Desk {number}" <{number}>\n'
        f"[{number}-auth](login)\nusername = {number}\npassword = {SECRET}-{number}\n[{number}](address)\n"
    )


def _snippet(name: str) -> str:
    return (ATTACH / name).read_text(encoding="utf-8").replace("CHANGE-ME", SECRET)


@contextlib.contextmanager
def foreign_pbx(*, attach: bool = True) -> Iterator[ForeignPbx]:
    """One in a folder of its own, started; stopped and removed at the end."""
    base = Path(tempfile.mkdtemp(prefix="ringback-foreign-"))
    base.chmod(0o711)
    host = find_asterisk(progress=print)
    ami, http, sip, carrier = (free_port(also=socket.SOCK_DGRAM) for _ in range(4))
    pbx = ForeignPbx(host, PbxFolders(base), ami, http, sip, carrier)
    try:
        pbx.render(attach=attach)
        pbx.start()
        yield pbx
    finally:
        pbx.process.stop()
        if not os.environ.get("RINGBACK_KEEP_PBX"):
            shutil.rmtree(base, ignore_errors=True)
