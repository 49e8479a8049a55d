"""The simulated SMSC: takes texts or loses them, answers or does not, brings receipts and what people write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from sms_gateway.errors import InDoubt, NotSent, Refused, Throttled
from sms_gateway.gateway import GatewayStatus, Lane
from sms_gateway.messages import DeliveryState, InboundText, OutboundText, Receipt, Submission
from sms_gateway.receipts import canonical_id
from tests.simulation.universe import Universe

GATEWAY = "sms"
RESPONSE_SECONDS = 10.0
"""How long our side waits for the answer to a submit."""

LATEST_RECEIPT = 4000.0
"""Seconds."""

Deliver = Callable[[InboundText | Receipt], Awaitable[bool]]
"""Brings a message to our process; whether it was acknowledged."""

_FAULTS = (
    "answer lost",
    "answer lost",
    "submit lost",
    "answered too late",
    "throttled",
    "throttled",
    "refused",
    "refused for now",
)


class Carrier:
    """on_text: told of each text that reaches a person."""

    def __init__(self, universe: Universe, deliver: Deliver) -> None:
        self._universe = universe
        self._deliver = deliver
        self._bound = asyncio.Event()
        self._bound.set()
        self._count = 0
        self.on_text: Callable[[OutboundText], None] = lambda _: None

    # ------------------------------------------------------------------------------------------------- texts to people
    async def wait_bound(self) -> None:
        """Until texts can be submitted."""
        await self._bound.wait()

    async def submit(self, text: OutboundText) -> Submission:
        """What a link to this carrier does with a text. Raises what a gateway raises."""
        universe = self._universe
        fate = universe.rng.choice(_FAULTS) if universe.chance(universe.weather.submit_faults) else "taken"
        if fate != "taken":
            universe.witness.tell(f"carrier: {text.reference} {fate}")
        answer: asyncio.Future[Submission] = asyncio.get_running_loop().create_future()
        universe.spawn(self._travel(text, fate, answer))
        try:
            async with asyncio.timeout(RESPONSE_SECONDS):
                return await answer
        except InDoubt:  # a TimeoutError, too
            raise
        except TimeoutError:
            raise InDoubt("no answer in time", in_doubt=(1,)) from None

    async def _travel(self, text: OutboundText, fate: str, answer: asyncio.Future[Submission]) -> None:
        """On the network, where the death of our process changes nothing."""
        universe = self._universe
        await universe.sleep(universe.rng.uniform(0.01, 0.8))
        message_id = None
        if fate in ("taken", "answer lost", "answered too late"):
            message_id = self._take(text)
        await universe.sleep(RESPONSE_SECONDS + 5 if fate == "answered too late" else universe.rng.uniform(0.01, 0.8))
        if answer.done():
            return
        match fate:
            case "answer lost" | "submit lost":
                answer.set_exception(InDoubt("the connection was lost", in_doubt=(1,)))
                universe.spawn(self._away(universe.rng.uniform(1, 20)))
            case "throttled":
                answer.set_exception(Throttled(universe.rng.uniform(0.5, 5.0), 0x58))
            case "refused":
                answer.set_exception(Refused(0x0B, "ESME_RINVDSTADR", permanent=True))
            case "refused for now":
                answer.set_exception(Refused(0x08, "ESME_RSYSERR", permanent=False))
            case _:
                assert message_id is not None
                answer.set_result(Submission((message_id,), 1))

    def _take(self, text: OutboundText) -> str:
        universe = self._universe
        self._count += 1
        message_id = f"{0xA0 + self._count:08X}"
        universe.witness.text_taken(text)
        self._plan_receipts(text, message_id)
        self.on_text(text)
        return message_id

    async def go_down(self) -> None:
        """Unreachable for a while."""
        self._universe.witness.tell("carrier: unreachable")
        self._universe.spawn(self._away(self._universe.rng.choice((5.0, 120.0, 600.0))))

    async def _away(self, seconds: float) -> None:
        self._bound.clear()
        await self._universe.sleep(seconds)
        self._bound.set()

    # ------------------------------------------------------------------------------------------------ what comes to us
    def _plan_receipts(self, text: OutboundText, message_id: str) -> None:
        universe, rng = self._universe, self._universe.rng
        state = rng.choice((DeliveryState.DELIVERED,) * 7 + (DeliveryState.UNDELIVERABLE, None, None))
        if state is None:
            return
        known = canonical_id(message_id)
        receipt = Receipt(
            message_id=message_id,
            candidates=(known, str(int(known, 16))),
            state=state,
            error=None,
            source=text.destination,
            destination=str(text.source),
            done_at=None,
            text=text.body[:20] if rng.random() < 0.5 else "",
        )
        odd = universe.chance(universe.weather.receipt_faults)
        waits = [rng.choice((0.0, 600.0, LATEST_RECEIPT)) if odd else rng.uniform(1.0, 5.0)]
        if odd:
            waits.append(waits[0] + rng.choice((0.0, 1.0, 600.0)))
        for wait in waits:
            universe.spawn(self._bring(receipt, wait))

    def write(self, sender: str, recipient: str, body: str) -> None:
        """A person texts us."""
        self._count += 1
        text = InboundText(
            source=sender, destination=recipient, body=body, source_id=f"m{self._count}", fingerprint=f"f{self._count}"
        )
        self._universe.spawn(self._bring(text, 0.0))

    async def _bring(self, message: InboundText | Receipt, wait: float) -> None:
        """Again and again until it is acknowledged; now and then once more after that, its acknowledgement being lost."""
        universe = self._universe
        await universe.sleep(wait)
        while True:
            while not await self._deliver(message):
                await universe.sleep(universe.rng.uniform(1.0, 30.0))
            if not universe.chance(universe.weather.repeats):
                return
            universe.witness.tell("carrier: brings the same again")
            await universe.sleep(universe.rng.uniform(0.0, 30.0))


class Link:
    """One process's bind. Implements Gateway."""

    name = GATEWAY

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._waiting: dict[asyncio.Task[None], OutboundText] = {}

    @property
    def health(self) -> GatewayStatus:
        return GatewayStatus(self.name, up=True, detail="simulated")

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def stop(self) -> None:
        """Nothing is held open."""

    async def send(
        self, text: OutboundText, *, priority: int = Lane.ORDINARY, within_seconds: float = 30.0
    ) -> Submission:
        async with asyncio.TaskGroup() as group:
            bound = group.create_task(self._carrier.wait_bound())
            self._waiting[bound] = text
            try:
                await asyncio.wait({bound}, timeout=within_seconds)
            finally:
                del self._waiting[bound]
            ready = bound.done() and not bound.cancelled()
            bound.cancel()
        if not ready:
            raise NotSent("not bound, or withdrawn")
        return await self._carrier.submit(text)

    def withdraw(self, destination: str, reference: str | None = None) -> None:
        for bound, text in self._waiting.items():
            if text.destination == destination and reference in (None, text.reference):
                bound.cancel()

    def rebind(self) -> bool:
        return False


class Doorman:
    """Tells redeliveries apart as a gateway does: by memory while the process lives, by ``may_repeat`` after a restart."""

    def __init__(self, number: int, began_at: float) -> None:
        self._number = number
        self._began_at = began_at

    def seen(self, message: InboundText, seconds: float) -> InboundText:
        return replace(
            message,
            source_id=f"{message.source_id}.{self._number}",
            may_repeat=seconds - self._began_at < 600.0,
        )
