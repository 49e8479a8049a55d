"""The configuration: complete, hardened, and impossible to break out of."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ari_app.pbx.errors import AsteriskMissingError, UnsafeValueError
from ari_app.pbx.folders import PbxFolders
from ari_app.pbx.host import AsteriskHost, AsteriskVersion
from ari_app.pbx.render import Dialplan, PbxSecrets, RingGroup, render
from ari_app.pbx.resources import resources
from ari_app.settings.pbx import Telephony
from ari_app.settings.secrets import SecretStore

OFFICE: dict[str, Any] = {
    "phones": {"101": {"name": "Front desk", "voicemail": True}, "102": {"name": "O'Brien"}},
    "trunks": {
        "carrier": {
            "host": "sip.carrier.example",
            "match": ["203.0.113.0/24"],
            "registration": {"user": "account7", "secret": {"env": "RINGBACK_TEST_TRUNK"}},
        }
    },
}


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Telephony:
    monkeypatch.setenv("RINGBACK_TEST_TRUNK", "trunk-password")
    return Telephony.model_validate(OFFICE)


@pytest.fixture
def secrets(office: Telephony, tmp_path: Path) -> PbxSecrets:
    return PbxSecrets.resolve(office, SecretStore(tmp_path / "secrets", tmp_path))


@pytest.fixture
def folders(tmp_path: Path) -> PbxFolders:
    return PbxFolders(tmp_path / "pbx")


def _meaning(path: Path) -> list[str]:
    """What Asterisk sees of a file: no comments, no blank lines."""
    return [line for line in path.read_text().splitlines() if line.strip() and not line.startswith(";")]


def _section(path: Path, name: str) -> list[list[str]]:
    """The bodies of all sections of that name."""
    bodies: list[list[str]] = []
    inside = False
    for line in _meaning(path):
        if found := re.match(r"\[([^\]]+)\]", line):
            inside = found[1] == name
            if inside:
                bodies.append([])
        elif inside:
            bodies[-1].append(line.strip())
    return bodies


def test_every_template_is_rendered_and_leaves_no_trace_of_its_language(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    written = render(office, secrets, paper_host, folders)
    assert {path.name for path in written} == {path.name for path in resources("asterisk").glob("*.conf")}
    for path in written:
        text = path.read_text()
        assert ";%" not in text
        assert "{{" not in text
        assert "{%" not in text


def test_files_with_passwords_are_closed_to_others(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    for path in render(office, secrets, paper_host, folders):
        text = path.read_text()
        if any(secret in text for secret in (secrets.ari, secrets.manager, *secrets.phones.values(), "trunk-password")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o640, path.name


def test_what_has_not_changed_is_not_written_again(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    render(office, secrets, paper_host, folders)
    before = (folders.etc / "pjsip.conf").stat().st_mtime_ns
    assert render(office, secrets, paper_host, folders) == []
    assert (folders.etc / "pjsip.conf").stat().st_mtime_ns == before
    changed = render(office, secrets, paper_host, folders, Dialplan(ring_seconds=24))
    assert [path.name for path in changed] == ["extensions.conf"]


def test_a_carrier_is_known_by_its_address_alone_and_a_phone_by_its_password_alone(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    render(office, secrets, paper_host, folders)
    pjsip = folders.etc / "pjsip.conf"
    assert "identify_by = ip" in _section(pjsip, "trunk")[0]
    assert "identify_by = username" in _section(pjsip, "phone")[0]
    assert "endpoint_identifier_order = ip,username" in _section(pjsip, "global")[0]
    assert ["type = identify", "endpoint = carrier", "match = 203.0.113.0/24"] in _section(pjsip, "carrier")
    assert ["username = 101", f"password = {secrets.phones['101']}"] in _section(pjsip, "101")


def test_carriers_and_phones_enter_by_different_doors_that_do_not_include_each_other(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    render(office, secrets, paper_host, folders)
    assert "context = from-trunk" in _section(folders.etc / "pjsip.conf", "trunk")[0]
    assert "context = from-phones" in _section(folders.etc / "pjsip.conf", "phone")[0]
    assert not [line for line in _meaning(folders.etc / "extensions.conf") if line.startswith("include")]
    (inbound,) = _section(folders.etc / "extensions.conf", "from-trunk")
    assert not [line for line in inbound if "to-trunk" in line]


def test_nothing_but_emergency_numbers_leaves_the_house_by_default(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    render(office, secrets, paper_host, folders)
    lines = _section(folders.etc / "extensions.conf", "from-phones")[0]
    assert [line.split(",")[0] for line in lines if "to-trunk" in line] == ["exten => 911", "exten => 933"]
    allowed = Telephony.model_validate({**OFFICE, "pbx": {"dial_out": ["1NXXNXXXXXX"]}})
    render(allowed, secrets, paper_host, folders)
    lines = _section(folders.etc / "extensions.conf", "from-phones")[0]
    assert "exten => _1NXXNXXXXXX,1,Goto(to-trunk,${FILTER(+0-9,${EXTEN})},1)" in lines


def test_a_ring_group_rings_its_phones_when_ringback_is_away(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    render(office, secrets, paper_host, folders, Dialplan((RingGroup("+13055550100", ("101", "102"), 24),)))
    lines = _section(folders.etc / "extensions.conf", "ring-groups")[0]
    for number in ("13055550100", "3055550100"):
        start = lines.index(f"exten => {number},1,Set(CDR(userfield)=away)")
        assert lines[start + 1] == "same => n,Dial(PJSIP/101&PJSIP/102,24)"


@pytest.mark.parametrize("pattern", ["", "abc", "1,2", "_X${EXTEN}", "100\nexten => 1", "+0123", "_"])
def test_a_ring_group_is_a_number_or_a_pattern(pattern: str) -> None:
    with pytest.raises(UnsafeValueError):
        RingGroup(pattern, ("101",))


@pytest.mark.parametrize("section", ["http", "ami"])
def test_an_ari_or_ami_that_the_network_could_reach_is_refused(
    section: str, office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    open_to_all = Telephony.model_validate({**OFFICE, "pbx": {section: {"host": "0.0.0.0", "port": 8088}}})
    with pytest.raises(UnsafeValueError, match=f"pbx.{section}.host"):
        render(open_to_all, secrets, paper_host, folders)


@pytest.mark.parametrize(
    "dialplan",
    [Dialplan((RingGroup("+13055550100", ("109",)),)), Dialplan(mailbox="102"), Dialplan(mailbox="109")],
)
def test_a_phone_that_is_not_there_or_has_no_mailbox_is_refused(
    dialplan: Dialplan, office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    with pytest.raises(UnsafeValueError, match=r"109|102"):
        render(office, secrets, paper_host, folders, dialplan)


def test_an_asterisk_without_a_module_that_we_need_is_refused_by_name(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    (paper_host.modules / "res_ari_channels.so").unlink()
    with pytest.raises(AsteriskMissingError, match="res_ari_channels"):
        render(office, secrets, paper_host, folders)


def test_a_module_that_an_older_asterisk_does_not_have_is_left_out(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    (paper_host.modules / "chan_websocket.so").unlink()
    render(office, secrets, replace(paper_host, version=AsteriskVersion(18, 10)), folders)
    assert not [line for line in _meaning(folders.etc / "modules.conf") if "chan_websocket" in line]
    assert "auth_type = userpass" in _section(folders.etc / "pjsip.conf", "phone-login")[0]
    assert "disable_remote_console_shell = yes" not in _meaning(folders.etc / "asterisk.conf")


def test_modules_that_could_reach_a_shell_are_never_loaded(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    render(office, secrets, paper_host, folders)
    loaded = (folders.etc / "modules.conf").read_text()
    for name in (
        "app_system",
        "func_shell",
        "app_originate",
        "pbx_spool",
        "res_agi",
        "app_externalivr",
        "res_ari_mailboxes",
    ):
        assert name not in loaded


breaking = st.text(min_size=1, max_size=20).flatmap(
    lambda text: st.sampled_from(["\n", "\r", ";", "\x00", "\u2028", "\x1b", "\x85", "\x0b"]).map(
        lambda bad: text + bad + text
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(secret=breaking)
def test_no_secret_can_end_its_line(
    secret: str, office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    with pytest.raises(UnsafeValueError) as caught:
        render(office, replace(secrets, phones={**secrets.phones, "101": secret}), paper_host, folders)
    assert secret not in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(name=st.text(min_size=1, max_size=40))
def test_no_name_of_a_phone_adds_anything_to_the_file_but_itself(
    name: str, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGBACK_TEST_TRUNK", "trunk-password")
    plain = Telephony.model_validate(OFFICE)
    render(plain, secrets, paper_host, folders)
    pattern = [line.replace("Front desk", "\0") for line in (folders.etc / "pjsip.conf").read_text().split("\n")]
    named = Telephony.model_validate(
        {**OFFICE, "phones": {**OFFICE["phones"], "101": {"name": name, "voicemail": True}}}
    )
    try:
        render(named, secrets, paper_host, folders)
    except UnsafeValueError:
        return
    lines = (folders.etc / "pjsip.conf").read_text().split("\n")
    assert lines == [line.replace("\0", name) for line in pattern]
    assert not set(name) & set('";<>\\\r\n')


def test_nothing_is_written_when_one_value_is_refused(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders
) -> None:
    with pytest.raises(UnsafeValueError):
        render(office, replace(secrets, manager="two\nlines"), paper_host, folders)
    assert not folders.etc.exists()


def test_a_data_folder_whose_path_means_something_to_the_dialplan_is_refused(
    office: Telephony, secrets: PbxSecrets, paper_host: AsteriskHost, tmp_path: Path
) -> None:
    with pytest.raises(UnsafeValueError, match="data folder"):
        render(office, secrets, paper_host, PbxFolders(tmp_path / "a,b"))


def test_behind_nat_the_world_is_told_the_outer_address(
    secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders, office: Telephony
) -> None:
    nat = {
        "external_address": "203.0.113.9",
        "local_networks": ["10.0.0.0/8"],
        "sip": {"host": "0.0.0.0", "port": 5060},
    }
    render(Telephony.model_validate({**OFFICE, "pbx": nat}), secrets, paper_host, folders)
    for transport in ("udp", "tcp"):
        (lines,) = _section(folders.etc / "pjsip.conf", transport)
        assert "external_media_address = 203.0.113.9" in lines
        assert "external_signaling_address = 203.0.113.9" in lines
        assert "local_net = 10.0.0.0/8" in lines


def test_an_ipv6_host_stands_in_brackets(
    secrets: PbxSecrets, paper_host: AsteriskHost, folders: PbxFolders, office: Telephony
) -> None:
    trunk = {**OFFICE["trunks"]["carrier"], "host": "2001:db8::5"}
    render(Telephony.model_validate({**OFFICE, "trunks": {"carrier": trunk}}), secrets, paper_host, folders)
    assert [
        "type = aor",
        "contact = sip:[2001:db8::5]:5060",
        "qualify_frequency = 60",
        "qualify_timeout = 4",
    ] in _section(folders.etc / "pjsip.conf", "carrier")
