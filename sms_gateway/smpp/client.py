"""An SMPP account as a gateway: texts out, texts and receipts in, the bind kept up.

Puts the pieces together: `link` keeps the bind, `sender` queues and paces, `inbox` stores before it acknowledges,
`compose` writes the PDUs. Runs on plain asyncio; reads no clock but the loop's.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from sms_gateway.errors import InDoubt, NotSent, PduError, Refused, TextInvalid, Throttled
from sms_gateway.gateway import GatewayStatus, Lane
from sms_gateway.messages import Address, DeliveryState, MessageState, OutboundText, Submission, redacted
from sms_gateway.smpp import pdu as wire
from sms_gateway.smpp import status
from sms_gateway.smpp.compose import compose, source_address
from sms_gateway.smpp.connection import Connection
from sms_gateway.smpp.events import Accepted, Arrived, Bound, Closed, CloseReason, Event, Queried, Refusal
from sms_gateway.smpp.health import Counters, LinkState, SmppStatus
from sms_gateway.smpp.inbox import Handler, Inbox, PartStore
from sms_gateway.smpp.link import Link
from sms_gateway.smpp.options import BindMode, LinkOptions
from sms_gateway.smpp.sender import WITHDRAWN, Doubt, NeverSent, Outcome, Sender
from sms_gateway.smpp.session import State
from sms_gateway.smpp.times import absolute_time

USEFUL_SECONDS = 2.0
"""What goes out in this time is worth having here; the rest is safer with the application, whose process may die."""
_LONGEST_LISTENING = 10.0
"""A carrier that never stops to send holds up our texts for so many times ``listen_seconds``."""
_UNTOLD_VALIDITY = 14_400.0
"""Seconds for the rest of a text when it is left to the carrier how long it is valid."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Sending:
    """A text whose ``send`` has not returned.

    finish_seconds: for the other segments. begun: the carrier has taken a segment. unwanted: the person said no, so that no
    further segment leaves.
    """

    text: OutboundText
    priority: int
    finish_seconds: float
    begun: bool = False
    unwanted: bool = False


class SmppGateway:
    """One SMPP account. Made inside a running loop, run once, by ``run`` in a TaskGroup or by ``async with``.

    on_inbound: stores a text or receipt durably before it returns; it is acknowledged to the carrier only then.
    parts: durable memory for segments of long inbound texts; see ``inbox`` for what is done without.
    wall: the present, aware UTC. random: from 0 to 1; neither is read for anything that must be secret.

    Raises ValueError or OSError for TLS files that cannot be read.
    """

    def __init__(
        self,
        options: LinkOptions,
        on_inbound: Handler,
        *,
        wall: Callable[[], datetime],
        random: Callable[[], float],
        name: str = "smpp",
        parts: PartStore | None = None,
    ) -> None:
        self.name = name
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._counters = Counters()
        self._sender = Sender(options.rate_per_second, self._counters, random, options.throttle_seconds)
        self._inbox = Inbox(options, on_inbound, parts, self._counters, wall)
        if options.bind is BindMode.SPLIT:
            self._links = [
                Link(options, wire.BindTransmitter, self._on_event, wall=wall, random=random),
                Link(options, wire.BindReceiver, self._on_receiver_event, wall=wall, random=random),
            ]
        else:
            self._links = [Link(options, wire.BindTransceiver, self._on_event, wall=wall, random=random)]
        self._reference = int(random() * 256)  # so that a restart does not begin with the same numbers
        self._group: asyncio.TaskGroup | None = None
        self._sending: dict[int, _Sending] = {}
        self._ended = asyncio.Event()

    # ------------------------------------------------------------------------------------------------------- lifetime

    async def run(self) -> None:
        """Keep the account bound until ``stop`` or cancellation."""
        try:
            async with asyncio.TaskGroup() as group:
                inbox = group.create_task(self._inbox.run())
                try:
                    async with asyncio.TaskGroup() as links:
                        for link in self._links:
                            links.create_task(link.run())
                finally:
                    inbox.cancel()
        finally:
            self._sender.close("the gateway has stopped")
            self._ended.set()

    async def stop(self) -> None:
        """Take no more texts, wait for open answers within the options' limit, unbind, close; ``run`` then ends."""
        self._sender.close("the gateway is stopping")
        self._inbox.release()
        for link in self._links:
            link.stop()
        await self._ended.wait()

    async def __aenter__(self) -> Self:
        self._group = await asyncio.TaskGroup().__aenter__()
        self._group.create_task(self.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._group is not None
        try:
            await self.stop()
        finally:
            # The body's own exception is the caller's, and no part of a group; a cancellation may be the group's doing.
            if kind is not None and issubclass(kind, asyncio.CancelledError):
                await self._group.__aexit__(kind, error, trace)
            else:
                await self._group.__aexit__(None, None, None)

    def _on_event(self, connection: Connection, event: Event) -> None:
        match event:
            case Bound():
                self._listen_first(connection, self._loop.time())
            case Closed():
                self._sender.use(None)
        self._sender.on_event(event)
        self._on_receiver_event(connection, event)

    def _listen_first(self, connection: Connection, since: float) -> None:
        """Texts go out on ``connection`` when what the carrier has kept for us is in: they may not be wanted any more."""
        quiet, passed = self._options.listen_seconds, self._loop.time() - since
        bound = all(link.status.state is LinkState.BOUND for link in self._links)
        if connection.session.state is not State.BOUND:
            return
        if (
            quiet <= 0
            or passed >= _LONGEST_LISTENING * quiet
            or (bound and min(passed, self._inbox.idle_seconds()) >= quiet)
        ):
            self._sender.use(connection)
        else:
            self._loop.call_later(quiet / 5, self._listen_first, connection, since)

    def _on_receiver_event(self, connection: Connection, event: Event) -> None:
        match event:
            case Arrived():
                self._inbox.put(connection, event)
            case Bound():
                self._counters.binds += 1
            case Closed(reason, name, code, _, _) if reason is CloseReason.BIND_REFUSED and code in status.BIND_FATAL:
                self._sender.close(f"the carrier refuses the bind: {name} (0x{code:02X})")

    async def wait_bound(self, within_seconds: float, *, persist: bool = True) -> None:
        """Return once every bind stands.

        Raises BindRefused if the carrier does not let us in, NotSent if it takes too long, or, unless ``persist``, at
        the first failure.
        """
        try:
            async with asyncio.timeout(within_seconds):
                for link in self._links:
                    while link.status.state is not LinkState.BOUND:
                        if link.refusal is not None:
                            raise link.refusal
                        if link.status.state is LinkState.STOPPED or (link.status.attempts and not persist):
                            raise NotSent(self._why_not())
                        await link.changed.wait()
        except TimeoutError as error:
            raise NotSent(self._why_not()) from error

    def rebind(self) -> bool:
        """As ``Gateway`` asks: after a refusal nothing but this connects again."""
        refused = [link for link in self._links if link.status.state is LinkState.REFUSED]
        if refused:
            self._sender.reopen()
        for link in refused:
            link.rebind()
        return bool(refused)

    # --------------------------------------------------------------------------------------------------------- health

    @property
    def status(self) -> SmppStatus:
        """Everything about the account, at this moment."""
        return SmppStatus(
            binds=tuple(link.status for link in self._links),
            outstanding=self._sender.outstanding,
            queued=self._sender.queued,
            rate_per_second=self._sender.rate,
            counters=dataclasses.replace(self._counters, refused=Counter(self._counters.refused)),
        )

    @property
    def health(self) -> GatewayStatus:
        """As ``Gateway`` asks."""
        state = self.status.state
        detail = state.value if state is LinkState.BOUND else self._why_not()
        bound = state is LinkState.BOUND
        at_once = max(1, math.ceil(USEFUL_SECONDS * self._sender.rate)) if bound else 1
        return GatewayStatus(self.name, bound, detail, at_once)

    def _why_not(self) -> str:
        binds = [bind for bind in self.status.binds if bind.state is not LinkState.BOUND]
        return "; ".join(
            f"{bind.role} {bind.state.value}: {bind.last_error or 'no attempt has ended'}" for bind in binds
        )

    # ----------------------------------------------------------------------------------------------------------- out

    async def send(
        self, text: OutboundText, *, priority: int = Lane.ORDINARY, within_seconds: float = 30.0
    ) -> Submission:
        """Submit every segment of ``text``, in order.

        priority: the smallest goes first when texts wait. within_seconds: how long the text may wait for the bind, its
        turn and throttling before it is handed over; the answer has the options' ``response_seconds`` on top. Once the
        first segment is accepted, the others have the text's ``finish_seconds``; a text that takes longer at the present
        rate is not sent.

        Raises TextInvalid, NotSent, Throttled, Refused or InDoubt. Cancelled once a segment is on the wire, the text is
        in doubt for the caller, and nothing else suffers.
        """
        self._reference = (self._reference + 1) % 0x10000
        deadline = self._loop.time() + within_seconds
        segments = compose(text, self._options, self._reference)
        finish = self._finish_seconds(text)
        needed = (len(segments) - 1) / self._sender.rate
        if needed > finish:
            raise NotSent(f"at the present rate its {len(segments)} segments take {needed:.0f} s; it has {finish:g} s")
        turn = self._sender.turn()
        sending = self._sending[turn] = _Sending(text, priority, finish)
        try:
            ids = await self._submit(segments, sending, turn, deadline)
        finally:
            del self._sending[turn]
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("text=%s to=%s accepted segments=%d", text.reference, redacted(text.destination), len(ids))
        return Submission(ids, len(segments))

    async def _submit(
        self, segments: Sequence[wire.SubmitSm], sending: _Sending, turn: int, deadline: float
    ) -> tuple[str, ...]:
        """The carrier's id of each segment. Raises as ``send``."""
        text = sending.text
        ids: list[str] = []
        for index, segment in enumerate(segments, start=1):
            outcome: Outcome = NeverSent(WITHDRAWN)
            if not sending.unwanted:
                outcome = await self._sender.request(segment, sending.priority, turn, deadline)
            if not isinstance(outcome, Accepted):
                _log.info("text=%s to=%s %s", text.reference, redacted(text.destination), type(outcome).__name__)
                assert not isinstance(outcome, Queried)
                raise self._error(outcome, tuple(ids), index, len(segments))
            ids.append(outcome.message_id)
            if not sending.begun:
                deadline = self._loop.time() + sending.finish_seconds
                sending.begun = True
        return tuple(ids)

    def _finish_seconds(self, text: OutboundText) -> float:
        told = (text.finish_seconds, text.validity_seconds, self._options.validity_seconds)
        return next((seconds for seconds in told if seconds is not None), _UNTOLD_VALIDITY)

    def withdraw(self, destination: str, reference: str | None = None) -> None:
        """As ``Gateway`` asks. What is on the wire is not sent again if the carrier does not take it."""
        for turn, sending in self._sending.items():
            text = sending.text
            if text.destination != destination or reference not in (None, text.reference):
                continue
            # Half a text is worse than a whole one that has become needless, so of what has begun the rest follows. But
            # once the person said no, nothing more may leave; the half is then in doubt, which is shown and never sent
            # again. Only the answer to their no is theirs to have whole, also when they say it twice.
            if reference is None and sending.priority != Lane.OPT_OUT_CONFIRMATION:
                sending.unwanted = True
            if sending.unwanted or not sending.begun:
                self._sender.withdraw(turn)

    async def query(
        self, message_id: str, source: Address | str, *, priority: int = Lane.ORDINARY, within_seconds: float = 30.0
    ) -> MessageState:
        """What became of the message that the carrier named ``message_id`` when ``source`` sent it.

        Raises TextInvalid, NotSent, Throttled, Refused, or InDoubt when there was no answer.
        """
        address = source_address(source, self._options)
        body = wire.QuerySm(
            message_id=message_id,
            source_addr_ton=address.ton,
            source_addr_npi=address.npi,
            source_addr=address.digits,
        )
        try:
            wire.encode(body, 0)
        except PduError as error:
            raise TextInvalid(str(error)) from error
        deadline = self._loop.time() + within_seconds
        outcome = await self._sender.request(body, priority, self._sender.turn(), deadline)
        if not isinstance(outcome, Queried):
            assert not isinstance(outcome, Accepted)
            raise self._error(outcome, (), 1, 1)
        number = outcome.answer.message_state
        states = dict(enumerate(DeliveryState, start=1))  # SMPP 3.4 section 5.2.28
        state = states.get(number, DeliveryState.UNKNOWN)
        return MessageState(state, absolute_time(outcome.answer.final_date), outcome.answer.error_code)

    def _error(
        self, outcome: Refusal | NeverSent | Doubt, accepted: tuple[str, ...], index: int, total: int
    ) -> Exception:
        """What to raise when segment ``index`` of ``total`` ended in ``outcome``."""
        later = tuple(range(index + 1, total + 1))
        match outcome:
            case Doubt(reason):
                return InDoubt(reason, accepted=accepted, in_doubt=(index,), not_sent=later)
            case NeverSent(reason) if accepted:
                return InDoubt(reason, accepted=accepted, not_sent=(index, *later))
            case NeverSent(reason):
                bound = self.status.state is LinkState.BOUND
                return NotSent(reason if bound else f"{reason} ({self._why_not()})")
            case Refusal(_, code) if code not in status.THROTTLING:
                name, permanent = status.meaning(code).name, status.permanent(code)
                return Refused(code, name, permanent=permanent, accepted=accepted, not_sent=later)
            case Refusal(_, code) if accepted:
                return InDoubt(f"throttled (0x{code:02X})", accepted=accepted, not_sent=(index, *later))
            case Refusal(_, code):
                return Throttled(1.0 / self._sender.rate + self._options.throttle_seconds, code)
