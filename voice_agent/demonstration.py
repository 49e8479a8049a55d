"""A small dialogue to try the engines with: one question, asked twice at most. No product's words, and no policy."""

from __future__ import annotations

from voice_agent.dialogue import HangUp, Listen, Transfer, Turn, plain
from voice_agent.heard import Heard

WHO = "Hello, this is an automated assistant."
KEYS = "Press zero for a person, or nine to stop."
QUESTION = "Are you buying, or selling?"
HINTS = (
    "buying",
    "i'm buying",
    "i want to buy",
    "selling",
    "i'm selling",
    "i want to sell",
    "both",
    "a person",
    "stop",
)


class Demonstration:
    """Implements Dialogue. 1 is buying, 2 selling, 0 a person, 9 no more calls."""

    def __init__(self) -> None:
        self._asked = 0

    def open(self) -> Turn:
        return self._ask(WHO, KEYS)

    def heard(self, heard: Heard) -> Turn:
        words = set(plain(heard.text).split())
        buying, selling = bool(words & {"buy", "buying", "both"}), bool(words & {"sell", "selling", "both"})
        if "stop" in words:
            return self._stop()
        if words & {"person", "human", "agent"}:
            return self._person()
        if buying or selling:
            return self._thank("both buying and selling" if buying and selling else "buying" if buying else "selling")
        return self._again("Sorry, I did not understand that.")

    def refuses(self, text: str) -> bool:
        return "stop" in plain(text).split()

    def key(self, digit: str) -> Turn:
        match digit:
            case "0":
                return self._person()
            case "1":
                return self._thank("buying")
            case "2":
                return self._thank("selling")
            case "9":
                return self._stop()
        return self._again("Sorry, that key means nothing here.")

    def silence(self) -> Turn:
        return self._again("I could not hear you.")

    def _ask(self, *first: str) -> Turn:
        self._asked += 1
        return Turn((*first, QUESTION), Listen(HINTS), protected=1 if self._asked == 1 else 0)

    def _again(self, why: str) -> Turn:
        if self._asked == 2:
            return Turn(("Never mind. Goodbye.",), HangUp())
        return self._ask(why)

    @staticmethod
    def _thank(what: str) -> Turn:
        return Turn((f"Thank you, you are {what}. Goodbye.",), HangUp())

    @staticmethod
    def _person() -> Turn:
        return Turn(("One moment, I will get a person.",), Transfer())

    @staticmethod
    def _stop() -> Turn:
        return Turn(("You will not be called again. Goodbye.",), HangUp())
