"""Real phones for tests, the demo and the doctor: desk phones that register, and callers behind the carrier."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class PhoneEvent:
    """What a phone told: ``registered``, ``incoming``, ``progress`` (code), ``answered``, ``media``, ``dtmf``, ``message``,
    ``message_status``, ``ended`` (code), ``refused`` (why) and so on. ``at``: monotonic seconds, the same for all."""

    name: str
    at: float
    facts: dict[str, Any] = field(default_factory=dict)


class PhoneError(AssertionError):
    """A phone did not do what was expected; says what it did."""


class Phone:
    """A PJSUA2 phone. Use it with ``async with``; orders return at once, ``heard`` waits for what comes of them."""

    def __init__(self, user: str, **settings: Any) -> None:
        """Settings: ``password`` and ``registrar`` (host:port) make a desk phone; without them it is a number behind a
        carrier at ``ip``:``port``. ``answer_after`` seconds (None: rings for ever), ``busy``, ``speak`` and ``record``
        (paths of WAV files, for every call), ``name``, ``log`` (0-5)."""
        self.user = user
        self.events: list[PhoneEvent] = []
        self.address = ""
        self._settings = {"user": user, **settings}
        self._process: asyncio.subprocess.Process | None = None
        self._seen = 0

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-W", "ignore", "-m", "tests.support.phone_process", json.dumps(self._settings)),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            ready = await self.heard("ready", within=15.0)
            self.address = ready.facts["address"]
            if self._settings.get("registrar"):
                await self.heard("registered")
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, rest = self._started(), b""
        if process.returncode is None:
            try:
                async with asyncio.timeout(5.0):
                    self._order("quit")
                    rest, _ = await process.communicate()
            except (TimeoutError, ConnectionError):
                process.kill()
                rest, _ = await process.communicate()
            except asyncio.CancelledError:
                process.kill()
                raise
        for line in rest.splitlines():
            self._take(line)
        if error is not None:
            error.add_note(f"{self.user} has told {[(event.name, event.facts) for event in self.events]}")

    @property
    def ended(self) -> bool:
        """Whether its process is gone."""
        return self._process is not None and self._process.returncode is not None

    @property
    def uri(self) -> str:
        """Where a carrier's number can be called: ``sip:USER@IP:PORT``."""
        return f"sip:{self.user}@{self.address}"

    def call(self, to: str) -> None:
        """Calls a SIP URI."""
        self._order("call", to=to)

    def answer(self, code: int = 200) -> None:
        """Answers the call that rings; with another code refuses it."""
        self._order("answer", code=code)

    def hang_up(self) -> None:
        self._order("hangup")

    def play(self, path: Path, *, loop: bool = False) -> None:
        """Speaks a WAV file (8 kHz, 16 bits, one channel) into the call."""
        self._order("play", path=str(path), loop=loop)

    def silence(self) -> None:
        self._order("silence")

    def record(self, path: Path) -> None:
        """Writes what is heard into a WAV file; it is complete when the call has ended."""
        self._order("record", path=str(path))

    def press(self, digits: str) -> None:
        """Presses keys (RFC 4733)."""
        self._order("dtmf", digits=digits)

    def consult(self, to: str) -> None:
        """Holds the call and calls somebody about it."""
        self._order("consult", to=to)

    def transfer(self, to: str = "") -> None:
        """Hands the call over (REFER, RFC 5589) to ``to``; or the call that is held to whom it was talked over with."""
        self._order("transfer", to=to)

    def send_message(self, to: str, body: str) -> None:
        """A SIP MESSAGE (RFC 3428); ``message_status`` tells what became of it."""
        self._order("message", to=to, body=body)

    def change(self, **settings: Any) -> None:
        """From now on: ``answer_after``, ``busy``, ``speak``, ``record``."""
        self._order("set", **settings)

    def unregister(self) -> None:
        self._order("unregister")

    async def heard(self, name: str, *, within: float = 8.0, **facts: Any) -> PhoneEvent:
        """The next event of that name with those facts, after the last one returned by this.

        Raises PhoneError with all events so far when it does not come in time.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    while self._seen < len(self.events):
                        event = self.events[self._seen]
                        self._seen += 1
                        if event.name == name and facts.items() <= event.facts.items():
                            return event
                    await self._read()
        except TimeoutError:
            raise PhoneError(
                f"{self.user}: no {name} {facts or ''} within {within:g} s; so far {self.story()}"
            ) from None

    async def settle(self) -> None:
        """Takes in what the phone has told up to now."""
        self._order("set")
        try:
            async with asyncio.timeout(0.05):
                while True:
                    await self._read()
        except TimeoutError:
            pass

    def story(self) -> list[str]:
        """The names of all events so far, with their codes."""
        return [f"{event.name} {event.facts['code']}" if "code" in event.facts else event.name for event in self.events]

    async def _read(self) -> None:
        process = self._started()
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise PhoneError(f"{self.user}: the phone's process ended ({await process.wait()}); so far {self.story()}")
        event = self._take(line)
        if event.name in ("failed", "refused") or (event.name == "unregistered" and event.facts["code"] >= 400):
            raise PhoneError(f"{self.user}: {event.name} {event.facts.get('why', '')}; so far {self.story()}")

    def _take(self, line: bytes) -> PhoneEvent:
        facts: dict[str, Any] = json.loads(line)
        event = PhoneEvent(facts.pop("event"), facts.pop("at"), facts)
        self.events.append(event)
        return event

    def _order(self, do: str, **facts: Any) -> None:
        process = self._started()
        assert process.stdin is not None
        process.stdin.write(json.dumps({"do": do, **facts}).encode() + b"\n")

    def _started(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "use the phone with `async with`"
        return self._process
