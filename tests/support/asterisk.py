"""A private Asterisk on free loopback ports, shared by the tests of one process: phones 101-103, a carrier on 127.0.0.2."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ari_app.pbx.account import choose_account
from ari_app.pbx.ari import Ari
from ari_app.pbx.folders import PbxFolders
from ari_app.pbx.host import AsteriskHost, find_asterisk
from ari_app.pbx.process import AsteriskProcess
from ari_app.pbx.render import Dialplan, PbxSecrets, RingGroup, render
from ari_app.settings.pbx import Telephony
from ari_app.settings.secrets import SecretStore
from tests.support.phones import Phone
from tests.support.ports import free_port
from tests.support.waiting import until_sync

CARRIER_IP = "127.0.0.2"
"""Calls from this address are the carrier's; phones register from 127.0.0.1."""

PHONES = ("101", "102", "103")


@dataclass
class TestPbx:
    """One running Asterisk. ``app`` is the Stasis application that its dialplan hands calls to."""

    __test__ = False

    host: AsteriskHost
    telephony: Telephony
    secrets: PbxSecrets
    folders: PbxFolders
    process: AsteriskProcess
    dialplan: Dialplan
    carrier_port: int

    @classmethod
    def make(
        cls,
        base: Path,
        *,
        dialplan: Dialplan | None = None,
        trunk: dict[str, Any] | None = None,
        **pbx: Any,
    ) -> TestPbx:
        """Renders one into ``base``. ``trunk`` and ``pbx`` are further keys of those sections of the settings."""
        host = find_asterisk(progress=print)
        http, ami, sip, carrier_port = (free_port(also=socket.SOCK_DGRAM) for _ in range(4))
        rtp = 20000 + (os.getpid() * 200) % 12000
        telephony = Telephony.model_validate(
            {
                "pbx": {
                    "http": {"port": http},
                    "ami": {"port": ami},
                    "sip": {"port": sip},
                    "rtp": {"first": rtp, "last": rtp + 199},
                    **pbx,
                },
                "phones": {number: {"name": f"Desk {number}", "voicemail": number == "103"} for number in PHONES},
                "trunks": {
                    "carrier": {
                        "host": CARRIER_IP,
                        "port": carrier_port,
                        "match": [f"{CARRIER_IP}/32"],
                        "qualify": False,  # the carrier is there when a test starts it
                        **(trunk or {}),
                    }
                },
            }
        )
        folders = PbxFolders(base)
        secrets = PbxSecrets.resolve(telephony, SecretStore(base / "secrets", base))
        groups = (RingGroup("+13055550101", ("101",), 6), RingGroup("+13055550123", ("102", "103"), 2))
        chosen = dialplan or Dialplan(ring_groups=groups, ring_seconds=6)
        pbx_under_test = cls(host, telephony, secrets, folders, AsteriskProcess(host, folders), chosen, carrier_port)
        pbx_under_test.render()
        return pbx_under_test

    @property
    def app(self) -> str:
        return self.telephony.pbx.app

    @property
    def sip(self) -> str:
        """``host:port`` of its SIP."""
        return f"{self.telephony.pbx.sip.host}:{self.telephony.pbx.sip.port}"

    @property
    def url(self) -> str:
        return f"http://{self.telephony.pbx.http.host}:{self.telephony.pbx.http.port}"

    def render(self) -> list[Path]:
        return render(self.telephony, self.secrets, self.host, self.folders, self.dialplan)

    def start(self, *, child: bool = True) -> None:
        """``child``: it ends with the thread that starts it."""
        account = choose_account((self.folders.base, self.host.modules), print)
        self.process.start(self.telephony.pbx, account, child=child)

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

    def ari(self, *, url: str | None = None, password: str | None = None, app: str | None = None) -> Ari:
        user = self.telephony.pbx.ari.user
        return Ari(url or self.url, user, password or self.secrets.ari, application=app or self.app, within=5.0)

    def desk_phone(self, number: str, **settings: Any) -> Phone:
        """A registered desk phone; see ``Phone`` for ``settings``."""
        return Phone(number, password=self.secrets.phones[number], registrar=self.sip, **settings)

    def mobile(self, number: str = "+13055550199", *, carrier: bool = False, **settings: Any) -> Phone:
        """A number in the outside world. ``carrier``: it also gets the calls that the PBX sends out through the trunk."""
        return Phone(number, ip=CARRIER_IP, **({"port": self.carrier_port} if carrier else {}), **settings)

    def dial_in(self, dialled: str) -> str:
        """The URI that a mobile calls to reach a number of the brokerage."""
        return f"sip:{dialled}@{self.sip}"

    def channels(self) -> list[str]:
        """The names of all channels, by Asterisk's own list."""
        rows = self.process.cli("core show channels concise").splitlines()
        return [row.split("!")[0] for row in rows if "!" in row and not row.startswith("Message/")]

    def bridges(self) -> list[str]:
        rows = self.process.cli("bridge show all").splitlines()[1:]
        return [row.split()[0] for row in rows if row.strip()]


@contextlib.contextmanager
def running_pbx(**options: Any) -> Iterator[TestPbx]:
    """A TestPbx in a folder of its own, started; stopped and removed at the end. For ``options`` see ``TestPbx.make``."""
    base = Path(tempfile.mkdtemp(prefix="ringback-pbx-"))
    base.chmod(0o711)  # Asterisk's account goes through it
    pbx: TestPbx | None = None
    try:
        pbx = TestPbx.make(base, **options)
        pbx.start()
        yield pbx
    finally:
        if pbx is not None:
            pbx.process.stop()
        if not os.environ.get("RINGBACK_KEEP_PBX"):
            shutil.rmtree(base, ignore_errors=True)


@contextlib.contextmanager
def leftovers_hung_up(process: AsteriskProcess) -> Iterator[None]:
    """Where the block finds that a test has left a call behind: that test has failed, and those after it need not."""
    try:
        yield
    except AssertionError:
        process.cli("channel request hangup all")
        raise


@pytest.fixture(scope="session")
def shared_pbx() -> Iterator[TestPbx]:
    """The Asterisk of this test process: up in a third of a second, or in ten the first time ever."""
    with running_pbx() as pbx:
        yield pbx


@pytest.fixture
def asterisk(shared_pbx: TestPbx) -> Iterator[TestPbx]:
    """``shared_pbx`` for one test, which has to leave no channel and no bridge behind."""
    yield shared_pbx
    with leftovers_hung_up(shared_pbx.process):
        until_sync(lambda: not shared_pbx.channels(), within=6.0, what="all channels to be gone")
    until_sync(lambda: not shared_pbx.bridges(), within=3.0, what="all bridges to be gone")
