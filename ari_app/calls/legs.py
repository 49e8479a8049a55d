"""The legs of one call as Asterisk has them: rung, taken over, and asked after where something may have happened unheard.

A request without an answer may have been done all the same. The leg stays in doubt until Asterisk can be asked: whom we only
did not hear is not unreachable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from ari_app.calls.events import CallerGone, CallEvent, LegAnswered, LegAsked, LegEnd, LegEnded, LegRinging
from ari_app.calls.prompts import MomentFields, moment_of
from ari_app.calls.state import CallSetup, Leg, LegState
from ari_app.clock import Clock
from ari_app.pbx.ari import Ari
from ari_app.pbx.channels import CallerId
from ari_app.pbx.errors import AriError, NotFoundError, StateConflictError, UnavailableError
from ari_app.pbx.models import Channel, ChannelState

log = structlog.get_logger("call")

LONGEST_RING_SECONDS = 120


_ENDS = {
    17: LegEnd.BUSY,  # user busy
    21: LegEnd.REJECTED,  # call rejected
    16: LegEnd.NO_ANSWER,  # normal call clearing
    18: LegEnd.NO_ANSWER,  # no user responding
    19: LegEnd.NO_ANSWER,  # no answer from user
    26: LegEnd.NO_ANSWER,  # non-selected user clearing
    0: LegEnd.NO_ANSWER,  # what a time-out of the dial reports before 20.14 and 22.4
}


def leg_end(cause: int, *, answered: bool) -> LegEnd:
    """How a leg ended, by its cause (Q.850 section 2.2.5). Only busy and rejected carry weight: others are not reliable."""
    return LegEnd.HUNG_UP if answered else _ENDS.get(cause, LegEnd.UNREACHABLE)


class Legs:
    """Those of the call of ``setup``. own: says that a channel's events are ours. happened: takes what became of a leg,
    without waiting."""

    def __init__(
        self,
        setup: CallSetup,
        ari: Ari,
        clock: Clock,
        own: Callable[[str], None],
        happened: Callable[[CallEvent], None],
    ) -> None:
        self._setup = setup
        self._ari = ari
        self._clock = clock
        self._own = own
        self._happened = happened
        self._in_doubt: set[str] = set()
        self._log = log.bind(call_id=setup.call_id)

    def doubtful(self, leg: Leg) -> bool:
        """Whether nobody knows if its phone was ever asked to ring."""
        return leg.leg in self._in_doubt

    async def ring(self, leg: str, phone: str) -> None:
        """Ask the phone to ring, again if need be. What comes of it happens."""
        self._own(leg)
        shown = self._setup.caller or "anonymous"
        try:
            await self._ari.channels.originate(
                f"PJSIP/{phone}",
                channel=leg,
                args=("leg", self._setup.call_id),
                caller=CallerId(shown.removeprefix("+")),
                ring_seconds=LONGEST_RING_SECONDS,
                originator=self._setup.call_id,
            )
        except StateConflictError:
            await self._adopt(leg)
        except UnavailableError as error:
            self._doubt(leg, error)
        except AriError as error:
            # 500 "Allocation failed" is a phone that is not registered; 400, most often, a caller who is not there any more.
            self._log.info("phone_unreachable", phone=phone, error=str(error))
            if await self._caller_has_gone():
                self._happened(CallerGone(**self._moment()))
            self.ended(leg)
        else:
            if leg in self._in_doubt:
                self._in_doubt.remove(leg)
                self._happened(LegAsked(**self._moment(), leg=leg))

    async def _adopt(self, leg: str) -> None:
        """Take over a leg that is there already: of a Ringback that died, or of ours whose answer was lost."""
        try:
            await self._ari.applications.subscribe(self._ari.application, f"channel:{leg}")
            channel = await self._ari.channels.get(leg)
        except UnavailableError as error:
            self._doubt(leg, error)
        except AriError as error:
            self._log.info("leg_gone", leg=leg, error=str(error))
            self.ended(leg)
        else:
            self._log.info("leg_adopted", leg=leg, state=channel.state.value)
            self._in_doubt.discard(leg)
            self._stands(leg, channel)

    async def look(self, legs: Iterable[Leg], *, after_gap: bool = False) -> None:
        """Ask what they are doing; what was not heard of it happens now. Raises a leaf of AriError.

        after_gap: nobody has heard how one that is gone has ended: it is lost.
        """
        for leg in legs:
            try:
                channel = await self._ari.channels.get(leg.leg)
            except NotFoundError:
                if self.doubtful(leg):
                    await self.ring(leg.leg, leg.phone)
                elif after_gap and leg.state is not LegState.ANSWERED:
                    self.ended(leg.leg, LegEnd.LOST)
                else:
                    self.ended(leg.leg)
            else:
                self.seen(leg, channel)

    def seen(self, leg: Leg, channel: Channel) -> None:
        """Its channel as Asterisk has it: what was not heard of it happens now."""
        self._in_doubt.discard(leg.leg)
        if leg.state is LegState.CALLING or (leg.state is LegState.RINGING and channel.state is ChannelState.UP):
            self._stands(leg.leg, channel)

    def ended(self, leg: str, end: LegEnd = LegEnd.UNREACHABLE) -> None:
        """It is not there, and nobody said why."""
        self._in_doubt.discard(leg)
        self._happened(LegEnded(**self._moment(), leg=leg, end=end))

    def _stands(self, leg: str, channel: Channel) -> None:
        if channel.state is ChannelState.RINGING:
            self._happened(LegRinging(**self._moment(), leg=leg))
        elif channel.state is ChannelState.UP:
            self._happened(LegAnswered(**self._moment(), leg=leg))

    def _doubt(self, leg: str, error: AriError) -> None:
        self._log.warning("leg_in_doubt", leg=leg, error=str(error))
        self._in_doubt.add(leg)

    async def _caller_has_gone(self) -> bool:
        """Whether a hang-up is on its way to us: who gave up is not to be taken for one whom no phone could be rung for."""
        try:
            await self._ari.channels.get(self._setup.call_id)
        except NotFoundError:
            return True
        except AriError:
            return False
        return False

    def _moment(self) -> MomentFields:
        return moment_of(self._clock)
