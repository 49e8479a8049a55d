"""What was measured on: a figure without its machine says nothing."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Machine:
    """memory_gb: of the machine. load: tasks ready to run, the minute before. changed: files differ from the commit."""

    cpu: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    sqlite: str
    commit: str
    changed: bool
    load: float

    @classmethod
    def here(cls) -> Machine:
        """This machine, now."""
        return cls(
            cpu=_cpu(),
            cores=len(os.sched_getaffinity(0)),
            memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            kernel=platform.release(),
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            commit=_git("rev-parse", "--short", "HEAD"),
            changed=bool(_git("status", "--porcelain", "--untracked-files=no")),
            load=os.getloadavg()[0],
        )

    def sentence(self) -> str:
        """For people."""
        changed = " with changes" if self.changed else ""
        return (
            f"{self.cores} cores of {self.cpu}, {self.memory_gb:g} GB, Linux {self.kernel}, Python {self.python}, "
            f"SQLite {self.sqlite}, commit {self.commit}{changed}; load of the minute before {self.load:.2f}"
        )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], check=False, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip() if done.returncode == 0 else ""


def cpu_seconds_of(pid: int) -> float:
    """User and system time of a process and its threads so far, proc(5) fields 14 and 15. Raises OSError if it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wall() -> float:
    """Seconds since the epoch: the one clock that all processes of a bench, SIPp among them, write down."""
    return time.time()  # noqa: TID251 - a measurement
