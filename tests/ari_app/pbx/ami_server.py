"""A manager interface of our own, on a free port: says what AMI says, and fails as networks and Asterisks do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

Action = Mapping[str, str]
Answer = Callable[[Action], str | None]
"""The messages that answer an action, ready for the wire; None for no answer at all."""

SECRET = "open sesame"


def message(**headers: object) -> str:
    """One message. Names as they stand, ``_`` left out."""
    return "".join(f"{name.replace('_', '')}: {value}\r\n" for name, value in headers.items()) + "\r\n"


def channel(uniqueid: str, name: str = "PJSIP/carrier-1", state: str = "Ring") -> dict[str, object]:
    """The headers of a channel."""
    return {
        "Channel": name,
        "ChannelStateDesc": state,
        "CallerIDNum": "+13055550123",
        "CallerIDName": "José",
        "Context": "from-trunk",
        "Exten": "13055550100",
        "Uniqueid": uniqueid,
        "Linkedid": uniqueid,
    }


class AmiServer:
    """Use it with ``async with``. ``rows``: the channels that Status lists. ``answers``: by action, instead of ours."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.answers: dict[str, Answer] = {}
        self.started = "10:00:00"
        self.actions: list[Action] = []
        self.logins = 0
        self.mute = False
        """Reads, and answers nothing."""
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    def say(self, text: str | bytes) -> None:
        """To everybody who is connected."""
        for writer in self._writers:
            writer.write(text.encode() if isinstance(text, str) else text)

    async def flushed(self) -> None:
        """Returns when what was said is with the kernel, and the reader has had its turn."""
        for writer in self._writers:
            await writer.drain()
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def did(self, name: str) -> list[Action]:
        return [action for action in self.actions if action["Action"] == name]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        writer.write(b"Asterisk Call Manager/9.0.0\r\n")
        try:
            while True:
                block = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
                self.actions.append(action)
                answer = self._answer(action)
                if answer is not None and not self.mute:
                    writer.write(answer.encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    def _answer(self, action: Action) -> str | None:
        name, action_id = action["Action"], action.get("ActionID", "")
        if name in self.answers:
            return self.answers[name](action)
        match name:
            case "Login":
                self.logins += 1
                good = action.get("Secret") == SECRET
                text = "Authentication accepted" if good else "Authentication failed"
                return message(Response="Success" if good else "Error", Action_ID=action_id, Message=text)
            case "Ping":
                return message(Response="Success", Action_ID=action_id, Ping="Pong")
            case "CoreSettings":
                return message(Response="Success", Action_ID=action_id, AsteriskVersion="22.10.1")
            case "CoreStatus":
                return message(
                    Response="Success", Action_ID=action_id, CoreStartupDate="2026-11-24", CoreStartupTime=self.started
                )
            case "Status":
                return (
                    message(
                        Response="Success", Action_ID=action_id, EventList="start", Message="Channel status will follow"
                    )
                    + "".join(message(Event="Status", Action_ID=action_id, **row) for row in self.rows)
                    + message(Event="StatusComplete", Action_ID=action_id, EventList="Complete", Items=len(self.rows))
                )
            case _:
                return message(Response="Error", Action_ID=action_id, Message="Permission denied")
