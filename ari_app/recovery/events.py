"""What happened. Facts in the past tense, frozen; ``at`` is aware UTC; ``source_id`` makes intake idempotent.

Looked-up facts that decisions need stand beside each event in ``Facts`` and are journaled with it, so that a replay needs
nothing but the journal and the policy in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ari_app.recovery.effects import AlertAgent, WorldEffect
from ari_app.recovery.values import (
    E164,
    CallbackEnd,
    Consent,
    EffectId,
    Intent,
    Line,
    NumberKind,
    Verdict,
    require_aware,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What all events have. at: when it happened. source_id: unique for ever; a second one is the same event again.

    Raises ValueError for a time without a zone.
    """

    at: datetime
    source_id: str

    def __post_init__(self) -> None:
        require_aware(self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundCall(Happening):
    """What all events of one inbound call have.

    call_id: Asterisk's linkedid. caller: None when no usable number came. kind: of the caller's number. dialled: as
    E.164 when it can be. office, entry: of the number entry that matched; None for an unrouted call.
    occurred_at: when it happened, if we learned of it only at ``at``, from Asterisk's ledger; None: it was seen.
    """

    call_id: str
    caller: E164 | None
    kind: NumberKind
    dialled: str
    office: str | None
    entry: str | None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMissed(InboundCall):
    """The verdict on a call is a miss that counts. source_id ``call:<linkedid>``.

    rings: rings that were over. ring_seconds: since the first phone rang. on_line: the caller is still there.
    plan: the plan to follow. caller_name: as the network gave it, untrusted. reached_since: the phone at which the caller
    reached a person after this call, when we learned of both later.
    """

    verdict: Verdict
    rings: int
    ring_seconds: float
    on_line: bool
    plan: str
    source: str | None
    listing: str | None
    caller_name: str | None
    reached_since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallClosed(InboundCall):
    """The verdict on a call that starts no plan: answered, dropped, abandoned at once. source_id ``call:<linkedid>``.

    A dropped one is told once more to each other lead whose plan its answer has ended. elsewhere: this is such a one.
    """

    verdict: Verdict
    rings: int
    ring_seconds: float
    talk_seconds: float
    answered_by: str | None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered(InboundCall):
    """A person of the brokerage took the call. source_id ``answered:<linkedid>``.

    Told once more, with ``:lead:<id>`` behind it, to each other lead of the caller. elsewhere: this is such a one.
    """

    by: str
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptPlayed(InboundCall):
    """The caller heard the prompt, or a part of it. source_id ``prompt:<linkedid>``.

    text_sha256, audio_sha256: of what was played, in hexadecimal: the evidence of the notice (CNS-04).
    whole: played to its end.
    """

    prompt: str
    text_sha256: str
    audio_sha256: str
    started_at: datetime
    ended_at: datetime
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPressed(InboundCall):
    """The caller pressed a key after the miss. source_id ``key:<linkedid>:<n>``."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicemailLeft(InboundCall):
    """The caller left a message. source_id ``voicemail:<linkedid>``. recording: file name under the recordings folder."""

    recording: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerLeft(InboundCall):
    """A caller whose call was missed is no longer on the line. source_id ``left:<linkedid>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReceived(Happening):
    """A text came in. source_id ``sms:<id>``. sender: as E.164 when it can be. body: untrusted. office: of the
    recipient; of one that has no entry, the office that knows the person best."""

    sender: str
    recipient: str
    body: str
    office: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptReceived(Happening):
    """The SMSC says what became of a text, all its segments taken together. source_id ``receipt:<effect>:<state>``."""

    effect_id: EffectId
    delivered: bool
    state: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSettled(Happening):
    """The world's answer to an effect. source_id ``effect:<id>``.

    outcome: ``done``, ``failed``, ``in_doubt``, ``refused`` or ``cancelled``. ref: what the target calls it.
    rule: of the compliance gate, when refused. alert: what had been ordered, when it is an alert that failed.
    """

    effect_id: EffectId
    kind: str
    outcome: str
    ref: str | None
    why: str | None
    rule: str | None
    alert: AlertAgent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackAnswered(Happening):
    """The caller took our callback. source_id ``callback:<effect>:answered``."""

    effect_id: EffectId


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackOptedOut(Happening):
    """The caller said no while our callback lasted. source_id ``callback:<effect>:no``.

    Told at that moment: what follows in the call may be cut off. how: ``9``, the key, or ``spoken``.
    """

    effect_id: EffectId
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackHandedOver(Happening):
    """The caller of our callback now speaks with a person. source_id ``callback:<effect>:person``.

    by: the desk phone that took the call. Told once more, with ``:lead:<id>`` behind the source_id, to each other lead of the
    caller. elsewhere: this is such a one.
    """

    effect_id: EffectId
    by: str
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackEnded(Happening):
    """The callback is over. source_id ``callback:<effect>:ended``.

    seconds: from answer to end. by: the agent who was reached. keys: pressed by the caller, in order, before a person
    took over.
    """

    effect_id: EffectId
    end: CallbackEnd
    intent: Intent
    lines: tuple[Line, ...]
    keys: str
    seconds: float
    by: str | None
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired(Happening):
    """A durable timer is due. source_id ``timer:<id>``."""

    timer_id: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadAcknowledged(Happening):
    """An agent takes the lead."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadClosed(Happening):
    """A person ends the lead's plan."""

    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutRecorded(Happening):
    """A person of the brokerage notes that someone asked not to be contacted, by whatever means (REV-06)."""

    number: E164
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResent(Happening):
    """A person wants an order that failed, or is in doubt, carried out once more. effect: what had been ordered."""

    effect_id: EffectId
    effect: WorldEffect
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDropped(Happening):
    """A person wants nothing more done about an order that waits, failed or is in doubt. status: what it was."""

    effect_id: EffectId
    kind: str
    status: str
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksRestored(Happening):
    """The books are those of a backup: nothing of the time between ``taken_at`` and ``at`` is in them.

    For no lead once, which opens the journal anew; and for each lead whose plan was not over when the backup was taken.
    """

    taken_at: datetime


Event = (
    CallMissed
    | CallClosed
    | CallAnswered
    | PromptPlayed
    | KeyPressed
    | VoicemailLeft
    | CallerLeft
    | TextReceived
    | ReceiptReceived
    | EffectSettled
    | CallbackAnswered
    | CallbackOptedOut
    | CallbackHandedOver
    | CallbackEnded
    | TimerFired
    | LeadAcknowledged
    | LeadClosed
    | OptOutRecorded
    | OrderResent
    | OrderDropped
    | BooksRestored
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was looked up when an event was recorded, about the person's number and the office.

    kind: of the person's number. blocked: by the block list or marked in the people list.
    text_window_until: end of the time in which no further text-back may go, None when there is none. text_window_holder: the
    order that bars them, or another reason; None in old entries.
    callbacks, replies: to this number in the last 24 h. contacts_same: callbacks and text-backs to it in that time, of all
    offices. contacts_alike, contacts: texts, replies and callbacks that were
    ordered in the last hour, to numbers with the same first digits and to all. contact_opens: end of the quiet hours; None
    outside of them. contact_closes: when the next ones begin; None if never, or if it was not looked up.
    never_contact_time: quiet hours of the number's possible zones never end together.
    agent: whose turn it is. name, email: from the people list.
    gateway: for texts to the number, None without a route. may_call_back: callbacks may go there.
    books_lost_until: the call is of a time whose books are lost, or was made before that time's calls were judged anew:
    nobody knows what the caller got or said; a text may have gone as late as then. None: the books are whole.
    noes_lost: nor has it been found out otherwise who said no in that time.
    reached_since: the phone at which the caller reached a person after the miss, which was recorded later.
    """

    kind: NumberKind = NumberKind.ORDINARY
    blocked: bool = False
    text: Consent = Consent()
    call: Consent = Consent()
    text_window_until: datetime | None = None
    text_window_holder: str | None = None
    callbacks: int = 0
    replies: int = 0
    contacts_same: int = 0
    contacts_alike: int = 0
    contacts: int = 0
    contact_opens: datetime | None = None
    contact_closes: datetime | None = None
    never_contact_time: bool = False
    agent: str | None = None
    name: str | None = None
    email: str | None = None
    gateway: str | None = None
    may_call_back: bool = False
    books_lost_until: datetime | None = None
    noes_lost: bool = False
    reached_since: str | None = None
