"""Another wall clock for the processes of a test (libfaketime)."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path


class FakeTime:
    """The wall clock of processes with ``environment``; their monotonic clock stays real."""

    def __init__(self, folder: Path, *, read_every_seconds: int = 0) -> None:
        """read_every_seconds: so late at most a change is seen; 0 is at once, and dear. Raises FileNotFoundError."""
        self._file = folder / "time"
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        if library is None:
            raise FileNotFoundError("libfaketime is not installed: apt-get install libfaketime")
        cached = {"FAKETIME_CACHE_DURATION": str(read_every_seconds)}
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "DONT_FAKE_MONOTONIC": "1",
            **(cached if read_every_seconds else {"FAKETIME_NO_CACHE": "1"}),
        }
        self.shift(0)

    def set(self, moment: datetime) -> None:
        """It is ``moment`` now, and time goes on from there."""
        self.shift(round(moment.timestamp() - time.time()))  # noqa: TID251 - the clock that is faked

    def shift(self, seconds: int) -> None:
        """The clock is so much ahead of the true one from now on."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.rename(self._file)
