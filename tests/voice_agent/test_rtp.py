"""RTP packets and their order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice_agent.rtp import Reorderer, RtpPacket

PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=200),
    marker=st.booleans(),
)


def packet(sequence: int, ssrc: int = 7) -> RtpPacket:
    return RtpPacket(0, sequence & 0xFFFF, sequence * 160, ssrc, bytes([sequence & 0xFF]))


def order(reorderer: Reorderer, *sequences: int, ssrc: int = 7) -> list[tuple[int, int]]:
    """Sequence numbers as they come out, with how many were lost before each."""
    out = [ordered for sequence in sequences for ordered in reorderer.push(packet(sequence, ssrc))]
    return [(ordered.packet.sequence, ordered.lost) for ordered in out]


@given(PACKETS)
def test_a_packet_survives_the_wire(sent: RtpPacket) -> None:
    assert RtpPacket.parse(sent.build()) == sent


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_a_value_error(data: bytes) -> None:
    try:
        found = RtpPacket.parse(data)
    except ValueError:
        return
    assert len(found.payload) <= len(data) - 12


def test_contributing_sources_extension_and_padding_are_no_payload() -> None:
    fixed = bytes.fromhex("b2 80 0001 00000002 00000003")  # padding, extension, two contributing sources, marker
    sources, extension = bytes(8), bytes.fromhex("beef 0001 01020304")
    data = fixed + sources + extension + b"sound" + bytes([0, 0, 3])
    assert RtpPacket.parse(data) == RtpPacket(0, 1, 2, 3, b"sound", marker=True)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("80 00 0001 00000002 000000", "expected 12 bytes at least, got 11"),
        ("40 00 0001 00000002 00000003", "expected version 2, got 1"),
        ("81 00 0001 00000002 00000003", "longer than the packet"),
        ("90 00 0001 00000002 00000003 beef", "extension is cut off"),
        ("90 00 0001 00000002 00000003 beef0002 01020304", "longer than the packet"),
        ("a0 00 0001 00000002 00000003 aabb 00", "longer than the packet"),
        ("a0 00 0001 00000002 00000003 aabb 04", "longer than the packet"),
    ],
)
def test_what_is_no_packet_is_refused_with_a_reason(data: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        RtpPacket.parse(bytes.fromhex(data))


def test_packets_in_order_go_on_at_once_round_the_end_of_the_numbers() -> None:
    assert order(Reorderer(), 65534, 65535, 65536, 65537) == [(65534, 0), (65535, 0), (0, 0), (1, 0)]


def test_a_packet_that_came_early_waits_for_the_one_before() -> None:
    assert order(Reorderer(), 1, 3, 2, 4) == [(1, 0), (2, 0), (3, 0), (4, 0)]


def test_a_lost_packet_is_given_up_when_others_wait() -> None:
    assert order(Reorderer(depth=3), 1, 4, 5, 6) == [(1, 0)]
    assert order(Reorderer(depth=3), 1, 4, 5, 6, 7) == [(1, 0), (4, 2), (5, 0), (6, 0), (7, 0)]


def test_late_and_doubled_packets_are_dropped() -> None:
    assert order(Reorderer(), 5, 6, 5, 4, 6, 7) == [(5, 0), (6, 0), (7, 0)]


def test_another_source_starts_anew() -> None:
    reorderer = Reorderer()
    order(reorderer, 100, 101)
    assert order(reorderer, 7, 8, ssrc=9) == [(7, 0), (8, 0)]


def test_a_jump_of_the_numbers_starts_anew() -> None:
    assert order(Reorderer(jump=100), 1, 5000, 5001, 2000) == [(1, 0), (5000, 0), (5001, 0), (2000, 0)]


@given(st.integers(0, 0xFFFF), st.lists(st.integers(0, 40), max_size=80))
def test_what_comes_out_only_ever_goes_forward(start: int, offsets: list[int]) -> None:
    reorderer = Reorderer()
    out = [sequence for offset in offsets for sequence, _ in order(reorderer, start + offset)]
    steps = [(later - earlier) & 0xFFFF for earlier, later in pairwise(out)]
    assert all(0 < step <= 40 for step in steps)
    assert len(out) <= len(set(offsets))
