"""A signed webhook as Standard Webhooks has it: ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` headers,
HMAC-SHA256 over ``id.timestamp.body``. The id is the installation's and the effect's, so a receiver that keeps ids takes
nothing twice, and takes two brokerages for two."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import orjson

from ari_app.clock import Clock
from ari_app.crm.port import payload
from ari_app.errors import RingbackError
from ari_app.recovery.effects import LeadRecord
from ari_app.recovery.values import EffectId
from ari_app.runtime.dispatcher import retry_wait
from ari_app.runtime.outcome import Done, Failed, Outcome, RetryAt

EVENT = "lead.updated"
LONGEST_WAIT = timedelta(hours=1)
"""A receiver may ask for patience, but not for ever."""
ANSWER_OCTETS = 4096
"""Read of an answer's body, so that its connection can be used again; nobody looks at it."""
_PREFIX = "whsec_"
_RETRY_STATUS = frozenset({408, 409, 425, 429})


class WebhookSecretError(RingbackError, ValueError):
    """The secret is not what Standard Webhooks calls one."""


def signing_key(secret: str) -> bytes:
    """The key behind ``whsec_`` and base64 of 24 to 64 octets. Raises WebhookSecretError."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise WebhookSecretError("the secret of a crm webhook: expected whsec_ and the base64 of 24 to 64 octets")
    return key


def signature(key: bytes, message_id: str, at: datetime, body: bytes) -> str:
    """The value of ``webhook-signature`` for one key."""
    signed = f"{message_id}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Webhook:
    """One receiver. installation: tells the ids of this Ringback from those of others."""

    def __init__(self, url: str, key: bytes, clock: Clock, timeout_seconds: float, installation: str) -> None:
        self._url = url
        self._key = key
        self._clock = clock
        self._installation = installation
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def push(self, push_id: EffectId, record: LeadRecord, attempts: int) -> Outcome:
        """POST it. 2xx is done; 410 and other 4xx are final; everything else is tried again."""
        at = self._clock.now()
        message_id = f"msg_{self._installation}_{push_id.replace('.', '_')}"
        body = orjson.dumps({"type": EVENT, "timestamp": at.isoformat(), "data": payload(record)})
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature(self._key, message_id, at, body),
        }
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                await answer.content.read(ANSWER_OCTETS)
                return self._outcome(answer.status, answer.headers.get("retry-after"), message_id, attempts)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return RetryAt(self._clock.now() + retry_wait(attempts), f"{type(error).__name__}: {error}"[:200])

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _outcome(self, status: int, retry_after: str | None, message_id: str, attempts: int) -> Outcome:
        if 200 <= status < 300:
            return Done(ref=message_id)
        if 400 <= status < 500 and status not in _RETRY_STATUS:
            return Failed(f"the receiver refused it: HTTP {status}")
        now = self._clock.now()
        wait = max(retry_wait(attempts), _patience(retry_after, now))
        return RetryAt(now + wait, f"HTTP {status}")


def _patience(retry_after: str | None, now: datetime) -> timedelta:
    """RFC 9110 section 10.2.3: seconds, or a date. What is neither asks for nothing."""
    if retry_after is None:
        return timedelta()
    if retry_after.isascii() and retry_after.isdigit():
        return timedelta(seconds=min(LONGEST_WAIT.total_seconds(), int(retry_after[:9])))
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return timedelta()
    return min(LONGEST_WAIT, max(timedelta(), (until if until.tzinfo else until.replace(tzinfo=UTC)) - now))
