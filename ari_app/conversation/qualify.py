"""The callback's dialogue: who we are, one question, a person on request, no more calls on request, thanks.

GREETING + question ── buying, selling, both ──► thanks, hang up
                    ├─ something else, silence ─► asked once more, then thanks all the same
                    ├─ 0, "a person" ───────────► transfer
                    ├─ 9, "stop" ───────────────► confirmed once, hang up (REV-07)
                    └─ "are you a robot" ───────► the truth (VOX-08), and the question again
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from ari_app.conversation.intents import Meaning, meaning
from ari_app.recovery.values import Intent

ASK_AT_MOST = 3
"""How often the question is put, the first time included."""
LISTEN_SECONDS = 5.0


class Next(StrEnum):
    """What follows on what is said."""

    LISTEN = "listen"
    HANG_UP = "hang_up"
    TRANSFER = "transfer"


class Outcome(StrEnum):
    """What the conversation has come to, so far."""

    OPEN = "open"
    ANSWERED = "answered"
    PERSON = "person"
    STOPPED = "stopped"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Say:
    """Sentences, and what follows. protected: so many of the first cannot be interrupted by speech."""

    sentences: tuple[str, ...]
    then: Next
    protected: int = 0


@dataclass(frozen=True, slots=True)
class Subject:
    """What the call is about. called_at: the missed call on a clock's face. Texts of others are already cleaned."""

    brokerage: str
    name: str | None
    listing: str | None
    called_at: str


@dataclass(frozen=True, slots=True)
class Talking:
    """Where the conversation stands. asked: how often the question was put."""

    subject: Subject
    asked: int = 0
    intent: Intent = Intent.UNSTATED
    outcome: Outcome = Outcome.OPEN


_INTENTS = {Meaning.BUYING: Intent.BUYING, Meaning.SELLING: Intent.SELLING, Meaning.BOTH: Intent.BOTH}
_KEYS = {"1": Meaning.BUYING, "2": Meaning.SELLING, "0": Meaning.PERSON, "9": Meaning.STOP}
_THANKS = {
    Intent.BUYING: "Thank you. An agent will call you about buying.",
    Intent.SELLING: "Thank you. An agent will call you about selling.",
    Intent.BOTH: "Thank you. An agent will call you about buying and selling.",
}
QUESTION = "Are you calling about buying or selling?"
KEYS = "You can press 1 for buying, 2 for selling, or 0 for a person."
APOLOGY = ("I am sorry, nobody is free right now.", "An agent will call you back as soon as possible.", "Goodbye.")


def greeting(subject: Subject) -> tuple[str, ...]:
    """Who is calling and why, that it is a machine, how to end it, that it is written down (VOX-01, VOX-02, REC-01)."""
    hello = f"Hello {subject.name}, this is" if subject.name else "Hello, this is"
    about = f" about {subject.listing}" if subject.listing else ""
    return (
        f"{hello} the automated assistant of {subject.brokerage}, returning your call of {subject.called_at}{about}.",
        "Press 9 or say stop at any time, and we will not call again.",
        "Press 0 for a person.",
        "This call is transcribed.",
    )


def begin(subject: Subject) -> tuple[Talking, Say]:
    """The first words."""
    said = greeting(subject)
    return Talking(subject, asked=1), Say((*said, QUESTION), Next.LISTEN, protected=2)


def hear(talking: Talking, text: str) -> tuple[Talking, Say]:
    """The caller said ``text``; empty: they spoke, and nothing was understood."""
    return _answer(talking, meaning(text))


def refuses(talking: Talking, text: str) -> bool:
    """Whether who says this wants no more calls, and has not been told yet that there will be none."""
    return talking.outcome is not Outcome.STOPPED and meaning(text) is Meaning.STOP


def press(talking: Talking, digit: str) -> tuple[Talking, Say]:
    """The caller pressed a key."""
    return _answer(talking, _KEYS.get(digit, Meaning.OTHER))


def wait(talking: Talking) -> tuple[Talking, Say]:
    """The caller said nothing."""
    return _answer(talking, Meaning.NOTHING)


def every_sentence(subject: Subject) -> tuple[str, ...]:
    """All that may be said, so that it can be rendered beforehand."""
    return (
        *greeting(subject),
        QUESTION,
        KEYS,
        *_THANKS.values(),
        *_TRANSFER,
        *STOPPED,
        *_ROBOT,
        *_AGAIN,
        *_UNANSWERED,
        _BYE,
        *APOLOGY,
    )


_BYE = "Goodbye."
_TRANSFER = ("One moment, I am connecting you.",)
STOPPED = ("All right. We have removed your number and will not call or text you again.", _BYE)
_ROBOT = ("Yes, I am an automated assistant, not a person.",)
_AGAIN = ("Sorry, I did not understand that.",)
_UNANSWERED = ("Thank you. An agent will look at your call and get back to you.",)


def _answer(talking: Talking, what: Meaning) -> tuple[Talking, Say]:
    match what:
        case Meaning.STOP:
            return replace(talking, outcome=Outcome.STOPPED), Say(STOPPED, Next.HANG_UP, protected=len(STOPPED))
        case Meaning.PERSON:
            return replace(talking, outcome=Outcome.PERSON), Say(_TRANSFER, Next.TRANSFER)
        case Meaning.BUYING | Meaning.SELLING | Meaning.BOTH:
            intent = _INTENTS[what]
            return (
                replace(talking, intent=intent, outcome=Outcome.ANSWERED),
                Say((_THANKS[intent], _BYE), Next.HANG_UP),
            )
        case Meaning.ROBOT | Meaning.OTHER | Meaning.NOTHING:
            if talking.asked >= ASK_AT_MOST:
                intent = Intent.OTHER if what is Meaning.OTHER else talking.intent
                return (
                    replace(talking, intent=intent, outcome=Outcome.UNANSWERED),
                    Say((*_UNANSWERED, _BYE), Next.HANG_UP),
                )
            first = _ROBOT if what is Meaning.ROBOT else _AGAIN if what is Meaning.OTHER else ()
            return replace(talking, asked=talking.asked + 1), Say((*first, QUESTION, KEYS), Next.LISTEN)
        case _:
            assert_never(what)
