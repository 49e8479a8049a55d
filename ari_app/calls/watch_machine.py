"""The watched call's machine: ``step(call, event) -> WatchStep``. Pure; all transitions are in this file.

Somebody else's dialplan rings the phones; nothing here asks for anything but that a fact be told. The verdicts are those of
the inline machine, and one for a call:

1. The ring clock starts with the first real phone that rings (a Local channel that says so is no phone). ``rings`` of it
   later, unanswered, the call is missed, though everything may ring on; whoever answers then has reached the caller all the
   same, and recovery stops by itself.
2. In a queue the waiting counts as ringing, and the queue decides: it gives up, or the caller does. (``queue_rings``: the
   ring clock does.)
3. An answer is when the caller and a leg hear each other, not when a leg says that it is up: Local channels answer
   themselves, and a mobile may first be asked to press a key. An answer from outside the house may be a voicemail; the rules
   say what it is worth.
4. A mailbox, or our notice, that answers ends the hope: missed, for the reason that is known by then. When no leg is called
   any more the dialplan may still go on to others, for as long as a first ring may take.
5. What was not seen is not guessed: a call that vanished while we were blind is left to be judged from the PBX's event log
   where there is one. Where there is none it is unknown; unless Asterisk itself went: then it ended as it was last seen.
6. Total: events that mean nothing in a stage change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from ari_app.calls.events import DeadlinePassed, LegAnswered, LegEnd, LegEnded, LegRinging
from ari_app.calls.state import TOLERANCE, LegState
from ari_app.calls.watch_draft import WatchDraft
from ari_app.calls.watch_events import (
    CallerHungUp,
    CallerVanished,
    CallSeen,
    Joined,
    KeyAsked,
    LegStarted,
    MailboxEntered,
    MessageLeft,
    NoticePlayed,
    PhonesTried,
    Queued,
    SightLost,
    SightRegained,
    Unqueued,
    WatchEvent,
)
from ari_app.calls.watch_state import CONFIRMED_SECONDS, WatchedCall, WatchedLeg, WatchStage
from ari_app.recovery.events import Event
from ari_app.recovery.policy import Forwarded
from ari_app.recovery.values import Verdict

_HOPING = (WatchStage.DIALPLAN, WatchStage.RINGING, WatchStage.QUEUED)
"""Stages in which somebody may still answer."""


@dataclass(frozen=True, slots=True)
class WatchStep:
    """The call afterwards, and what the journal is to be told, in order."""

    call: WatchedCall
    facts: tuple[Event, ...] = ()


def step(call: WatchedCall, event: WatchEvent) -> WatchStep:
    """The call after ``event``."""
    draft = WatchDraft(call, event)
    match event:
        case MessageLeft(mailbox=mailbox):
            _message(draft, mailbox)
        case NoticePlayed():
            _notice(draft, event)
        case _ if call.stage is WatchStage.ENDED:
            pass
        case CallSeen(for_seconds=for_seconds):
            _seen(draft, for_seconds)
        case _ if call.stage is WatchStage.NEW:
            pass
        case PhonesTried(asking=asking):
            draft.tried()
            draft.call = replace(draft.call, asking=draft.call.asking or asking)
        case LegStarted():
            _leg_started(draft, event)
        case LegRinging(leg=leg):
            _leg_ringing(draft, leg)
        case LegAnswered(leg=leg):
            _leg_answered(draft, leg)
        case LegEnded(leg=leg, end=end):
            _leg_ended(draft, leg, end)
        case KeyAsked(leg=leg):
            _key_asked(draft, leg)
        case Joined():
            _joined(draft, event)
        case Queued():
            _queued(draft)
        case Unqueued():
            _unqueued(draft)
        case MailboxEntered(mailbox=mailbox):
            _mailbox(draft, mailbox)
        case CallerHungUp(by_caller=by_caller):
            _hung_up(draft, by_caller=by_caller)
        case CallerVanished(restarted=restarted):
            _vanished(draft, restarted=restarted)
        case SightLost():
            _blind(draft)
        case SightRegained():
            draft.call = replace(draft.call, blind_since=None)
        case DeadlinePassed():
            _deadline_passed(draft)
        case _:
            assert_never(event)
    return WatchStep(draft.call, tuple(draft.facts))


def _seen(draft: WatchDraft, for_seconds: float) -> None:
    if draft.call.stage is WatchStage.NEW:
        began = draft.now - for_seconds
        # Of a call that is found under way nothing was seen so far; the sight comes with the snapshot's last word.
        draft.call = replace(draft.call, seen_at=began, blind_since=began if for_seconds > 0 else None)
        draft.enter(WatchStage.DIALPLAN)


def _blind(draft: WatchDraft) -> None:
    if draft.call.blind_since is None:
        draft.call = replace(draft.call, blind_since=draft.now)


# ---------------------------------------------------------------------------------------------------------------- legs
def _leg_started(draft: WatchDraft, event: LegStarted) -> None:
    if draft.call.leg(event.leg) is not None:
        return
    draft.tried()
    draft.put(WatchedLeg(event.leg, event.phone, event.outside, draft.now))
    if draft.call.stage is WatchStage.DIALPLAN:
        draft.enter(WatchStage.RINGING)


def _leg_ringing(draft: WatchDraft, leg_id: str) -> None:
    leg = draft.call.leg(leg_id)
    if leg is None or leg.state is not LegState.CALLING or leg.phone is None:
        return
    draft.put(replace(leg, state=LegState.RINGING, since=draft.now, rang=True))
    if draft.call.stage in _HOPING:
        draft.ring()


def _leg_answered(draft: WatchDraft, leg_id: str) -> None:
    leg = draft.call.leg(leg_id)
    if leg is not None and leg.state in (LegState.CALLING, LegState.RINGING):
        draft.put(replace(leg, state=LegState.ANSWERED, since=draft.now))


def _leg_ended(draft: WatchDraft, leg_id: str, end: LegEnd) -> None:
    leg = draft.call.leg(leg_id)
    if leg is None or leg.state is LegState.ENDED:
        return
    draft.put(replace(leg, state=LegState.ENDED, since=draft.now, end=end))
    if not draft.call.live_legs:
        draft.call = replace(draft.call, quiet_since=draft.now)
        if draft.call.stage is WatchStage.RINGING:
            draft.enter(WatchStage.DIALPLAN)


def _key_asked(draft: WatchDraft, leg_id: str) -> None:
    leg = draft.call.leg(leg_id)
    if leg is not None:
        draft.put(replace(leg, asked=True))


def _confirmed(draft: WatchDraft, leg_id: str) -> bool:
    """Whether somebody pressed a key to hear the caller. That a leg was up for a while shows it only of FollowMe, and only
    where we looked on: Dial and Queue may have announced the call to a voicemail meanwhile."""
    call, leg = draft.call, draft.call.leg(leg_id)
    if leg is None or leg.asked:
        return leg is not None
    up = leg.state is LegState.ANSWERED and draft.now - leg.since >= CONFIRMED_SECONDS
    return call.asking and call.blind_since is None and up


def _joined(draft: WatchDraft, event: Joined) -> None:
    call = draft.call
    asked = _confirmed(draft, event.leg)
    if call.joined_at is None:
        # An answer that came unseen may be as old as our blindness: a long talk must not pass for one that was cut off.
        answered_at = draft.now if call.blind_since is None else call.blind_since
        draft.call = replace(call, joined_at=answered_at, joined_to=event.phone)
    draft.enter(WatchStage.CONNECTED)
    trusted = not event.outside or asked or call.rules.forwarded is Forwarded.TRUST
    if trusted and not call.person:
        draft.reached(event.phone)


# ------------------------------------------------------------------------------------------------ queues and mailboxes
def _queued(draft: WatchDraft) -> None:
    if draft.call.stage in _HOPING:
        draft.tried()
        draft.ring()
        draft.enter(WatchStage.QUEUED)


def _unqueued(draft: WatchDraft) -> None:
    """Out of the queue: an agent's leg is up, or it was in vain. What comes next in the dialplan may still answer."""
    if draft.call.stage is not WatchStage.QUEUED:
        return
    draft.call = replace(draft.call, quiet_since=draft.now)
    draft.enter(WatchStage.RINGING if draft.call.live_legs else WatchStage.DIALPLAN)
    if draft.call.verdict is None and not draft.anybody_answered():
        draft.missed(on_line=True)


def _mailbox(draft: WatchDraft, mailbox: str) -> None:
    if draft.call.stage is WatchStage.CONNECTED:
        return
    draft.call = replace(draft.call, mailbox=mailbox, mailbox_at=draft.now)
    draft.enter(WatchStage.MAILBOX)
    if draft.call.verdict is None:
        draft.missed(on_line=True)


def _message(draft: WatchDraft, mailbox: str) -> None:
    if draft.call.mailbox is not None:
        draft.message_left(mailbox)


def _notice(draft: WatchDraft, event: NoticePlayed) -> None:
    if draft.call.stage not in (WatchStage.NEW, WatchStage.CONNECTED, WatchStage.ENDED):
        draft.enter(WatchStage.MAILBOX)
        if draft.call.verdict is None:
            draft.missed(on_line=True)
    draft.notice(event)


# ---------------------------------------------------------------------------------------------------------------- time
def _deadline_passed(draft: WatchDraft) -> None:
    deadline = draft.call.deadline
    if deadline is None or draft.now < deadline - TOLERANCE:
        return
    if draft.call.stage is WatchStage.CONNECTED:
        assert draft.call.joined_to is not None
        draft.reached(draft.call.joined_to)  # few leave a voicemail a message of that length
    else:
        draft.missed(on_line=True)


# ------------------------------------------------------------------------------------------------------------- the end
def _hung_up(draft: WatchDraft, *, by_caller: bool) -> None:
    call = draft.call
    if call.verdict is not None:
        draft.left()
    elif call.setup.entry is None:
        draft.verdict(Verdict.UNROUTED, on_line=False)
    elif call.stage is WatchStage.CONNECTED:
        _talk_over(draft, draft.now)
    else:
        draft.verdict(_gave_up(draft) if by_caller else draft.why_nobody(), on_line=False)
    draft.enter(WatchStage.ENDED)


def _gave_up(draft: WatchDraft) -> Verdict:
    """The caller hung up before a verdict: gave up, unless there was nothing to wait for."""
    call = draft.call
    called_off = any(leg.end is LegEnd.CANCELLED for leg in call.legs)
    in_vain = call.tried_at is not None and not call.rang and not call.live_legs and not called_off
    if in_vain or (call.closed and not call.rang):
        return draft.why_nobody()
    return Verdict.ABANDONED


def _talk_over(draft: WatchDraft, end: float) -> None:
    call = draft.call
    talked = max(0.0, end - (call.joined_at or end))
    if not call.person:
        draft.verdict(draft.why_nobody(), on_line=False)
    else:
        short = talked < call.setup.dropped_seconds
        draft.verdict(Verdict.DROPPED if short else Verdict.ANSWERED, on_line=False, talk_seconds=talked)


def _vanished(draft: WatchDraft, *, restarted: bool) -> None:
    call = draft.call
    seen_last = draft.now if call.blind_since is None else call.blind_since
    if call.verdict is not None:
        draft.left()
    elif call.setup.entry is None:
        draft.verdict(Verdict.UNROUTED, on_line=False)
    elif call.stage is WatchStage.CONNECTED and call.person:
        _talk_over(draft, seen_last)
    elif call.rules.told_later:
        pass  # also of a restart: we may have been blind for a while before it
    elif call.stage is WatchStage.CONNECTED and restarted:
        _talk_over(draft, seen_last)
    else:
        draft.verdict(_gave_up(draft) if restarted else Verdict.UNKNOWN, on_line=False)
    draft.enter(WatchStage.ENDED)
