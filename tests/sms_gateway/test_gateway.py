"""Routes: the longest prefix wins, and what is not allowed is denied."""

from __future__ import annotations

import pytest

from sms_gateway.errors import RouteMissing
from sms_gateway.gateway import Gateway, GatewayStatus, Lane, Route, Routes
from sms_gateway.messages import OutboundText, Submission


class Named:
    """A gateway that is only chosen."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.health = GatewayStatus(name, up=True, detail="bound")

    async def run(self) -> None: ...

    async def stop(self) -> None: ...

    async def send(
        self, text: OutboundText, *, priority: int = Lane.ORDINARY, within_seconds: float = 30.0
    ) -> Submission:
        raise NotImplementedError

    def withdraw(self, destination: str, reference: str | None = None) -> None: ...

    def rebind(self) -> bool:
        return False


GATEWAYS: dict[str, Gateway] = {name: Named(name) for name in ("us", "miami", "world", "premium")}


@pytest.mark.parametrize(
    ("destination", "gateway"),
    [
        ("+13055550123", "miami"),
        ("+12125550123", "us"),
        ("+12005550123", "us"),
        ("+33612345678", "world"),
        ("+19005550123", "premium"),
    ],
)
def test_the_longest_prefix_wins_and_digits_beat_wildcards(destination: str, gateway: str) -> None:
    routes = Routes(
        [
            Route("+", "world"),
            Route("+1N", "us"),
            Route("+1305", "miami"),
            Route("+1NXX", "us"),
            Route("+1900", "premium"),
            Route("+1ZXX", "us"),
        ],
        GATEWAYS,
    )
    assert routes.choose(destination).name == gateway


def test_a_destination_without_a_route_is_denied_and_not_shown_in_full() -> None:
    routes = Routes([Route("+1N", "us"), Route("+1305555012345", "miami")], GATEWAYS)
    for destination in ("+33612345678", "+11005550123"):
        with pytest.raises(RouteMissing, match=f"…{destination[-4:]}"):
            routes.choose(destination)


@pytest.mark.parametrize(
    ("routes", "complaint"),
    [
        ([Route("1", "us")], "a prefix is"),
        ([Route("+1a", "us")], "a prefix is"),
        ([Route("+1", "nobody")], "no gateway named 'nobody'"),
        ([Route("+1", "us"), Route("+1", "miami")], "same prefix"),
    ],
)
def test_routes_that_cannot_work_are_refused_at_the_start(routes: list[Route], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Routes(routes, GATEWAYS)
