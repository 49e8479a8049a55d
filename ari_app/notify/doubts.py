"""Asking carriers what became of texts in doubt, where there is something to ask with: the id of a segment that they took.

What the carrier says is taken as a receipt is: a segment that failed settles the text, one that arrived proves nothing of the
others. A text without any id cannot be asked for; its receipt, or a person, ends the doubt (SMPP 3.4 section 4.8).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn, Protocol, runtime_checkable

import structlog

from ari_app.clock import Clock
from ari_app.errors import StoreUnavailableError
from ari_app.recovery.effects import SendText
from ari_app.recovery.values import EffectId
from ari_app.store import outbox
from ari_app.store.outbox import Order
from ari_app.store.stores import Store
from sms_gateway.errors import Refused, SmsError
from sms_gateway.gateway import Gateway
from sms_gateway.messages import MessageState, Receipt
from sms_gateway.receipts import canonical_id

log = structlog.get_logger("doubts")

LOOK_SECONDS = 30.0
_UNKNOWN_COMMAND = 0x03
"""SMPP 3.4 section 5.1.3, ESME_RINVCMDID: there is no query_sm at this carrier."""
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=15)
OLDEST = timedelta(days=3)
"""Carriers forget what became of older texts."""


@runtime_checkable
class Questionable(Protocol):
    """A gateway whose carrier can be asked."""

    async def query(self, message_id: str, source: str) -> MessageState:
        """What became of the message. Raises SmsError."""
        ...


@dataclass(slots=True)
class _Question:
    """One segment of a text in doubt. wait: until it is asked again."""

    due: datetime
    wait: timedelta
    over: bool = False


class Doubts:
    """``run`` asks now and then. take: where receipts go."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        gateways: Mapping[str, Gateway],
        senders: Mapping[str, str],
        take: Callable[[str, Receipt], Awaitable[None]],
    ) -> None:
        """senders: gateways that send under one fixed sender, whatever number was dialled."""
        self._store = store
        self._clock = clock
        self._gateways = gateways
        self._senders = senders
        self._take = take
        self._questions: dict[tuple[EffectId, str], _Question] = {}
        self._mute: set[str] = set()

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except StoreUnavailableError as error:
                log.warning("doubts_wait_for_store", error=str(error))
            await self._clock.pause(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask what is due. Raises StoreUnavailableError."""
        now = self._clock.now()
        orders = [order for order in await self._store.read(outbox.in_doubt) if now - order.created_at < OLDEST]
        open_keys = {(order.effect_id, message_id) for order in orders for message_id in _ids(order)}
        self._questions = {key: question for key, question in self._questions.items() if key in open_keys}
        for order in orders:
            for message_id in _ids(order):
                question = self._questions.setdefault((order.effect_id, message_id), _Question(now, FIRST_WAIT))
                if not question.over and now >= question.due:
                    question.due, question.wait = now + question.wait, min(LONGEST_WAIT, question.wait * 2)
                    question.over = await self._ask(order, message_id)

    async def _ask(self, order: Order, message_id: str) -> bool:
        """Whether there is nothing more to ask of this segment. Raises StoreUnavailableError."""
        effect = order.effect
        assert isinstance(effect, SendText)
        gateway = self._gateways.get(effect.gateway)
        if not isinstance(gateway, Questionable) or effect.gateway in self._mute:
            return True
        try:
            found = await gateway.query(message_id, self._senders.get(effect.gateway, effect.sender))
        except Refused as error:
            if error.status == _UNKNOWN_COMMAND:
                log.warning("carrier_answers_no_questions", gateway=effect.gateway)
                self._mute.add(effect.gateway)
            return error.permanent
        except SmsError:
            return False
        if not found.state.final:
            return False
        receipt = Receipt(
            message_id=message_id,
            candidates=(canonical_id(message_id),),
            state=found.state,
            error=str(found.error) if found.error else None,
            source=effect.to,
            destination=effect.sender,
            done_at=found.done_at,
        )
        await self._take(effect.gateway, receipt)
        log.info("carrier_asked", outbox_id=order.effect_id, state=found.state.value)
        return True


def _ids(order: Order) -> list[str]:
    """The ids that the carrier gave to segments of a text, as it wrote them."""
    return order.ref.split(",") if isinstance(order.effect, SendText) and order.ref else []
