"""ARI's bridges: where legs hear each other."""

from __future__ import annotations

from ari_app.pbx.ari_http import AriHttp
from ari_app.pbx.fields import Fields, read_list
from ari_app.pbx.models import Bridge


class Bridges:
    """Every call raises a leaf of AriError."""

    def __init__(self, http: AriHttp) -> None:
        self._http = http

    async def list(self) -> tuple[Bridge, ...]:
        return await self._http.read(lambda data: read_list(data, Bridge.read), "GET", ("bridges",))

    async def create(self, bridge: str, *, name: str = "", kind: str = "mixing") -> Bridge:
        """``bridge`` is the id that it gets. ``mixing,proxy_media`` keeps audio in Asterisk even for two equal legs."""
        body = {"type": kind, "name": name}
        return await self._http.read(lambda data: Bridge.read(Fields(data)), "POST", ("bridges", bridge), body=body)

    async def add(self, bridge: str, *channels: str) -> None:
        """NotFoundError: a channel has gone. StateConflictError: one is not in our application (yet)."""
        await self._http.request("POST", ("bridges", bridge, "addChannel"), body={"channel": list(channels)})

    async def remove(self, bridge: str, *channels: str) -> None:
        """StateConflictError: a channel that is not in this bridge (any more)."""
        await self._http.request("POST", ("bridges", bridge, "removeChannel"), body={"channel": list(channels)})

    async def destroy(self, bridge: str) -> None:
        """Its channels stay in the application."""
        await self._http.request("DELETE", ("bridges", bridge))
