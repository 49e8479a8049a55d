"""What is known of persons: what they said about contact, when they were last texted, their names; and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlite_utils import Database

from ari_app.recovery.values import E164, Channel, Consent, ConsentState, EffectId
from ari_app.store import pace
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


@dataclass(frozen=True, slots=True)
class Known:
    """What the books say of a number at one moment.

    callbacks, replies, texts: callbacks, automatic replies and text-backs that went out or may have, or are about to, since a
    time. alike, contacts: contacts of the last hour, to the minute: with numbers like this one, and with all.
    last_turn: the agent who had the last turn in the group.
    """

    person: Person | None
    text: Consent
    call: Consent
    window: TextWindow | None
    callbacks: int
    replies: int
    texts: int
    alike: int
    contacts: int
    last_turn: str | None


_KNOWN = f"""
    SELECT people.name, people.email, people.blocked,
           text.state, text.source, text.at, call.state, call.source, call.at,
           text_windows.until, text_windows.outbox_id,
           ordered.callbacks, ordered.replies, ordered.texts,
           (SELECT sum(contacts) FROM pace WHERE bucket = ?2 AND minute > ?3),
           (SELECT sum(contacts) FROM pace WHERE bucket = '{pace.ALL}' AND minute > ?3),
           (SELECT agent FROM turns WHERE team = ?4)
    FROM (SELECT count(*) FILTER (WHERE kind = 'callback') AS callbacks,
                 count(*) FILTER (WHERE kind = 'text' AND purpose NOT IN ('', 'text_back')) AS replies,
                 count(*) FILTER (WHERE kind = 'text' AND purpose = 'text_back') AS texts
          FROM outbox
          WHERE number = ?1 AND kind IN ('callback', 'text') AND created_at > ?5
            AND (status NOT IN ('refused', 'cancelled', 'failed') OR (status = 'cancelled' AND EXISTS (
                 SELECT 1 FROM outbox_log AS was WHERE was.outbox_id = outbox.id AND was.status = 'in_doubt')))) AS ordered
    LEFT JOIN people ON people.number = ?1
    LEFT JOIN consent AS text ON text.number = ?1 AND text.channel = 'text'
    LEFT JOIN consent AS call ON call.number = ?1 AND call.channel = 'call'
    LEFT JOIN text_windows ON text_windows.number = ?1 AND text_windows.office = ?6"""  # noqa: S608 - the bucket is ours
"""All in one reading: every event asks. What was in doubt, and was dropped by a person, may have gone out all the same."""


def known(
    db: Database, number: E164, *, office: str | None, group: str | None, alike: str, at: datetime, since: datetime
) -> Known:
    """What is known of ``number`` at ``at``. alike: the bucket of numbers like it. since: what was ordered later is counted."""
    row = db.execute(_KNOWN, [number, alike, pace.hour_before(at), group, stamp(since), office]).fetchone()
    name, email, blocked, *said, until, holder, callbacks, replies, texts, like_it, contacts, last = row
    return Known(
        person=None if blocked is None else Person(number, name, email, bool(blocked)),
        text=_consent(*said[:3]),
        call=_consent(*said[3:]),
        window=None if until is None else TextWindow(instant(until), holder),
        callbacks=callbacks,
        replies=replies,
        texts=texts,
        alike=like_it or 0,
        contacts=contacts or 0,
        last_turn=last,
    )


_UNSTATED = Consent()


def _consent(state: str | None, source: str | None, at: str | None) -> Consent:
    return _UNSTATED if state is None or at is None else Consent(ConsentState(state), source, instant(at))


def consent(db: Database, number: E164, channel: Channel) -> Consent:
    """What the person has said about the channel."""
    row = db.execute(
        "SELECT state, source, at FROM consent WHERE number = ? AND channel = ?", [number, channel.value]
    ).fetchone()
    return _UNSTATED if row is None else _consent(*row)


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


def last_turn(db: Database, group: str) -> str | None:
    """The agent who had the last turn in the group."""
    row = db.execute("SELECT agent FROM turns WHERE team = ?", [group]).fetchone()
    return None if row is None else str(row[0])


def take_turn(db: Database, group: str, agent: str) -> None:
    db.execute(
        "INSERT INTO turns (team, agent) VALUES (?, ?) ON CONFLICT (team) DO UPDATE SET agent = excluded.agent",
        [group, agent],
    )


def import_people(db: Database, people: Iterable[Person]) -> int:
    """Take over a people list; who is there already is overwritten. How many were taken over."""
    rows = [{"number": one.number, "name": one.name, "email": one.email, "blocked": int(one.blocked)} for one in people]
    db.table("people").upsert_all(rows, pk="number")
    return len(rows)
