"""SIPp with scenarios of our own: load, odd behaviour and error flows, where PJSUA2 is too well-behaved."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

SCENARIOS = Path(__file__).parent / "scenarios"


@dataclass(frozen=True, slots=True)
class SippResult:
    """``ok``: every call went through the scenario to its end. ``errors`` is what SIPp wrote about those that did not."""

    ok: bool
    errors: str


class Sipp:
    """One run of one scenario (a name in ``scenarios/``). Use it with ``async with``; it is stopped at the end."""

    def __init__(
        self,
        scenario: str,
        remote: str,
        *,
        service: str = "ringback",
        ip: str = "127.0.0.1",
        port: int = 0,
        calls: int | None = 1,
        rate: float = 10.0,
        pause_seconds: float = 0.0,
        audio: Path | None = None,
        secret: str | None = None,
        **keys: str,
    ) -> None:
        """``remote``: host:port of the PBX. ``service``: the number called, or the phone that registers. ``calls``: None
        for a phone, which serves until it is stopped. ``pause_seconds``: the scenario's pause. ``keys``: its ``[words]``,
        such as ``caller`` (which may hold ``[call_number]``), ``lifetime``, ``request``; ``dialled``: what To says, where it
        is not ``service``. ``audio``: PCMU samples to speak. ``secret``: the password of ``service``."""
        self._folder = tempfile.TemporaryDirectory(prefix="sipp-")
        text = (SCENARIOS / f"{scenario}.xml").read_text(encoding="utf-8").replace("[audio]", str(audio))
        # SIPp does not look for words inside of words, and a caller's number may end in [call_number].
        text = text.replace("[caller]", keys.pop("caller", "+13055550199"))
        text = text.replace("[dialled]", keys.pop("dialled", service))
        script = Path(self._folder.name, "scenario.xml")
        script.write_text(text, encoding="utf-8")
        self._errors = Path(self._folder.name, "errors.log")
        self._command = [
            *("sipp", remote, "-sf", str(script), "-s", service, "-i", ip, "-mi", ip, "-nostdin"),
            *(("-p", str(port)) if port else ()),
            *(("-m", str(calls), "-r", str(rate)) if calls is not None else ()),
            *(("-au", service, "-ap", secret) if secret is not None else ()),
            *("-d", str(int(pause_seconds * 1000)), "-trace_err", "-error_file", str(self._errors)),
            *(word for name, value in keys.items() for word in ("-key", name, value)),
        ]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=self._folder.name,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._folder.cleanup()

    async def result(self, within: float = 15.0) -> SippResult:
        """How the calls went. Raises TimeoutError."""
        assert self._process is not None
        async with asyncio.timeout(within):
            code = await self._process.wait()
        errors = self._errors.read_text(encoding="utf-8", errors="replace") if self._errors.exists() else ""
        return SippResult(code == 0, errors[-2000:])


async def sipp_register(remote: str, number: str, secret: str, *, port: int, lifetime: int = 300) -> None:
    """Registers a SIPp phone that will listen on ``port``. Raises AssertionError with SIPp's words."""
    scenario = Sipp("register", remote, service=number, port=port, secret=secret, lifetime=str(lifetime))
    async with scenario as sipp:
        result = await sipp.result()
    assert result.ok, f"{number} could not register: {result.errors}"
