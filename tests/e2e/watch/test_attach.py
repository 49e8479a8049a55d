"""``ringback attach --check`` on a PBX with and without what asterisk/attach says, as a person runs it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.watch.foreign import SECRET, ForeignPbx, foreign_pbx
from tests.e2e.watch.watching import SETTINGS

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[3]
WITH_ARI = """\
pbx:
  mode: watch
  ami: {{port: {ami}}}
  http: {{port: {http}}}
  manager: {{secret: {{env: RINGBACK_TEST_AMI}}}}
  ari: {{secret: {{env: RINGBACK_TEST_AMI}}}}
  watch: {{cel: {cel}}}
trunks: {{carrier: {{host: 127.0.0.2, match: [127.0.0.2], qualify: false}}}}
"""
WITHOUT_ARI = """\
pbx: {{mode: watch, ami: {{port: {ami}}}, manager: {{secret: {{env: RINGBACK_TEST_AMI}}}}}}
"""


@pytest.fixture(scope="module")
def bare_pbx() -> Iterator[ForeignPbx]:
    """A PBX that nobody has prepared."""
    with foreign_pbx(attach=False) as pbx:
        yield pbx


async def attach(
    pbx: ForeignPbx, folder: Path, section: str, *words: str, secret: str = SECRET
) -> tuple[int, dict[str, Any]]:
    """The command's exit code, and its findings by what they are about."""
    text = SETTINGS.replace("pbx: {mode: watch}\n", section.format(ami=pbx.ami, http=pbx.http, cel=pbx.cel))
    path = folder / "ringback.yaml"
    path.write_text(text, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "ari_app", "-c", str(path), "attach", "--check", "--json", *words),
        env={**os.environ, "RINGBACK_TEST_AMI": secret},
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, {finding["what"]: finding for finding in json.loads(output)}


async def test_a_prepared_pbx_passes_and_a_test_call_is_seen(pbx: ForeignPbx, tmp_path: Path) -> None:
    code, findings = await attach(pbx, tmp_path, WITH_ARI)
    assert code == 0, findings
    assert {name: finding["grade"] for name, finding in findings.items()} == {
        "AMI": "ok",
        "AMI rights": "ok",
        "inbound contexts": "ok",
        "test context": "ok",
        "ARI": "ok",
        "trunk carrier": "ok",
        "test call": "ok",
        "withheld numbers": "ok",
        "queues": "ok",
        "event log": "ok",
    }
    assert "the test call stands in" in findings["event log"]["found"]


async def test_an_event_log_that_is_not_written_or_cannot_be_read_is_a_failure(pbx: ForeignPbx, tmp_path: Path) -> None:
    elsewhere = WITH_ARI.replace("{cel}", str(tmp_path / "nobody-writes-this.csv"))
    code, findings = await attach(pbx, tmp_path, elsewhere)
    assert (code, findings["event log"]["grade"]) == (2, "failure")
    assert "cel_custom.conf" in findings["event log"]["mend"]
    code, findings = await attach(pbx, tmp_path, WITH_ARI.replace("{cel}", str(tmp_path)))
    assert (code, findings["event log"]["grade"]) == (2, "failure")
    assert "setfacl" in findings["event log"]["mend"]


async def test_a_pbx_on_which_calls_would_be_judged_wrongly_does_not_pass(pbx: ForeignPbx, tmp_path: Path) -> None:
    manager = pbx.folders.etc / "manager.conf"
    before = manager.read_text(encoding="utf-8")
    old = before.replace("channelvars =", "channelvars = SOMETHING_ELSE ;").replace(
        "dialplan,agent,user", "dialplan,user"
    )
    assert old.count("agent,") < before.count("agent,")
    manager.write_text(old, encoding="utf-8")
    elsewhere = WITH_ARI.replace("cel: {cel}", "cel: {cel}, contexts: [from-pstn*]")
    try:
        pbx.process.cli("manager reload")
        code, findings = await attach(pbx, tmp_path, elsewhere)
    finally:
        manager.write_text(before, encoding="utf-8")
        pbx.process.cli("manager reload")
    assert code == 2
    assert findings["inbound contexts"]["grade"] == "ok", "some context fits"
    assert findings["trunk carrier"]["grade"] == "failure"
    assert "[from-trunk]" in findings["trunk carrier"]["found"]
    assert findings["withheld numbers"]["grade"] == "failure"
    assert "channelvars" in findings["withheld numbers"]["mend"]
    assert findings["queues"]["grade"] == "warning"
    assert "read = agent" in findings["queues"]["mend"]
    _, findings = await attach(pbx, tmp_path, WITH_ARI.replace("trunks: {{carrier:", "trunks: {{nobody:"))
    assert "no endpoint 'nobody'" in findings["trunk nobody"]["found"]


async def test_an_event_log_of_before_does_not_tell_who_withholds_the_number(pbx: ForeignPbx, tmp_path: Path) -> None:
    custom = pbx.folders.etc / "cel_custom.conf"
    before = custom.read_text(encoding="utf-8")
    custom.write_text(before.partition(",${CSV_QUOTE(${IMPORT(")[0] + "\n", encoding="utf-8")
    try:
        pbx.process.cli("module reload cel_custom.so")
        code, findings = await attach(pbx, tmp_path, WITH_ARI)
    finally:
        custom.write_text(before, encoding="utf-8")
        pbx.process.cli("module reload cel_custom.so")
    assert (code, findings["event log"]["grade"]) == (2, "failure")
    assert "withholds" in findings["event log"]["found"]


async def test_a_phone_rings_only_when_it_is_asked_for(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with pbx.desk_phone("101") as desk:
        code, findings = await attach(pbx, tmp_path, WITH_ARI)
        assert code == 0, findings
        await desk.settle()
        assert "incoming" not in desk.story()
        code, findings = await attach(pbx, tmp_path, WITH_ARI, "--ring", "101")
        assert (code, findings["phone 101"]["grade"]) == (0, "ok")
        await desk.heard("incoming")
        await desk.heard("ended")


async def test_a_phone_that_does_not_ring_is_a_failure(pbx: ForeignPbx, tmp_path: Path) -> None:
    code, findings = await attach(pbx, tmp_path, WITH_ARI, "--ring", "103")
    assert (code, findings["phone 103"]["grade"]) == (2, "failure")


async def test_without_ari_the_call_is_proved_by_one_that_a_person_starts(pbx: ForeignPbx, tmp_path: Path) -> None:
    code, findings = await attach(pbx, tmp_path, WITHOUT_ARI)
    assert (code, findings["test call"]["grade"]) == (1, "warning")
    order = findings["test call"]["mend"].partition("asterisk -rx '")[2].rstrip("'")
    checking = asyncio.get_running_loop().create_task(attach(pbx, tmp_path, WITHOUT_ARI, "--wait", "20"))
    while not checking.done():
        pbx.process.cli(order)
        await asyncio.wait({checking}, timeout=2.0)
    code, findings = await checking
    assert (code, findings["test call"]["grade"]) == (0, "ok"), findings


async def test_a_wrong_secret_says_where_it_belongs(pbx: ForeignPbx, tmp_path: Path) -> None:
    code, findings = await attach(pbx, tmp_path, WITH_ARI, secret="another")
    assert code == 2
    assert findings["AMI"]["grade"] == "failure"
    assert "manager_custom.conf" in findings["AMI"]["mend"]
    assert "another" not in json.dumps(findings)


async def test_a_pbx_that_nobody_prepared_says_what_to_add(bare_pbx: ForeignPbx, tmp_path: Path) -> None:
    code, findings = await attach(bare_pbx, tmp_path, WITH_ARI)
    assert code == 2
    assert "manager_custom.conf" in findings["AMI"]["mend"]


async def test_a_user_who_may_too_much_and_hears_too_little_is_told_so(bare_pbx: ForeignPbx, tmp_path: Path) -> None:
    manager = bare_pbx.folders.etc / "manager.conf"
    before = manager.read_text(encoding="utf-8")
    user = f"[ringback]\nsecret = {SECRET}\nread = call\nwrite = reporting,originate,command\n"
    manager.write_text(f"{before}\n{user}", encoding="utf-8")
    try:
        bare_pbx.process.cli("manager reload")
        code, findings = await attach(bare_pbx, tmp_path, WITH_ARI)
    finally:
        manager.write_text(before, encoding="utf-8")
        bare_pbx.process.cli("manager reload")
    assert code == 2
    assert findings["AMI rights"]["grade"] == "warning"
    assert "Originate" in findings["AMI rights"]["found"]
    assert findings["test context"]["grade"] == "failure"
    assert findings["ARI"]["grade"] == "failure"


async def test_an_ami_that_is_not_there_says_how_to_open_it(pbx: ForeignPbx, tmp_path: Path) -> None:
    elsewhere = ForeignPbx(pbx.host, pbx.folders)
    code, findings = await attach(elsewhere, tmp_path, WITH_ARI)
    assert code == 2
    assert "manager.conf" in findings["AMI"]["mend"]
