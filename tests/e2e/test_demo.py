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
    assert "call: opted_out, text: opted_out" in told
    assert (kept / "data" / "ringback.db").stat().st_size > 0
    assert list((kept / "recordings").glob("*-dec.wav"))
