"""docs/crm.md: its examples are what the code sends, and its receipts for checking a signature work."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from standardwebhooks import Webhook as Verifier

from ari_app.crm.jsonl import MODE, JsonLines
from ari_app.crm.port import payload
from ari_app.crm.webhook import EVENT, signature, signing_key
from ari_app.recovery.values import CallbackEnd, EffectId, Intent, Progress
from ari_app.runtime.dispatcher import retry_wait
from ari_app.settings.delivery import CrmSection, JsonlCrm, WebhookCrm
from ari_app.settings.yaml_source import read
from tests.support.books import NOON, StandingClock
from tests.support.effects import RECORD, TALK
from tests.support.programs import ROOT

PAGE = (ROOT / "docs" / "crm.md").read_text(encoding="utf-8")


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```\w*\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


VALUES = dict(line.split(":", 1) for line in example("signature").splitlines())
SECRET, ID, STAMP, BODY, SIGNATURE = (
    VALUES[name].strip() for name in ("secret", "id", "timestamp", "body", "signature")
)
HEADERS = {"webhook-id": ID, "webhook-timestamp": STAMP, "webhook-signature": SIGNATURE}
CASES = [(BODY, True), (BODY.replace("7", "8"), False)]


def test_the_body_is_what_is_sent() -> None:
    record = replace(
        RECORD,
        text=Progress.DELIVERED,
        callback=Progress.DONE,
        callback_end=CallbackEnd.COMPLETED.value,
        intent=Intent.SELLING,
        lines=TALK,
    )
    sent = {"type": EVENT, "timestamp": "2026-11-24T17:00:40+00:00", "data": payload(record)}
    written = orjson.loads(example("body"))
    assert written["data"].pop("missed_at").replace("+00:00", "") == NOON.isoformat().replace("+00:00", "")
    assert datetime.fromisoformat(str(payload(record)["missed_at"])) == NOON
    del sent["data"]["missed_at"]  # type: ignore[attr-defined]
    assert written == sent
    assert list(written["data"]) == [name for name in payload(record) if name != "missed_at"]


def test_every_field_is_explained() -> None:
    table = PAGE.split("## The lead")[1].split("## JSON lines")[0]
    explained = [
        name for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert explained == list(payload(RECORD))
    for words in (Progress, Intent, CallbackEnd):
        for word in words:
            assert f"`{word.value}`" in table


def test_the_signature_is_ours() -> None:
    at = datetime.fromtimestamp(int(STAMP), UTC)
    assert signature(signing_key(SECRET), ID, at, BODY.encode()) == SIGNATURE


@pytest.mark.parametrize(("body", "right"), CASES)
def test_python_checks_it_with_its_own_library(body: str, right: bool) -> None:
    names: dict[str, Any] = {}
    exec(example("python-plain"), names)
    is_ours: Callable[[str, bytes, dict[str, str]], bool] = names["is_ours"]
    assert is_ours(SECRET, body.encode(), HEADERS) is right
    assert is_ours(SECRET, body.encode(), {**HEADERS, "webhook-signature": f"v1,AAAA {SIGNATURE}"}) is right


def test_python_checks_it_with_the_standards_library(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    exec(example("python-library"), names)
    # The library looks at the machine's clock; the example's moment is another.
    monkeypatch.setattr(
        Verifier, "_Webhook__verify_timestamp", lambda _, stamp: datetime.fromtimestamp(int(stamp), UTC)
    )
    assert names["lead_of"](SECRET, BODY.encode(), HEADERS) == {"lead_id": 7}


@pytest.mark.parametrize(("body", "right"), CASES)
def test_a_shell_checks_it_with_openssl(body: str, right: bool) -> None:
    variables = {"SECRET": SECRET, "ID": ID, "TIMESTAMP": STAMP, "BODY": body, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", example("shell")], env=variables, capture_output=True, text=True, check=True)
    assert (f"v1,{done.stdout.strip()}" == SIGNATURE) is right


def test_the_secret_that_is_made_as_told_is_one() -> None:
    command = PAGE.split("Make a secret with\n\n```sh\n")[1].split("```")[0]
    made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()
    assert len(signing_key(made)) == 32


def test_a_line_of_the_file_is_as_shown(tmp_path: Path) -> None:
    shown = orjson.loads(PAGE.split("```json\n")[1].split("```")[0])
    asyncio.run(JsonLines(tmp_path / "leads.jsonl", StandingClock()).push(EffectId("12.3"), RECORD, 1))
    written = orjson.loads((tmp_path / "leads.jsonl").read_bytes())
    assert list(written) == list(shown)
    assert shown["lead"].items() <= written["lead"].items()
    assert f"{MODE:o}" in PAGE


def test_the_settings_shown_are_settings(tmp_path: Path) -> None:
    path = tmp_path / "crm.yaml"
    path.write_text(PAGE.split("```yaml\n")[1].split("```")[0])
    sections: Any = read(path).data["crm"]
    assert {section.model_fields["type"].annotation for section in get_args(get_args(CrmSection)[0])}
    assert JsonlCrm.model_validate(sections["file"]).file == Path("../var/leads.jsonl")
    assert WebhookCrm.model_validate(sections["webhook"]).timeout == 15


def test_the_waits_are_those_that_are_told() -> None:
    assert (retry_wait(1).total_seconds(), retry_wait(399).total_seconds()) == (2, 300)
    hours = sum(retry_wait(attempt).total_seconds() for attempt in range(1, 400)) / 3600
    assert f"about {hours:.0f} hours" in PAGE
