"""The session against a model, over a wire that loses, delays and cuts answers as it pleases.

The SMSC here is a few lines over our own codec, which is enough for what is tested: whatever happens, every request has
exactly one outcome, and the outcome agrees with what the SMSC saw.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.events import Accepted, Arrived, Bound, Closed, Refusal, Unanswered
from sms_gateway.smpp.session import Session, State, Timing

TIMING = Timing(response=10.0, enquire=30.0, stop=5.0, window=4, inbound_window=3)


@dataclass
class Smsc:
    """What the other side has seen, and the answers that it has not given yet."""

    received: bytearray = field(default_factory=bytearray)
    answers: list[bytes] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    inbound_answers: dict[int, list[int]] = field(default_factory=dict)
    next_sequence: int = 1

    def take(self, data: bytes) -> None:
        self.received += data
        while len(self.received) >= 16:
            header = wire.read_header(self.received)
            if len(self.received) < header.length:
                return
            octets = bytes(self.received[: header.length])
            del self.received[: header.length]
            self.react(wire.decode(octets))

    def react(self, pdu: wire.Pdu) -> None:
        match pdu.body:
            case wire.BindTransceiver():
                self.answers.append(wire.encode(wire.BindTransceiverResp(system_id="smsc"), pdu.sequence))
            case wire.SubmitSm():
                self.texts[pdu.sequence] = f"id-{pdu.sequence}"
                refused = pdu.body.short_message == b"refuse"
                answer = wire.SubmitSmResp(message_id=self.texts[pdu.sequence])
                self.answers.append(wire.encode(answer, pdu.sequence, 0x58 if refused else 0))
            case wire.EnquireLink():
                self.answers.append(wire.encode(wire.EnquireLinkResp(), pdu.sequence))
            case wire.Unbind():
                self.answers.append(wire.encode(wire.UnbindResp(), pdu.sequence))
            case wire.DeliverSmResp():
                self.inbound_answers.setdefault(pdu.sequence, []).append(pdu.status)


class SessionMachine(RuleBasedStateMachine):
    """Time passes, requests are made, answers come, are lost, or come twice."""

    @initialize(first=st.sampled_from([1, wire.MAX_SEQUENCE - 2]))
    def connect(self, first: int) -> None:
        self.now = 0.0
        self.session = Session(wire.BindTransceiver(system_id="a", password="b"), TIMING, first_sequence=first)
        self.smsc = Smsc()
        self.asked: dict[int, bytes] = {}
        self.outcomes: dict[int, list[str]] = {}
        self.arrived: set[int] = set()
        self.told: dict[int, int] = {}
        self.closed = False
        self.session.start(0.0)
        self.smsc.take(self.session.data_to_send())
        self.session.receive_data(self.smsc.answers.pop(), 0.0)
        self.settle()

    def settle(self) -> None:
        """What the shell does after every input."""
        for event in self.session.events():
            assert not self.closed, f"{event} after the end"
            match event:
                case Bound():
                    assert self.session.state is State.BOUND
                case Accepted(sequence, message_id):
                    assert message_id == self.smsc.texts[sequence]
                    assert self.asked[sequence] == b"take"
                    self.end(sequence, "accepted")
                case Refusal(sequence, _):
                    assert self.asked[sequence] == b"refuse"
                    self.end(sequence, "refused")
                case Unanswered(sequence):
                    self.end(sequence, "in doubt")
                case Arrived(sequence, _):
                    self.arrived.add(sequence)
                case Closed():
                    self.closed = True
                    for sequence in event.in_doubt:
                        self.end(sequence, "in doubt")
                    for sequence in event.not_sent:
                        self.end(sequence, "not sent")

    def end(self, sequence: int, outcome: str) -> None:
        self.outcomes.setdefault(sequence, []).append(outcome)

    @rule()
    def hand_out(self) -> None:
        """The socket takes what there is."""
        self.smsc.take(self.session.data_to_send())

    @precondition(lambda self: self.session.ready)
    @rule(body=st.sampled_from([b"take", b"refuse"]))
    def ask(self, body: bytes) -> None:
        sequence = self.session.request(wire.SubmitSm(short_message=body), self.now)
        assert sequence not in self.asked
        assert 1 <= sequence <= wire.MAX_SEQUENCE
        self.asked[sequence] = body
        self.settle()

    @precondition(lambda self: self.smsc.answers)
    @rule(index=st.integers(0, 10), cut=st.integers(1, 40), twice=st.booleans())
    def answer(self, index: int, cut: int, twice: bool) -> None:
        octets = self.smsc.answers.pop(index % len(self.smsc.answers)) * (2 if twice else 1)
        self.session.receive_data(octets[:cut], self.now)
        self.settle()
        self.session.receive_data(octets[cut:], self.now)
        self.settle()

    @precondition(lambda self: self.smsc.answers)
    @rule(index=st.integers(0, 10))
    def lose(self, index: int) -> None:
        self.smsc.answers.pop(index % len(self.smsc.answers))

    @rule(seconds=st.sampled_from([0.5, 0.5, 4.0, 6.0, 11.0, 31.0]))
    def pass_time(self, seconds: float) -> None:
        """A shell with one timer: it wakes at every deadline on the way."""
        end = self.now + seconds
        while (deadline := self.session.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.session.handle_timer(self.now)
            self.settle()
            later = self.session.next_deadline()
            assert later is None or later > self.now, "a deadline that is never met"
        self.now = end

    @rule()
    def deliver(self) -> None:
        sequence = self.smsc.next_sequence
        self.smsc.next_sequence += 1
        self.session.receive_data(wire.encode(wire.DeliverSm(short_message=b"x"), sequence), self.now)
        self.settle()

    @precondition(lambda self: self.arrived)
    @rule(code=st.sampled_from([0x00, 0x08, 0x14]))
    def store(self, code: int) -> None:
        sequence = min(self.arrived)
        self.arrived.remove(sequence)
        self.told[sequence] = code
        self.session.answer(sequence, code, self.now)
        self.settle()

    @precondition(lambda self: len(self.asked) >= 4)
    @rule()
    def stop(self) -> None:
        self.session.unbind(self.now)
        self.settle()

    @precondition(lambda self: len(self.asked) >= 4)
    @rule()
    def peer_unbinds(self) -> None:
        self.session.receive_data(wire.encode(wire.Unbind(), 777), self.now)
        self.settle()

    @precondition(lambda self: len(self.asked) >= 4)
    @rule()
    def break_the_connection(self) -> None:
        self.session.connection_lost("cut")
        self.settle()

    @invariant()
    def every_request_has_at_most_one_outcome_and_one_at_the_end(self) -> None:
        assert all(len(outcomes) == 1 for outcomes in self.outcomes.values())
        if self.closed:
            assert self.outcomes.keys() == self.asked.keys()
            assert self.session.state is State.CLOSED
            assert self.session.next_deadline() is None

    @invariant()
    def what_is_open_is_what_has_no_outcome_and_fits_the_window(self) -> None:
        assert self.session.outstanding == len(self.asked) - len(self.outcomes)
        assert self.session.outstanding <= TIMING.window

    @invariant()
    def what_was_never_sent_was_never_seen(self) -> None:
        never = {sequence for sequence, outcomes in self.outcomes.items() if outcomes == ["not sent"]}
        assert not never & self.smsc.texts.keys()

    @invariant()
    def a_message_is_acknowledged_only_as_we_said(self) -> None:
        for sequence, codes in self.smsc.inbound_answers.items():
            assert len(codes) == 1
            if sequence in self.told:
                assert codes == [self.told[sequence]]
            else:
                assert codes[0] in {0x04, 0x14}, "acknowledged before it was stored"

    def teardown(self) -> None:
        """However it went, it comes to an end in bounded time once the peer falls silent."""
        if hasattr(self, "session"):
            self.session.unbind(self.now)
            self.settle()
            self.pass_time(60.0)
            assert self.closed
            self.every_request_has_at_most_one_outcome_and_one_at_the_end()


TestSession = SessionMachine.TestCase
TestSession.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
