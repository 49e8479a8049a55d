"""smpp34's server, an SMSC of somebody else's making, answering as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import count

import smpp34

from tests.support.ports import free_port
from tests.support.waiting import until


class IndependentSmsc:
    """Counts what it gets. ``answer`` decides about each submit: a message id, a status, or None for no answer."""

    def __init__(self, port: int, answer: Callable[[smpp34.SubmitSmEvent], str | int | None] | None = None) -> None:
        ids = count(1)
        self.port = port
        self.submits: list[smpp34.SubmitSmEvent] = []
        self.clients: dict[str, smpp34.Esme] = {}
        self._answer = answer or (lambda _: f"id-{next(ids)}")
        self._server = smpp34.Server("127.0.0.1", port, system_id="smpp34")
        self._unanswered: list[smpp34.SubmitSmEvent] = []
        self.listens = asyncio.Event()

    async def serve(self) -> None:
        """Until cancelled."""
        await self._server.start()
        self.listens.set()
        try:
            while True:
                self._take(await self._server.next())
        finally:
            await self._server.stop()

    def _take(self, event: smpp34.Esme | smpp34.SubmitSmEvent | smpp34.Unbound) -> None:
        if isinstance(event, smpp34.Esme):
            self.clients[event.session_id] = event
        elif isinstance(event, smpp34.Unbound):
            self.clients.pop(event.session_id, None)
        else:
            self.submits.append(event)
            answer = self._answer(event)
            if isinstance(answer, str):
                event.accept(answer)
            elif isinstance(answer, int):
                event.reject(answer)
            else:
                self._unanswered.append(event)  # dropping it would be an answer

    def accept_unanswered(self) -> None:
        """Answer now what ``answer`` left without one."""
        for number, event in enumerate(self._unanswered, start=1):
            event.accept(f"late-{number}")
        self._unanswered.clear()

    async def client(self) -> smpp34.Esme:
        """A client that is bound."""
        await until(lambda: self.clients, what="a client that is bound")
        return next(iter(self.clients.values()))


@asynccontextmanager
async def independent_smsc(
    answer: Callable[[smpp34.SubmitSmEvent], str | int | None] | None = None, *, port: int | None = None
) -> AsyncIterator[IndependentSmsc]:
    """A server that runs while the block does."""
    smsc = IndependentSmsc(port or free_port(), answer)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(smsc.serve())
        await smsc.listens.wait()
        try:
            yield smsc
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
