"""What must be true when a simulated day is over and nothing fails any more."""

from __future__ import annotations

from ari_app.recovery.events import CallMissed
from ari_app.recovery.values import LeadId
from ari_app.store.replay import rebuild
from tests.simulation.exchange import Exchange
from tests.simulation.office import policy_of
from tests.simulation.targets import Ledger, PostOffice
from tests.simulation.witness import Witness


def leads_agree(witness: Witness) -> None:
    """The journal alone makes the same leads."""
    for lead_id in witness.lead_numbers():
        replayed = rebuild(witness.books, lead_id, policy_of)
        if not replayed.agrees:
            witness.violated(f"lead {lead_id} is not what its journal makes of it: {replayed.difference}")


def all_has_ended(witness: Witness, post: PostOffice, ledger: Ledger) -> None:
    """No order is left over, no timer is pending; and what the books call done, the world has."""
    query = "SELECT id, kind, status, last_error FROM outbox WHERE status IN ('todo', 'doing') ORDER BY n"
    for effect_id, kind, status, error in witness.books.execute(query).fetchall():
        witness.violated(f"{kind} {effect_id} is still {status} ({error})")
    for lead_id, kind in witness.books.execute("SELECT lead_id, kind FROM timers WHERE status = 'pending'").fetchall():
        witness.violated(f"the timer {kind} of lead {lead_id} is still pending")
    done = "SELECT id, kind FROM outbox WHERE status = 'done' AND kind IN ('alert', 'email', 'push')"
    pushed = {push_id for pushes in ledger.kept.values() for push_id in pushes}
    for effect_id, kind in witness.books.execute(done).fetchall():
        if effect_id not in (pushed if kind == "push" else post.kept):
            witness.violated(f"{kind} {effect_id} is done in the books, and its target never had it")
    for lead_id, pushes in ledger.kept.items():
        # An order of the moment before the clock was put back waits until that moment has come again; others pass it.
        if not witness.jumped and pushes != sorted(
            pushes, key=lambda push_id: [int(part) for part in push_id.split(".")]
        ):
            witness.violated(f"the CRM saw the pushes of lead {lead_id} out of order: {pushes}")


def nobody_is_lost(witness: Witness, exchange: Exchange) -> None:
    """Every counted miss ends in a text, a recorded reason not to, or a person's task."""
    for attended in exchange.calls:
        event = attended.events[-1]
        found = witness.event_number(event.source_id)
        if found is None:
            witness.violated(f"the call {event.source_id} is not in the journal")
        elif isinstance(event, CallMissed):
            miss = f"the miss {event.source_id} (event {found[0]})"
            # By the clock of the world. Where ours has jumped, the times in the books may say otherwise.
            reached = event.caller is not None and exchange.has_reached(event.caller, attended.seconds)
            reached = reached or (bool(witness.jumped) and _has_answered(witness, *found))
            if not reached and not _is_dealt_with(witness, *found):
                witness.violated(f"{miss} led to nothing")
            if not reached and not witness.jumped and _was_left_alone(witness, found[0]):
                witness.violated(f"{miss} was left alone for a talk of before it")
    query = "SELECT id, lead_id, status FROM outbox WHERE purpose = 'text_back' AND status IN ('failed', 'in_doubt')"
    for effect_id, lead_id, status in witness.books.execute(query).fetchall():
        if not _is_told(witness, effect_id, LeadId(lead_id)):
            witness.violated(f"text {effect_id} is {status}, and no person was told")


def _is_dealt_with(witness: Witness, seq: int, lead_id: LeadId | None) -> bool:
    texts = (
        "SELECT 1 FROM outbox WHERE lead_id = ? AND purpose = 'text_back' AND CAST(id AS INTEGER) >= ?"
        " AND status <> 'cancelled'"
    )
    refused = "SELECT 1 FROM decisions WHERE lead_id IS ? AND seq >= ? AND outcome IN ('refused', 'skipped') AND action = 'text'"
    return _is_cared_for(witness, seq, lead_id) or _any(witness, (texts, refused), lead_id, seq)


def _was_left_alone(witness: Witness, seq: int) -> bool:
    query = "SELECT 1 FROM decisions WHERE seq = ? AND rule = 'AGE-03'"
    return witness.books.execute(query, [seq]).fetchone() is not None


def _has_answered(witness: Witness, seq: int, lead_id: LeadId | None) -> bool:
    """A talk was recorded since, whenever it was."""
    return _any(
        witness, ("SELECT 1 FROM events WHERE lead_id = ? AND seq >= ? AND type = 'CallAnswered'",), lead_id, seq
    )


def _is_cared_for(witness: Witness, seq: int, lead_id: LeadId | None) -> bool:
    """A person has been told since, or spoken with in a callback, or the caller asked for no contact; or a person ended it."""
    alerts = "SELECT 1 FROM outbox WHERE lead_id = ? AND kind = 'alert' AND CAST(id AS INTEGER) >= ?"
    ended = "SELECT 1 FROM events WHERE lead_id = ? AND seq >= ? AND type IN ('LeadClosed', 'LeadAcknowledged', 'OrderDropped')"
    talked = (
        "SELECT 1 FROM events WHERE lead_id = ? AND seq >= ? AND (type = 'CallbackHandedOver'"
        " OR (type = 'CallbackEnded' AND json_extract(body, '$.end') = 'reached_person'))"
    )
    # FRQ-03 says that a person is told: then that has to be.
    over = (
        "SELECT 1 FROM decisions WHERE lead_id IS ? AND seq >= ? AND outcome IN ('refused', 'skipped')"
        " AND action = 'plan' AND rule <> 'FRQ-03'"
    )
    return _any(witness, (alerts, ended, talked, over), lead_id, seq)


def _is_told(witness: Witness, effect_id: str, lead_id: LeadId) -> bool:
    settled = "SELECT max(seq) FROM events WHERE source_id IN (?, ?)"
    sources = [f"effect:{effect_id}", f"effect:{effect_id}:resolved"]
    seq = witness.books.execute(settled, sources).fetchone()[0]
    return seq is not None and (_is_cared_for(witness, seq, lead_id) or _has_answered(witness, seq, lead_id))


def _any(witness: Witness, queries: tuple[str, ...], lead_id: LeadId | None, seq: int) -> bool:
    return any(witness.books.execute(query, [lead_id, seq]).fetchone() is not None for query in queries)
