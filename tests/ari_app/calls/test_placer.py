"""Where Asterisk is to send a callback's audio, on versions that send it as RTP; Asterisk is a real HTTP server of ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from ari_app.adapters import callback_placer
from ari_app.calls.supervisor import CallSupervisor
from ari_app.calls.verdicts import inbound_fields
from ari_app.calls.voice import RtpEnd, Speaker
from ari_app.pbx.errors import ServerFaultError
from ari_app.pbx.messages import parse_event
from ari_app.recovery.effects import PlaceCallback
from ari_app.recovery.events import CallerLeft, KeyPressed
from ari_app.runtime.outcome import Done, Outcome, RetryAt
from ari_app.settings.loading import Settings
from ari_app.speech import VoiceSoon
from tests.ari_app.calls.telling import setup
from tests.ari_app.pbx.events import BRIDGE, CHANNEL, event
from tests.ari_app.pbx.test_ari_http import ari_of
from tests.ari_app.pbx.test_own_address import ELSEWHERE, NO_WAY, elsewhere
from tests.support import office
from tests.support.books import CALLER, NOON, Books
from tests.support.waiting import until
from voice_agent.media_rtp import open_rtp_media


@dataclass
class OpenEnd:
    """A port for audio that nobody speaks on."""

    port: int

    def connect(self, host: str, port: int) -> Speaker:
        raise AssertionError("Asterisk makes no leg for it")


class OpenVoice(VoiceSoon):
    """Has its engines; opens a port for audio, and says nothing."""

    def loaded(self) -> bool:
        return True

    async def prepare(self, callback: PlaceCallback) -> None:
        pass

    @contextlib.asynccontextmanager
    async def over_rtp(self, callback: PlaceCallback, host: str) -> AsyncIterator[RtpEnd]:
        async with open_rtp_media(host) as media:
            yield OpenEnd(media.address[1])


class OldAsterisk:
    """Rings, is answered at once, and can make no leg for audio; ``external_host`` is where that was to send."""

    def __init__(self) -> None:
        self.supervisor: CallSupervisor | None = None
        self.asked: list[str] = []
        self.external_host: str | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/ari/")
        self.asked.append(f"{request.method} {path.split('-')[0]}")
        match request.method, path.split("/"):
            case "GET", ["channels"]:
                return web.json_response([])
            case "POST", ["channels", "externalMedia"]:
                self.external_host = (await request.json())["external_host"]
                return web.json_response({"message": "no"}, status=500)
            case "POST", ["channels", channel]:
                assert self.supervisor is not None
                started = event("StasisStart", args=["callback", "1"], channel={**CHANNEL, "id": channel})
                asyncio.get_running_loop().call_later(0.01, self.supervisor.deliver, parse_event(json.dumps(started)))
                return web.json_response({**CHANNEL, "id": channel})
            case "POST", ["bridges", *_]:
                return web.json_response(BRIDGE)
            case _:
                return web.Response(status=204)


async def act(folder: Path, http_host: str, asterisk: OldAsterisk) -> Outcome:
    """What becomes of the callback for one miss, when Asterisk is said to be at ``http_host``; over when its talk is."""
    with contextlib.closing(Books(folder)) as books:
        settings: Settings = office.settings(
            folder, text=office.OFFICE + f"pbx: {{managed: false, http: {{host: {http_host}, port: 8088}}}}\n"
        )
        missed = await books.miss(setup().call_id, on_line=True)
        call = inbound_fields(setup(caller=CALLER), NOON)
        await books.record(KeyPressed(**call, source_id="key:1", key="1"), missed.lead_id)
        await books.record(CallerLeft(**call, source_id="left"), missed.lead_id)
        [order] = await books.orders("callback")
        async with ari_of(asterisk.answer) as ari:
            section = settings.document.prompt
            supervisor = CallSupervisor(ari, books.store, books.recorder, books.clock, {}, section, life="a")
            supervisor.connected, supervisor.version = True, "20.17.0"
            asterisk.supervisor = supervisor
            placer = callback_placer(settings, ari, supervisor, OpenVoice(), books.clock)
            assert placer is not None
            async with asyncio.TaskGroup() as group:
                running = group.create_task(supervisor.run())
                outcome = await placer.act(order)
                if isinstance(outcome, Done):
                    await until(
                        lambda: placer.useful() == settings.document.callback.at_once, what="the talk to be over"
                    )
                running.cancel()
        return outcome


async def test_an_asterisk_on_another_machine_sends_the_audio_to_an_address_of_ours(tmp_path: Path) -> None:
    ours, asterisk = await elsewhere(), OldAsterisk()
    assert isinstance(await act(tmp_path, ELSEWHERE, asterisk), Done)
    assert asterisk.external_host is not None
    assert asterisk.external_host.rpartition(":")[0] == ours


async def test_an_asterisk_on_this_machine_sends_it_over_loopback(tmp_path: Path) -> None:
    asterisk = OldAsterisk()
    assert isinstance(await act(tmp_path, "127.0.0.1", asterisk), Done)
    assert asterisk.external_host is not None
    assert asterisk.external_host.startswith("127.0.0.1:")


async def test_nobody_is_rung_whose_audio_would_find_no_way_to_us(tmp_path: Path) -> None:
    asterisk = OldAsterisk()
    outcome = await act(tmp_path, NO_WAY, asterisk)
    assert isinstance(outcome, RetryAt)
    assert "no address of ours leads to Asterisk" in outcome.why
    assert [line for line in asterisk.asked if not line.startswith("GET")] == []


@pytest.mark.parametrize(("host", "shown"), [("192.0.2.2", "192.0.2.2:4000"), ("fd00::2", "[fd00::2]:4000")])
async def test_an_address_is_written_as_asterisk_reads_it(host: str, shown: str) -> None:
    asterisk = OldAsterisk()
    async with ari_of(asterisk.answer) as ari:
        with pytest.raises(ServerFaultError):
            await ari.channels.external_media_rtp("media", host=host, port=4000)
    assert asterisk.external_host == shown
