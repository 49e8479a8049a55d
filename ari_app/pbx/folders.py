"""The folders of one Asterisk of ours, all under one: configuration, run, spool, database, logs, sounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LONGEST_SOCKET_PATH = 107
"""``sun_path`` of a Unix socket less its closing zero (unix(7))."""


@dataclass(frozen=True, slots=True)
class PbxFolders:
    """Everything under ``base``, usually ``var/pbx``. ``etc`` is ours alone to write; the rest is Asterisk's."""

    base: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", self.base.absolute())  # Asterisk has a working directory of its own

    @property
    def etc(self) -> Path:
        return self.base / "etc"

    @property
    def run(self) -> Path:
        return self.base / "run"

    @property
    def spool(self) -> Path:
        return self.base / "spool"

    @property
    def log(self) -> Path:
        return self.base / "log"

    @property
    def db(self) -> Path:
        return self.base / "db"

    @property
    def lib(self) -> Path:
        return self.base / "lib"

    @property
    def sounds(self) -> Path:
        """Rendered prompts, ``NAME.wav``, 8 kHz; ours to write."""
        return self.base / "sounds"

    @property
    def recordings(self) -> Path:
        """Where ARI's recordings arrive, ``NAME.wav``."""
        return self.spool / "recording"

    @property
    def messages(self) -> Path:
        """The spool of SIP MESSAGEs; read by ``message_spool``."""
        return self.spool / "messages.txt"

    @property
    def cdr(self) -> Path:
        return self.log / "cdr-custom" / "cdr.csv"

    @property
    def cel(self) -> Path:
        return self.log / "cel-custom" / "cel.csv"

    @property
    def configuration(self) -> Path:
        return self.etc / "asterisk.conf"

    @property
    def pid(self) -> Path:
        return self.run / "asterisk.pid"

    @property
    def socket(self) -> Path:
        return self.run / "asterisk.ctl"

    @property
    def console(self) -> Path:
        """What Asterisk printed before its own log was open. Not in ``log``: we open it, so it stands where only we may write."""
        return self.base / "console.log"

    @property
    def ours(self) -> tuple[Path, ...]:
        """Written by us and read by Asterisk."""
        return (self.base, self.etc, self.sounds)

    @property
    def asterisks(self) -> tuple[Path, ...]:
        """Written by Asterisk."""
        return (
            *(self.run, self.db, self.lib, self.spool, self.recordings, self.spool / "voicemail", self.spool / "tmp"),
            *(self.log, self.cdr.parent, self.cel.parent),
        )
