"""``secrets.env`` beside the settings: what systemd hands the service as its environment, for commands in a shell.

The syntax is that of EnvironmentFile in systemd.exec(5). What systemd passes over in silence is an error here. No error repeats
what it has found: that may be a password.
"""

from __future__ import annotations

import re
from pathlib import Path

NAME = "secrets.env"

_BLANK = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"[#;][^\r\n]*")
_KEY = re.compile(r"([^=\r\n]*)=[ \t]*")
_QUOTED = re.compile(r"""'(?P<single>[^']*)'[ \t]*|"(?P<double>(?:[^"\\]|\\.)*)"[ \t]*""", re.DOTALL)
_PLAIN = re.compile(r"(?:[^\r\n\\]|\\.|\\\Z)*", re.DOTALL)
_CONTINUED = ("\\\n", "\\\r", "\\")
"""A line that goes on in the next one, or ends with the file."""
_LETTER = re.compile(r"\\.|\\\Z|[^\\]", re.DOTALL)


class EnvironmentFileError(ValueError):
    """A line that means nothing. line: counts from 1."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line, self.why = line, why


def read(path: Path) -> dict[str, str]:
    """The variables in ``path``. Raises OSError, EnvironmentFileError."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EnvironmentFileError(raw.count(b"\n", 0, error.start) + 1, "expected text in UTF-8") from None
    return parse(text)


def parse(text: str) -> dict[str, str]:
    """Each variable with its value; of two of one name, the later one. Raises EnvironmentFileError."""
    values: dict[str, str] = {}
    at = _end(_BLANK, text, 0)
    while at < len(text):
        comment = _COMMENT.match(text, at)
        if comment is not None:
            at = comment.end()
        else:
            key = _KEY.match(text, at)
            if key is None:
                raise _error(text, at, "expected NAME=VALUE, or # or ; before a comment")
            name = key[1].rstrip(" \t")
            if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
                raise _error(text, at, "expected a name of letters, digits and _ before the =")
            values[name], at = _value(text, key.end())
        at = _end(_BLANK, text, at)
    return values


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins at ``at``, and where it ends: quoted parts, then perhaps a plain one."""
    parts: list[str] = []
    while (quoted := _QUOTED.match(text, at)) is not None:
        single, double = quoted["single"], quoted["double"]
        parts.append(re.sub(r"\\(.)", _unescaped, double, flags=re.DOTALL) if single is None else single)
        at = quoted.end()
    if text[at : at + 1] in ("'", '"'):
        raise _error(text, at, "expected the quote to be closed")
    if parts and text[at : at + 1] == "#":
        raise _error(text, at, "expected the comment on a line of its own: systemd takes it for a part of the value")
    end = _end(_PLAIN, text, at)
    letters = _LETTER.findall(text, at, end)
    while letters and letters[-1] in " \t":
        letters.pop()
    parts += ["" if letter in _CONTINUED else letter[-1] for letter in letters]
    return "".join(parts), end


def _unescaped(found: re.Match[str]) -> str:
    """What a backslash between double quotes makes of the letter behind it."""
    if found[1] in '"\\`$':
        return found[1]
    return "" if found[1] == "\n" else found[0]


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None
    return found.end()


def _error(text: str, at: int, why: str) -> EnvironmentFileError:
    return EnvironmentFileError(text.count("\n", 0, at) + 1, why)
