"""Looking up what a decision needs to know, in the transaction that records the event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from ari_app import numbering
from ari_app.recovery.events import Facts
from ari_app.recovery.hours import contact_closes, contact_opens
from ari_app.recovery.policy import Policy
from ari_app.recovery.rotation import next_in_turn
from ari_app.recovery.values import E164, NumberKind
from ari_app.store import journal, lost_time, people
from ari_app.store.db import Database

DAY = timedelta(hours=24)


def kind_of(party: numbering.Party, policy: Policy) -> NumberKind:
    """The number's kind, with our own phones, mobiles and numbers told apart (ELG-01): a text to them would come back to us."""
    extensions = {agent.phone for agent in policy.agents.values()} | {
        phone for group in policy.groups.values() for phone in group.phones
    }
    if party.raw in extensions or (party.number is not None and _is_ours(party.number, policy)):
        return NumberKind.INTERNAL
    return party.kind


def _is_ours(number: E164, policy: Policy) -> bool:
    """An agent's mobile, the brokerage's phone, or a number that has an entry of its own; a pattern may fit strangers."""
    entry = policy.entry_for(number)
    return policy.is_ours(number) or number == policy.phone or (entry is not None and not entry.key.startswith("_"))


@dataclass(frozen=True, slots=True)
class Standing:
    """What a policy says of a number, whoever has it. gateway: for texts to it. alike: what counts the contacts with its like."""

    kind: NumberKind
    blocked: bool
    gateway: str | None
    may_call_back: bool
    alike: str


@lru_cache(numbering.CACHED)
def standing(policy: Policy, number: E164) -> Standing:
    """Looked up once, and not for each event of a call."""
    return Standing(
        kind=kind_of(numbering.classify(number, policy.region), policy),
        blocked=policy.is_blocked(number),
        gateway=policy.text_route(number),
        may_call_back=policy.may_call_back(number),
        alike=policy.limits.alike(number),
    )


def look_up(
    db: Database,
    policy: Policy,
    at: datetime,
    *,
    number: E164 | None,
    kind: NumberKind,
    office: str | None,
    group: str | None,
    missed: tuple[datetime, datetime] | None = None,
) -> Facts:
    """Everything known at ``at`` about the person behind ``number``. missed: when a missed call was, and what time it is."""
    team = policy.groups[group].agents if group is not None and group in policy.groups else ()
    lost = None if missed is None else lost_time.covers(db, missed[0])
    if number is None:
        return Facts(
            kind=kind,
            agent=None if group is None else next_in_turn(team, people.last_turn(db, group)),
            books_lost_until=None if lost is None else lost.until,
            noes_lost=lost is not None and not lost.noes_known,
        )
    stands = standing(policy, number)
    known = people.known(db, number, office=office, group=group, alike=stands.alike, at=at, since=at - DAY)
    person, window = known.person, known.window
    opens, closes, never = _quiet(policy, number, at)
    return Facts(
        kind=kind,
        blocked=stands.blocked or (person is not None and person.blocked),
        text=known.text,
        call=known.call,
        text_window_until=None if window is None else window.until,
        text_window_holder=None if window is None else window.holder,
        callbacks=known.callbacks,
        replies=known.replies,
        contacts_same=known.callbacks + known.texts,
        contacts_alike=known.alike,
        contacts=known.contacts,
        contact_opens=opens,
        contact_closes=closes,
        never_contact_time=never,
        agent=None if group is None else next_in_turn(team, known.last_turn),
        name=None if person is None else person.name,
        email=None if person is None else person.email,
        gateway=stands.gateway,
        may_call_back=stands.may_call_back,
        books_lost_until=None if lost is None else lost.until,
        noes_lost=lost is not None and not lost.noes_known,
        # Later than now is only what a clock wrote that was put back since.
        reached_since=None if missed is None else journal.answered_between(db, number, *missed),
    )


def _quiet(policy: Policy, number: E164, at: datetime) -> tuple[datetime | None, datetime | None, bool]:
    """End of the quiet hours where the number may be, None outside of them; when the next begin; whether they never end."""
    zones, first, end = numbering.zones(number), policy.quiet.first_minute, policy.quiet.end_minute
    opens = contact_opens(at, zones, first, end)
    if opens is None:
        return None, None, True
    return None if opens == at else opens, contact_closes(opens, zones, first, end), False
