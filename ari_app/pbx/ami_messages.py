"""AMI's events as typed values: the ones that watching needs. Pure; the connection is in ``ami_link``.

Header names are those of Asterisk 13 to 23 (AMI 2.x and later). A header that comes twice counts once, as its last value;
of variables (``ChanVariable``) all are kept, one a line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ari_app.pbx.errors import MalformedEventError

Headers = Mapping[str, str]
"""One message. Names in lower case."""

PRESENTATION = ("CALLERID(num-pres)", "CALLINGNUMPRES_SV")
"""Whether the caller's number may be shown; FreePBX allows it for its own phones, and keeps what it was in the second."""
DID = "FROM_DID"
"""The number dialled, where FreePBX had to read it from To (``from-pstn-toheader``)."""
LONGEST_VALUE = 512
"""Characters of a value that are kept: names and numbers are shorter, and a caller chooses some of them."""


@dataclass(frozen=True, slots=True)
class AmiChannel:
    """A channel as an event shows it. state: Down, Ring (a call that comes in), Ringing, Up and so on.

    caller_name, caller_number: untrusted; the number may be one that the caller withholds. exten: where its dialplan stands,
    in ``context``. presentation: whether the caller lets the number be shown, in Asterisk's words, and what it was before a
    dialplan allowed it; empty when AMI tells of neither. did: the number dialled, where the dialplan had to find it out.
    """

    uniqueid: str
    linkedid: str
    name: str
    state: str
    context: str
    exten: str
    caller_number: str
    caller_name: str
    presentation: str = ""
    did: str = ""

    @property
    def withheld(self) -> bool:
        """Whether the caller's number is not to be used (RFC 3325 section 9.3)."""
        return is_withheld(self.presentation)

    @property
    def technology(self) -> str:
        """``PJSIP`` of ``PJSIP/101-00000001``."""
        return self.name.partition("/")[0]

    @property
    def endpoint(self) -> str:
        """``101`` of ``PJSIP/101-00000001``."""
        return self.name.partition("/")[2].rpartition("-")[0]

    @property
    def is_local(self) -> bool:
        """Half of a Local channel: nobody's phone, a way on into the dialplan."""
        return self.name.startswith("Local/")


@dataclass(frozen=True, slots=True)
class ChannelEvent:
    """Something of one channel."""

    channel: AmiChannel


class NewChannel(ChannelEvent):
    """It has come into being."""


class NewState(ChannelEvent):
    """Its state is another one now."""


class HangupRequested(ChannelEvent):
    """Its far end hung up; what the dialplan does with it ends soon."""


@dataclass(frozen=True, slots=True)
class HungUp(ChannelEvent):
    """It is gone. cause: Q.850; not to be relied on but for busy (17) and rejected (21)."""

    cause: int


@dataclass(frozen=True, slots=True)
class Executed(ChannelEvent):
    """Its dialplan runs an application."""

    application: str
    data: str


@dataclass(frozen=True, slots=True)
class DialBegan:
    """A leg is being called. caller: the channel that dials; None for a call from nowhere (an originate).

    target: what was dialled, as the channel's technology writes it: ``101``, ``+13055550177@carrier``.
    """

    caller: AmiChannel | None
    peer: AmiChannel
    target: str


@dataclass(frozen=True, slots=True)
class DialProgressed:
    """status: RINGING, PROGRESS, PROCEEDING."""

    peer: AmiChannel
    status: str


@dataclass(frozen=True, slots=True)
class DialEnded:
    """status: ANSWER, BUSY, NOANSWER, CANCEL, CONGESTION, CHANUNAVAIL, and what a subroutine before the answer decided."""

    caller: AmiChannel | None
    peer: AmiChannel
    status: str


@dataclass(frozen=True, slots=True)
class LocalJoined:
    """Two halves of a Local channel belong together."""

    one: str
    two: str


@dataclass(frozen=True, slots=True)
class BridgeEntered(ChannelEvent):
    """It is in a bridge with others, or alone in one."""

    bridge: str


@dataclass(frozen=True, slots=True)
class BridgeLeft(ChannelEvent):
    bridge: str


class QueueJoined(ChannelEvent):
    """It waits in a queue."""


class QueueLeft(ChannelEvent):
    """It waits no more: an agent answered, the queue gave up, or it was abandoned."""


@dataclass(frozen=True, slots=True)
class MessageWaiting:
    """A mailbox has changed. uniqueid: the channel that did it; empty when none did, or none is told."""

    uniqueid: str
    mailbox: str
    new: int


@dataclass(frozen=True, slots=True)
class UserEvent(ChannelEvent):
    """What the dialplan says by itself. headers: its own ones, names in lower case."""

    name: str
    headers: Headers


@dataclass(frozen=True, slots=True)
class ChannelRow(ChannelEvent):
    """One channel of a snapshot (the action Status).

    dialled: the number that came with the call. bridge: empty outside of one. seconds: since it came into being.
    """

    dialled: str
    bridge: str
    application: str
    data: str
    seconds: int


AmiEvent = (
    NewChannel
    | NewState
    | HangupRequested
    | HungUp
    | Executed
    | DialBegan
    | DialProgressed
    | DialEnded
    | LocalJoined
    | BridgeEntered
    | BridgeLeft
    | QueueJoined
    | QueueLeft
    | MessageWaiting
    | UserEvent
    | ChannelRow
)


def is_withheld(presentation: str) -> bool:
    """``prohib_not_screened`` and the like; other words of Asterisk's are ``allowed_…`` and ``unavailable``."""
    return "prohib" in presentation


def parse_event(headers: Headers) -> AmiEvent | None:
    """The event in a message; None for one that is not used here. Raises MalformedEventError that names the header."""
    name = headers.get("event", "")
    reader = _READERS.get(name.lower())
    if reader is None:
        return None
    try:
        return reader(headers)
    except ValueError as error:
        raise MalformedEventError(name, str(error)) from None


def _text(headers: Headers, name: str) -> str:
    return headers.get(name, "")[:LONGEST_VALUE]


def _needed(headers: Headers, name: str) -> str:
    value = _text(headers, name)
    if not value:
        raise ValueError(f"{name}: expected a value, got nothing")
    return value


def _number(headers: Headers, name: str) -> int:
    text = headers.get(name, "") or "0"
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{name}: expected a number, got {text[:20]!r}") from None


def _channel(headers: Headers, prefix: str = "") -> AmiChannel:
    uniqueid = _needed(headers, f"{prefix}uniqueid")
    variables = _variables(headers.get(f"{prefix}chanvariable", ""))
    return AmiChannel(
        uniqueid=uniqueid,
        linkedid=_text(headers, f"{prefix}linkedid") or uniqueid,
        name=_needed(headers, f"{prefix}channel"),
        state=_text(headers, f"{prefix}channelstatedesc"),
        context=_text(headers, f"{prefix}context"),
        exten=_text(headers, f"{prefix}exten"),
        caller_number=_unknown_is_nothing(_text(headers, f"{prefix}calleridnum")),
        caller_name=_unknown_is_nothing(_text(headers, f"{prefix}calleridname")),
        presentation=" ".join(filter(None, (variables.get(name, "") for name in PRESENTATION))),
        did=variables.get(DID, "")[:LONGEST_VALUE],
    )


def _variables(lines: str) -> Mapping[str, str]:
    """What ``channelvars`` in manager.conf adds to every event of a channel: ``NAME=value``, one a line."""
    return {name: value for name, _, value in (line.partition("=") for line in lines.split("\n"))}


def _unknown_is_nothing(text: str) -> str:
    return "" if text == "<unknown>" else text


def _dialling(headers: Headers) -> AmiChannel | None:
    return _channel(headers) if headers.get("uniqueid") else None


def _user_event(headers: Headers) -> UserEvent:
    own = {name: value[:LONGEST_VALUE] for name, value in headers.items()}
    return UserEvent(_channel(headers), _needed(headers, "userevent"), own)


_READERS: Mapping[str, Callable[[Headers], AmiEvent]] = {
    "newchannel": lambda headers: NewChannel(_channel(headers)),
    "newstate": lambda headers: NewState(_channel(headers)),
    "hanguprequest": lambda headers: HangupRequested(_channel(headers)),
    "hangup": lambda headers: HungUp(_channel(headers), _number(headers, "cause")),
    "newexten": lambda headers: Executed(_channel(headers), _needed(headers, "application"), _text(headers, "appdata")),
    "dialbegin": lambda headers: DialBegan(_dialling(headers), _channel(headers, "dest"), _text(headers, "dialstring")),
    "dialstate": lambda headers: DialProgressed(_channel(headers, "dest"), _needed(headers, "dialstatus")),
    "dialend": lambda headers: DialEnded(_dialling(headers), _channel(headers, "dest"), _needed(headers, "dialstatus")),
    "localbridge": lambda headers: LocalJoined(
        _needed(headers, "localoneuniqueid"), _needed(headers, "localtwouniqueid")
    ),
    "bridgeenter": lambda headers: BridgeEntered(_channel(headers), _needed(headers, "bridgeuniqueid")),
    "bridgeleave": lambda headers: BridgeLeft(_channel(headers), _needed(headers, "bridgeuniqueid")),
    "queuecallerjoin": lambda headers: QueueJoined(_channel(headers)),
    "queuecallerleave": lambda headers: QueueLeft(_channel(headers)),
    "messagewaiting": lambda headers: MessageWaiting(
        _text(headers, "uniqueid"), _needed(headers, "mailbox"), _number(headers, "new")
    ),
    "userevent": _user_event,
    "status": lambda headers: ChannelRow(
        _channel(headers),
        _text(headers, "dnid"),
        _text(headers, "bridgeid"),
        _text(headers, "application"),
        _text(headers, "data"),
        _number(headers, "seconds"),
    ),
}

HEARD = frozenset(_READERS)
"""The events that mean something here, in lower case: what the AMI user has to be sent."""
