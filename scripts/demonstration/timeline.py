"""What happened when: printed as it happens, kept for ``--json``."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_COLOURS = {
    "caller": "cyan",
    "desk phone": "yellow",
    "verdict": "bold red",
    "text": "green",
    "callback": "magenta",
    "conversation": "magenta",
    "alert": "blue",
    "crm": "blue",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """at: seconds since the caller dialled. who: one of the parts. what: a sentence."""

    at: float
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Check:
    """A promise and what became of it. measured: in words, empty when there is nothing to measure."""

    promise: str
    kept: bool
    measured: str = ""


class Timeline:
    """The moments and checks of one demonstration."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.moments: list[Moment] = []
        self.checks: list[Check] = []
        self.zero = 0.0

    def begin(self, at: float) -> None:
        """``at``, on the loop's clock, counts as zero from now on."""
        self.zero = at

    def note(self, at: float, who: str, what: str) -> None:
        """Something happened ``at`` a moment of the loop's clock."""
        moment = Moment(round(at - self.zero, 3), who, what)
        self.moments.append(moment)
        colour = _COLOURS.get(who, "white")
        self.console.print(f"[dim]{moment.at:9.3f} s[/]  [{colour}]{who:<12}[/]  {escape(what)}", soft_wrap=True)

    def check(self, promise: str, kept: bool, measured: str = "") -> None:
        """A promise was kept or broken."""
        self.checks.append(Check(promise, bool(kept), measured))

    @property
    def kept(self) -> bool:
        """Whether there were promises, and all were kept."""
        return bool(self.checks) and all(check.kept for check in self.checks)

    def show_checks(self) -> None:
        """The promises as a table."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("")
        table.add_column("Promise")
        table.add_column("Measured", justify="right")
        for check in self.checks:
            mark = "[green]kept[/]" if check.kept else "[bold red]BROKEN[/]"
            table.add_row(mark, escape(check.promise), escape(check.measured))
        self.console.print(table)
