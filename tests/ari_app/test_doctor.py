"""The doctor, with everything well and with each thing really broken; each failure comes with its mend."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections import namedtuple
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from ari_app import doctor
from ari_app.clock import SystemClock
from ari_app.data_folder import database_path, socket_path
from ari_app.doctor import Finding, Grade, examine
from ari_app.errors import StoreUnavailableError
from ari_app.settings.loading import Settings
from ari_app.store.backup import take
from ari_app.store.db import prepare
from tests.ari_app.cli.ringback import Ringback, serving
from tests.ari_app.notify.post import post
from tests.support import office
from tests.support.ports import free_port
from tests.support.programs import beside
from tests.support.stage import SMPP_PASSWORD, Smsc
from tests.support.waiting import until

HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("PRAGMA locking_mode = EXCLUSIVE")
held.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TEST_SMPP", SMPP_PASSWORD)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return office.settings(tmp_path)


async def found(part: object, settings: Settings) -> list[Finding]:
    """What one examination says."""
    return [finding async for finding in part(settings)]  # type: ignore[operator]


async def only(part: object, settings: Settings) -> Finding:
    [finding] = await found(part, settings)
    return finding


# -------------------------------------------------------------------------------------------------------------------- disk
async def test_a_disk_with_room_is_well(settings: Settings) -> None:
    finding = await only(doctor._disk, settings)
    assert (finding.grade, finding.mend) == (Grade.OK, None)
    assert "GB free in" in finding.found
    assert not (settings.data_folder / ".probe").exists()


async def test_a_disk_that_is_nearly_full_is_a_failure(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("ari_app.doctor.shutil.disk_usage", lambda _: usage(10**12, 10**12, 10**8))
    finding = await only(doctor._disk, settings)
    assert (finding.grade, finding.found.split(" free")[0]) == (Grade.FAILURE, "0.1 GB")
    assert finding.mend is not None
    assert finding.mend.startswith("make room")


async def test_a_data_folder_that_cannot_be_written_is_a_failure(settings: Settings) -> None:
    settings.data_folder.write_text("a file in its place")
    finding = await only(doctor._disk, settings)
    assert (finding.grade, finding.mend) == (Grade.FAILURE, "make the data folder writable for us")
    assert str(settings.data_folder) in finding.found


# ---------------------------------------------------------------------------------------------------------------- database
async def test_books_that_are_not_there_yet_are_a_warning(settings: Settings) -> None:
    finding = await only(doctor._database, settings)
    assert (finding.grade, finding.mend) == (Grade.WARNING, "Ringback makes it at its start")


async def test_sound_books_are_well(settings: Settings) -> None:
    prepare(database_path(settings))
    finding = await only(doctor._database, settings)
    assert (finding.grade, finding.found) == (Grade.OK, f"{database_path(settings)} is sound")


@pytest.mark.parametrize("how", ["garbage", "a damaged page", "a newer version", "locked"])
async def test_books_that_cannot_be_used_are_a_failure_with_the_right_mend(
    settings: Settings, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = database_path(settings)
    prepare(path)
    monkeypatch.setattr("ari_app.store.db.BUSY_SECONDS", 0.05)
    if how == "locked":
        with beside(HOLDER, path):
            finding = await only(doctor._database, settings)
        mend = "make it readable and writable for us, and end what locks it"
    else:
        _break(path, how)
        finding = await only(doctor._database, settings)
        newer = "run the Ringback that wrote it, or a newer one"
        mend = newer if how == "a newer version" else "stop Ringback, then ringback restore"
    assert (finding.grade, finding.mend) == (Grade.FAILURE, mend), finding


# ------------------------------------------------------------------------------------------------------------------ backup
async def test_where_no_backup_was_taken_yet_it_says_when_one_will_be(settings: Settings) -> None:
    finding = await only(doctor._backup, settings)
    assert finding.grade is Grade.OK
    assert finding.found == f"none yet in {settings.data_folder / 'backups'}; taken at 03:30"


@pytest.mark.parametrize(("age", "grade"), [(timedelta(hours=30), Grade.OK), (timedelta(hours=40), Grade.WARNING)])
async def test_a_newest_backup_that_is_old_is_a_warning(settings: Settings, age: timedelta, grade: Grade) -> None:
    prepare(database_path(settings))
    take(database_path(settings), settings.data_folder / "backups", SystemClock().now() - age)
    finding = await only(doctor._backup, settings)
    assert finding.grade is grade
    assert finding.found.startswith(f"1 in {settings.data_folder / 'backups'}, the newest of 20")
    assert (finding.mend is None) == (grade is Grade.OK)


async def test_backups_that_nobody_may_look_at_are_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: Path) -> None:
        raise StoreUnavailableError("backups: Permission denied")

    monkeypatch.setattr("ari_app.doctor.in_folder", closed)
    finding = await only(doctor._backup, settings)
    assert (finding.grade, finding.found) == (Grade.WARNING, "backups: Permission denied")


def _break(path: Path, how: str) -> None:
    if how == "garbage":
        path.write_bytes(b"nothing of the kind" * 1000)
    elif how == "a damaged page":
        content = bytearray(path.read_bytes())
        content[5 * 4096 : 8 * 4096] = os.urandom(3 * 4096)
        path.write_bytes(content)
    else:
        database = sqlite3.connect(path)
        database.execute("UPDATE _sqlite_migrations SET name = '9999_later' WHERE name = '0002_answers'")
        database.commit()
        database.close()


# ------------------------------------------------------------------------------------------------------------------- clock
@pytest.mark.parametrize(
    ("state", "grade", "ending"),
    [(True, Grade.OK, ", synchronised"), (None, Grade.OK, " UTC"), (False, Grade.WARNING, ", not synchronised")],
)
async def test_the_kernels_own_opinion_of_the_clock_counts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, state: bool | None, grade: Grade, ending: str
) -> None:
    monkeypatch.setattr(doctor, "_kernel_synchronised", lambda: state)
    finding = await only(doctor._clock, settings)
    assert finding.grade is grade
    assert finding.found.endswith(ending)
    assert ("chrony" in (finding.mend or "")) is (grade is Grade.WARNING)


def test_a_kernel_that_does_not_tell_is_no_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._kernel_synchronised() in (True, False, None)

    def without_libc(*_: object, **__: object) -> None:
        raise OSError("no libc")

    monkeypatch.setattr("ari_app.doctor.ctypes.CDLL", without_libc)
    assert doctor._kernel_synchronised() is None


# ------------------------------------------------------------------------------------------------------------------- voice
async def test_the_embedded_engines_hear_and_speak(settings: Settings) -> None:
    finding = await only(doctor._voice, settings)
    assert finding.grade is Grade.OK, finding
    assert "pocketsphinx" in finding.found


@pytest.mark.parametrize(
    ("section", "said", "mend"),
    [
        ("{stt: vosk}", "vosk: no model is configured", "name the folder of a Vosk model"),
        ("{language: es}", "pocketsphinx: knows English", "name the folder of a Vosk model"),
        ("{tts: piper, piper_voice: broken.onnx}", "piper", ""),
    ],
)
async def test_an_engine_that_is_missing_is_a_failure_that_says_what_to_install(
    tmp_path: Path, section: str, said: str, mend: str
) -> None:
    (tmp_path / "broken.onnx").touch()
    settings = office.settings(tmp_path, ("callback: {to:", f"voice: {section}\ncallback: {{to:"))
    finding = await only(doctor._voice, settings)
    assert finding.grade is Grade.FAILURE
    assert said in finding.found
    assert finding.mend is not None
    assert mend in finding.mend


# ---------------------------------------------------------------------------------------------------------------- gateways
def gateway(port: int, more: str = "") -> tuple[str, str]:
    return (
        "port: 2775, system_id: ringback, password: {env: RINGBACK_TEST_SMPP}}",
        f"port: {port}, system_id: ringback, password: {{env: RINGBACK_TEST_SMPP}}{more}}}",
    )


@asynccontextmanager
async def smsc() -> AsyncIterator[Smsc]:
    running = Smsc(free_port())
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


async def test_a_bind_that_stands_is_well_and_is_taken_down_again(tmp_path: Path) -> None:
    async with smsc() as running:
        finding = await only(doctor._gateways, office.settings(tmp_path, gateway(running.port)))
        assert finding == Finding("gateway sms", Grade.OK, f"bound at 127.0.0.1:{running.port} as ringback")
        await until(lambda: running.binds == 1, what="the SMSC to know")


async def test_a_text_that_comes_during_the_examination_is_not_taken_from_the_carrier(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the doctor stores nothing"):
        await doctor._ignore(object())


@pytest.mark.parametrize("more", ["", ", tls: {}"])
async def test_a_carrier_that_does_not_answer_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    monkeypatch.setattr(doctor, "BIND_SECONDS", 2.0)
    finding = await only(doctor._gateways, office.settings(tmp_path, gateway(free_port(), more)))
    assert (finding.grade, finding.mend) == (Grade.FAILURE, "check host, port, system_id and password"), finding


async def test_a_carrier_that_refuses_us_is_a_failure_that_says_so(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(16)
        # bind_transceiver_resp with ESME_RINVPASWD (SMPP 3.4 section 5.1.3)
        writer.write((16).to_bytes(4) + (0x80000009).to_bytes(4) + (0x0E).to_bytes(4) + head[12:16])
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        finding = await only(doctor._gateways, office.settings(tmp_path, gateway(port)))
    assert finding.grade is Grade.FAILURE
    assert "ESME_RINVPASWD" in finding.found


async def test_an_account_that_cannot_be_is_a_failure_without_a_bind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGBACK_TEST_SMPP", "far longer than eight")
    finding = await only(doctor._gateways, office.settings(tmp_path))
    assert (finding.grade, finding.mend) == (Grade.FAILURE, "correct the gateway's section")
    assert "password: 8 characters at most" in finding.found
    monkeypatch.delenv("RINGBACK_TEST_SMPP")
    finding = await only(doctor._gateways, office.settings(tmp_path))
    assert "RINGBACK_TEST_SMPP" in finding.found
    assert finding.mend == "put the password where the settings say"


async def test_a_password_that_systemd_reads_for_the_service_is_found_from_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RINGBACK_TEST_SMPP")
    monkeypatch.setattr(doctor, "BIND_SECONDS", 0.5)
    (tmp_path / "secrets.env").write_text(f'RINGBACK_TEST_SMPP="{SMPP_PASSWORD}"\n')
    finding = await only(doctor._gateways, office.settings(tmp_path, gateway(free_port())))
    assert finding.mend == "check host, port, system_id and password", "it came as far as the carrier"


async def test_texts_by_sip_need_no_bind(tmp_path: Path) -> None:
    text = office.OFFICE.replace(
        "sms: {type: smpp, host: 127.0.0.1, port: 2775, system_id: ringback, password: {env: RINGBACK_TEST_SMPP}}",
        "sms: {type: sip, trunk: carrier}",
    )
    finding = await only(doctor._gateways, office.settings(tmp_path, text=text))
    assert finding == Finding("gateway sms", Grade.OK, "SIP MESSAGE through trunk carrier")


def test_while_ringback_runs_it_is_asked_and_no_second_bind_disturbs_the_first(settings: Settings) -> None:
    with serving(settings.base):
        finding = asyncio.run(only(doctor._gateways, settings))
    mend = "check host, port, system_id and password"
    assert finding == Finding("gateway sms", Grade.FAILURE, "the running Ringback says: not bound", mend)


async def test_a_control_socket_that_answers_nonsense_is_as_good_as_none(settings: Settings) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]")
        writer.close()

    path = socket_path(settings.data_folder)
    await asyncio.to_thread(path.parent.mkdir, parents=True)
    async with await asyncio.start_unix_server(answer, path):
        assert await doctor._ask_running(settings) == {}


# -------------------------------------------------------------------------------------------------------------------- mail
def mail(section: str) -> tuple[str, str]:
    return "email: {host: 127.0.0.1, port: 2525, security: none, sender: ringback@harbor.example}\n", section


async def test_a_mail_server_that_takes_mail_is_well(tmp_path: Path) -> None:
    with post() as served:
        line = f"email: {{host: 127.0.0.1, port: {served.port}, security: none, sender: r@harbor.example}}\n"
        finding = await only(doctor._mail, office.settings(tmp_path, mail(line)))
    assert finding == Finding("e-mail", Grade.OK, f"127.0.0.1:{served.port} takes mail from us")
    assert served.messages == []


async def test_without_a_mail_server_nobody_is_told(tmp_path: Path) -> None:
    finding = await only(doctor._mail, office.settings(tmp_path, mail("")))
    assert (finding.grade, finding.found) == (Grade.WARNING, "there is no email section")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("security: none", "Connect call failed"),
        ("security: starttls, ca_file: nowhere.pem", "No such file"),
        ("security: none, user: ringback, password: {env: RINGBACK_NO_SUCH}", "RINGBACK_NO_SUCH"),
        ("security: none, user: ringback, password: {file: nowhere}", "nowhere"),
    ],
)
async def test_a_mail_server_that_cannot_be_used_is_a_failure(tmp_path: Path, keys: str, said: str) -> None:
    line = f"email: {{host: 127.0.0.1, port: {free_port()}, {keys}, sender: r@harbor.example, timeout: 1s}}\n"
    finding = await only(doctor._mail, office.settings(tmp_path, mail(line)))
    assert finding.grade is Grade.FAILURE
    assert finding.mend
    assert said in finding.found


# --------------------------------------------------------------------------------------------------------------- as a whole
@pytest.fixture
def ringback(tmp_path: Path) -> Ringback:
    office.settings(tmp_path, ("port: 2775", f"port: {free_port()}"))
    return Ringback(tmp_path / "ringback.yaml")


def test_the_worst_finding_is_the_exit_code_and_each_failure_has_its_mend(
    ringback: Ringback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "BIND_SECONDS", 1.0)
    lines = ringback.told("doctor", code=2)
    assert any(line.startswith("ok       settings: policy ") for line in lines)
    assert any(line.startswith("failure  asterisk: nothing answers at") for line in lines)
    failed = ringback.json("doctor", code=2)
    assert all(one["mend"] for one in failed if one["grade"] != "ok")
    assert [one["what"] for one in failed if one["grade"] == "failure"] == ["asterisk", "gateway sms", "e-mail"]


@pytest.mark.parametrize(("grade", "code"), [(Grade.OK, 0), (Grade.WARNING, 1), (Grade.FAILURE, 2)])
def test_exit_codes(ringback: Ringback, monkeypatch: pytest.MonkeyPatch, grade: Grade, code: int) -> None:
    async def findings(settings: Settings) -> list[Finding]:
        return [Finding("a", Grade.OK, "fine"), Finding("b", grade, "[red]so so[/]", None if not code else "mend it")]

    monkeypatch.setattr("ari_app.cli.doctor_command.examine", findings)
    lines = ringback.told("doctor", code=code)
    assert lines[0] == "ok       a: fine"
    assert lines[1] == f"{grade.name.lower():8} b: [red]so so[/]"
    assert lines[2:] == (["         mend: mend it"] if code else [])


async def test_warnings_of_the_settings_are_findings(tmp_path: Path) -> None:
    settings = office.settings(tmp_path, ("crm: {file: {type: jsonl, file: leads.jsonl}}\n", ""))
    assert settings.warnings
    findings = [one for one in await examine(settings) if one.what == "settings"]
    assert [one.grade for one in findings] == [Grade.WARNING] * len(settings.warnings)
    assert findings[0].mend == "see ringback check"
