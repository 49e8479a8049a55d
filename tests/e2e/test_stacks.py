"""Callers and phones of other makes than PJSIP, which is on both ends elsewhere: baresip and SIPp."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.e2e.brokerage import MAIN, RING_SECONDS, Brokerage
from tests.e2e.hearing import likeness, spoken
from tests.e2e.scenes import settled, verdict
from tests.support.baresip import Baresip
from tests.support.ports import free_port
from tests.support.sipp import Sipp, sipp_register
from tests.support.stage import CARRIER_IP
from tests.support.tones import tone
from tests.support.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

GREETING = "Press 9 or say stop at any time, and we will not call again."


async def test_a_caller_with_baresip_is_missed_hears_the_prompt_and_takes_the_callback(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    port = free_port()
    assert brokerage.carrier is not None
    brokerage.carrier.connect(caller, lambda: f"{CARRIER_IP}:{port}")
    async with Baresip(caller, ip=CARRIER_IP, port=port, record=tmp_path) as phone:
        phone.call(brokerage.dial(MAIN))
        await phone.heard("CALL_ESTABLISHED")
        await phone.heard("CALL_CLOSED", within=15.0)
        missed = await brokerage.event("CallMissed", caller=caller)
        await settled(brokerage, caller, "text")
        prompt = await _recording(tmp_path, 1)
        await phone.heard("CALL_INCOMING")
        phone.answer()
        await phone.heard("CALL_ESTABLISHED")
        await brokerage.talk(11.0)  # the greeting
        phone.hang_up()
        ended = await brokerage.event("CallbackEnded", lead=missed.lead_id)
    assert ended.body["end"] == "caller_hung_up"
    assert likeness(prompt, brokerage.sounds / "missed_call_notice.wav") > 0.85
    assert likeness(await _recording(tmp_path, 2), await spoken(GREETING)) > 0.85


async def test_a_desk_phone_with_baresip_is_rung_and_answers(brokerage: Brokerage, caller: str) -> None:
    secret = brokerage.settings.secrets().resolve("phone-101", None)
    async with Baresip("101", secret, brokerage.sip) as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("CALL_INCOMING")
        desk.answer()
        await mobile.heard("answered")
        answered = await brokerage.event("CallAnswered", caller=caller)
        desk.hang_up()
        await mobile.heard("ended")
        await brokerage.event("CallClosed", caller=caller)
    assert answered.body["by"] == "101"


async def test_a_desk_phone_with_baresip_that_is_not_answered_is_taken_back(brokerage: Brokerage, caller: str) -> None:
    secret = brokerage.settings.secrets().resolve("phone-101", None)
    async with Baresip("101", secret, brokerage.sip) as desk, brokerage.mobile(caller) as mobile:
        mobile.call(brokerage.dial(MAIN))
        await desk.heard("CALL_INCOMING")
        missed = await brokerage.event("CallMissed", caller=caller)
        await desk.heard("CALL_CLOSED")
        await mobile.heard("answered")
        mobile.hang_up()
        await settled(brokerage, caller, "text")
    assert missed.body["verdict"] == "no_answer"


@pytest.mark.parametrize(
    ("phone", "expected"), [("phone_busy", "busy"), ("phone_rings", "no_answer"), ("phone_answers", "answered")]
)
async def test_desk_phones_played_by_sipp(brokerage: Brokerage, caller: str, phone: str, expected: str) -> None:
    port = free_port()
    secret = brokerage.settings.secrets().resolve("phone-101", None)
    await sipp_register(brokerage.sip, "101", secret, port=port)
    async with (
        Sipp(phone, brokerage.sip, service="101", port=port, calls=None, pause_seconds=RING_SECONDS / 2),
        brokerage.mobile(caller) as mobile,
    ):
        mobile.call(brokerage.dial(MAIN))
        await mobile.heard("answered")
        await brokerage.talk(2.0)
        mobile.hang_up()
        await until(lambda: verdict(brokerage, caller), what="the verdict")
        if expected != "answered":
            await settled(brokerage, caller, "text")
    assert verdict(brokerage, caller) == [expected]


async def test_a_caller_played_by_sipp_who_speaks_with_a_person(
    brokerage: Brokerage, caller: str, tmp_path: Path
) -> None:
    audio = tmp_path / "speech.raw"
    audio.write_bytes(bytes(0x7F if sample else 0xFF for sample in tone(400, 0.5)))
    async with (
        brokerage.desk_phone("101", answer_after=0.2) as desk,
        Sipp(
            "caller_talks", brokerage.sip, service=MAIN, ip=CARRIER_IP, caller=caller, pause_seconds=2.0, audio=audio
        ) as sipp,
    ):
        await desk.heard("answered")
        assert (await sipp.result()).ok
        await desk.heard("ended", code=200)
        closed = await brokerage.event("CallClosed", caller=caller)
    assert closed.body["verdict"] == "answered"
    assert closed.body["talk_seconds"] > 1.5


async def test_nine_callers_at_once_are_nine_leads_with_a_text_each(
    brokerage: Brokerage, new_number: Callable[..., str]
) -> None:
    prefix = new_number("+1305554")[:-1]  # SIPp counts on, from 1
    callers = [f"{prefix}{n}" for n in range(1, 10)]
    async with AsyncExitStack() as stack:
        sipp = await stack.enter_async_context(
            Sipp(
                "caller_listens",
                brokerage.sip,
                service=MAIN,
                ip=CARRIER_IP,
                caller=f"{prefix}[call_number]",
                calls=9,
                rate=9.0,
                pause_seconds=0.5,
            )
        )
        assert (await sipp.result(within=30.0)).ok
        for caller in callers:
            sent = await settled(brokerage, caller, "text", within=30.0)
            assert sent.body["outcome"] == "done"
    assert [len(brokerage.smsc.to(caller)) for caller in callers] == [1] * 9
    assert len({brokerage.lead_of(caller) for caller in callers}) == 9
    assert [verdict(brokerage, caller) for caller in callers] == [["unreachable"]] * 9


async def _recording(folder: Path, count: int) -> Path:
    """What baresip heard in its ``count``-th call."""
    files = await until(
        lambda: sorted(folder.glob("*-dec.wav"), key=lambda path: path.stat().st_ctime_ns)[count - 1 : count],
        what=f"recording {count} in {folder}",
    )
    return files[0]
