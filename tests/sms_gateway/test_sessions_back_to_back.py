"""Two sessions, one after the other: the second begins with the same numbers while the first one's answers are still on
their way, or never come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from hypothesis import given
from hypothesis import strategies as st

from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp.events import Accepted, Bound, Closed, Unanswered
from sms_gateway.smpp.session import Session, Timing

TIMING = Timing(response=10.0, enquire=1000.0, stop=5.0, window=10, inbound_window=3)


class Answer(Enum):
    """What becomes of the SMSC's answer to a text."""

    IN_TIME = "in time"
    LATE = "late"
    """It comes when the session is over, and the next one is bound."""
    LOST = "lost"


@dataclass
class Life:
    """One session from its bind on, with what it has said of each text."""

    name: str
    began: float
    session: Session = field(default_factory=lambda: Session(wire.BindTransceiver(system_id="a", password="b"), TIMING))
    outcomes: dict[int, list[str]] = field(default_factory=dict)
    sequences: list[int] = field(default_factory=list)
    over: bool = False

    def bind(self) -> None:
        self.session.start(self.began)
        self.session.data_to_send()
        self.hear(wire.encode(wire.BindTransceiverResp(system_id="smsc"), 1))

    def hear(self, octets: bytes) -> None:
        self.session.receive_data(octets, self.began + 1.0)
        self.note()

    def text(self, count: int) -> None:
        for number in range(count):
            body = wire.SubmitSm(short_message=f"{self.name} {number}".encode())
            self.sequences.append(self.session.request(body, self.began))
        self.session.data_to_send()

    def answer(self, number: int) -> bytes:
        """The SMSC's, to one of the texts."""
        sequence = self.sequences[number]
        return wire.encode(wire.SubmitSmResp(message_id=f"{self.name}-{number}"), sequence)

    def time_out(self) -> None:
        self.session.handle_timer(self.began + TIMING.response)
        self.note()

    def break_off(self) -> None:
        if not self.over:
            self.session.connection_lost("the link is gone")
            self.note()

    def note(self) -> None:
        for event in self.session.events():
            assert not self.over, f"{event} after the end"
            match event:
                case Accepted(sequence, message_id):
                    self.outcomes.setdefault(sequence, []).append(message_id)
                case Unanswered(sequence):
                    self.outcomes.setdefault(sequence, []).append("in doubt")
                case Closed():
                    self.over = True
                    for sequence in (*event.in_doubt, *event.not_sent):
                        self.outcomes.setdefault(sequence, []).append("in doubt")
                case Bound():
                    pass

    def expected(self, answers: list[Answer]) -> dict[int, list[str]]:
        return {
            sequence: [f"{self.name}-{number}" if answer is Answer.IN_TIME else "in doubt"]
            for number, (sequence, answer) in enumerate(zip(self.sequences, answers, strict=True))
        }


PLAN = st.lists(st.sampled_from(Answer), min_size=1, max_size=5)


@given(first=PLAN, second=PLAN, timed_out=st.booleans())
def test_each_text_has_the_one_outcome_that_its_own_session_saw(
    first: list[Answer], second: list[Answer], timed_out: bool
) -> None:
    """timed_out: the first session ends because an answer did not come in time, and not because the link broke."""
    before, after = Life("before", 0.0), Life("after", 20.0)
    before.bind()
    before.text(len(first))
    for number, answer in enumerate(first):
        if answer is Answer.IN_TIME:
            before.hear(before.answer(number))
    if timed_out:
        before.time_out()
    before.break_off()
    assert before.over

    after.bind()
    after.text(len(second))
    assert after.sequences[0] == before.sequences[0], "numbers begin anew: SMPP 3.4 section 3.2"
    for number, answer in enumerate(first):
        if answer is Answer.LATE:
            before.hear(before.answer(number))
    assert after.outcomes == {}, "what the first one's link brings is not the second one's"
    for number, answer in enumerate(second):
        if answer is Answer.IN_TIME:
            after.hear(after.answer(number))
    after.time_out()
    after.break_off()
    for number, answer in enumerate(second):
        if answer is Answer.LATE:
            after.hear(after.answer(number))

    assert before.outcomes == before.expected(first)
    assert after.outcomes == after.expected(second)
