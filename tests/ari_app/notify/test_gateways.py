"""Gateways as the settings declare them; segments that survive a restart."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.notify.gateways import LISTEN_SECONDS, build_gateways, fixed_senders, link_options, sip_options
from ari_app.notify.parts import StoredParts
from ari_app.notify.texts import TextAdapter, TextInbox
from ari_app.runtime.outcome import Done, Failed
from ari_app.settings.model import SecretUnavailableError
from ari_app.settings.pbx import Pbx, Trunk
from ari_app.settings.problem import SettingsError
from ari_app.settings.texts import SipGateway, SmppGateway, TlsSection
from sms_gateway import receipts
from sms_gateway.encoding import Alphabet
from sms_gateway.messages import OutboundText
from sms_gateway.reassembly import Segment
from sms_gateway.segments import Concatenation
from sms_gateway.sip import SipOptions, SipTextGateway
from sms_gateway.smpp import options as smpp
from sms_gateway.smpp.client import SmppGateway as SmppClient
from sms_gateway.smpp.compose import source_address
from tests.ari_app.notify.test_texts import text
from tests.support import office
from tests.support.books import CALLER, DIALLED, Books
from tests.support.effects import order
from tests.support.programs import ROOT

PAGE = (ROOT / "docs" / "sms-gateway.md").read_text(encoding="utf-8")
SMPP = "sms: {type: smpp, host: 127.0.0.1, port: 2775, system_id: ringback, password: {env: RINGBACK_TEST_SMPP}}"
ALL_SET = """sms:
    type: smpp
    host: smsc.carrier.example
    port: 3550
    system_id: harbor
    password: {file: password}
    long_password: true
    system_type: VMA
    address_range: ^1305
    bind: split
    window: 5
    response: 7s
    enquire: 20s
    per_second: 3.75
    alphabet: gsm-packed
    data_coding_default: 241
    ia5_alphabet: gsm
    segmentation: sar
    max_segments: 4
    source_ton: 0
    source_npi: 1
    destination_ton: 2
    destination_npi: 8
    keep_plus: true
    registered_delivery: 2
    receipt_ids: hex-then-decimal
    receipt_time_zone: America/Chicago
    receipts_by_text: true
    redeliver: queue-full
    user_reference: true
    sender: HARBOR
    tls: {server_name: carrier.example, ca_file: ca.pem, client_certificate: us.pem, client_key: us.key}"""


@given(st.from_regex(r"\+?[0-9A-Za-z ]{1,15}", fullmatch=True) | st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True))
def test_a_sender_that_the_check_lets_pass_goes_out_as_what_it_is(sender: str) -> None:
    section = SmppGateway.model_validate(
        {"type": "smpp", "host": "h", "system_id": "s", "password": {"env": "X"}, "sender": sender}
    )
    if section.takes_sender(sender):
        address = source_address(sender, smpp.LinkOptions(host="h", port=1, system_id="s", password="p"))
        letters = any(char.isalpha() for char in sender)
        assert address.ton == (1 if sender.startswith("+") else 5 if letters else 3)


def test_digits_of_another_form_need_a_type_of_number() -> None:
    account = {"type": "smpp", "host": "h", "system_id": "s", "password": {"env": "X"}}
    assert not SmppGateway.model_validate(account).takes_sender("3055550100")
    national = SmppGateway.model_validate({**account, "source_ton": 2})
    assert national.takes_sender("3055550100")
    assert not national.takes_sender("305555010012")


def test_every_key_of_the_settings_arrives_where_it_counts(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("long-password-of-the-account\n")
    settings = office.settings(tmp_path, (SMPP, ALL_SET))
    section = settings.document.gateways["sms"]
    assert isinstance(section, SmppGateway)
    assert link_options(section, settings) == smpp.LinkOptions(
        host="smsc.carrier.example",
        port=3550,
        system_id="harbor",
        password="long-password-of-the-account",
        long_password=True,
        system_type="VMA",
        address_range="^1305",
        bind=smpp.BindMode.SPLIT,
        tls=smpp.TlsOptions(
            ca_file=str(tmp_path / "ca.pem"),
            server_name="carrier.example",
            certificate_file=str(tmp_path / "us.pem"),
            key_file=str(tmp_path / "us.key"),
        ),
        window=5,
        response_seconds=7.0,
        enquire_seconds=20.0,
        rate_per_second=3.75,
        listen_seconds=LISTEN_SECONDS,
        default_alphabet=Alphabet.GSM_PACKED,
        data_coding_default=241,
        ia5_alphabet=Alphabet.GSM,
        segmentation=smpp.Segmentation.SAR,
        max_segments=4,
        source_ton=0,
        source_npi=1,
        destination_ton=2,
        destination_npi=8,
        keep_plus=True,
        registered_delivery=2,
        receipt_id_base=receipts.IdBase.HEX_THEN_DECIMAL,
        receipt_zone=ZoneInfo("America/Chicago"),
        receipts_by_text=True,
        redeliver_status=0x14,
        send_user_reference=True,
    )
    assert fixed_senders(settings) == {"sms": "HARBOR"}


def test_the_page_for_it_staff_tells_every_key_that_the_settings_take(tmp_path: Path) -> None:
    """Each pair of an option and its key: the key loads, and sets that option and no other."""
    (tmp_path / "password").write_text("long-password-of-the-account\n")
    settings = office.settings(tmp_path, (SMPP, ALL_SET))
    section = settings.document.gateways["sms"]
    assert isinstance(section, SmppGateway)
    options = link_options(section, settings)
    plain = smpp.LinkOptions(host="a", port=1, system_id="b", password="c", listen_seconds=LISTEN_SECONDS)
    changed = {name for name in smpp.LinkOptions.__dataclass_fields__ if getattr(options, name) != getattr(plain, name)}
    rows = [line.split("|")[1:3] for line in PAGE.splitlines() if line.startswith("| `")]
    pairs: dict[str, str] = {}
    for row in rows:
        names, keys = (re.findall(r"`([a-z0-9_]+)`", cell) for cell in row)
        assert len(names) == len(keys) or row[1].strip() == "-", row
        pairs |= dict(zip(names, keys, strict=False))
    assert set(pairs) == changed - {"long_password"}
    assert {*pairs.values(), "type", "long_password", "sender"} == set(SmppGateway.model_fields)
    assert all(f"`{name}`" in PAGE for name in TlsSection.model_fields)
    for option, key in pairs.items():
        assert key in section.model_fields_set, f"{option}: {key}"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("registered_delivery: 3", "sms.registered_delivery: found 3, expected at most 2"),
        ("data_coding_default: 256", "sms.data_coding_default: found 256, expected at most 255"),
        ("max_segments: 0", "sms.max_segments: found 0, expected at least 1"),
        ("redeliver: 0x14", "sms.redeliver: found '0x14', expected 'system-error' or 'queue-full'"),
        ("alphabet: ucs2", "sms.alphabet: found 'ucs2', expected 'gsm', 'gsm-packed', 'latin1' or 'ascii'"),
    ],
)
def test_what_smpp_does_not_know_is_refused_with_its_place(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        office.settings(tmp_path, (SMPP, f"{SMPP[:-1]}, {keys}}}"))


def test_tls_without_further_keys_trusts_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TEST_SMPP", "secret08")
    settings = office.settings(tmp_path, (SMPP, SMPP[:-1] + ", tls: {}}"))
    section = settings.document.gateways["sms"]
    assert isinstance(section, SmppGateway)
    assert link_options(section, settings).tls == smpp.TlsOptions()
    assert fixed_senders(settings) == {}


def test_a_password_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RINGBACK_TEST_SMPP", raising=False)
    settings = office.settings(tmp_path)
    section = settings.document.gateways["sms"]
    assert isinstance(section, SmppGateway)
    with pytest.raises(SecretUnavailableError, match="RINGBACK_TEST_SMPP"):
        link_options(section, settings)
    monkeypatch.setenv("RINGBACK_TEST_SMPP", "longer than eight")
    with pytest.raises(ValueError, match="8 characters at most"):
        link_options(section, settings)


class Messenger:
    """Takes SIP messages and remembers them."""

    available = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    async def send_message(self, to_uri: str, from_uri: str, body: str) -> None:
        self.sent.append((to_uri, from_uri, body))


async def test_a_sip_gateway_sends_through_its_trunk(tmp_path: Path) -> None:
    books = Books(tmp_path, (SMPP, "sms: {type: sip, trunk: carrier}"))
    messenger = Messenger()
    inbox = TextInbox(books.recorder, books.clock)
    built = build_gateways(books.settings, books.clock, messenger, inbox.take, books.store)
    assert isinstance(built["sms"], SipTextGateway)
    adapter = TextAdapter(built, books.clock, {})
    assert await adapter.act(order(text())) == Done(None, gateway="sms", message_ids=())
    [(to_uri, from_uri, body)] = messenger.sent
    assert to_uri == f"pjsip:carrier/sip:{CALLER}@127.0.0.1:5060"
    assert from_uri == DIALLED
    assert body == "We missed you."
    assert isinstance(await adapter.act(order(text(body="x" * 900))), Failed)
    books.close()


def sip_gateway(trunk: dict[str, Any], pbx: dict[str, Any]) -> SipOptions:
    section = SipGateway(type="sip", trunk="carrier", longest=300)
    trunks = {"carrier": Trunk.model_validate({"match": ["10.0.0.0/8"], **trunk})}
    return sip_options(section, trunks, Pbx.model_validate(pbx))


def test_a_sip_gateways_longest_text_is_the_settings() -> None:
    assert sip_gateway({"host": "10.0.0.1"}, {}).max_body_octets == 300


@pytest.mark.parametrize("listening", ["0.0.0.0", "::", "192.168.1.7"])
def test_a_text_by_sip_never_comes_from_the_address_that_we_listen_on(listening: str) -> None:
    pbx: dict[str, Any] = {"sip": {"host": listening, "port": 5060}}
    assert sip_gateway({"host": "10.0.0.1"}, pbx).from_template == "{number}"
    behind_nat = {"external_address": "203.0.113.7", **pbx}
    assert sip_gateway({"host": "10.0.0.1"}, behind_nat).from_template == "sip:{number}@203.0.113.7"


def test_ipv6_addresses_of_texts_by_sip_stand_in_brackets() -> None:
    options = sip_gateway({"host": "2001:db8::5", "port": 5070}, {"external_address": "2001:db8::9"})
    assert options.to_template == "pjsip:carrier/sip:{number}@[2001:db8::5]:5070"
    assert options.from_template == "sip:{number}@[2001:db8::9]"


@pytest.mark.parametrize(("prefix", "dialled"), [("+", "+13055550123"), ("", "13055550123"), ("011", "01113055550123")])
async def test_a_text_by_sip_has_the_prefix_that_callbacks_have(prefix: str, dialled: str) -> None:
    messenger = Messenger()
    gateway = SipTextGateway(sip_gateway({"host": "10.0.0.1", "international_prefix": prefix}, {}), messenger)
    await gateway.send(OutboundText("+13055550100", "+13055550123", "hi", "r"))
    assert messenger.sent == [(f"pjsip:carrier/sip:{dialled}@10.0.0.1:5060", "+13055550100", "hi")]


async def test_every_declared_gateway_is_built_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TEST_SMPP", "secret08")
    books = Books(tmp_path, (SMPP, f"{SMPP}\n  spare: {{type: sip, trunk: carrier}}"))
    inbox = TextInbox(books.recorder, books.clock)
    built = build_gateways(books.settings, books.clock, Messenger(), inbox.take, books.store)
    assert {name: type(gateway) for name, gateway in built.items()} == {"sms": SmppClient, "spare": SipTextGateway}
    assert [gateway.name for gateway in built.values()] == ["sms", "spare"]
    books.close()


# ----------------------------------------------------------------------------------------------------------------- parts
PARTS = [
    Segment(
        CALLER, DIALLED, Alphabet.GSM, b"I want ", "f1", Concatenation(7, 2, 1), datetime(2026, 11, 24, tzinfo=UTC)
    ),
    Segment(CALLER, DIALLED, Alphabet.UCS2, b"\x00t\x00o", "f2", Concatenation(7, 2, 2), None),
    Segment(CALLER, DIALLED, None, b"\xff\x00", "f3", None, None),
]


async def test_segments_are_there_again_after_a_restart(tmp_path: Path) -> None:
    books = Books(tmp_path)
    before = StoredParts("sms", books.store)
    for segment in [*PARTS, PARTS[0]]:
        await before.keep(segment)
    books.close()
    books = Books(tmp_path)
    after = StoredParts("sms", books.store)
    assert await after.kept() == PARTS
    assert await StoredParts("other", books.store).kept() == []
    await after.discard(PARTS[:2])
    assert await after.kept() == PARTS[2:]
    books.close()
