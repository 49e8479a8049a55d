"""What a text asks of us before any conversation reads it: STOP, START, HELP, in the words that people use.

47 CFR 64.1200(a)(10): any reasonable means of revocation counts. A doubtful text counts as STOP, since a person can undo
that with START and nobody can undo a text to someone who said no (REV-01, REV-02).
"""

from __future__ import annotations

import re
import unicodedata

from ari_app.recovery.values import Keyword

_STOP_ALONE = frozenset(
    "stop stopall quit end revoke optout cancel unsubscribe remove arret alto parar pare detener baja cancelar nomore "
    "stip stpo sotp stopp stap sttop".split()
)
"""Words that mean STOP when they are the whole text, courtesies aside; the last line holds common slips of the thumb."""

_START_ALONE = frozenset("start unstop resume optin".split())
_HELP_ALONE = frozenset("help info aide ayuda".split())
_COURTESY = frozenset("please pls plz now thanks thank you ok okay all me it this texts messages".split())

_STOP_WITHIN = re.compile(
    r"""
      \b(?:do\ not|dont|don\ t|never|no\ longer|quit|cease)\b (?:\ \w+){0,3}?
        \ (?:text|texts|texting|call|calls|calling|contact|contacting|message|messages|messaging|sms|bother|write)\w*\b
    | \bstop\ (?!by\b|in\b|over\b|at\b|for\b|off\b|there\b|here\b|on\b|and\b|to\ (?:see|look|visit)\b)
    | (?<!\bbus\ )(?<!\bdont\ )(?<!\bnot\ )\bstop$
    | \bunsubscribe\b | \bopt(?:\ me)?\ ?out\b | \bstopall\b
    | \b(?:remove|delete|take)\ (?:me|my\ number|this\ number)\b
    | \bleave\ (?:me|us)\ alone\b | \blose\ (?:my|this)\ number\b | \bwrong\ number\b
    | \bno\ more\ (?:text|call|message|sms)\w*\b | \bnot\ interested\b
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
    words = normalise(text).split()
    if not words:
        return Keyword.NONE
    core = [word for word in words if word not in _COURTESY]
    alone = "".join(core)
    if alone in _STOP_ALONE and len(core) <= 2:
        return Keyword.STOP
    if any(_STOP_WITHIN.search(normalise(clause)) for clause in re.split(r"[.,;:!?\n]+", text)):
        return Keyword.STOP
    if alone in _START_ALONE:
        return Keyword.START
    if alone in _HELP_ALONE:
        return Keyword.HELP
    return Keyword.NONE
