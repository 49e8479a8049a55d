"""``ringback people import``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ari_app.store import db
from tests.ari_app.cli.ringback import Ringback
from tests.support.programs import beside

HOLDER = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""


def people(folder: Path) -> list[tuple[object, ...]]:
    database = sqlite3.connect(folder / "var" / "ringback.db")
    try:
        return database.execute("SELECT number, name, email, blocked FROM people ORDER BY number").fetchall()
    finally:
        database.close()


def test_a_spreadsheets_csv_is_taken_over_whole(ringback: Ringback, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(
        b"\xef\xbb\xbfname,number,blocked,email,notes\r\n"
        b'"Desk, front",(305) 555-0142,no,front@harbor.example,x\r\n'
        b",+1 305 555 0143,YES,,\r\n"
        b"\xc3\x89t\xc3\xa9 \x1b[31m,3055550144,,,\r\n"
    )
    assert ringback.told("people", "import", str(file)) == [f"3 people taken over from {file}"]
    assert people(tmp_path) == [
        ("+13055550142", "Desk, front", "front@harbor.example", 0),
        ("+13055550143", None, None, 1),
        ("+13055550144", "Été [31m", None, 0),
    ]
    file.write_text("number,name\n3055550142,Other\n")
    ringback("people", "import", str(file))
    assert people(tmp_path)[0] == ("+13055550142", "Other", None, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,phone\nA,1\n", ":1: found the columns name, phone; expected number among them"),
        (b"", ":1: found no columns; expected number among them"),
        (b"number\n3055550142\n12\n", ":3: found number '12', expected a telephone number"),
        (b"name,number\nA\n", ":2: found number None, expected a telephone number"),
        (b"number,blocked\n3055550142,perhaps\n", ":2: found blocked 'perhaps', expected yes or no"),
        (
            b'number,email\n3055550142,"a@b.example, c@d.example"\n',
            ":2: found email 'a@b.example, c@d.example', expected an address such as name@example.com",
        ),
        (b'number,email\n3055550142,"a@b.example\nBcc: c@d.example"\n', ":3: found email 'a@b.example\\nBcc"),
        (b"number,name\n3055550142,\xe9\n", ": expected UTF-8; save it from the spreadsheet as CSV UTF-8"),
        (b'number,name\n3055550142,"open\n', ":2: unexpected end of data"),
        (b"number,name\n3055550142," + b"x" * 200_000 + b"\n", ":2: field larger than field limit"),
    ],
)
def test_a_file_with_a_fault_changes_nothing_and_is_told_with_its_line(
    ringback: Ringback, tmp_path: Path, content: bytes, said: str
) -> None:
    good = tmp_path / "good.csv"
    good.write_text("number\n3055550199\n")
    ringback("people", "import", str(good))
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    result = ringback("people", "import", str(file))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"ringback: {file}{said}"), result.stderr
    assert people(tmp_path) == [("+13055550199", None, None, 0)]


def test_a_file_that_is_not_there_is_a_wrong_use_of_the_command(ringback: Ringback, tmp_path: Path) -> None:
    result = ringback("people", "import", str(tmp_path / "nowhere.csv"))
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_books_that_another_program_holds_are_told_with_the_mend(
    ringback: Ringback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("number\n3055550142\n")
    ringback("people", "import", str(file))
    monkeypatch.setattr(db, "BUSY_SECONDS", 0.05)
    with beside(HOLDER, tmp_path / "var" / "ringback.db"):
        result = ringback("people", "import", str(file))
    assert result.exit_code == 1
    assert "another process holds it locked: end that one" in result.stderr
