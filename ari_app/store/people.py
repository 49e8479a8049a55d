"""What is known of persons: what they said about contact, when they were last texted, their names; and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ari_app.recovery.values import E164, Channel, Consent, ConsentState, EffectId
from ari_app.store.rows import instant, stamp


@dataclass(frozen=True, slots=True)
class Person:
    """A line of the people list."""

    number: E164
    name: str | None
    email: str | None
    blocked: bool


@dataclass(frozen=True, slots=True)
class TextWindow:
    """The time in which no further text-back may go to a caller and office. holder: the order that has gone or is to go, or why
    it was barred."""

    until: datetime
    holder: str


def consent(db: Database, number: E164, channel: Channel) -> Consent:
    """What the person has said about the channel."""
    row = db.execute(
        "SELECT state, source, at FROM consent WHERE number = ? AND channel = ?", [number, channel.value]
    ).fetchone()
    return Consent() if row is None else Consent(ConsentState(row[0]), row[1], instant(row[2]))


def consents(db: Database, number: E164) -> dict[Channel, Consent]:
    """What the person has said about each channel; of those that are not in it, nothing."""
    rows = db.execute("SELECT channel, state, source, at FROM consent WHERE number = ?", [number])
    return {Channel(channel): Consent(ConsentState(state), source, instant(at)) for channel, state, source, at in rows}


def set_consent(
    db: Database, number: E164, channel: Channel, state: ConsentState, source: str, at: datetime, seq: int
) -> None:
    """Keep it, and keep the history (REV-12): rows of the log are never removed."""
    values = [number, channel.value, state.value, source, stamp(at), seq]
    db.execute(
        "INSERT INTO consent (number, channel, state, source, at, seq) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (number, channel) DO UPDATE"
        " SET state = excluded.state, source = excluded.source, at = excluded.at, seq = excluded.seq",
        values,
    )
    db.execute("INSERT INTO consent_log (number, channel, state, source, at, seq) VALUES (?, ?, ?, ?, ?, ?)", values)


def open_text_window(
    db: Database, number: E164, office: str, until: datetime, effect_id: EffectId, at: datetime
) -> bool:
    """Claim the right to the one text-back for this caller and office until then; False when another has it.

    The primary key (number, office) makes a second claim impossible, whatever the code around it does.
    """
    changed = db.execute(
        "INSERT INTO text_windows (number, office, until, outbox_id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (number, office) DO UPDATE SET until = excluded.until, outbox_id = excluded.outbox_id"
        " WHERE text_windows.until <= ?",
        [number, office, stamp(until), effect_id, stamp(at)],
    ).rowcount
    return changed > 0


def close_text_window(db: Database, effect_id: EffectId) -> None:
    """Give the claim back: the text was certainly not sent."""
    db.execute("DELETE FROM text_windows WHERE outbox_id = ?", [effect_id])


def bar_texts(db: Database, number: E164, office: str, until: datetime, why: str) -> None:
    """No text-back to this caller and office before then; a window that lasts longer stays."""
    db.execute(
        "INSERT INTO text_windows (number, office, until, outbox_id) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (number, office) DO UPDATE SET until = excluded.until, outbox_id = excluded.outbox_id"
        " WHERE text_windows.until < excluded.until",
        [number, office, stamp(until), why],
    )


def text_window(db: Database, number: E164, office: str) -> TextWindow | None:
    """The time in which no further text-back may go."""
    query = "SELECT until, outbox_id FROM text_windows WHERE number = ? AND office = ?"
    row = db.execute(query, [number, office]).fetchone()
    return None if row is None else TextWindow(instant(row[0]), str(row[1]))


def last_turn(db: Database, group: str) -> str | None:
    """The agent who had the last turn in the group."""
    row = db.execute("SELECT agent FROM turns WHERE team = ?", [group]).fetchone()
    return None if row is None else str(row[0])


def take_turn(db: Database, group: str, agent: str) -> None:
    db.execute(
        "INSERT INTO turns (team, agent) VALUES (?, ?) ON CONFLICT (team) DO UPDATE SET agent = excluded.agent",
        [group, agent],
    )


def person(db: Database, number: E164) -> Person | None:
    """What the people list says of the number."""
    row = db.execute("SELECT number, name, email, blocked FROM people WHERE number = ?", [number]).fetchone()
    return None if row is None else Person(E164(row[0]), row[1], row[2], bool(row[3]))


def import_people(db: Database, people: Iterable[Person]) -> int:
    """Take over a people list; who is there already is overwritten. How many were taken over."""
    rows = [{"number": one.number, "name": one.name, "email": one.email, "blocked": int(one.blocked)} for one in people]
    db.table("people").upsert_all(rows, pk="number")
    return len(rows)
