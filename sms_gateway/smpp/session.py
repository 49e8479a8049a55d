"""One SMPP session, from bind to close, without sockets and without a clock. Pure.

Octets and ``now`` go in; events, octets and the next deadline come out. The rules:

* A session is used once: CONNECTED → BINDING → BOUND → DRAINING → UNBINDING → CLOSED, and nothing leads back.
* Every request that we send has one response timer. A request that is not answered in time is *in doubt*, and the
  session takes no further requests: it waits for the other answers, each within its own time, and closes. A peer that
  loses one answer is not trusted with another question, and the questions already asked are not thrown away.
* When the session closes, every request whose octets were handed out is in doubt, and the others were never sent.
* A response that answers nothing (late, unknown, of the wrong kind) is reported and changes nothing.
* An inbound message is answered only by ``answer``. Silence on the way in is broken by enquire_link.
* Stopping, on our side or the peer's, drains first: no new requests, open answers awaited up to a limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sms_gateway.errors import PduError
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp import status
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

_NO_SEQUENCE = 0


class State(Enum):
    """Where the session is. Requests are taken in BOUND only."""

    CONNECTED = "connected"
    BINDING = "binding"
    BOUND = "bound"
    DRAINING = "draining"
    UNBINDING = "unbinding"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Timing:
    """Limits in seconds, and counts.

    response: for every answer. enquire: silence before we ask. stop: for draining.
    window: our requests open at once. inbound_window: the peer's messages open at once; beyond it, they are refused
    with ESME_RMSGQFUL and come again.
    """

    response: float = 10.0
    enquire: float = 30.0
    stop: float = 5.0
    window: int = 10
    inbound_window: int = 100


@dataclass(slots=True)
class _Request:
    """A request of ours without an answer. unsent: its octets, until they are handed out."""

    body: wire.Body
    deadline: float
    unsent: bytes | None


class Session:
    """See the module's docstring. Times are seconds of any one clock that never goes back."""

    def __init__(self, bind: wire.Bind, timing: Timing, *, first_sequence: int = 1) -> None:
        self._bind = bind
        self._timing = timing
        self._next_sequence = first_sequence
        self._state = State.CONNECTED
        self._received = bytearray()
        self._outgoing: list[bytes] = []
        self._events: list[Event] = []
        self._open: dict[int, _Request] = {}
        self._submits = 0
        self._inbound: dict[int, type[wire.Body]] = {}
        self._idle_since = 0.0
        self._closing: tuple[CloseReason, str] | None = None
        self._drain_deadline = 0.0
        self._peer_unbind: int | None = None

    # ------------------------------------------------------------------------------------------------------- outputs

    @property
    def state(self) -> State:
        """Where the session is."""
        return self._state

    @property
    def outstanding(self) -> int:
        """Submits and queries without an answer."""
        return self._submits

    @property
    def ready(self) -> bool:
        """Whether ``request`` is possible now: bound, and the window has room."""
        return self._state is State.BOUND and self._submits < self._timing.window

    def events(self) -> list[Event]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Octets for the peer. Taking them hands them over: their requests can be in doubt from now on."""
        if not self._outgoing:
            return b""
        for request in reversed(self._open.values()):
            if request.unsent is None:
                break
            request.unsent = None
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        return data

    def next_deadline(self) -> float | None:
        """When ``handle_timer`` must be called; None once closed."""
        if self._state in {State.CONNECTED, State.CLOSED}:
            return None
        # Every request has the same patience, so the oldest is due first.
        due = [request.deadline for request in list(self._open.values())[:1]]
        if self._state is State.BOUND:
            due.append(self._idle_since + self._timing.enquire)
        elif self._state is not State.BINDING:
            due.append(self._drain_deadline)
        return min(due)

    # -------------------------------------------------------------------------------------------------------- inputs

    def start(self, now: float) -> None:
        """The connection stands: bind."""
        assert self._state is State.CONNECTED
        self._state = State.BINDING
        self._idle_since = now
        self._issue(self._bind, now)

    def request(self, body: wire.SubmitSm | wire.QuerySm, now: float) -> int:
        """Send a request; its sequence number. Raises PduError, and RuntimeError unless ``ready``."""
        if not self.ready:
            raise RuntimeError(f"no request can be taken: {self._state.value}, {self._submits} open")
        sequence = self._issue(body, now)
        self._submits += 1
        return sequence

    def answer(self, sequence: int, code: int, now: float) -> None:
        """The inbound message ``sequence`` is stored (code 0), or could not be and shall come again.

        Nothing happens if it is not open any more.
        """
        answer = self._inbound.pop(sequence, None)
        if answer is not None:
            self._send(answer(), sequence, code)
            self._end_drain_when_empty(now)

    def unbind(self, now: float) -> None:
        """Stop: drain, unbind, close. Closes at once if not bound."""
        if self._state is State.BOUND:
            self._drain(CloseReason.STOPPED, "we unbound", now + self._timing.stop, now)
        elif self._state in {State.CONNECTED, State.BINDING}:
            self._close(CloseReason.STOPPED, "stopped before the bind was answered")

    def connection_lost(self, reason: str) -> None:
        """The connection is gone."""
        if self._state is State.CLOSED:
            return
        if self._closing is not None:
            self._close(*self._closing)
        else:
            self._close(CloseReason.LOST, reason)

    def receive_data(self, data: bytes, now: float) -> None:
        """Octets from the peer, cut anywhere."""
        self._received += data
        at = 0
        try:
            while self._state is not State.CLOSED and len(self._received) - at >= wire.HEADER_OCTETS:
                header = wire.read_header(self._received, at)
                if len(self._received) - at < header.length:
                    break
                octets = bytes(self._received[at : at + header.length])
                at += header.length
                self._idle_since = now
                self._take(octets, header, now)
        except PduError as error:
            # SMPP 3.4 section 4.3: an invalid command_length. Where the next PDU begins is unknowable.
            self._send(wire.GenericNack(), _NO_SEQUENCE, error.status)
            self._close(CloseReason.PROTOCOL, str(error))
        del self._received[:at]

    def handle_timer(self, now: float) -> None:
        """Do what is due. Harmless when nothing is."""
        for sequence, request in list(self._open.items()):
            if request.deadline > now or self._state is State.CLOSED:
                break
            self._overdue(sequence, request, now)
        if self._state is State.BOUND and now >= self._idle_since + self._timing.enquire:
            # One question at a time: an unanswered one ends the session before the next falls due.
            if not any(isinstance(request.body, wire.EnquireLink) for request in self._open.values()):
                self._issue(wire.EnquireLink(), now)
            self._idle_since = now
        elif self._state in {State.DRAINING, State.UNBINDING} and now >= self._drain_deadline:
            self._drained(now)

    # ------------------------------------------------------------------------------------------------------ requests

    def _issue(self, body: wire.Body, now: float) -> int:
        while self._next_sequence in self._open:
            self._next_sequence = self._next_sequence % wire.MAX_SEQUENCE + 1
        sequence = self._next_sequence
        octets = wire.encode(body, sequence)
        self._outgoing.append(octets)
        self._open[sequence] = _Request(body, now + self._timing.response, octets)
        self._next_sequence = sequence % wire.MAX_SEQUENCE + 1  # SMPP 3.4 section 5.1.4: 1 to 0x7FFFFFFF
        return sequence

    def _send(self, body: wire.Body, sequence: int, code: int = status.OK) -> None:
        self._outgoing.append(wire.encode(body, sequence, code))

    def _overdue(self, sequence: int, request: _Request, now: float) -> None:
        self._forget(sequence)
        seconds = f"{self._timing.response:g} s"
        match request.body:
            case wire.Bind():
                self._close(CloseReason.SILENT, f"no answer to the bind within {seconds}")
            case wire.EnquireLink():
                self._close(CloseReason.SILENT, f"no answer to enquire_link within {seconds}")
            case wire.Unbind():
                self._drained(now)
            case _:
                self._events.append(Unanswered(sequence))
                last = max((each.deadline for each in self._open.values()), default=now)
                self._drain(CloseReason.UNANSWERED, f"no answer to a request within {seconds}", last, now)

    def _forget(self, sequence: int) -> _Request:
        request = self._open.pop(sequence)
        self._submits -= isinstance(request.body, wire.SubmitSm | wire.QuerySm)
        return request

    # --------------------------------------------------------------------------------------------------- received PDUs

    def _take(self, octets: bytes, header: wire.Header, now: float) -> None:
        try:
            received = wire.decode(octets)
        except PduError as error:
            self._unreadable(header, error, now)
            return
        if header.command_id & wire.RESPONSE_BIT:
            self._response(received, now)
        else:
            self._peer_request(received, now)

    def _unreadable(self, header: wire.Header, error: PduError, now: float) -> None:
        self._events.append(Oddity(f"unreadable PDU 0x{header.command_id:08X}: {error}"))
        if header.command_id & wire.RESPONSE_BIT:
            request = self._open.get(header.sequence)
            if request and request.body.command_id | wire.RESPONSE_BIT == header.command_id:
                # The status is readable, and but for a query it is what matters.
                query = isinstance(request.body, wire.QuerySm)
                self._answered(header.sequence, header.status or query * error.status, wire.SubmitSmResp(), now)
        elif header.command_id == wire.DeliverSm.command_id:
            self._send(wire.DeliverSmResp(), header.sequence, error.status)
        elif header.command_id == wire.DataSm.command_id:
            self._send(wire.DataSmResp(), header.sequence, error.status)
        else:
            # SMPP 3.4 section 4.3: unknown command_id, ESME_RINVCMDID, or a length that does not fit.
            self._send(wire.GenericNack(), header.sequence, error.status)

    def _peer_request(self, received: wire.Pdu, now: float) -> None:
        sequence = received.sequence
        match received.body:
            case wire.EnquireLink():
                self._send(wire.EnquireLinkResp(), sequence)
            case wire.DeliverSm() | wire.DataSm() as body:
                self._arrived(sequence, body)
            case wire.Unbind():
                self._peer_unbinds(sequence, now)
            case wire.AlertNotification():
                pass  # SMPP 3.4 section 4.12: there is no answer, and nothing of ours waits for it
            case wire.Outbind():
                self._events.append(Oddity("outbind on a connection that we opened"))
            case _:
                self._events.append(Oddity(f"the peer asked 0x{received.command_id:08X} of an ESME"))
                self._send(wire.GenericNack(), sequence, status.INVALID_COMMAND)

    def _arrived(self, sequence: int, body: wire.DeliverSm | wire.DataSm) -> None:
        answer: type[wire.Body] = wire.DeliverSmResp if isinstance(body, wire.DeliverSm) else wire.DataSmResp
        if self._state is State.BINDING:
            self._send(answer(), sequence, status.WRONG_BIND_STATE)
        elif sequence in self._inbound:
            self._events.append(Oddity(f"the peer repeats sequence number {sequence} before it was answered"))
        elif len(self._inbound) >= self._timing.inbound_window:
            self._send(answer(), sequence, status.QUEUE_FULL)
        else:
            self._inbound[sequence] = answer
            self._events.append(Arrived(sequence, body))

    def _response(self, received: wire.Pdu, now: float) -> None:
        request = self._open.get(received.sequence)
        nack = isinstance(received.body, wire.GenericNack)
        if request is None or not (nack or request.body.command_id | wire.RESPONSE_BIT == received.command_id):
            kind = f"response 0x{received.command_id:08X}, status 0x{received.status:02X}, sequence {received.sequence}"
            self._events.append(Oddity(f"{kind}: late, or never asked for"))
            return
        self._answered(received.sequence, received.status or nack * status.INVALID_COMMAND, received.body, now)

    def _answered(self, sequence: int, code: int, answer: wire.Body, now: float) -> None:
        request = self._forget(sequence)
        match request.body, answer:
            case wire.Bind(), _:
                self._bind_answered(code, answer)
            case wire.Unbind(), _:
                self._drained(now)
            case wire.SubmitSm() | wire.QuerySm(), _ if code:
                self._events.append(Refusal(sequence, code))
            case wire.SubmitSm(), wire.SubmitSmResp():
                self._events.append(Accepted(sequence, answer.message_id))
            case wire.QuerySm(), wire.QuerySmResp():
                self._events.append(Queried(sequence, answer))
        self._end_drain_when_empty(now)

    def _bind_answered(self, code: int, answer: wire.Body) -> None:
        if code:
            self._close(CloseReason.BIND_REFUSED, status.meaning(code).name, code)
        else:
            self._state = State.BOUND
            self._events.append(Bound(answer.system_id if isinstance(answer, wire.BindResp) else ""))

    # ------------------------------------------------------------------------------------------------------- closing

    def _peer_unbinds(self, sequence: int, now: float) -> None:
        self._peer_unbind = sequence
        if self._state in {State.BOUND, State.DRAINING}:
            self._drain(CloseReason.PEER_UNBOUND, "the carrier unbound", now + self._timing.stop, now)
        else:
            self._drained(now)

    def _drain(self, reason: CloseReason, detail: str, deadline: float, now: float) -> None:
        """Take no more requests; close when nothing is open, or at ``deadline``. The first reason stands."""
        if self._state is State.BOUND:
            self._state = State.DRAINING
            self._closing = (reason, detail)
            self._drain_deadline = deadline
        self._drain_deadline = min(deadline, self._drain_deadline)
        self._end_drain_when_empty(now)

    def _end_drain_when_empty(self, now: float) -> None:
        if self._state is not State.DRAINING or self._submits:
            return
        if not self._inbound or (self._closing and self._closing[0] is CloseReason.UNANSWERED):
            self._drained(now)

    def _drained(self, now: float) -> None:
        reason, detail = self._closing or (CloseReason.PEER_UNBOUND, "the carrier unbound")
        if self._peer_unbind is not None:
            self._send(wire.UnbindResp(), self._peer_unbind)
            self._close(reason, detail)
        elif reason is CloseReason.STOPPED and self._state is State.DRAINING:
            self._state = State.UNBINDING
            self._drain_deadline = now + self._timing.stop
            self._issue(wire.Unbind(), now)
        else:
            self._close(reason, detail)

    def _close(self, reason: CloseReason, detail: str, code: int = status.OK) -> None:
        self._state = State.CLOSED
        never = [request.unsent for request in self._open.values() if request.unsent is not None]
        self._outgoing = [octets for octets in self._outgoing if not any(octets is each for each in never)]
        asked = {n: each for n, each in self._open.items() if isinstance(each.body, wire.SubmitSm | wire.QuerySm)}
        self._open.clear()
        self._submits = 0
        self._inbound.clear()
        self._events.append(
            Closed(
                reason,
                detail,
                code,
                in_doubt=tuple(sequence for sequence, request in asked.items() if request.unsent is None),
                not_sent=tuple(sequence for sequence, request in asked.items() if request.unsent is not None),
            )
        )
