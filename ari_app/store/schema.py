"""The tables, and how an older file becomes a current one. A migration that has been released is never changed.

Times are text, ISO 8601 in UTC with microseconds, so that they sort as they are.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

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


BACK: dict[str, tuple[str, ...]] = {
    "0002_answers": ("DROP INDEX answers_by_caller",),
    "0003_receipts": ("ALTER TABLE parked_receipts DROP COLUMN number",),
}
"""By migration: the statements after which the tables are as before it, and hold all that the release before could know."""
