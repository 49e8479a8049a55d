"""Calls that somebody else's dialplan handles get the verdicts that the inline mode would give: one each, in both shapes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ari_app.calls.watch_state import WatchRules
from ari_app.recovery.events import CallAnswered, CallClosed, CallerLeft, CallMissed, VoicemailLeft
from ari_app.recovery.values import NumberKind, Verdict
from tests.e2e.watch.foreign import FREEPBX, FREEPBX_ACCOUNT, PLAIN, ForeignPbx
from tests.e2e.watch.phones import desks, one_verdict, rings, talk
from tests.e2e.watch.watching import watching
from tests.support.sipp import Sipp
from tests.support.waiting import until

pytestmark = pytest.mark.e2e

GROUP = [pytest.param(PLAIN, "13055550201", id="plain"), pytest.param(FREEPBX, "13055550306", id="freepbx")]
"""A ring group of 101, 102 and 103 that rings on for a minute."""
MAILBOX = [pytest.param(PLAIN, "13055550204", id="plain"), pytest.param(FREEPBX, "13055550302", id="freepbx")]
"""Desk 101, and its mailbox after five seconds."""
MEMBERS = [pytest.param(PLAIN, "13055550213", id="plain"), pytest.param(FREEPBX, "13055550307", id="freepbx")]
"""A group of desk 101 and of extension 102, whose own mailbox takes the call: after five seconds, or at once."""
QUEUE = [pytest.param(PLAIN, "13055550202", id="plain"), pytest.param(FREEPBX, "13055550301", id="freepbx")]
"""A queue of 101 and 102 that gives up after five seconds."""


@pytest.mark.parametrize(("ip", "number"), GROUP)
async def test_three_rings_without_an_answer_are_a_miss_while_the_phones_still_ring(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with watching(pbx, tmp_path) as seen, desks(pbx, "101", "102") as phones, pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        missed = await seen.verdict()
        assert isinstance(missed, CallMissed)
        assert (missed.verdict, missed.rings, missed.on_line) == (Verdict.NO_ANSWER, 3, True)
        assert missed.caller == "+13055550123"
        assert missed.dialled == f"+{number}"
        assert not any(event.name == "ended" for phone in phones for event in phone.events), "the phones still ring"
        caller.hang_up()
        await one_verdict(seen)
        assert seen.story() == ["CallMissed", "CallerLeft"]


@pytest.mark.parametrize(("ip", "number"), GROUP)
async def test_an_answer_that_is_over_at_once_is_a_dropped_call(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with watching(pbx, tmp_path) as seen, desks(pbx, "101", answer_after=0.2), pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        await seen.heard(CallAnswered)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert verdict.verdict is Verdict.DROPPED


@pytest.mark.parametrize(("ip", "number"), QUEUE)
async def test_a_caller_who_leaves_the_queue_is_missed(pbx: ForeignPbx, tmp_path: Path, ip: str, number: str) -> None:
    async with watching(pbx, tmp_path) as seen, desks(pbx, "101") as [desk], pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        await desk.heard("incoming")
        await until(lambda: rings(seen) >= 2.2, what="some waiting")
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert isinstance(verdict, CallMissed)
    assert (verdict.verdict, verdict.rings, verdict.on_line) == (Verdict.ABANDONED, 2, False)


@pytest.mark.parametrize(("ip", "number"), QUEUE)
async def test_a_queue_that_gives_up_is_a_miss_at_that_moment(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with watching(pbx, tmp_path) as seen, desks(pbx, "101"), pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        verdict = await seen.verdict()
        assert isinstance(verdict, CallMissed)
        assert (verdict.verdict, verdict.on_line) == (Verdict.NO_ANSWER, True)
        assert verdict.rings >= 4, "three rings do not end the patience of a queue"
        caller.hang_up()
        await one_verdict(seen)


@pytest.mark.parametrize(("ip", "number"), QUEUE)
async def test_three_rings_end_the_patience_of_a_queue_where_the_settings_say_so(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    rules = WatchRules(queue_rings=True)
    async with watching(pbx, tmp_path, rules=rules) as seen, desks(pbx, "101"), pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        missed = await seen.verdict()
        assert isinstance(missed, CallMissed)
        assert (missed.verdict, missed.rings, missed.on_line) == (Verdict.NO_ANSWER, 3, True)
        caller.hang_up()
        await one_verdict(seen)


@pytest.mark.parametrize(("ip", "number"), QUEUE)
async def test_an_agent_who_takes_the_call_out_of_the_queue_has_answered(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with watching(pbx, tmp_path) as seen, desks(pbx, "101", answer_after=0.8), pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        await seen.heard(CallAnswered)
        await talk(0.8)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert (verdict.verdict, seen.answered_by()) == (Verdict.ANSWERED, ["101"])


@pytest.mark.parametrize(("ip", "number"), MAILBOX)
async def test_a_mailbox_that_answers_is_a_miss_and_its_message_is_told(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with watching(pbx, tmp_path) as seen, desks(pbx, "101"), pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        missed = await seen.verdict()
        assert (missed.verdict, missed.rings) == (Verdict.NO_ANSWER, 3)
        await caller.heard("answered")
        await talk(2.5)
        caller.hang_up()
        message = await seen.heard(VoicemailLeft)
        assert isinstance(message, VoicemailLeft)
        assert message.recording == "mailbox 101@default"
        assert message.seconds >= 2
        await seen.heard(CallerLeft)
        await one_verdict(seen)


@pytest.mark.parametrize(("ip", "number"), MEMBERS)
async def test_a_member_of_a_group_whose_own_mailbox_answers_has_not_answered(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with watching(pbx, tmp_path) as seen, desks(pbx, "101", "102"), pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        missed = await seen.verdict()
        assert (missed.verdict, missed.rings) == (Verdict.NO_ANSWER, 3)
        await caller.heard("answered")
        await talk(2.5)
        caller.hang_up()
        message = await seen.heard(VoicemailLeft)
        assert isinstance(message, VoicemailLeft)
        assert message.recording == "mailbox 102@default"
        await one_verdict(seen)
    assert seen.answered_by() == []


@pytest.mark.parametrize(("ip", "number"), MEMBERS)
async def test_a_member_who_is_away_and_whose_mailbox_takes_every_call_at_once_makes_them_all_misses(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with watching(pbx, tmp_path) as seen, pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        await caller.heard("answered")
        missed = await seen.verdict()
        assert (type(missed), missed.verdict) == (CallMissed, Verdict.UNREACHABLE)
        caller.hang_up()
        await one_verdict(seen)
    assert seen.answered_by() == []


@pytest.mark.parametrize(("ip", "number"), MAILBOX)
async def test_who_hangs_up_on_the_mailbox_has_left_no_message(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with watching(pbx, tmp_path) as seen, pbx.caller(ip) as caller:
        caller.call(pbx.dial(number))
        missed = await seen.verdict()
        assert missed.verdict is Verdict.UNREACHABLE
        await caller.heard("answered")
        caller.hang_up()
        await seen.heard(CallerLeft)
        await one_verdict(seen)
    assert seen.story() == ["CallMissed", "CallerLeft"]


@pytest.mark.parametrize(("ip", "number"), GROUP)
async def test_a_call_that_another_phone_picks_up_is_answered_by_it(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with (
        watching(pbx, tmp_path) as seen,
        desks(pbx, "101") as [desk],
        desks(pbx, "102") as [picker],
        pbx.caller(ip) as caller,
    ):
        picker.change(busy=True)
        caller.call(pbx.dial(number))
        await desk.heard("incoming")
        picker.call(pbx.dial("*8"))
        await seen.heard(CallAnswered)
        await talk(0.8)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert (verdict.verdict, seen.answered_by()) == (Verdict.ANSWERED, ["102"])


@pytest.mark.parametrize(("ip", "number"), GROUP)
async def test_a_transfer_after_the_answer_is_still_one_answered_call(
    pbx: ForeignPbx, tmp_path: Path, ip: str, number: str
) -> None:
    async with (
        watching(pbx, tmp_path) as seen,
        desks(pbx, "101", answer_after=0.2) as [desk],
        pbx.caller(ip) as caller,
    ):
        caller.call(pbx.dial(number))
        await desk.heard("media")
        async with desks(pbx, "102", answer_after=0.5) as [other]:
            desk.press("##102")
            await other.heard("answered", within=12)
            await talk(0.5)
            caller.hang_up()
            verdict = await one_verdict(seen)
    assert (verdict.verdict, seen.answered_by()) == (Verdict.ANSWERED, ["101"])


@pytest.mark.parametrize(("ip", "number"), GROUP)
@pytest.mark.parametrize("how", ["keys", "REFER", "REFER with Replaces"])
async def test_a_call_that_is_handed_over_was_answered_by_who_took_it(
    pbx: ForeignPbx, tmp_path: Path, how: str, ip: str, number: str
) -> None:
    async with (
        watching(pbx, tmp_path) as seen,
        desks(pbx, "101", answer_after=0.2) as [desk],
        pbx.caller(ip) as caller,
    ):
        caller.call(pbx.dial(number))
        await desk.heard("media")
        async with desks(pbx, "102", answer_after=0.5) as [other]:
            match how:
                case "keys":
                    desk.press("*2102")
                case "REFER":
                    desk.transfer(pbx.dial("102"))
                case _:
                    desk.consult(pbx.dial("102"))
            await other.heard("answered", within=12)
            await talk(0.7)
            match how:
                case "keys":
                    desk.hang_up()
                case "REFER with Replaces":
                    desk.transfer()
            await desk.heard("ended")
            await talk(0.7)
            assert not [event for phone in (caller, other) for event in phone.events if event.name == "ended"]
            caller.hang_up()
            await other.heard("ended")
            verdict = await one_verdict(seen)
    assert (verdict.verdict, seen.answered_by()) == (Verdict.ANSWERED, ["101"])


async def test_an_answer_after_the_miss_is_told_so_that_recovery_stops(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with watching(pbx, tmp_path) as seen, desks(pbx, "101") as [desk], pbx.caller(PLAIN) as caller:
        caller.call(pbx.dial("13055550201"))
        await seen.verdict()
        desk.answer()
        await seen.heard(CallAnswered)
        caller.hang_up()
        await one_verdict(seen)
    assert seen.story() == ["CallMissed", "CallAnswered", "CallerLeft"]


async def test_who_leaves_a_menu_has_given_up_before_any_ring(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with watching(pbx, tmp_path) as seen, pbx.caller(PLAIN) as caller:
        caller.call(pbx.dial("13055550207"))
        await caller.heard("answered")
        await talk(2.0)
        caller.hang_up()
        verdict = await one_verdict(seen)
    assert isinstance(verdict, CallClosed)
    assert (verdict.verdict, verdict.rings) == (Verdict.ABANDONED, 0)


async def test_a_queue_where_nobody_works_is_unreachable(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with watching(pbx, tmp_path) as seen, pbx.caller(PLAIN) as caller:
        caller.call(pbx.dial("13055550209"))
        verdict = await seen.verdict()
        assert verdict.verdict is Verdict.UNREACHABLE
        caller.hang_up()
        await one_verdict(seen)


async def test_two_calls_in_a_row_are_two_verdicts(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with watching(pbx, tmp_path) as seen, pbx.caller(PLAIN) as caller:
        for count in (1, 2):
            caller.call(pbx.dial("13055550201"))
            await seen.verdict(count=count)
            await caller.heard("ended")
        await seen.over()
    assert [verdict.verdict for verdict in seen.verdicts()] == [Verdict.UNREACHABLE] * 2
    assert len({verdict.call_id for verdict in seen.verdicts()}) == 2


async def test_calls_between_the_desks_and_to_the_outside_are_nobodys_missed_call(
    pbx: ForeignPbx, tmp_path: Path
) -> None:
    async with (
        watching(pbx, tmp_path) as seen,
        pbx.mobile(PLAIN) as mobile,
        desks(pbx, "101", "102") as [first, second],
    ):
        first.call(pbx.dial("102"))
        await second.heard("incoming")
        first.hang_up()
        await first.heard("ended")
        first.call(pbx.dial("+13055550177"))
        await mobile.heard("incoming")
        first.hang_up()
        await first.heard("ended")
        await until(lambda: not pbx.channels(), what="the end of both")
    assert seen.events == []


async def test_behind_a_registration_trunk_the_number_dialled_is_known_and_a_withheld_one_is_not_used(
    pbx: ForeignPbx, tmp_path: Path
) -> None:
    options = {"service": "account", "dialled": "13055550302", "ip": FREEPBX_ACCOUNT, "caller": "+13055550123"}
    async with watching(pbx, tmp_path) as seen, Sipp("caller_withholds", pbx.address, **options):  # type: ignore[arg-type]
        missed = await one_verdict(seen)
    assert isinstance(missed, CallMissed)
    assert (missed.verdict, missed.dialled) == (Verdict.UNREACHABLE, "+13055550302")
    assert (missed.kind, missed.caller, missed.caller_name) == (NumberKind.WITHHELD, None, None)
    assert seen.decided == [("plan", "refused", "ELG-04")]


async def test_a_number_that_is_not_in_the_settings_is_recorded_as_such(pbx: ForeignPbx, tmp_path: Path) -> None:
    async with watching(pbx, tmp_path) as seen, pbx.caller(PLAIN) as caller:
        caller.call(pbx.dial("13055550999"))
        verdict = await one_verdict(seen)
    assert (verdict.verdict, verdict.dialled) == (Verdict.UNROUTED, "+13055550999")
