"""Calls through ARI on a real Asterisk, between real phones."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from ari_app.pbx.channels import CallerId, HangupReason
from ari_app.pbx.errors import NotFoundError, ServerFaultError, StateConflictError
from ari_app.pbx.host import AsteriskVersion
from ari_app.pbx.ledger import read_cdr, read_cel
from ari_app.pbx.messages import (
    ChannelDestroyed,
    ChannelDtmfReceived,
    ChannelEnteredBridge,
    ChannelHangupRequest,
    Dial,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    StasisEnd,
    StasisStart,
)
from ari_app.pbx.models import ChannelState
from ari_app.pbx.sounds import SoundFolder
from tests.ari_app.pbx.listening import listening
from tests.support.asterisk import CARRIER_IP, TestPbx
from tests.support.sipp import Sipp
from tests.support.tones import loudness, tone, write_tone
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NUMBER = "+13055550101"
MOBILE = "+13055550199"


async def test_a_call_from_the_carrier_comes_to_us_with_the_number_that_was_dialled(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE) as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        start = await listener.next(StasisStart)
        assert start.args == ("inbound", NUMBER)
        assert start.channel.caller.number == MOBILE
        assert start.channel.endpoint == "PJSIP/carrier"
        assert start.channel.state is ChannelState.RING
        await listener.ari.channels.ring(start.channel.id)
        await mobile.heard("progress", code=180)
        mobile.hang_up()
        await mobile.heard("ended", code=487)
        await listener.next(StasisEnd)


async def test_a_call_whose_request_names_no_number_comes_to_us_without_one(asterisk: TestPbx) -> None:
    if asterisk.host.version < AsteriskVersion(18):
        pytest.skip("16.28 refuses a request without a number")
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE) as mobile:
        mobile.call(f"sip:{asterisk.sip}")
        start = await listener.next(StasisStart)
        assert start.args == ("inbound",)
        await listener.ari.channels.hangup(start.channel.id)
        await mobile.heard("ended")


@pytest.mark.parametrize(
    ("request_uri", "to", "args"),
    [
        ("sip:trunk-carrier@{sip}", "<sip:+13055550101@carrier.example>", ("inbound", NUMBER)),
        ("sip:trunk-carrier@{sip}", "<sip:+13055550123@carrier.example>", ("inbound", "+13055550123")),
        ("sip:account7@{sip}", "sip:13055550101@carrier.example", ("inbound", "13055550101")),
        ("sip:{sip}", '"Harbor, <Miami>" <sip:+1-305-555-0101@carrier.example>;x=1', ("inbound", NUMBER)),
        ("sip:{sip}", "<sip:+13055550101;npdi;rn=+13055559999@carrier.example;user=phone>", ("inbound", NUMBER)),
        ("sip:{sip}", "<sip:%24%7BSHELL(id)%7D5@carrier.example>", ("inbound", "5")),
        ("sip:trunk-carrier@{sip}", "<sip:trunk-carrier@carrier.example>", ("inbound",)),
    ],
)
async def test_a_call_to_our_contact_or_to_nobody_comes_to_us_with_the_number_in_to(
    asterisk: TestPbx, request_uri: str, to: str, args: tuple[str, ...]
) -> None:
    request = request_uri.format(sip=asterisk.sip)
    if "@" not in request and asterisk.host.version < AsteriskVersion(18):
        pytest.skip("16.28 refuses a request without a number")
    caller = Sipp("caller_named_in_to", asterisk.sip, ip=CARRIER_IP, pause_seconds=0.1, request=request, to=to)
    async with listening(asterisk) as listener, caller:
        start = await listener.next(StasisStart)
        assert start.args == args
        assert start.channel.caller.number == MOBILE
        await listener.ari.channels.ring(start.channel.id)
        await listener.next(StasisEnd)
        result = await caller.result()
        assert result.ok, result.errors


async def test_the_two_ends_of_a_bridged_call_hear_each_other(asterisk: TestPbx, tmp_path: Path) -> None:
    low, high = write_tone(tmp_path / "low.wav", 400), write_tone(tmp_path / "high.wav", 1000)
    heard_outside, heard_inside = tmp_path / "outside.wav", tmp_path / "inside.wav"
    async with (
        listening(asterisk) as listener,
        asterisk.desk_phone("101", answer_after=0.1, speak=str(low), record=str(heard_inside)) as desk,
        asterisk.mobile(MOBILE, speak=str(high), record=str(heard_outside)) as mobile,
    ):
        ari = listener.ari
        mobile.call(asterisk.dial_in(NUMBER))
        caller = (await listener.next(StasisStart)).channel
        await ari.channels.originate(
            "PJSIP/101", channel="leg-101", args=("leg",), caller=CallerId(MOBILE, "Buyer"), originator=caller.id
        )
        ringing = await listener.next(Dial, lambda dial: dial.status == "RINGING")
        assert ringing.peer.id == "leg-101"
        assert MOBILE in (await desk.heard("incoming")).facts["caller"]
        leg = await listener.next(StasisStart)
        assert (leg.channel.id, leg.args) == ("leg-101", ("leg",))
        await ari.channels.answer(caller.id)
        await ari.bridges.create("talk")
        await ari.bridges.add("talk", caller.id, "leg-101")
        await listener.next(ChannelEnteredBridge, lambda event: len(event.bridge.channels) == 2)
        await asyncio.sleep(1.0)  # noqa: TID251 - a second of talk
        desk.hang_up()
        await listener.next(StasisEnd, lambda end: end.channel.id == "leg-101")
        await ari.channels.hangup(caller.id)
        await mobile.heard("ended")
        await ari.bridges.destroy("talk")
    assert loudness(heard_outside, 400) > 1000
    assert loudness(heard_inside, 1000) > 1000
    assert loudness(heard_outside, 1000) < 300


async def test_a_phone_that_does_not_answer_ends_as_not_answered(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener, asterisk.desk_phone("102") as desk:
        await listener.ari.channels.originate("PJSIP/102", channel="leg-102", ring_seconds=1, formats=("ulaw",))
        await desk.heard("incoming")
        await listener.next(Dial, lambda dial: dial.status == "RINGING")
        destroyed = await listener.next(ChannelDestroyed)  # a leg that we originate gets no last Dial event
        assert destroyed.channel.id == "leg-102"
        if asterisk.host.version >= AsteriskVersion(20, 14):  # older ones say 0
            assert destroyed.cause == 19  # no answer from user, Q.850 section 2.2.5
        await desk.heard("ended", code=487)


async def test_a_busy_phone_is_told_from_one_that_does_not_answer(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener, asterisk.desk_phone("102", busy=True):
        await listener.ari.channels.originate("PJSIP/102", channel="leg-102", formats=("ulaw",))
        destroyed = await listener.next(ChannelDestroyed)
        assert destroyed.cause == 17  # user busy, Q.850 section 2.2.5


async def test_a_phone_that_is_not_there_cannot_be_called(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener:
        with pytest.raises(ServerFaultError, match="Allocation failed"):
            await listener.ari.channels.originate("PJSIP/103", channel="leg-103", formats=("ulaw",))


async def test_a_callback_leaves_through_the_carrier_and_rings_the_mobile(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE, carrier=True, answer_after=0.1) as mobile:
        await listener.ari.channels.originate(
            f"PJSIP/{MOBILE}@carrier",
            channel="callback-1",
            args=("callback", "lead-7"),
            caller=CallerId(NUMBER, "Brokerage"),
            variables={"PJSIP_HEADER(add,X-Ringback-Id)": "lead-7"},
            formats=("ulaw",),
        )
        incoming = await mobile.heard("incoming")
        assert NUMBER in incoming.facts["caller"]
        assert MOBILE in incoming.facts["dialled"]
        start = await listener.next(StasisStart)
        assert start.args == ("callback", "lead-7")
        await listener.ari.channels.hangup("callback-1")
        await mobile.heard("ended")
        assert (await listener.next(ChannelDestroyed)).cause == 16  # normal call clearing


async def test_a_prompt_is_heard_keys_come_back_and_the_prompt_can_be_cut_short(
    asterisk: TestPbx, tmp_path: Path
) -> None:
    asterisk.folders.sounds.mkdir(exist_ok=True)
    sound = SoundFolder(asterisk.folders.sounds).put("test_prompt", tone(700, 8.0))
    recorded = tmp_path / "heard.wav"
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE, record=str(recorded)) as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        caller = (await listener.next(StasisStart)).channel.id
        await listener.ari.channels.answer(caller)
        playback = await listener.ari.channels.play(caller, [sound.media], playback="p-1")
        assert playback.id == "p-1"
        await listener.next(PlaybackStarted)
        await mobile.heard("media")
        await asyncio.sleep(0.6)  # noqa: TID251 - a listener takes his time
        mobile.press("9")
        key = await listener.next(ChannelDtmfReceived)
        assert key.digit == "9"
        assert len(listener.of(ChannelDtmfReceived)) == 1
        await listener.ari.playbacks.stop("p-1")
        await listener.next(PlaybackFinished)
        with pytest.raises(NotFoundError):
            await listener.ari.playbacks.stop("p-1")
        await listener.ari.channels.hangup(caller)
        await mobile.heard("ended")
    assert loudness(recorded, 700) > 1000


async def test_a_voicemail_is_recorded_where_we_can_read_it(asterisk: TestPbx, tmp_path: Path) -> None:
    words = write_tone(tmp_path / "words.wav", 600)
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE, speak=str(words)) as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        caller = (await listener.next(StasisStart)).channel.id
        await listener.ari.channels.answer(caller)
        recording = await listener.ari.channels.record(caller, "voicemail-1", beep=False, max_seconds=30)
        assert recording.name == "voicemail-1"
        await asyncio.sleep(1.0)  # noqa: TID251 - a second of message
        await listener.ari.recordings.stop("voicemail-1")
        finished = await listener.next(RecordingFinished)
        assert finished.recording.name == "voicemail-1"
        with pytest.raises(StateConflictError):
            await listener.ari.channels.record(caller, "voicemail-1")
        await listener.ari.channels.hangup(caller)
    path = asterisk.folders.recordings / "voicemail-1.wav"
    assert loudness(path, 600) > 1000


async def test_we_press_keys_that_the_far_end_hears(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE) as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        caller = (await listener.next(StasisStart)).channel.id
        await listener.ari.channels.answer(caller)
        await mobile.heard("media")
        await listener.ari.channels.send_dtmf(caller, "12")
        assert [(await mobile.heard("dtmf")).facts["digit"] for _ in "12"] == ["1", "2"]
        await listener.ari.channels.hangup(caller)


async def test_variables_are_set_and_read(asterisk: TestPbx) -> None:
    if asterisk.host.version < AsteriskVersion(18):
        pytest.skip("16.28 sets a variable and cannot find it again")
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE) as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        caller = (await listener.next(StasisStart)).channel.id
        await listener.ari.channels.set_variable(caller, "RINGBACK_CALL", "c-7; Exec(x)")
        assert await listener.ari.channels.get_variable(caller, "RINGBACK_CALL") == "c-7; Exec(x)"
        with pytest.raises(NotFoundError):
            await listener.ari.channels.get_variable(caller, "NO_SUCH")
        await listener.ari.channels.hangup(caller, HangupReason.BUSY)
        await mobile.heard("ended", code=486)


async def test_live_channels_cannot_reach_files_or_a_shell_through_ari(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE) as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        caller = (await listener.next(StasisStart)).channel.id
        for function in ("FILE(/etc/passwd)", "SHELL(id)"):
            with pytest.raises((NotFoundError, ServerFaultError, StateConflictError)):
                assert await listener.ari.channels.get_variable(caller, function) == "refused"
        await listener.ari.channels.hangup(caller)


async def test_a_call_goes_on_in_the_dialplan_when_we_give_it_back(asterisk: TestPbx) -> None:
    phones = asterisk.desk_phone("101", answer_after=0.1), asterisk.mobile(MOBILE)
    async with listening(asterisk) as listener, phones[0], phones[1] as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        caller = (await listener.next(StasisStart)).channel.id
        await listener.ari.channels.continue_in_dialplan(caller, context="ring-groups", extension="13055550101")
        await mobile.heard("answered")
        mobile.hang_up()
        await mobile.heard("ended")


async def test_what_is_gone_is_not_found(asterisk: TestPbx) -> None:
    async with asterisk.ari() as ari:
        for act in (
            ari.channels.get("gone"),
            ari.channels.answer("gone"),
            ari.channels.ring("gone"),
            ari.channels.stop_ringing("gone"),
            ari.channels.hangup("gone"),
            ari.channels.continue_in_dialplan("gone"),
            ari.channels.play("gone", ["sound:beep"], playback="p"),
            ari.channels.record("gone", "r"),
            ari.channels.send_dtmf("gone", "1"),
            ari.channels.set_variable("gone", "A", "b"),
            ari.bridges.add("gone", "gone"),
            ari.bridges.remove("gone", "gone"),
            ari.bridges.destroy("gone"),
            ari.playbacks.stop("gone"),
            ari.recordings.stop("gone"),
            ari.recordings.discard("gone"),
            ari.endpoints.get("gone"),
            ari.applications.get("gone"),
        ):
            with pytest.raises(NotFoundError):
                await act


async def test_a_channel_may_be_bridged_only_when_it_is_ours(asterisk: TestPbx) -> None:
    async with listening(asterisk) as listener, asterisk.desk_phone("101") as desk:
        await listener.ari.channels.originate("PJSIP/101", channel="leg-101", formats=("ulaw",))
        await desk.heard("incoming")
        await listener.ari.bridges.create("early")
        with pytest.raises(StateConflictError):
            await listener.ari.bridges.add("early", "leg-101")
        with pytest.raises(NotFoundError):
            await listener.ari.bridges.add("early", "gone")
        await listener.ari.bridges.destroy("early")
        await listener.ari.channels.hangup("leg-101")


async def test_a_caller_who_gives_up_leaves_a_record_and_its_events(asterisk: TestPbx) -> None:
    cdr, cel = read_cdr(asterisk.folders.cdr).offset, read_cel(asterisk.folders.cel).offset
    async with listening(asterisk) as listener, asterisk.mobile(MOBILE) as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        caller = (await listener.next(StasisStart)).channel.id
        await listener.ari.channels.ring(caller)
        await mobile.heard("progress")
        mobile.hang_up()
        await listener.next(ChannelHangupRequest)
        await listener.next(StasisEnd)
    (record,) = await until(lambda: read_cdr(asterisk.folders.cdr, cdr).rows, what="the record")
    assert (record.linkedid, record.source, record.disposition) == (caller, MOBILE, "NO ANSWER")
    assert record.answer is None
    assert record.last_data == f"{asterisk.app},inbound,{NUMBER}"
    await until(
        lambda: "LINKEDID_END" in [row.type for row in read_cel(asterisk.folders.cel, cel).rows], what="its end"
    )
    rows = read_cel(asterisk.folders.cel, cel).rows
    assert {row.linkedid for row in rows} == {caller}
    assert [row.type for row in rows] == ["CHAN_START", "APP_START", "APP_END", "HANGUP", "CHAN_END", "LINKEDID_END"]
    assert all(earlier.at <= later.at for earlier, later in pairwise(rows))
