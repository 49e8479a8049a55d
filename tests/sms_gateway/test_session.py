"""The session: what goes in, what comes out, and when."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.errors import PduError
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.events import (
    Accepted,
    Arrived,
    Bound,
    Closed,
    CloseReason,
    Event,
    Oddity,
    Queried,
    Refusal,
    Unanswered,
)
from sms_gateway.smpp.session import Session, State, Timing

BIND = wire.BindTransceiver(system_id="ringback", password="secret")
TEXT = wire.SubmitSm(source_addr="100", destination_addr="200", short_message=b"hi")
QUERY = wire.QuerySm(message_id="a1")
TIMING = Timing(response=10.0, enquire=30.0, stop=5.0, window=3, inbound_window=2)


def taken(session: Session) -> list[tuple[int, int, int]]:
    """What was sent since the last look: command, status, sequence."""
    data, out = session.data_to_send(), []
    while data:
        header = wire.read_header(data)
        pdu = wire.decode(data[: header.length])
        out.append((pdu.command_id, pdu.status, pdu.sequence))
        data = data[header.length :]
    return out


def give(session: Session, body: wire.Body, sequence: int, now: float = 0.0, status: int = 0) -> list[Event]:
    session.receive_data(wire.encode(body, sequence, status), now)
    return session.events()


def bound(timing: Timing = TIMING, *, first_sequence: int = 1) -> Session:
    """A session that was bound at time 0, its events and octets taken."""
    session = Session(BIND, timing, first_sequence=first_sequence)
    session.start(0.0)
    ((_, _, sequence),) = taken(session)
    assert give(session, wire.BindTransceiverResp(system_id="smsc"), sequence) == [Bound("smsc")]
    return session


def closed(session: Session) -> Closed:
    (event,) = session.events()
    assert isinstance(event, Closed)
    assert session.state is State.CLOSED
    assert session.next_deadline() is None
    return event


# ------------------------------------------------------------------------------------------------------------- binding


def test_nothing_is_due_before_the_connection_stands() -> None:
    session = Session(BIND, TIMING)
    assert session.next_deadline() is None
    assert session.data_to_send() == b""


@pytest.mark.parametrize(
    ("request_kind", "answer_kind"),
    [
        (wire.BindTransceiver, wire.BindTransceiverResp),
        (wire.BindTransmitter, wire.BindTransmitterResp),
        (wire.BindReceiver, wire.BindReceiverResp),
    ],
)
def test_a_session_binds_in_each_of_three_ways(request_kind: type[wire.Bind], answer_kind: type[wire.BindResp]) -> None:
    session = Session(request_kind(system_id="ringback", password="secret"), TIMING)
    session.start(0.0)
    assert taken(session) == [(request_kind.command_id, 0, 1)]
    assert session.state is State.BINDING
    assert not session.ready
    assert session.next_deadline() == 10.0
    assert give(session, answer_kind(system_id="smsc"), 1) == [Bound("smsc")]
    assert session.ready


def test_a_bind_that_is_refused_closes_with_the_status() -> None:
    session = Session(BIND, TIMING)
    session.start(0.0)
    (event,) = give(session, wire.BindTransceiverResp(), 1, status=0x0E)
    assert event == Closed(CloseReason.BIND_REFUSED, "ESME_RINVPASWD", 0x0E, (), ())


def test_a_bind_answered_by_generic_nack_is_refused() -> None:
    session = Session(BIND, TIMING)
    session.start(0.0)
    (event,) = give(session, wire.GenericNack(), 1)
    assert isinstance(event, Closed)
    assert (event.reason, event.status) == (CloseReason.BIND_REFUSED, 0x03)


def test_a_bind_without_an_answer_closes() -> None:
    session = Session(BIND, TIMING)
    session.start(0.0)
    session.handle_timer(9.9)
    assert session.events() == []
    session.handle_timer(10.0)
    assert closed(session).reason is CloseReason.SILENT


def test_a_bind_whose_answer_cannot_be_read_but_says_yes_is_bound() -> None:
    session = Session(BIND, TIMING)
    session.start(0.0)
    session.receive_data(struct.pack(">IIII", 18, 0x80000009, 0, 1) + b"xx", 0.0)
    odd, event = session.events()
    assert isinstance(odd, Oddity)
    assert event == Bound("")


def test_stopping_before_the_bind_is_answered_closes_at_once() -> None:
    for started in (False, True):
        session = Session(BIND, TIMING)
        if started:
            session.start(0.0)
        session.unbind(1.0)
        assert closed(session).reason is CloseReason.STOPPED


def test_a_message_before_the_bind_is_answered_is_refused() -> None:
    session = Session(BIND, TIMING)
    session.start(0.0)
    taken(session)
    assert give(session, wire.DeliverSm(), 9) == []
    assert taken(session) == [(0x80000005, 0x04, 9)]


def test_the_peer_may_unbind_before_it_has_answered_the_bind() -> None:
    session = Session(BIND, TIMING)
    session.start(0.0)
    taken(session)
    (event,) = give(session, wire.Unbind(), 9)
    assert isinstance(event, Closed)
    assert event.reason is CloseReason.PEER_UNBOUND
    assert taken(session) == [(0x80000006, 0, 9)]


# ------------------------------------------------------------------------------------------------------------ requests


def test_a_submit_is_answered_with_the_carriers_id() -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    assert taken(session) == [(0x04, 0, sequence)]
    assert session.outstanding == 1
    assert give(session, wire.SubmitSmResp(message_id="a1"), sequence, 1.1) == [Accepted(sequence, "a1")]
    assert session.outstanding == 0


@pytest.mark.parametrize("status", [0x58, 0x14, 0x0B, 0x08])
def test_a_submit_that_is_not_taken_tells_the_status(status: int) -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    assert give(session, wire.SubmitSmResp(), sequence, 1.1, status) == [Refusal(sequence, status)]


@pytest.mark.parametrize(("status", "told"), [(0x02, 0x02), (0x00, 0x03)])
def test_a_generic_nack_is_a_refusal_even_if_its_status_says_otherwise(status: int, told: int) -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    assert give(session, wire.GenericNack(), sequence, 1.1, status) == [Refusal(sequence, told)]


def test_answers_in_any_order_find_their_requests() -> None:
    session = bound()
    first, second, third = (session.request(TEXT, 1.0) for _ in range(3))
    events = [
        *give(session, wire.SubmitSmResp(message_id="c"), third),
        *give(session, wire.SubmitSmResp(message_id="a"), first),
        *give(session, wire.SubmitSmResp(message_id="b"), second),
    ]
    assert events == [Accepted(third, "c"), Accepted(first, "a"), Accepted(second, "b")]


def test_the_window_bounds_what_is_open() -> None:
    session = bound()
    first, *_ = (session.request(TEXT, 1.0) for _ in range(3))
    assert not session.ready
    with pytest.raises(RuntimeError, match="no request can be taken: bound, 3 open"):
        session.request(TEXT, 1.0)
    give(session, wire.SubmitSmResp(message_id="a"), first)
    assert session.ready


def test_a_text_that_cannot_be_encoded_changes_nothing() -> None:
    session = bound()
    with pytest.raises(PduError):
        session.request(wire.SubmitSm(source_addr="1" * 99), 1.0)
    assert (session.outstanding, session.data_to_send()) == (0, b"")
    assert session.request(TEXT, 1.0) == 2


def test_a_query_is_answered_or_refused() -> None:
    session = bound()
    sequence = session.request(QUERY, 1.0)
    answer = wire.QuerySmResp(message_id="a1", message_state=2)
    assert give(session, answer, sequence) == [Queried(sequence, answer)]
    sequence = session.request(QUERY, 1.0)
    assert give(session, wire.QuerySmResp(), sequence, status=0x67) == [Refusal(sequence, 0x67)]


def test_sequence_numbers_wrap_and_leave_out_the_open_ones() -> None:
    session = bound(first_sequence=wire.MAX_SEQUENCE - 1)
    last = session.request(TEXT, 1.0)
    first = session.request(TEXT, 1.0)
    assert (last, first) == (wire.MAX_SEQUENCE, 1)
    again = Session(BIND, TIMING, first_sequence=wire.MAX_SEQUENCE)
    again.start(0.0)
    give(again, wire.BindTransceiverResp(), wire.MAX_SEQUENCE)
    assert [again.request(TEXT, 1.0) for _ in range(2)] == [1, 2]


def test_a_number_that_is_still_open_is_not_given_out_again() -> None:
    session = bound(first_sequence=wire.MAX_SEQUENCE)
    held = session.request(TEXT, 1.0)
    session._next_sequence = held
    assert session.request(TEXT, 1.0) == held + 1


@pytest.mark.parametrize(
    "stray",
    [
        wire.encode(wire.SubmitSmResp(message_id="x"), 99),
        wire.encode(wire.EnquireLinkResp(), 2),  # the number of the open submit, of another kind
        wire.encode(wire.GenericNack(), 0, 3),
        wire.encode(wire.BindTransceiverResp(), 1),
        wire.encode(wire.UnbindResp(), 1),
    ],
    ids=["unknown", "other kind", "nack of nothing", "second bind answer", "unbind answer"],
)
def test_an_answer_to_nothing_is_reported_and_changes_nothing(stray: bytes) -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    session.receive_data(stray, 1.0)
    (event,) = session.events()
    assert isinstance(event, Oddity)
    assert "late, or never asked for" in event.detail
    assert give(session, wire.SubmitSmResp(message_id="a"), sequence) == [Accepted(sequence, "a")]


@pytest.mark.parametrize(("status", "event"), [(0, Accepted(2, "")), (0x0B, Refusal(2, 0x0B))])
def test_of_an_unreadable_answer_to_a_submit_the_status_counts(status: int, event: Event) -> None:
    session = bound()
    session.request(TEXT, 1.0)
    session.receive_data(struct.pack(">IIII", 18, 0x80000004, status, 2) + b"no", 1.0)
    odd, answered = session.events()
    assert isinstance(odd, Oddity)
    assert "message_id at octet 16: no NUL before the PDU ends" in odd.detail
    assert answered == event


def test_an_unreadable_answer_to_a_query_is_a_refusal_and_to_nothing_an_oddity() -> None:
    session = bound()
    sequence = session.request(QUERY, 1.0)
    session.receive_data(struct.pack(">IIII", 18, 0x80000003, 0, sequence) + b"no", 1.0)
    assert session.events()[1:] == [Refusal(sequence, 0x02)]
    session.receive_data(struct.pack(">IIII", 18, 0x80000003, 0, 77) + b"no", 1.0)
    (event,) = session.events()
    assert isinstance(event, Oddity)


# --------------------------------------------------------------------------------------------------------------- doubt


def test_an_unanswered_request_is_in_doubt_and_the_others_are_still_awaited() -> None:
    session = bound()
    lost, late = session.request(TEXT, 1.0), session.request(TEXT, 4.0)
    taken(session)
    session.handle_timer(11.0)
    assert session.events() == [Unanswered(lost)]
    assert session.state is State.DRAINING
    assert not session.ready
    assert session.next_deadline() == 14.0
    assert give(session, wire.SubmitSmResp(message_id="b"), late, 12.0) == [
        Accepted(late, "b"),
        Closed(CloseReason.UNANSWERED, "no answer to a request within 10 s", 0, (), ()),
    ]


def test_when_nobody_answers_every_request_is_in_doubt_in_its_own_time() -> None:
    session = bound()
    first, second = session.request(TEXT, 1.0), session.request(TEXT, 4.0)
    taken(session)
    session.handle_timer(11.0)
    session.handle_timer(14.0)
    *unanswered, last = session.events()
    assert unanswered == [Unanswered(first), Unanswered(second)]
    assert isinstance(last, Closed)
    assert (last.reason, last.in_doubt) == (CloseReason.UNANSWERED, ())


def test_a_late_answer_is_reported_and_changes_nothing() -> None:
    session = bound()
    lost = session.request(TEXT, 1.0)
    session.request(TEXT, 4.0)
    taken(session)
    session.handle_timer(11.0)
    session.events()
    (event,) = give(session, wire.SubmitSmResp(message_id="a"), lost, 11.5)
    assert isinstance(event, Oddity)


def test_when_the_connection_breaks_what_was_handed_out_is_in_doubt_and_the_rest_was_never_sent() -> None:
    session = bound()
    handed = session.request(TEXT, 1.0)
    taken(session)
    kept = session.request(TEXT, 2.0)
    session.connection_lost("reset by peer")
    assert closed(session) == Closed(CloseReason.LOST, "reset by peer", 0, (handed,), (kept,))
    assert session.data_to_send() == b""  # or a text that was never sent would be


def test_a_broken_connection_breaks_once() -> None:
    session = bound()
    session.connection_lost("reset by peer")
    closed(session)
    session.connection_lost("again")
    session.handle_timer(99.0)
    session.unbind(99.0)
    session.receive_data(wire.encode(wire.EnquireLink(), 5), 99.0)
    assert session.events() == []


def test_a_link_that_breaks_while_it_drains_closes_for_the_first_reason() -> None:
    session = bound()
    session.request(TEXT, 1.0)
    taken(session)
    session.unbind(2.0)
    session.connection_lost("reset by peer")
    event = closed(session)
    assert (event.reason, event.in_doubt) == (CloseReason.STOPPED, (2,))


# ------------------------------------------------------------------------------------------------------- enquire_link


def test_silence_is_broken_by_enquire_link_and_an_answer_keeps_the_link() -> None:
    session = bound()
    assert session.next_deadline() == 30.0
    session.handle_timer(30.0)
    assert taken(session) == [(0x15, 0, 2)]
    assert give(session, wire.EnquireLinkResp(), 2, 31.0) == []
    assert session.next_deadline() == 61.0


def test_a_carrier_that_does_not_know_enquire_link_is_alive_all_the_same() -> None:
    session = bound()
    session.handle_timer(30.0)
    assert give(session, wire.GenericNack(), 2, 31.0, 3) == []
    assert session.state is State.BOUND


def test_an_enquire_link_without_an_answer_closes_at_once() -> None:
    session = bound()
    session.handle_timer(30.0)
    sequence = session.request(TEXT, 31.0)
    taken(session)
    session.handle_timer(40.0)
    event = closed(session)
    assert (event.reason, event.in_doubt) == (CloseReason.SILENT, (sequence,))


def test_a_byte_at_a_time_is_silence_until_a_pdu_is_whole() -> None:
    session = bound()
    for second, octet in enumerate(wire.encode(wire.DeliverSm(), 9)[:29]):
        session.receive_data(bytes([octet]), float(second))
    session.handle_timer(30.0)
    assert taken(session) == [(0x15, 0, 2)]


def test_one_question_at_a_time() -> None:
    session = bound(Timing(response=100.0, enquire=30.0, stop=5.0))
    session.handle_timer(30.0)
    session.handle_timer(60.0)
    assert taken(session) == [(0x15, 0, 2)]
    assert session.next_deadline() == 90.0


def test_the_peers_enquire_link_is_always_answered() -> None:
    session = bound()
    give(session, wire.EnquireLink(), 0x7FFFFFFF)
    assert taken(session) == [(0x80000015, 0, 0x7FFFFFFF)]


# ------------------------------------------------------------------------------------------------------------- inbound


@pytest.mark.parametrize(
    ("body", "answer"), [(wire.DeliverSm(short_message=b"STOP"), 0x80000005), (wire.DataSm(), 0x80000103)]
)
@pytest.mark.parametrize("status", [0x00, 0x08])
def test_a_message_is_answered_when_and_as_we_say(body: wire.DeliverSm | wire.DataSm, answer: int, status: int) -> None:
    session = bound()
    assert give(session, body, 9) == [Arrived(9, body)]
    assert taken(session) == []
    session.answer(9, status, 1.0)
    assert taken(session) == [(answer, status, 9)]
    session.answer(9, status, 1.0)
    assert taken(session) == []


def test_more_messages_than_we_can_hold_are_asked_to_come_again() -> None:
    session = bound()
    for sequence in (1, 2):
        give(session, wire.DeliverSm(), sequence)
    assert give(session, wire.DeliverSm(), 3) == []
    assert taken(session) == [(0x80000005, 0x14, 3)]


def test_a_repeated_number_is_not_a_second_message() -> None:
    session = bound()
    give(session, wire.DeliverSm(), 1)
    (event,) = give(session, wire.DeliverSm(), 1)
    assert isinstance(event, Oddity)
    session.answer(1, 0, 1.0)
    assert len(taken(session)) == 1


@pytest.mark.parametrize(("command_id", "answer"), [(0x05, 0x80000005), (0x103, 0x80000103)])
def test_an_unreadable_message_is_refused_with_the_reason(command_id: int, answer: int) -> None:
    session = bound()
    session.receive_data(struct.pack(">IIII", 18, command_id, 0, 7) + b"xx", 1.0)
    (event,) = session.events()
    assert isinstance(event, Oddity)
    assert "service_type at octet 16" in event.detail
    assert taken(session) == [(answer, 0x02, 7)]


@pytest.mark.parametrize("command_id", [0x21, 0x07, 0x112])
def test_an_unknown_request_gets_a_generic_nack(command_id: int) -> None:
    session = bound()
    session.receive_data(struct.pack(">IIII", 16, command_id, 0, 7), 1.0)
    assert taken(session) == [(0x80000000, 0x03, 7)]


def test_an_unknown_response_is_reported_and_not_answered() -> None:
    session = bound()
    session.receive_data(struct.pack(">IIII", 16, 0x80000021, 0, 7), 1.0)
    (event,) = session.events()
    assert isinstance(event, Oddity)
    assert taken(session) == []


def test_what_an_esme_is_not_asked_gets_a_generic_nack() -> None:
    session = bound()
    (event,) = give(session, TEXT, 7)
    assert event == Oddity("the peer asked 0x00000004 of an ESME")
    assert taken(session) == [(0x80000000, 0x03, 7)]


def test_alerts_and_outbind_are_tolerated() -> None:
    session = bound()
    assert give(session, wire.AlertNotification(), 7) == []
    (event,) = give(session, wire.Outbind(), 8)
    assert isinstance(event, Oddity)
    assert taken(session) == []
    assert session.state is State.BOUND


# ------------------------------------------------------------------------------------------------------------- framing


@pytest.mark.parametrize("length", [0, 15, 65_537, 0x48545450])
def test_a_length_that_no_pdu_has_ends_the_session_because_the_next_pdu_cannot_be_found(length: int) -> None:
    session = bound()
    session.request(TEXT, 1.0)
    taken(session)
    session.receive_data(struct.pack(">IIII", length, 0x80000015, 0, 7) + b"more", 1.0)
    event = closed(session)
    assert (event.reason, event.in_doubt) == (CloseReason.PROTOCOL, (2,))
    assert f"command_length at octet 0: {length} is not between 16 and 65536" in event.detail
    assert taken(session) == [(0x80000000, 0x02, 0)]


CONVERSATION = b"".join(
    [
        wire.encode(wire.SubmitSmResp(message_id="a1"), 2),
        wire.encode(wire.DeliverSm(short_message=b"STOP"), 1),
        wire.encode(wire.EnquireLink(), 2),
        wire.encode(wire.SubmitSmResp(), 3, 0x58),
        struct.pack(">IIII", 16, 0x21, 0, 3),
        wire.encode(wire.DeliverSm(esm_class=4, short_message=b"id:a1 stat:DELIVRD"), 4),
        wire.encode(wire.SubmitSmResp(message_id="x"), 99),
        wire.encode(wire.Unbind(), 5),
    ]
)


def played(chunks: list[bytes]) -> tuple[list[Event], bytes]:
    session = bound()
    session.request(TEXT, 1.0)
    session.request(TEXT, 1.0)
    session.data_to_send()
    events: list[Event] = []
    for chunk in chunks:
        session.receive_data(chunk, 2.0)
        events += session.events()
    return events, session.data_to_send()


def test_byte_by_byte_is_the_same_conversation() -> None:
    assert played([bytes([octet]) for octet in CONVERSATION]) == played([CONVERSATION])


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
def test_cut_anywhere_it_is_the_same_conversation(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(CONVERSATION)]
    chunks = [CONVERSATION[start:end] for start, end in pairwise(places)]
    assert played(chunks) == played([CONVERSATION])


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_octets_whatever_raise_anything(chunks: list[bytes]) -> None:
    session = bound()
    session.request(TEXT, 1.0)
    for chunk in chunks:
        session.receive_data(chunk, 2.0)
    session.handle_timer(100.0)
    session.events()
    session.data_to_send()


# ------------------------------------------------------------------------------------------------------------ stopping


def test_stopping_with_nothing_open_unbinds_and_closes_on_the_answer() -> None:
    session = bound()
    session.unbind(1.0)
    assert taken(session) == [(0x06, 0, 2)]
    assert session.next_deadline() == 6.0
    (event,) = give(session, wire.UnbindResp(), 2, 1.1)
    assert event == Closed(CloseReason.STOPPED, "we unbound", 0, (), ())


def test_stopping_waits_for_open_answers_both_ways() -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    give(session, wire.DeliverSm(), 9, 1.0)
    taken(session)
    session.unbind(1.5)
    assert taken(session) == []
    assert session.next_deadline() == 6.5
    assert give(session, wire.SubmitSmResp(message_id="a"), sequence, 2.0) == [Accepted(sequence, "a")]
    assert taken(session) == []
    session.answer(9, 0, 3.0)
    assert taken(session) == [(0x80000005, 0, 9), (0x06, 0, 3)]


def test_stopping_does_not_wait_for_ever() -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    taken(session)
    session.unbind(1.5)
    session.handle_timer(6.5)
    assert taken(session) == [(0x06, 0, 3)]
    session.handle_timer(11.0)  # the submit is overdue, while the unbind is not
    assert session.events() == [Unanswered(sequence)]
    session.handle_timer(11.5)
    assert closed(session).reason is CloseReason.STOPPED


def test_an_unbind_that_is_not_answered_in_the_time_for_answers_closes() -> None:
    session = bound(Timing(response=2.0, enquire=30.0, stop=5.0))
    session.unbind(1.0)
    session.handle_timer(3.0)
    assert closed(session).reason is CloseReason.STOPPED


def test_an_answer_while_unbinding_is_still_an_answer() -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    taken(session)
    session.unbind(1.5)
    session.handle_timer(6.5)
    assert give(session, wire.SubmitSmResp(message_id="a"), sequence, 7.0) == [Accepted(sequence, "a")]
    assert session.state is State.UNBINDING


def test_stopping_twice_is_stopping_once() -> None:
    session = bound()
    session.unbind(1.0)
    session.unbind(2.0)
    assert len(taken(session)) == 1


def test_the_peers_unbind_is_answered_after_what_is_open() -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    taken(session)
    assert give(session, wire.Unbind(), 9, 1.5) == []
    assert not session.ready
    assert taken(session) == []
    accepted, end = give(session, wire.SubmitSmResp(message_id="a"), sequence, 2.0)
    assert accepted == Accepted(sequence, "a")
    assert isinstance(end, Closed)
    assert end.reason is CloseReason.PEER_UNBOUND
    assert taken(session) == [(0x80000006, 0, 9)]


def test_the_peers_unbind_is_answered_within_a_limit_and_the_rest_is_in_doubt() -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    taken(session)
    give(session, wire.Unbind(), 9, 1.5)
    session.handle_timer(6.5)
    event = closed(session)
    assert (event.reason, event.in_doubt) == (CloseReason.PEER_UNBOUND, (sequence,))
    assert taken(session) == [(0x80000006, 0, 9)]


def test_both_may_unbind_at_once() -> None:
    session = bound()
    session.unbind(1.0)
    taken(session)
    (event,) = give(session, wire.Unbind(), 9, 1.1)
    assert isinstance(event, Closed)
    assert event.reason is CloseReason.STOPPED
    assert taken(session) == [(0x80000006, 0, 9)]


def test_the_peer_may_unbind_while_we_drain() -> None:
    session = bound()
    sequence = session.request(TEXT, 1.0)
    taken(session)
    session.unbind(1.5)
    give(session, wire.Unbind(), 9, 2.0)
    session.events()
    (_, event) = give(session, wire.SubmitSmResp(message_id="a"), sequence, 2.5)
    assert isinstance(event, Closed)
    assert taken(session) == [(0x80000006, 0, 9)]


def test_a_request_that_is_overdue_while_we_stop_ends_the_drain() -> None:
    session = bound(Timing(response=2.0, enquire=30.0, stop=50.0))
    sequence = session.request(TEXT, 1.0)
    taken(session)
    session.unbind(1.5)
    session.handle_timer(3.0)
    assert session.events() == [Unanswered(sequence)]
    assert taken(session) == [(0x06, 0, 3)]
