"""A stage whose links can be cut and whose parts can be killed: Ringback, Asterisk and the SMSC behind two proxies."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ari_app.pbx_setup import ManagedPbx
from tests.bench.chaos_load import SETTINGS, Replies
from tests.bench.chaos_smsc import MoodySmsc
from tests.bench.machine import ROOT
from tests.support.event_proxy import EventProxy
from tests.support.faketime import FakeTime
from tests.support.ports import free_port
from tests.support.stage import Stage, WireText
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import until

RING_SECONDS = 1.0
DISK_OCTETS = 48_000_000


@dataclass
class ChaosStage:
    """disk: the books' own small file system, if one could be mounted. clock: one that can be set,
    for a Ringback that is started with its environment."""

    stage: Stage
    ari: EventProxy
    link: TcpProxy
    smsc: MoodySmsc
    replies: Replies
    disk: Path | None
    clock: FakeTime | None
    _pbx_thread: concurrent.futures.ThreadPoolExecutor = field(repr=False)

    async def spawn(self, environment: Mapping[str, str] | None = None) -> None:
        """Start Ringback, as a service manager does at once, and do not wait. environment: besides the stage's."""
        stage = self.stage
        with stage.log_path.open("ab") as log:
            stage.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "ari_app", "run"),
                env={**stage.environment, "PYTHONPATH": str(ROOT), **(environment or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )

    async def kill(self) -> None:
        """SIGKILL; it is gone at the return."""
        process = self.stage.process
        assert process is not None
        if process.returncode is None:
            process.kill()
            await process.wait()

    def kill_asterisk(self) -> None:
        """SIGKILL; it is gone at the return."""
        status = self.stage.asterisk.status()
        assert status is not None
        descriptor = os.pidfd_open(status.pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            select.select([descriptor], [], [], 5.0)
        finally:
            os.close(descriptor)
        self.stage.asterisk.stop()

    async def start_asterisk(self) -> None:
        """Beside the loop; the kernel ends it with the thread that started it, so that thread stays."""
        stage, loop = self.stage, asyncio.get_running_loop()

        def up() -> None:
            stage.pbx = ManagedPbx.prepare(stage.settings, lambda line: None)
            stage.pbx.up(stage.settings, lambda line: None, child=True)

        await loop.run_in_executor(self._pbx_thread, up)

    def channels(self) -> list[str]:
        """Asterisk's channels, each with its state and place."""
        rows = self.stage.asterisk.cli("core show channels concise").splitlines()
        return [row for row in rows if "!" in row and not row.startswith("Message/")]

    async def ready(self, environment: Mapping[str, str] | None = None, *, within: float = 60.0) -> None:
        """Start Ringback, and wait until it is connected to both sides."""
        begin = self.stage.log_path.stat().st_size if self.stage.log_path.exists() else 0
        await self.spawn(environment)

        def connected() -> bool:
            log = self.stage.log_path.read_bytes()[begin:]
            process = self.stage.process
            assert process is not None
            assert process.returncode is None, f"ringback ended: {log[-2000:].decode()}"
            return b'"event": "asterisk_connected"' in log and b" bound as " in log

        await until(connected, within=within, what=f"ringback to be ready: {self.stage.log_path}")


@contextlib.asynccontextmanager
async def chaos_stage(seed: int, *, all_faults: bool = False) -> AsyncIterator[ChaosStage]:
    """Everything runs but Ringback. all_faults: with a small disk for the books where one may be mounted, and a clock that can
    be set where libfaketime is installed."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-chaos-"))
    folder.chmod(0o711)  # noqa: ASYNC240 - Asterisk's account goes through it; nothing else runs yet
    async with contextlib.AsyncExitStack() as stack:
        if not os.environ.get("RINGBACK_KEEP_STAGE"):
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        disk = _mount(folder, stack) if all_faults else None
        clock = _clock(folder) if all_faults else None
        link = await stack.enter_async_context(TcpProxy("127.0.0.1", free_port()))
        text = SETTINGS.replace("{smpp_port}", str(link.port))
        stage = Stage(folder, text, ring_seconds=RING_SECONDS, smsc=link.target_port)
        replies = Replies(seed)

        def taken(text: WireText) -> None:
            answer = replies.to(text)
            if answer is not None:
                asyncio.get_running_loop().call_later(0.5, smsc.bring, text.destination, text.source, answer)

        smsc = MoodySmsc(link.target_port, seed, link.cut, taken)
        stage.smsc = smsc
        thread = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="pbx"))
        ari = EventProxy("127.0.0.1", stage.ports["http_port"])
        chaos = ChaosStage(stage, ari, link, smsc, replies, disk, clock, thread)
        await chaos.start_asterisk()
        stack.push_async_callback(stage.stop)
        await smsc.start()
        stage.start_mail()
        await stack.enter_async_context(chaos.ari)
        port = f"http: {{port: {stage.ports['http_port']}}}"
        settings = stage.path.read_text()
        assert port in settings
        stage.path.write_text(settings.replace(port, f"http: {{port: {chaos.ari.port}}}"))
        yield chaos


def _clock(folder: Path) -> FakeTime | None:
    try:
        return FakeTime(folder, read_every_seconds=1)
    except FileNotFoundError:
        return None


def _mount(folder: Path, stack: contextlib.ExitStack | contextlib.AsyncExitStack) -> Path | None:
    """A small disk for the books, and not for Asterisk's ledger, which is the oracle; None where mounting is forbidden."""
    disk, pbx = folder / "data", folder / "pbx"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_OCTETS},mode=0711", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        return None
    stack.callback(subprocess.run, ["umount", "-l", str(disk)], check=False, capture_output=True)
    pbx.mkdir(mode=0o711)
    (disk / "pbx").symlink_to(pbx)
    return disk
