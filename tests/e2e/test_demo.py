"""The demonstration, as a newcomer runs it: at the true cadence, every promise kept."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


async def test_the_demonstration_keeps_every_promise_and_obeys_a_stop(tmp_path: Path) -> None:
    timeline, kept = tmp_path / "timeline.json", tmp_path / "kept"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.demonstration"),
        *("--json", str(timeline), "--keep", str(kept), "--reply", "Is it still available?", "--reply", "STOP"),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    told = output.decode()
    assert process.returncode == 0, told
    found = json.loads(timeline.read_text(encoding="utf-8"))
    assert found["kept"]
    assert all(promise["kept"] for promise in found["promises"])
    moments = [moment["at"] for moment in found["moments"]]
    assert moments == sorted(moments)
    assert 18.0 <= next(m["at"] for m in found["moments"] if m["who"] == "verdict") < 19.0
    said = [moment["what"] for moment in found["moments"] if moment["who"] == "conversation"]
    assert "automated assistant" in said[0], "what is said is told"
    assert any("understands: “" in line and "buy" in line for line in said)
    assert told.index("Ringback says:") < told.index("understands: “") < told.index("over after"), "while it is said"
    assert "call: opted_out, text: opted_out" in told
    assert (kept / "data" / "ringback.db").stat().st_size > 0
    assert list((kept / "recordings").glob("*-dec.wav"))


WITHOUT_AN_SMSC = """
import sys
from scripts.demonstration import __main__ as demonstration, scene
from tests.support.stage import Stage

scene.RING_SECONDS = demonstration.RING_SECONDS = 1.0
start = Stage.start

async def start_and_lose_the_smsc(stage, say):
    await start(stage, say)
    await stage.smsc.stop()

Stage.start = start_and_lose_the_smsc
sys.exit(demonstration.main())
"""


async def test_without_an_smsc_it_says_which_promises_are_broken_and_fails(tmp_path: Path) -> None:
    timeline = tmp_path / "timeline.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WITHOUT_AN_SMSC, "--json", str(timeline), "--reply", "Is it still available?"),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    told = output.decode()
    assert process.returncode == 1, told
    assert "Not all of it happened." in told
    found = json.loads(timeline.read_text(encoding="utf-8"))
    assert not found["kept"]
    broken = {promise["promise"] for promise in found["promises"] if not promise["kept"]}
    reply = "a reply is taken within 10 s: “Is it still available?”"
    assert {"exactly one text", "the SMSC's receipt is in the journal", reply} <= broken
    assert all(f"BROKEN  {promise[:30]}" in told for promise in broken)
    assert "the callback rings within 30 s of the miss" not in broken, "one fault is not all"
