"""ARI's HTTP: one bounded pool of kept connections, one error for each way to fail, JSON in and out."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from ari_app.pbx.errors import (
    AriError,
    BadRequestError,
    MalformedAnswerError,
    NotFoundError,
    RefusedError,
    ServerFaultError,
    StateConflictError,
    UnavailableError,
)

T = TypeVar("T")

KEEP_ALIVE_SECONDS = 10.0
"""How long an idle connection is kept: shorter than Asterisk's ``session_keep_alive``, or we write into a closing one."""

_ERRORS: dict[int, type[AriError]] = {
    401: RefusedError,
    403: RefusedError,
    404: NotFoundError,
    409: StateConflictError,
    412: StateConflictError,
    422: StateConflictError,
}


class AriHttp:
    """Requests to one Asterisk. Open it with ``async with``; requests beyond ``connections`` wait their turn."""

    def __init__(self, url: str, user: str, password: str, *, connections: int, within: float) -> None:
        """``url`` is Asterisk's HTTP server (``http://127.0.0.1:8088``); ``within`` bounds each request, in seconds."""
        self._root = URL(url.rstrip("/") + "/ari")
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"}  # RFC 7617
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=within)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=self._timeout)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The JSON answer, or None when there is no content. ``path`` is in parts, which may hold anything.

        Raises a leaf of AriError.
        """
        url = self._url(path, query)
        name = f"{method} /{'/'.join(path)}"
        payload = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"} if payload is not None else None
        try:
            async with self._opened().request(method, url, data=payload, headers=headers) as response:
                status, data = response.status, await response.read()
        except TimeoutError as error:
            raise UnavailableError(name, 0, f"no answer within {self._timeout.total:g} s") from error
        except aiohttp.ClientError as error:
            raise UnavailableError(name, 0, str(error) or type(error).__name__) from error
        if status >= 400:
            reason = _reason(data)
            raise _error_class(status, reason)(name, status, reason)
        if not data:
            return None
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise MalformedAnswerError(name, status, f"no JSON: {error}") from error

    async def read(
        self, read: Callable[[Any], T], method: str, path: tuple[str, ...], *, body: Mapping[str, Any] | None = None
    ) -> T:
        """The answer as ``read`` understands it. Raises a leaf of AriError; MalformedAnswerError where ``read`` refuses."""
        answer = await self.request(method, path, body=body)
        try:
            return read(answer)
        except ValueError as error:
            raise MalformedAnswerError(f"{method} /{'/'.join(path)}", 200, str(error)) from error

    async def open_events(self, *applications: str, close_within: float) -> aiohttp.ClientWebSocketResponse:
        """The event socket of ``applications``, which registers them. Pings are the caller's to send and to answer.

        Raises RefusedError, or UnavailableError when it does not open.
        """
        name = "GET /events"
        url = self._url(("events",), {"app": ",".join(applications), "subscribeAll": "false"})
        try:
            return await self._opened().ws_connect(
                url, autoping=False, timeout=aiohttp.ClientWSTimeout(ws_close=close_within), max_msg_size=1 << 20
            )
        except aiohttp.WSServerHandshakeError as error:
            raise _error_class(error.status, error.message)(name, error.status, error.message) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(name, 0, str(error) or type(error).__name__) from error

    def _url(self, path: tuple[str, ...], query: Mapping[str, str] | None) -> URL:
        joined = "/".join(quote(part, safe="") for part in path)
        url = URL(f"{self._root}/{joined}", encoded=True)
        return url.with_query(query) if query else url

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the ARI client is used outside its `async with`")
        return self._session


def _error_class(status: int, reason: str) -> type[AriError]:
    if status == 400 and reason.endswith("not found"):  # what addChannel says of a channel that has hung up
        return NotFoundError
    return _ERRORS.get(status) or (ServerFaultError if status >= 500 else BadRequestError)


def _reason(data: bytes) -> str:
    """Asterisk's own words: ``{"message": ...}``, or ``{"error": ...}`` when an allocation failed."""
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data[:200].decode("utf-8", "replace")
    if isinstance(answer, dict):
        return str(answer.get("message") or answer.get("error") or answer)[:200]
    return str(answer)[:200]
