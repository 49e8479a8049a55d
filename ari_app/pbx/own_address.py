"""Which address of ours Asterisk can answer to: the one from which we reach it. It changes with the network."""

from __future__ import annotations

import asyncio
import socket

_LOOKUP_SECONDS = 5.0


async def own_address_towards(host: str, port: int) -> str:
    """The address that packets to ``host`` leave from; it can be bound. Nothing is sent. Raises OSError.

    IPv4 where ``host`` has both: audio of an Asterisk that knows no IPv6 would go nowhere.
    """
    async with asyncio.timeout(_LOOKUP_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    failure = OSError("no address")
    for family, kind, protocol, _, address in sorted(found, key=lambda one: one[0] != socket.AF_INET):
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(address)  # of UDP: the kernel looks for the way, and chooses our address for it
                return str(probe.getsockname()[0])
        except OSError as error:
            failure = error
    raise failure
