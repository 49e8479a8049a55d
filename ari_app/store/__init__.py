"""The books: journal, leads, timers, outbox, consent. The only room that imports sqlite3 and sqlite_utils."""
