"""What the types cannot say: names that lead nowhere, numbers that can never match, texts that cost two segments."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import urlsplit

from ari_app import numbering
from ari_app.recovery.patterns import Pattern, witness
from ari_app.recovery.policy import AfterMiss
from ari_app.recovery.templates import ALWAYS_KNOWN, Template
from ari_app.recovery.values import Verdict
from ari_app.settings import reach
from ari_app.settings.calling import SpeechEngine, VoiceEngine
from ari_app.settings.compiling import text_template
from ari_app.settings.delivery import MailSecurity, WebhookCrm
from ari_app.settings.document import Document
from ari_app.settings.lengths import longest
from ari_app.settings.numbers import COUNTING, NumberSection, effective, read_pattern
from ari_app.settings.problem import Problem, Severity, nearest
from ari_app.settings.texts import SipGateway
from ari_app.settings.yaml_source import KeyPath, Source

ASSIGNED_AGENT = "agent"
"""What an alert step calls the agent whom the lead was given."""


def check(document: Document, source: Source) -> list[Problem]:
    """All findings beyond the types."""
    return [*_Check(document, source).findings()]


class _Check:
    def __init__(self, document: Document, source: Source) -> None:
        self._document = document
        self._source = source

    def findings(self) -> Iterator[Problem]:
        yield from self._people()
        yield from self._numbers()
        yield from self._unreachable()
        yield from self._forms()
        yield from self._plans()
        yield from self._templates()
        yield from self._texting()
        yield from self._calling()
        yield from self._speaking()
        yield from self._delivering()
        yield from self._watching()
        yield from self._serving()

    # ------------------------------------------------------------------------------------------------------- findings
    def _problem(
        self, severity: Severity, path: KeyPath, what: str, hint: str | None = None, *, key: bool = False
    ) -> Problem:
        return Problem(severity, self._source.mark(path, key=key), ".".join(path), what, hint)

    def _error(self, path: KeyPath, what: str, hint: str | None = None, *, key: bool = False) -> Problem:
        return self._problem(Severity.ERROR, path, what, hint, key=key)

    def _warning(self, path: KeyPath, what: str, hint: str | None = None, *, key: bool = False) -> Problem:
        return self._problem(Severity.WARNING, path, what, hint, key=key)

    def _refers(self, path: KeyPath, name: str | None, known: Collection[str], what: str) -> Iterator[Problem]:
        """An error unless ``name`` is one of ``known``."""
        if name is not None and name not in known:
            expected = f"expected {what}; there is none" if not known else f"expected {what}: {_listed(known)}"
            yield self._error(path, f"found {name!r}, {expected}", nearest(name, known))

    # --------------------------------------------------------------------------------------------------------- people
    def _people(self) -> Iterator[Problem]:
        document = self._document
        for key, office in document.offices.items():
            yield from self._refers(("offices", key, "hours"), office.hours, document.hours, "one of the hours")
        for key, schedule in document.hours.items():
            try:
                schedule.compile(document.brokerage.time_zone)
            except ValueError as error:
                yield self._error(("hours", key, "week"), str(error))
        for key, agent in document.agents.items():
            path: KeyPath = ("agents", key, "phone")
            yield from self._refers(path, agent.phone, document.phones, "one of the phones")
            if key in document.groups:
                what = f"{key!r} is the name of a group as well: an alert could not tell them apart"
                yield self._error(("agents", key), what, key=True)
            if key == ASSIGNED_AGENT:
                yield self._error(("agents", key), "this name stands for the agent whom a lead was given", key=True)
            if agent.email is None and any(key in group.agents for group in document.groups.values()):
                what = "no email: of the leads that this agent is given, the others of the group are told"
                yield self._warning(("agents", key), what, key=True)
        for key, group in document.groups.items():
            for index, phone in enumerate(group.phones):
                path = ("groups", key, "phones", str(index))
                yield from self._refers(path, phone, document.phones, "one of the phones")
            for index, agent_key in enumerate(group.agents):
                path = ("groups", key, "agents", str(index))
                yield from self._refers(path, agent_key, document.agents, "one of the agents")
            if not group.agents:
                yield self._warning(("groups", key), "no agents: nobody can be told of its missed calls", key=True)
            elif not any(document.agents[one].email for one in group.agents if one in document.agents):
                what = "none of its agents has an email: nobody can be told of its missed calls"
                yield self._warning(("groups", key), what, key=True)

    # -------------------------------------------------------------------------------------------------------- numbers
    def _numbers(self) -> Iterator[Problem]:
        document = self._document
        yield from self._number_names(("number_defaults",), document.number_defaults)
        for text in document.numbers:
            path: KeyPath = ("numbers", text)
            number = document.numbers[text]
            yield from self._number_names(path, number)
            whole = effective(number, document.number_defaults)
            for name in ("office", "group", "plan"):
                if getattr(whole, name) is None:
                    yield self._error(path, f"no {name}: expected it here or in number_defaults", key=True)
            if whole.after_miss is AfterMiss.OVERFLOW and whole.overflow is None:
                yield self._error(path, "after_miss is overflow: expected overflow to name the group", key=True)

    def _number_names(self, path: KeyPath, number: NumberSection) -> Iterator[Problem]:
        document = self._document
        for verdict in sorted(set(number.counts or ()) - {*COUNTING, Verdict.DROPPED}):
            expected = _listed([*COUNTING, Verdict.DROPPED])
            yield self._error((*path, "counts"), f"found {verdict.value!r}; expected some of {expected}")
        for name, known, what in (
            ("office", document.offices, "one of the offices"),
            ("group", document.groups, "one of the groups"),
            ("overflow", document.groups, "one of the groups"),
            ("plan", document.plans, "one of the plans"),
            ("after_hours_plan", document.plans, "one of the plans"),
        ):
            yield from self._refers((*path, name), getattr(number, name), known, what)

    def _unreachable(self) -> Iterator[Problem]:
        texts = list(self._document.numbers)
        patterns = [read_pattern(text) for text in texts]
        for index, text in enumerate(texts):
            if witness(patterns, index) is None:
                rivals = [
                    other.text
                    for other in patterns
                    if other.order <= patterns[index].order and _meet(other, patterns[index])
                ]
                yield self._warning(
                    ("numbers", text),
                    "can never match: every number that it fits is taken by a more specific entry",
                    f"compare {_listed(name for name in rivals if name != text)}",
                    key=True,
                )
        routes = [read_pattern(route.to) for route in self._document.text_routes]
        for index in range(len(routes)):
            if witness(routes, index) is None:
                path = ("text_routes", str(index))
                yield self._warning(path, "can never match: more specific routes take all of its destinations")

    def _forms(self) -> Iterator[Problem]:
        """Numbers are compared in international form: patterns in another one match nobody."""
        document, region = self._document, self._document.brokerage.country
        for text in document.numbers:
            yield from self._missing(("numbers", text), reach.of_dialled(text, region), key=True)
        persons: list[tuple[KeyPath, str]] = [
            *((("blocked", str(index)), text) for index, text in enumerate(document.blocked)),
            *((("callback", "to", str(index)), text) for index, text in enumerate(document.callback.to)),
            *((("text_routes", str(index), "to"), route.to) for index, route in enumerate(document.text_routes)),
        ]
        for path, text in persons:
            yield from self._missing(path, reach.of_persons(text, region))

    def _missing(self, path: KeyPath, miss: reach.Miss | None, *, key: bool = False) -> Iterator[Problem]:
        if miss is None:
            return
        why = "no number looks so" if miss.number is None else f"{miss.number} is compared as {miss.read_as}"
        example = numbering.forms(self._document.brokerage.country).international[0]
        hint = f"expected international form, such as {example}" if miss.expected is None else f"write {miss.expected}"
        if miss.never:
            yield self._error(path, f"can never match: {why}", hint, key=key)
        else:
            yield self._warning(path, f"does not match all that it fits: {why}", hint, key=key)

    # ---------------------------------------------------------------------------------------------------------- plans
    def _plans(self) -> Iterator[Problem]:
        document = self._document
        told = [ASSIGNED_AGENT, *document.agents, *document.groups]
        templates = document.templates
        for name, steps in document.plans.items():
            for index, step in enumerate(steps):
                path: KeyPath = ("plans", name, str(index))
                yield from self._refers((*path, "text"), step.text, templates.texts, "one of templates.texts")
                path_after = (*path, "after_hours")
                yield from self._refers(path_after, step.after_hours, templates.texts, "one of templates.texts")
                yield from self._refers((*path, "late"), step.late, templates.texts, "one of templates.texts")
                yield from self._refers((*path, "email"), step.email, templates.emails, "one of templates.emails")
                yield from self._refers((*path, "alert"), step.alert, told, "agent, an agent or a group")
                if step.text is not None and not document.text_routes:
                    yield self._warning((*path, "text"), "there are no text_routes: no text can leave")
                if step.call and not document.callback.to:
                    yield self._warning(path, "callback.to is empty: no callback will be placed")
                if (step.email is not None or step.alert is not None) and document.email is None:
                    yield self._warning(path, "there is no email section: this cannot be sent")
                if step.push and not document.crm:
                    yield self._warning(path, "there is no crm section: nothing is pushed")
            if sum(step.text is not None for step in steps) > 1:
                yield self._error(("plans", name), "two text steps: a caller is texted once for one miss", key=True)

    # ------------------------------------------------------------------------------------------------------ templates
    def _templates(self) -> Iterator[Problem]:
        templates = self._document.templates
        for name, text in templates.texts.items():
            path: KeyPath = ("templates", "texts", name)
            parsed = text_template(text)
            yield from self._fields(path, parsed, ALWAYS_KNOWN)
            yield from self._one_segment(path, parsed)
            if "stop" not in text.lower():
                yield self._error(path, "a first text says how to opt out: expected the word STOP in it (MSG-01)")
            if "{brokerage}" not in text:
                yield self._warning(path, "the text does not name the {brokerage} (MSG-01)")
            if "http" in text.lower() or "www." in text.lower():
                yield self._warning(path, "a link in the first text looks like spam to carriers (MSG-02)")
        for name, text in templates.replies:
            parsed = text_template(text)
            yield from self._fields(("templates", "replies", name), parsed, ALWAYS_KNOWN)
            yield from self._one_segment(("templates", "replies", name), parsed)
        for name, email in templates.emails.items():
            for part, text in (("subject", email.subject), ("body", email.body)):
                yield from self._fields(("templates", "emails", name, part), Template.parse(text), ALWAYS_KNOWN)

    def _fields(self, path: KeyPath, template: Template, known: Collection[str]) -> Iterator[Problem]:
        for name in sorted(template.fields(required=True) - set(known)):
            hint = f"write [ ... {{{name}}} ... ] so that the part is left out then"
            yield self._error(path, f"{{{name}}} is not always known", hint)

    def _one_segment(self, path: KeyPath, template: Template) -> Iterator[Problem]:
        found = longest(template, self._document)
        if found.measure.segments == 1:
            return
        cost = f"up to {found.measure.units} {found.measure.alphabet} units, {found.measure.segments} segments"
        with_value = "" if found.value is None else f" with the {found.value[0]} {found.value[1]!r}"
        alphabet = "the GSM alphabet" if found.gateway is None else f"the {found.alphabet} of gateways.{found.gateway}"
        hint = f"not in {alphabet}: {' '.join(found.foreign)}" if found.foreign else None
        yield self._warning(path, f"{cost}{with_value}; expected one segment when every value is at its longest", hint)

    # -------------------------------------------------------------------------------------------------------- gateways
    def _texting(self) -> Iterator[Problem]:
        document = self._document
        for index, route in enumerate(document.text_routes):
            path: KeyPath = ("text_routes", str(index), "via")
            yield from self._refers(path, route.via, document.gateways, "one of the gateways")
            if self._goes_everywhere(route.to):
                yield self._warning(("text_routes", str(index), "to"), "this lets texts go to every country")
        for name, gateway in document.gateways.items():
            if isinstance(gateway, SipGateway):
                path = ("gateways", name, "trunk")
                yield from self._refers(path, gateway.trunk, document.trunks, "one of the trunks")
                if not document.pbx.managed:
                    what = (
                        "texts by SIP MESSAGE need a managed PBX: answers, STOP among them, are read from its spool only, "
                        "and would be lost"
                    )
                    yield self._error(("gateways", name), what, key=True)
            elif gateway.sender is not None and not gateway.takes_sender(gateway.sender):
                expected = "a number such as +13055550123, a short code, or a name of at most 11 letters and digits"
                number = numbering.classify(gateway.sender, document.brokerage.country).number
                hint = None if number is None else f'write "{number}"'
                yield self._error(("gateways", name, "sender"), f"found {gateway.sender!r}; expected {expected}", hint)
            elif gateway.sender is not None and any(char.isalpha() for char in gateway.sender):
                what = "nobody can answer a name: STOP does not come back, nor does what callers reply"
                yield self._warning(("gateways", name, "sender"), what, "expected a number that takes texts")

    def _calling(self) -> Iterator[Problem]:
        document = self._document
        path: KeyPath = ("callback", "trunk")
        yield from self._refers(path, document.callback.trunk, document.trunks, "one of the trunks")
        if document.callback.trunk is None and document.callback.to and len(document.trunks) != 1:
            found = f"there are {len(document.trunks)} trunks"
            yield self._error(("callback",), f"{found}: expected callback.trunk to name one", key=True)
        for index, text in enumerate(document.callback.to):
            if self._goes_everywhere(text):
                yield self._warning(("callback", "to", str(index)), "this lets callbacks go to every country")
        if not document.phones and not document.pbx.watches:
            yield self._warning(("phones",), "there are no phones: every call is missed")

    def _speaking(self) -> Iterator[Problem]:
        """What is spoken, and whether the models are there that speak and hear."""
        notice, voice = self._document.prompt.notice, self._document.voice
        if notice is not None and re.search(r"\b(9|nine)\b", notice, re.IGNORECASE) is None:
            yield self._warning(("prompt", "notice"), "does not name key 9: it is how a caller refuses texts and calls")
        base = self._source.root.resolve().parent
        if voice.hears_with is SpeechEngine.VOSK:
            if voice.vosk_model is None or not os.path.isdir(base / voice.vosk_model):
                found = (
                    "no vosk_model is named" if voice.vosk_model is None else f"there is no folder {voice.vosk_model}"
                )
                yield self._warning(("voice", "vosk_model"), f"{found}: nobody will be called back")
        elif not voice.language.startswith("en"):
            yield self._warning(("voice", "language"), "pocketsphinx knows English only: nobody will be called back")
        if not voice.language.startswith("en"):
            # ari_app/conversation: its sentences, and what it understands of the answers.
            what = "callbacks speak and understand English only: an answer in another language is not understood"
            yield self._warning(("voice", "language"), what, "expected en; only the prompts may be of another")
        if voice.speaks_with is VoiceEngine.PIPER and (
            voice.piper_voice is None or not os.path.isfile(base / voice.piper_voice)
        ):
            found = "no piper_voice is named" if voice.piper_voice is None else f"there is no file {voice.piper_voice}"
            yield self._error(("voice", "piper_voice"), f"{found}: Ringback could not speak, and would not start")

    def _delivering(self) -> Iterator[Problem]:
        """Leads and transcripts that cross a network as plain text."""
        document = self._document
        mail = document.email
        if mail is not None and mail.security is MailSecurity.NONE and not _is_loopback(mail.host):
            what = f"mail, and what it says of callers, goes to {mail.host} unencrypted"
            yield self._warning(("email", "security"), what, "expected starttls or tls")
        for name, crm in document.crm.items():
            if isinstance(crm, WebhookCrm) and crm.url.startswith("http://"):
                host = urlsplit(crm.url).hostname or ""
                if not _is_loopback(host):
                    what = f"leads and transcripts go to {host} unencrypted"
                    yield self._warning(("crm", name, "url"), what, "expected an address that begins with https://")

    def _goes_everywhere(self, text: str) -> bool:
        """Whether a pattern for destinations does not fix the first digit, the country code's."""
        pattern = read_pattern(text)
        fixed = bool(pattern.sets) and len(pattern.sets[0]) == 1
        return not fixed and reach.of_persons(text, self._document.brokerage.country) is None

    def _watching(self) -> Iterator[Problem]:
        document = self._document
        if not document.pbx.watches:
            return
        calls = any(step.call for steps in document.plans.values() for step in steps)
        if not document.pbx.has_ari and (calls or document.callback.to):
            what = "mode watch without pbx.ari: no callback is placed; missed callers are texted, and people alerted"
            yield self._warning(("pbx", "mode"), what, "see docs/attach.md, ARI")
        numbers: list[tuple[KeyPath, NumberSection]] = [(("number_defaults",), document.number_defaults)]
        numbers += [(("numbers", text), number) for text, number in document.numbers.items()]
        for path, number in numbers:
            for name in ("after_miss", "overflow"):
                if getattr(number, name) is not None:
                    what = "has no effect in mode watch: the PBX's own dialplan decides what a caller gets"
                    yield self._warning((*path, name), what, key=True)

    def _serving(self) -> Iterator[Problem]:
        if not _is_loopback(self._document.web.host):
            what = "/metrics and /health ask for no password: anybody who reaches this address reads them"
            yield self._warning(("web", "host"), what, "expected a loopback address: 127.0.0.1")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _meet(one: Pattern, other: Pattern) -> bool:
    """Whether a number may match both: their sets overlap as far as both go, and the shorter one goes on."""
    shorter = min(one, other, key=lambda pattern: len(pattern.sets))
    apart = len(one.sets) != len(other.sets) and not shorter.tail
    return not apart and all(mine & theirs for mine, theirs in zip(one.sets, other.sets, strict=False))


def _listed(names: Iterable[object]) -> str:
    shown = [str(getattr(name, "value", name)) for name in names]
    return ", ".join(shown[:8]) + (", …" if len(shown) > 8 else "")
