"""From the document to the policy: names become values, patterns and templates are parsed, hours get their zone."""

from __future__ import annotations

import hashlib
import json

from ari_app.recovery.hours import Hours
from ari_app.recovery.policy import (
    Agent,
    CallbackRules,
    EmailTemplate,
    Group,
    Limits,
    NumberEntry,
    Office,
    Policy,
    QuietRules,
    Replies,
    TextRoute,
    TextRules,
)
from ari_app.recovery.templates import Template
from ari_app.recovery.values import e164
from ari_app.settings.document import Document
from ari_app.settings.numbers import effective, read_pattern
from ari_app.settings.plans import compile_plan
from sms_gateway.encoding import sanitise


def compile_policy(document: Document) -> Policy:
    """The policy of a document that ``check`` found no error in."""
    return Policy(
        version=digest(document),
        brokerage=document.brokerage.name,
        phone=e164(document.brokerage.phone),
        region=document.brokerage.country,
        ring_seconds=document.cadence.ring_seconds,
        first_ring_seconds=document.cadence.first_ring,
        dropped_seconds=document.cadence.dropped,
        offices={
            key: Office(key, office.name, office_hours(document, key)) for key, office in document.offices.items()
        },
        agents={
            key: Agent(key, agent.name, agent.email, agent.phone, agent.mobile_number())
            for key, agent in document.agents.items()
        },
        groups={
            key: Group(key, group.strategy, group.phones, group.agents, group.each)
            for key, group in document.groups.items()
        },
        entries=tuple(_entry(document, text) for text in document.numbers),
        plans={name: compile_plan(name, steps) for name, steps in document.plans.items()},
        texts={name: text_template(source) for name, source in document.templates.texts.items()},
        emails={
            name: EmailTemplate(Template.parse(section.subject.strip()), Template.parse(section.body.strip()))
            for name, section in document.templates.emails.items()
        },
        replies=Replies(
            stop=text_template(document.templates.replies.stop),
            start=text_template(document.templates.replies.start),
            help=text_template(document.templates.replies.help),
        ),
        text_rules=TextRules(
            window_seconds=document.texts.window,
            outcome_seconds=document.texts.outcome,
            hold_seconds=document.texts.hold,
            expires_seconds=document.texts.expires,
            late_seconds=document.texts.late,
            too_late_seconds=document.texts.too_late,
            replies_per_day=document.texts.replies_per_day,
        ),
        callback=CallbackRules(
            consent=document.callback.consent,
            expires_seconds=document.callback.expires,
            longest_seconds=document.callback.longest,
            per_day=document.callback.per_day,
        ),
        quiet=QuietRules(*document.quiet_hours.contact, texts=document.quiet_hours.texts),
        limits=Limits(
            document.limits.per_hour,
            document.limits.alike_per_hour,
            document.limits.alike_digits,
            document.limits.per_number_per_day,
        ),
        text_routes=tuple(TextRoute(read_pattern(route.to), route.via) for route in document.text_routes),
        callback_to=tuple(read_pattern(text) for text in document.callback.to),
        blocked=tuple(read_pattern(text) for text in document.blocked),
        crm=tuple(document.crm),
    )


def text_template(source: str) -> Template:
    """A template for texts: one line, in characters that do not cost a second segment without need."""
    return Template.parse(sanitise(" ".join(source.split())))


def office_hours(document: Document, key: str) -> Hours:
    """The business hours of an office, in its own zone."""
    office = document.offices[key]
    return document.hours[office.hours].compile(office.time_zone or document.brokerage.time_zone)


def digest(document: Document) -> str:
    """Sixteen hexadecimal digits that change with any effective setting. Secrets are only referred to, so not in it."""
    body = json.dumps(document.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def _entry(document: Document, text: str) -> NumberEntry:
    number = effective(document.numbers[text], document.number_defaults)
    assert number.office is not None
    assert number.group is not None
    assert number.plan is not None
    assert number.rings is not None
    assert number.after_miss is not None
    return NumberEntry(
        pattern=read_pattern(text),
        office=number.office,
        source=number.source,
        listing=number.listing,
        group=number.group,
        rings=number.rings,
        plan=number.plan,
        after_hours_plan=number.after_hours_plan or number.plan,
        after_miss=number.after_miss,
        overflow=number.overflow,
        ring_after_hours=bool(number.ring_after_hours),
        counts=frozenset(number.counts or ()),
        abandoned_rings=number.abandoned_rings or 0,
    )
