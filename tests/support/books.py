"""The small office's books with a recorder, on a clock that stands where a test puts it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ari_app.clock import Clock
from ari_app.recovery.events import CallMissed, Event, TextReceived
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import E164, EffectId, LeadId, NumberKind, Verdict, e164
from ari_app.runtime.outcome import Outcome
from ari_app.runtime.recorded import Recorded
from ari_app.runtime.recorder import PolicyInForce, Recorder
from ari_app.settings.loading import Settings
from ari_app.store import journal, outbox, people
from ari_app.store.db import Database, prepare
from ari_app.store.outbox import Order
from ari_app.store.stores import InlineStore, Store
from tests.support import office

NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
"""A Tuesday, noon in Miami: the office is open, and nobody's quiet hours."""
CALLER = e164("+13055550142")
DIALLED = "+13055550100"


class StandingClock:
    """Stands where it is put."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    async def pause(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Books:
    """Settings, database, recorder. ``changes`` are (old, new) pieces of the office's YAML."""

    def __init__(
        self, folder: Path, *changes: tuple[str, str], store: Store | None = None, clock: Clock | None = None
    ) -> None:
        self.settings: Settings = office.settings(folder, *changes)
        self.path = self.settings.data_folder / "ringback.db"
        prepare(self.path)
        self.clock: Clock = clock or StandingClock()
        self.store: Store = store or InlineStore(self.path)
        self.in_force = PolicyInForce(self.settings.policy, self.settings.document.model_dump_json(exclude_unset=True))
        self.recorder = Recorder(self.store, self.clock, self.in_force)

    @property
    def policy(self) -> Policy:
        return self.settings.policy

    def close(self) -> None:
        """Let the file go."""
        if isinstance(self.store, InlineStore):
            self.store.close()

    async def record(self, event: Event, lead_id: int | None = None) -> Recorded:
        """Record an event that is new."""
        recorded = await self.recorder.record(event, None if lead_id is None else LeadId(lead_id))
        assert recorded is not None
        return recorded

    async def miss(self, call_id: str = "call-1", caller: E164 | None = CALLER, **facts: object) -> Recorded:
        """A missed call whose caller is gone."""
        return await self.record(missed(call_id, caller, at=self.clock.now(), **facts))

    async def lead_id(self) -> LeadId:
        """The newest lead."""
        found = await self.store.read(lambda db: db.execute("SELECT max(id) FROM leads").fetchone()[0])
        assert found is not None
        return LeadId(found)

    async def orders(self, kind: str | None = None) -> list[Order]:
        """All orders, in order."""
        ids = await self.store.read(
            lambda db: [row[0] for row in db.execute("SELECT id FROM outbox ORDER BY n").fetchall()]
        )
        found = [await self.order(effect_id) for effect_id in ids]
        return [order for order in found if kind in (None, order.kind)]

    async def order(self, effect_id: str) -> Order:
        order = await self.store.read(lambda db: outbox.order(db, EffectId(effect_id)))
        assert order is not None
        return order

    async def claim(self, kind: str) -> list[Order]:
        """Begin the orders of a kind that are due, as the dispatcher does."""
        at = self.clock.now()
        return await self.store.write(lambda db: outbox.claim(db, kind, at, at + timedelta(seconds=60), 100))

    async def settle(self, kind: str, outcome: Outcome) -> list[Order]:
        """Give every due order of a kind the same outcome."""
        orders = await self.claim(kind)
        for order in orders:
            await self.recorder.settle(order, outcome)
        return orders

    async def lead(self, lead_id: int) -> object:
        return await self.store.read(lambda db: journal.lead(db, LeadId(lead_id)))


def missed(call_id: str = "call-1", caller: E164 | None = CALLER, at: datetime = NOON, **facts: object) -> CallMissed:
    """Nobody answered three rings, and the caller is gone."""
    common: dict[str, object] = {
        "source_id": f"call:{call_id}",
        "call_id": call_id,
        "kind": NumberKind.WITHHELD if caller is None else NumberKind.ORDINARY,
        "dialled": DIALLED,
        "office": "miami",
        "entry": "_1305555010X",
        "verdict": Verdict.NO_ANSWER,
        "rings": 3,
        "ring_seconds": 18.0,
        "on_line": False,
        "plan": "standard",
        "source": "Main line",
        "listing": None,
        "caller_name": None,
    }
    return CallMissed(at=at, caller=caller, **{**common, **facts})  # type: ignore[arg-type]


def texted(body: str, at: datetime = NOON, source: str = "1", sender: str = CALLER) -> TextReceived:
    """A person texts the brokerage."""
    return TextReceived(at=at, source_id=f"sms:{source}", sender=sender, recipient=DIALLED, body=body, office="miami")


def known(
    db: Database,
    number: E164 = CALLER,
    *,
    office: str | None = None,
    group: str | None = None,
    alike: str = "",
    at: datetime = NOON,
    since: datetime = NOON,
) -> people.Known:
    """What the books know of a number: ``people.known``, asked only for what a test looks at."""
    return people.known(db, number, office=office, group=group, alike=alike, at=at, since=since)


def damage_far_from_the_tables(path: Path) -> None:
    """A page of names is noise, as a failing disk leaves it: nothing that a start reads."""
    mark = b"A name that stands in the books and nowhere else. "
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = [(f"+1305556{n:04}", mark.decode() * 10) for n in range(100)]
        db.executemany("INSERT INTO people (number, name) VALUES (?, ?)", rows)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        page = file.read().index(mark) // 4096
        file.seek(page * 4096)
        file.write(os.urandom(4096))
