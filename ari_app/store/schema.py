"""The tables, and how an older file becomes a current one. A migration that has been released is never changed.

Times are text, ISO 8601 in UTC with microseconds, so that they sort as they are.

What the JSON in the tables has gained counts as a change, too: an older release reads no field, type or word that it does not
know.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from ari_app.recovery.shapes import ADDED

migrations = Migrations("ringback")


@migrations(name="0001_books")
def _books(db: Database) -> None:
    db.executescript(
        """
        CREATE TABLE policies (
            version TEXT PRIMARY KEY,
            at TEXT NOT NULL,
            settings TEXT NOT NULL
        ) STRICT;

        CREATE TABLE leads (
            id INTEGER PRIMARY KEY,
            number TEXT,
            office TEXT NOT NULL,
            stage TEXT NOT NULL,
            opened_at TEXT NOT NULL,
            touched_at TEXT NOT NULL,
            body TEXT NOT NULL
        ) STRICT;
        CREATE INDEX leads_by_number ON leads (number, office, id);
        CREATE INDEX leads_open ON leads (id) WHERE stage <> 'idle';

        CREATE TABLE events (
            seq INTEGER PRIMARY KEY,
            lead_id INTEGER REFERENCES leads (id),
            source_id TEXT NOT NULL UNIQUE,
            type TEXT NOT NULL,
            version INTEGER NOT NULL,
            at TEXT NOT NULL,
            policy TEXT NOT NULL REFERENCES policies (version),
            body TEXT NOT NULL,
            facts TEXT NOT NULL
        ) STRICT;
        CREATE INDEX events_by_lead ON events (lead_id, seq);

        CREATE TABLE decisions (
            seq INTEGER NOT NULL REFERENCES events (seq),
            n INTEGER NOT NULL,
            lead_id INTEGER,
            action TEXT NOT NULL,
            outcome TEXT NOT NULL,
            rule TEXT NOT NULL,
            why TEXT NOT NULL,
            PRIMARY KEY (seq, n)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE timers (
            id INTEGER PRIMARY KEY,
            lead_id INTEGER NOT NULL REFERENCES leads (id),
            kind TEXT NOT NULL,
            due_at TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('pending', 'fired', 'disarmed'))
        ) STRICT;
        CREATE UNIQUE INDEX timers_one_pending ON timers (lead_id, kind) WHERE status = 'pending';
        CREATE INDEX timers_due ON timers (due_at) WHERE status = 'pending';

        CREATE TABLE outbox (
            n INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            lead_id INTEGER,
            kind TEXT NOT NULL,
            purpose TEXT NOT NULL,
            number TEXT,
            body TEXT NOT NULL,
            priority INTEGER NOT NULL,
            status TEXT NOT NULL
                CHECK (status IN ('todo', 'doing', 'done', 'failed', 'in_doubt', 'refused', 'cancelled')),
            created_at TEXT NOT NULL,
            not_before TEXT NOT NULL,
            expires_at TEXT,
            attempts INTEGER NOT NULL DEFAULT 0,
            lease_until TEXT,
            settled_at TEXT,
            ref TEXT,
            last_error TEXT
        ) STRICT;
        CREATE INDEX outbox_todo ON outbox (kind, priority, not_before) WHERE status = 'todo';
        CREATE INDEX outbox_doing ON outbox (kind, lead_id) WHERE status = 'doing';
        CREATE INDEX outbox_by_lead ON outbox (lead_id, kind);
        CREATE INDEX outbox_by_number ON outbox (number, kind, created_at) WHERE number IS NOT NULL;
        CREATE INDEX outbox_in_doubt ON outbox (kind) WHERE status = 'in_doubt';

        CREATE TABLE outbox_log (
            outbox_id TEXT NOT NULL,
            at TEXT NOT NULL,
            status TEXT NOT NULL,
            why TEXT
        ) STRICT;
        CREATE INDEX outbox_log_by_id ON outbox_log (outbox_id);

        CREATE TABLE text_windows (
            number TEXT NOT NULL,
            office TEXT NOT NULL,
            until TEXT NOT NULL,
            outbox_id TEXT NOT NULL,
            PRIMARY KEY (number, office)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE consent (
            number TEXT NOT NULL,
            channel TEXT NOT NULL,
            state TEXT NOT NULL,
            source TEXT NOT NULL,
            at TEXT NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (number, channel)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE consent_log (
            seq INTEGER NOT NULL REFERENCES events (seq),
            number TEXT NOT NULL,
            channel TEXT NOT NULL,
            state TEXT NOT NULL,
            source TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT;
        CREATE INDEX consent_log_by_number ON consent_log (number);

        CREATE TABLE pace (
            bucket TEXT NOT NULL,
            minute INTEGER NOT NULL,
            contacts INTEGER NOT NULL,
            PRIMARY KEY (bucket, minute)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE turns (
            team TEXT PRIMARY KEY,
            agent TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE people (
            number TEXT PRIMARY KEY,
            name TEXT,
            email TEXT,
            blocked INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE message_refs (
            gateway TEXT NOT NULL,
            ref TEXT NOT NULL,
            outbox_id TEXT NOT NULL,
            segment INTEGER NOT NULL,
            segments INTEGER NOT NULL,
            state TEXT,
            PRIMARY KEY (gateway, ref)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX message_refs_by_outbox ON message_refs (outbox_id);

        CREATE TABLE bookmarks (
            name TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE last_texts (
            gateway TEXT NOT NULL,
            source TEXT NOT NULL,
            destination TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (gateway, source, destination)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE text_parts (
            n INTEGER PRIMARY KEY,
            gateway TEXT NOT NULL,
            key TEXT NOT NULL,
            body TEXT NOT NULL,
            UNIQUE (gateway, key)
        ) STRICT;

        CREATE TABLE parked_receipts (
            gateway TEXT NOT NULL,
            ref TEXT NOT NULL,
            receipt TEXT NOT NULL,
            state TEXT NOT NULL,
            error TEXT,
            at TEXT NOT NULL,
            PRIMARY KEY (gateway, ref)
        ) STRICT, WITHOUT ROWID;
        """
    )


@migrations(name="0002_answers")
def _answers(db: Database) -> None:
    """By caller: a miss that is recorded late asks who has been spoken with since."""
    db.executescript(
        """
        CREATE INDEX answers_by_caller ON events (json_extract(body, '$.caller'), at) WHERE type = 'CallAnswered';
        """
    )


@migrations(name="0003_receipts")
def _receipts(db: Database) -> None:
    """Whose text a receipt speaks of: an id alone can be read in several ways."""
    db.executescript("ALTER TABLE parked_receipts ADD COLUMN number TEXT;")


@migrations(name="0004_shapes")
def _shapes(_: Database) -> None:
    """No table: leads, facts and events have gained fields, events two types and alerts a reason."""


@migrations(name="0005_alerts")
def _alerts(db: Database) -> None:
    """Alerts that reached nobody are counted at all times; few of all orders are."""
    db.executescript(
        """
        CREATE INDEX outbox_alerts_failed ON outbox (lead_id, n) WHERE status = 'failed' AND kind = 'alert';
        """
    )


_STORED = {
    "Lead": (("leads", "body", "$", ""),),
    "Facts": (("events", "facts", "$", ""),),
    "AlertAgent": (
        ("outbox", "body", "$", "kind = 'alert' AND "),
        (
            "events",
            "body",
            "$.effect",
            "type = 'OrderResent' AND json_extract(body, '$.effect.type') = 'AlertAgent' AND ",
        ),
    ),
    "EffectSettled": (("events", "body", "$", "type = 'EffectSettled' AND "),),
    "CallAnswered": (("events", "body", "$", "type = 'CallAnswered' AND "),),
    "CallClosed": (("events", "body", "$", "type = 'CallClosed' AND "),),
}
"""By type: table, column, place in the JSON, and which rows may hold it."""


def _without(change: str) -> tuple[str, ...]:
    """Statements that remove the fields which came with a change."""
    statements = []
    for kind, names in ADDED[change].items():
        for table, column, place, rows in _STORED[kind]:
            paths = [f"'{place}.{name}'" for name in names]
            used = " OR ".join(f"json_type({column}, {path}) IS NOT NULL" for path in paths)
            removed = f"json_remove({column}, {', '.join(paths)})"
            statements.append(f"UPDATE {table} SET {column} = {removed} WHERE {rows}({used})")  # noqa: S608 - all of it is ours
    return tuple(statements)


_IN_OLD_WORDS = (
    # Who said no in a callback said no: the newer type only tells it earlier.
    """
    UPDATE events SET type = 'OptOutRecorded', body = json_object('type', 'OptOutRecorded', 'at', json_extract(body, '$.at'),
        'source_id', source_id, 'number', (SELECT number FROM leads WHERE id = lead_id),
        'by', 'callback', 'note', json_extract(body, '$.how'))
    WHERE type = 'CallbackOptedOut'
    """,
    # Another lead's callback: for this lead, its caller has spoken with a person.
    """
    UPDATE events SET type = 'CallAnswered', body = json_object('type', 'CallAnswered', 'at', json_extract(body, '$.at'),
        'source_id', source_id, 'call_id', source_id, 'caller', lead.number, 'kind', 'ordinary', 'dialled', lead.dialled,
        'office', lead.office, 'entry', lead.entry, 'occurred_at', NULL, 'by', json_extract(events.body, '$.by'))
    FROM (SELECT id, number, office, json_extract(body, '$.dialled') AS dialled, json_extract(body, '$.entry') AS entry
          FROM leads) AS lead
    WHERE events.type = 'CallbackHandedOver' AND json_extract(events.body, '$.elsewhere') AND lead.id = events.lead_id
    """,
    # Who speaks with a person has taken the callback; with whom, the callback's end tells.
    """
    UPDATE events SET type = 'CallbackAnswered', body = json_object('type', 'CallbackAnswered', 'at', json_extract(body, '$.at'),
        'source_id', source_id, 'effect_id', json_extract(body, '$.effect_id'))
    WHERE type = 'CallbackHandedOver'
    """,
    """
    UPDATE outbox SET body = json_replace(body, '$.reason', 'repeat_miss')
    WHERE kind = 'alert' AND json_extract(body, '$.reason') = 'dropped'
    """,
    """
    UPDATE events SET body = json_replace(body, '$.effect.reason', 'repeat_miss')
    WHERE type = 'OrderResent' AND json_extract(body, '$.effect.reason') = 'dropped'
    """,
)

BACK: dict[str, tuple[str, ...]] = {
    "0002_answers": ("DROP INDEX answers_by_caller", *_without("0002_answers")),
    "0003_receipts": ("ALTER TABLE parked_receipts DROP COLUMN number",),
    "0004_shapes": (*_IN_OLD_WORDS, *_without("0004_shapes")),
    "0005_alerts": ("DROP INDEX outbox_alerts_failed", *_without("0005_alerts")),
}
"""By migration: the statements after which the books are as before it, and hold all that the release before could know."""
