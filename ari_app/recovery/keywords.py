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
    "stop stopall stop2end stopsms stoptxt quit end revoke optout cancel unsubscribe unsub remove nomore "
    "arret alto parar pare detener baja cancelar "
    "stip stpo sotp stopp stap sttop".split()
)
"""Words that mean STOP when they are the whole text, courtesies aside; the last line holds common slips of the thumb."""

_START_ALONE = frozenset("start unstop resume optin".split())
_HELP_ALONE = frozenset("help info aide ayuda".split())
_COURTESY = frozenset(
    "please pls plz now thanks thank you ok okay all me it this the text texts txt txts message messages msg msgs sms".split()
)

_NOT = r"""
    (?<!\bwhy\ )(?<!\bif\ you\ )\b(?:do\ not|donot|dont|don\ t|dnt|never|no\ longer|quit|cease)\b
    (?!\ (?:got|get|gotten|received?|have|had|see|saw|seen|hear|heard|know|think|thought|believe|understand|mind|remember
      |recall|recognize|forget|hesitate|worry|called|texted|made|returned|answer(?:ed)?|pick|speak|live
      |be\ (?:afraid|shy|scared|a\ stranger)|care\ (?:if|when|how|who|what))\b)
"""
"""What is refused may stand a few words behind it. What somebody did not get, know or hear is no refusal."""
_CONTACT = r"""
    (?:text(?:s|ing)?|txt(?:s|ing)?|call(?:s|ing|\ ?backs?)?|contact(?:s|ing)?|messag(?:es?|ing)|msg(?:s|ing)?|sms
      |bother(?:ed|ing)?(?!\ you\b)|disturb(?:ing)?(?=\ (?:me|us)\b|$)|spam(?:ming)?|harass(?:ing)?|solicit\w*
      |communicat(?:ing|ions?|e\ with\ (?:me|us))|reach(?:ing)?\ (?:back\ )?out|hit\ (?:me|us)\ up|(?:phone|ring)(?=\ (?:me|us)\b)
      |writ(?:e|ing)(?=\ (?:to\ )?(?:me|us|this|here|again|any\w*)\b|$)
      |(?:be|being|get|getting)\ (?:\w+\ )?(?:call|text|contact|messag|bother|disturb|solicit|spamm|harass)e?d
    )\b
"""
"""What can be refused. Who speaks of an agent who *called* refuses nothing; who does not want to *be called* does."""
_ASIDE = r"(?:please|pls|plz|kindly|just|ok|okay|hi|hey|hello|sorry|thanks|thank\ you|no|nope|now|and|again|seriously|i\ said)"
"""What may stand before a refusal as if nothing did."""
_STOP_WITHIN = re.compile(
    rf"""
      {_NOT}(?:\ please)?
        (?:\ (?:want|wish|need)\ (?:for\ )?(?:you|your|any(?:one|body)?|people)\b(?:\ \w+){{0,3}}?)?
        (?:\ (?!(?:but|because|so\ (?:i|we)|can|could|if|until|till|unless|before|without|just|please|pls|i|im|ive|ill|we
          |miss|lose|wait)\b)\w+){{0,6}}?
        \ {_CONTACT}
    | {_NOT}(?:\ \w+){{0,3}}?\ send(?:ing)?(?:\ (?:me|us|to\ me|to\ us))?
        (?:\ (?:any\ ?)?more\b
          |(?:\ (?:any|anything|it|this|these|that|those|stuff|junk|crap|again|else|ever|please|pls|thanks
            |to\ (?:me|us|this\ (?:number|phone))))*$)
    | \b(?:rather|prefer|asked|ask|told|please|pls|kindly)\ (?:\w+\ ){{0,3}}?not(?:\ to)?
        (?:\ (?:be|get|getting|receive|receiving|ever|keep|have|any|more))*\ (?:{_CONTACT}|(?:call|text|contact|messag)ed\b)
    | \b(?:do\ not|donot|dont|don\ t|dnt|not|never|no\ longer)\ (?:\w+\ ){{0,5}}?(?:be|being|stay|remain)
        \ (?:on|in)\ (?:this|your|ur|the|any|a|that)(?:\ (?!wait)\w+){{0,2}}?\ lists?\b
    | ^(?:{_ASIDE}\ )*stop\ (?!by\b|over\b|signs?\b|lights?\b|shop\b|(?:and|to)\ (?:shop|see|look|visit)\b)
    | (?<!\bcant\ )(?<!\bcannot\ )\bstop\ (?!by\b|in\b|over\b|at\b|for\b|off\b|there\b|here\b|on\b|and\b
        |signs?\b|lights?\b|shop\b|to\ (?:see|look|visit)\b)
    | \bstop\ (?:at\ once|for\ (?:good|real|ever|now|gods?|heavens?)|on\ (?:my|this)\ (?:phone|number))\b
    | (?<!\bbus\ )(?<!\bdont\ )(?<!\bnot\ )\bstop$
    | \bunsub(?:bed|scribed?|scribing)?\b | \bopt(?:ing|ed)?(?:\ me|\ us)?\ ?out\b | \bstopall\b | \brevoke\b | \bdesist\b
    | \b(?:remove|delete|erase)\ (?:me|us|(?:my|our|this)\ (?:cell\ |phone\ )?(?:number|name|info|information|contact|phone))\b
    | \b(?:remove|delete|take|get)\ (?:(?:me|us|it|this|my\ \w+)\ )?(?:off|from|out)\ (?:of\ )?
        (?:(?:the|your|ur|this|that|all|any|mailing|texting|text|sms|contact|call|calling|phone|marketing)\ ){{0,3}}lists?\b
    | \b(?:be|get)\ removed\b | \btake\ (?:me|us|(?:my|this)\ number)\ off\b
    | \btake\ (?:my|our)\ (?:name|info|information|phone)\ off\b
        (?!\ (?:of\ )?(?:the\ |this\ |that\ )?(?:deed|title|lease|contract|offer|mortgage|loan|agreement)\b)
    | \bleave\ (?:me|us)\ alone\b | \bgo\ away\b | \blose\ (?:my|this)\ number\b | \bwrong\ number\b | \b(?:fuck|piss)\ off\b
    | \bno\ more\ (?:text|txt|call|message|msg|sms|contact)\w*\b
    | ^(?:(?:{_ASIDE}|(?:i|we)\ (?:want|prefer|would\ like)|id\ (?:like|prefer)|want|absolutely)\ )*
        no\ (?:text|txt|call|messag|msg|sms|contact|solicit)\w*
        (?:\ (?:please|pls|plz|thanks|thank\ you|and|or|nor|no|(?:text|txt|call|messag|email)\w*|contact|me|at\ all|ever|again
          |any\ ?more|allowed|wanted|needed|necessary|whatsoever|of\ any\ (?:kind|sort)
          |(?:to|on|for|at)\ (?:me|us|this\ (?:number|phone|line)|my\ (?:number|phone|cell))))*$
    | \b(?:not|no\ longer)\ interested (?:\ (?:any\ ?more|at\ all|thanks|thank\ you|sorry|please))*$
    | \bno\ (?:me\ )?(?:llame|llamen|llames|escriba|escriban|escribas|mande|manden|mandes|contacte|contacten|moleste|molesten)\b
    | \bno\ quiero\ (?:(?!perder\b)\w+\ ){{0,4}}?(?:mensajes?|textos?|llamadas?|llamen?|escriban?|contacten?)\b
    | \bdej(?:e|en|a)\ de\ (?:llamar|escribir|mandar|enviar|molestar|contactar)
    """,
    re.VERBOSE,
)
"""Read clause by clause. A visit (*stop by*, *stop at the house*) is no refusal, most of them only where something stands
before it; nor is the news that no text came."""


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
