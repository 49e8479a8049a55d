"""What the end-to-end tests do over and over: wait for what becomes of a caller, and read what the books say."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.brokerage import MAIN, Brokerage
from tests.support.phones import Phone, PhoneEvent
from tests.support.stage import JournalEvent
from tests.support.waiting import until

FINAL = ("done", "failed", "in_doubt", "refused", "cancelled")


async def settled(
    brokerage: Brokerage, number: str, kind: str, *, count: int = 1, within: float = 15.0
) -> JournalEvent:
    """The event that tells what became of the ``count``-th order of a kind for a caller."""
    orders = await until(
        lambda: brokerage.orders(number, kind)[count - 1 : count],
        within=within,
        what=f"order {count} of {kind} to {number}; there is {story(brokerage, number)}",
    )
    return await brokerage.event("EffectSettled", effect_id=orders[0][0], within=within)


async def quiet(brokerage: Brokerage, number: str) -> None:
    """Nothing was ordered for a caller, and nothing waits to be. For callers whose call is in the journal: what a call
    leads to is in the books in the same transaction."""
    assert brokerage.query("SELECT id, kind FROM outbox WHERE number = ?", [number]) == []
    assert brokerage.query("SELECT id FROM leads WHERE number = ?", [number]) == []
    assert brokerage.smsc.to(number) == []


def verdict(brokerage: Brokerage, number: str) -> list[str]:
    """The verdicts on a caller's calls, in order."""
    events = brokerage.events()
    return [event.body["verdict"] for event in events if event.body.get("caller") == number and "verdict" in event.body]


def story(brokerage: Brokerage, number: str) -> list[str]:
    """The events of a caller and of their lead, by name."""
    lead = brokerage.lead_of(number)
    return [
        event.type
        for event in brokerage.events()
        if event.body.get("caller") == number or (lead is not None and event.lead_id == lead)
    ]


@contextlib.asynccontextmanager
async def missed_call(
    brokerage: Brokerage, number: str, dialled: str = MAIN, **phone_settings: Any
) -> AsyncIterator[Phone]:
    """A caller who was missed and begins to hear the prompt: no desk phone is there. Their phone stays for what follows."""
    async with brokerage.mobile(number, **phone_settings) as mobile:
        mobile.call(brokerage.dial(dialled))
        await brokerage.event("CallMissed", caller=number)
        await mobile.heard("answered")
        await mobile.heard("media")
        yield mobile


@dataclass(frozen=True)
class CalledBack:
    """A caller on the phone with the assistant. missed: the call before. incoming: what their phone showed."""

    mobile: Phone
    missed: JournalEvent
    incoming: PhoneEvent
    lead: int


@contextlib.asynccontextmanager
async def called_back(
    brokerage: Brokerage, number: str, dialled: str = MAIN, *, record: Path | None = None
) -> AsyncIterator[CalledBack]:
    """A caller who was missed, heard the notice to its end, and has taken the callback. record: what they hear of it."""
    async with missed_call(brokerage, number, dialled) as mobile:
        missed = await brokerage.event("CallMissed", caller=number)
        assert missed.lead_id is not None
        await mobile.heard("ended", within=15.0)
        mobile.change(record=None if record is None else str(record))
        incoming = await mobile.heard("incoming")
        mobile.answer()
        await mobile.heard("media")
        yield CalledBack(mobile, missed, incoming, missed.lead_id)
