"""What a text asks of us before any conversation reads it: STOP, START, HELP, in the words that people use.

47 CFR 64.1200(a)(10): any reasonable means of revocation counts. A doubtful text counts as STOP, since a person can undo
that with START and nobody can undo a text to someone who said no (REV-01, REV-02).
"""

from __future__ import annotations

import re
import unicodedata

from ari_app.recovery.values import Consent, ConsentState, Keyword

STOPPED_BY_TEXT = "sms:stop"
"""The source of a no that came by text."""
_STOP_ALONE = frozenset(
    "stop stopall stop2end stopsms stoptxt quit end revoke optout cancel unsubscribe remove nomore "
    "arret alto parar pare detener baja cancelar "
    "stip stpo sotp stopp stap sttop".split()
)
"""Words that mean STOP when they are the whole text, courtesies aside; the last line holds common slips of the thumb."""

_START_ALONE = frozenset("start unstop resume optin".split())
_HELP_ALONE = frozenset("help info aide ayuda".split())
_COURTESY = frozenset(
    "please pls plz now thanks thank you ok okay all me it this the text texts txt txts message messages msg msgs sms".split()
)

_STOP_WITHIN = re.compile(
    r"""
      (?<!\bwhy\ )\b(?:do\ not|dont|don\ t|never|no\ longer|quit|cease)\b
        (?!\ (?:got|get|gotten|received?|have|had|see|saw|seen|hear|heard|know|think|thought|understand|mind|remember|recall
          |recognize|forget|hesitate|called|texted|made)\b)
        (?:\ \w+){0,3}?
        \ (?:text|texts|texting|call|calls|calling|contact|contacting|message|messages|messaging|sms|bother|write)\w*\b
    | \bstop\ (?!by\b|in\b|over\b|at\b|for\b|off\b|there\b|here\b|on\b|and\b|signs?\b|lights?\b|shop\b
        |to\ (?:see|look|visit)\b)
    | (?<!\bbus\ )(?<!\bdont\ )(?<!\bnot\ )\bstop$
    | \bunsubscribed?\b | \bopt(?:ing|ed)?(?:\ me|\ us)?\ ?out\b | \bstopall\b | \brevoke\b | \bdesist\b
    | \b(?:remove|delete)\ (?:me|us|my\ number|this\ number)\b
    | \b(?:be|get)\ removed\b | \btake\ (?:me|us|my\ number|this\ number)\ off\b
    | \bleave\ (?:me|us)\ alone\b | \bgo\ away\b | \blose\ (?:my|this)\ number\b | \bwrong\ number\b
    | \bno\ more\ (?:text|call|message|sms)\w*\b
    | \b(?:not|no\ longer)\ interested (?:\ (?:any\ ?more|at\ all|thanks|thank\ you|sorry|please))*$
    | \bno\ (?:me\ )?(?:llame|llamen|llames|escriba|escriban|escribas|mande|manden|mandes|contacte|contacten)\b
    | \bno\ quiero\ (?:mas\ )?mensajes\b
    """,
    re.VERBOSE,
)


def normalise(text: str) -> str:
    """Lower case, letters and digits only, accents and apostrophes dropped, single spaces: ``Opt-Out!!`` -> ``opt out``."""
    folded = unicodedata.normalize("NFKD", text.replace("'", "").replace("\u2019", "").casefold())
    plain = "".join(char for char in folded if not unicodedata.combining(char))
    return " ".join(re.sub(r"[^0-9a-z]+", " ", plain).split())


def keyword(text: str) -> Keyword:
    """Which keyword ``text`` is, or holds as its intent; ``Keyword.NONE`` for ordinary conversation."""
    core = _core(text)
    alone = "".join(core)
    spelled = all(len(word) == 1 for word in core)  # S T O P
    if alone in _STOP_ALONE and (len(core) <= 2 or spelled):
        return Keyword.STOP
    if cancels_something(text):
        return Keyword.STOP
    if any(_STOP_WITHIN.search(normalise(clause)) for clause in re.split(r"[.,;:!?\n]+", text)):
        return Keyword.STOP
    if alone in _START_ALONE:
        return Keyword.START
    if alone in _HELP_ALONE:
        return Keyword.HELP
    return Keyword.NONE


def word_of(text: str, said: Consent) -> Keyword:
    """As ``keyword``, of a person who has said this about texts: YES after a STOP by text is a START (REV-09)."""
    word = keyword(text)
    stopped = said.state is ConsentState.OPTED_OUT and said.source == STOPPED_BY_TEXT
    return Keyword.START if word is Keyword.NONE and stopped and _core(text) == ["yes"] else word


def cancels_something(text: str) -> bool:
    """CANCEL with something behind it. It may be meant for a showing: opt-out first, and a person reads it (REV-05)."""
    words = normalise(text).split()
    return words[:1] == ["cancel"] and any(word not in _COURTESY for word in words[1:])


def _core(text: str) -> list[str]:
    """The words of a text, courtesies aside."""
    return [word for word in normalise(text).split() if word not in _COURTESY]
