"""A program under the system-call filter of a systemd unit, on a machine where systemd does not run it: what is forbidden in
the field is forbidden in the test.

    python -m tests.support.locked_in UNIT PROGRAM [ARGUMENT ...]

becomes PROGRAM, with the filters that systemd.exec(5) makes of the unit's ``SystemCallFilter``, ``SystemCallErrorNumber`` and
``RestrictAddressFamilies``, and with its ``Environment`` where nothing else is set. What the names of sets mean is asked of
``systemd-analyze``; the filter is put together by libseccomp, as systemd does.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import functools
import os
import shutil
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.support.programs import ROOT

NOBODY = 65534
UNITS = ROOT / "scripts" / "deploy"
_KILL, _ALLOW, _ERRNO = (
    0x80000000,
    0x7FFF0000,
    0x00050000,
)  # seccomp.h: SCMP_ACT_KILL_PROCESS, SCMP_ACT_ALLOW, SCMP_ACT_ERRNO
_EQUAL = 4  # SCMP_CMP_EQ
_FAMILIES = 46
"""Address families that Linux knows; what is beyond them it refuses itself."""


def missing() -> str | None:
    """What this machine lacks for it."""
    if ctypes.util.find_library("seccomp") is None:
        return "libseccomp2"
    return None if shutil.which("systemd-analyze") else "systemd"


def locked_in(unit: str, *command: str) -> list[str]:
    """``command`` under the lock of a unit of ours; as an account without rights, when we are root, as the unit has one."""
    words = [sys.executable, "-m", "tests.support.locked_in", str(UNITS / unit), *command]
    if os.geteuid() != 0:
        return words
    # It may read what is ours, the checkout among it; nothing else is left of root.
    rights = "-all,+dac_read_search"
    account = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return ["setpriv", *account, f"--bounding-set={rights}", f"--inh-caps={rights}", f"--ambient-caps={rights}", *words]


def of_unit(text: str) -> dict[str, list[str]]:
    """The values of each key, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[key].append(value.strip())
    return found


def allowed(filters: list[str]) -> set[str]:
    """The system calls that are left by the lines of a ``SystemCallFilter`` whose first one says what is allowed."""
    names: set[str] = set()
    for line in filters:
        taken = {name for word in line.removeprefix("~").split() for name in _members(word)}
        names = names - taken if line.startswith("~") else names | taken
    return names


def _members(word: str) -> Iterator[str]:
    if not word.startswith("@"):
        yield word
        return
    for name in _set(word):
        yield from _members(name)


@functools.cache
def _set(name: str) -> tuple[str, ...]:
    words = ["systemd-analyze", "syscall-filter", name]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return tuple(line.strip() for line in said.splitlines()[1:] if line.strip() and not line.strip().startswith("#"))


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


class _Filter:
    def __init__(self, library: ctypes.CDLL, otherwise: int) -> None:
        library.seccomp_init.restype = ctypes.c_void_p
        self._library = library
        self._context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(otherwise)))
        assert self._context.value

    def add(self, name: str, action: int, first_argument: int | None = None) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # of another architecture
        comparisons = (_Comparison * 1)()
        count = 0
        if first_argument is not None:
            comparisons[0] = _Comparison(0, _EQUAL, first_argument, 0)
            count = 1
        done = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), ctypes.c_int(number), ctypes.c_uint(count), comparisons
        )
        assert done == 0, (name, os.strerror(-done))

    def load(self) -> None:
        done = self._library.seccomp_load(self._context)  # it gives up new privileges as well, as NoNewPrivileges does
        assert done == 0, os.strerror(-done)


def _lock(unit: dict[str, list[str]]) -> None:
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    if "RestrictAddressFamilies" in unit:
        families = {getattr(socket, name) for line in unit["RestrictAddressFamilies"] for name in line.split()}
        sockets = _Filter(library, _ALLOW)
        for family in set(range(_FAMILIES)) - families:
            sockets.add("socket", _ERRNO | errno.EAFNOSUPPORT, family)
        sockets.load()
    number = unit["SystemCallErrorNumber"][-1:]
    calls = _Filter(library, _ERRNO | getattr(errno, number[0]) if number else _KILL)
    for name in sorted(allowed(unit["SystemCallFilter"])):
        calls.add(name, _ALLOW)
    calls.load()


def main(path: str, *command: str) -> None:
    """Never returns."""
    unit = of_unit(Path(path).read_text(encoding="utf-8"))
    for line in unit["Environment"]:
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)
    _lock(unit)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
