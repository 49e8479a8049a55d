"""The signed webhook, against a real server that checks with the standardwebhooks library."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from ari_app.clock import SystemClock
from ari_app.crm.port import CrmAdapter, payload
from ari_app.crm.webhook import Webhook, WebhookSecretError, signature, signing_key
from ari_app.errors import RingbackError
from ari_app.recovery.effects import PushLead
from ari_app.recovery.values import EffectId
from ari_app.runtime.outcome import Done, Failed, Outcome, RetryAt
from tests.sms_gateway.certificates import make_certificate
from tests.support.books import NOON, StandingClock
from tests.support.effects import RECORD, TALK, order
from tests.support.ports import free_port

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PUSH = EffectId("12.3")


@dataclass
class Receiver:
    """A CRM's end. answers: statuses, then 200 for what is verified. headers: with each. hold: answers wait for it."""

    url: str
    verifier: Verifier
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    hold: asyncio.Event | None = None
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    taken: dict[str, Any] = field(default_factory=dict)
    """What was verified, by webhook-id: a second one with the same id changes nothing."""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((headers, body))
        if self.hold is not None:
            await self.hold.wait()
        status = self.answers.pop(0) if self.answers else None
        if status is None:
            status = 200
            self.taken.setdefault(headers["webhook-id"], self.verifier.verify(body, headers))
        return web.Response(status=status, body=self.body, headers=self.headers)


@asynccontextmanager
async def receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    port = free_port()
    scheme, host = ("http", "127.0.0.1") if tls is None else ("https", "localhost")
    served = Receiver(f"{scheme}://{host}:{port}/hooks/ringback?source=main", Verifier(SECRET))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    try:
        yield served
    finally:
        if served.hold is not None:
            served.hold.set()
        await runner.cleanup()


@asynccontextmanager
async def webhook(url: str, seconds: float = 5.0, clock: Any = None) -> AsyncIterator[Webhook]:
    hook = Webhook(url, signing_key(SECRET), clock or SystemClock(), seconds, "a1b2c3")
    try:
        yield hook
    finally:
        await hook.close()


async def push(url: str, attempts: int = 1, seconds: float = 5.0) -> Outcome:
    """What one push with a clock that stands at noon comes to."""
    async with webhook(url, seconds, StandingClock()) as hook:
        return await hook.push(PUSH, RECORD, attempts)


# --------------------------------------------------------------------------------------------------------------- the format
async def test_a_push_is_signed_so_that_the_standards_own_library_takes_it() -> None:
    async with receiver() as served, webhook(served.url) as hook:
        before = datetime.now(UTC)  # noqa: TID251 - the library checks against the machine's clock
        assert await hook.push(PUSH, RECORD, 1) == Done(ref="msg_a1b2c3_12_3")
        [(headers, _)] = served.requests
        assert headers["content-type"] == "application/json"
        assert abs(int(headers["webhook-timestamp"]) - before.timestamp()) < 30
        [(message_id, message)] = served.taken.items()
        assert message_id == "msg_a1b2c3_12_3"
        assert message["type"] == "lead.updated"
        assert message["data"] == payload(RECORD)
        assert datetime.fromisoformat(message["timestamp"]).tzinfo is not None


async def test_a_message_that_was_meddled_with_is_not_taken() -> None:
    async with receiver() as served, webhook(served.url) as hook:
        await hook.push(PUSH, RECORD, 1)
        [(headers, body)] = served.requests
    for changed in (body.replace(b'"lead_id":7', b'"lead_id":8'), body + b" "):
        with pytest.raises(WebhookVerificationError):
            served.verifier.verify(changed, headers)
    with pytest.raises(WebhookVerificationError):
        served.verifier.verify(body, {**headers, "webhook-id": "msg_other"})


async def test_a_repetition_has_the_same_id_and_is_taken_once() -> None:
    async with receiver() as served, webhook(served.url) as hook:
        for attempt in (1, 2):
            await hook.push(PUSH, RECORD, attempt)
        await hook.push(EffectId("13.0"), RECORD, 1)
        assert len(served.requests) == 3
        assert list(served.taken) == ["msg_a1b2c3_12_3", "msg_a1b2c3_13_0"]


async def test_two_installations_with_the_same_orders_are_told_apart() -> None:
    async with receiver() as served:
        for installation in ("a1b2c3", "d4e5f6"):
            hook = Webhook(served.url, signing_key(SECRET), SystemClock(), 5.0, installation)
            await hook.push(PUSH, RECORD, 1)
            await hook.close()
        assert len(served.taken) == 2


def test_the_signature_is_the_standards_for_a_known_message() -> None:
    body = b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_???", "whsec_" + "A" * 400, "é" * 40])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(WebhookSecretError, match="expected whsec_ and the base64 of 24 to 64 octets") as caught:
        signing_key(secret)
    assert isinstance(caught.value, RingbackError)


def test_a_secret_without_its_prefix_is_the_same_secret() -> None:
    assert signing_key(SECRET.removeprefix("whsec_")) == signing_key(SECRET) == bytes(range(32))


# -------------------------------------------------------------------------------------------------------------- the answers
@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_done(status: int) -> None:
    async with receiver() as served:
        served.answers = [status]
        assert isinstance(await push(served.url), Done)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_what_the_receiver_refuses_is_not_tried_again(status: int) -> None:
    async with receiver() as served:
        served.answers = [status]
        assert await push(served.url) == Failed(f"the receiver refused it: HTTP {status}")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
async def test_what_may_succeed_later_is_tried_again_after_the_wait_of_its_attempt(status: int) -> None:
    async with receiver() as served:
        served.answers = [status]
        assert await push(served.url, attempts=3) == RetryAt(NOON + timedelta(seconds=8), f"HTTP {status}")


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120),
        ("0", 2),
        ("999999999999999999999999", 3600),
        ("Tue, 24 Nov 2026 17:01:30 GMT", 90),
        ("Tue, 24 Nov 2026 17:01:30", 90),
        ("Wed, 25 Nov 2026 17:00:00 GMT", 3600),
        ("Mon, 23 Nov 2026 17:00:00 GMT", 2),
        ("soon", 2),
        ("-5", 2),
        ("²", 2),
    ],
)
async def test_a_receiver_may_ask_for_patience_by_seconds_or_date(asked: str, seconds: int) -> None:
    async with receiver() as served:
        served.answers = [429]
        served.headers = {"Retry-After": asked}
        assert await push(served.url) == RetryAt(NOON + timedelta(seconds=seconds), "HTTP 429")


async def test_a_redirect_is_not_followed_but_tried_again_and_told() -> None:
    async with receiver() as elsewhere, receiver() as served:
        served.answers = [307]
        served.headers = {"Location": elsewhere.url}
        outcome = await push(served.url)
        assert outcome == RetryAt(NOON + timedelta(seconds=2), "HTTP 307")
        assert elsewhere.requests == []


async def test_a_receiver_that_does_not_answer_is_given_up_in_time_and_knows_the_repetition() -> None:
    async with receiver() as served:
        served.hold = asyncio.Event()
        outcome = await push(served.url, seconds=0.2)
        assert isinstance(outcome, RetryAt)
        assert "Timeout" in outcome.why
        served.hold.set()
        async with webhook(served.url) as hook:
            assert isinstance(await hook.push(PUSH, RECORD, 2), Done)
        assert len({headers["webhook-id"] for headers, _ in served.requests}) == 1


async def test_an_answer_of_any_length_does_not_hold_us_up() -> None:
    async with receiver() as served:
        served.body = b"x" * 20_000_000
        served.answers = [200]
        assert isinstance(await push(served.url), Done)


async def test_a_receiver_that_is_not_there_is_tried_again() -> None:
    outcome = await push(f"http://127.0.0.1:{free_port()}/")
    assert isinstance(outcome, RetryAt)
    assert outcome.why.startswith("ClientConnectorError")


async def test_an_address_that_is_none_is_tried_again_and_told() -> None:
    outcome = await push("http://[::1/")
    assert isinstance(outcome, RetryAt)
    assert outcome.why.startswith("InvalidUrl")


async def test_a_connection_that_breaks_is_tried_again() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(break_off, "127.0.0.1", 0)
    async with server:
        outcome = await push(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert isinstance(outcome, RetryAt)


async def test_a_certificate_that_nobody_vouches_for_gets_no_lead(tmp_path: Path) -> None:
    async with receiver(make_certificate(tmp_path, "localhost").server_context()) as served:
        outcome = await push(served.url)
        assert isinstance(outcome, RetryAt)
        assert "CERTIFICATE_VERIFY_FAILED" in outcome.why or "certificate verify failed" in outcome.why
        assert served.requests == []


async def test_a_certificate_that_is_vouched_for_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make_certificate(tmp_path, "localhost")
    trusted = ssl.create_default_context(cafile=str(certificate.path))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusted)
    async with receiver(certificate.server_context()) as served, webhook(served.url) as hook:
        assert isinstance(await hook.push(PUSH, RECORD, 1), Done)
        assert len(served.taken) == 1


async def test_closing_without_a_push_is_fine_and_one_session_serves_all_pushes() -> None:
    async with webhook("http://127.0.0.1:1/") as hook:
        assert hook._session is None
    async with receiver() as served, webhook(served.url) as hook:
        await hook.push(PUSH, RECORD, 1)
        session = hook._session
        assert isinstance(session, aiohttp.ClientSession)
        await hook.push(PUSH, RECORD, 2)
        assert hook._session is session
    assert session.closed


# --------------------------------------------------------------------------------------------------------------- the port
async def test_the_lane_finds_the_crm_that_a_push_names() -> None:
    async with receiver() as served, webhook(served.url) as hook:
        adapter = CrmAdapter({"webhook": hook}, SystemClock(), lambda: ("webhook",))
        assert isinstance(await adapter.act(order(PushLead(target="webhook", record=RECORD))), Done)
        outcome = await adapter.act(order(PushLead(target="old", record=RECORD)))
        assert outcome == Failed("there is no crm 'old': it was taken out of the settings")
        assert len(served.requests) == 1


def test_absent_facts_are_null_and_nothing_tells_of_our_own_types() -> None:
    body = payload(replace(RECORD, lines=TALK))
    assert body["name"] is None
    assert "type" not in body
    assert body["lines"] == [
        {"speaker": "agent", "text": "Are you buying or selling?", "at_seconds": 0.0, "confidence": None},
        {"speaker": "caller", "text": "Selling.", "at_seconds": 6.5, "confidence": 0.91},
    ]
