"""ARI's endpoints: which phones and trunks are there, and text messages to them."""

from __future__ import annotations

from collections.abc import Mapping

from ari_app.pbx.ari_http import AriHttp
from ari_app.pbx.fields import Fields, read_list
from ari_app.pbx.models import Endpoint


class Endpoints:
    """Every call raises a leaf of AriError."""

    def __init__(self, http: AriHttp) -> None:
        self._http = http

    async def list(self, technology: str = "PJSIP") -> tuple[Endpoint, ...]:
        return await self._http.read(lambda data: read_list(data, Endpoint.read), "GET", ("endpoints", technology))

    async def get(self, resource: str, technology: str = "PJSIP") -> Endpoint:
        path = ("endpoints", technology, resource)
        return await self._http.read(lambda data: Endpoint.read(Fields(data)), "GET", path)

    async def settings(self, name: str) -> Mapping[str, str]:
        """What pjsip.conf says of an endpoint: ``context`` and so on. NotFoundError: there is none of that name."""
        path = ("asterisk", "config", "dynamic", "res_pjsip", "endpoint", name)
        return await self._http.read(lambda data: dict(read_list(data, _setting)), "GET", path)

    async def send_message(
        self, recipient: str, sender: str, body: str, *, variables: Mapping[str, str] | None = None
    ) -> None:
        """A SIP MESSAGE (RFC 3428) to ``pjsip:101``, or to ``pjsip:carrier/sip:+13055550123@host``, from a SIP URI.

        Done means that Asterisk took it, and says nothing of delivery, not even whether the phone is there.
        """
        message = {"to": recipient, "from": sender, "body": body, **({"variables": variables} if variables else {})}
        await self._http.request("PUT", ("endpoints", "sendMessage"), body=message)


def _setting(fields: Fields) -> tuple[str, str]:
    return fields.text("attribute"), fields.text("value")
