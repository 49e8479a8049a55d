"""Texts as SIP MESSAGE requests (RFC 3428) through whatever speaks SIP for us.

The far end's answer is not reported to us: a text is *submitted*, never *delivered*, and has no message id.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, unquote

from sms_gateway.errors import InDoubt, NotSent, SmsError, TextInvalid
from sms_gateway.gateway import GatewayStatus, Lane
from sms_gateway.messages import Address, InboundText, OutboundText, Submission

_URI = re.compile(r"(?<![a-z])(?:sips?|tel):([^@;?>\s]*)", re.IGNORECASE)
_SEPARATORS = str.maketrans("", "", "-.() ")  # RFC 3966 section 5.1.1: visual separators have no meaning
_NUMBER = re.compile(r"\+?[0-9]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class SipOptions:
    """How texts are addressed.

    to_template, from_template: URIs in which ``{number}`` stands for the number, as
        ``pjsip:carrier/sip:{number}@sip.carrier.example`` and ``sip:{number}@pbx.example``. Where the SIP stack knows our
        host itself, ``{number}`` alone is enough of a sender.
    international_prefix: what the far end wants in the place of the ``+`` before the destination's country code.
    max_body_octets: RFC 3428 section 8 allows 1,300 octets for the whole request where UDP may be on the way, and
        headers take up to 500. Raise it for a TCP or TLS trunk.
    """

    to_template: str
    from_template: str
    international_prefix: str = "+"
    max_body_octets: int = 800

    def __post_init__(self) -> None:
        for template in (self.to_template, self.from_template):
            if template.count("{number}") != 1 or _CONTROL.search(template):
                raise ValueError(f"{template!r} must hold {{number}} once, and no control characters")


class SipMessenger(Protocol):
    """What the application offers: a way to send one MESSAGE."""

    @property
    def available(self) -> bool:
        """Whether a message given now could be sent."""
        ...

    async def send_message(self, to_uri: str, from_uri: str, body: str) -> None:
        """Return once the SIP stack has taken the message.

        Raises NotSent or ConnectionRefusedError if nothing left, Refused if the stack said no. Any other OSError, and
        TimeoutError, mean that nobody knows.
        """
        ...


class SipTextGateway:
    """Texts by SIP MESSAGE, as a ``Gateway``. Priority has no meaning here: nothing waits."""

    def __init__(self, options: SipOptions, messenger: SipMessenger, *, name: str = "sip") -> None:
        self.name = name
        self._options = options
        self._messenger = messenger
        self._stopped = asyncio.Event()

    @property
    def health(self) -> GatewayStatus:
        """Up while the messenger is and we are not stopped."""
        up = self._messenger.available and not self._stopped.is_set()
        return GatewayStatus(self.name, up, "ready" if up else "the SIP stack cannot be reached, or we were stopped")

    async def run(self) -> None:
        """Until ``stop``: there is no connection of our own to keep."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """Take no more texts."""
        self._stopped.set()

    def withdraw(self, destination: str, reference: str | None = None) -> None:
        """As ``Gateway`` asks: nothing waits here."""

    def rebind(self) -> bool:
        """As ``Gateway`` asks: there is no account to be refused."""
        return False

    async def send(
        self, text: OutboundText, *, priority: int = Lane.ORDINARY, within_seconds: float = 30.0
    ) -> Submission:
        """Hand ``text`` to the SIP stack. Raises TextInvalid, NotSent, Refused or InDoubt."""
        del priority
        body = clean(text.body)
        octets = len(body.encode("utf-8", "replace"))
        if not body.strip():
            raise TextInvalid("nothing is left of the body once control characters are taken out")
        if octets > self._options.max_body_octets:
            raise TextInvalid(f"the text takes {octets} octets, {self._options.max_body_octets} are allowed")
        if self._stopped.is_set():
            raise NotSent("the gateway has stopped")
        source = text.source.digits if isinstance(text.source, Address) else text.source
        plain = text.destination.removeprefix("+")
        destination = text.destination if plain == text.destination else self._options.international_prefix + plain
        to_uri = self._options.to_template.replace("{number}", destination)
        from_uri = self._options.from_template.replace("{number}", quote(source, safe="+"))
        try:
            async with asyncio.timeout(within_seconds):
                await self._messenger.send_message(to_uri, from_uri, body)
        except SmsError:
            raise
        except ConnectionRefusedError as error:
            raise NotSent(f"the SIP stack cannot be reached: {error}") from error
        except OSError as error:  # TimeoutError among them
            raise InDoubt(f"the SIP stack did not confirm: {str(error) or 'time-out'}", in_doubt=(1,)) from error
        return Submission((), 1)


def clean(body: str) -> str:
    """``body`` with LF line ends, without the CR LF that ends a message, and without control characters."""
    return _CONTROL.sub("", body.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n"))


def number_of(uri: str) -> str:
    """The number or user of a SIP or tel URI, with or without display name, parameters and ``pjsip:`` before it.

    E.164 with ``+`` if the URI says so, else as it stands. Total.
    """
    found = _URI.findall(re.sub(r'"(?:[^"\\]|\\.)*"', "", uri))
    # Asterisk's MESSAGE(to) is ``pjsip:user@host``, without a SIP URI in it.
    user = unquote(found[-1] if found else uri.split(":", 1)[-1].partition("@")[0])
    user = "".join(filter(str.isprintable, user)).strip()
    plain = user.translate(_SEPARATORS)
    return plain if _NUMBER.fullmatch(plain) else user


def inbound_from_sip(from_uri: str, to_uri: str, body: str, source_id: str) -> InboundText:
    """The text that a received MESSAGE is.

    An empty body is unreadable, not nothing: Asterisk gives one for a body beyond 1,023 octets.
    """
    source, destination, text = number_of(from_uri), number_of(to_uri), clean(body)
    parts = (source, destination, text)
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return InboundText(
        source=source,
        destination=destination,
        body=text,
        source_id=source_id,
        fingerprint=digest,
        unreadable=not text.strip(),
    )
