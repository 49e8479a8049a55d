"""One Asterisk of ours: started, asked, stopped. By its own configuration and its own pid, never by name."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ari_app.pbx.account import Account
from ari_app.pbx.errors import AsteriskFailedError, NotRunningError
from ari_app.pbx.folders import LONGEST_SOCKET_PATH, PbxFolders
from ari_app.pbx.handing_over import give, open_plain, opened
from ari_app.pbx.host import AsteriskHost
from ari_app.pbx.listeners import check_free
from ari_app.settings.pbx import Pbx

_TICK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class PbxStatus:
    """A running Asterisk of ours: its process, and the account that it runs as."""

    pid: int
    uid: int


class AsteriskProcess:
    """The Asterisk whose configuration stands in ``folders.etc`` (see ``render``). All calls block; none needs a loop."""

    def __init__(self, host: AsteriskHost, folders: PbxFolders) -> None:
        self._host = host
        self._folders = folders
        self._started: subprocess.Popen[bytes] | None = None

    def status(self) -> PbxStatus | None:
        """What is running now, whoever started it; None when nothing is."""
        pid = self._pid()
        try:
            return None if pid is None else PbxStatus(pid, os.stat(f"/proc/{pid}").st_uid)
        except FileNotFoundError:
            return None

    def start(self, pbx: Pbx, account: Account, *, child: bool = False, within: float = 30.0) -> PbxStatus:
        """Starts it as ``account`` and returns when it answers on all its addresses; one that runs already is left alone.

        It outlives us, unless ``child``: then the kernel kills it with the thread that started it.
        Raises PortInUseError, or AsteriskFailedError with the last lines of its log.
        """
        running = self.status()
        if running is not None:
            return running
        path = str(self._folders.socket)
        if len(path.encode()) > LONGEST_SOCKET_PATH:
            raise AsteriskFailedError(f"{path} is too long for a socket: choose a data folder with a shorter path")
        check_free(pbx)
        self._prepare(account)
        process = self._spawn(account, child)
        self._started = process
        descriptor = os.pidfd_open(process.pid)
        try:
            for _ in range(int(within / _TICK_SECONDS)):
                if _ended(descriptor, _TICK_SECONDS):
                    raise AsteriskFailedError(f"Asterisk ended at once (status {process.wait()})", self.last_lines())
                if self._is_up(pbx):
                    return PbxStatus(process.pid, account.uid)
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            process.wait()
        finally:
            os.close(descriptor)
        raise AsteriskFailedError(f"Asterisk was not up within {within:g} s", self.last_lines())

    def stop(self, *, within: float = 10.0) -> bool:
        """Ends it, and the calls in it; kills it when it takes longer than ``within`` seconds. False: none was running.

        Raises AsteriskFailedError when we may not (it belongs to somebody else).
        """
        self._reap()
        pid = self._pid()
        if pid is None:
            return False
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if self._pid() == pid:  # the number may have passed to another process before we held it
                signal.pidfd_send_signal(descriptor, signal.SIGTERM)
                if not _ended(descriptor, within):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    _ended(descriptor, within)
        except PermissionError as error:
            raise AsteriskFailedError(
                f"Asterisk (pid {pid}) is not ours to stop: use the account that started it"
            ) from error
        finally:
            os.close(descriptor)
        self._reap()
        self._folders.pid.unlink(missing_ok=True)
        return True

    def cli(self, command: str, *, within: float = 10.0) -> str:
        """What Asterisk answers to a console command. Raises NotRunningError, AsteriskFailedError when it takes too long."""
        try:
            done = self._remote(command, within)
        except subprocess.TimeoutExpired as error:
            raise AsteriskFailedError(f"no answer to {command!r} within {within:g} s") from error
        if done.returncode != 0:
            raise NotRunningError(
                f"no Asterisk answers in {self._folders.run}: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout

    def last_lines(self, count: int = 12) -> tuple[str, ...]:
        """The last lines that Asterisk printed since its start, its errors among them, for a person to read."""
        try:
            text = self._folders.console.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ()
        return tuple(line.rstrip() for line in text.splitlines() if line.strip())[-count:]

    def _prepare(self, account: Account) -> None:
        """Makes the folders: what we write is ours and readable by Asterisk, what Asterisk writes is Asterisk's."""
        folders = self._folders
        root = os.geteuid() == 0
        closed = (folders.etc, folders.run, folders.log, folders.spool, folders.db, folders.lib)
        for folder in (*folders.ours, *folders.asterisks):
            with opened(folders.base, folder) as descriptor:
                if root and folder in folders.asterisks:
                    give(descriptor, account.uid, account.gid)
                elif root and folder == folders.etc:
                    give(descriptor, 0, account.gid)
                if folder in closed:
                    os.chmod(".", 0o750, dir_fd=descriptor)  # noqa: S103 - Asterisk's group enters; others do not
        folders.socket.unlink(missing_ok=True)

    def _spawn(self, account: Account, child: bool) -> subprocess.Popen[bytes]:
        switch = list(account.switch)
        if child:
            setpriv = shutil.which("setpriv")
            if setpriv is None:
                raise AsteriskFailedError("a child that dies with us needs setpriv (package util-linux)")
            switch = [*(switch or [setpriv]), "--pdeathsig=KILL"]
        command = [*switch, *self._host.command, "-C", str(self._folders.configuration), "-fn"]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": str(self._folders.lib)}
        if "TZ" in os.environ:
            environment["TZ"] = os.environ["TZ"]
        console = self._folders.console
        console.unlink(missing_ok=True)
        # Appending: it may be cut short while Asterisk writes. O_EXCL: a new file, whatever stands there.
        fresh = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(console, fresh, 0o640), "ab") as output:
            return subprocess.Popen(
                command,
                cwd=self._folders.base,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o027,
            )

    def _is_up(self, pbx: Pbx) -> bool:
        if not self._folders.socket.exists():
            return False
        try:
            if self._remote("core waitfullybooted", 20.0).returncode != 0:
                return False
        except subprocess.TimeoutExpired:
            return False
        return all(_answers(each.host, each.port) for each in (pbx.http, pbx.ami, pbx.sip))

    def _remote(self, command: str, within: float) -> subprocess.CompletedProcess[str]:
        line = [*self._host.command, "-C", str(self._folders.configuration), "-rx", command]
        return subprocess.run(
            line,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=within,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def _pid(self) -> int | None:
        """The pid in the pid file, if that process lives and runs with our configuration."""
        try:
            with open_plain(self._folders.pid) as file:
                pid = int(file.read(20))
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self._folders.configuration).encode() in words else None

    def _reap(self) -> None:
        """Takes leave of a child of ours that has ended."""
        if self._started is not None and self._started.poll() is not None:
            self._started = None


def _ended(descriptor: int, within: float) -> bool:
    """Whether the process behind a pidfd ends in time: the descriptor is readable then (pidfd_open(2))."""
    return bool(select.select([descriptor], [], [], within)[0])


def _answers(host: str, port: int) -> bool:
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    try:
        with socket.create_connection((target, port), timeout=1.0):
            return True
    except OSError:
        return False
