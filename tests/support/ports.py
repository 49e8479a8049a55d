"""Free ports, on every address of this machine."""

from __future__ import annotations

import itertools
import os
import random
import socket

LOWEST, COUNT = 10_000, 10_000
"""Below those that the kernel gives to clients, which could take one between the look and the use; below our RTP, too."""
WORKERS = 16

_stripe = COUNT // WORKERS
_first = LOWEST + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS * _stripe
_turns = itertools.count(random.randrange(_stripe))


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, *, also: socket.SocketKind | None = None) -> int:
    """A port that nobody listened on a moment ago, and that no worker beside us will be given. also: free for this kind, too.

    Raises OSError when none of ours is free.
    """
    for turn in itertools.islice(_turns, _stripe):
        port = _first + turn % _stripe
        if all(_is_free(port, wanted) for wanted in (kind, also) if wanted is not None):
            return port
    raise OSError(f"no free port from {_first} to {_first + _stripe - 1}")


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
