"""CDR, CEL and spooled messages: files that Asterisk appends to while we read."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ari_app.pbx.ledger import read_cdr, read_cel
from ari_app.pbx.lines import read_page
from ari_app.pbx.message_spool import read_messages

MISSED = (
    '"ringback-1795479151.0","ringback-1795479151.0","0","1795479151.090496","0.000000","1795479152.097747","1","0",'
    '"NO ANSWER","+13055550199","13055550101","ring-groups","PJSIP/carrier-00000000","PJSIP/101-00000001","Dial",'
    '"PJSIP/101,6","away","""Buyer, ""Ann"""" <+13055550199>"\n'
)
HANGUP = (
    '"HANGUP","1795478778.014364","ringback-1795478777.0","ringback-1795478777.0","PJSIP/carrier-00000000","+13055550199",'
    '"+13055550101","inbound","","","","{""hangupcause"":0,""hangupsource"":""PJSIP/carrier-00000000""}"\n'
)


def test_a_record_of_a_missed_call_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cdr.csv"
    path.write_text(MISSED)
    page = read_cdr(path)
    (row,) = page.rows
    assert row.disposition == "NO ANSWER"
    assert row.answer is None
    assert row.start == datetime(2026, 11, 24, 0, 12, 31, 90496, UTC)
    assert row.userfield == "away"
    assert row.source == "+13055550199"
    assert row.caller_id == '"Buyer, "Ann"" <+13055550199>'
    assert page.offset == len(MISSED)


def test_an_event_keeps_its_json(tmp_path: Path) -> None:
    path = tmp_path / "cel.csv"
    path.write_text(HANGUP)
    (row,) = read_cel(path).rows
    assert (row.type, row.linkedid) == ("HANGUP", "ringback-1795478777.0")
    assert row.extra == '{"hangupcause":0,"hangupsource":"PJSIP/carrier-00000000"}'


def test_the_ledger_of_a_watched_pbx_also_says_who_withholds_the_number_and_what_was_dialled(tmp_path: Path) -> None:
    path = tmp_path / "cel.csv"
    path.write_text(HANGUP + HANGUP.rstrip() + ',"prohib_not_screened ","13055550100"\n' + HANGUP.rstrip() + ',"x"\n')
    page = read_cel(path)
    assert [(row.presentation, row.did) for row in page.rows] == [("", ""), ("prohib_not_screened ", "13055550100")]
    assert page.unreadable == 1


def test_a_line_that_is_still_being_written_is_left_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "cdr.csv"
    path.write_text(MISSED + MISSED[:50])
    first = read_cdr(path)
    assert len(first.rows) == 1
    path.write_text(MISSED * 2)
    second = read_cdr(path, first.offset)
    assert len(second.rows) == 1
    assert read_cdr(path, second.offset).rows == ()


def test_a_rotated_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "cdr.csv"
    path.write_text(MISSED * 3)
    offset = read_cdr(path).offset
    path.write_text(MISSED)
    assert len(read_cdr(path, offset).rows) == 1


def test_a_line_that_makes_no_sense_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cdr.csv"
    path.write_text(MISSED + "half a line\n" + MISSED.replace("1795479151.090496", "soon") + MISSED)
    page = read_cdr(path)
    assert (len(page.rows), page.unreadable) == (2, 2)


def test_no_file_yet_is_no_record_yet(tmp_path: Path) -> None:
    assert read_cel(tmp_path / "cel.csv").rows == ()


@given(st.lists(st.text(max_size=60), max_size=5))
def test_a_message_comes_back_as_it_was_whatever_it_holds(bodies: list[str]) -> None:
    def word(text: str) -> str:
        return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()

    lines = [f"1795479151.5 {word('sip:101@pbx')} {word('pjsip:1@pbx')} {word(body)}\n" for body in bodies]
    import tempfile

    with tempfile.NamedTemporaryFile("w") as file:
        file.write("".join(lines))
        file.flush()
        page = read_messages(Path(file.name))
    assert [message.body for message in page.rows] == bodies
    assert len({message.offset for message in page.rows}) == len(bodies)


@pytest.mark.parametrize("line", ["x", "1 a b", "soon YQ== YQ== YQ==", "1 YQ== YQ== !!"])
def test_a_damaged_line_in_the_spool_is_counted(tmp_path: Path, line: str) -> None:
    path = tmp_path / "messages.txt"
    path.write_text(line + "\n")
    assert read_messages(path).unreadable == 1


@given(st.binary(max_size=300), st.integers(0, 400))
def test_no_bytes_in_a_file_break_the_reader(data: bytes, offset: int) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        page = read_page(Path(file.name), offset, lambda line, at: (at, line))
        assert page.offset <= len(data)
