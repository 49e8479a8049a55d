"""An SMSC with moods: it throttles, answers late, loses its answers, drops the link in the middle of a submit.

Like a real one it owes things: the receipt of each text that it took, and each text of a person, are brought again until
Ringback has acknowledged them.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

import smpp34

from tests.support.stage import Smsc, WireText
from tests.support.waiting import until

OK, THROTTLED = 0x00, 0x58
ANSWERED_WITHIN = 4.0
"""So long an SMSC waits for a deliver_sm_resp before it brings the message again."""
AGAIN_AFTER = 0.5
CARRIERS = 8


class Mood(Enum):
    """How submits are answered."""

    WELL = "well"
    THROTTLING = "throttle"
    """Every other one is refused with ESME_RTHROTTLED; the others are taken."""
    LATE = "late answers"
    """Taken, and said so a second later."""
    LOSING = "lost answers"
    """Taken, and never said so."""
    DROPPING = "drop mid-submit"
    """Taken, and the link breaks before it is said."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A submit that the SMSC took, whether or not it could say so."""

    text: WireText
    mood: Mood


class MoodySmsc(Smsc):
    """``mood`` counts for submits from now on."""

    def __init__(self, port: int, seed: int, cut: Callable[[], None], taken: Callable[[WireText], None]) -> None:
        """cut: breaks the link. taken: told of each text that reaches a person."""
        super().__init__(port, receipts=False)
        self.mood = Mood.WELL
        self.twice = False
        """Each receipt and each text of a person is brought two times."""
        self.taken: list[Taken] = []
        self._cut, self._told = cut, taken
        self._chance = random.Random(seed)
        self._count = itertools.count()
        self._owed: asyncio.Queue[Callable[[], Awaitable[int]]] = asyncio.Queue()
        self._bringing: list[asyncio.Task[None]] = []
        self._open = 0
        self.answer = self._answer

    @property
    def owes(self) -> int:
        """Receipts and texts that Ringback has not yet acknowledged."""
        return self._open

    async def start(self) -> None:
        await super().start()
        loop = asyncio.get_running_loop()
        self._bringing = [loop.create_task(self._bring()) for _ in range(CARRIERS)]

    async def stop(self) -> None:
        for task in self._bringing:
            task.cancel()
        await asyncio.gather(*self._bringing, return_exceptions=True)
        await super().stop()

    async def restart(self) -> None:
        """Every link breaks, and what was bound has to bind again. What is owed stays owed."""
        await Smsc.stop(self)
        self.forget_clients()
        self._cut()  # smpp34's server lets its connections live
        await Smsc.start(self)

    def _answer(self, event: smpp34.SubmitSmEvent) -> str | int | None:
        text, mood = self.texts[-1], self.mood
        if mood is Mood.THROTTLING and next(self._count) % 2:
            return THROTTLED
        self.taken.append(Taken(text, mood))
        self._told(text)
        for _ in range(2 if self.twice else 1):
            self._owe(lambda: self._receipt(text))
        if mood is Mood.DROPPING:
            self.mood = Mood.WELL  # one is enough
            self._cut()
            return None
        if mood is Mood.LATE:
            asyncio.get_running_loop().call_later(self._chance.uniform(0.5, 1.5), event.accept, text.message_id)
            return None
        return None if mood is Mood.LOSING else text.message_id

    def bring(self, sender: str, recipient: str, body: str) -> None:
        """A person's text, until it is acknowledged."""
        for _ in range(2 if self.twice else 1):
            self._owe(lambda: self._submit(sender, recipient, body))

    def _owe(self, debt: Callable[[], Awaitable[int]]) -> None:
        """debt: brings something, and gives the command_status of the answer."""
        self._open += 1
        self._owed.put_nowait(debt)

    async def _receipt(self, text: WireText) -> int:
        body = (
            f"id:{text.message_id} sub:001 dlvrd:001 submit date:2611241500 done date:2611241500"
            f" stat:DELIVRD err:000 text:{text.body[:20]}"
        )
        return await self._submit(text.destination, text.source, body, esm_class=0x04)

    async def _bring(self) -> None:
        while True:
            debt = await self._owed.get()
            while True:
                try:
                    await until(lambda: self._clients, within=3600.0, what="a bound client")
                    async with asyncio.timeout(ANSWERED_WITHIN):
                        if await debt() == OK:
                            break
                except (TimeoutError, smpp34.SmppError, OSError):
                    pass
                await asyncio.sleep(AGAIN_AFTER)  # noqa: TID251 - a carrier's own pause
            self._open -= 1
