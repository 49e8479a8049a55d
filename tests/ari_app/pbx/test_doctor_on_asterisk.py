"""What the doctor says of a real Asterisk: one that obeys us, and ones that do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ari_app import doctor
from ari_app.doctor import Finding, Grade
from ari_app.settings.loading import Settings
from tests.support import office
from tests.support.asterisk import TestPbx
from tests.support.ports import free_port


async def found(settings: Settings) -> dict[str, Finding]:
    """What it says, by what it speaks of."""
    return {finding.what: finding async for finding in doctor._asterisk(settings)}


def at(pbx: TestPbx, folder: Path, *, port: int | None = None) -> Settings:
    """The office whose PBX is this one."""
    section = (
        f"pbx: {{http: {{port: {port or pbx.telephony.pbx.http.port}}}, sip: {{port: {pbx.telephony.pbx.sip.port}}},"
        f" ari: {{user: {pbx.telephony.pbx.ari.user}, secret: {{file: ari-password}}}}}}\n"
    )
    (folder / "ari-password").write_text(pbx.secrets.ari)
    return office.settings(folder, text=office.OFFICE + section)


async def test_an_asterisk_that_obeys_us_is_well_and_its_phones_are_shown(asterisk: TestPbx, tmp_path: Path) -> None:
    desk = asterisk.desk_phone("101")
    async with desk:
        findings = await found(at(asterisk, tmp_path))
    assert findings["asterisk"].grade is Grade.OK
    assert findings["asterisk"].found.startswith("version ")
    assert findings["ARI rights"] == Finding("ARI rights", Grade.OK, "calls can be handled")
    assert findings["phone 101 (A)"].grade is Grade.OK
    unregistered = findings["phone 102 (B)"]
    assert unregistered.grade is Grade.WARNING
    assert unregistered.mend is not None
    assert "secrets/phone-102" in unregistered.mend
    assert "trunk carrier" in findings


async def test_a_phone_and_a_trunk_that_asterisk_does_not_know_are_failures(asterisk: TestPbx, tmp_path: Path) -> None:
    settings = at(asterisk, tmp_path)
    text = settings.path.read_text()
    settings = office.settings(
        tmp_path,
        text=text.replace('"103": {name: C}', '"103": {name: C}, "199": {name: New}').replace(
            "trunks: {carrier: {host: 127.0.0.1, match: [127.0.0.1]}}",
            "trunks: {carrier: {host: 127.0.0.1, match: [127.0.0.1]}, spare: {host: 127.0.0.3, match: [127.0.0.3]}}",
        ),
    )
    findings = await found(settings)
    for what in ("phone 199 (New)", "trunk spare"):
        assert (findings[what].grade, findings[what].found) == (Grade.FAILURE, "Asterisk does not know it")
        assert findings[what].mend == "ringback pbx up"


async def test_a_wrong_password_is_told_from_a_pbx_that_is_not_there(asterisk: TestPbx, tmp_path: Path) -> None:
    settings = at(asterisk, tmp_path)
    (tmp_path / "ari-password").write_text("wrong")
    [finding] = (await found(settings)).values()
    assert finding.grade is Grade.FAILURE
    assert "does not let" in finding.found
    assert finding.mend is not None
    assert "ari.conf" in finding.mend
    [finding] = (await found(at(asterisk, tmp_path, port=free_port()))).values()
    assert (finding.grade, finding.mend) == (Grade.FAILURE, "ringback pbx up")
    assert "nothing answers at" in finding.found
    (tmp_path / "ari-password").unlink()
    [finding] = (await found(settings)).values()
    assert (finding.grade, finding.mend) == (Grade.FAILURE, "put the secret where the settings say")


@pytest.fixture
def spectator(asterisk: TestPbx) -> Iterator[str]:
    """An ARI user who may only look."""
    path = asterisk.folders.etc / "ari.conf"
    before = path.read_text()
    path.write_text(f"{before}\n[spectator]\ntype=user\nread_only=yes\npassword=looks\npassword_format=plain\n")
    asterisk.process.cli("module reload res_ari.so")
    yield "spectator"
    path.write_text(before)
    asterisk.process.cli("module reload res_ari.so")


async def test_a_user_who_may_only_look_is_a_failure(asterisk: TestPbx, tmp_path: Path, spectator: str) -> None:
    settings = at(asterisk, tmp_path)
    (tmp_path / "ari-password").write_text("looks")
    text = settings.path.read_text().replace(f"user: {asterisk.telephony.pbx.ari.user},", f"user: {spectator},")
    findings = await found(office.settings(tmp_path, text=text))
    assert findings["asterisk"].grade is Grade.OK
    assert findings["ARI rights"] == Finding(
        "ARI rights", Grade.FAILURE, "the user is read-only", "set read_only=no for it in ari.conf"
    )


def watching(pbx: TestPbx, folder: Path, password: str, port: int | None = None) -> Settings:
    """The office whose calls are watched through AMI of this PBX."""
    manager = pbx.telephony.pbx.manager
    section = (
        f"pbx: {{mode: watch, managed: false, ami: {{port: {port or pbx.telephony.pbx.ami.port}}},"
        f" manager: {{user: {manager.user}, secret: {{file: ami-password}}}}}}\n"
    )
    (folder / "ami-password").write_text(password)
    return office.settings(folder, text=office.OFFICE + section)


async def managing(settings: Settings) -> Finding:
    [finding] = [finding async for finding in doctor._watched(settings)]
    return finding


async def test_ami_is_examined_where_calls_are_watched(asterisk: TestPbx, tmp_path: Path) -> None:
    well = await managing(watching(asterisk, tmp_path, asterisk.secrets.manager))
    assert well.grade is Grade.OK, well
    assert well.found.startswith("version ")
    refused = await managing(watching(asterisk, tmp_path, "wrong"))
    away = await managing(watching(asterisk, tmp_path, "x", free_port()))
    for finding in (refused, away):
        assert finding.grade is Grade.FAILURE
        assert finding.mend == "ringback attach --check says what is missing"
    assert refused.found != away.found
    assert [finding async for finding in doctor._watched(at(asterisk, tmp_path))] == []
