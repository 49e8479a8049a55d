"""What systemd is told, on a socket as systemd opens it."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ari_app.service import ServiceManager
from tests.support.locked_in import UNITS, locked_in, missing, of_unit


class StoppedError(Exception):
    """Enough has been seen."""


class Clock:
    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 24, tzinfo=UTC)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self.rounds:
            raise StoppedError


@pytest.fixture
def systemd(tmp_path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(2.0)
    return listener


def heard(listener: socket.socket) -> str:
    return listener.recv(100).decode()


def test_it_is_told_that_we_are_ready_and_that_we_stop(systemd: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": systemd.getsockname()})
    manager.tell("READY=1")
    manager.tell("STOPPING=1")
    assert [heard(systemd), heard(systemd)] == ["READY=1", "STOPPING=1"]
    systemd.close()


def test_an_abstract_socket_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0ringback-{os.getpid()}")
        listener.settimeout(2.0)
        ServiceManager({"NOTIFY_SOCKET": f"@ringback-{os.getpid()}"}).tell("READY=1")
        assert heard(listener) == "READY=1"


async def test_the_watchdog_is_fed_three_times_in_its_time(systemd: socket.socket) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "30000000"})
    clock = Clock(rounds=2)
    with pytest.raises(StoppedError):
        await manager.stay_alive(clock)
    assert clock.pauses == [10.0, 10.0]
    assert [heard(systemd), heard(systemd)] == ["WATCHDOG=1", "WATCHDOG=1"]
    systemd.close()


async def test_a_watchdog_of_another_process_is_not_ours(systemd: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}
    with pytest.raises(StoppedError):
        await ServiceManager(environment).stay_alive(Clock(rounds=1))
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        heard(systemd)
    systemd.close()


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
async def test_nobody_who_listens_is_no_reason_to_fail(environment: dict[str, str]) -> None:
    manager = ServiceManager(environment)
    manager.tell("READY=1")
    with pytest.raises(StoppedError):
        await manager.stay_alive(Clock(rounds=1))


def test_the_units_are_valid_and_lock_the_service_in(tmp_path: Path) -> None:
    """systemd reads them as we meant them; where there is no systemd, at least nothing is misspelt into no section."""
    for unit in sorted(UNITS.glob("*.service")):
        text = unit.read_text(encoding="utf-8")
        copy = tmp_path / unit.name
        copy.write_text(text.replace("/opt/ringback/.venv/bin/ringback", "/bin/true"), encoding="utf-8")
        for line in ("NoNewPrivileges=true", "ProtectSystem=strict", "User=ringback", "Restart=always"):
            assert line in text.splitlines(), (unit.name, line)
        assert all(line.startswith(("#", "[")) or "=" in line for line in text.splitlines() if line), unit.name
    if shutil.which("systemd-analyze"):
        command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.glob("*.service")))]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("code", "status", "pause"),
    [
        pytest.param("exited", "1", "2\n", id="it refused to start"),
        pytest.param("exited", "0", "", id="it was stopped"),
        pytest.param("killed", "KILL", "", id="it was killed"),
        pytest.param("dumped", "ABRT", "", id="the watchdog ended it"),
    ],
)
def test_only_one_that_ended_by_itself_is_waited_for_before_it_is_started_again(
    tmp_path: Path, code: str, status: str, pause: str
) -> None:
    sleep = tmp_path / "sleep"
    sleep.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    sleep.chmod(0o755)
    (line,) = of_unit((UNITS / "ringback.service").read_text(encoding="utf-8"))["ExecStopPost"]
    command = shlex.split(line.replace("$$", "$"))  # systemd.service(5): "$$" is a dollar sign
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "EXIT_CODE": code, "EXIT_STATUS": status}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == pause


@pytest.mark.skipif(missing() is not None, reason=f"it takes {missing()}")
@pytest.mark.parametrize("unit", ["ringback.service", "ringback-pbx.service"])
def test_what_a_unit_forbids_fails_and_does_not_kill(unit: str) -> None:
    """What our libraries try at their start is more than what we need; a signal would end us with no word said."""
    forbidden = "import os; os.sched_setaffinity(0, {0})"
    done = subprocess.run(locked_in(unit, sys.executable, "-c", forbidden), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "PermissionError: [Errno 1] Operation not permitted")


@pytest.mark.skipif(missing() is not None, reason=f"it takes {missing()}")
def test_under_the_units_filter_the_nightly_copy_can_stand_back() -> None:
    lower = "import os; os.setpriority(os.PRIO_PROCESS, 0, 10); print(os.getpriority(os.PRIO_PROCESS, 0))"
    words = locked_in("ringback.service", sys.executable, "-c", lower)
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "10\n"
