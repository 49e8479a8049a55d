"""baresip as a phone: another SIP stack than PJSIP on both ends, for what two of a kind would agree on and be wrong."""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
import wave
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.phones import PhoneError
from tests.support.ports import free_port

START_ATTEMPTS = 3
START_SECONDS = 5.0

_CONFIG = """\
poll_method epoll
call_local_timeout 120
call_max_calls 2
sip_listen {ip}:{sip}
audio_player aubridge,nil
audio_source {source}
audio_alert aubridge,nil
auplay_srate 8000
ausrc_srate 8000
rtp_ports {rtp}-{rtp_last}
net_interface {ip}
module_path /usr/lib/baresip/modules
module g711.so
module aubridge.so
module aufile.so
module ctrl_tcp.so
{recording}module_tmp account.so
module_app menu.so
ctrl_tcp_listen 127.0.0.1:{control}
"""


class Baresip:
    """A baresip, driven over its ctrl_tcp module (netstrings of JSON). Use it with ``async with``."""

    def __init__(
        self,
        user: str,
        password: str = "",
        registrar: str | None = None,
        *,
        ip: str = "127.0.0.1",
        port: int | None = None,
        speak: Path | None = None,
        record: Path | None = None,
    ) -> None:
        """With ``registrar`` (host:port) a desk phone; without, a number behind a carrier at ``ip``:``port``.

        ``speak``: a WAV file (8 kHz, 16 bits, one channel) that it speaks into its calls. ``record``: a folder for WAV files
        of each call, ``*-dec.wav`` being what it heard.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="baresip-")
        self._root = Path(self._folder.name)
        self._ip, self._port, self._speak, self._record = ip, port, speak, record
        account = (
            f"<sip:{user}@{registrar or ip};transport=udp>;regint={300 if registrar else 0};audio_codecs=PCMU/8000/1"
        )
        if password:
            account += f";auth_user={user};auth_pass={password}"
        (self._root / "accounts").write_text(f"{account}\n", encoding="utf-8")
        (self._root / "contacts").touch()
        self.user = user
        self._registers = registrar is not None
        self.events: list[dict[str, Any]] = []
        self._seen = 0
        self._control = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def _configure(self) -> None:
        """Written anew for each start: somebody may have taken a port meanwhile, and baresip does not say so."""
        self._control = free_port()
        rtp = free_port(socket.SOCK_DGRAM) & ~1
        config = _CONFIG.format(
            ip=self._ip,
            sip=self._port or free_port(socket.SOCK_DGRAM),
            source=f"aufile,{self._speak or _silence(self._root / 'silence.wav')}",
            rtp=rtp,
            rtp_last=rtp + 20,
            control=self._control,
            recording=f"module sndfile.so\nsnd_path {self._record}\n" if self._record else "",
        )
        (self._root / "config").write_text(config, encoding="utf-8")

    async def __aenter__(self) -> Self:
        try:
            for attempt in range(START_ATTEMPTS):
                self._configure()
                self._process = await asyncio.create_subprocess_exec(
                    *("baresip", "-4", "-f", self._folder.name),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                try:
                    async with asyncio.timeout(START_SECONDS):
                        await self._connect()
                    break
                except TimeoutError:
                    if attempt == START_ATTEMPTS - 1:
                        raise
                    await self._end()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()
        self._folder.cleanup()

    async def _end(self) -> None:
        assert self._process is not None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(3.0):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    @property
    def ended(self) -> bool:
        """Whether its process is gone."""
        return self._process is not None and self._process.returncode is not None

    def call(self, to: str) -> None:
        self._order("dial", to)

    def answer(self) -> None:
        self._order("accept")

    def hang_up(self) -> None:
        self._order("hangup")

    def speak(self, path: Path) -> None:
        """Speaks a WAV file (8 kHz, 16 bits, one channel) into the call; at its end it hangs up, so let silence follow."""
        self._order("ausrc", f"aufile,{path}")

    def press(self, digit: str) -> None:
        """Presses a key (RFC 4733)."""
        self._order("sndcode", digit)

    async def heard(self, kind: str, *, within: float = 10.0) -> dict[str, Any]:
        """The next event of that type: ``CALL_INCOMING``, ``CALL_ESTABLISHED``, ``CALL_CLOSED`` and so on.

        Raises PhoneError with the types so far when it does not come in time.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    while self._seen < len(self.events):
                        event = self.events[self._seen]
                        self._seen += 1
                        if event.get("type") == kind:
                            return event
                    self.events.append(await self._read())
        except TimeoutError:
            story = [event.get("type") for event in self.events]
            raise PhoneError(f"{self.user}: no {kind} within {within:g} s; so far {story}") from None

    async def _connect(self) -> None:
        while self._writer is None:
            try:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._control)
            except ConnectionError:
                await self._pause()
        while self._registers and not await self._registered():
            await self._pause()

    async def _registered(self) -> bool:
        """Asks, because REGISTER_OK came and went before we could listen."""
        self._order("reginfo")
        while True:
            message = await self._read()
            if message.get("response"):
                if "ERR" in str(message.get("data")):
                    raise PhoneError(f"{self.user}: could not register")
                return "OK" in str(message.get("data"))
            self.events.append(message)

    @staticmethod
    async def _pause() -> None:
        await asyncio.sleep(0.02)  # noqa: TID251 - it gives no sign of life that could be awaited

    async def _read(self) -> dict[str, Any]:
        assert self._reader is not None
        length = int((await self._reader.readuntil(b":"))[:-1])
        message: dict[str, Any] = json.loads((await self._reader.readexactly(length + 1))[:-1])
        return message

    def _order(self, command: str, parameters: str = "") -> None:
        assert self._writer is not None
        text = json.dumps({"command": command, "params": parameters}).encode()
        self._writer.write(b"%d:%s," % (len(text), text))


def _silence(path: Path) -> Path:
    """Ten minutes of it. The audio bridge's own would be an echo: it plays into its source."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000 * 600))
    return path
