"""Sections ``pbx``, ``phones`` and ``trunks``: the Asterisk that Ringback stands beside, declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, IPvAnyNetwork, StringConstraints, model_validator

from ari_app.settings.model import Secret, Section
from ari_app.settings.watching import WatchSection

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]
"""A name that is safe as a section name in Asterisk's files: letters, digits, ``_`` and ``-``."""

Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Extension = Annotated[str, StringConstraints(pattern=r"^[0-9*#]{1,16}$")]
DialPattern = Annotated[str, StringConstraints(pattern=r"^\+?[0-9XZN]{2,20}[.]?$")]
"""What may be dialled, as Asterisk writes it: X is 0-9, Z is 1-9, N is 2-9, a last ``.`` one or more of anything."""


def uri_host(host: str) -> str:
    """A host as a SIP URI takes it: an IPv6 address stands in brackets (RFC 3261 section 25.1, IPv6reference)."""
    return f"[{host}]" if host.count(":") > 1 else host


class PbxMode(StrEnum):
    """How Ringback attaches."""

    INLINE = "inline"
    """The dialplan hands it the call, and it rings the phones."""
    WATCH = "watch"
    """The dialplan that is there rings the phones; Ringback watches through AMI."""


class Listener(Section):
    """An address that Asterisk listens on."""

    host: Host = "127.0.0.1"
    port: Port

    @property
    def authority(self) -> str:
        """``host:port`` as a URL takes it (RFC 3986 section 3.2): an IPv6 address stands in brackets."""
        return f"{uri_host(self.host)}:{self.port}"


class Account(Section):
    """A user of ARI or AMI. Without ``secret`` one is generated under the data folder, mode 0600."""

    user: Name = "ringback"
    secret: Secret | None = None


class RtpRange(Section):
    """UDP ports for audio, both ends included; two a call leg."""

    first: Port = 10000
    last: Port = 10400

    @model_validator(mode="after")
    def _ordered(self) -> RtpRange:
        if self.last < self.first + 3:
            raise ValueError("expected last to be at least first + 3")
        return self


class Pbx(Section):
    """One Asterisk. ``managed: true``: Ringback renders its configuration and starts it (``ringback pbx up``).

    In mode ``watch`` it is somebody else's: ``ami`` and ``manager`` say where and as whom to watch. ``ari``, when it stands
    there, lets callbacks be placed; without it missed callers are texted, and nobody is called.
    """

    mode: PbxMode = PbxMode.INLINE
    managed: bool = True
    app: Name = "ringback"
    http: Listener = Listener(port=8088)
    ami: Listener = Listener(port=5038)
    sip: Listener = Listener(port=5060)
    rtp: RtpRange = RtpRange()
    ari: Account = Account()
    manager: Account = Account()
    external_address: Host | None = None
    local_networks: tuple[IPvAnyNetwork, ...] = ()
    dial_out: tuple[DialPattern, ...] = ()
    """What desk phones may dial through the first trunk, besides 911 and 933. Nothing by default."""
    watch: WatchSection = WatchSection()

    @model_validator(mode="before")
    @classmethod
    def _watched_is_not_managed(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("mode") == PbxMode.WATCH:
            return {"managed": False, **value}
        return value

    @model_validator(mode="after")
    def _not_both(self) -> Pbx:
        if self.watches and self.managed:
            raise ValueError("expected managed: false in mode watch: that PBX is somebody else's")
        return self

    @property
    def watches(self) -> bool:
        return self.mode is PbxMode.WATCH

    @property
    def has_ari(self) -> bool:
        """Whether Ringback may place calls there: in mode watch only where ``ari`` stands in the settings."""
        return not self.watches or "ari" in self.model_fields_set


class Phone(Section):
    """A desk phone; its key in ``phones`` is its extension and SIP user."""

    name: str = Field(min_length=1, max_length=40)
    secret: Secret | None = None
    max_contacts: int = Field(default=1, ge=1, le=10)
    voicemail: bool = False


class Registration(Section):
    """Log in at the carrier, for carriers that want it."""

    user: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9._+@-]+$")
    secret: Secret


class Trunk(Section):
    """A SIP carrier. Calls that come from ``match`` enter the inbound context; callbacks leave through it."""

    host: Host
    port: Port = 5060
    match: tuple[IPvAnyNetwork, ...] = Field(min_length=1)
    registration: Registration | None = None
    qualify: bool = True
    """Ask the carrier each minute whether it is there, and place no call when it is not. Some never answer OPTIONS."""
    codecs: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+$")], ...] = ("ulaw", "alaw")
    international_prefix: Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{0,6}$")] = "+"
    """What the carrier wants before the country code in a dialled number: ``+``, nothing, or digits such as ``011``."""


class Telephony(Section):
    """Everything that the PBX's configuration is rendered from."""

    pbx: Pbx = Pbx()
    phones: dict[Extension, Phone] = Field(default_factory=dict)
    trunks: dict[Name, Trunk] = Field(default_factory=dict)


DEFAULT_DATA_FOLDER = Path("var")
