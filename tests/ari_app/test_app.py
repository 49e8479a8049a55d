"""The whole application in one process, without a PBX: it starts, says what is missing, obeys, and goes down in order."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from ari_app import app
from ari_app.app import Application
from ari_app.crm.webhook import WebhookSecretError
from ari_app.data_folder import database_path, exclusive, socket_path
from ari_app.errors import StoreInUseError
from ari_app.notify.gateways import GatewayOptionsError
from ari_app.recovery.values import Channel, ConsentState
from ari_app.settings.loading import Settings
from ari_app.store import outbox, people, receipts
from ari_app.store.db import Database, prepare, reading
from sms_gateway.smpp import pdu as wire
from tests.sms_gateway.scripted import ScriptedSmsc
from tests.support import office
from tests.support.books import CALLER, DIALLED, NOON, Books, damage_far_from_the_tables
from tests.support.ports import free_port
from tests.support.stage import SMPP_PASSWORD, Smsc
from tests.support.waiting import until

SPARE = "{type: smpp, host: 127.0.0.1, system_id: spare, password: {env: RINGBACK_TEST_SMPP}}"


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TEST_SMPP", SMPP_PASSWORD)


def brokerage(folder: Path, smpp_port: int, *changes: tuple[str, str]) -> Settings:
    """The office on free ports, with a PBX that is not there."""
    ports = f"web: {{port: {free_port()}}}\npbx: {{managed: false, http: {{port: {free_port()}}}}}\n"
    text = office.OFFICE.replace("port: 2775", f"port: {smpp_port}") + ports
    return office.settings(folder, *changes, text=text)


class Running:
    """An application that runs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.application = Application(settings)

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connector = aiohttp.UnixConnector(path=str(socket_path(self.settings.data_folder)))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://ringback{path}", data=orjson.dumps(body)) as answer,
        ):
            return answer.status, orjson.loads(await answer.read())

    async def parts(self) -> dict[str, bool]:
        _, status = await self.ask("GET", "/status")
        return {part["name"]: part["ok"] for part in status["components"]}


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Started, and stopped as SIGTERM does."""
    one = Running(settings)
    task = asyncio.get_running_loop().create_task(one.application.run())
    ready = asyncio.get_running_loop().create_task(one.application.ready.wait())
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        if task.done():
            await task
        yield one
    finally:
        ready.cancel()
        one.application.stop()
        one.application.stop()
        async with asyncio.timeout(25):
            await asyncio.wait({task})
    await task


@asynccontextmanager
async def smsc() -> AsyncIterator[Smsc]:
    carrier = Smsc(free_port())
    await carrier.start()
    try:
        yield carrier
    finally:
        await carrier.stop()


async def test_without_a_pbx_it_runs_texts_are_taken_and_health_says_what_is_missing(tmp_path: Path) -> None:
    async with smsc() as carrier, running(brokerage(tmp_path, carrier.port)) as one:
        await until(lambda: carrier.bound, within=10.0, what="the bind")
        parts = await one.parts()
        assert parts["database"] is True
        assert parts["asterisk"] is False
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{one.settings.document.web.port}"
            async with session.get(f"{url}/health") as answer:
                assert answer.status == 503
            async with session.get(f"{url}/metrics") as answer:
                assert 'ringback_component_up{component="asterisk"} 0.0' in await answer.text()
        await carrier.text(CALLER, DIALLED, "STOP")
        await until(lambda: carrier.to(CALLER), within=10.0, what="the confirmation of STOP")
        with reading(database_path(one.settings)) as db:
            assert people.consent(db, CALLER, Channel.TEXT).state is ConsentState.OPTED_OUT
        with pytest.raises(StoreInUseError, match="another Ringback runs"):
            await Application(one.settings).run()
    assert not _exists(socket_path(tmp_path / "var"))
    with exclusive(tmp_path / "var"):
        pass


def _exists(path: Path) -> bool:
    return path.exists()


async def test_a_reload_takes_good_settings_over_and_keeps_the_old_ones_from_bad_ones(tmp_path: Path) -> None:
    settings = brokerage(tmp_path, free_port())
    text = await asyncio.to_thread(settings.path.read_text)
    async with running(settings) as one:
        before = settings.policy.version
        await asyncio.to_thread(settings.path.write_text, text.replace("sorry[ {name}] we", "we are sorry[ {name}] we"))
        status, changed = await one.ask("POST", "/reload")
        assert (status, changed["before"], changed["after_restart"]) == (200, before, [])
        assert changed["now"] != before
        assert (await one.ask("GET", "/status"))[1]["policy"] == changed["now"]

        await asyncio.to_thread(settings.path.write_text, text.replace("plan: standard", "plan: none"))
        status, refused = await one.ask("POST", "/reload")
        assert (status, refused["error"]) == (409, "refused")
        assert (await one.ask("GET", "/status"))[1]["policy"] == changed["now"]

        other = text.replace("gateways:\n", f"gateways:\n  spare: {SPARE}\n")
        await asyncio.to_thread(settings.path.write_text, other.replace("via: sms", "via: spare"))
        status, refused = await one.ask("POST", "/reload")
        assert status == 409
        assert "the gateway 'spare' is not running: restart Ringback" in refused["problems"][0]["what"]

        moved = text.replace(f"web: {{port: {settings.document.web.port}}}", f"web: {{port: {free_port()}}}")
        await asyncio.to_thread(settings.path.write_text, moved)
        status, changed = await one.ask("POST", "/reload")
        assert (status, changed["after_restart"]) == (200, ["web"])

        for old, new, waits in (
            ("name: Harbor Realty,", "name: Harbor Homes,", ["brokerage"]),
            ('phone: "+13055550199",', 'phone: "+13055550199", postal_address: 1 Pier,', ["brokerage"]),
            ('phone: "+13055550199"', 'phone: "+13055550198"', []),
            ("quiet_hours:", "log: {level: debug}\nquiet_hours:", ["log"]),
        ):
            await asyncio.to_thread(settings.path.write_text, text.replace(old, new))
            assert (await one.ask("POST", "/reload"))[1]["after_restart"] == waits, new


async def test_a_recogniser_that_cannot_be_loaded_stops_callbacks_and_nothing_else(tmp_path: Path) -> None:
    broken = ("callback: {to:", "voice: {vosk_model: nowhere}\ncallback: {to:")
    async with smsc() as carrier, running(brokerage(tmp_path, carrier.port, broken)) as one:
        async with asyncio.timeout(15):
            while (await one.parts())["voice"]:
                pass
        detail = next(
            part["detail"] for part in (await one.ask("GET", "/status"))[1]["components"] if part["name"] == "voice"
        )
        assert "no callbacks: vosk: no model in" in detail
        await until(lambda: carrier.bound, within=10.0, what="the bind")
        await carrier.text(CALLER, DIALLED, "STOP")
        await until(lambda: carrier.to(CALLER), within=10.0, what="the confirmation of STOP")
        assert (await one.ask("POST", "/reload"))[0] == 200


async def test_a_reload_binds_again_where_the_carrier_refused_the_account_and_a_person_has_mended_it(
    tmp_path: Path,
) -> None:
    async with ScriptedSmsc() as carrier, running(brokerage(tmp_path, carrier.port)) as one:
        peer = await carrier.peer()
        sequence, _ = await peer.expect(wire.BindTransceiver)
        peer.send(wire.BindTransceiverResp(), sequence, 0x0E)
        await peer.closed()

        async def gateway_is(well: bool) -> str:
            async with asyncio.timeout(15):
                while True:
                    _, status = await one.ask("GET", "/status")
                    part = next(part for part in status["components"] if part["name"] == "gateway sms")
                    if part["ok"] is well and "no attempt has ended" not in part["detail"]:
                        return str(part["detail"])

        assert "ESME_RINVPASWD" in await gateway_is(False)
        _, answer = await one.ask("POST", "/reload")
        assert answer["tried_again"] == ["sms"]
        await carrier.bound_peer()
        await gateway_is(True)
        _, answer = await one.ask("POST", "/reload")
        assert answer["tried_again"] == []
        assert carrier.accepted == 2, "an account that is not refused is left alone"


async def test_health_turns_red_while_nothing_happens_when_the_books_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "HOUSEKEEPING_SECONDS", 0.05)
    monkeypatch.setattr("ari_app.store.db.BUSY_SECONDS", 0.05)
    async with running(brokerage(tmp_path, free_port())) as one:

        async def database_is(well: bool) -> None:
            async with asyncio.timeout(15):
                while (await one.parts())["database"] is not well:
                    pass

        await database_is(True)
        holder = sqlite3.connect(database_path(one.settings), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        await database_is(False)
        holder.execute("ROLLBACK")
        holder.close()
        await database_is(True)


async def test_damage_in_large_books_is_told_while_calls_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = brokerage(tmp_path, free_port())
    prepare(database_path(settings))
    damage_far_from_the_tables(database_path(settings))
    monkeypatch.setattr("ari_app.store.db.READ_AT_START", 0)
    async with running(settings) as one, asyncio.timeout(15):
        while (await one.parts())["database"]:
            pass
        _, status = await one.ask("GET", "/status")
        (detail,) = [part["detail"] for part in status["components"] if part["name"] == "database"]
        assert "'ringback restore' puts the last good backup in its place" in detail


@pytest.mark.parametrize(
    ("change", "secret", "expected"),
    [
        (("", ""), "longer than eight", GatewayOptionsError),
        (
            (
                "crm: {file: {type: jsonl, file: leads.jsonl}}",
                "crm: {w: {type: webhook, url: 'http://h/', secret: {env: RINGBACK_TEST_SMPP}}}",
            ),
            "short",
            WebhookSecretError,
        ),
    ],
)
async def test_what_is_wrong_with_an_account_is_told_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], secret: str, expected: type[Exception]
) -> None:
    monkeypatch.setenv("RINGBACK_TEST_SMPP", secret)
    settings = brokerage(tmp_path, free_port(), *([change] if change[0] else []))
    with pytest.raises(expected):
        await Application(settings).run()


async def test_a_port_that_is_taken_is_told_at_the_start(tmp_path: Path) -> None:
    settings = brokerage(tmp_path, free_port())
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", settings.document.web.port):
        with pytest.raises(OSError, match="address already in use"):
            await Application(settings).run()


def test_whoever_holds_the_data_folder_is_named(tmp_path: Path) -> None:
    named = pytest.raises(StoreInUseError, match=rf"\(pid {os.getpid()}\): stop it first")
    with exclusive(tmp_path), named, exclusive(tmp_path):
        raise AssertionError("twice")


async def test_tidying_forgets_what_is_old_and_counts_what_waits(tmp_path: Path) -> None:
    books = Books(tmp_path)
    await books.miss()

    def park(db: Database) -> None:
        receipts.park(db, "sms", ("old",), CALLER, "delivered", None, NOON.replace(day=20))
        receipts.park(db, "sms", ("new",), CALLER, "delivered", None, NOON)

    await books.store.write(park)
    depths = await app._tidy(books.recorder, NOON)
    assert depths[("text", "todo")] == 1
    left = await books.store.read(lambda db: [row["ref"] for row in db.table("parked_receipts").rows])
    assert left == ["new"]
    books.close()


def test_alerts_that_reached_nobody_stand_in_health_beside_what_is_in_doubt() -> None:
    def shown(depths: dict[tuple[str, str], int]) -> list[tuple[str, bool, str]]:
        return [(part.name, part.ok, part.detail) for part in app._outbox(depths)]

    assert shown({("alert", "todo"): 5}) == [("outbox", True, "0 in doubt"), ("alerts", True, "0 reached nobody")]
    assert shown({("alert", "failed"): 2, ("text", "in_doubt"): 1}) == [
        ("outbox", False, "1 in doubt: see 'ringback outbox'"),
        ("alerts", False, "2 reached nobody: see 'ringback outbox'"),
    ]


async def test_tidying_notices_a_clock_that_went_back(tmp_path: Path) -> None:
    books = Books(tmp_path)
    await app._tidy(books.recorder, NOON)
    await books.miss()
    an_hour_ago = NOON - timedelta(hours=1)
    assert await books.store.read(lambda db: outbox.claim(db, "text", an_hour_ago, NOON, 10)) == []
    await app._tidy(books.recorder, an_hour_ago)
    claimed = await books.store.write(lambda db: outbox.claim(db, "text", an_hour_ago, NOON, 10))
    assert len(claimed) == 1
    books.close()
