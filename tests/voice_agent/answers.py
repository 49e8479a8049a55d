"""What callers may answer to "Are you buying or selling?", and how a test tells which answer a text is."""

from __future__ import annotations

from voice_agent.dialogue import Listen

HINTS: dict[str, tuple[str, ...]] = {
    "buying": (
        *("buying", "buy", "buyer", "to buy", "looking to buy", "i'm buying", "i am buying", "i want to buy"),
        *("i'm looking to buy", "i'd like to buy", "looking to buy a house", "buying please"),
    ),
    "selling": (
        *("selling", "sell", "seller", "to sell", "i'm selling", "i am selling", "thinking of selling"),
        *("i want to sell", "i'd like to sell", "selling my house", "sell my house", "sell my home"),
    ),
    "both": ("both", "buying and selling", "bit of both", "both of them"),
    "person": (
        *("a person", "agent", "an agent", "operator", "human", "a human", "speak to someone", "talk to someone"),
        *("representative", "talk to a person", "a person please", "speak to a person", "talk to a human"),
        "speak to an agent",
    ),
    "stop": (
        *("stop", "stop calling", "don't call", "don't call me", "take me off", "off your list", "remove my number"),
        *("remove me", "stop calling me", "please stop", "take me off your list", "don't call me again"),
    ),
    "robot": ("robot", "a robot", "a real person"),
}

PHRASES = tuple(phrase for phrases in HINTS.values() for phrase in phrases)

SAID: tuple[tuple[str, str], ...] = (
    ("buying", "buying"),
    ("buying", "I'm buying"),
    ("buying", "I'm looking to buy a house"),
    ("buying", "I want to buy"),
    ("buying", "buy"),
    ("buying", "uh buying please"),
    ("buying", "we're looking to buy something"),
    ("buying", "I'm a buyer"),
    ("selling", "selling"),
    ("selling", "I'm selling"),
    ("selling", "I'm thinking of selling my house"),
    ("selling", "I want to sell"),
    ("selling", "sell"),
    ("selling", "we want to sell our home"),
    ("selling", "selling I think"),
    ("selling", "I'd like to sell my place"),
    ("both", "both"),
    ("both", "buying and selling"),
    ("both", "a bit of both"),
    ("person", "a person please"),
    ("person", "can I talk to a person"),
    ("person", "agent"),
    ("person", "let me speak to someone"),
    ("person", "operator"),
    ("person", "I want to talk to a human"),
    ("person", "can I speak to an agent please"),
    ("stop", "stop"),
    ("stop", "stop calling me"),
    ("stop", "don't call me again"),
    ("stop", "take me off your list"),
    ("stop", "please stop"),
    ("stop", "remove my number"),
    ("robot", "are you a robot"),
    ("robot", "is this a real person"),
    ("other", "what's the weather like"),
    ("other", "hello who is this"),
    ("other", "I was calling about the house on Elm Street"),
    ("other", "my dog is barking"),
    ("other", "hold on a minute"),
    ("other", "seven hundred thousand dollars"),
    ("other", "what do you mean"),
    ("other", "I can't hear you"),
    ("other", "maybe later"),
    ("other", "good morning"),
    ("other", "I have a question about the garden"),
    ("other", "sorry what was that"),
    ("other", "nothing"),
    ("other", "um let me think"),
)
"""What is meant, and how it is said."""


def meant(text: str) -> str:
    """Which of the answers ``text`` is, by the longest phrase in it; ``other`` when it is none."""
    found = [
        (len(phrase), answer)
        for answer, phrases in HINTS.items()
        for phrase in phrases
        if Listen((phrase,)).fulfilled_by(text)
    ]
    return max(found, default=(0, "other"))[1]
