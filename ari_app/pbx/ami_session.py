"""One connection to AMI, on panoramisk, with what panoramisk leaves open closed:

* a CR or LF in a value would end its line, and execute what follows as another action: refused here, whatever it is;
* an action that is never answered would wait for ever: each has its time;
* it connects again by itself, and sends again what was not answered: this session does neither, and is used once;
* a wrong password is a quiet False: here it is an error;
* bytes of one character that come in two packets are lost, and so may be a message that ends between packets: whole messages
  are cut out of the bytes first, and decoded then; one that never ends is a lost connection;
* a header that comes twice is a list, on which it breaks where it looks for a name: here the last value counts, and of
  variables all, one a line;
* it logs every message, callers' numbers among them: its logger is switched off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from ari_app.pbx.ami_messages import Headers
from ari_app.pbx.errors import AmiLostError, AmiRefusedError, AmiUnsafeError

LONGEST_MESSAGE_OCTETS = 1 << 20
_END = b"\r\n\r\n"

_silent = logging.getLogger("panoramisk.silent")
_silent.disabled = True


class _Protocol(AMIProtocol):  # type: ignore[misc]
    """Cuts whole messages out of the bytes before anything is decoded."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.log = _silent
        self.pending = bytearray()

    def data_received(self, data: bytes) -> None:
        self.pending += data
        *whole, rest = bytes(self.pending).split(_END)
        self.pending = bytearray(rest)
        for octets in whole:
            if self.closed:  # by us, or by Asterisk's word that it shuts down: the rest is of no connection
                return
            message = Message.from_line(octets.decode("utf-8", "replace").strip())
            if message is not None:
                for name, value in message.items():
                    if isinstance(value, list):
                        message[name] = "\n".join(value) if name.lower().endswith("chanvariable") else value[-1]
                self.handle_message(message)
        if len(self.pending) > LONGEST_MESSAGE_OCTETS:
            self.transport.abort()


class _Manager(Manager):  # type: ignore[misc]
    """Never connects by itself, pings by itself, or sends anything again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop, log=_silent)
        self.lost: asyncio.Future[None] = loop.create_future()
        self.pinger: asyncio.TimerHandle | None

    def adopt(self, transport: asyncio.BaseTransport, protocol: _Protocol) -> None:
        made: asyncio.Future[Any] = self.loop.create_future()
        made.set_result((transport, protocol))
        self.connection_made(made)
        if self.pinger is not None:
            self.pinger.cancel()
            self.pinger = None

    def connection_lost(self, exc: object) -> None:
        self.give_up()

    def give_up(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


class AmiSession:
    """A connection that is logged in. Use it with ``async with``; ``lost`` is set when it is of no use any more."""

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        secret: str,
        heard: Callable[[Headers], None],
        *,
        within: float = 4.0,
    ) -> None:
        """heard: takes every event, at once, from before the login is over; must not wait. within: seconds that connecting
        and each answer may take."""
        self._address = (host, port)
        self._login = {"Action": "Login", "Username": user, "Secret": secret, "Events": "on"}
        self._heard = heard
        self._within = within
        self._manager: _Manager | None = None

    async def __aenter__(self) -> Self:
        """Connects and logs in. Raises AmiLostError, AmiRefusedError."""
        host, port = self._address
        loop = asyncio.get_running_loop()
        manager = _Manager(loop)
        manager.register_event("*", self._take)
        try:
            async with asyncio.timeout(self._within):
                transport, protocol = await loop.create_connection(_Protocol, host, port)
        except (OSError, TimeoutError) as error:
            why = "no answer" if isinstance(error, TimeoutError) else (error.strerror or str(error))
            raise AmiLostError(f"AMI at {host}:{port}: {why}") from error
        manager.adopt(transport, protocol)
        self._manager = manager
        try:
            await self.ask(self._login)
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    async def lost(self) -> None:
        """Returns when the connection is gone."""
        assert self._manager is not None
        await asyncio.shield(self._manager.lost)

    async def ping(self) -> None:
        """Whether it still answers. Raises AmiLostError."""
        await self.ask({"Action": "Ping"})

    async def ask(self, action: Mapping[str, str]) -> Headers:
        """The answer to an action that has one. Raises AmiRefusedError, AmiLostError, AmiUnsafeError."""
        return _plain((await self._exchange(action, as_list=False))[0])

    async def ask_list(self, action: Mapping[str, str]) -> list[Headers]:
        """The events that an action is answered with, without the first answer and the last event. Raises as ``ask``."""
        first, *events = await self._exchange(action, as_list=True)
        del first
        return [_plain(event) for event in events[:-1]]

    async def _exchange(self, action: Mapping[str, str], *, as_list: bool) -> list[Message]:
        manager = self._manager
        assert manager is not None, "use the session with `async with`"
        for name, value in action.items():
            if any(end in text for text in (name, value) for end in "\r\n"):
                raise AmiUnsafeError(name)
        name = action["Action"]
        if manager.lost.done():
            raise AmiLostError(f"{name}: the connection is gone")
        answer = manager.send_action(dict(action), as_list=as_list)
        await asyncio.wait({answer, manager.lost}, timeout=self._within, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            first = next(iter(_responses(manager, answer)), None)
            if first is not None and not first.success:
                raise AmiRefusedError(name, first.message)
            raise AmiLostError(f"{name}: {'the connection went' if manager.lost.done() else 'no answer in time'}")
        found = answer.result()
        messages = found if isinstance(found, list) else [found]
        if not messages[0].success:
            raise AmiRefusedError(name, messages[0].message)
        return messages

    def _take(self, manager: Manager, message: Message) -> None:
        del manager
        self._heard(_plain(message))

    def _close(self) -> None:
        if self._manager is not None:
            self._manager.give_up()
            self._manager.close()


def _responses(manager: _Manager, answer: asyncio.Future[Any]) -> list[Message]:
    """What has come so far for an action. An error answer to a list never completes it in panoramisk."""
    return next((action.responses for action in manager.responses.values() if action.future is answer), [])


def _plain(message: Message) -> Headers:
    """Headers with lower-case names."""
    return {name.lower(): value for name, value in message.items()}
