"""What every way of sending texts offers, and choosing among several by the destination's prefix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from sms_gateway.errors import RouteMissing
from sms_gateway.messages import OutboundText, Submission, redacted


class Lane(IntEnum):
    """Which text goes first when the carrier's rate makes texts wait; any integer will do, the smallest goes first."""

    OPT_OUT_CONFIRMATION = 0
    FIRST_TEXT = 10
    ORDINARY = 20


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """Health of a gateway.

    name: the gateway's. up: a text given now would go out at once. detail: one sentence for an operator. at_once: so many texts
    are as many as it can use now; more would only wait inside it.
    """

    name: str
    up: bool
    detail: str
    at_once: int = 1000


class Gateway(Protocol):
    """A way of sending texts. ``run`` does the work, in a TaskGroup that the caller owns."""

    @property
    def name(self) -> str:
        """Name in routes, logs and health."""
        ...

    @property
    def health(self) -> GatewayStatus:
        """How it is now."""
        ...

    async def run(self) -> None:
        """Keep the gateway up until ``stop`` or cancellation."""
        ...

    async def stop(self) -> None:
        """Finish what is on the wire, within a limit, and close."""
        ...

    async def send(
        self, text: OutboundText, *, priority: int = Lane.ORDINARY, within_seconds: float = 30.0
    ) -> Submission:
        """Hand ``text`` to the next hop; give up after ``within_seconds``, or finish what has begun in the text's own time.

        Raises TextInvalid, NotSent, Throttled, Refused or InDoubt.
        """
        ...

    def withdraw(self, destination: str, reference: str | None = None) -> None:
        """Let no text to this number leave that has not yet: its ``send`` raises NotSent. What is on the wire stays there.

        reference: of the one text that is meant, of which the rest follows once a part has left. None for all, because the
        person said no: no further part leaves either, and ``send`` raises InDoubt.
        """
        ...

    def rebind(self) -> bool:
        """Try again at once, for a person who may have mended what the next hop refused. False when it had refused nothing."""
        ...


_CLASSES = {"X": "0123456789", "Z": "123456789", "N": "23456789"}  # as in Asterisk's dialplan patterns


@dataclass(frozen=True, slots=True)
class Route:
    """Destinations that begin like ``prefix`` go by the gateway named ``gateway``.

    prefix: E.164 digits with ``+``, in which X stands for 0-9, Z for 1-9 and N for 2-9; ``+`` alone is everything.
    """

    prefix: str
    gateway: str

    def matches(self, destination: str) -> bool:
        """Whether ``destination``, E.164 with ``+``, begins like the prefix."""
        if len(destination) < len(self.prefix):
            return False
        pairs = zip(self.prefix, destination, strict=False)
        return all(digit in _CLASSES.get(symbol, symbol) for symbol, digit in pairs)


class Routes:
    """Routes in force. The longest prefix wins, and among equals the one with fewer wildcards.

    Raises ValueError at construction for a prefix that is no prefix, a gateway that is not there, or a double.
    """

    def __init__(self, routes: Sequence[Route], gateways: Mapping[str, Gateway]) -> None:
        for route in routes:
            if not route.prefix.startswith("+") or set(route.prefix[1:]) - set("0123456789XZN"):
                raise ValueError(f"route {route.prefix!r}: a prefix is + followed by digits, X, Z or N")
            if route.gateway not in gateways:
                raise ValueError(f"route {route.prefix!r}: there is no gateway named {route.gateway!r}")
        if len({route.prefix for route in routes}) != len(routes):
            raise ValueError("two routes have the same prefix")
        self._routes = sorted(routes, key=lambda route: (-len(route.prefix), sum(map(route.prefix.count, _CLASSES))))
        self._gateways = dict(gateways)

    def choose(self, destination: str) -> Gateway:
        """The gateway for ``destination``. Raises RouteMissing if none serves it: what is not allowed is denied."""
        for route in self._routes:
            if route.matches(destination):
                return self._gateways[route.gateway]
        raise RouteMissing(redacted(destination))
