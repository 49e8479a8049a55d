"""The address of ours that Asterisk can answer to."""

from __future__ import annotations

import socket

import pytest

from ari_app.pbx.own_address import own_address_towards
from voice_agent.media_rtp import open_rtp_media

ELSEWHERE = "198.51.100.7"
"""TEST-NET-2 (RFC 5737): an address of nobody's, least of all ours."""
NO_WAY = "255.255.255.255"
"""Everybody's: the kernel lets nobody send there unless asked to."""


async def elsewhere() -> str:
    """Our address towards ``ELSEWHERE``."""
    try:
        return await own_address_towards(ELSEWHERE, 8088)
    except OSError:
        pytest.skip("this machine has no network")


async def test_another_machine_is_answered_from_an_address_that_can_be_bound() -> None:
    ours = await elsewhere()
    assert ours not in (ELSEWHERE, "0.0.0.0")
    async with open_rtp_media(ours) as media:
        assert media.address[0] == ours


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_loopback_stays_loopback(host: str) -> None:
    assert await own_address_towards(host, 8088) == host


async def test_a_name_is_looked_up_and_ipv4_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET6, socket.SOCK_DGRAM, 17, "", ("::1", 8088, 0, 0)),
            (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", 8088)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    assert await own_address_towards("pbx.example", 8088) == "127.0.0.1"


async def test_where_one_address_leads_nowhere_the_next_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (host, 8088)) for host in (NO_WAY, "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert await own_address_towards("pbx.example", 8088) == "127.0.0.1"


async def test_without_a_way_it_says_so() -> None:
    with pytest.raises(OSError, match=r"denied|unreachable"):
        await own_address_towards(NO_WAY, 8088)
