"""Our client against the running Asterisk's own description of its API (``/ari/api-docs``)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from ari_app.pbx.ari import Ari
from ari_app.pbx.channels import CallerId
from ari_app.pbx.errors import AriError
from ari_app.pbx.event_socket import NOISE
from ari_app.pbx.messages import KNOWN_TYPES
from tests.ari_app.pbx.events import EVENTS
from tests.support.asterisk import TestPbx
from tests.support.ports import free_port

pytestmark = pytest.mark.e2e

RESOURCES = ("applications", "asterisk", "bridges", "channels", "endpoints", "events", "playbacks", "recordings")
Documents = dict[str, dict[str, Any]]


@pytest.fixture
async def documents(asterisk: TestPbx) -> Documents:
    auth = aiohttp.encode_basic_auth("ringback", asterisk.secrets.ari)
    found = {}
    async with aiohttp.ClientSession(headers={"Authorization": auth}) as session:
        for name in RESOURCES:
            async with session.get(f"{asterisk.url}/ari/api-docs/{name}.json") as response:
                found[name] = orjson.loads(await response.read())
    return found


@pytest.fixture
async def requests() -> AsyncIterator[tuple[Ari, list[tuple[str, str, set[str]]]]]:
    """A client, and what it asks: method, path, and the names of its parameters."""
    seen: list[tuple[str, str, set[str]]] = []

    async def note(request: web.Request) -> web.Response:
        body = await request.read()
        names = set(request.query) | set(orjson.loads(body) if body else {})
        seen.append((request.method, request.path.removeprefix("/ari"), names))
        return web.json_response({"value": "x"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with Ari(f"http://127.0.0.1:{port}", "u", "p", application="app") as ari:
        yield ari, seen
    await runner.cleanup()


async def _use_everything(ari: Ari) -> None:
    """Every call of the client once, with every option."""
    texts = {"A": "b"}
    for act in (
        ari.channels.list(),
        ari.endpoints.settings("carrier"),
        ari.channels.get("c"),
        ari.channels.originate(
            "PJSIP/1",
            channel="c",
            args=("a",),
            caller=CallerId("1"),
            ring_seconds=9,
            variables=texts,
            formats=("ulaw",),
        ),
        ari.channels.originate("PJSIP/1", channel="c", originator="o"),
        ari.channels.external_media_websocket("c", variables=texts),
        ari.channels.external_media_rtp("c", host="127.0.0.1", port=9, variables=texts),
        ari.channels.answer("c"),
        ari.channels.ring("c"),
        ari.channels.stop_ringing("c"),
        ari.channels.hangup("c"),
        ari.channels.continue_in_dialplan("c", context="x", extension="1", priority=1),
        ari.channels.play("c", ["sound:a"], playback="p"),
        ari.channels.record("c", "r"),
        ari.channels.get_variable("c", "A"),
        ari.channels.set_variable("c", "A", "b"),
        ari.channels.send_dtmf("c", "1"),
        ari.bridges.list(),
        ari.bridges.create("b", name="n"),
        ari.bridges.add("b", "c"),
        ari.bridges.remove("b", "c"),
        ari.bridges.destroy("b"),
        ari.endpoints.list(),
        ari.endpoints.get("101"),
        ari.endpoints.send_message("pjsip:1", "sip:a", "x", variables=texts),
        ari.applications.get("app"),
        ari.applications.list(),
        ari.applications.subscribe("app", "endpoint:PJSIP"),
        ari.applications.probe("app", "Probe"),
        ari.server.info(),
        ari.server.ping(),
        ari.playbacks.stop("p"),
        ari.recordings.stop("r"),
        ari.recordings.discard("r"),
    ):
        try:
            await act
        except AriError:
            continue  # the answer is nonsense on purpose


async def test_every_request_is_one_that_asterisk_describes(
    asterisk: TestPbx, documents: Documents, requests: tuple[Ari, list[tuple[str, str, set[str]]]]
) -> None:
    operations = [
        (
            operation["httpMethod"],
            re.compile(re.sub(r"\{[^}]+\}", "[^/]+", api["path"]) + "$"),
            {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["paramType"] != "path"},
            {
                parameter["name"]
                for parameter in operation.get("parameters", ())
                if parameter["paramType"] != "path" and parameter.get("required")
            },
            "{" in api["path"],
        )
        for document in documents.values()
        for api in document["apis"]
        for operation in api["operations"]
    ]
    ari, seen = requests
    await _use_everything(ari)
    public = sum(
        not name.startswith("_") and callable(getattr(room, name))
        for room in (
            ari.channels,
            ari.bridges,
            ari.endpoints,
            ari.applications,
            ari.server,
            ari.playbacks,
            ari.recordings,
        )
        for name in dir(type(room))
    )
    assert len(seen) == public, "one call of each but the event filter (its body is free), and originate twice"
    if not asterisk.host.has_module("chan_websocket"):
        seen.remove(next(each for each in seen if "transport_data" in each[2]))
    for method, path, given in seen:
        matching = [each for each in operations if each[0] == method and each[1].match(path)]
        assert matching, f"{method} {path}"
        _, _, known, required, _ = min(matching, key=lambda each: each[4])
        assert given <= known, f"{method} {path}: {given - known}"
        assert required <= given, f"{method} {path}: {required - given} is missing"


def _models(documents: Documents) -> dict[str, dict[str, Any]]:
    return {name: model for document in documents.values() for name, model in document.get("models", {}).items()}


async def test_every_event_that_we_parse_is_described_with_the_fields_that_we_read(documents: Documents) -> None:
    models = _models(documents)
    common = {**models["Message"]["properties"], **models["Event"]["properties"]}
    for sent in EVENTS:
        described = {**common, **models[sent["type"]]["properties"]}
        _compare(sent, described, models, sent["type"])
    assert set(NOISE) <= set(models)
    assert set(models) >= KNOWN_TYPES


def _compare(sent: dict[str, Any], described: dict[str, Any], models: dict[str, dict[str, Any]], path: str) -> None:
    """Nothing in our sample that is not described, and nothing described as always there that the sample lacks."""
    unknown = set(sent) - set(described)
    assert not unknown, f"{path}: {unknown}"
    required = {name for name, field in described.items() if field.get("required") is True}
    assert not required - set(sent), f"{path}: {required - set(sent)}"
    for name, value in sent.items():
        kind = described[name]["type"]
        if isinstance(value, dict) and kind in models:
            _compare(value, models[kind]["properties"], models, f"{path}.{name}")
        elif kind in ("string", "Date"):
            assert isinstance(value, str), f"{path}.{name}"
        elif kind in ("int", "long"):
            assert isinstance(value, int), f"{path}.{name}"
