"""The script that people write first, to hold ours against: ARI in, SMPP out, nothing kept.

``python -m tests.bench.naive_peer --config FILE --report FILE``. It rings desk phone 101 for each inbound call, counts three
rings on its own clock from the first RINGING, texts the caller and hangs up. No journal, no outbox, no opt-outs, no second
look: what it holds in memory is lost with it. What ours takes longer than this is the price of all that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import smpp34
import uvloop
from yarl import URL

from ari_app.settings.loading import Settings, load
from tests.bench.machine import wall

RINGS = 3
BODY = "Harbor Realty (automated): sorry we missed your call. Are you buying or selling? STOP to opt out."


class NaivePeer:
    """Everything in one object."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession, smsc: smpp34.Smsc) -> None:
        self._root = URL(f"http://{settings.document.pbx.http.host}:{settings.document.pbx.http.port}/ari")
        self._app = settings.document.pbx.app
        self._seconds = RINGS * settings.policy.ring_seconds
        self._http = http
        self._smsc = smsc
        self._callers: dict[str, tuple[str, str]] = {}
        self._rang: set[str] = set()
        self._group = asyncio.TaskGroup()
        self.heard: list[dict[str, object]] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``."""
        url = (self._root / "events").with_query(app=self._app)
        async with self._http.ws_connect(url) as socket, self._group:
            reading = [self._group.create_task(self._read(socket)), self._group.create_task(self._ignore_receipts())]
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await stop.wait()
            for task in reading:
                task.cancel()

    async def _ignore_receipts(self) -> None:
        while not isinstance(await self._smsc.next(), smpp34.Disconnected):
            pass

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            self._take(json.loads(message.data))

    def _take(self, event: dict[str, Any]) -> None:
        channel = event.get("channel") or event.get("peer") or {}
        name = str(channel.get("id", ""))
        if event["type"] == "StasisStart" and event["args"][:1] == ["inbound"]:
            self._callers[f"leg-{name}"] = (name, f"+{str(channel['caller']['number']).removeprefix('+')}")
            self._start(
                "POST", "channels", endpoint="PJSIP/101", app=self._app, channelId=f"leg-{name}", originator=name
            )
        elif name in self._callers and name not in self._rang and _rings(event):
            self._rang.add(name)
            self._start("POST", f"channels/{self._callers[name][0]}/ring")
            asyncio.get_running_loop().call_later(self._seconds, self._missed, name)

    def _missed(self, leg: str) -> None:
        caller, number = self._callers.pop(leg)
        self.heard.append({"caller": number, "third_ring": wall()})
        self._group.create_task(self._text(number))
        self._start("DELETE", f"channels/{leg}")
        self._start("DELETE", f"channels/{caller}", reason="no_answer")

    async def _text(self, number: str) -> None:
        await self._smsc.submit_sm(number.removeprefix("+"), BODY.encode(), source_addr="13055550106")

    def _start(self, method: str, path: str, **query: str) -> None:
        self._group.create_task(self._request(method, path, query))

    async def _request(self, method: str, path: str, query: dict[str, str]) -> None:
        async with self._http.request(method, (self._root / path).with_query(query)) as answer:
            await answer.read()


def _rings(event: dict[str, Any]) -> bool:
    if event["type"] == "Dial":
        return event.get("dialstatus") == "RINGING"
    return bool(event["type"] == "ChannelStateChange" and event["channel"]["state"] == "Ringing")


async def main(config: Path, report: Path) -> None:
    """Until SIGTERM."""
    settings = load(config)
    section = settings.document.gateways["sms"]
    assert section.type == "smpp"
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    login = aiohttp.BasicAuth(settings.document.pbx.ari.user, settings.secrets().resolve("ari", None))
    client = smpp34.Client(section.host, section.port, "naive", "naive", bind_type="TRX", window_size=section.window)
    smsc = await client.connect()
    async with aiohttp.ClientSession(auth=login, connector=aiohttp.TCPConnector(limit=20)) as http:
        peer = NaivePeer(settings, http, smsc)
        await peer.run(stop)
    await smsc.unbind()
    report.write_text(json.dumps(peer.heard))  # noqa: ASYNC240 - nothing else runs any more


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(given.config, given.report))
