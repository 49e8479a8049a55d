"""A carrier for tests: calls and messages that leave the PBX reach the phone of the number dialled, wherever it listens.

A stateless SIP proxy (RFC 3261 section 16.11). A number whose phone is not there is unavailable at once, so that a call
that nobody expects never rings the phone of another test.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable

_VIA = re.compile(rb"^(?:Via|v)[ \t]*:[ \t]*SIP/2\.0/UDP[ \t]+([^;,\s]+)([^\r\n]*)\r\n", re.MULTILINE | re.IGNORECASE)
_USER = re.compile(rb"^\S+ sips?:([^@;>\s]+)@")

Line = Callable[[], str | None]
"""Where a number's phone listens now, as ``host:port``; None while there is none."""


class Carrier(asyncio.DatagramProtocol):
    """Listens on ``ip``:``port``, where the PBX's trunk leads."""

    def __init__(self, ip: str, port: int) -> None:
        self._own = f"{ip}:{port}"
        self._address = (ip, port)
        self._lines: dict[str, Line] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.invites: list[str] = []
        """The numbers that were called, in order; retransmissions count once."""
        self._seen: set[bytes] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=self._address)

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connect(self, number: str, line: Line) -> None:
        """From now on ``number`` is this phone's."""
        self._lines[number.lstrip("+")] = line

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        del addr  # answers follow the Via, as on the way here
        if not data.strip():
            return  # a keep-alive
        if data.startswith(b"SIP/2.0 "):
            self._back(data)
        else:
            self._onward(data)

    def _onward(self, request: bytes) -> None:
        user = _USER.match(request)
        number = user[1].decode().lstrip("+") if user else ""
        via = _VIA.search(request)
        if via is None:
            return
        if request.startswith(b"INVITE ") and via[0] not in self._seen:
            self._seen.add(via[0])
            self.invites.append(number)
        line = self._lines.get(number)
        target = None if line is None else line()
        if target is None:
            if not request.startswith(b"ACK "):
                self._send(_answer(request, b"480 Temporarily Unavailable"), via[1].decode())
            return
        # The branch follows from that of the sender (section 16.11), so that CANCEL and ACK match their INVITE.
        branch = hashlib.sha256(_branch(via[2])).hexdigest()[:24]
        ours = f"Via: SIP/2.0/UDP {self._own};branch=z9hG4bK{branch}\r\n".encode()
        self._send(request[: via.start()] + ours + request[via.start() :], target)

    def _back(self, response: bytes) -> None:
        vias = list(_VIA.finditer(response))
        if len(vias) > 1 and vias[0][1].decode() == self._own:
            self._send(response[: vias[0].start()] + response[vias[0].end() :], vias[1][1].decode())

    def _send(self, data: bytes, target: str) -> None:
        host, _, port = target.partition(":")
        assert self._transport is not None
        self._transport.sendto(data, (host, int(port or 5060)))


def _branch(parameters: bytes) -> bytes:
    found = re.search(rb";branch=([^;\s]+)", parameters)
    return found[1] if found else parameters


def _answer(request: bytes, status: bytes) -> bytes:
    """A response made from the headers that a response repeats (section 8.2.6.2)."""
    wanted = re.compile(rb"(?:via|v|from|f|to|t|call-id|i|cseq)[ \t]*:", re.IGNORECASE)
    lines = [line for line in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:] if wanted.match(line)]
    lines = [
        line + b";tag=carrier" if re.match(rb"(?:to|t)[ \t]*:", line, re.IGNORECASE) and b";tag=" not in line else line
        for line in lines
    ]
    return b"\r\n".join([b"SIP/2.0 " + status, *lines, b"Content-Length: 0", b"", b""])
