"""The inbound call's machine: ``step(call, event, digests) -> CallStep``. Pure; all transitions are in this file.

Rules:

1. One verdict for a call, never one for a leg. A group with one answer is not a miss.
2. The ring clock starts with the first phone that rings; ``rings`` of it later, unanswered, the call is missed, at that
   moment, though the caller may still be there. No phone rings within its ``first_ring_seconds``: unreachable, or busy if a
   phone said so. No hang-up cause decides anything but busy.
3. A phone that answers before it is taken back wins, even after the verdict (an overflow group): then the caller has
   reached a person, and recovery stops by itself.
4. Whoever is missed and still there gets what the number's entry says: the prompt, an overflow group, voicemail. The
   notice, and its keys, only where it is true: for callers whom we may contact, and whose miss counts.
5. Total: events of legs that are gone, keys at odd times and the like change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from ari_app.calls.draft import CallDraft, Digests
from ari_app.calls.effects import (
    CallEffect,
    CancelLeg,
    Connect,
    FallThrough,
    HangUp,
    HangUpAs,
    Prompt,
    Record,
    RingBack,
    StopPlaying,
)
from ari_app.calls.events import (
    Arrived,
    CallerGone,
    CallEvent,
    DeadlinePassed,
    KeyHeard,
    LegAnswered,
    LegAsked,
    LegEnd,
    LegEnded,
    LegRinging,
    PlayingEnded,
    RecordingEnded,
)
from ari_app.calls.state import TOLERANCE, Call, CallStage, Leg, LegState
from ari_app.recovery.events import CallAnswered, KeyPressed, VoicemailLeft
from ari_app.recovery.machine import KEY_CALL_NOW, KEY_NEVER
from ari_app.recovery.policy import AfterMiss, Strategy
from ari_app.recovery.values import Verdict

SHORTEST_MESSAGE_SECONDS = 2.0
"""A shorter recording is a caller who hung up at the beep."""
_OUT = (LegEnd.BUSY, LegEnd.REJECTED, LegEnd.UNREACHABLE, LegEnd.HUNG_UP)
"""Ends after which a phone is not tried again in this call."""
REFUSAL_SECONDS = 1.0
"""A phone that gives no answer after so little ringing, or none, has refused (480: do not disturb): in turns with others that do
so it would be asked again at once, for ever."""


@dataclass(frozen=True, slots=True)
class CallStep:
    call: Call
    effects: tuple[CallEffect, ...] = ()


def step(call: Call, event: CallEvent, digests: Digests) -> CallStep:
    """The call after ``event``, and what is to be done."""
    draft = CallDraft(call, event, digests)
    match event:
        case _ if call.stage is CallStage.ENDED:
            _stray(draft, event)
        case Arrived():
            _arrived(draft)
        case LegAsked(leg=leg):
            _asked(draft, leg)
        case LegRinging(leg=leg):
            _ringing(draft, leg)
        case LegAnswered(leg=leg):
            _answered(draft, leg)
        case LegEnded(leg=leg, end=end):
            _leg_ended(draft, leg, end)
        case CallerGone():
            _caller_gone(draft)
        case KeyHeard(key=key):
            _key(draft, key)
        case PlayingEnded():
            _playing_ended(draft, event)
        case RecordingEnded():
            _recording_ended(draft, event)
        case DeadlinePassed():
            _deadline_passed(draft)
        case _:
            assert_never(event)
    return CallStep(draft.call, tuple(draft.effects))


def _stray(draft: CallDraft, event: CallEvent) -> None:
    """What comes when the call is over: a phone that answers is hung up; the end of the notice is still evidence."""
    match event:
        case LegAnswered(leg=leg):
            draft.effects.append(CancelLeg(leg, elsewhere=False))
        case PlayingEnded(prompt=prompt) if prompt == draft.call.playing == Prompt.NOTICE:
            draft.call = replace(draft.call, playing=None)
            draft.notice_played(event)
        case RecordingEnded():
            _message_left(draft, event)
        case _:
            pass


# ------------------------------------------------------------------------------------------------------------- ringing
def _arrived(draft: CallDraft) -> None:
    setup = draft.setup
    if draft.call.stage is not CallStage.NEW:
        return
    if setup.entry is None:
        draft.verdict(Verdict.UNROUTED, on_line=True)
        draft.effects.append(FallThrough())
        draft.enter(CallStage.ENDED)
    elif not setup.is_open and not setup.entry.ring_after_hours:
        _missed(draft, Verdict.AFTER_HOURS)
    elif not setup.phones:
        _missed(draft, Verdict.UNREACHABLE)
    else:
        draft.enter(CallStage.RINGING)
        draft.ring(setup.phones if setup.strategy is Strategy.ALL else setup.phones[:1])


def _asked(draft: CallDraft, leg_id: str) -> None:
    """Its time to begin to ring starts now; the ring clock, too, starts anew if no other phone rings."""
    leg = draft.call.leg(leg_id)
    if leg is None or leg.state not in (LegState.CALLING, LegState.RINGING):
        return
    draft.change(replace(leg, state=LegState.CALLING, since=draft.now))
    _restart_clock(draft)


def _ringing(draft: CallDraft, leg_id: str) -> None:
    leg = draft.call.leg(leg_id)
    if leg is None or leg.state is not LegState.CALLING:
        return
    draft.change(replace(leg, state=LegState.RINGING, since=draft.now, rang=True))
    if draft.call.ring_started is None:
        draft.call = replace(draft.call, ring_started=draft.now)
        draft.effects.append(RingBack())


def _answered(draft: CallDraft, leg_id: str) -> None:
    if leg_id == draft.call.connected_to:
        return  # told twice
    leg = draft.call.leg(leg_id)
    if leg is None or leg.state is LegState.ENDED or draft.call.connected_to is not None:
        draft.effects.append(CancelLeg(leg_id, elsewhere=True))
        return
    draft.cancel_all(but=leg_id)
    if draft.call.playing is not None:
        draft.effects.append(StopPlaying())
    draft.change(replace(leg, state=LegState.ANSWERED, since=draft.now))
    draft.call = replace(draft.call, connected_to=leg_id, ring_ended=draft.now, playing=None)
    draft.enter(CallStage.CONNECTED)
    draft.effects.append(Connect(leg_id))
    draft.tell(CallAnswered(**draft.common(), source_id=f"answered:{draft.setup.call_id}", by=leg.phone))


def _leg_ended(draft: CallDraft, leg_id: str, end: LegEnd) -> None:
    leg = draft.call.leg(leg_id)
    if leg is None or leg.state is LegState.ENDED:
        return
    if end is LegEnd.NO_ANSWER and (not leg.rang or draft.now - leg.since < REFUSAL_SECONDS):
        end = LegEnd.REJECTED
    draft.change(replace(leg, state=LegState.ENDED, end=end))
    if leg_id == draft.call.connected_to:
        draft.effects.append(HangUp(HangUpAs.NORMAL))
        _conversation_over(draft, leg)
    elif end is LegEnd.LOST and draft.call.stage in (CallStage.RINGING, CallStage.OVERFLOW):
        _ring_anew(draft, leg)
    elif draft.call.stage is CallStage.RINGING:
        _next_phone(draft)
    elif draft.call.stage is CallStage.OVERFLOW and not draft.call.live_legs:
        draft.prompt()


def _ring_anew(draft: CallDraft, lost: Leg) -> None:
    """The caller still waits: the same phone, as a leg of its own, so that what is still told of the lost one is not of this."""
    draft.ring([lost.phone])
    _restart_clock(draft)


def _restart_clock(draft: CallDraft) -> None:
    if not any(leg.state is LegState.RINGING for leg in draft.call.live_legs):
        draft.call = replace(draft.call, ring_started=None)


def _next_phone(draft: CallDraft) -> None:
    """Nobody rings any more: the next phone's turn, or the verdict when none is left."""
    if draft.call.live_legs:
        return
    following = _phone_in_turn(draft)
    if following is not None:
        draft.ring([following])
        return
    _missed(draft, _why_missed(draft))


def _phone_in_turn(draft: CallDraft) -> str | None:
    """The phone after the last one, round and round, without those that are out; None when all rang at once."""
    if draft.setup.strategy is Strategy.ALL:
        return None
    out = {leg.phone for leg in draft.call.legs if leg.end in _OUT}
    phones = draft.setup.phones
    start = phones.index(draft.call.legs[-1].phone) + 1
    return next((phone for phone in (*phones[start:], *phones[:start]) if phone not in out), None)


def _why_missed(draft: CallDraft) -> Verdict:
    if any(leg.rang for leg in draft.call.legs):
        return Verdict.NO_ANSWER
    return Verdict.BUSY if any(leg.end is LegEnd.BUSY for leg in draft.call.legs) else Verdict.UNREACHABLE


# --------------------------------------------------------------------------------------------------------------- time
def _deadline_passed(draft: CallDraft) -> None:
    deadline = draft.call.deadline
    if deadline is None or draft.now < deadline - TOLERANCE:
        return
    match draft.call.stage:
        case CallStage.RINGING:
            _ringing_deadline(draft)
        case CallStage.OVERFLOW:
            draft.cancel_all()
            draft.prompt()
        case _:
            draft.finish()


def _ringing_deadline(draft: CallDraft) -> None:
    call, entry = draft.call, draft.setup.entry
    assert entry is not None
    if call.ring_started is not None and call.rings(draft.now) >= entry.rings:
        draft.cancel_all()
        _missed(draft, Verdict.NO_ANSWER)
    elif draft.setup.strategy is Strategy.ALL:
        verdict = _why_missed(draft)
        draft.cancel_all()
        _missed(draft, verdict)
    else:
        for leg in call.live_legs:
            _end_turn(draft, leg)


def _end_turn(draft: CallDraft, leg: Leg) -> None:
    """A phone's turn is over: the next one's, or another turn for the only one that is left."""
    if leg.state is not LegState.RINGING:
        draft.cancel(leg, end=LegEnd.UNREACHABLE)
        _next_phone(draft)
    elif _phone_in_turn(draft) in (None, leg.phone):
        draft.change(replace(leg, since=draft.now))
    else:
        draft.cancel(leg)
        _next_phone(draft)


# ------------------------------------------------------------------------------------------------------ after the miss
def _missed(draft: CallDraft, verdict: Verdict) -> None:
    """The verdict, and what the caller gets who is still there."""
    draft.verdict(verdict, on_line=True)
    match draft.after_miss:
        case AfterMiss.HANGUP:
            draft.finish()
        case AfterMiss.OVERFLOW if draft.setup.overflow:
            draft.enter(CallStage.OVERFLOW)
            draft.ring(draft.setup.overflow)
        case AfterMiss.OVERFLOW | AfterMiss.PROMPT | AfterMiss.VOICEMAIL:
            draft.prompt()
        case _:
            assert_never(draft.after_miss)


def _key(draft: CallDraft, key: str) -> None:
    call = draft.call
    if call.stage is not CallStage.PROMPTING or not call.recovering or call.playing is Prompt.NEVER:
        return
    if key != KEY_NEVER and (key != KEY_CALL_NOW or call.playing is Prompt.CALL_NOW or not draft.setup.may_call):
        return
    draft.tell(KeyPressed(**draft.common(), source_id=f"key:{draft.setup.call_id}:{key}", key=key))
    if call.playing is not None:
        draft.effects.append(StopPlaying())
    draft.play(Prompt.CALL_NOW if key == KEY_CALL_NOW else Prompt.NEVER)


def _playing_ended(draft: CallDraft, event: PlayingEnded) -> None:
    if event.prompt == Prompt.NOTICE and draft.call.recovering:
        draft.notice_played(event)
    if event.prompt != draft.call.playing:
        return
    draft.call = replace(draft.call, playing=None)
    if event.prompt == Prompt.MESSAGE:
        draft.enter(CallStage.RECORDING)
        draft.effects.append(Record(draft.setup.message_seconds))
    elif event.prompt in (Prompt.NOTICE, Prompt.SORRY) and draft.after_miss is AfterMiss.VOICEMAIL:
        draft.play(Prompt.MESSAGE)
    elif event.prompt == Prompt.NOTICE and event.whole:
        draft.enter(CallStage.PROMPTING)  # keys are heard a little longer
    else:
        draft.finish()


def _recording_ended(draft: CallDraft, event: RecordingEnded) -> None:
    _message_left(draft, event)
    if draft.call.stage is CallStage.RECORDING:
        draft.finish()


def _message_left(draft: CallDraft, event: RecordingEnded) -> None:
    if event.seconds >= SHORTEST_MESSAGE_SECONDS:
        source_id = f"voicemail:{draft.setup.call_id}"
        draft.tell(
            VoicemailLeft(**draft.common(), source_id=source_id, recording=event.recording, seconds=event.seconds)
        )


# ------------------------------------------------------------------------------------------------------------- the end
def _caller_gone(draft: CallDraft) -> None:
    connected = draft.call.leg(draft.call.connected_to or "")
    draft.cancel_all()
    if connected is not None:
        _conversation_over(draft, connected)
    elif draft.call.verdict is None:
        draft.verdict(Verdict.ABANDONED, on_line=False)
        draft.enter(CallStage.ENDED)
    else:
        draft.left()
        draft.enter(CallStage.ENDED)


def _conversation_over(draft: CallDraft, leg: Leg) -> None:
    talked = draft.now - leg.since
    if draft.call.verdict is None:
        verdict = Verdict.DROPPED if talked < draft.setup.dropped_seconds else Verdict.ANSWERED
        draft.verdict(verdict, on_line=False, talk_seconds=talked, by=leg.phone)
    else:
        draft.left()
    draft.enter(CallStage.ENDED)
