"""Joining the segments of inbound texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.encoding import Alphabet, encode
from sms_gateway.reassembly import Joined, Key, Reassembler, Segment
from sms_gateway.segments import Concatenation

CALLER, OFFICE = "+13055550123", "+13055550100"


def segment(
    index: int, data: bytes = b"x", *, total: int = 2, reference: int = 7, alphabet: Alphabet | None = Alphabet.GSM
) -> Segment:
    place = Concatenation(reference, total, index)
    return Segment(CALLER, OFFICE, alphabet, data, f"{reference}/{index}/{data.hex()}", place)


def test_a_text_of_one_segment_is_delivered_at_once() -> None:
    alone = Segment(CALLER, OFFICE, Alphabet.GSM, b"STOP", "f")
    assert Reassembler(10.0).add(alone, 0.0) == [Joined((alone,))]
    assert alone.key is None
    assert Joined((alone,)).complete


def test_one_of_one_is_a_text_of_one_segment() -> None:
    alone = segment(1, total=1)
    assert Reassembler(10.0).add(alone, 0.0) == [Joined((alone,))]


@given(st.permutations(range(1, 6)))
def test_segments_in_any_order_make_the_text(order: list[int]) -> None:
    reassembler = Reassembler(10.0)
    given_out = [joined for index in order for joined in reassembler.add(segment(index, b"%d" % index, total=5), 0.0)]
    assert [joined.body for joined in given_out] == ["12345"]
    assert given_out[0].complete
    assert reassembler.next_deadline() is None


def test_an_incomplete_text_is_given_out_when_its_patience_ends() -> None:
    reassembler = Reassembler(10.0)
    stop = segment(1, b"STOP ", total=3)
    assert reassembler.add(stop, 5.0) == []
    assert reassembler.add(segment(3, b"now", total=3), 9.0) == []
    assert reassembler.next_deadline() == 15.0
    assert reassembler.expire(14.9) == []
    (partial,) = reassembler.expire(15.0)
    assert (partial.body, partial.complete) == ("STOP now", False)
    assert reassembler.expire(99.0) == []


def test_a_segment_that_comes_twice_counts_once() -> None:
    reassembler = Reassembler(10.0)
    assert reassembler.add(segment(1), 0.0) == []
    assert reassembler.add(segment(1), 1.0) == []
    assert len(reassembler.add(segment(2), 2.0)) == 1


def test_a_reference_that_comes_round_again_begins_a_new_text() -> None:
    reassembler = Reassembler(10.0)
    reassembler.add(segment(1, b"old"), 0.0)
    (older,) = reassembler.add(segment(1, b"new"), 1.0)
    assert (older.body, older.complete) == ("old", False)
    (newer,) = reassembler.add(segment(2, b"er"), 2.0)
    assert newer.body == "newer"


def test_texts_of_different_people_and_references_are_not_mixed() -> None:
    assert segment(1).key == Key(CALLER, OFFICE, 7, 2)
    assert segment(1, reference=8).key != segment(1).key


def test_memory_is_bounded_by_giving_out_the_oldest_incomplete_text() -> None:
    reassembler = Reassembler(10.0, limit=2)
    for reference in (1, 2):
        assert reassembler.add(segment(1, reference=reference), float(reference)) == []
    (oldest,) = reassembler.add(segment(1, reference=3), 3.0)
    assert oldest.segments[0].key == Key(CALLER, OFFICE, 1, 2)
    assert reassembler.next_deadline() == 12.0


def test_characters_that_the_sender_cut_in_two_are_whole_again() -> None:
    octets = encode("ab😀cd", Alphabet.UCS2)
    halves = (segment(1, octets[:6], alphabet=Alphabet.UCS2), segment(2, octets[6:], alphabet=Alphabet.UCS2))
    assert Joined(halves).body == "ab😀cd"
    assert Joined((segment(1, b"a\x1b"), segment(2, b"\x65b"))).body == "a€b"


def test_segments_of_different_alphabets_are_read_each_in_its_own() -> None:
    parts = (
        segment(1, b"a\x00", total=3),
        segment(2, b"\xff\xfe", total=3, alphabet=None),
        segment(3, "ü".encode("utf-16-be"), total=3, alphabet=Alphabet.UCS2),
    )
    assert Joined(parts).body == "a@ü"
