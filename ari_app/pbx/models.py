"""What ARI tells us about: channels, bridges, endpoints and the like. Only the fields that somebody here reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ari_app.pbx.fields import Fields


class ChannelState(StrEnum):
    """A channel's state as Asterisk names it. ``RING``: it called us; ``RINGING``: we called it, and it rings."""

    DOWN = "Down"
    RESERVED = "Rsrvd"
    OFF_HOOK = "OffHook"
    DIALING = "Dialing"
    RING = "Ring"
    RINGING = "Ringing"
    UP = "Up"
    BUSY = "Busy"
    DIALING_OFF_HOOK = "Dialing Offhook"
    PRE_RING = "Pre-ring"
    UNKNOWN = "Unknown"

    @classmethod
    def _missing_(cls, value: object) -> ChannelState:
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class Party:
    """Who is at one end: what the network said, untrusted."""

    name: str
    number: str

    @classmethod
    def read(cls, fields: Fields) -> Party:
        return cls(fields.text("name"), fields.text("number"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel is in the dialplan."""

    context: str
    extension: str
    priority: int

    @classmethod
    def read(cls, fields: Fields) -> Place:
        return cls(fields.text("context"), fields.text("exten"), fields.integer("priority"))


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel. ``created`` and ``id`` together never recur; ``protocol_id`` is the SIP Call-ID, where Asterisk tells it."""

    id: str
    name: str
    state: ChannelState
    caller: Party
    connected: Party
    place: Place
    created: datetime
    protocol_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, fields: Fields) -> Channel:
        return cls(
            id=fields.text("id"),
            name=fields.text("name"),
            state=ChannelState(fields.text("state")),
            caller=fields.part("caller", Party.read),
            connected=fields.part("connected", Party.read),
            place=fields.part("dialplan", Place.read),
            created=fields.moment("creationtime"),
            protocol_id=fields.text_or("protocol_id", ""),
            variables=fields.text_map("channelvars"),
        )

    @property
    def endpoint(self) -> str:
        """The endpoint that the name tells: ``PJSIP/101`` of ``PJSIP/101-00000007``."""
        return self.name.rpartition("-")[0] or self.name


@dataclass(frozen=True, slots=True)
class Bridge:
    id: str
    technology: str
    kind: str
    """``mixing`` or ``holding``."""
    name: str
    channels: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> Bridge:
        return cls(
            id=fields.text("id"),
            technology=fields.text("technology"),
            kind=fields.text("bridge_type"),
            name=fields.text("name"),
            channels=fields.texts("channels"),
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A phone or trunk. ``state``: ``online``, ``offline`` or ``unknown``, as far as qualify and registration tell."""

    technology: str
    resource: str
    state: str
    channels: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> Endpoint:
        return cls(
            technology=fields.text("technology"),
            resource=fields.text("resource"),
            state=fields.text_or("state", "unknown"),
            channels=fields.texts("channel_ids"),
        )

    @property
    def online(self) -> bool:
        return self.state == "online"


@dataclass(frozen=True, slots=True)
class Playback:
    """``state``: ``queued``, ``playing``, ``continuing``, ``done`` or ``failed``."""

    id: str
    media: str
    target: str
    state: str

    @classmethod
    def read(cls, fields: Fields) -> Playback:
        return cls(fields.text("id"), fields.text("media_uri"), fields.text("target_uri"), fields.text("state"))


@dataclass(frozen=True, slots=True)
class Recording:
    """One being made. ``seconds`` is known when it has ended; ``cause`` when it has failed."""

    name: str
    format: str
    target: str
    state: str
    seconds: int | None = None
    cause: str = ""

    @classmethod
    def read(cls, fields: Fields) -> Recording:
        return cls(
            name=fields.text("name"),
            format=fields.text("format"),
            target=fields.text("target_uri"),
            state=fields.text("state"),
            seconds=fields.integer_or("duration", None),
            cause=fields.text_or("cause", ""),
        )


@dataclass(frozen=True, slots=True)
class TextMessage:
    """A SIP MESSAGE; ``sender`` and ``body`` are untrusted. Bodies over 1,024 bytes arrive empty."""

    sender: str
    recipient: str
    body: str

    @classmethod
    def read(cls, fields: Fields) -> TextMessage:
        return cls(fields.text("from"), fields.text("to"), fields.text("body"))


@dataclass(frozen=True, slots=True)
class Application:
    """A Stasis application that is registered, and what it is subscribed to."""

    name: str
    channels: tuple[str, ...]
    bridges: tuple[str, ...]
    endpoints: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields) -> Application:
        return cls(
            name=fields.text("name"),
            channels=fields.texts("channel_ids"),
            bridges=fields.texts("bridge_ids"),
            endpoints=fields.texts("endpoint_ids"),
        )


@dataclass(frozen=True, slots=True)
class AsteriskInfo:
    """``started`` changes when Asterisk was restarted: every channel of before is gone then."""

    version: str
    entity_id: str
    started: datetime
    reloaded: datetime

    @classmethod
    def read(cls, fields: Fields) -> AsteriskInfo:
        version, entity = fields.part("system", lambda system: (system.text("version"), system.text("entity_id")))
        started, reloaded = fields.part(
            "status", lambda status: (status.moment("startup_time"), status.moment("last_reload_time"))
        )
        return cls(version, entity, started, reloaded)
