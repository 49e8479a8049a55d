"""One SIP phone in a process of its own: PJSUA2, driven by lines of JSON on standard input, telling on standard output.

PJSUA2 aborts its process when it is misused, so it does not live in ours. Run by ``phones.Phone``; by hand::

    python -m tests.support.phone_process '{"user": "101", "password": "...", "registrar": "127.0.0.1:5060"}'

Every event has ``at``, on the machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

import functools
import json
import os
import select
import sys
import time
import wave
from pathlib import Path
from typing import Any, cast

Settings = dict[str, Any]

_PROTOCOL = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library prints to descriptor 1 before it can be told not to

import pjsua2 as pj  # noqa: E402

POLL_MILLISECONDS = 5


def tell(event: str, **facts: Any) -> None:
    line = {"event": event, "at": time.monotonic(), **facts}  # noqa: TID251 - stamps are compared across processes
    os.write(_PROTOCOL, json.dumps(line).encode() + b"\n")


@functools.cache
def silence() -> Path:
    """A WAV file of silence, for as long as this process lives, however it ends. Longer than a test's call: see ``Call.play``."""
    descriptor = os.memfd_create("silence")
    with wave.open(os.fdopen(os.dup(descriptor), "wb"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000 * 300))
    return Path(f"/proc/self/fd/{descriptor}")


def is_whole(recording: Path) -> bool:
    """Its header has the lengths, which are written last: only then is it a WAV file."""
    size = recording.stat().st_size
    with recording.open("rb") as file:
        header = file.read(44)
    return [int.from_bytes(header[at : at + 4], "little") for at in (4, 40)] == [size - 8, size - 44]


class Call(pj.Call):  # type: ignore[misc]
    """A call of the phone: tells its states, plays and records as soon as audio flows."""

    def __init__(self, phone: Phone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone = phone
        self.answer_at: float | None = None
        self._player: Any = None
        self._recorder: Any = None

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        match info.state:
            case pj.PJSIP_INV_STATE_EARLY:
                tell("progress", code=info.lastStatusCode)
            case pj.PJSIP_INV_STATE_CONFIRMED:
                tell("answered")
            case pj.PJSIP_INV_STATE_DISCONNECTED:
                self.let_go()
                tell("ended", code=info.lastStatusCode, reason=info.lastReason)
                self.phone.ended.append(self)

    def onCallMediaState(self, prm: Any) -> None:
        if self.audio() is None:
            return
        tell("media")
        if self._player is None:
            # A phone sends audio all the time, also while nobody speaks; without any, not even its keys are sent.
            self.play(str(self.phone.settings.get("speak") or silence()), loop=True)
        if self._recorder is None and self.phone.settings.get("record"):
            self.record(str(self.phone.settings["record"]))

    def onDtmfDigit(self, prm: Any) -> None:
        tell("dtmf", digit=prm.digit)

    def onCallTransferStatus(self, prm: Any) -> None:
        # RFC 5589 section 6: whoever handed the call over leaves it when the other phone has taken it.
        if prm.finalNotify and prm.statusCode // 100 == 2:
            self.hangup(pj.CallOpParam())

    def audio(self) -> Any:
        """The active audio stream, if there is one."""
        info = self.getInfo()  # its list of media is freed with it
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                return pj.AudioMedia.typecastFromMedia(self.getMedia(index))
        return None

    def play(self, path: str, *, loop: bool) -> None:
        # Kept for as long as the process lives. At a file's end the library has a thread of its own tell the player so; when
        # that is gone by then, the process is, too (a segmentation fault in ev_thread), and nobody hangs up.
        player = pj.AudioMediaPlayer()
        self.phone.players.append(player)
        player.createPlayer(path, 0 if loop else pj.PJMEDIA_FILE_NO_LOOP)
        audio = self.audio()
        if self._player is not None:
            self._player.stopTransmit(audio)
        player.startTransmit(audio)
        self._player = player

    def record(self, path: str) -> None:
        recorder = pj.AudioMediaRecorder()
        recorder.createRecorder(path)
        self.audio().startTransmit(recorder)
        self._recorder = recorder
        self.phone.recordings.append(Path(path))

    def let_go(self) -> None:
        """Close the files. The bridge's own clock does so, a moment later: ``is_whole`` says when."""
        self._player = self._recorder = None

    def silence(self) -> None:
        self.play(str(silence()), loop=True)


class Account(pj.Account):  # type: ignore[misc]
    """Who the phone is: registered at the PBX, or a number behind a carrier that calls and is called."""

    def __init__(self, phone: Phone) -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: Any) -> None:
        tell("registered" if prm.code == 200 and prm.expiration else "unregistered", code=prm.code)

    def onIncomingCall(self, prm: Any) -> None:
        self.phone.incoming(prm)

    def onInstantMessage(self, prm: Any) -> None:
        tell("message", sender=prm.fromUri, body=prm.msgBody)

    def onInstantMessageStatus(self, prm: Any) -> None:
        tell("message_status", code=prm.code)


class Phone:
    """Reads orders, tells events, until ``quit`` or the end of its input."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.endpoint = pj.Endpoint()
        self.account = Account(self)
        self.call: Call | None = None
        self.held: Call | None = None
        self.ended: list[Call] = []
        self.recordings: list[Path] = []
        self.players: list[Any] = []
        self.closing = False

    def start(self) -> None:
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = "Ringback test phone"
        config.logConfig.level = config.logConfig.consoleLevel = int(self.settings.get("log", 0))
        config.medConfig.clockRate = 8000
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        self.endpoint.libCreate()
        self.endpoint.libInit(config)
        self.endpoint.audDevManager().setNullDev()
        transport = pj.TransportConfig()
        transport.boundAddress = str(self.settings.get("ip", "127.0.0.1"))
        transport.port = int(self.settings.get("port", 0))
        self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self.endpoint.libStart()
        for codec in self.endpoint.codecEnum2():
            wanted = codec.codecId.lower().startswith(("pcmu", "pcma"))
            self.endpoint.codecSetPriority(codec.codecId, 200 if wanted else 0)
        self.account.create(self._account_config())
        address = self.endpoint.transportGetInfo(self.endpoint.transportEnum()[0]).localName
        tell("ready", address=address)

    def _account_config(self) -> Any:
        config = pj.AccountConfig()
        user, registrar = self.settings["user"], self.settings.get("registrar")
        ip = str(self.settings.get("ip", "127.0.0.1"))
        config.idUri = f'"{self.settings.get("name", user)}" <sip:{user}@{registrar or ip}>'
        if registrar:
            config.regConfig.registrarUri = f"sip:{registrar}"
            config.regConfig.timeoutSec = int(self.settings.get("expires", 300))
            config.sipConfig.authCreds.append(
                pj.AuthCredInfo("digest", "*", user, 0, str(self.settings.get("password", "")))
            )
        config.mediaConfig.transportConfig.boundAddress = ip
        config.mediaConfig.transportConfig.publicAddress = ip
        return config

    def incoming(self, prm: Any) -> None:
        call = Call(self, prm.callId)
        info = call.getInfo()
        tell("incoming", caller=info.remoteUri, dialled=info.localUri)
        if self.closing:
            self._respond(call, pj.PJSIP_SC_TEMPORARILY_UNAVAILABLE)
            self.ended.append(call)
            return
        # A call that ended in this very poll, with a CANCEL just before this INVITE, keeps nobody busy.
        if (self.call is not None and self.call not in self.ended) or self.settings.get("busy"):
            self._respond(call, pj.PJSIP_SC_BUSY_HERE)
            self.ended.append(call)
            return
        self.call = call
        self._respond(call, pj.PJSIP_SC_RINGING)
        if self.settings.get("answer_after") is not None:
            call.answer_at = time.monotonic() + float(self.settings["answer_after"])  # noqa: TID251

    def _respond(self, call: Call, code: int) -> None:
        answer = pj.CallOpParam()
        answer.statusCode = code
        call.answer(answer)

    def obey(self, order: dict[str, Any]) -> None:
        match order.pop("do"):
            case "call":
                self.call = Call(self)
                self.call.makeCall(order["to"], pj.CallOpParam(True))
            case "answer":
                self._respond(self._current(), int(order.get("code", 200)))
            case "hangup":
                if self.call is not None:
                    self.call.hangup(pj.CallOpParam())
            case "play":
                self._current().play(order["path"], loop=bool(order.get("loop")))
            case "silence":
                self._current().silence()
            case "record":
                self._current().record(order["path"])
            case "consult":
                self.held = self._current()
                self.held.setHold(pj.CallOpParam(True))
                self.call = Call(self)
                self.call.makeCall(order["to"], pj.CallOpParam(True))
            case "transfer" if self.held is not None:  # RFC 5589 section 7: with Replaces, once the other has agreed
                self.held.xferReplaces(self._current(), pj.CallOpParam(True))
            case "transfer":  # RFC 5589 section 6
                self._current().xfer(order["to"], pj.CallOpParam(True))
            case "dtmf":
                parameter = pj.CallSendDtmfParam()
                parameter.method = pj.PJSUA_DTMF_METHOD_RFC2833
                parameter.digits = order["digits"]
                parameter.duration = 120
                self._current().sendDtmf(parameter)
            case "message":
                self._message(order["to"], order["body"])
            case "set":
                self.settings.update(order)
            case "unregister":
                self.account.setRegistration(False)
            case other:
                raise ValueError(f"no such order: {other}")

    def _current(self) -> Call:
        if self.call is None:
            raise RuntimeError("there is no call")
        return self.call

    def _message(self, to: str, body: str) -> None:
        buddy_config = pj.BuddyConfig()
        buddy_config.uri = to
        buddy = pj.Buddy()
        buddy.create(self.account, buddy_config)
        parameter = pj.SendInstantMessageParam()
        parameter.content = body
        buddy.sendInstantMessage(parameter)

    def run(self) -> None:
        buffer = b""
        while True:
            if select.select([0], [], [], 0)[0]:
                data = os.read(0, 65536)
                if not data:
                    return
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    order = cast("dict[str, Any]", json.loads(line))
                    if order["do"] == "quit":
                        return
                    try:
                        self.obey(order)
                    except (pj.Error, RuntimeError, ValueError, KeyError) as error:
                        tell("refused", why=error.info() if isinstance(error, pj.Error) else str(error))
            self.endpoint.libHandleEvents(POLL_MILLISECONDS)
            self._tick()

    def _tick(self) -> None:
        for call in self.ended:
            if call is self.call:
                self.call = None
            if call is self.held:
                self.held = None
        self.ended.clear()
        call_now = self.call
        now = time.monotonic()  # noqa: TID251
        if call_now is not None and call_now.answer_at is not None and now >= call_now.answer_at:
            call_now.answer_at = None
            self._respond(call_now, 200)

    def close(self) -> None:
        """Says goodbye on the wire. The library itself is left to the end of the process: destroying it takes a second."""
        self.closing = True
        self.endpoint.hangupAllCalls()
        if self.settings.get("registrar"):
            self.account.setRegistration(False)
        for _ in range(20):
            self.endpoint.libHandleEvents(POLL_MILLISECONDS)
        for call in (self.call, self.held, *self.ended):
            if call is not None:
                call.let_go()
        for _ in range(200):
            if all(is_whole(path) for path in self.recordings):
                break
            self.endpoint.libHandleEvents(POLL_MILLISECONDS)


def main() -> None:
    phone = Phone(json.loads(sys.argv[1]))
    try:
        phone.start()
        phone.run()
        phone.close()
    except pj.Error as error:
        tell("failed", why=error.info())
        os._exit(1)
    tell("gone")
    os._exit(0)


if __name__ == "__main__":
    main()
