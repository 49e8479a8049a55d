"""SIP MESSAGE for ``sms_gateway.sip``: the one thing that it needs of whoever speaks SIP."""

from __future__ import annotations

from collections.abc import Callable

from ari_app.pbx.ari import Ari
from ari_app.pbx.errors import AriError, UnavailableError
from sms_gateway.errors import NotSent


class AriMessenger:
    """Sends through Asterisk. connected: whether Asterisk can be reached now."""

    def __init__(self, ari: Ari, connected: Callable[[], bool]) -> None:
        self._ari = ari
        self._connected = connected

    @property
    def available(self) -> bool:
        return self._connected()

    async def send_message(self, to_uri: str, from_uri: str, body: str) -> None:
        """As ``SipMessenger`` asks. Raises NotSent when Asterisk said no, TimeoutError when nobody knows."""
        if not self._connected():
            raise NotSent("Asterisk cannot be reached")
        try:
            await self._ari.endpoints.send_message(to_uri, from_uri, body)
        except UnavailableError as error:
            raise TimeoutError(str(error)) from error
        except AriError as error:
            raise NotSent(str(error)) from error
