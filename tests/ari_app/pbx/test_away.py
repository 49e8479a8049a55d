"""Ringback is not there: the PBX behaves as a plain one, and keeps account of it."""

from __future__ import annotations

import asyncio
import socket
import wave
from pathlib import Path

import pytest

from ari_app.pbx.host import AsteriskVersion
from ari_app.pbx.ledger import CdrRow, read_cdr, read_cel
from ari_app.pbx.message_spool import read_messages
from ari_app.pbx.render import Dialplan
from ari_app.pbx.sounds import SoundFolder
from tests.support.asterisk import CARRIER_IP, TestPbx, running_pbx
from tests.support.baresip import Baresip
from tests.support.ports import free_port
from tests.support.sipp import Sipp, sipp_register
from tests.support.tones import loudness, tone, write_tone
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

NUMBER = "+13055550101"  # rings 101 for 6 s
GROUP = "+13055550123"  # rings 102 and 103 for 2 s


async def _records(pbx: TestPbx, offset: int) -> tuple[CdrRow, ...]:
    await until(lambda: not pbx.channels(), what="all channels to be gone")
    return await until(lambda: read_cdr(pbx.folders.cdr, offset).rows, what="a record")


async def test_the_phones_of_the_number_ring_and_both_ends_hear_each_other(asterisk: TestPbx, tmp_path: Path) -> None:
    offset = read_cdr(asterisk.folders.cdr).offset
    low, high = write_tone(tmp_path / "low.wav", 400), write_tone(tmp_path / "high.wav", 1000)
    inside, outside = tmp_path / "inside.wav", tmp_path / "outside.wav"
    async with (
        asterisk.desk_phone("101", answer_after=0.2, speak=str(low), record=str(inside)) as desk,
        asterisk.mobile(speak=str(high), record=str(outside)) as mobile,
    ):
        mobile.call(asterisk.dial_in(NUMBER))
        await mobile.heard("progress", code=180)
        await mobile.heard("answered")
        await asyncio.sleep(1.0)  # noqa: TID251 - a second of talk
        mobile.hang_up()
        await desk.heard("ended")
    assert loudness(outside, 400) > 1000
    assert loudness(inside, 1000) > 1000
    (record,) = await _records(asterisk, offset)
    assert (record.disposition, record.userfield, record.source) == ("ANSWERED", "away", "+13055550199")
    assert record.peer_channel.startswith("PJSIP/101-")


async def test_all_phones_of_a_group_ring_and_the_first_to_answer_gets_the_call(asterisk: TestPbx) -> None:
    async with asterisk.desk_phone("102") as one, asterisk.desk_phone("103") as other, asterisk.mobile() as mobile:
        mobile.call(asterisk.dial_in(GROUP))
        await one.heard("incoming")
        await other.heard("incoming")
        other.answer()
        await mobile.heard("answered")
        await one.heard("ended", code=487)
        mobile.hang_up()
        await other.heard("ended")


async def test_a_call_that_nobody_takes_ends_and_its_record_says_how(asterisk: TestPbx) -> None:
    offset = read_cdr(asterisk.folders.cdr).offset
    async with asterisk.desk_phone("102") as desk, asterisk.mobile() as mobile:
        mobile.call(asterisk.dial_in(GROUP))
        await desk.heard("incoming")
        await mobile.heard("ended", code=480)
        await desk.heard("ended", code=487)
    records = await _records(asterisk, offset)
    assert {record.disposition for record in records} == {"NO ANSWER"}
    assert "away:NOANSWER" in [record.userfield for record in records]
    assert len({record.linkedid for record in records}) == 1


async def test_a_number_without_a_group_rings_every_phone(asterisk: TestPbx) -> None:
    async with asterisk.desk_phone("101") as one, asterisk.desk_phone("103") as other, asterisk.mobile() as mobile:
        mobile.call(asterisk.dial_in("+13055559999"))
        await one.heard("incoming")
        await other.heard("incoming")
        mobile.hang_up()
        await mobile.heard("ended")
        await one.heard("ended")
        await other.heard("ended")


@pytest.mark.parametrize(("number", "phone"), [(NUMBER, "101"), (GROUP, "103")])
@pytest.mark.parametrize("request_uri", ["sip:trunk-carrier@{sip}", "sip:{sip}"])
async def test_a_number_that_stands_in_to_only_rings_its_own_phones(
    asterisk: TestPbx, request_uri: str, number: str, phone: str
) -> None:
    request, to = request_uri.format(sip=asterisk.sip), f'"Main, line" <sip:{number}@carrier.example>'
    if "@" not in request and asterisk.host.version < AsteriskVersion(18):
        pytest.skip("16.28 refuses a request without a number")
    offset = read_cdr(asterisk.folders.cdr).offset
    caller = Sipp("caller_named_in_to", asterisk.sip, ip=CARRIER_IP, pause_seconds=0.2, request=request, to=to)
    async with asterisk.desk_phone("101") as one, asterisk.desk_phone("103") as other, caller:
        rings, quiet = (one, other) if phone == "101" else (other, one)
        await rings.heard("incoming")
        result = await caller.result()
        assert result.ok, result.errors
        await rings.heard("ended")
        await quiet.settle()
        assert "incoming" not in quiet.story()
    records = await _records(asterisk, offset)
    assert {record.userfield for record in records} == {"away"}


async def test_a_call_with_no_phone_registered_ends_at_once_and_is_on_record(asterisk: TestPbx) -> None:
    offset = read_cdr(asterisk.folders.cdr).offset
    async with asterisk.mobile() as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        await mobile.heard("ended", code=480)
    records = await _records(asterisk, offset)
    assert "away:CHANUNAVAIL" in [record.userfield for record in records]


async def test_a_phone_of_another_make_that_is_never_picked_up_is_called_off(asterisk: TestPbx) -> None:
    port = free_port(socket.SOCK_DGRAM)
    await sipp_register(asterisk.sip, "101", asterisk.secrets.phones["101"], port=port)
    caller = Sipp("caller_cancels", asterisk.sip, service=NUMBER, ip=CARRIER_IP, pause_seconds=0.5)
    async with Sipp("phone_rings", asterisk.sip, port=port, calls=None), caller:
        assert (await caller.result()).ok
    await sipp_register(asterisk.sip, "101", asterisk.secrets.phones["101"], port=port, lifetime=0)


async def test_a_busy_phone_makes_a_busy_call(asterisk: TestPbx) -> None:
    port = free_port(socket.SOCK_DGRAM)
    await sipp_register(asterisk.sip, "101", asterisk.secrets.phones["101"], port=port)
    async with Sipp("phone_busy", asterisk.sip, port=port, calls=None), asterisk.mobile() as mobile:
        mobile.call(asterisk.dial_in(NUMBER))
        await mobile.heard("ended", code=486)
    await sipp_register(asterisk.sip, "101", asterisk.secrets.phones["101"], port=port, lifetime=0)


async def test_a_caller_of_another_make_talks_to_a_phone_of_another_make(asterisk: TestPbx, tmp_path: Path) -> None:
    samples = tmp_path / "samples.ul"
    samples.write_bytes(bytes([0x55, 0xD5] * 4000))
    port = free_port(socket.SOCK_DGRAM)
    await sipp_register(asterisk.sip, "101", asterisk.secrets.phones["101"], port=port)
    offset = read_cdr(asterisk.folders.cdr).offset
    caller = Sipp("caller_talks", asterisk.sip, service=NUMBER, ip=CARRIER_IP, pause_seconds=0.5, audio=samples)
    async with Sipp("phone_answers", asterisk.sip, port=port, calls=None, pause_seconds=0.2), caller:
        assert (await caller.result()).ok
        (record,) = await _records(asterisk, offset)
    assert record.disposition == "ANSWERED"
    await sipp_register(asterisk.sip, "101", asterisk.secrets.phones["101"], port=port, lifetime=0)


async def test_another_sip_stack_is_heard_through_the_pbx(asterisk: TestPbx, tmp_path: Path) -> None:
    words, heard = write_tone(tmp_path / "words.wav", 600), tmp_path / "heard.wav"
    async with (
        Baresip("102", asterisk.secrets.phones["102"], asterisk.sip, speak=words) as desk,
        asterisk.mobile(record=str(heard)) as mobile,
    ):
        mobile.call(asterisk.dial_in(GROUP))
        await desk.heard("CALL_INCOMING")
        desk.answer()
        await mobile.heard("answered")
        await asyncio.sleep(1.0)  # noqa: TID251 - a second of talk
        desk.hang_up()
        await mobile.heard("ended")
    assert loudness(heard, 600) > 1000


async def test_desk_phones_call_each_other_and_cannot_call_out_unless_it_is_allowed(asterisk: TestPbx) -> None:
    async with (
        asterisk.desk_phone("101") as one,
        asterisk.desk_phone("102", answer_after=0.1) as other,
        asterisk.mobile(carrier=True) as outside,
    ):
        one.call(asterisk.dial_in("102"))
        await one.heard("answered")
        one.hang_up()
        await other.heard("ended")
        await one.heard("ended")
        one.call(asterisk.dial_in("13055550199"))
        await one.heard("ended", code=404)
        one.call(asterisk.dial_in("911"))
        assert "911" in (await outside.heard("incoming")).facts["dialled"]
        one.hang_up()
        await outside.heard("ended")


async def test_texts_that_come_while_we_are_away_wait_in_the_spool(asterisk: TestPbx) -> None:
    offset = read_messages(asterisk.folders.messages).offset
    bodies = ["STOP", "two\nlines; é 你好", '${SHELL(id)} \\ " ) , |', "x" * 1000]
    async with asterisk.desk_phone("101") as desk, asterisk.mobile() as mobile:
        for body in bodies:
            desk.send_message(asterisk.dial_in("ringback"), body)
            await desk.heard("message_status", code=202)
        mobile.send_message(asterisk.dial_in(NUMBER), "from outside")
        await mobile.heard("message_status", code=202)
    await until(lambda: read_messages(asterisk.folders.messages, offset).rows[4:], what="five texts")
    page = read_messages(asterisk.folders.messages, offset)
    assert [message.body for message in page.rows] == [*bodies, "from outside"]
    assert page.unreadable == 0
    assert "101" in page.rows[0].sender
    assert NUMBER in page.rows[4].recipient


async def test_the_events_of_an_unanswered_call_tell_who_rang(asterisk: TestPbx) -> None:
    offset = read_cel(asterisk.folders.cel).offset
    async with asterisk.desk_phone("102") as desk, asterisk.mobile() as mobile:
        mobile.call(asterisk.dial_in(GROUP))
        await desk.heard("incoming")
        mobile.hang_up()
        await mobile.heard("ended")
    await until(
        lambda: "LINKEDID_END" in [row.type for row in read_cel(asterisk.folders.cel, offset).rows],
        what="the last event",
    )
    rows = read_cel(asterisk.folders.cel, offset).rows
    assert [row.channel.split("-")[0] for row in rows if row.type == "CHAN_START"] == ["PJSIP/carrier", "PJSIP/102"]
    assert "ANSWER" not in {row.type for row in rows}


async def test_the_ledgers_can_be_rotated_by_renaming_them(asterisk: TestPbx) -> None:
    async with asterisk.mobile() as mobile:
        for _ in range(2):
            mobile.call(asterisk.dial_in(NUMBER))
            await mobile.heard("ended")
            await until(lambda: not asterisk.channels() and asterisk.folders.cdr.exists(), what="the record")
            for ledger in (asterisk.folders.cdr, asterisk.folders.cel):
                assert ledger.stat().st_size > 0
                ledger.rename(ledger.with_suffix(".old"))


async def test_a_caller_whom_nobody_answers_hears_the_notice_and_leaves_a_message(tmp_path: Path) -> None:
    words, heard = write_tone(tmp_path / "words.wav", 600), tmp_path / "heard.wav"
    with running_pbx(dialplan=Dialplan(mailbox="103")) as pbx:
        if not pbx.host.has_module("app_voicemail"):
            pytest.skip("this Asterisk came without voicemail")
        SoundFolder(pbx.folders.sounds).put("missed_call_away", tone(900, 1.0))
        async with pbx.mobile(speak=str(words), record=str(heard)) as mobile:
            mobile.call(pbx.dial_in("+13055559999"))
            await mobile.heard("answered")
            inbox = pbx.folders.spool / "voicemail" / "phones" / "103" / "INBOX"
            await asyncio.sleep(5.5)  # noqa: TID251 - the notice, the beep, and three seconds of message
            mobile.hang_up()
            await mobile.heard("ended")
        message = await until(lambda: sorted(inbox.glob("msg*.wav")), what="the message")
        (record, *_) = await _records(pbx, 0)
        assert record.userfield.startswith("away")
        assert "away:CHANUNAVAIL" in [row.userfield for row in read_cdr(pbx.folders.cdr).rows]
        assert loudness(message[0], 600) > 1000
    with wave.open(str(heard)) as file:
        assert file.getnframes() > 4 * 8000
