"""The last look at what a person has said, in the moment in which an order leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.recovery.effects import PlaceCallback, SendEmail, SendText, WorldEffect
from ari_app.recovery.events import CallMissed
from ari_app.recovery.values import Channel, ConsentState, EffectId, LeadId
from ari_app.runtime.settling import barred
from ari_app.store import journal, people
from ari_app.store.db import Database, prepare
from ari_app.store.outbox import Order
from ari_app.store.stores import InlineStore
from tests.ari_app.recovery.books import CALLER, START, Books


def orders() -> dict[str, WorldEffect]:
    """One effect of each kind, as a story orders them."""
    books = Books(email="caller@example.org")
    books.call(CallMissed)
    books.settle(EffectId("1.0"))
    while books.timers:
        books.fire(*next(iter(books.timers)))
    books.text("HELP")
    found: dict[str, WorldEffect] = {}
    for order in books.orders.values():
        name = order.effect.purpose.value if isinstance(order.effect, SendText) else type(order.effect).__name__
        found[name] = order.effect
    found["PlaceCallback"] = PlaceCallback(
        to=CALLER, caller_id="+13055550100", missed_at=START, office="miami", name=None, listing=None, phones=(),
        expires_at=START, by_request=False,
    )  # fmt: skip
    assert isinstance(found["SendEmail"], SendEmail)
    return found


@pytest.mark.parametrize(
    ("name", "said", "refused"),
    [
        ("text_back", None, False),
        ("text_back", Channel.TEXT, True),
        ("text_back", Channel.CALL, False),
        ("PlaceCallback", Channel.TEXT, False),
        ("PlaceCallback", Channel.CALL, True),
        ("SendEmail", None, False),
        ("SendEmail", Channel.TEXT, True),
        ("SendEmail", Channel.CALL, True),
        ("help", Channel.TEXT, False),
        ("AlertAgent", Channel.TEXT, False),
        ("PushLead", Channel.CALL, False),
    ],
)
async def test_who_has_said_no_since_is_not_contacted(
    tmp_path: Path, name: str, said: Channel | None, refused: bool
) -> None:
    prepare(tmp_path / "ringback.db")
    store = InlineStore(tmp_path / "ringback.db")
    books = Books()
    books.call(CallMissed)

    def look(db: Database) -> str | None:
        lead_id = journal.add_lead(db, "miami", CALLER, START)
        journal.save(db, books.leads[LeadId(1)], START)
        if said is not None:
            told = books.told[0]
            journal.keep_policy(db, told.policy.version, "{}", START)
            seq = journal.append(db, told.event, told.facts, told.policy.version, lead_id)
            people.set_consent(db, CALLER, said, ConsentState.OPTED_OUT, "sms:stop", START, seq)
        order = Order(EffectId("1.0"), lead_id, "", orders()[name], "doing", START, START, None, 1, None, None)
        found = barred(db, order)
        return None if found is None else f"{found.rule} {found.why}"

    try:
        assert await store.write(look) == ("REV-10 the person said no (sms:stop)" if refused else None)
    finally:
        store.close()
