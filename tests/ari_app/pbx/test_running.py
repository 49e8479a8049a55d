"""One Asterisk of ours: started, hardened, asked, stopped, and started again."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from ari_app.pbx.account import Account, choose_account
from ari_app.pbx.errors import AsteriskFailedError, NotRunningError, PortInUseError, RefusedError
from ari_app.pbx.folders import PbxFolders
from ari_app.pbx.ledger import read_cdr
from ari_app.pbx.modules import module_list
from ari_app.pbx.process import AsteriskProcess
from tests.support.asterisk import TestPbx, running_pbx
from tests.support.phones import ROOT
from tests.support.sipp import Sipp
from tests.support.waiting import until, until_sync

pytestmark = pytest.mark.e2e


@pytest.fixture
def own_pbx() -> Iterator[TestPbx]:
    """One that may be stopped and spoiled."""
    with running_pbx() as pbx:
        yield pbx


def test_it_starts_stops_and_starts_again_where_it_was(own_pbx: TestPbx) -> None:
    first = own_pbx.process.status()
    assert first is not None
    own_pbx.start()
    assert own_pbx.process.status() == first, "a second start leaves a running one alone"
    assert own_pbx.process.stop()
    assert own_pbx.process.status() is None
    assert not own_pbx.process.stop()
    own_pbx.start()
    second = own_pbx.process.status()
    assert second is not None
    assert second.pid != first.pid
    assert "Asterisk 22" in own_pbx.process.cli("core show version") or own_pbx.host.version.major != 22


def test_its_log_is_clean_after_a_start(own_pbx: TestPbx) -> None:
    log = (own_pbx.folders.log / "messages.log").read_text()
    assert [line for line in log.splitlines() if "WARNING" in line or "ERROR" in line] == []


def test_it_does_not_run_as_root(own_pbx: TestPbx) -> None:
    if choose_account((own_pbx.folders.base, own_pbx.host.modules), print).uid == 0:
        pytest.skip("the cache folder is closed to other accounts")
    status = own_pbx.process.status()
    assert status is not None
    assert status.uid != 0
    lines = Path(f"/proc/{status.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in lines
    assert "CapEff:\t0000000000000000" in lines
    if os.geteuid() == 0:
        for path in own_pbx.folders.etc.iterdir():
            assert path.stat().st_uid == 0, "Asterisk cannot change its own configuration"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone could be led astray")
def test_root_follows_no_link_that_asterisks_account_has_made(own_pbx: TestPbx, tmp_path: Path) -> None:
    own_pbx.process.stop()
    passwords = tmp_path / "etc" / "shadow"
    passwords.parent.mkdir()
    passwords.write_text("secret")
    recordings = own_pbx.folders.recordings
    recordings.rmdir()
    recordings.symlink_to(passwords.parent)
    with pytest.raises(AsteriskFailedError, match=f"^{recordings} is a link"):
        own_pbx.start()
    recordings.unlink()
    for console in (own_pbx.folders.log / "console.log", own_pbx.folders.console):
        console.unlink(missing_ok=True)
        console.symlink_to(passwords)
    own_pbx.start()
    assert passwords.read_text() == "secret"
    assert (passwords.stat().st_uid, passwords.parent.stat().st_uid) == (0, 0)
    assert recordings.stat().st_uid == own_pbx.folders.spool.stat().st_uid
    opened = own_pbx.folders.console.lstat()
    assert (opened.st_uid, stat.S_IMODE(opened.st_mode)) == (0, 0o640), "a new file, which Asterisk cannot replace"


def test_its_passwords_are_closed_to_other_accounts(own_pbx: TestPbx) -> None:
    for name in ("ari.conf", "manager.conf", "pjsip.conf"):
        assert stat.S_IMODE((own_pbx.folders.etc / name).stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE(own_pbx.folders.etc.stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE(own_pbx.folders.spool.stat().st_mode) & 0o007 == 0


def test_it_ends_with_the_program_that_started_it_as_a_child() -> None:
    program = (
        "import sys\n"
        "from tests.support.asterisk import running_pbx\n"
        "with running_pbx() as pbx:\n"
        "    print('up', pbx.process.status().pid, pbx.folders.base, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        _, pid, base = next(line for line in parent.stdout if line.startswith("up ")).split()
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
        until_sync(lambda: not _alive(int(pid)), within=3.0, what="Asterisk to end with its parent")
    subprocess.run(["rm", "-rf", base], check=True)


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_a_taken_port_is_named_before_anything_starts(own_pbx: TestPbx) -> None:
    own_pbx.process.stop()
    with socket.create_server(("127.0.0.1", own_pbx.telephony.pbx.ami.port)):
        with pytest.raises(PortInUseError, match=rf"AMI .*{own_pbx.telephony.pbx.ami.port}.*\(pid {os.getpid()}\)"):
            own_pbx.start()
        assert own_pbx.process.status() is None


def test_a_start_that_fails_tells_asterisks_last_words(own_pbx: TestPbx) -> None:
    own_pbx.process.stop()
    modules = own_pbx.folders.etc / "modules.conf"
    modules.write_text(modules.read_text() + "require = no_such_module.so\n")
    with pytest.raises(AsteriskFailedError, match="no_such_module"):
        own_pbx.start()
    assert own_pbx.process.status() is None


def test_a_data_folder_may_be_given_from_where_we_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert PbxFolders(Path("var/pbx")).configuration == tmp_path / "var/pbx/etc/asterisk.conf"


def test_a_command_to_one_that_is_not_running_says_so(own_pbx: TestPbx) -> None:
    own_pbx.process.stop()
    with pytest.raises(NotRunningError):
        own_pbx.process.cli("core show version")


def test_a_pid_file_left_by_a_crash_harms_nobody(own_pbx: TestPbx) -> None:
    own_pbx.process.stop()
    own_pbx.folders.pid.write_text(f"{os.getpid()}\n")
    assert own_pbx.process.status() is None
    assert not own_pbx.process.stop()
    own_pbx.start()


def test_a_socket_path_that_is_too_long_is_refused_in_plain_words(own_pbx: TestPbx, tmp_path: Path) -> None:
    deep = AsteriskProcess(own_pbx.host, PbxFolders(tmp_path / ("x" * 100)))
    with pytest.raises(AsteriskFailedError, match="too long for a socket"):
        deep.start(own_pbx.telephony.pbx, Account("me", os.geteuid(), os.getegid()))


def test_it_logs_in_at_a_carrier_that_wants_it_and_knows_when_the_carrier_is_there(
    asterisk: TestPbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGBACK_TEST_TRUNK", asterisk.secrets.phones["102"])
    login = {"user": "102", "secret": {"env": "RINGBACK_TEST_TRUNK"}}
    carrier = {"host": "127.0.0.1", "port": asterisk.telephony.pbx.sip.port, "registration": login, "qualify": True}
    with running_pbx(trunk=carrier) as pbx:
        until_sync(lambda: "Registered" in pbx.process.cli("pjsip show registrations"), what="the registration")
        until_sync(lambda: "Avail" in pbx.process.cli("pjsip show contacts"), what="the carrier to be there")
        assert "102/sip:trunk-carrier@127.0.0.1" in asterisk.process.cli("pjsip show contacts")


# ---------------------------------------------------------------------------------------------------------- hardening


def test_no_module_is_loaded_but_those_of_the_list(asterisk: TestPbx) -> None:
    shown = asterisk.process.cli("module show").splitlines()[1:-1]
    loaded = {line.split()[0].removesuffix(".so") for line in shown if ".so" in line}
    wanted = {name for group in module_list(asterisk.host) for name in group.names}
    assert loaded == wanted


def test_every_module_of_the_list_runs(asterisk: TestPbx) -> None:
    shown = [line for line in asterisk.process.cli("module show").splitlines() if ".so" in line]
    assert [line for line in shown if "Not Running" in line] == []


async def test_ari_wants_a_password(asterisk: TestPbx) -> None:
    async with asterisk.ari(password="wrong") as ari:
        with pytest.raises(RefusedError):
            await ari.server.info()
    async with aiohttp.ClientSession() as session:
        for path in ("/ari/asterisk/info", "/ari/channels", "/ari/events?app=ringback", "/ari/api-docs/channels.json"):
            async with session.get(asterisk.url + path) as response:
                assert response.status == 401, path
        for path in ("/", "/httpstatus", "/static/", "/rawman?action=login", "/manager", "/metrics", "/phoneprov"):
            async with session.get(asterisk.url + path) as response:
                assert response.status == 404, path


async def test_ari_lets_no_browser_in(asterisk: TestPbx) -> None:
    headers = {"Origin": "https://evil.example"}
    auth = aiohttp.encode_basic_auth("ringback", asterisk.secrets.ari)
    async with aiohttp.ClientSession(headers={"Authorization": auth, **headers}) as session:
        async with session.get(asterisk.url + "/ari/channels") as response:
            assert "Access-Control-Allow-Origin" not in response.headers
        async with session.options(asterisk.url + "/ari/channels") as response:
            assert "Access-Control-Allow-Origin" not in response.headers


def test_everything_that_is_not_sip_listens_on_loopback(asterisk: TestPbx) -> None:
    assert asterisk.telephony.pbx.http.host == "127.0.0.1"
    assert asterisk.telephony.pbx.ami.host == "127.0.0.1"
    assert asterisk.telephony.pbx.sip.host == "127.0.0.1"
    assert "127.0.0.1" in asterisk.process.cli("http show status")


async def test_a_stranger_gets_no_further_than_401(asterisk: TestPbx) -> None:
    async with Sipp("stranger", asterisk.sip, service="+13055550101", ip="127.0.0.3") as sipp:
        assert (await sipp.result()).ok
    log = (asterisk.folders.log / "security.log").read_text()
    assert "InvalidAccountID" in log
    assert "127.0.0.3" in log


@pytest.mark.parametrize("name", ["carrier", "101"])
async def test_claiming_the_name_of_a_carrier_or_a_phone_does_not_help_a_stranger(asterisk: TestPbx, name: str) -> None:
    async with Sipp("stranger", asterisk.sip, service="+13055550101", ip="127.0.0.3", caller=name) as sipp:
        assert (await sipp.result()).ok


async def test_a_carrier_cannot_reach_the_way_out(asterisk: TestPbx) -> None:
    async with asterisk.mobile(carrier=True) as mobile:
        for target in ("911", "13055550199", "+442079460000", "*97"):
            mobile.call(asterisk.dial_in(target))
            await mobile.heard("ended")
        assert "incoming" not in mobile.story(), "what went out through the trunk would have come to the carrier"


@pytest.mark.parametrize(
    ("sent", "code", "dialled"),
    [
        ("%24%7BSHELL(id)%7D", 404, None),
        ("_X.", 404, None),
        ("1%26PJSIP%2F101", 480, "1101"),
        ("555)%22%2C%5Cb", 480, "555"),
        ("%2B5%3B6", 480, "56"),
    ],
)
async def test_a_number_that_means_something_to_a_dialplan_is_only_its_digits(
    asterisk: TestPbx, sent: str, code: int, dialled: str | None
) -> None:
    offset = read_cdr(asterisk.folders.cdr).offset
    async with asterisk.mobile() as mobile:
        mobile.call(asterisk.dial_in(sent))
        await mobile.heard("ended", code=code)
    await until(lambda: not asterisk.channels(), what="the call to be over")
    if dialled is not None:
        rows = await until(lambda: read_cdr(asterisk.folders.cdr, offset).rows, what="the record")
        assert {row.dialled.removeprefix("+") for row in rows} <= {dialled, "s"}


async def test_the_ami_user_can_watch_and_nothing_else(asterisk: TestPbx) -> None:
    pbx = asterisk.telephony.pbx
    reader, writer = await asyncio.open_connection(pbx.ami.host, pbx.ami.port)

    async def ask(**fields: str) -> str:
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**fields, "ActionID": fields["Action"]}.items())
        writer.write(f"{lines}\r\n".encode())
        while True:
            answer = (await reader.readuntil(b"\r\n\r\n")).decode()
            if f"ActionID: {fields['Action']}" in answer and "Response:" in answer:
                return answer

    async with asyncio.timeout(10.0):
        login = await ask(Action="Login", Username=pbx.manager.user, Secret=asterisk.secrets.manager)
        assert "Success" in login
        assert "Success" in await ask(Action="Ping")
        assert "Success" in await ask(Action="CoreShowChannels")
        for action, fields in {
            "Originate": {"Channel": "Local/echo@self-test", "Application": "Echo"},
            "Command": {"Command": "core show channels"},
            "GetConfig": {"Filename": "ari.conf"},
            "UpdateConfig": {"SrcFilename": "extensions.conf", "DstFilename": "extensions.conf"},
            "Redirect": {"Channel": "x", "Context": "to-trunk", "Exten": "911", "Priority": "1"},
            "Setvar": {"Variable": "A", "Value": "b"},
            "ModuleLoad": {"LoadType": "load", "Module": "app_system.so"},
            "MessageSend": {"To": "pjsip:101", "From": "sip:x", "Body": "x"},
        }.items():
            assert "Permission denied" in await ask(Action=action, **fields), action
    writer.close()
    await writer.wait_closed()
