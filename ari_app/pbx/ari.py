"""A typed client of Asterisk's REST interface: the calls that Ringback uses, and no more.

Give it a URL, a user, a password and the name of a Stasis application; it knows nothing else of Ringback. Events come
through ``event_socket``.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from ari_app.pbx.ari_http import AriHttp
from ari_app.pbx.bridges import Bridges
from ari_app.pbx.channels import Channels
from ari_app.pbx.endpoints import Endpoints
from ari_app.pbx.fields import Fields, read_list
from ari_app.pbx.models import Application, AsteriskInfo


class Applications:
    """Stasis applications as Asterisk sees them: the ones that our event socket registers."""

    def __init__(self, http: AriHttp) -> None:
        self._http = http

    async def get(self, application: str) -> Application:
        """NotFoundError: it is not registered, and its events will not come to us."""
        path = ("applications", application)
        return await self._http.read(lambda data: Application.read(Fields(data)), "GET", path)

    async def list(self) -> tuple[Application, ...]:
        """All that are registered, other people's as well."""
        return await self._http.read(lambda data: read_list(data, Application.read), "GET", ("applications",))

    async def subscribe(self, application: str, *sources: str) -> None:
        """Also events of ``channel:ID``, ``bridge:ID`` or ``endpoint:PJSIP``.

        An endpoint's events hold all those of its channels: whoever is subscribed to both gets each of them twice.
        """
        path = ("applications", application, "subscription")
        await self._http.request("POST", path, body={"eventSource": list(sources)})

    async def filter(self, application: str, *, allow: Iterable[str] = (), refuse: Iterable[str] = ()) -> None:
        """From now on events of the types ``allow`` only (if any are given), and none of the types ``refuse``."""
        body = {
            name: [{"type": kind} for kind in kinds] for name, kinds in (("allowed", allow), ("disallowed", refuse))
        }
        await self._http.request("PUT", ("applications", application, "eventFilter"), body=body)

    async def probe(self, application: str, name: str) -> None:
        """Has Asterisk send the application a UserEvent: only its arrival proves that the event socket hears.

        NotFoundError: not registered. (An application that has lost its socket still counts as registered for a while.)
        """
        await self._http.request("POST", ("events", "user", name), body={"application": application})


class Server:
    """Asterisk itself."""

    def __init__(self, http: AriHttp) -> None:
        self._http = http

    async def info(self) -> AsteriskInfo:
        return await self._http.read(lambda data: AsteriskInfo.read(Fields(data)), "GET", ("asterisk", "info"))

    async def ping(self) -> None:
        """Whether it answers at all."""
        await self._http.request("GET", ("asterisk", "ping"))


class Playbacks:
    def __init__(self, http: AriHttp) -> None:
        self._http = http

    async def stop(self, playback: str) -> None:
        """NotFoundError: it has ended."""
        await self._http.request("DELETE", ("playbacks", playback))


class Recordings:
    def __init__(self, http: AriHttp) -> None:
        self._http = http

    async def stop(self, name: str) -> None:
        """Ends a recording and keeps it. NotFoundError: it has ended."""
        await self._http.request("POST", ("recordings", "live", name, "stop"))

    async def discard(self, name: str) -> None:
        """Ends a recording and drops it. NotFoundError: it has ended."""
        await self._http.request("DELETE", ("recordings", "live", name))


class Ari:
    """One Asterisk's REST interface, for one application. Use it with ``async with``; one for the whole process."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        *,
        application: str,
        connections: int = 32,
        within: float = 10.0,
    ) -> None:
        """``connections`` bounds the pool (more requests wait); ``within`` bounds each request, in seconds."""
        self.application = application
        self.http = AriHttp(url, user, password, connections=connections, within=within)
        self.channels = Channels(self.http, application)
        self.bridges = Bridges(self.http)
        self.endpoints = Endpoints(self.http)
        self.applications = Applications(self.http)
        self.server = Server(self.http)
        self.playbacks = Playbacks(self.http)
        self.recordings = Recordings(self.http)

    async def __aenter__(self) -> Self:
        await self.http.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.close()
