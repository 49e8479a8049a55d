"""What a caller's words mean, as far as one question needs it. Words only: nothing is guessed from who somebody is (FH-03)."""

from __future__ import annotations

import re
from enum import StrEnum

from ari_app.recovery.keywords import keyword
from ari_app.recovery.values import Keyword


class Meaning(StrEnum):
    """What an utterance comes to. The first that fits, in this order."""

    STOP = "stop"
    """They want no calls (REV-07)."""
    ROBOT = "robot"
    """They ask whether they speak with a machine (VOX-08)."""
    PERSON = "person"
    BOTH = "both"
    BUYING = "buying"
    SELLING = "selling"
    OTHER = "other"
    NOTHING = "nothing"
    """Nothing was understood."""


_STOP = re.compile(
    r"\b(?:stop(?: (?:it|now|please|calling|this|that))*$|stop (?:calling|it|this|texting|bothering)"
    r"|do(?: not|n'?t) (?:ever )?call|never call|no more calls|take me off|remove (?:me|my number)|leave me alone|unsubscribe"
    r"|do(?: not|n'?t) want (?:any |your )?calls"
    r"|not interested(?: anymore| any more| at all| thanks| thank you| sorry)*$|hang up|go away)\b"
)
_OTHER_STOP = re.compile(r"\b(?:can'?t|cannot|could ?n'?t|bus) stop\b")
_PERSON = re.compile(
    r"\b(?:person|people|human|operator|representative|somebody|someone|receptionist|real (?:agent|estate agent|one)"
    r"|(?:an|the|your|talk to|speak (?:to|with)|speaking (?:to|with)) agent|front desk|transfer me|connect me|live agent)\b"
)
_ROBOT = re.compile(r"\b(?:robot|machine|computer|recording|artificial|are you (?:real|human|a person|a bot)|a bot)\b")
_BUY = re.compile(
    r"\b(?:buy|buying|buyer|bought|purchase|purchasing|looking for a (?:house|home|condo|place|apartment))\b"
)
_SELL = re.compile(r"\b(?:sell|selling|seller|sold|sale of my|list my|listing my)\b")
_NO_BUY = re.compile(r"\bnot (?:interested in |to )?(?:buy|buying|purchase|purchasing)\b")
_NO_SELL = re.compile(r"\bnot (?:interested in |to )?(?:sell|selling)\b")
_BOTH = re.compile(r"\bboth\b|\b(?:buy\w*|sell\w*) and (?:buy\w*|sell\w*)\b")


def meaning(text: str) -> Meaning:
    """What ``text``, lower case without punctuation, means."""
    words = " ".join(text.lower().replace("\u2019", "'").split())
    if not words:
        return Meaning.NOTHING
    # What is a no in a text is one when it is said (REV-07); speech has more words around it.
    if _STOP.search(words) or (keyword(words) is Keyword.STOP and _OTHER_STOP.search(words) is None):
        return Meaning.STOP
    if _ROBOT.search(words):
        return Meaning.ROBOT
    if _PERSON.search(words):
        return Meaning.PERSON
    buys = _BUY.search(words) is not None and _NO_BUY.search(words) is None
    sells = _SELL.search(words) is not None and _NO_SELL.search(words) is None
    if _BOTH.search(words) or (buys and sells):
        return Meaning.BOTH
    if buys:
        return Meaning.BUYING
    if sells:
        return Meaning.SELLING
    return Meaning.OTHER


PHRASES = (
    "buying",
    "buy",
    "i want to buy",
    "i am looking to buy a house",
    "selling",
    "sell",
    "i want to sell",
    "i want to sell my house",
    "both",
    "a person",
    "an agent",
    "talk to a person",
    "speak to an agent",
    "stop",
    "stop calling me",
    "do not call me",
    "don't call me",
    "don't call me again",
    "remove me from your list",
    "take me off your list",
    "are you a robot",
)
"""What callers are likely to say: hints for a recogniser."""
