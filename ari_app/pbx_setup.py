"""The managed PBX: what its configuration is rendered from, and bringing it up. Blocking; for the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ari_app.pbx.account import choose_account
from ari_app.pbx.folders import PbxFolders
from ari_app.pbx.host import AsteriskHost, find_asterisk, find_ready
from ari_app.pbx.process import AsteriskProcess, PbxStatus
from ari_app.pbx.render import Dialplan, PbxSecrets, RingGroup, render
from ari_app.settings.loading import Settings
from ari_app.settings.numbers import effective

Say = Callable[[str], None]


def pbx_folders(settings: Settings) -> PbxFolders:
    """Where the managed PBX lives."""
    return PbxFolders(settings.data_folder / "pbx")


def event_log(settings: Settings) -> Path | None:
    """Where the PBX writes its channel events, for us to read afterwards; None when it is not known to."""
    pbx = settings.document.pbx
    if pbx.managed:
        return pbx_folders(settings).cel
    return settings.base / pbx.watch.cel if pbx.watches and pbx.watch.cel is not None else None


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
            self.take_over()
            return running
        account = choose_account((self.folders.base, self.host.modules), say)
        return self.process.start(settings.document.pbx, account, child=child)

    @classmethod
    def rewrite(cls, settings: Settings, running: Settings) -> ManagedPbx | None:
        """Write the configuration anew for numbers, groups, phones and trunks that have changed since ``running``; None when
        there is no managed PBX that runs. Where it listens stays as it is: Ringback is connected there.

        Raises PbxError, SecretUnavailableError, OSError.
        """
        if not running.document.pbx.managed:
            return None
        host, folders = find_ready(), pbx_folders(running)
        if host is None or AsteriskProcess(host, folders).status() is None:
            return None
        telephony = settings.document.model_copy(update={"pbx": running.document.pbx})
        secrets = PbxSecrets.resolve(telephony, settings.secrets())
        changed = render(telephony, secrets, host, folders, dialplan(settings))
        return cls(host, folders, AsteriskProcess(host, folders), tuple(changed))

    def take_over(self) -> None:
        """Have the running Asterisk read what has changed; calls go on. Raises PbxError."""
        names = {path.name for path in self.changed}
        commands = [command for name in sorted(names & _RELOADS.keys()) for command in _RELOADS[name]]
        for command in ["core reload"] if names - _RELOADS.keys() else commands:
            self.process.cli(command)


_RELOADS = {
    "extensions.conf": ("dialplan reload",),
    "pjsip.conf": (
        "module reload res_pjsip.so",
        "module reload res_pjsip_endpoint_identifier_ip.so",
        "module reload res_pjsip_outbound_registration.so",
    ),
    "voicemail.conf": ("module reload app_voicemail.so",),
}
"""Files that Asterisk can read anew by themselves."""
