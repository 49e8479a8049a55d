"""ARI's channels: placing, answering, ringing, playing, recording, hanging up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ari_app.pbx.ari_http import AriHttp
from ari_app.pbx.errors import MalformedAnswerError
from ari_app.pbx.fields import Fields, read_list
from ari_app.pbx.models import Channel, Playback, Recording
from ari_app.settings.pbx import uri_host


class HangupReason(StrEnum):
    """Why we hang up, in ARI's words; each stands for a cause of Q.850 (in the comment)."""

    NORMAL = "normal"  # 16, normal call clearing
    BUSY = "busy"  # 17, user busy
    NO_ANSWER = "no_answer"  # 19, no answer from user
    REJECTED = "rejected"  # 21, call rejected
    ANSWERED_ELSEWHERE = "answered_elsewhere"  # 26, non-selected user clearing
    CONGESTION = "congestion"  # 34, no circuit available
    FAILURE = "failure"  # 38, network out of order


@dataclass(frozen=True, slots=True)
class CallerId:
    """What the callee's display shows. Raises ValueError for a quote or a line break in it."""

    number: str
    name: str = ""

    def __post_init__(self) -> None:
        if set(self.number + self.name) & set('"<>\\\r\n'):
            raise ValueError('a caller id cannot hold " < > \\ or a line break')

    def __str__(self) -> str:
        return f'"{self.name}" <{self.number}>' if self.name else self.number


@dataclass(frozen=True, slots=True)
class WebSocketMedia:
    """An external-media channel that waits for us at ``path`` of Asterisk's HTTP server (subprotocol ``media``)."""

    channel: Channel
    connection_id: str

    @property
    def path(self) -> str:
        return f"/media/{self.connection_id}"


@dataclass(frozen=True, slots=True)
class RtpMedia:
    """An external-media channel that sends RTP to us, and hears us at ``address``:``port``."""

    channel: Channel
    address: str
    port: int


class Channels:
    """Every call raises a leaf of AriError; NotFoundError usually means that a hang-up was first."""

    def __init__(self, http: AriHttp, application: str) -> None:
        self._http = http
        self._application = application

    async def list(self) -> tuple[Channel, ...]:
        """All legs of calls, ours or not; without the pseudo channel that carries SIP MESSAGEs through the dialplan."""
        channels = await self._http.read(lambda data: read_list(data, Channel.read), "GET", ("channels",))
        return tuple(channel for channel in channels if not channel.name.startswith("Message/"))

    async def get(self, channel: str) -> Channel:
        return await self._http.read(_read_channel, "GET", ("channels", channel))

    async def originate(
        self,
        endpoint: str,
        *,
        channel: str,
        args: Sequence[str] = (),
        caller: CallerId | None = None,
        ring_seconds: int = 30,
        variables: Mapping[str, str] | None = None,
        formats: Sequence[str] = (),
        originator: str | None = None,
    ) -> None:
        """Calls ``endpoint`` (``PJSIP/101``); answered, it comes to us by StasisStart with ``args``.

        ``channel`` is the id that it gets; never that of a channel of a moment ago, of which Asterisk still has to forget
        what it knows: it then forgets what it knows of the new one (its answer is ``null``, its list and GET do not have it,
        and it rings all the same; 22.10). The codecs are those of ``formats`` or of the channel ``originator``, not
        both; for a ``Local/`` endpoint always give one, or Asterisk transcodes from 192 kHz. Set headers with
        ``variables={"PJSIP_HEADER(add,X-Ringback-Id)": ...}``. ServerFaultError: not registered, or no such trunk.
        """
        if formats and originator:
            raise ValueError("formats and originator exclude each other")
        body = {
            "endpoint": endpoint,
            "app": self._application,
            "appArgs": _join_args(args),
            "timeout": ring_seconds,
            "callerId": None if caller is None else str(caller),
            "formats": ",".join(formats) or None,
            "originator": originator,
            "variables": variables,
        }
        await self._http.request("POST", ("channels", channel), body=_given(body))

    async def external_media_websocket(
        self, channel: str, *, codec: str = "slin", variables: Mapping[str, str] | None = None
    ) -> WebSocketMedia:
        """A leg whose audio goes over a WebSocket that we open, paced by Asterisk (22.8+, 20.18+, 23.2+)."""
        answer = await self._external(
            channel,
            codec,
            variables,
            transport="websocket",
            encapsulation="none",
            connection_type="server",
            external_host="INCOMING",
            transport_data="f(json)",
        )
        return WebSocketMedia(answer, self._variable(answer, "MEDIA_WEBSOCKET_CONNECTION_ID"))

    async def external_media_rtp(
        self, channel: str, *, host: str, port: int, codec: str = "ulaw", variables: Mapping[str, str] | None = None
    ) -> RtpMedia:
        """A leg whose audio goes to ``host``:``port`` as RTP; pacing what we send is ours (any version)."""
        answer = await self._external(channel, codec, variables, external_host=f"{uri_host(host)}:{port}")
        address = self._variable(answer, "UNICASTRTP_LOCAL_ADDRESS")
        local_port = self._variable(answer, "UNICASTRTP_LOCAL_PORT")
        if not local_port.isdecimal():
            raise MalformedAnswerError("POST /channels/externalMedia", 200, "UNICASTRTP_LOCAL_PORT is no number")
        return RtpMedia(answer, address, int(local_port))

    async def answer(self, channel: str) -> None:
        await self._http.request("POST", ("channels", channel, "answer"))

    async def ring(self, channel: str) -> None:
        """Tells the caller that it rings (180 Ringing, RFC 3261 section 21.1.2), without answering."""
        await self._http.request("POST", ("channels", channel, "ring"))

    async def stop_ringing(self, channel: str) -> None:
        await self._http.request("DELETE", ("channels", channel, "ring"))

    async def hangup(self, channel: str, reason: HangupReason = HangupReason.NORMAL) -> None:
        await self._http.request("DELETE", ("channels", channel), query={"reason": reason.value})

    async def continue_in_dialplan(
        self, channel: str, *, context: str | None = None, extension: str | None = None, priority: int | None = None
    ) -> None:
        """Gives the channel back to the dialplan: to a place, or to where it came from."""
        body = {"context": context, "extension": extension, "priority": priority}
        await self._http.request("POST", ("channels", channel, "continue"), body=_given(body))

    async def play(self, channel: str, media: Sequence[str], *, playback: str) -> Playback:
        """Plays one after another (``sound:/path/without/suffix``, ``tone:ring``); ``playback`` is its id."""
        path = ("channels", channel, "play", playback)
        return await self._http.read(_read_playback, "POST", path, body={"media": list(media)})

    async def record(
        self,
        channel: str,
        name: str,
        *,
        suffix: str = "wav",
        max_seconds: int = 180,
        max_silence_seconds: int = 0,
        beep: bool = True,
        terminate_on: str = "none",
    ) -> Recording:
        """Records what comes from the channel into ``NAME.SUFFIX``. StateConflictError: the name exists, or no audio yet.

        ``max_silence_seconds`` 0: silence does not end it. ``terminate_on``: ``none``, ``any``, ``*`` or ``#``.
        """
        body = {
            "name": name,
            "format": suffix,
            "maxDurationSeconds": max_seconds,
            "maxSilenceSeconds": max_silence_seconds,
            "ifExists": "fail",
            "beep": beep,
            "terminateOn": terminate_on,
        }
        return await self._http.read(_read_recording, "POST", ("channels", channel, "record"), body=body)

    async def get_variable(self, channel: str, name: str) -> str:
        """NotFoundError: no such variable, or no such channel."""
        path = ("channels", channel, "variable")
        answer = await self._http.request("GET", path, query={"variable": name})
        if not isinstance(answer, dict) or not isinstance(answer.get("value"), str):
            raise MalformedAnswerError(f"GET /{'/'.join(path)}", 200, "expected a value")
        return str(answer["value"])

    async def set_variable(self, channel: str, name: str, value: str) -> None:
        body = {"variable": name, "value": value}
        await self._http.request("POST", ("channels", channel, "variable"), body=body)

    async def send_dtmf(self, channel: str, digits: str) -> None:
        """Presses keys towards the far end (RFC 4733 events, when the leg has agreed on them)."""
        await self._http.request("POST", ("channels", channel, "dtmf"), body={"dtmf": digits})

    async def _external(self, channel: str, codec: str, variables: Mapping[str, str] | None, **options: str) -> Channel:
        body = {"channelId": channel, "app": self._application, "format": codec, "variables": variables, **options}
        return await self._http.read(_read_channel, "POST", ("channels", "externalMedia"), body=_given(body))

    @staticmethod
    def _variable(channel: Channel, name: str) -> str:
        try:
            return channel.variables[name]
        except KeyError as error:
            raise MalformedAnswerError("POST /channels/externalMedia", 200, f"{name} is not in channelvars") from error


def _read_channel(data: Any) -> Channel:
    return Channel.read(Fields(data))


def _read_playback(data: Any) -> Playback:
    return Playback.read(Fields(data))


def _read_recording(data: Any) -> Recording:
    return Recording.read(Fields(data))


def _given(body: Mapping[str, Any]) -> dict[str, Any]:
    """What was given; Asterisk takes null for an empty text."""
    return {name: value for name, value in body.items() if value is not None}


def _join_args(args: Sequence[str]) -> str | None:
    """Stasis arguments in one text. Raises ValueError for one that would become two."""
    if any(set(arg) & set(',"\\') for arg in args):
        raise ValueError("an argument for Stasis cannot hold a comma, a quote or a backslash")
    return ",".join(args) or None
