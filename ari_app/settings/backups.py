"""Section ``backup``: copies of the database, against the day when the disk fails."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from ari_app.settings.model import Section

NEVER = "never"


class BackupSection(Section):
    """The running server copies the database once a night, checks the copy, and removes the oldest."""

    at: Annotated[str, StringConstraints(pattern=r"^(([01]?[0-9]|2[0-3]):[0-5][0-9]|never)$")] = "03:30"
    """On the clock of the brokerage; ``never``: only when a person asks (``ringback backup``)."""
    keep: int = Field(default=14, ge=1)
    """So many of the newest stay."""
    folder: Path = Path("backups")
    """Relative to the data folder. Another disk is better."""

    @property
    def hour(self) -> time | None:
        """None for never."""
        if self.at == NEVER:
            return None
        hour, minute = self.at.split(":")
        return time(int(hour), int(minute))
