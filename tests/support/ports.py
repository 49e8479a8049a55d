"""Free ports on loopback."""

from __future__ import annotations

import socket


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, *, also: socket.SocketKind | None = None) -> int:
    """A port that nobody listened on a moment ago, and that the kernel will not hand out again soon. also: free for this
    kind, too."""
    while True:
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            assert isinstance(port, int)
            if also is None or _is_free(port, also):
                return port


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
