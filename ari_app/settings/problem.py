"""What is wrong in a settings file: where, what was found, what was expected, and the nearest right name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """``error``: the settings are refused. ``warning``: they work, and somebody will be surprised."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; line and column count from 1."""

    file: Path
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. where: the key's path, such as ``numbers._1305555010X.plan``."""

    severity: Severity
    mark: Mark
    where: str
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        about = f"{self.where}: " if self.where else ""
        return f"{self.mark}: {self.severity}: {about}{self.what}" + (f" ({self.hint})" if self.hint else "")

    def as_json(self) -> dict[str, object]:
        """The finding for machines."""
        return {
            "severity": self.severity.value,
            "file": str(self.mark.file),
            "line": self.mark.line,
            "column": self.mark.column,
            "where": self.where,
            "what": self.what,
            "hint": self.hint,
        }


class SettingsError(ValueError):
    """The settings cannot be used. problems: all that was found, errors first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda found: (found.severity, found.mark)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """A sentence that suggests the most similar of ``names``, if one is similar at all."""
    known = list(names)
    close = [other for other in known if len(name) > 2 and other.startswith(name[:3])] if name else []
    close = difflib.get_close_matches(name, close or known, n=1, cutoff=0.4 if close else 0.6)
    return f"did you mean '{close[0]}'?" if close else None
