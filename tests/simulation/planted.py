"""Bugs on purpose: what a careless composition would do. The simulation has to catch each, as the test of the test."""

from __future__ import annotations

from datetime import timedelta

from ari_app.runtime import dispatcher as runtime
from ari_app.runtime.dispatcher import AfterCrash, Dispatcher
from ari_app.runtime.outcome import Adapter, InDoubt, Outcome, Refused, RetryAt
from ari_app.store.outbox import Order
from tests.simulation.process import Composition
from tests.simulation.universe import Universe


class ResendAfterCrash(Composition):
    """After a crash every text that was under way is sent once more."""

    texts_after_crash = AfterCrash.REPEAT


class ResendInDoubt(Composition):
    """No answer is taken for: not sent."""

    def texts(self, universe: Universe, adapter: Adapter) -> Adapter:
        return _Insisting(universe, adapter)


class _Insisting:
    def __init__(self, universe: Universe, inner: Adapter) -> None:
        self._universe = universe
        self._inner = inner

    async def act(self, order: Order) -> Outcome:
        outcome = await self._inner.act(order)
        if isinstance(outcome, InDoubt):
            return RetryAt(self._universe.clock.now() + timedelta(seconds=2), outcome.why)
        return outcome


class _Deaf(Dispatcher):
    async def _carry_out(self, lane: runtime.Lane, order: Order, refused: Refused | None) -> None:
        await super()._carry_out(lane, order, None)


class IgnoreRefusals(Composition):
    """The opt-out is read when a queued text is due, and the text is sent all the same."""

    dispatcher = _Deaf
