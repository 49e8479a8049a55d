"""Texts between the outbox, the journal and the gateways. What comes in is acknowledged only when it is in the journal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

import structlog

from ari_app import numbering
from ari_app.clock import Clock
from ari_app.numbering import redacted
from ari_app.recovery.effects import CancelPending, SendText, SetConsent, TextPurpose
from ari_app.recovery.events import TextReceived
from ari_app.recovery.policy import Policy
from ari_app.recovery.values import E164, ConsentState, EffectId
from ari_app.runtime.dispatcher import retry_wait
from ari_app.runtime.outcome import Done, Failed, InDoubt, Outcome, RetryAt
from ari_app.runtime.receipts import Disproven, FinalReceipt, apply
from ari_app.runtime.recorded import Listener, Record, Recorded
from ari_app.runtime.recorder import Recorder
from ari_app.runtime.settling import settle
from ari_app.store import journal, text_parts
from ari_app.store.db import Database
from ari_app.store.outbox import Order
from sms_gateway import encoding, errors
from sms_gateway.gateway import Gateway, Lane
from sms_gateway.messages import InboundText, OutboundText, Receipt
from sms_gateway.receipts import canonical_id
from sms_gateway.smpp.compose import user_reference

log = structlog.get_logger("texts")

_LANES = {TextPurpose.STOP_CONFIRMATION: Lane.OPT_OUT_CONFIRMATION, TextPurpose.TEXT_BACK: Lane.FIRST_TEXT}
HANDOVER_SECONDS = 5.0
"""How long a text waits inside its gateway for the bind and its turn; then the outbox has it back."""
FINISH_SECONDS = 30.0
"""How long the rest of a long text that has begun may wait there. With the hand-over and two answers it stays below the minute
that the dispatcher gives to a text, or nobody would learn which segments the carrier has."""
LONGEST_BODY = 4000
"""Characters kept of an inbound text."""
LONGEST_SEGMENT_OCTETS = 140
"""3GPP TS 23.040 section 9.2.3.24: what one short message carries; more characters only where they are packed."""
REDELIVERY = timedelta(days=1)
"""How long carriers keep trying a text; the same words later are a second text."""


class TextAdapter:
    """Carries texts from the outbox to their gateway."""

    def __init__(self, gateways: Mapping[str, Gateway], clock: Clock, senders: Mapping[str, str]) -> None:
        """senders: gateways that send under one fixed sender, whatever number was dialled."""
        self._gateways = gateways
        self._clock = clock
        self._senders = senders

    async def act(self, order: Order) -> Outcome:
        """Hand it over, once."""
        effect = order.effect
        assert isinstance(effect, SendText)
        gateway = self._gateways.get(effect.gateway)
        if gateway is None:
            return Failed(f"there is no gateway {effect.gateway!r}: it was taken out of the settings")
        now = self._clock.now()
        left = (effect.expires_at - now).total_seconds()
        try:
            text = OutboundText(
                source=self._senders.get(effect.gateway, effect.sender),
                destination=effect.to,
                body=effect.body,
                reference=order.effect_id,
                validity_seconds=max(60.0, left),
                finish_seconds=FINISH_SECONDS,
            )
            priority = _LANES.get(effect.purpose, Lane.ORDINARY)
            sent = await gateway.send(text, priority=priority, within_seconds=max(0.1, min(HANDOVER_SECONDS, left)))
        except errors.SmsError as error:
            return self._outcome(order, error)
        ids = tuple(canonical_id(message_id) if message_id else "" for message_id in sent.message_ids)
        return Done(ref=",".join(sent.message_ids) or None, gateway=effect.gateway, message_ids=ids)

    def _outcome(self, order: Order, error: errors.SmsError) -> Outcome:
        """What a gateway's error means for the outbox: retry only when certainly nothing was taken."""
        now = self._clock.now()
        match error:
            case errors.InDoubt(accepted=accepted, in_doubt=doubtful, not_sent=rest):
                return _in_doubt(order, error, accepted, len(accepted) + len(doubtful) + len(rest))
            case errors.Refused(accepted=accepted, not_sent=rest) if accepted:
                return _in_doubt(order, error, accepted, len(accepted) + 1 + len(rest))
            case errors.Refused(permanent=False) | errors.NotSent():
                return RetryAt(now + retry_wait(order.attempts), str(error))
            case errors.Throttled(retry_after=wait):
                return RetryAt(now + timedelta(seconds=wait), str(error))
            case _:
                return Failed(str(error))


def withdrawing(gateways: Mapping[str, Gateway]) -> Listener:
    """A listener of the recorder: who says no is sent nothing that is still here, begun or not.

    Nor is a text-back sent whose plan has ended meanwhile, because the caller reached a person, say. Replies to the person's
    own words go out.
    """

    def hear(recorded: Recorded) -> None:
        for effect in recorded.step.effects:
            match effect:
                case SetConsent(number=number, state=ConsentState.OPTED_OUT):
                    withdraw(number, None)
                case CancelPending(kinds=kinds) if "text" in kinds and recorded.step.lead is not None:
                    lead = recorded.step.lead
                    if lead.number is not None and lead.text_effect is not None:
                        withdraw(lead.number, lead.text_effect)
                case _:
                    pass

    def withdraw(number: E164, reference: EffectId | None) -> None:
        for gateway in gateways.values():
            gateway.withdraw(number, reference)

    return hear


def _in_doubt(order: Order, error: Exception, accepted: tuple[str, ...], segments: int) -> InDoubt:
    """Some segments may be out, and some certainly are."""
    assert isinstance(order.effect, SendText)
    ids = tuple(canonical_id(message_id) for message_id in accepted if message_id)
    ref = ",".join(filter(None, accepted)) or None
    return InDoubt(str(error), ref=ref, gateway=order.effect.gateway, message_ids=ids, segments=segments)


def is_one_segment(body: str) -> bool:
    """Whether a text goes out as one, whichever alphabet its gateway uses: then one receipt speaks of all of it."""
    shown = encoding.sanitise(body)
    codes = encoding.septets(shown)
    if codes is None:
        return len(shown.encode("utf-16-be")) <= LONGEST_SEGMENT_OCTETS
    return len(codes) <= LONGEST_SEGMENT_OCTETS


class TextInbox:
    """Takes texts and receipts into the journal."""

    def __init__(self, recorder: Recorder, clock: Clock, senders: Collection[str] = ()) -> None:
        """senders: gateways that send under one fixed sender, whatever number was dialled."""
        self._recorder = recorder
        self._clock = clock
        self._senders = senders

    async def take(self, gateway: str, message: InboundText | Receipt) -> None:
        """Store it. Returns after the commit; raises StoreUnavailableError, and the sender has to bring it again."""
        if isinstance(message, Receipt):
            await self._receipt(gateway, message)
        else:
            await self._text(gateway, message)

    async def _text(self, gateway: str, message: InboundText) -> None:
        policy = self._recorder.policy
        sender = numbering.classify(message.source, policy.region)
        recipient = numbering.canonical(message.destination, policy.region)
        entry = policy.entry_for(recipient)
        at = self._clock.now()
        # Half a surrogate pair, from a text that was cut in two on its way, is no character and cannot be stored.
        body = message.body[:LONGEST_BODY].encode("utf-8", "replace").decode()

        def job(db: Database, record: Record) -> list[Recorded | None]:
            people = (gateway, message.source, message.destination)
            if message.may_repeat and text_parts.is_last(db, *people, message.fingerprint, at - REDELIVERY):
                return []  # stored before a restart, and brought again because its acknowledgement was lost
            text_parts.set_last(db, *people, message.fingerprint, at)
            event = TextReceived(
                at=at,
                source_id=f"sms:{gateway}:{message.source_id}",
                sender=sender.number or message.source[:40],
                recipient=recipient,
                body=body,
                office=_office_of(db, sender.number, policy) if entry is None else entry.office,
            )
            return [record(event, None)]

        recorded = await self._recorder.transact(job)
        log.info(
            "text_received" if recorded else "text_received_again",
            sender=redacted(sender.number),
            unreadable=message.unreadable,
        )

    async def _receipt(self, gateway: str, message: Receipt) -> None:
        if not message.state.final:
            return
        policy = self._recorder.policy
        receipt = FinalReceipt(
            gateway=gateway,
            refs=message.candidates,
            state=message.state.value,
            error=message.error,
            to=numbering.canonical(message.source, policy.region),
            sender=None if gateway in self._senders else numbering.canonical(message.destination, policy.region),
            prefix=message.text,
            user_reference=message.user_reference,
        )
        at = self._clock.now()

        def job(db: Database, record: Record) -> list[Recorded | None]:
            applied = apply(db, record, receipt, at, _means)
            if isinstance(applied, list):
                return applied
            if isinstance(applied, Disproven):
                return settle(db, record, applied.order, Failed(applied.why), at)
            # The receipt proves that a text in doubt went out: its doubt is over, and it is delivered or not.
            ids = receipt.refs[:1]
            outcome = Done(ref=message.message_id or None, gateway=gateway, message_ids=ids)
            resolved = settle(db, record, applied, outcome, at)
            again = apply(db, record, receipt, at, _means)
            return [*resolved, *(again if isinstance(again, list) else [])]

        await self._recorder.transact(job)


def _office_of(db: Database, sender: E164 | None, policy: Policy) -> str | None:
    """Whose a text is that came to no number of the settings: a gateway may send everything under one of its own, and its answers
    come back there. The office that the person had to do with last, though that is over; or else the first."""
    if sender is None:
        return None
    known = journal.newest_lead(db, sender, None)
    if known is not None and known.lead.office in policy.offices:
        return known.lead.office
    return next(iter(policy.offices))


def _means(receipt: FinalReceipt, order: Order) -> bool:
    """Whether a receipt that names no id we know can speak of this text, and of all of it."""
    assert isinstance(order.effect, SendText)
    if receipt.user_reference is not None and receipt.user_reference != user_reference(order.effect_id):
        return False
    if not encoding.sanitise(order.effect.body).startswith(receipt.prefix):
        return False
    return order.ref is None and is_one_segment(order.effect.body)
