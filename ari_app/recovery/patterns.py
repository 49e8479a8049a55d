"""Asterisk's pattern language for dialled numbers, with Asterisk's own order of specificity.

``_`` opens a pattern; without it the text is a literal number. In a pattern ``X`` is 0-9, ``Z`` 1-9, ``N`` 2-9,
``[2-57]`` a set, ``.`` one or more of anything, ``!`` none or more; ``-`` outside a set is only for the eye.
Of several that match, Asterisk takes the most specific: literals before patterns, then, position by position, the smaller
set, of sets of one size the one with the lower characters, ``.`` after every set, ``!`` after ``.``, and a pattern that
ends after one that goes on. The tests hold this against a running Asterisk.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

_CLASSES = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_LITERALS = frozenset("0123456789*#+")
_ALPHABET = "0123456789*#+"


class PatternError(ValueError):
    """A text that is no pattern. ``at`` is the offset of the first character that is wrong, from 0."""

    def __init__(self, text: str, at: int, why: str) -> None:
        super().__init__(f"{text!r}, character {at + 1}: {why}")
        self.text, self.at, self.why = text, at, why


@dataclass(frozen=True)
class Pattern:
    """One parsed pattern.

    text: as written. literal: True without a leading underscore. sets: what may stand at each position.
    tail: what may follow: ``""`` nothing, ``"."`` one or more of anything, ``"!"`` none or more.
    """

    text: str
    literal: bool
    sets: tuple[frozenset[str], ...]
    tail: str

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read ``text``. Raises PatternError, which names the character."""
        literal = not text.startswith("_")
        sets: list[frozenset[str]] = []
        tail = ""
        at = 0 if literal else 1
        while at < len(text):
            if tail:
                raise PatternError(text, at, f"nothing can follow {tail!r}: Asterisk ignores what stands after it")
            char = text[at]
            if char == "-":
                at += 1
            elif char in _LITERALS:
                sets.append(frozenset(char))
                at += 1
            elif literal:
                raise PatternError(text, at, f"found {char!r}; a pattern begins with an underscore: expected '_{text}'")
            elif char.upper() in _CLASSES:
                sets.append(frozenset(_CLASSES[char.upper()]))
                at += 1
            elif char in ".!":
                tail = char
                at += 1
            elif char == "[":
                chars, at = _parse_set(text, at)
                sets.append(chars)
            else:
                raise PatternError(text, at, f"found {char!r}; expected a digit, * # + X Z N [set] . or !")
        if not sets and not tail:
            raise PatternError(text, len(text), "an empty pattern matches nothing")
        return cls(text, literal, tuple(sets), tail)

    def matches(self, number: str) -> bool:
        """Whether ``number``, as dialled, matches."""
        return self._expression.fullmatch(number.replace("-", "")) is not None

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        """The same as a regular expression: each event asks for several patterns."""
        sets = "".join(f"[{re.escape(''.join(sorted(chars)))}]" for chars in self.sets)
        return re.compile(sets + {"": "", ".": ".+", "!": ".*"}[self.tail], re.DOTALL)

    @cached_property
    def order(self) -> tuple[int, str, tuple[tuple[int, int, bytes], ...]]:
        """Sort key: of two patterns that match, Asterisk takes the one whose key is smaller (ast_extension_cmp)."""
        if self.literal:
            return (0, "".join("".join(chars) for chars in self.sets), ())
        places: list[tuple[int, int, bytes]] = [(len(chars), ord(min(chars)), _mask(chars)) for chars in self.sets]
        places += {"": [], ".": [(0x180, 0, b"")], "!": [(0x280, 0, b"")]}[self.tail]
        places.append((0x300, 0, b""))
        return (1, "", tuple(places))


def most_specific(patterns: Iterable[Pattern], number: str) -> Pattern | None:
    """The one that Asterisk would take for ``number``, or None when none matches."""
    return min(
        (pattern for pattern in patterns if pattern.matches(number)), key=lambda found: found.order, default=None
    )


def witness(patterns: Sequence[Pattern], index: int) -> str | None:
    """A shortest number for which ``patterns[index]`` is taken, not one beside it; None when there is none.

    Of two with the same sets the first is taken, as Asterisk refuses the second.

    Exact: it walks the positions of all patterns at once, so that a union of others that covers ``pattern`` is seen too.
    """
    pattern = patterns[index]
    rivals = [rival for at, rival in enumerate(patterns) if (rival.order, at) < (pattern.order, index)]
    start = (0, tuple(0 for _ in rivals))
    reached: dict[tuple[int, tuple[int, ...]], str] = {start: ""}
    frontier = [start]
    while frontier:
        following: list[tuple[int, tuple[int, ...]]] = []
        for state in frontier:
            mine, theirs = state
            if _accepts(pattern, mine) and not any(
                _accepts(rival, at) for rival, at in zip(rivals, theirs, strict=True)
            ):
                return reached[state]
            for char in _ALPHABET:
                step = _advance(pattern, mine, char)
                if step < 0:
                    continue
                state_after = (step, tuple(_advance(rival, at, char) for rival, at in zip(rivals, theirs, strict=True)))
                if state_after not in reached:
                    reached[state_after] = reached[state] + char
                    following.append(state_after)
        frontier = following
    return None


def _accepts(pattern: Pattern, at: int) -> bool:
    """Whether a number that has come as far as ``at`` (see _advance) may end there."""
    full = len(pattern.sets)
    return at == full + 1 or (at == full and pattern.tail != ".")


def _advance(pattern: Pattern, at: int, char: str) -> int:
    """The position after ``char``: -1 lost, up to len(sets) inside the sets, one more inside the tail."""
    if at < 0:
        return -1
    if at < len(pattern.sets):
        return at + 1 if char in pattern.sets[at] else -1
    return len(pattern.sets) + 1 if pattern.tail else -1


def _mask(chars: frozenset[str]) -> bytes:
    """A key that is smaller the lower the characters are, as memcmp in Asterisk orders sets of equal size."""
    bits = bytearray(b"\xff" * 32)
    for char in chars:
        code = ord(char)
        bits[code // 8] &= ~(0x80 >> (code % 8)) & 0xFF
    return bytes(bits)


def _parse_set(text: str, opened: int) -> tuple[frozenset[str], int]:
    """Characters of the set that opens at ``opened``, and the offset behind its bracket."""
    closed = text.find("]", opened)
    if closed < 0:
        raise PatternError(text, opened, "the bracket is never closed")
    inside = text[opened + 1 : closed]
    chars: set[str] = set()
    at = 0
    while at < len(inside):
        if at + 2 < len(inside) and inside[at + 1] == "-":
            first, last = inside[at], inside[at + 2]
            if first > last:
                raise PatternError(text, opened + 1 + at, f"the range {first}-{last} runs backwards")
            chars.update(map(chr, range(ord(first), ord(last) + 1)))
            at += 3
        else:
            chars.add(inside[at])
            at += 1
    wrong = sorted(chars - _LITERALS)
    if wrong:
        raise PatternError(text, opened + 1, f"the set holds {wrong[0]!r}; expected digits, *, # or +")
    if not chars:
        raise PatternError(text, opened, "the set is empty")
    return frozenset(chars), closed + 1
