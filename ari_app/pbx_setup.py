"""The managed PBX: what its configuration is rendered from, and bringing it up. Blocking; for the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ari_app.pbx.account import choose_account
from ari_app.pbx.folders import PbxFolders
from ari_app.pbx.host import AsteriskHost, find_asterisk
from ari_app.pbx.process import AsteriskProcess, PbxStatus
from ari_app.pbx.render import Dialplan, PbxSecrets, RingGroup, render
from ari_app.settings.loading import Settings
from ari_app.settings.numbers import effective

Say = Callable[[str], None]


def pbx_folders(settings: Settings) -> PbxFolders:
    """Where the managed PBX lives."""
    return PbxFolders(settings.data_folder / "pbx")


def dialplan(settings: Settings) -> Dialplan:
    """What the dialplan has to know for the time that Ringback is away: who rings for which number, and how long."""
    document = settings.document
    groups = []
    for text, number in document.numbers.items():
        whole = effective(number, document.number_defaults)
        assert whole.group is not None
        assert whole.rings is not None
        seconds = max(1, round(whole.rings * document.cadence.ring_seconds))
        groups.append(RingGroup(text, document.groups[whole.group].phones, seconds))
    mailbox = next((extension for extension, phone in document.phones.items() if phone.voicemail), None)
    return Dialplan(
        ring_groups=tuple(groups),
        ring_seconds=max(1, round(3 * document.cadence.ring_seconds)),
        mailbox=mailbox,
        caller_number=document.brokerage.phone,
    )


@dataclass(frozen=True, slots=True)
class ManagedPbx:
    """The PBX of these settings, found and rendered."""

    host: AsteriskHost
    folders: PbxFolders
    process: AsteriskProcess
    changed: tuple[Path, ...]

    @classmethod
    def prepare(cls, settings: Settings, say: Say, *, suite: str | None = None) -> ManagedPbx:
        """Find an Asterisk, fetch one if there is none, and write its configuration. Raises PbxError, SecretUnavailableError."""
        host = find_asterisk(progress=say, suite=suite)
        folders = pbx_folders(settings)
        secrets = PbxSecrets.resolve(settings.document, settings.secrets())
        changed = render(settings.document, secrets, host, folders, dialplan(settings))
        return cls(host, folders, AsteriskProcess(host, folders), tuple(changed))

    def up(self, settings: Settings, say: Say, *, child: bool = False) -> PbxStatus:
        """Start it; one that runs already takes the changes over."""
        running = self.process.status()
        if running is not None:
            if self.changed:
                self.process.cli("core reload")
            return running
        account = choose_account((self.folders.base, self.host.modules), say)
        return self.process.start(settings.document.pbx, account, child=child)
