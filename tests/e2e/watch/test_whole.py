"""All of it before a PBX that is not ours: ``ringback run`` watches, texts through a real SMSC, and calls back through ARI."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ari_app.pbx.folders import PbxFolders
from ari_app.pbx.host import find_asterisk
from tests.e2e.watch.foreign import PLAIN, SECRET, ForeignPbx
from tests.e2e.watch.phones import talk
from tests.support.stage import SETTINGS, Stage
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CALLER = "+13055550123"
_HEAD, _, _REST = SETTINGS.partition("pbx:\n")
WATCH = """\
pbx:
  mode: watch
  ami: {{port: {ami_port}}}
  http: {{port: {http_port}}}
  manager: {{secret: {{env: RINGBACK_STAGE_PBX}}}}
  watch: {{cel: pbx/log/cel-custom/ringback.csv}}
"""
ARI = """\
  ari: {{secret: {{env: RINGBACK_STAGE_PBX}}}}
"""
_TAIL = _REST[_REST.index("phones:") :]


def settings_text(*, ari: bool) -> str:
    """The stage's settings, for a PBX that is watched."""
    head = _HEAD.replace("_1305555010X", "_130555502XX")
    lines = [line for line in head.splitlines(keepends=True) if not line.startswith('  "1305555010')]
    return "".join(lines) + WATCH + (ARI if ari else "") + _TAIL


class WatchStage(Stage):
    """A stage whose PBX is somebody else's."""

    foreign: ForeignPbx

    async def start_pbx(self, say: Callable[[str], None] = lambda line: None) -> None:
        base = self.folder / "pbx"
        base.mkdir(mode=0o711)
        self.foreign = ForeignPbx(
            find_asterisk(progress=say),
            PbxFolders(base),
            ami=self.ports["ami_port"],
            http=self.ports["http_port"],
            sip=self.ports["sip_port"],
            carrier=self.ports["carrier_port"],
            sounds=self.folder / "data" / "pbx" / "sounds",
        )
        self.foreign.render()
        self.foreign.start()

    async def stop(self) -> None:
        await super().stop()
        self.foreign.process.stop()


@contextlib.asynccontextmanager
async def watch_stage(*, ari: bool) -> AsyncIterator[WatchStage]:
    folder = Path(tempfile.mkdtemp(prefix="ringback-watch-"))
    folder.chmod(0o711)  # noqa: ASYNC240 - Asterisk's account goes through it; nothing else runs yet
    stage = WatchStage(folder, settings_text(ari=ari), environment={"RINGBACK_STAGE_PBX": SECRET})
    try:
        await stage.start()
        yield stage
    finally:
        await stage.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_missed_call_on_a_foreign_pbx_becomes_a_text_and_a_lead_without_ari() -> None:
    async with watch_stage(ari=False) as stage:
        async with stage.foreign.desk_phone("101") as desk, stage.foreign.caller(PLAIN, CALLER) as caller:
            caller.call(stage.foreign.dial("13055550201"))
            missed = await stage.event("CallMissed", caller=CALLER)
            assert (missed.body["verdict"], missed.body["rings"]) == ("no_answer", 3)
            assert "ended" not in desk.story()
            caller.hang_up()
        [text] = await until(lambda: stage.smsc.to(CALLER), within=15, what="the text on the wire")
        assert "STOP" in text.body
        await until(stage.pushed, within=15, what="the lead in the CRM")
        await until(lambda: stage.mailbox.messages, within=15, what="the alert")
        code, words = await stage.ringback("check")
        assert code == 0
        assert "without pbx.ari" in words


async def test_a_caller_who_heard_the_notice_is_called_back_through_the_foreign_pbx() -> None:
    async with watch_stage(ari=True) as stage:
        mobile = stage.foreign.mobile(PLAIN, CALLER, answer_after=0.3)
        async with stage.foreign.desk_phone("101"), mobile as caller:
            caller.call(stage.foreign.dial("13055550210"))
            missed = await stage.event("CallMissed", caller=CALLER)
            assert missed.body["verdict"] == "no_answer"
            played = await stage.event("PromptPlayed", within=20)
            assert played.body["whole"]
            assert len(played.body["audio_sha256"]) == 64
            await stage.event("CallerLeft", within=20)
            await stage.event("CallbackAnswered", within=30)
            await caller.heard("incoming")
            caller.hang_up()
            ended = await stage.event("CallbackEnded", within=20)
            assert ended.body["end"] == "caller_hung_up"
        assert len(stage.smsc.to(CALLER)) == 1
        assert len(stage.events("CallMissed")) == 1, "our own callback is nobody's missed call"


async def test_a_key_pressed_during_the_notice_is_obeyed() -> None:
    async with watch_stage(ari=True) as stage:
        async with stage.foreign.desk_phone("101"), stage.foreign.caller(PLAIN, CALLER) as caller:
            caller.call(stage.foreign.dial("13055550210"))
            await stage.event("CallMissed", caller=CALLER)
            await caller.heard("media")
            caller.press("9")
            pressed = await stage.event("KeyPressed", within=15)
            assert pressed.body["key"] == "9"
            await caller.heard("ended", within=15)
        await stage.event("CallerLeft")
        assert not stage.smsc.to(CALLER)


async def test_calls_that_came_while_ringback_was_dead_are_answered_when_it_returns() -> None:
    gave_up, reached = "+13055550124", "+13055550125"
    async with watch_stage(ari=False) as stage:
        foreign = stage.foreign
        async with foreign.desk_phone("101") as desk:
            async with foreign.caller(PLAIN, CALLER) as caller:
                caller.call(foreign.dial("13055550204"))  # the phone, and then its mailbox
                await desk.heard("incoming")
                await stage.stop_ringback(signal.SIGKILL)
                await caller.heard("answered", within=20)
                caller.hang_up()
                await caller.heard("ended")
            async with foreign.caller(PLAIN, gave_up) as caller:
                caller.call(foreign.dial("13055550202"))  # a queue
                await desk.heard("incoming")
                caller.hang_up()
                await caller.heard("ended")
            async with foreign.caller(PLAIN, reached) as caller:
                caller.call(foreign.dial("13055550204"))
                await desk.heard("incoming")
                desk.answer()
                await caller.heard("answered")
                await talk(1.5)
                caller.hang_up()
                await caller.heard("ended")
        await until(lambda: not foreign.channels(), within=15.0, what="the mailbox to notice that nobody speaks")
        status, _ = await stage.ringback("audit", "--since", "1h")
        assert status == 1  # nobody knows of them yet

        await stage.start_ringback()
        await until(
            lambda: len([e for e in stage.events() if "verdict" in e.body]) == 3, within=40.0, what="three verdicts"
        )
        verdicts = {(e.body["caller"], e.body["verdict"]) for e in stage.events() if "verdict" in e.body}
        assert verdicts == {(CALLER, "no_answer"), (gave_up, "abandoned"), (reached, "answered")}
        await until(lambda: stage.smsc.to(CALLER), within=10.0, what="the text")
        status, output = await stage.ringback("audit", "--since", "1h", "--json")
        report = json.loads(output)
        assert (status, report["calls"], report["late"], report["findings"]) == (0, 3, 3, [])
        assert not stage.smsc.to(reached)


async def test_the_doctor_and_the_health_page_look_at_ami() -> None:
    async with watch_stage(ari=False) as stage:
        code, words = await stage.ringback("doctor", "--json")
        findings = {finding["what"]: finding["grade"] for finding in json.loads(words)}
        assert findings["AMI"] == "ok"
        assert "asterisk" not in findings, "without ARI nothing is asked of it"
        code, words = await stage.ringback("status")
        assert code == 0, words
        stage.foreign.kill()
        await until(lambda: "asterisk_lost" in stage.log_path.read_text(), within=12, what="the loss")
        code, words = await stage.ringback("status")
        assert code == 1
        assert "asterisk: not connected" in words
