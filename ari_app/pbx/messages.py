"""ARI's events as typed values: parsed completely at the edge, or refused with the field that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from ari_app.pbx.errors import MalformedEventError
from ari_app.pbx.fields import Fields
from ari_app.pbx.models import Bridge, Channel, Endpoint, Playback, Recording, TextMessage


@dataclass(frozen=True, slots=True)
class AriEvent:
    """``at``: Asterisk's clock, UTC. ``application``: whose event it is."""

    at: datetime
    application: str


@dataclass(frozen=True, slots=True)
class ChannelEvent(AriEvent):
    """About one channel, as it is after the event."""

    channel: Channel


@dataclass(frozen=True, slots=True)
class StasisStart(ChannelEvent):
    """The channel is ours now. Only from here on may it be bridged (422 before)."""

    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StasisEnd(ChannelEvent):
    """The channel is no longer ours: it hung up, or went on in the dialplan."""


@dataclass(frozen=True, slots=True)
class ChannelStateChange(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class ChannelDestroyed(ChannelEvent):
    """The end of a channel. ``cause`` is Q.850; dial time-outs report 0 before 20.14 and 22.4: never trust it alone."""

    cause: int
    cause_text: str


@dataclass(frozen=True, slots=True)
class ChannelHangupRequest(ChannelEvent):
    """The far end hung up; ``cause`` is Q.850, when it said one."""

    cause: int | None


@dataclass(frozen=True, slots=True)
class ChannelDtmfReceived(ChannelEvent):
    """A key was pressed and let go (``digit``: one of 0-9 * # A-D)."""

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ChannelHold(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class ChannelUnhold(ChannelEvent):
    pass


@dataclass(frozen=True, slots=True)
class ChannelEnteredBridge(AriEvent):
    bridge: Bridge
    channel: Channel | None


@dataclass(frozen=True, slots=True)
class ChannelLeftBridge(AriEvent):
    bridge: Bridge
    channel: Channel


@dataclass(frozen=True, slots=True)
class BridgeDestroyed(AriEvent):
    bridge: Bridge


@dataclass(frozen=True, slots=True)
class Dial(AriEvent):
    """How an outgoing leg fares. ``status``: empty at first, then RINGING or PROGRESS, at last ANSWER, BUSY, NOANSWER,
    CANCEL, CONGESTION or CHANUNAVAIL."""

    peer: Channel
    caller: Channel | None
    status: str
    dialled: str


@dataclass(frozen=True, slots=True)
class PlaybackStarted(AriEvent):
    playback: Playback


@dataclass(frozen=True, slots=True)
class PlaybackFinished(AriEvent):
    playback: Playback


@dataclass(frozen=True, slots=True)
class RecordingFinished(AriEvent):
    recording: Recording


@dataclass(frozen=True, slots=True)
class RecordingFailed(AriEvent):
    recording: Recording


@dataclass(frozen=True, slots=True)
class TextMessageReceived(AriEvent):
    """A SIP MESSAGE came. It also stands in the spool (``message_spool``), which is what counts."""

    message: TextMessage
    endpoint: Endpoint | None


@dataclass(frozen=True, slots=True)
class ApplicationReplaced(AriEvent):
    """Another client has taken our application: its events go there now."""


@dataclass(frozen=True, slots=True)
class ContactStatusChange(AriEvent):
    """A phone registered, left, or stopped answering. ``status``: ``NonQualified``, ``Reachable``, ``Unreachable``,
    ``Removed`` and the like."""

    endpoint: Endpoint
    uri: str
    status: str


@dataclass(frozen=True, slots=True)
class PeerStatusChange(AriEvent):
    """``status``: ``Registered``, ``Unregistered``, ``Reachable`` or ``Unreachable``."""

    endpoint: Endpoint
    status: str


@dataclass(frozen=True, slots=True)
class UserEvent(AriEvent):
    """One that a REST call asked for (``Applications.probe``)."""

    name: str


@dataclass(frozen=True, slots=True)
class UnknownEvent(AriEvent):
    """One that nobody here uses."""

    type: str


_Common = tuple[datetime, str]


def _channel(kind: type[ChannelEvent]) -> Callable[[_Common, Fields], AriEvent]:
    return lambda common, fields: kind(*common, fields.part("channel", Channel.read))


def _stasis_start(common: _Common, fields: Fields) -> AriEvent:
    return StasisStart(*common, fields.part("channel", Channel.read), fields.texts("args"))


def _destroyed(common: _Common, fields: Fields) -> AriEvent:
    channel = fields.part("channel", Channel.read)
    return ChannelDestroyed(*common, channel, fields.integer("cause"), fields.text("cause_txt"))


def _hangup_request(common: _Common, fields: Fields) -> AriEvent:
    return ChannelHangupRequest(*common, fields.part("channel", Channel.read), fields.integer_or("cause", None))


def _dtmf(common: _Common, fields: Fields) -> AriEvent:
    channel = fields.part("channel", Channel.read)
    return ChannelDtmfReceived(*common, channel, fields.text("digit"), fields.integer("duration_ms"))


def _entered(common: _Common, fields: Fields) -> AriEvent:
    bridge = fields.part("bridge", Bridge.read)
    return ChannelEnteredBridge(*common, bridge, fields.part_or_none("channel", Channel.read))


def _left(common: _Common, fields: Fields) -> AriEvent:
    return ChannelLeftBridge(*common, fields.part("bridge", Bridge.read), fields.part("channel", Channel.read))


def _dial(common: _Common, fields: Fields) -> AriEvent:
    return Dial(
        *common,
        peer=fields.part("peer", Channel.read),
        caller=fields.part_or_none("caller", Channel.read),
        status=fields.text("dialstatus"),
        dialled=fields.text_or("dialstring", ""),
    )


def _text_message(common: _Common, fields: Fields) -> AriEvent:
    message = fields.part("message", TextMessage.read)
    return TextMessageReceived(*common, message, fields.part_or_none("endpoint", Endpoint.read))


def _contact(common: _Common, fields: Fields) -> AriEvent:
    uri, status = fields.part("contact_info", lambda info: (info.text("uri"), info.text("contact_status")))
    return ContactStatusChange(*common, fields.part("endpoint", Endpoint.read), uri, status)


def _peer(common: _Common, fields: Fields) -> AriEvent:
    status = fields.part("peer", lambda peer: peer.text("peer_status"))
    return PeerStatusChange(*common, fields.part("endpoint", Endpoint.read), status)


_READERS: dict[str, Callable[[_Common, Fields], AriEvent]] = {
    "StasisStart": _stasis_start,
    "StasisEnd": _channel(StasisEnd),
    "ChannelStateChange": _channel(ChannelStateChange),
    "ChannelDestroyed": _destroyed,
    "ChannelHangupRequest": _hangup_request,
    "ChannelDtmfReceived": _dtmf,
    "ChannelHold": _channel(ChannelHold),
    "ChannelUnhold": _channel(ChannelUnhold),
    "ChannelEnteredBridge": _entered,
    "ChannelLeftBridge": _left,
    "BridgeDestroyed": lambda common, fields: BridgeDestroyed(*common, fields.part("bridge", Bridge.read)),
    "Dial": _dial,
    "PlaybackStarted": lambda common, fields: PlaybackStarted(*common, fields.part("playback", Playback.read)),
    "PlaybackFinished": lambda common, fields: PlaybackFinished(*common, fields.part("playback", Playback.read)),
    "RecordingFinished": lambda common, fields: RecordingFinished(*common, fields.part("recording", Recording.read)),
    "RecordingFailed": lambda common, fields: RecordingFailed(*common, fields.part("recording", Recording.read)),
    "TextMessageReceived": _text_message,
    "ApplicationReplaced": lambda common, fields: ApplicationReplaced(*common),
    "ChannelUserevent": lambda common, fields: UserEvent(*common, fields.text("eventname")),
    "ContactStatusChange": _contact,
    "PeerStatusChange": _peer,
}

KNOWN_TYPES = frozenset(_READERS)


def parse_event(text: str | bytes) -> AriEvent:
    """The event in one message of ARI's socket; UnknownEvent for types that nobody here uses.

    Raises MalformedEventError that names the field.
    """
    try:
        data: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedEventError("message", f"no JSON: {error}") from error
    kind = "message"
    try:
        fields = Fields(data)
        kind = fields.text("type")
        common = (fields.moment("timestamp"), fields.text("application"))
        reader = _READERS.get(kind)
        return UnknownEvent(*common, kind) if reader is None else reader(common, fields)
    except ValueError as error:
        raise MalformedEventError(kind[:60], str(error)) from error
