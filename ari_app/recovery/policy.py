"""The brokerage's policy as one frozen value, built from the YAML. What may be done, when, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from ari_app.recovery.hours import Hours
from ari_app.recovery.patterns import Pattern, most_specific
from ari_app.recovery.templates import Template
from ari_app.recovery.values import E164, Verdict


class Condition(StrEnum):
    """What makes a plan skip the step after a wait."""

    ACKNOWLEDGED = "acknowledged"
    """An agent took the lead."""
    ENGAGED = "engaged"
    """The caller replied, or spoke with the assistant."""
    REACHED = "reached"
    """The caller spoke with a person of the brokerage."""


@dataclass(frozen=True, slots=True)
class TextStep:
    """Text the caller. after_hours: the template used while the office is closed. late: the one for a miss that we learned
    of late; without it, such a caller is not texted."""

    template: str
    after_hours: str
    late: str | None = None


@dataclass(frozen=True, slots=True)
class CallStep:
    """Call the caller back with the voice agent."""


@dataclass(frozen=True, slots=True)
class AlertStep:
    """Tell a person. to: ``agent`` (the one assigned), or the name of an agent or of a group."""

    to: str


@dataclass(frozen=True, slots=True)
class WaitStep:
    """Wait. Seconds count from the missed call plus the waits before, however long the steps between took.

    unless: when one of these holds at the end of the wait, the next step is skipped.
    """

    seconds: float
    unless: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class EmailStep:
    """E-mail the caller, if an address is on file."""

    template: str


@dataclass(frozen=True, slots=True)
class PushStep:
    """Push the lead, as it now stands, to the CRM."""


PlanStep = TextStep | CallStep | AlertStep | WaitStep | EmailStep | PushStep


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens after a miss, in order."""

    name: str
    steps: tuple[PlanStep, ...]


class Strategy(StrEnum):
    """How a group's phones ring."""

    ALL = "all"
    IN_ORDER = "in_order"
    ROUND_ROBIN = "round_robin"


@dataclass(frozen=True, slots=True)
class Agent:
    """A person of the brokerage."""

    key: str
    name: str
    email: str | None
    phone: str | None
    mobile: E164 | None


@dataclass(frozen=True, slots=True)
class Group:
    """Phones that ring together, and the agents who take the leads. each_seconds: one phone's share, unless ``all``."""

    key: str
    strategy: Strategy
    phones: tuple[str, ...]
    agents: tuple[str, ...]
    each_seconds: float


class AfterMiss(StrEnum):
    """What a caller who is still on the line gets once the call counts as missed."""

    PROMPT = "prompt"
    """The notice is played, keys are heard, then we hang up."""
    OVERFLOW = "overflow"
    """Another group rings on; its time over, the prompt."""
    VOICEMAIL = "voicemail"
    """The notice is played, then a message can be left."""
    HANGUP = "hangup"


class Forwarded(StrEnum):
    """What an answer outside the house is worth, where only watching tells of it: it may be the mobile's own voicemail."""

    TRUST = "trust"
    """A person answered."""
    TALK = "talk"
    """A person answered if the two talk for long enough, or if whoever answered was asked to press a key first."""
    DISTRUST = "distrust"
    """Nobody answered, unless whoever answered was asked to press a key first."""


@dataclass(frozen=True, slots=True)
class NumberEntry:
    """Numbers that callers dial, and what belongs to them."""

    pattern: Pattern
    office: str
    source: str | None
    listing: str | None
    group: str
    rings: int
    plan: str
    after_hours_plan: str
    after_miss: AfterMiss
    overflow: str | None
    ring_after_hours: bool
    counts: frozenset[Verdict]
    """Verdicts that start the plan."""
    abandoned_rings: int
    """An abandoned call counts only when this many rings were over."""

    @property
    def key(self) -> str:
        return self.pattern.text


@dataclass(frozen=True, slots=True)
class Office:
    key: str
    name: str
    hours: Hours


@dataclass(frozen=True, slots=True)
class TextRules:
    """Limits of texts. window_seconds: at most one text-back for a caller and an office in this time (FRQ-01)."""

    window_seconds: float
    outcome_seconds: float
    """How long the plan waits for the text's outcome before it goes on to the callback."""
    hold_seconds: float
    """How long a text waits for the caller who is still listening to the prompt, and may press 9."""
    expires_seconds: float
    """A text not handed over by then is worth nothing, and goes to a person instead."""
    late_seconds: float
    """A text that answers an older miss than this has the late wording (AGE-02)."""
    too_late_seconds: float
    """A miss older than this is answered by a person, not by a text (AGE-02)."""
    replies_per_day: int
    """Automatic replies (HELP and the like) to one number in 24 h: two machines must not talk for ever."""


class CallbackConsent(StrEnum):
    """What a callback by the voice agent needs."""

    NOTICE = "notice"
    """The caller heard the prompt that announces it, and did not press 9."""
    KEY = "key"
    """The caller pressed 1."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class CallbackRules:
    consent: CallbackConsent
    expires_seconds: float
    """A callback not placed this long after the miss is not placed at all."""
    longest_seconds: float
    """Ringing, conversation and transfer together never last longer."""
    per_day: int
    """Callbacks to one number in 24 h."""


class QuietAnswer(StrEnum):
    """What a text that answers the caller's own call does in quiet hours (HRS-02)."""

    HOLD = "hold"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes out on the word of a caller id or a text's sender, which anybody can forge (ABU-01, ABU-02, ABU-03).

    In an hour: texts, automatic replies and callbacks together. In a day: replies have a limit of their own (FRQ-06).
    """

    per_hour: int
    alike_per_hour: int
    """To numbers that share their first ``alike_digits`` digits after the ``+``."""
    alike_digits: int
    per_number_per_day: int
    """Texts and callbacks to one number in 24 h, of all offices."""

    def alike(self, number: E164) -> str:
        """What numbers that are counted together have in common."""
        return number[: self.alike_digits + 1]


@dataclass(frozen=True, slots=True)
class QuietRules:
    """When we may contact, on the caller's own wall clock: first_minute to end_minute after midnight."""

    first_minute: int
    end_minute: int
    texts: QuietAnswer


@dataclass(frozen=True, slots=True)
class Replies:
    """Templates of the automatic replies."""

    stop: Template
    start: Template
    help: Template


@dataclass(frozen=True, slots=True)
class TextRoute:
    """Destinations that texts may go to, and the gateway that takes them there. No route, no text (GEO-07)."""

    to: Pattern
    gateway: str


@dataclass(frozen=True, slots=True)
class EmailTemplate:
    subject: Template
    body: Template


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Everything that decisions depend on; itself and no other, so that what it says can be remembered. version: a digest of
    the effective settings."""

    version: str
    brokerage: str
    phone: E164
    """Where a person can be reached; named in HELP."""
    region: str
    """ISO 3166 country whose numbers are ordinary."""
    ring_seconds: float
    """One ring of the cadence, tone and pause: 6.0 in the United States."""
    first_ring_seconds: float
    """How long no phone may ring before the group counts as unreachable."""
    dropped_seconds: float
    """An answered call shorter than this counts as dropped."""
    offices: Mapping[str, Office]
    agents: Mapping[str, Agent]
    groups: Mapping[str, Group]
    entries: tuple[NumberEntry, ...]
    plans: Mapping[str, Plan]
    texts: Mapping[str, Template]
    emails: Mapping[str, EmailTemplate]
    replies: Replies
    text_rules: TextRules
    callback: CallbackRules
    quiet: QuietRules
    limits: Limits
    text_routes: tuple[TextRoute, ...]
    callback_to: tuple[Pattern, ...]
    """Destinations that callbacks may be placed to."""
    blocked: tuple[Pattern, ...]
    crm: tuple[str, ...]
    """Names of the CRMs that leads are pushed to."""

    def office(self, key: str) -> Office:
        """The office ``key``; the first one when the settings no longer have it, for leads that are older than a reload."""
        return self.offices.get(key) or next(iter(self.offices.values()))

    def entry_for(self, dialled: str) -> NumberEntry | None:
        """The most specific entry that matches ``dialled`` (with or without ``+``)."""
        return _entry_for(self, dialled.removeprefix("+"))

    def group_of_text(self, recipient: str, office: str | None) -> str | None:
        """Whose agents a text to ``recipient`` is for. One that has no entry, such as the number that a gateway sends everything
        under, is the office's: its first entry says who, or the first of all."""
        entry = self.entry_for(recipient)
        others = sorted(self.entries, key=lambda each: each.office != office)
        return next((each.group for each in (entry, *others) if each is not None), None)

    def text_route(self, number: E164) -> str | None:
        """The gateway for a text to ``number``; None when no route matches."""
        found = most_specific((route.to for route in self.text_routes), number.removeprefix("+"))
        return next((route.gateway for route in self.text_routes if route.to is found), None)

    def may_call_back(self, number: E164) -> bool:
        """Whether a pattern of ``callback_to`` matches ``number``."""
        return any(pattern.matches(number.removeprefix("+")) for pattern in self.callback_to)

    def is_blocked(self, number: E164) -> bool:
        return any(pattern.matches(number.removeprefix("+")) for pattern in self.blocked)

    def is_ours(self, number: E164) -> bool:
        """Whether ``number`` is an agent's own mobile."""
        return any(agent.mobile == number for agent in self.agents.values())


@lru_cache(4096)  # each event of a call asks several times, and there may be hundreds of patterns
def _entry_for(policy: Policy, digits: str) -> NumberEntry | None:
    found = most_specific((entry.pattern for entry in policy.entries), digits)
    return next((entry for entry in policy.entries if entry.pattern is found), None)
