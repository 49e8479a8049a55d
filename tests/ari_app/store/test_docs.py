"""docs/data.md says of the books what the books are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlite_utils import Database

from ari_app.store.db import PRIVATE, connect, prepare
from tests.support.programs import ROOT

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^### `(\w+)`\n\n(.+?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| (TEXT|INTEGER) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    prepare(tmp_path / "books.db")
    db = connect(tmp_path / "books.db")
    yield db
    db.close()


def real(db: Database) -> dict[str, list[tuple[str, str]]]:
    names = [name for name in db.table_names() if not name.startswith("_")]
    return {name: [(column.name, column.type) for column in db.table(name).columns] for name in names}


def test_every_table_and_column_is_described_in_its_order(db: Database) -> None:
    described = {
        name: [(column, kind) for column, kind, _, _ in ROW.findall(text)] for name, text in SECTION.findall(PAGE)
    }
    assert described == real(db)


def test_the_statuses_that_the_tables_check_are_named(db: Database) -> None:
    for table, column in (("timers", "status"), ("outbox", "status")):
        schema = db.table(table).schema
        allowed = re.search(rf"{column} IN \(([^)]*)\)", schema)
        assert allowed is not None
        words = re.findall(r"'(\w+)'", allowed[1])
        text = dict(SECTION.findall(PAGE))[table]
        told = next(what for name, _, what, _ in ROW.findall(text) if name == column)
        assert told.split(", ") == words


def test_columns_that_hold_numbers_names_or_words_are_marked(db: Database) -> None:
    private = {"number", "email", "body", "facts"}
    for table, text in SECTION.findall(PAGE):
        for column, _, _, mark in ROW.findall(text):
            assert not (column in private and not mark.strip()), f"{table}.{column} is personal data"


def test_the_modes_of_files_are_those_that_are_set() -> None:
    assert PRIVATE == 0o600
    assert "`ringback.db`, `-wal`, `-shm`" in PAGE
    assert "its owner (0600)" in PAGE
    assert "owner and group (0640)" in PAGE
