"""The settings of mode ``watch``: what they allow, what they refuse, and what they warn of."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.calls.watch_setup import NoCallbacks, ami_address
from ari_app.recovery.policy import Forwarded
from ari_app.runtime.outcome import Failed
from ari_app.settings.loading import Settings
from ari_app.settings.pbx import Pbx
from ari_app.settings.problem import SettingsError
from ari_app.settings.watching import WatchSection
from tests.support.office import settings

WATCH = "pbx: {{mode: watch, manager: {{secret: {{env: RINGBACK_TEST_AMI}}}}{more}}}\n"


def watched(folder: Path, more: str = "", *changes: tuple[str, str]) -> Settings:
    """The office's settings before a PBX of somebody else's."""
    return settings(folder, ("phones: {", WATCH.format(more=more) + "phones: {"), *changes)


def warnings(found: Settings) -> dict[str, str]:
    return {problem.where: problem.what for problem in found.warnings}


def test_a_pbx_that_is_watched_is_somebody_elses() -> None:
    assert not Pbx.model_validate({"mode": "watch"}).managed
    assert Pbx.model_validate({}).managed
    with pytest.raises(ValueError, match="somebody else's"):
        Pbx.model_validate({"mode": "watch", "managed": True})


@pytest.mark.parametrize(
    ("section", "has_ari"),
    [({}, True), ({"mode": "watch"}, False), ({"mode": "watch", "ari": {"user": "ringback"}}, True)],
)
def test_ari_is_there_when_it_stands_in_the_settings(section: dict[str, object], has_ari: bool) -> None:
    assert Pbx.model_validate(section).has_ari is has_ari


def test_without_ari_the_check_says_that_nobody_is_called_back(tmp_path: Path) -> None:
    assert "no callback is placed" in warnings(watched(tmp_path))["pbx.mode"]
    assert "pbx.mode" not in warnings(watched(tmp_path, ", ari: {user: ringback}"))
    quiet = watched(tmp_path, "", ("    - call\n", ""), ('to: ["_1NXXNXXXXXX"], ', ""))
    assert "pbx.mode" not in warnings(quiet)


@pytest.mark.parametrize("ari", ["", ", ari: {user: ringback}"])
def test_texts_by_sip_message_are_refused_whose_answers_nobody_would_read(tmp_path: Path, ari: str) -> None:
    sip = ("gateways:\n", "gateways:\n  own: {type: sip, trunk: carrier}\n")
    with pytest.raises(
        SettingsError, match=r"gateways\.own: texts by SIP MESSAGE need a managed PBX: answers, STOP among"
    ):
        watched(tmp_path, ari, sip)


def test_what_the_pbx_decides_by_itself_is_warned_of(tmp_path: Path) -> None:
    changed = watched(tmp_path, "", ("plan: standard}", "plan: standard, after_miss: voicemail}"))
    assert "has no effect in mode watch" in warnings(changed)["number_defaults.after_miss"]


@pytest.mark.parametrize(
    ("context", "inbound"),
    [
        ("from-trunk", True),
        ("from-trunk-pjsip-main", True),
        ("from-pstn", True),
        ("from-pstn-toheader", True),
        ("from-analog", True),
        ("from-digital", True),
        ("from-internal", False),
        ("ringback-check", False),
    ],
)
def test_the_contexts_of_freepbx_and_of_plain_asterisk_are_known(context: str, inbound: bool) -> None:
    assert WatchSection().is_inbound(context) is inbound


@pytest.mark.parametrize(
    ("endpoint", "desk"), [("101", True), ("100001", True), ("carrier", False), ("13055550100", False), ("", False)]
)
def test_short_numbers_are_desk_phones(endpoint: str, desk: bool) -> None:
    assert WatchSection().is_desk_phone(endpoint) is desk


def test_names_that_say_otherwise_are_taken_at_their_word() -> None:
    section = WatchSection(trunks=("700",), desk_phones=("front-desk",))
    assert not section.is_desk_phone("700")
    assert section.is_desk_phone("front-desk")


def test_the_address_of_ami_holds_the_secret_that_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGBACK_TEST_AMI", "open sesame")
    found = watched(tmp_path, ", ami: {host: 10.0.0.5, port: 5039}, watch: {forwarded: trust}")
    assert ami_address(found).secret == "open sesame"
    assert (ami_address(found).host, ami_address(found).port) == ("10.0.0.5", 5039)
    assert found.document.pbx.watch.forwarded is Forwarded.TRUST


async def test_a_callback_that_cannot_be_placed_fails_at_once() -> None:
    outcome = await NoCallbacks().act(None)  # type: ignore[arg-type]
    assert isinstance(outcome, Failed)
    assert "pbx.ari" in outcome.why
