"""A brokerage with three leads in its books."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlite_utils import Database

from ari_app.recovery.values import LeadId, e164
from ari_app.runtime.outcome import Done, Failed
from ari_app.store import journal
from ari_app.store.stores import InlineStore
from tests.ari_app.cli.ringback import Ringback
from tests.support.books import NOON, Books, StandingClock, texted
from tests.support.effects import TALK

MARKUP = "[/red] [link=x]:smile:"
"""What a caller may call himself."""


@pytest.fixture
def ringback(tmp_path: Path) -> Ringback:
    """The command, and no books yet."""
    Books(tmp_path).close()
    (tmp_path / "var" / "ringback.db").unlink()
    return Ringback(tmp_path / "ringback.yaml")


@pytest.fixture
def told(tmp_path: Path) -> Ringback:
    """The command on books with three leads."""
    asyncio.run(_story(tmp_path))
    return Ringback(tmp_path / "ringback.yaml")


async def _story(folder: Path) -> None:
    books = Books(folder)
    clock = books.clock
    assert isinstance(clock, StandingClock)
    await books.miss("call-1", caller_name=MARKUP)
    await books.settle("text", Done("a1", gateway="sms", message_ids=("a1",)))
    clock.at = NOON + timedelta(seconds=30)
    await books.record(texted("selling\x1b[31m my house", at=clock.at))
    clock.at = NOON + timedelta(minutes=1)
    await books.miss(
        "call-2", e164("+13055550143"), dialled="+13055550107", entry="13055550107", listing="12 Ocean Drive"
    )
    await books.settle("text", Failed("no such number"))
    clock.at = NOON + timedelta(minutes=2)
    await books.miss(
        "call-3", e164("+13055550144"), dialled="+13055550109", office="keys", entry="13055550109", plan="brief"
    )
    books.close()


def speak(path: Path, lead_id: int) -> None:
    """Put a conversation into a lead's snapshot."""

    def job(db: Database) -> None:
        lead = journal.lead(db, LeadId(lead_id))
        assert lead is not None
        journal.save(db, replace(lead, lines=TALK), NOON)

    store = InlineStore(path)
    asyncio.run(store.write(job))
    store.close()
