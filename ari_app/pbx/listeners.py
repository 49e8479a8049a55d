"""Whether the addresses that Asterisk needs are free, and who holds those that are not.

Asterisk itself goes on without a listener that it could not open, so this has to be known before it starts.
"""

from __future__ import annotations

import errno
import os
import re
import socket
from pathlib import Path

from ari_app.pbx.errors import AsteriskFailedError, PortInUseError
from ari_app.settings.pbx import Listener, Pbx, RtpRange


def check_free(pbx: Pbx) -> None:
    """Raises PortInUseError for the first address that is taken, and for audio when every port is; AsteriskFailedError for
    one that is not ours to take."""
    wanted = (
        ("ARI (pbx.http)", pbx.http, socket.SOCK_STREAM),
        ("AMI (pbx.ami)", pbx.ami, socket.SOCK_STREAM),
        ("SIP over UDP (pbx.sip)", pbx.sip, socket.SOCK_DGRAM),
        ("SIP over TCP (pbx.sip)", pbx.sip, socket.SOCK_STREAM),
    )
    for purpose, listener, kind in wanted:
        _check(purpose, listener, kind)
    _check_audio(pbx.rtp)


def _check_audio(ports: RtpRange) -> None:
    """Asterisk passes over an audio port that is taken, so only a range of which none is free is an error: calls would be
    made, and nobody would hear anything."""
    taken: PortInUseError | None = None
    for port in range(
        ports.first + ports.first % 2, ports.last, 2
    ):  # RFC 3550 section 11: RTP's is even, RTCP's the next
        try:
            _check("audio (pbx.rtp)", Listener(host="0.0.0.0", port=port), socket.SOCK_DGRAM)  # noqa: S104 - as Asterisk does
        except PortInUseError as error:
            taken = taken or error
        else:
            return
    if taken is not None:
        raise taken


def _check(purpose: str, listener: Listener, kind: socket.SocketKind) -> None:
    family, _, _, _, address = socket.getaddrinfo(listener.host, listener.port, type=kind)[0]
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT is no holder
        try:
            probe.bind(address)
        except OSError as error:
            shown = f"{listener.host}:{listener.port}"
            if error.errno != errno.EADDRINUSE:
                raise AsteriskFailedError(f"{purpose} cannot listen on {shown}: {error.strerror}") from error
            raise PortInUseError(purpose, shown, _holder(listener.port, kind)) from error


def _holder(port: int, kind: socket.SocketKind) -> str | None:
    """The program and pid behind a local port, from /proc; None when it cannot be seen (not ours, and we not root)."""
    tables = ("tcp", "tcp6") if kind is socket.SOCK_STREAM else ("udp", "udp6")
    inodes = {inode for table in tables for inode in _inodes(Path("/proc/net") / table, port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            for descriptor in (process / "fd").iterdir():
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor))
                if found and found[1] in inodes:
                    return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return None


def _inodes(table: Path, port: int) -> set[str]:
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return set()
    listening = ("0A", "07")  # TCP_LISTEN; UDP sockets are all in state 7
    return {row[9] for row in rows if int(row[1].rpartition(":")[2], 16) == port and row[3] in listening}
